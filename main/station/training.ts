import { availableParallelism } from 'node:os';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { UserError } from '../../shared/errors.ts';
import type { TrainingState } from '../../shared/ipc/training.ts';
import type { Caller, HandlersOf } from '../ipc/handler.ts';
import type { ProcessHost } from '../processes/child.ts';
import { faultOf } from '../processes/fault.ts';
import { processEntry } from '../processes/process-entry.ts';
import { Supervisor, type SupervisorTimes } from '../processes/supervisor.ts';
import type { EngineReport, TrainingMethods } from '../processes/training-protocol.ts';
import { newId } from '../store/files.ts';
import { systemCaller } from '../store/types.ts';
import type { TrainingRequest, TrainingSummary } from '../training/request.ts';
import { record } from './audit-trail.ts';
import type { StationContext } from './context.ts';
import { finishedAuroc } from './golden.ts';
import { projectGeometry } from './model-geometry.ts';
import type { ModelService } from './models.ts';
import { freezeNormalSet, watchedPictures, writeTrainingList } from './training-data.ts';
import { planTraining } from './training-plan.ts';
import { freshState, keep, readKept, trainingRequestOf, type KeptRun } from './training-request.ts';
import { estimatePhases, learnRates } from './training-rates.ts';
import { TrainingRun } from './training-run.ts';

export interface TrainingParts {
  host: ProcessHost;
  models: Pick<ModelService, 'add' | 'activate'>;
  entry?: () => Promise<URL>;
  cores?: number;
  times?: Partial<SupervisorTimes>;
  /** Steps of the students instead of the preset's: for tests. */
  steps?: number;
}

const tellEveryMs = 200;
/** A cancelled run that has not ended by then is killed. */
const cancelGraceMs = 1500;
const mostRestarts = 5;

/** Training runs, one at a time for the whole station, in a process of their own. */
export class TrainingService {
  readonly #context: StationContext;
  readonly #parts: TrainingParts;
  readonly supervisor: Supervisor<TrainingMethods>;
  #run: TrainingRun | undefined;
  #cancelling = new AbortController();
  #ended: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;
  #engines: Promise<EngineReport[]> | undefined;
  #closing = false;

  constructor(context: StationContext, parts: TrainingParts) {
    this.#context = context;
    this.#parts = parts;
    this.supervisor = new Supervisor<TrainingMethods>({
      name: 'training',
      host: parts.host,
      entry: parts.entry ?? (() => processEntry('training')),
      // Long computations answer late; a hang is minutes.
      times: { hangMs: 180_000, ...parts.times },
      local: {
        event: (event: Parameters<TrainingRun['hear']>[0]) => {
          this.#run?.hear(event);
          this.#tellSoon();
        },
      },
    });
  }

