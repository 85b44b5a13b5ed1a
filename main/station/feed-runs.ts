import { UserError } from '../../shared/errors.ts';
import type { FeedState } from '../../shared/ipc/inspection.ts';
import type { Recipe, StationModel } from '../../shared/station/domain.ts';
import type {
  DecidedAnswer,
  DecidedNews,
  FeedFault,
  InferenceMethods,
  ModelUse,
  StationMethods,
} from '../processes/inference-protocol.ts';
import type { Peer } from '../processes/rpc.ts';
import type { Supervisor } from '../processes/supervisor.ts';
import type { StationContext } from './context.ts';
import { DriftWatch } from './drift-watch.ts';
import type { FeedStates } from './feed-states.ts';
import { lotOf } from './kept-lot.ts';
import { modelFault, modelUse } from './model-use.ts';
import type { PartRecords } from './part-records.ts';
import type { LineTimes } from './shadow-state.ts';
import { ShadowMode } from './shadow.ts';

/** A run that a person wants, or that a crash left. */
interface RunRequest {
  recipe: Recipe | null;
  withFeed: boolean;
  /** Ends by itself once what a crash left is judged. */
  recovering: boolean;
  /** Whoever asked for it starts it; a process that comes up must not. */
  starting: boolean;
}

/** Faults that the station sets and clears itself; the others are the process's. */
const ownFaults = ['inferenceDown', 'modelUnusable'];

/** A run that ended by itself is started again after this long, then after twice as long each time. */
const firstRetryMs = 2000;
const longestRetryMs = 60_000;

/** What the runs stand on. */
export interface RunParts {
  states: FeedStates;
  records: PartRecords;
  supervisor: () => Supervisor<InferenceMethods>;
  /** Threads of the process that judges. */
  threads: number;
  /** What a crash left is judged: the run may end. */
  onRecovered: (projectId: string) => Promise<unknown>;
}

/**
 * What runs for each project in the process that judges: started, taken up again after every crash, given another
 * model, and ended.
 */
export class FeedRuns {
  readonly #context: StationContext;
  readonly #states: FeedStates;
  readonly #records: PartRecords;
  readonly #supervisor: () => Supervisor<InferenceMethods>;
  readonly #threads: number;
  readonly #onRecovered: (projectId: string) => Promise<unknown>;
  readonly drift: DriftWatch;
  readonly shadow: ShadowMode;
  readonly #requests = new Map<string, RunRequest>();
  #engine = '';

  constructor(context: StationContext, { states, records, supervisor, threads, onRecovered }: RunParts) {
    this.#context = context;
    this.#states = states;
    this.#records = records;
    this.#supervisor = supervisor;
    this.#threads = threads;
    this.#onRecovered = onRecovered;
    this.drift = new DriftWatch(context);
    this.shadow = new ShadowMode(context, {
      use: (model) => this.#use(model),
      peer: () => supervisor().current,
      line: (projectId) => this.#lineTimes(projectId),
    });
  }

  /** Execution provider of the newest run. */
  get engine(): string {
    return this.#engine;
  }

