import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { displayScore } from '../../shared/calibration/display-score.ts';
import { UserError } from '../../shared/errors.ts';
import type { FeedState } from '../../shared/ipc/inspection.ts';
import type { Recipe, StationCounters, StationModel } from '../../shared/station/domain.ts';
import type { HandlersOf } from '../ipc/handler.ts';
import type { RecipeGeometry } from '../feeds/recipe-geometry.ts';
import { listParts } from '../inspection/picture-files.ts';
import type { ProcessHost } from '../processes/child.ts';
import type {
  DecidedAnswer,
  DecidedNews,
  FeedFault,
  FeedRun,
  InferenceMethods,
  ModelUse,
  PresentedAnswer,
  PresentedNews,
  ScoredPicture,
  StationMethods,
} from '../processes/inference-protocol.ts';
import { processEntry } from '../processes/process-entry.ts';
import type { Peer } from '../processes/rpc.ts';
import { Supervisor, type SupervisorTimes } from '../processes/supervisor.ts';
import { partitionThreads } from '../processes/threads.ts';
import type { StationContext } from './context.ts';
import { modelGeometry } from './model-geometry.ts';
import { RunState } from './run-state.ts';
import { readSettings, shiftAt } from './settings.ts';

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

/** Between two words about a feed, unless its state changes. */
const tellEveryMs = 200;
const watchModelsEveryMs = 5000;
/** Faults that the station sets and clears itself; the others are the process's. */
const ownFaults = ['inferenceDown', 'modelUnusable'];

/** Feeds of all projects: what runs, how it is, and the durable record of every part. */
export class FeedService {
  readonly #context: StationContext;
  readonly #parts: FeedParts;
  readonly #runs = new Map<string, RunState>();
  readonly #requests = new Map<string, RunRequest>();
  readonly #live = new Set<string>();
  readonly #pendingTells = new Map<string, { timer: NodeJS.Timeout; dueMs: number }>();
  readonly #told = new Set<number>();
  readonly #onScoring = new Map<string, (done: number, total: number) => void>();
  readonly #missingModels = new Set<string>();
  readonly #timers: NodeJS.Timeout[] = [];
  readonly supervisor: Supervisor<InferenceMethods>;
  #engine = '';

