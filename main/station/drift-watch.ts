import { UserError } from '../../shared/errors.ts';
import { cameraAlarm, changedSettings, watchedSettings } from '../../shared/drift/camera-settings.ts';
import { defaultDriftSettings, DriftGuard } from '../../shared/drift/guard.ts';
import { driftStreams, type DriftAlarm, type DriftBaseline } from '../../shared/drift/types.ts';
import type { StationDrift } from '../../shared/ipc/drift.ts';
import type { PartDrift, Recipe, StationModel } from '../../shared/station/domain.ts';
import type { Caller, HandlersOf } from '../ipc/handler.ts';
import type { InferenceMethods, StationMethods } from '../processes/inference-protocol.ts';
import type { Peer } from '../processes/rpc.ts';
import type { GuardRow, PartValues } from '../store/drift.ts';
import { systemCaller } from '../store/types.ts';
import { record } from './audit-trail.ts';
import type { StationContext } from './context.ts';
import { baselineFor, scoredOf } from './drift-pictures.ts';
import { becauseWords, bodyOf, lookOf, noticeId } from './drift-words.ts';

const flushEveryMs = 1000;
/** Parts after an alarm during which the guard may still find a better name for its cause. */
const secondThoughts = 10;

/** A guard at work. */
interface Watched {
  modelHash: string;
  baseline: DriftBaseline;
  guard: DriftGuard;
  /** Numbers it has taken that the database has not. */
  unwritten: PartValues[];
}

/**
 * Says when the stream of a project no longer is what its model was calibrated on, and that the calibration doesn't
 * cover it. It never stops the line. What it knows lies in the database: it goes on where it was after a restart of any
 * process, until a person acknowledges an alarm, or model, recipe or baseline are new ones.
 */
export class DriftWatch {
  readonly #context: StationContext;
  readonly #watched = new Map<string, Watched>();
  readonly #beingMade = new Map<string, Promise<DriftBaseline | null>>();
  readonly #standing = new Map<string, PartDrift | null>();
  readonly #timer: NodeJS.Timeout;

  constructor(context: StationContext) {
    this.#context = context;
    this.#timer = setInterval(() => this.#flush(), flushEveryMs);
    this.#timer.unref();
  }

  readonly handlers: HandlersOf<'drift'> = {
    'drift.state': ({ projectId }) => this.#state(projectId),
    'drift.history': ({ projectId }) => this.#context.store.drift.alarms(projectId),
    'drift.acknowledge': ({ projectId, alarmId, reason }, caller) =>
      this.#acknowledge(projectId, alarmId, reason, caller),
    'drift.cameraSettings': ({ projectId, settings }) => {
      this.#cameraSettings(projectId, settings);
      return {};
    },
  };

  /** Has the process measure a run of this model, as soon as its baseline is there. Never rejects. */
  async watch(model: StationModel, recipe: Recipe | null, peer: Peer<InferenceMethods>): Promise<void> {
    const { projectId } = model;
    this.#begin(model, recipe);
    try {
      const baseline = await this.#baseline(model, peer);
      if (baseline === null) return;
      this.#goOn(model, baseline);
      await peer.call('watchDrift', { projectId, baseline });
    } catch {
      // The process or the run ended meanwhile: the next one asks again.
    }
  }

  /** What is noted with a part that is judged now; null: the calibration covers it. */
  standing(projectId: string): PartDrift | null {
    let standing = this.#standing.get(projectId);
    if (standing === undefined) {
      const alarm = this.#context.store.drift.standing(projectId);
      standing = alarm === null ? null : { alarmId: alarm.id, cause: alarm.cause };
      this.#standing.set(projectId, standing);
    }
    return standing;
  }

  /** Takes a judged part. */
  take({ projectId, modelHash, ...part }: Parameters<StationMethods['driftValues']>[0]): void {
    const watched = this.#watched.get(projectId);
    if (watched?.modelHash !== modelHash) return;
    const { guard, unwritten } = watched;
    const { alarm, parts } = guard.observeValues(part.className, part.values, part.at);
    unwritten.push(part);
    const standing = this.standing(projectId);
    if (alarm !== null && standing === null) this.#raise(projectId, alarm);
    else if (alarm !== null && parts === alarm.foundAtPart + secondThoughts) this.#rename(projectId, alarm);
    else if (parts % defaultDriftSettings.partsPerShift === 0 && this.#flush()) {
      // A new shift's ranks and bets begin with the good parts alone.
      this.#context.store.drift.clearValues(projectId);
    }
  }

