import type { FeedState } from '../../shared/ipc/inspection.ts';
import type { Recipe } from '../../shared/station/domain.ts';
import { listParts } from '../inspection/picture-files.ts';
import type { HandlersOf } from '../ipc/handler.ts';
import type { ProcessHost } from '../processes/child.ts';
import type { InferenceMethods } from '../processes/inference-protocol.ts';
import { processEntry } from '../processes/process-entry.ts';
import type { Peer } from '../processes/rpc.ts';
import { Supervisor, type SupervisorTimes } from '../processes/supervisor.ts';
import type { StationContext } from './context.ts';
import type { DriftWatch } from './drift-watch.ts';
import { DroppedFiles } from './dropped-files.ts';
import { explainHandlers } from './explanations.ts';
import { FeedRuns } from './feed-runs.ts';
import { FeedStates } from './feed-states.ts';
import { judgingThreads } from './model-use.ts';
import { keepLot } from './kept-lot.ts';
import { ModelWatch } from './model-watch.ts';
import { PartRecords } from './part-records.ts';
import { Scoring } from './scoring.ts';
import type { ShadowMode } from './shadow.ts';

/** What the feeds need of the program around them. */
export interface FeedParts {
  host: ProcessHost;
  /**
   * Makes a message channel between the process that judges and the window that shows the project.
   * @returns the end for the process, of the host's own kind; undefined when no window wants one
   */
  openLivePort?: (projectId: string) => unknown;
  /** JavaScript of the process; default: where this program has it. */
  entry?: () => Promise<URL>;
  cores?: number;
  times?: Partial<SupervisorTimes>;
}

/** Feeds of all projects: what runs, how it is, and the durable record of every part. */
export class FeedService {
  readonly #context: StationContext;
  readonly #parts: FeedParts;
  readonly #states: FeedStates;
  readonly #records: PartRecords;
  readonly #watch: ModelWatch;
  readonly #runs: FeedRuns;
  readonly shadow: ShadowMode;
  readonly drift: DriftWatch;
  readonly explainHandlers: HandlersOf<'explain'>;
  readonly #live = new Set<string>();
  readonly #scoring: Scoring;
  readonly #dropped: DroppedFiles;
  readonly #threads: number;
  readonly supervisor: Supervisor<InferenceMethods>;

