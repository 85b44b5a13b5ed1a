import { UserError } from '../../../shared/errors.ts';
import { StationFiles } from '../../store/files.ts';
import type { PortLike } from '../child.ts';
import type { DriftBaseline } from '../../../shared/drift/types.ts';
import type {
  DriftBaselineRequest,
  ExplainRequest,
  FeedRun,
  InferenceMethods,
  ModelUse,
  PendingPart,
  ScoreRequest,
  StationMethods,
} from '../inference-protocol.ts';
import type { Peer } from '../rpc.ts';
import { FeedRunner } from './feed-runner.ts';
import { measureBaseline } from './drift-baseline.ts';
import { explainStored, seeStored } from './explain-stored.ts';
import { LiveLink } from './live-link.ts';
import { openModel, type LoadedModel } from './open-model.ts';
import { scorePictures } from './score-pictures.ts';

/** Between two words about how far scoring is. */
const progressEveryMs = 250;

/** What the process that judges does: feeds by project, scoring beside them, live results to the window. */
export class InferenceService {
  readonly #station: Peer<StationMethods>;
  #files: StationFiles | undefined;
  readonly #open: typeof openModel;
  readonly #runs = new Map<string, FeedRunner>();
  readonly #live = new Map<string, LiveLink>();
  readonly #scoring = new Map<string, AbortController>();
  #scored: Promise<unknown> = Promise.resolve();
  readonly #exit: () => void;

  /** @param open tests hand in their own */
  constructor(station: Peer<StationMethods>, exit: () => void, open = openModel) {
    this.#station = station;
    this.#exit = exit;
    this.#open = open;
  }

  /** What the station may ask; `openLive` comes with a port. */
  readonly methods = {
    ping: () => ({ rssMb: Math.round(process.memoryUsage.rss() / 2 ** 20) }),
    shutDown: () => this.#shutDown(),
    configure: ({ folder }: { folder: string }) => {
      this.#files = new StationFiles(folder);
      return {};
    },
    startRun: (run: FeedRun) => this.#startRun(run),
    useModel: ({ projectId, model }: { projectId: string; model: ModelUse }) => this.#run(projectId).useModel(model),
    setLot: ({ projectId, lot }: { projectId: string; lot: string }) => {
      this.#run(projectId).setLot(lot);
      return {};
    },
    stopRun: async ({ projectId }: { projectId: string }) => {
      await this.#runs.get(projectId)?.stop();
      return {};
    },
    judgeParts: ({ projectId, parts }: { projectId: string; parts: PendingPart[] }) => {
      this.#run(projectId).judgeParts(parts);
      return {};
    },
    score: (request: ScoreRequest) => this.#score(request),
    explain: (request: ExplainRequest) => this.#withModel(request.model, (model) => explainStored(request, model)),
    heat: ({ model: use, path }: Pick<ExplainRequest, 'model' | 'path'>) =>
      this.#withModel(use, (model) => seeStored(path, model)),
    driftBaseline: (request: DriftBaselineRequest) =>
      measureBaseline(request, this.#run(request.projectId).model(request.modelHash)),
    watchDrift: ({ projectId, baseline }: { projectId: string; baseline: DriftBaseline }) => {
      this.#run(projectId).watchDrift(baseline);
      return {};
    },
    startShadow: async ({ projectId, model }: { projectId: string; model: ModelUse }) => {
      await this.#run(projectId).startShadow(model);
      return {};
    },
    stopShadow: async ({ projectId }: { projectId: string }) => {
      await this.#runs.get(projectId)?.stopShadow();
      return {};
    },
    cancelScoring: ({ modelId }: { modelId: string }) => {
      this.#scoring.get(modelId)?.abort(new UserError('cancelled', 'Scoring was cancelled.'));
      return {};
    },
    openLive: ({ projectId }: { projectId: string }, ports: readonly unknown[]) => {
      const port = ports[0] as PortLike | undefined;
      if (port === undefined) return {};
      this.#live.get(projectId)?.close();
      this.#live.set(
        projectId,
        new LiveLink(port, {
          onFrame: async (frame) => {
            const run = this.#runs.get(projectId);
            return run === undefined ? { partId: null, reason: 'The feed is stopped.' } : run.takeFrame(frame);
          },
          onWord: (word) => this.#runs.get(projectId)?.hearCamera(word),
        }),
      );
      return {};
    },
  } satisfies { [K in keyof InferenceMethods]: (argument: never, ports: readonly unknown[]) => unknown };

  async #startRun(run: FeedRun) {
    if (this.#files === undefined) throw new Error('the process was not configured');
    await this.#runs.get(run.projectId)?.stop();
    const runner = await FeedRunner.start(run, {
      station: this.#station,
      files: this.#files,
      live: () => this.#live.get(run.projectId),
      openModel: this.#open,
    });
    this.#runs.set(run.projectId, runner);
    void runner.ended.then(() => {
      if (this.#runs.get(run.projectId) === runner) this.#runs.delete(run.projectId);
    });
    return runner.opened;
  }

  #run(projectId: string): FeedRunner {
    const run = this.#runs.get(projectId);
    if (run === undefined) throw new UserError('feedStopped', 'No feed is running.', 'Start it first.');
    return run;
  }

  /** One request after the other: they share the cores with the line. */
  #score(request: ScoreRequest) {
    const { modelId } = request.model;
    const controller = new AbortController();
    // Known from now on, so that it can be cancelled while it still waits for its turn.
    this.#scoring.set(modelId, controller);
    const work = async () => {
      let model: LoadedModel | undefined;
      try {
        controller.signal.throwIfAborted();
        model = await this.#open(request.model);
        let toldMs = 0;
        return await scorePictures(request, model, controller.signal, (done) => {
          const total = request.pictures.length;
          if (done < total && performance.now() - toldMs < progressEveryMs) return;
          toldMs = performance.now();
          this.#station.tell('scoring', { modelId, done, total });
        });
      } finally {
        if (this.#scoring.get(modelId) === controller) this.#scoring.delete(modelId);
        await model?.detector.close();
      }
    };
    const scored = this.#scored.then(work);
    this.#scored = scored.catch(() => undefined);
    return scored;
  }

  /** One after the other, and after what is being scored: all share the cores with the line. */
  #withModel<T>(use: ModelUse, work: (model: LoadedModel) => Promise<T>): Promise<T> {
    const worked = this.#scored.then(async () => {
      const model = await this.#open(use);
      try {
        return await work(model);
      } finally {
        await model.detector.close();
      }
    });
    this.#scored = worked.catch(() => undefined);
    return worked;
  }

  async #shutDown(): Promise<object> {
    for (const controller of this.#scoring.values()) controller.abort(new UserError('cancelled', 'The station ends.'));
    await Promise.all([...this.#runs.values()].map((run) => run.stop()));
    for (const link of this.#live.values()) link.close();
    // After the answer has gone out.
    setTimeout(this.#exit, 50);
    return {};
  }
}