  /** Models that judge now. */
  *modelsInUse(): Generator<string> {
    for (const { wanted, modelId } of this.#states.all()) if (wanted && modelId !== null) yield modelId;
  }

  /**
   * @param withFeed   false: only files that are handed over are judged
   * @param recovering it ends by itself once what a crash left is judged
   * @throws UserError `noModel`, or why the model can't be opened
   */
  async begin(projectId: string, recipe: Recipe | null, withFeed: boolean, recovering = false): Promise<FeedState> {
    const run = this.#states.of(projectId);
    const model = this.#context.store.models.active(projectId);
    if (model === null) {
      throw new UserError('noModel', 'The project has no active model: nothing can be judged.', 'Train one.');
    }
    const request: RunRequest = { recipe, withFeed, recovering, starting: true };
    this.#requests.set(projectId, request);
    this.#states.forget(projectId);
    run.begin(withFeed ? (recipe?.id ?? null) : null, model.id, lotOf(this.#context, projectId, recipe));
    this.#states.tellNow(projectId);
    try {
      await this.#startRun(projectId, await this.#supervisor().peer());
    } catch (error) {
      // The process died under it: it's started again, and takes the run up.
      if (error instanceof UserError && error.code === 'processStopped') return this.#states.tellNow(projectId);
      this.#requests.delete(projectId);
      run.end(false);
      const fault = modelFault(this.#context, projectId, error);
      run.raise(fault);
      this.#states.tellNow(projectId);
      const code = error instanceof UserError ? error.code : fault.code;
      throw new UserError(code, fault.message, fault.remedy ?? undefined, { cause: error });
    } finally {
      request.starting = false;
    }
    return this.#states.tellNow(projectId);
  }

  /** Ends a run once the parts on their way are judged. */
  async end(projectId: string): Promise<void> {
    this.#requests.delete(projectId);
    this.#states.of(projectId).wanted = false;
    await this.#supervisor()
      .current?.call('stopRun', { projectId })
      .catch(() => undefined);
  }

  forgetAll(): void {
    this.shadow.close();
    this.drift.close();
    this.#requests.clear();
  }

  /** To be called when another model, or other thresholds, hold for a project: its feed goes on with them. */
  async modelChanged(projectId: string): Promise<void> {
    const run = this.#states.of(projectId);
    const model = this.#context.store.models.active(projectId);
    if (!run.wanted || model === null) return;
    const peer = this.#supervisor().current;
    // Down: it opens the active model when it's up again.
    if (peer === undefined) return;
    try {
      if (run.isUp) {
        run.up(await peer.call('useModel', { projectId, model: this.#use(model) }));
        run.clear('modelUnusable');
        this.#beside(model, peer);
      } else if (this.#requests.get(projectId)?.starting === false) {
        // The model before could not be opened, so nothing judges: this one may do.
        await this.#startRun(projectId, peer);
      }
    } catch (error) {
      // The model before goes on judging; nobody may believe that it was replaced.
      run.clear('modelUnusable');
      run.raise(modelFault(this.#context, projectId, error));
    }
    this.#states.tellNow(projectId);
  }

  /** A process has come up: it goes on with what runs. */
  async takeUp(peer: Peer<InferenceMethods>): Promise<void> {
    for (const [projectId, { starting }] of [...this.#requests]) {
      if (starting) continue;
      try {
        await this.#startRun(projectId, peer);
      } catch (error) {
        if (error instanceof UserError && error.code === 'processStopped') throw error;
        this.#states.of(projectId).raise(modelFault(this.#context, projectId, error));
        this.#states.tellNow(projectId);
      }
    }
  }

  async #startRun(projectId: string, peer: Peer<InferenceMethods>): Promise<void> {
    const request = this.#requests.get(projectId);
    const run = this.#states.of(projectId);
    const { store } = this.#context;
    const model = store.models.active(projectId);
    if (request === undefined || model === null) return;
    this.#records.giveUp(projectId, 'The judging process stopped before it was judged.', false);
    const { recipe, withFeed } = request;
    const opened = await peer.call('startRun', {
      projectId,
      recipe,
      withFeed,
      model: this.#use(model),
      lot: run.lot,
      pending: this.#records.pending(projectId),
      knownFiles: recipe?.source.kind === 'folder' ? store.parts.seenFiles(projectId) : [],
      untold: this.#records.untold(projectId, recipe),
    });
    this.#beside(model, peer);
    this.#engine = opened.provider;
    run.up(opened);
    run.clear('inferenceDown');
    run.clear('modelUnusable');
    this.#states.tellNow(projectId);
  }

  /** What goes on beside judging, and never holds it up. */
  #beside(model: StationModel, peer: Peer<InferenceMethods>): void {
    const recipe = this.#requests.get(model.projectId)?.recipe ?? null;
    void this.drift.watch(model, recipe, peer);
    this.shadow.resume(model.projectId, peer).catch(() => undefined);
  }

  /** What the process says of its runs. */
  readonly methods: Omit<StationMethods, 'scoring' | 'present' | 'told'> = {
    decide: (news) => this.#decide(news),
    feedFault: ({ projectId, fault }) => {
      this.#states.of(projectId).tell(fault, ownFaults);
      this.#states.tellNow(projectId);
    },
    feedIdle: ({ projectId }) => this.#states.tellSoon(projectId),
    driftValues: (news) => this.drift.take(news),
    shadowed: (news) => this.shadow.take(news),
    skipped: ({ projectId, frames }) => {
      this.#states.of(projectId).skippedFrames += frames;
      this.#states.tellSoon(projectId);
    },
    runEnded: ({ projectId, fault }) => this.#ended(projectId, fault),
  };

  #ended(projectId: string, fault: FeedFault | null): void {
    const run = this.#states.of(projectId);
    run.down();
    if (fault !== null) run.raise(fault);
    const request = this.#requests.get(projectId);
    this.#states.tellNow(projectId);
    if (request !== undefined) this.#startAgain(projectId, request, fault, firstRetryMs);
  }

  /** A run that ended by itself: what failed may be over in a while. It's tried until somebody stops it. */
  #startAgain(projectId: string, request: RunRequest, fault: FeedFault | null, delayMs: number): void {
    const run = this.#states.of(projectId);
    setTimeout(() => {
      const peer = this.#supervisor().current;
      // Stopped, or taken up by a new process, which does this itself.
      if (this.#requests.get(projectId) !== request || peer === undefined || run.isUp) return;
      this.#startRun(projectId, peer).then(
        () => {
          if (fault !== null) run.clear(fault.code);
          this.#states.tellNow(projectId);
        },
        (error: unknown) => {
          if (error instanceof UserError && error.code === 'processStopped') return;
          run.clear('modelUnusable');
          run.raise(modelFault(this.#context, projectId, error));
          this.#states.tellNow(projectId);
          this.#startAgain(projectId, request, fault, Math.min(2 * delayMs, longestRetryMs));
        },
      );
    }, delayMs).unref();
  }

  /** The process is gone; it is being started again. */
  wentDown(reason: string): void {
    for (const projectId of this.#requests.keys()) {
      const run = this.#states.of(projectId);
      run.down();
      const message = `The judging process stopped (${reason}); it is being started again.`;
      run.raise({
        code: 'inferenceDown',
        message,
        remedy: 'Parts in its midst are judged again, or have no decision.',
      });
      this.#states.tellNow(projectId);
    }
  }

  #decide(news: DecidedNews): DecidedAnswer {
    const { projectId } = news;
    const answer = this.#records.decide({ ...news, drift: this.drift.standing(projectId) });
    this.shadow.timed(projectId, news.latencyMs);
    const isRecovering = this.#requests.get(projectId)?.recovering === true;
    if (isRecovering && !this.#context.store.parts.hasUndecided(projectId)) {
      setTimeout(() => void this.#onRecovered(projectId).catch(() => undefined), 0);
    }
    return answer;
  }

  #lineTimes(projectId: string): LineTimes {
    const recipe = this.#requests.get(projectId)?.recipe;
    const { latencyMs } = this.#states.show(projectId);
    return { latencyMs, cycleTimeMs: recipe?.cycleTimeMs ?? null };
  }

  #use(model: StationModel): ModelUse {
    return modelUse(this.#context, model, this.#threads);
  }
}