  constructor(context: StationContext, parts: FeedParts) {
    this.#context = context;
    this.#parts = parts;
    this.supervisor = new Supervisor<InferenceMethods>({
      name: 'inference',
      host: parts.host,
      entry: parts.entry ?? (() => processEntry('inference')),
      local: this.#stationMethods(),
      ...(parts.times !== undefined && { times: parts.times }),
      onUp: (peer) => this.#takeUp(peer),
      onDown: (reason) => this.#wentDown(reason),
    });
    this.#timers.push(setInterval(() => this.#watchModels(), watchModelsEveryMs));
    this.#timers.push(setInterval(() => this.#writeTold(), 1000));
    for (const timer of this.#timers) timer.unref();
  }

  readonly handlers: HandlersOf<'feed'> = {
    'feed.start': ({ recipeId }) => this.start(this.#context.store.recipes.get(recipeId)),
    'feed.stop': ({ projectId }) => this.stop(projectId),
    'feed.state': ({ projectId }) => this.state(projectId),
    'feed.acknowledge': ({ projectId }) => {
      this.#run(projectId).acknowledge();
      return this.#tellNow(projectId);
    },
    'feed.setLot': ({ projectId, lot }) => {
      this.#run(projectId).lot = lot;
      void this.supervisor.current?.call('setLot', { projectId, lot }).catch(() => undefined);
      return this.#tellNow(projectId);
    },
    'feed.openLive': async ({ projectId }) => {
      this.#live.add(projectId);
      this.#openLive(projectId, await this.supervisor.peer());
      return {};
    },
    'feed.judgeFiles': async ({ projectId, paths }) => {
      await listParts(paths);
      if (!this.#run(projectId).wanted) {
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
    return this.#show(projectId);
  }

  /** @throws UserError `noModel`, or why the model can't be opened */
  async start(recipe: Recipe): Promise<FeedState> {
    return this.#begin(recipe.projectId, recipe, true);
  }

  async stop(projectId: string): Promise<FeedState> {
    this.#requests.delete(projectId);
    const run = this.#run(projectId);
    run.wanted = false;
    await this.supervisor.current?.call('stopRun', { projectId }).catch(() => undefined);
    run.end(true);
    this.#writeTold();
    return this.#tellNow(projectId);
  }

  /** Judges what a crash of the whole station left in its midst, or says that it can't be judged. Call once, at start. */
  recover(): void {
    const { store } = this.#context;
    const left = store.parts.undecided();
    for (const projectId of new Set(left.map((part) => part.projectId))) {
      const known = store.projects.find(projectId) !== null && store.models.active(projectId) !== null;
      this.#giveUp(projectId, 'The station stopped before it was judged.', !known);
      if (!known || store.parts.undecided(projectId).length === 0) continue;
      this.#begin(projectId, store.recipes.list(projectId)[0] ?? null, false, true).catch(() => {
        this.#giveUp(projectId, 'The station stopped before it was judged, and the model can not be opened.', true);
      });
    }
  }

  /** To be called when another model, or other thresholds, hold for a project: its feed goes on with them. */
  async modelChanged(projectId: string): Promise<void> {
    const run = this.#runs.get(projectId);
    const model = this.#context.store.models.active(projectId);
    if (run?.wanted !== true || model === null) return;
    const peer = this.supervisor.current;
    // Down: it opens the active model when it's up again.
    if (peer === undefined) return;
    try {
      run.up(await peer.call('useModel', { projectId, model: this.#use(model) }));
    } catch (error) {
      // The model before goes on judging; nobody may believe that it was replaced.
      run.raise({ ...faultOf(error), code: 'modelUnusable' });
    }
    this.#tellNow(projectId);
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

  async close(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    for (const { timer } of this.#pendingTells.values()) clearTimeout(timer);
    for (const run of this.#runs.values()) run.wanted = false;
    this.#requests.clear();
    await this.supervisor.stop();
    this.#writeTold();
  }

  async #begin(projectId: string, recipe: Recipe | null, withFeed: boolean, recovering = false): Promise<FeedState> {
    const run = this.#run(projectId);
    const model = this.#context.store.models.active(projectId);
    if (model === null) {
      throw new UserError('noModel', 'The project has no active model: nothing can be judged.', 'Train one.');
    }
    const request: RunRequest = { recipe, withFeed, recovering, starting: true };
    this.#requests.set(projectId, request);
    run.begin(withFeed ? (recipe?.id ?? null) : null, model.id, recipe?.lot ?? '');
    this.#tellNow(projectId);
    try {
      await this.#startRun(projectId, await this.supervisor.peer());
    } catch (error) {
      // The process died under it: it's started again, and takes the run up.
      if (error instanceof UserError && error.code === 'processStopped') return this.#tellNow(projectId);
      this.#requests.delete(projectId);
      run.end(false);
      run.raise({ ...faultOf(error), code: 'modelUnusable' });
      this.#tellNow(projectId);
      throw error;
    } finally {
      request.starting = false;
    }
    return this.#tellNow(projectId);
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
        this.#run(projectId).raise({ ...faultOf(error), code: 'modelUnusable' });
        this.#tellNow(projectId);
      }
    }
  }

  async #startRun(projectId: string, peer: Peer<InferenceMethods>): Promise<void> {
    const request = this.#requests.get(projectId);
    const run = this.#run(projectId);
    const { store } = this.#context;
    const model = store.models.active(projectId);
    if (request === undefined || model === null) return;
    this.#writeTold();
    this.#giveUp(projectId, 'The judging process stopped before it was judged.', false);
    const { recipe, withFeed } = request;
    const hasOutputs = recipe !== null && (recipe.outputFolder !== null || movesOriginals(recipe));
    const untold = hasOutputs ? store.parts.untold(projectId) : [];
    const opened = await peer.call('startRun', {
      projectId,
      recipe,
      withFeed,
      model: this.#use(model),
      lot: run.lot,
      pending: store.parts.undecided(projectId).flatMap(({ partId, path, source, recordKey }) => {
        return path === null || recordKey === null ? [] : [{ partId, path, source, recordKey }];
      }),
      knownFiles: recipe?.source.kind === 'folder' ? store.parts.seenFiles(projectId) : [],
      untold: untold.map((part) => ({
        part,
        picturePath: part.pictureSha256 === null ? null : store.pictures.path(part.pictureSha256),
      })),
    } satisfies FeedRun);
    this.#engine = opened.provider;
    run.up(opened);
    run.clear('inferenceDown');
    run.clear('modelUnusable');
    this.#tellNow(projectId);
  }

  #stationMethods(): { [K in keyof StationMethods]: StationMethods[K] } {
    return {
      present: (news) => this.#present(news),
      decide: (news) => this.#decide(news),
      told: ({ partId }) => void this.#told.add(partId),
      feedFault: ({ projectId, fault }) => {
        this.#run(projectId).tell(fault, ownFaults);
        this.#tellNow(projectId);
      },
      feedIdle: ({ projectId }) => this.#tellSoon(projectId),
      skipped: ({ projectId, frames }) => {
        this.#run(projectId).skippedFrames += frames;
        this.#tellSoon(projectId);
      },
      runEnded: ({ projectId, fault }) => this.#ended(projectId, fault),
      scoring: ({ modelId, done, total }) => this.#onScoring.get(modelId)?.(done, total),
    };
  }

  #present(news: PresentedNews): PresentedAnswer {
    const settings = readSettings(this.#context);
    const presentedAt = this.#context.now();
    const { partId, verdict, known } = this.#context.store.parts.present({
      ...news,
      station: settings.stationName,
      shift: shiftAt(settings, presentedAt),
      presentedAt,
    });
    if (verdict === null) this.#run(news.projectId).presented(partId, !known);
    this.#tellSoon(news.projectId);
    return { partId, verdict };
  }

  #decide(news: DecidedNews): DecidedAnswer {
    const { store } = this.#context;
    const { projectId, partId, picture, predScore, thresholds } = news;
    const run = this.#run(projectId);
    const before = store.parts.get(partId);
    // Its answer was lost with the process before; the verdict stands.
    if (before !== null && before.verdict !== null) return { part: before, counters: this.#counters(run) };
    const decidedAt = this.#context.now();
    const part = store.transaction(() => {
      if (picture !== null) {
        const { sha256, extension, widthPx, heightPx, bytes } = picture;
        store.pictures.register({ sha256, extension, widthPx, heightPx, byteCount: bytes }, decidedAt);
      }
      return store.parts.decide(partId, {
        ...news,
        decidedAt,
        displayScore: predScore === null || thresholds === null ? null : displayScore(predScore, thresholds),
        pictureSha256: picture?.sha256 ?? null,
      });
    });
    run.decided(partId, part.verdict ?? 'noDecision', news.latencyMs);
    this.#tellSoon(projectId);
    if (this.#requests.get(projectId)?.recovering === true && store.parts.undecided(projectId).length === 0) {
      setTimeout(() => void this.stop(projectId).catch(() => undefined), 0);
    }
    return { part, counters: this.#counters(run) };
  }

  /** Parts that can't be presented again get their record. @param all also those whose file could be read again */
  #giveUp(projectId: string, reason: string, all: boolean): void {
    const { store } = this.#context;
    for (const { partId, path, recordKey } of store.parts.undecided(projectId)) {
      if (!all && path !== null && recordKey !== null && existsSync(path)) continue;
      store.parts.decideNothing(partId, reason, this.#context.now());
      this.#run(projectId).decided(partId, 'noDecision', 0);
    }
  }

  #ended(projectId: string, fault: FeedFault | null): void {
    const run = this.#run(projectId);
    run.down();
    if (fault !== null) run.raise(fault);
    const request = this.#requests.get(projectId);
    this.#tellNow(projectId);
    if (request === undefined) return;
    // It ended by itself: what failed may be over by then.
    setTimeout(() => {
      const peer = this.supervisor.current;
      if (this.#requests.get(projectId) !== request || peer === undefined) return;
      this.#startRun(projectId, peer).then(
        () => {
          if (fault !== null) run.clear(fault.code);
          this.#tellNow(projectId);
        },
        () => undefined,
      );
    }, 2000).unref();
  }

  #wentDown(reason: string): void {
    for (const projectId of this.#requests.keys()) {
      const run = this.#run(projectId);
      run.down();
      const message = `The judging process stopped (${reason}); it is being started again.`;
      run.raise({
        code: 'inferenceDown',
        message,
        remedy: 'Parts in its midst are judged again, or have no decision.',
      });
      this.#tellNow(projectId);
    }
  }

