import { availableParallelism } from 'node:os';
import { classLimitOf } from '../../shared/calibration/unknown-limit.ts';
import { UserError } from '../../shared/errors.ts';
import type { FeedState } from '../../shared/ipc/inspection.ts';
import type { Recipe, StationModel } from '../../shared/station/domain.ts';
import type { HandlersOf } from '../ipc/handler.ts';
import type { RecipeGeometry } from '../feeds/recipe-geometry.ts';
import { listParts } from '../inspection/picture-files.ts';
import type { ProcessHost } from '../processes/child.ts';
import type {
  DecidedAnswer,
  DecidedNews,
  FeedFault,
  InferenceMethods,
  ModelUse,
  ScoredPicture,
  StationMethods,
} from '../processes/inference-protocol.ts';
import { faultOf } from '../processes/fault.ts';
import { processEntry } from '../processes/process-entry.ts';
import type { Peer } from '../processes/rpc.ts';
import { Supervisor, type SupervisorTimes } from '../processes/supervisor.ts';
import { partitionThreads } from '../processes/threads.ts';
import type { StationContext } from './context.ts';
import { DriftWatch } from './drift-watch.ts';
import { FeedStates } from './feed-states.ts';
import { modelGeometry } from './model-geometry.ts';
import { overrideNote } from './model-gates.ts';
import { ModelWatch } from './model-watch.ts';
import { PartRecords } from './part-records.ts';
import { readSettings } from './settings.ts';
import { ShadowMode } from './shadow.ts';

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

/** Feeds of all projects: what runs, how it is, and the durable record of every part. */
export class FeedService {
  readonly #context: StationContext;
  readonly #parts: FeedParts;
  readonly #states: FeedStates;
  readonly #records: PartRecords;
  readonly #watch: ModelWatch;
  readonly #drift: DriftWatch;
  readonly shadow: ShadowMode;
  readonly #requests = new Map<string, RunRequest>();
  readonly #live = new Set<string>();
  readonly #onScoring = new Map<string, (done: number, total: number) => void>();
  readonly supervisor: Supervisor<InferenceMethods>;
  #engine = '';

  constructor(context: StationContext, parts: FeedParts) {
    this.#context = context;
    this.#parts = parts;
    this.#states = new FeedStates(context);
    this.#records = new PartRecords(context, this.#states);
    this.#drift = new DriftWatch(context);
    const use = (model: StationModel): ModelUse => this.#use(model);
    this.shadow = new ShadowMode(context, use, () => this.supervisor.current);
    this.#watch = new ModelWatch(context, () => this.#modelsInUse());
    this.supervisor = new Supervisor<InferenceMethods>({
      name: 'inference',
      host: parts.host,
      entry: parts.entry ?? (() => processEntry('inference')),
      local: this.#stationMethods(),
      ...(parts.times !== undefined && { times: parts.times }),
      onUp: (peer) => this.#takeUp(peer),
      onDown: (reason) => this.#wentDown(reason),
    });
  }