  constructor(context: StationContext, parts: FeedParts) {
    this.#context = context;
    this.#parts = parts;
    this.#states = new FeedStates(context);
    this.#records = new PartRecords(context, this.#states);
    this.#threads = judgingThreads(parts.cores);
    const supervisor = (): Supervisor<InferenceMethods> => this.supervisor;
    const shared = { states: this.#states, records: this.#records, supervisor, threads: this.#threads };
    this.#runs = new FeedRuns(context, { ...shared, onRecovered: (projectId) => this.stop(projectId) });
    this.shadow = this.#runs.shadow;
    this.drift = this.#runs.drift;
    this.#scoring = new Scoring(context, supervisor, this.#threads);
    this.#dropped = new DroppedFiles(context, this.#records, supervisor);
    this.#watch = new ModelWatch(context, () => this.#runs.modelsInUse());
    this.supervisor = new Supervisor<InferenceMethods>({
      name: 'inference',
      host: parts.host,
      entry: parts.entry ?? (() => processEntry('inference')),
      local: {
        ...this.#runs.methods,
        present: this.#records.present.bind(this.#records),
        told: ({ partId }: { partId: number }) => this.#records.told(partId),
        scoring: this.#scoring.hear.bind(this.#scoring),
      },
      ...(parts.times !== undefined && { times: parts.times }),
      onUp: async (peer) => {
        await peer.call('configure', { folder: context.folder });
        for (const projectId of this.#live) this.#openLive(projectId, peer);
        await this.#runs.takeUp(peer);
      },
      onDown: (reason) => this.#runs.wentDown(reason),
    });
    this.explainHandlers = explainHandlers(context, this.supervisor, this.#threads);
  }

  readonly handlers: HandlersOf<'feed'> = {
    'feed.start': ({ recipeId }) => this.start(this.#context.store.recipes.get(recipeId)),
    'feed.stop': ({ projectId }) => this.stop(projectId),
    'feed.state': ({ projectId }) => this.state(projectId),
    'feed.acknowledge': ({ projectId }) => {
      const run = this.#states.of(projectId);
      run.acknowledge();
      if (!run.wanted) this.#states.seen(projectId);
      return this.#states.tellNow(projectId);
    },
    'feed.setLot': ({ projectId, lot }) => {
      this.#states.of(projectId).lot = lot;
      keepLot(this.#context, projectId, lot);
      void this.supervisor.current?.call('setLot', { projectId, lot }).catch(() => undefined);
      return this.#states.tellNow(projectId);
    },
    'feed.openLive': async ({ projectId }) => {
      // There is one window, and it shows one project at a time.
      this.#live.clear();
      this.#live.add(projectId);
      this.#openLive(projectId, await this.supervisor.peer());
      return {};
    },
    'feed.judgeFiles': async ({ projectId, paths }) => {
      const run = this.#states.of(projectId);
      const found = await listParts(paths);
      if (!run.wanted) await this.#runs.begin(projectId, this.#firstRecipe(projectId), false);
      return { presented: await this.#dropped.take(projectId, found, run.lot, () => run.wanted) };
    },
  };

  /** What the system's status says of the process. */
  status(): { state: string; restarts: number; engine: string; threads: number } {
    const { state, restarts } = this.supervisor.status;
    return { state, restarts, engine: this.#runs.engine, threads: this.#threads };
  }

  state(projectId: string): FeedState {
    this.#context.store.projects.get(projectId);
    return this.#states.show(projectId);
  }

  /** @throws UserError `noModel`, or why the model can't be opened */
  async start(recipe: Recipe): Promise<FeedState> {
    return this.#runs.begin(recipe.projectId, recipe, true);
  }

  async stop(projectId: string): Promise<FeedState> {
    const run = this.#states.of(projectId);
    await this.#runs.end(projectId);
    await this.#dropped.giveUp(projectId);
    run.end(true);
    this.#states.forget(projectId);
    this.#records.writeTold();
    return this.#states.tellNow(projectId);
  }

  /** Judges what a crash of the whole station left in its midst, or says that it can't be judged. Call once, at start. */
  recover(): void {
    const { store } = this.#context;
    const left = store.parts.undecided();
    for (const projectId of new Set(left.map((part) => part.projectId))) {
      const known = store.projects.find(projectId) !== null && store.models.active(projectId) !== null;
      this.#records.giveUp(projectId, 'The station stopped before it was judged.', !known);
      if (!known || !store.parts.hasUndecided(projectId)) continue;
      this.#runs.begin(projectId, this.#firstRecipe(projectId), false, true).catch(() => {
        this.#records.giveUp(
          projectId,
          'The station stopped before it was judged, and the model can not be opened.',
          true,
        );
      });
    }
  }

  /** To be called when another model, or other thresholds, hold for a project: its feed goes on with them. */
  modelChanged(projectId: string): Promise<void> {
    return this.#runs.modelChanged(projectId);
  }

  /** See `Scoring`. */
  readonly score: Scoring['score'] = (...given) => this.#scoring.score(...given);
  readonly scoreWith: Scoring['scoreWith'] = (...given) => this.#scoring.scoreWith(...given);

  cancelScoring(modelId: string): Promise<void> {
    return this.#scoring.cancel(modelId);
  }

  async close(): Promise<void> {
    this.#watch.close();
    this.#states.close();
    this.#runs.forgetAll();
    await this.supervisor.stop();
    this.#records.close();
  }

  #firstRecipe(projectId: string): Recipe | null {
    return this.#context.store.recipes.list(projectId)[0] ?? null;
  }

  #openLive(projectId: string, peer: Peer<InferenceMethods>): void {
    const port = this.#parts.openLivePort?.(projectId);
    if (port !== undefined) peer.tell('openLive', { projectId }, [port]);
  }
}