  close(): void {
    clearInterval(this.#timer);
    this.#flush();
  }

  /** What was known of another model or recipe doesn't hold for this one. */
  #begin(model: StationModel, recipe: Recipe | null): void {
    const { store } = this.#context;
    const known = store.drift.guard(model.projectId);
    const what = recipe === null ? (known?.recipe ?? '') : lookOf(recipe);
    if (known === null) this.#afresh(model, what, 'first');
    else if (known.modelHash !== model.modelHash) this.#afresh(model, what, 'newModel');
    else if (known.recipe !== what && known.recipe !== '') this.#afresh(model, what, 'newRecipe');
    else if (known.recipe !== what) store.drift.setGuard(model.projectId, { ...known, recipe: what });
  }

  #afresh(model: Pick<StationModel, 'projectId' | 'id' | 'modelHash'>, recipe: string, because: GuardRow['because']) {
    const { store, now } = this.#context;
    const { projectId, id: modelId, modelHash } = model;
    const at = now();
    const standing = store.drift.standing(projectId);
    store.transaction(() => {
      if (because !== 'first') {
        if (standing !== null) {
          store.drift.endAlarm(standing.id, { how: because, by: systemCaller.name, at, reason: becauseWords[because] });
        }
        record(this.#context, systemCaller, 'drift.restarted', modelHash, {
          projectId,
          because,
          endedAlarm: standing?.id ?? null,
        });
      }
      store.drift.clearValues(projectId);
      const row = { modelId, modelHash, recipe, baselineAt: '', begunAt: at, because, camera: null, cameraSeen: null };
      store.drift.setGuard(projectId, row);
      store.notices.clear(noticeId(projectId));
    });
    this.#watched.delete(projectId);
    this.#changed(projectId);
  }

  /** The guard takes the numbers again that it had taken before, and is where it was. */
  #goOn(model: StationModel, baseline: DriftBaseline): void {
    const { store } = this.#context;
    const { projectId, modelHash } = model;
    const row = store.drift.guard(projectId);
    if (row?.modelHash !== modelHash) return;
    const watched = this.#watched.get(projectId);
    if (watched?.baseline.createdAt === baseline.createdAt) return;
    if (row.baselineAt !== '' && row.baselineAt !== baseline.createdAt) this.#afresh(model, row.recipe, 'newBaseline');
    const now = store.drift.guard(projectId)!;
    if (now.baselineAt === '') store.drift.setGuard(projectId, { ...now, baselineAt: baseline.createdAt });
    const guard = new DriftGuard(baseline);
    for (const { className, values, at } of store.drift.values(projectId)) guard.observeValues(className, values, at);
    this.#watched.set(projectId, { modelHash, baseline, guard, unwritten: [] });
    this.#changed(projectId);
  }

  #raise(projectId: string, alarm: DriftAlarm): void {
    const { store, emit, now } = this.#context;
    const row = store.drift.guard(projectId);
    if (row === null) return;
    const body = bodyOf(alarm);
    const name = store.projects.get(projectId).name;
    const notice = { id: noticeId(projectId), level: 'fault' as const, message: `${name}: ${body.message}` };
    const alarmId = store.transaction(() => {
      this.#write(projectId);
      const id = store.drift.addAlarm(projectId, row.modelId, now(), body);
      record(this.#context, systemCaller, 'drift.alarm', row.modelHash, { projectId, alarmId: id, ...body });
      store.notices.set({ ...notice, at: now() });
      return id;
    });
    this.#standing.set(projectId, { alarmId, cause: alarm.cause });
    emit({ type: 'notice', ...notice });
    emit({ type: 'drift', projectId });
  }

  #rename(projectId: string, alarm: DriftAlarm): void {
    const { store } = this.#context;
    const standing = this.standing(projectId);
    const alarmId = standing?.alarmId ?? null;
    if (standing === null || alarmId === null || standing.cause === alarm.cause || standing.cause === 'camera') return;
    const row = store.drift.guard(projectId);
    const body = bodyOf(alarm);
    const name = store.projects.get(projectId).name;
    const notice = { id: noticeId(projectId), level: 'fault' as const, message: `${name}: ${body.message}` };
    store.transaction(() => {
      store.drift.renameAlarm(alarmId, body);
      const details = { projectId, alarmId, ...body };
      record(this.#context, systemCaller, 'drift.alarm', row?.modelHash ?? projectId, details);
      store.notices.set({ ...notice, at: this.#context.now() });
    });
    this.#standing.set(projectId, { alarmId, cause: alarm.cause });
    this.#context.emit({ type: 'notice', ...notice });
    this.#context.emit({ type: 'drift', projectId });
  }

  #acknowledge(projectId: string, alarmId: number, reason: string, caller: Caller): StationDrift {
    const { store, now } = this.#context;
    const standing = store.drift.standing(projectId);
    const row = store.drift.guard(projectId);
    if (standing?.id !== alarmId || row === null) {
      throw new UserError('driftAlarmOver', 'This alarm no longer stands.', 'Look at the newest one.');
    }
    const at = now();
    const camera = row.cameraSeen ?? row.camera;
    store.transaction(() => {
      store.drift.endAlarm(alarmId, { how: 'acknowledged', by: caller.name, at, reason });
      store.drift.clearValues(projectId);
      store.drift.setGuard(projectId, { ...row, begunAt: at, because: 'acknowledged', camera });
      record(this.#context, caller, 'drift.acknowledged', row.modelHash, {
        projectId,
        alarmId,
        cause: standing.cause,
        reason,
        ...(camera !== null && { camera }),
      });
      store.notices.clear(noticeId(projectId));
    });
    const watched = this.#watched.get(projectId);
    if (watched !== undefined) {
      watched.unwritten = [];
      watched.guard = new DriftGuard(watched.baseline);
    }
    this.#changed(projectId);
    return this.#state(projectId);
  }

  #cameraSettings(projectId: string, settings: Readonly<Record<string, unknown>>): void {
    const { store, now } = this.#context;
    const row = store.drift.guard(projectId);
    const seen = watchedSettings(settings);
    if (row === null || Object.keys(seen).length === 0) return;
    if (JSON.stringify(row.cameraSeen) !== JSON.stringify(seen)) {
      store.drift.setGuard(projectId, { ...row, camera: row.camera ?? seen, cameraSeen: seen });
    }
    const changes = row.camera === null ? [] : changedSettings(row.camera, seen);
    if (changes.length === 0 || this.standing(projectId) !== null) return;
    this.#raise(projectId, cameraAlarm(changes, this.#watched.get(projectId)?.guard.state().parts ?? 1, now()));
  }

  #state(projectId: string): StationDrift {
    const { store } = this.#context;
    const watched = this.#watched.get(projectId);
    const row = store.drift.guard(projectId);
    const state = watched?.guard.state();
    const classes = watched?.baseline.classes ?? [];
    return {
      projectId,
      watching: watched !== undefined,
      goodPictures: classes.reduce((sum, { count }) => sum + count, 0),
      scoredPictures: watched === undefined ? 0 : scoredOf(watched.baseline),
      parts: state?.parts ?? 0,
      begunAt: row?.begunAt ?? null,
      begunBecause: row?.because ?? 'first',
      evidence: state?.evidence ?? 0,
      streams: driftStreams.map((stream, i) => ({
        stream,
        evidence: state?.streams[i]?.evidence ?? 0,
        recentDeviation: state?.streams[i]?.recentDeviation ?? 0,
        watched: classes.some(({ streams }) => streams[stream] !== null),
      })),
      alarm: store.drift.standing(projectId),
    };
  }

  #changed(projectId: string): void {
    this.#standing.delete(projectId);
    this.#context.emit({ type: 'drift', projectId });
  }

  #baseline(model: StationModel, peer: Peer<InferenceMethods>): Promise<DriftBaseline | null> {
    const going = this.#beingMade.get(model.id);
    if (going !== undefined) return going;
    const made = baselineFor(this.#context, model, peer).finally(() => this.#beingMade.delete(model.id));
    this.#beingMade.set(model.id, made);
    return made;
  }

  /** @returns whether all is written */
  #flush(): boolean {
    try {
      for (const projectId of this.#watched.keys()) this.#write(projectId);
      return true;
    } catch {
      // A full disk: it's tried again.
      return false;
    }
  }

  #write(projectId: string): void {
    const watched = this.#watched.get(projectId);
    if (watched === undefined || watched.unwritten.length === 0) return;
    this.#context.store.drift.addValues(projectId, watched.unwritten);
    watched.unwritten = [];
  }
}