  readonly handlers: HandlersOf<'feed'> = {
    'feed.start': ({ recipeId }) => this.start(this.#context.store.recipes.get(recipeId)),
    'feed.stop': ({ projectId }) => this.stop(projectId),
    'feed.state': ({ projectId }) => this.state(projectId),
    'feed.acknowledge': ({ projectId }) => {
      this.#states.of(projectId).acknowledge();
      return this.#states.tellNow(projectId);
    },
    'feed.setLot': ({ projectId, lot }) => {
      this.#states.of(projectId).lot = lot;
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
      await listParts(paths);
      if (!this.#states.of(projectId).wanted) {
        await this.#begin(projectId, this.#context.store.recipes.list(projectId)[0] ?? null, false);
      }
      return (await this.supervisor.peer()).call('judgeFiles', { projectId, paths });
    },
  };

  /** What the system's status says of the process. */
  status(): { state: string; restarts: number; engine: string; threads: number } {
    const { state, restarts } = this.supervisor.status;
    return { state, restarts, engine: this.#engine, threads: this.#threads() };
  }

  state(projectId: string): FeedState {
    this.#context.store.projects.get(projectId);
    return this.#states.show(projectId);
  }

  /** @throws UserError `noModel`, or why the model can't be opened */
  async start(recipe: Recipe): Promise<FeedState> {
    return this.#begin(recipe.projectId, recipe, true);
  }

  async stop(projectId: string): Promise<FeedState> {
    this.#requests.delete(projectId);
    const run = this.#states.of(projectId);
    run.wanted = false;
    await this.supervisor.current?.call('stopRun', { projectId }).catch(() => undefined);
    run.end(true);
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
      if (!known || store.parts.undecided(projectId).length === 0) continue;
      this.#begin(projectId, store.recipes.list(projectId)[0] ?? null, false, true).catch(() => {
        this.#records.giveUp(
          projectId,
          'The station stopped before it was judged, and the model can not be opened.',
          true,
        );
      });
    }
  }

  /** To be called when another model, or other thresholds, hold for a project: its feed goes on with them. */
  async modelChanged(projectId: string): Promise<void> {
    const run = this.#states.of(projectId);
    const model = this.#context.store.models.active(projectId);
    if (!run.wanted || model === null) return;
    const peer = this.supervisor.current;
    // Down: it opens the active model when it's up again.
    if (peer === undefined) return;
    try {
      run.up(await peer.call('useModel', { projectId, model: this.#use(model) }));
      this.#drift.begin(projectId);
      this.#beside(model, peer);
    } catch (error) {
      // The model before goes on judging; nobody may believe that it was replaced.
      run.raise({ ...faultOf(error), code: 'modelUnusable' });
    }
    this.#states.tellNow(projectId);
  }

  /** Scores pictures with a model of the project, beside all feeds. @throws UserError as `openDetector` */
  score(
    model: StationModel,
    pictures: readonly { sha256: string; path: string }[],
    onProgress?: (done: number, total: number) => void,
  ): Promise<ScoredPicture[]> {
    return this.scoreWith(this.#use(model), modelGeometry(this.#context, model), pictures, onProgress);
  }

  /** The same with a package that is no model of the project yet. */
  async scoreWith(
    model: Pick<ModelUse, 'modelId' | 'path' | 'modelHash' | 'thresholds'>,
    geometry: RecipeGeometry,
    pictures: readonly { sha256: string; path: string }[],
    onProgress: (done: number, total: number) => void = () => undefined,
  ): Promise<ScoredPicture[]> {
    if (pictures.length === 0) return [];
    this.#onScoring.set(model.modelId, onProgress);
    try {
      const peer = await this.supervisor.peer();
      return await peer.call('score', {
        model: { ...model, engine: readSettings(this.#context).engine, threads: this.#threads() },
        geometry,
        pictures: pictures.map(({ sha256, path }) => ({ sha256, path })),
      });
    } finally {
      this.#onScoring.delete(model.modelId);
    }
  }

  /** Whoever waits for the scores of this model gets the error `cancelled`. */
  async cancelScoring(modelId: string): Promise<void> {
    await this.supervisor.current?.call('cancelScoring', { modelId });
  }

  async close(): Promise<void> {
    this.#watch.close();
    this.#states.close();
    this.#requests.clear();
    await this.supervisor.stop();
    this.#records.close();
  }

  async #begin(projectId: string, recipe: Recipe | null, withFeed: boolean, recovering = false): Promise<FeedState> {
    const run = this.#states.of(projectId);
    const model = this.#context.store.models.active(projectId);
    if (model === null) {
      throw new UserError('noModel', 'The project has no active model: nothing can be judged.', 'Train one.');
    }
    const request: RunRequest = { recipe, withFeed, recovering, starting: true };
    this.#requests.set(projectId, request);
    this.#drift.begin(projectId);
    run.begin(withFeed ? (recipe?.id ?? null) : null, model.id, recipe?.lot ?? '');
    this.#states.tellNow(projectId);
    try {
      await this.#startRun(projectId, await this.supervisor.peer());
    } catch (error) {
      // The process died under it: it's started again, and takes the run up.
      if (error instanceof UserError && error.code === 'processStopped') return this.#states.tellNow(projectId);
      this.#requests.delete(projectId);
      run.end(false);
      run.raise({ ...faultOf(error), code: 'modelUnusable' });
      this.#states.tellNow(projectId);
      throw error;
    } finally {
      request.starting = false;
    }
    return this.#states.tellNow(projectId);
  }

  async #takeUp(peer: Peer<InferenceMethods>): Promise<void> {
    await peer.call('configure', { folder: this.#context.folder });
    for (const projectId of this.#live) this.#openLive(projectId, peer);
    for (const [projectId, { starting }] of [...this.#requests]) {
      if (starting) continue;
      try {
        await this.#startRun(projectId, peer);
      } catch (error) {
        if (error instanceof UserError && error.code === 'processStopped') throw error;
        this.#states.of(projectId).raise({ ...faultOf(error), code: 'modelUnusable' });
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
    void this.#drift.watch(model, peer);
    this.shadow.resume(model.projectId, peer).catch(() => undefined);
  }

  #stationMethods(): { [K in keyof StationMethods]: StationMethods[K] } {
    return {
      present: (news) => this.#records.present(news),
      decide: (news) => this.#decide(news),
      told: ({ partId }) => this.#records.told(partId),
      feedFault: ({ projectId, fault }) => {
        this.#states.of(projectId).tell(fault, ownFaults);
        this.#states.tellNow(projectId);
      },
      feedIdle: ({ projectId }) => this.#states.tellSoon(projectId),
      drift: ({ projectId, modelId, alarm }) => this.#drift.alarm(projectId, modelId, alarm),
      shadowed: (news) => this.shadow.take(news),
      skipped: ({ projectId, frames }) => {
        this.#states.of(projectId).skippedFrames += frames;
        this.#states.tellSoon(projectId);
      },
      runEnded: ({ projectId, fault }) => this.#ended(projectId, fault),
      scoring: ({ modelId, done, total }) => this.#onScoring.get(modelId)?.(done, total),
    };
  }

  #decide(news: DecidedNews): DecidedAnswer {
    const answer = this.#records.decide(news);
    const { projectId } = news;
    const isRecovering = this.#requests.get(projectId)?.recovering === true;
    if (isRecovering && this.#context.store.parts.undecided(projectId).length === 0) {
      setTimeout(() => void this.stop(projectId).catch(() => undefined), 0);
    }
    return answer;
  }

  *#modelsInUse(): Generator<string> {
    for (const { wanted, modelId } of this.#states.all()) if (wanted && modelId !== null) yield modelId;
  }

  #ended(projectId: string, fault: FeedFault | null): void {
    const run = this.#states.of(projectId);
    run.down();
    if (fault !== null) run.raise(fault);
    const request = this.#requests.get(projectId);
    this.#states.tellNow(projectId);
    if (request === undefined) return;
    // It ended by itself: what failed may be over by then.
    setTimeout(() => {
      const peer = this.supervisor.current;
      if (this.#requests.get(projectId) !== request || peer === undefined) return;
      this.#startRun(projectId, peer).then(
        () => {
          if (fault !== null) run.clear(fault.code);
          this.#states.tellNow(projectId);
        },
        () => undefined,
      );
    }, 2000).unref();
  }

  #wentDown(reason: string): void {
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

  #openLive(projectId: string, peer: Peer<InferenceMethods>): void {
    const port = this.#parts.openLivePort?.(projectId);
    if (port !== undefined) peer.tell('openLive', { projectId }, [port]);
  }

  #use(model: StationModel): ModelUse {
    const { store } = this.#context;
    const changed = store.models.thresholdHistory(model.id).length > 0;
    const unknownClass = classLimitOf(model.unknownClass);
    return {
      modelId: model.id,
      path: store.models.path(model.id),
      modelHash: model.modelHash,
      thresholds: changed ? model.thresholds : null,
      ...(unknownClass !== undefined && { unknownClass }),
      ...(model.override && { note: overrideNote(model.version, model.override) }),
      engine: readSettings(this.#context).engine,
      threads: this.#threads(),
    };
  }

  #threads(): number {
    return partitionThreads(this.#parts.cores ?? availableParallelism()).inference;
  }
}