  readonly handlers: HandlersOf<'training'> = {
    'training.plan': async ({ projectId }) => {
      const engines = await this.engines().catch(() => []);
      return planTraining(this.#context, projectId, engines, this.#isBusy());
    },
    'training.start': (request, caller) => this.start(request, caller),
    'training.pause': ({ id, paused }) => this.#pause(id, paused),
    'training.cancel': async ({ id }) => {
      await this.#cancel(id);
      return {};
    },
    'training.current': ({ projectId }) => this.current(projectId),
  };

  /** What the system's status says of the process. */
  status(): { state: string; restarts: number } {
    const { state, restarts } = this.supervisor.status;
    return { state, restarts };
  }

  /** Execution providers of this machine; tried once. */
  engines(): Promise<EngineReport[]> {
    this.#engines ??= this.#tryEngines().catch((error: unknown) => {
      this.#engines = undefined;
      throw error;
    });
    return this.#engines;
  }

  async #tryEngines(): Promise<EngineReport[]> {
    const reports = await (await this.supervisor.peer()).call('engines', {});
    if (!this.#isBusy()) await this.supervisor.stop(300);
    return reports;
  }

  /** The run that is going on, or the project's last one. */
  current(projectId: string): TrainingState | null {
    if (this.#run?.state.projectId === projectId) return structuredClone(this.#run.state);
    return this.#context.store.models.latestRun(projectId);
  }

  /** Settles when the run that is going on has ended, however. */
  get ended(): Promise<void> {
    return this.#ended;
  }

  /**
   * @param shots learns from this many pictures per class only: for a first model that must not be waited for
   * @throws UserError `trainingBusy`, `noNormalPictures`
   */
  start(request: TrainingState['request'], caller: Caller, shots?: number): TrainingState {
    const { store, now } = this.#context;
    this.#refuseSecond();
    store.projects.get(request.projectId);
    const { snapshot, pictures } = freezeNormalSet(this.#context, request.projectId, caller.name);
    const isInstant = request.preset === 'instant';
    const found = watchedPictures(this.#context, request.projectId, pictures);
    const off = found.off ?? (shots !== undefined ? 'firstModel' : isInstant ? 'noStudents' : null);
    const watched = off === null ? found.pictures : [];
    const state = freshState(newId(), request, now(), off);
    const run = this.#take(state, pictures.length);
    record(this.#context, caller, 'training.started', snapshot.hash, {
      projectId: request.projectId,
      preset: request.preset,
      engine: request.engine,
      seed: request.seed,
      pictures: pictures.length,
    });
    const geometry = projectGeometry(this.#context, request.projectId);
    const folder = this.#folder(state.id);
    this.#ended = this.#lead(run, async () => {
      const list = await writeTrainingList(folder, pictures, geometry, this.#cancelling.signal, watched);
      const kept: KeptRun = {
        request: {
          ...trainingRequestOf(this.#context, request, {
            list,
            folder,
            cores: this.#cores(),
            steps: this.#parts.steps,
          }),
          watch: watched.length > 0,
          ...(shots !== undefined && { shots }),
        },
        snapshotId: snapshot.id,
        by: caller.name,
        pictures: pictures.length,
        geometry,
      };
      await keep(folder, kept);
      return kept;
    });
    return structuredClone(state);
  }

  /** Goes on with a run that the end of the whole station cut short. Call once, at start. */
  async recover(): Promise<void> {
    const { store } = this.#context;
    for (const { id: projectId } of store.projects.list()) {
      const state = store.models.latestRun(projectId);
      if (state === null || !['running', 'paused', 'cancelling'].includes(state.state)) continue;
      const kept = await readKept(this.#folder(state.id));
      if (kept === undefined || state.state === 'cancelling' || this.#isBusy()) {
        state.state = state.state === 'cancelling' ? 'cancelled' : 'failed';
        state.error = { message: 'The station was stopped in its midst.', remedy: 'Start it again.' };
        store.models.saveRun(state);
        continue;
      }
      state.state = 'running';
      const run = this.#take(state, kept.pictures);
      run.log('info', 'The station was started again: going on from the last checkpoint.');
      this.#ended = this.#lead(run, () => Promise.resolve({ ...kept, request: { ...kept.request, resume: true } }));
    }
  }

  async close(): Promise<void> {
    this.#closing = true;
    clearTimeout(this.#timer);
    await this.supervisor.stop(300);
    await this.#ended;
  }

  /** Sees a run through to its end, over restarts of the process. Never rejects. */
  async #lead(run: TrainingRun, prepare: () => Promise<KeptRun>): Promise<void> {
    const { state } = run;
    this.#tellNow();
    try {
      const kept = await prepare();
      const summary = await this.#train(run, kept.request);
      state.message = 'Judging the golden set';
      this.#tellNow();
      learnRates(this.#context, state.request.preset, kept.pictures, summary.phases);
      const model = await this.#parts.models.add(
        state.projectId,
        summary.modelPath,
        {
          snapshotId: kept.snapshotId,
          createdBy: kept.by,
          trainingMs: summary.elapsedMs,
          geometry: kept.geometry,
          note: '',
        },
        true,
      );
      state.modelId = model.id;
      run.finished(finishedAuroc(this.#context, model));
      record(this.#context, systemCaller, 'training.finished', model.modelHash, {
        projectId: state.projectId,
        version: model.version,
        elapsedMs: Math.round(summary.elapsedMs),
      });
      run.log('info', `Model v${String(model.version)} is ready.`);
      if (state.request.activate) await this.#activate(run, model.id);
      state.state = 'finished';
      state.share = 1;
      state.remainingMs = 0;
      await rm(this.#folder(state.id), { recursive: true, force: true });
    } catch (error) {
      // The station ends; the run goes on when it starts again.
      if (this.#closing) return;
      await this.#failed(run, error);
    } finally {
      if (!this.#closing) {
        await this.supervisor.stop(300);
        this.#tellNow();
      }
    }
  }

  async #train(run: TrainingRun, request: TrainingRequest): Promise<TrainingSummary> {
    for (let attempt = 0; ; attempt++) {
      this.#cancelling.signal.throwIfAborted();
      try {
        const peer = await this.supervisor.peer();
        this.#cancelling.signal.throwIfAborted();
        return await peer.call('train', { ...request, resume: request.resume || attempt > 0 });
      } catch (error) {
        this.#cancelling.signal.throwIfAborted();
        const isStop = error instanceof UserError && error.code === 'processStopped';
        if (!isStop || this.#closing || attempt >= mostRestarts) throw error;
        run.log('warning', 'The training process stopped; it goes on from the last checkpoint.');
        if (run.state.state === 'paused') run.state.state = 'running';
        this.#tellNow();
      }
    }
  }

  async #activate(run: TrainingRun, modelId: string): Promise<void> {
    const { activated, gates } = await this.#parts.models.activate(modelId, systemCaller, null, null);
    if (activated) run.log('info', 'It passed all gates and judges from now on.');
    for (const { gate, passed, statement } of gates) {
      if (!passed) run.log('warning', `Gate "${gate}" refused it: ${statement}`);
    }
  }

  async #failed(run: TrainingRun, error: unknown): Promise<void> {
    const { state } = run;
    const isCancelled = this.#cancelling.signal.aborted;
    state.state = isCancelled ? 'cancelled' : 'failed';
    state.remainingMs = null;
    if (isCancelled) {
      run.log('info', 'Cancelled.');
      await rm(this.#folder(state.id), { recursive: true, force: true });
      return;
    }
    const { message, remedy } = faultOf(error);
    state.error = { message, remedy };
    run.log('error', message);
  }

  async #pause(id: string, paused: boolean): Promise<TrainingState> {
    const run = this.#running(id);
    if (run.state.state === (paused ? 'running' : 'paused')) {
      // Where the system can't hold a process still, the students' training waits at its next step.
      if (!paused) this.supervisor.resume();
      await this.supervisor.current?.call('pause', { paused });
      if (paused) this.supervisor.suspend();
      run.state.state = paused ? 'paused' : 'running';
      run.log('info', paused ? 'Paused.' : 'Going on.');
    }
    this.#tellNow();
    return structuredClone(run.state);
  }

  async #cancel(id: string): Promise<void> {
    const run = this.#running(id);
    run.state.state = 'cancelling';
    this.#tellNow();
    this.#cancelling.abort(new UserError('cancelled', 'The training was cancelled.'));
    this.supervisor.resume();
    void this.supervisor.current?.call('cancel', {}).catch(() => undefined);
    await Promise.race([this.#ended, pause(cancelGraceMs)]);
    await this.supervisor.stop(0);
    await this.#ended;
  }

  #running(id: string): TrainingRun {
    const run = this.#run;
    if (run?.state.id !== id || !this.#isBusy()) {
      throw new UserError('trainingOver', 'This training is not running (any more).', 'Load the page again.');
    }
    return run;
  }

  #isBusy(): boolean {
    return this.#run !== undefined && ['running', 'paused', 'cancelling'].includes(this.#run.state.state);
  }

  #refuseSecond(): void {
    if (!this.#isBusy()) return;
    throw new UserError('trainingBusy', 'A training is running already.', 'Wait for it, or cancel it first.');
  }

  #take(state: TrainingState, pictures: number): TrainingRun {
    const estimate = estimatePhases(this.#context, state.request.preset, pictures);
    this.#run = new TrainingRun(state, estimate, () => this.#context.now());
    this.#cancelling = new AbortController();
    return this.#run;
  }

  #cores(): number {
    return this.#parts.cores ?? availableParallelism();
  }

  #folder(id: string): string {
    return join(this.#context.folder, 'training', id);
  }

  #tellNow(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#run === undefined) return;
    const training = structuredClone(this.#run.state);
    try {
      this.#context.store.models.saveRun(training);
    } catch {
      // A full disk: the run goes on, only its course is not kept.
    }
    this.#context.emit({ type: 'training', training });
  }

  #tellSoon(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      if (this.#run !== undefined) {
        this.#context.emit({ type: 'training', training: structuredClone(this.#run.state) });
      }
    }, tellEveryMs);
  }
}