  #openLive(projectId: string, peer: Peer<InferenceMethods>): void {
    const port = this.#parts.openLivePort?.(projectId);
    if (port !== undefined) peer.tell('openLive', { projectId }, [port]);
  }

  #use(model: StationModel): ModelUse {
    const { store } = this.#context;
    const changed = store.models.thresholdHistory(model.id).length > 0;
    return {
      modelId: model.id,
      path: store.models.path(model.id),
      modelHash: model.modelHash,
      thresholds: changed ? model.thresholds : null,
      engine: readSettings(this.#context).engine,
      threads: this.#threads(),
    };
  }

  #threads(): number {
    return partitionThreads(this.#parts.cores ?? availableParallelism()).inference;
  }

  /** A package that is gone keeps judging from memory; whoever stops the station must know. */
  #watchModels(): void {
    const { store } = this.#context;
    for (const run of this.#runs.values()) {
      if (!run.wanted || run.modelId === null) continue;
      const id = `model-file-${run.modelId}`;
      const isThere = existsSync(store.models.path(run.modelId));
      if (isThere === !this.#missingModels.has(id)) continue;
      if (isThere) {
        this.#missingModels.delete(id);
        store.notices.clear(id);
        continue;
      }
      this.#missingModels.add(id);
      const message =
        'The file of the active model was deleted. The station goes on judging with the copy in its memory, until it ' +
        'is stopped: train or import a model before that.';
      store.notices.set({ id, level: 'warning', message, at: this.#context.now() });
      this.#context.emit({ type: 'notice', id, message, level: 'warning' });
    }
  }

  #writeTold(): void {
    if (this.#told.size === 0) return;
    const { store } = this.#context;
    try {
      store.transaction(() => {
        for (const partId of this.#told) store.parts.told(partId);
      });
      this.#told.clear();
    } catch {
      // A full disk: it's tried again; at worst outputs hear of a part twice, which they know how to take.
    }
  }

  #run(projectId: string): RunState {
    let run = this.#runs.get(projectId);
    if (run === undefined) {
      run = new RunState(projectId, this.#context.now());
      this.#runs.set(projectId, run);
    }
    return run;
  }

  #counters(run: RunState): StationCounters {
    return { ...run.counters };
  }

  #show(projectId: string): FeedState {
    return this.#run(projectId).show(this.#context.now());
  }

  #tellNow(projectId: string): FeedState {
    clearTimeout(this.#pendingTells.get(projectId)?.timer);
    this.#pendingTells.delete(projectId);
    const feed = this.#show(projectId);
    this.#context.emit({ type: 'feed', feed });
    if (this.#run(projectId).isSettling) this.#tellSoon(projectId, 1500);
    return feed;
  }

  #tellSoon(projectId: string, afterMs = tellEveryMs): void {
    const dueMs = Date.now() + afterMs;
    const pending = this.#pendingTells.get(projectId);
    if (pending !== undefined && pending.dueMs <= dueMs) return;
    clearTimeout(pending?.timer);
    const timer = setTimeout(() => this.#tellNow(projectId), afterMs);
    timer.unref();
    this.#pendingTells.set(projectId, { timer, dueMs });
  }
}

function movesOriginals({ source }: Recipe): boolean {
  return source.kind === 'folder' && source.originals === 'move';
}

export function faultOf(error: unknown): FeedFault {
  if (!(error instanceof UserError)) {
    return { code: 'internal', message: error instanceof Error ? error.message : String(error), remedy: null };
  }
  const { code, message, remedy } = error;
  const what = remedy !== undefined && message.endsWith(remedy) ? message.slice(0, -remedy.length).trim() : message;
  return { code, message: what, remedy: remedy ?? null };
}
