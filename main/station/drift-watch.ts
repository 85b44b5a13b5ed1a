import { readFile } from 'node:fs/promises';
import { UserError } from '../../shared/errors.ts';
import { parseDriftBaseline } from '../../shared/drift/parse.ts';
import { alarmPhrase } from '../../shared/drift/phrases.ts';
import type { DriftAlarm, DriftBaseline } from '../../shared/drift/types.ts';
import type { StationModel } from '../../shared/station/domain.ts';
import type { InferenceMethods } from '../processes/inference-protocol.ts';
import type { Peer } from '../processes/rpc.ts';
import { systemCaller, type TrainingPicture } from '../store/types.ts';
import { writeJsonAtomic } from '../system/atomic-file.ts';
import { record } from './audit-trail.ts';
import type { StationContext } from './context.ts';
import { modelGeometry } from './model-geometry.ts';

/** Good pictures measured for one model at most, evenly taken from all of them. */
const mostPictures = 600;

/**
 * Knows how good parts of a model look (measured once from the pictures it learned from, kept beside its package), has
 * the stream compared with that, and says when it no longer fits. It never stops the line.
 */
export class DriftWatch {
  readonly #context: StationContext;
  readonly #beingMade = new Map<string, Promise<DriftBaseline | null>>();

  constructor(context: StationContext) {
    this.#context = context;
  }

  /** Has the process watch a run of this model, as soon as its baseline is there. Never rejects. */
  async watch(model: StationModel, peer: Peer<InferenceMethods>): Promise<void> {
    const { projectId } = model;
    try {
      const baseline = await this.#baseline(model, peer);
      if (baseline !== null) await peer.call('watchDrift', { projectId, baseline });
    } catch {
      // The process or the run ended meanwhile: the next one asks again.
    }
  }

  /** A new run, or another model: what was said of the one before no longer holds. */
  begin(projectId: string): void {
    this.#context.store.notices.clear(noticeId(projectId));
  }

  /** The stream is no longer what the model was calibrated on. */
  alarm(projectId: string, modelId: string, alarm: DriftAlarm): void {
    const { store, emit, now } = this.#context;
    const model = store.models.find(modelId);
    const project = store.projects.get(projectId).name;
    const { en: message } = alarmPhrase({ ...alarm, sinceAt: alarm.sinceAt && timeOf(alarm.sinceAt) });
    const { cause, streams, sinceAt, change } = alarm;
    const notice = { id: noticeId(projectId), level: 'fault' as const, message: `${project}: ${message}` };
    store.transaction(() => {
      record(this.#context, systemCaller, 'drift.alarm', model?.modelHash ?? modelId, {
        projectId,
        cause,
        streams,
        sinceAt,
        change,
        message,
      });
      store.notices.set({ ...notice, at: now() });
    });
    emit({ type: 'notice', ...notice });
  }

  #baseline(model: StationModel, peer: Peer<InferenceMethods>): Promise<DriftBaseline | null> {
    const going = this.#beingMade.get(model.id);
    if (going !== undefined) return going;
    const made = this.#readOrMake(model, peer).finally(() => this.#beingMade.delete(model.id));
    this.#beingMade.set(model.id, made);
    return made;
  }

  async #readOrMake(model: StationModel, peer: Peer<InferenceMethods>): Promise<DriftBaseline | null> {
    const { store } = this.#context;
    const path = `${store.models.path(model.id)}.drift.json`;
    const kept = await readFile(path, 'utf8').catch(() => null);
    if (kept !== null) {
      try {
        const baseline = parseDriftBaseline(kept, path);
        if (baseline.modelHash === model.modelHash) return baseline;
      } catch {
        // Damaged: it's made anew.
      }
    }
    const pictures = this.#goodPictures(model);
    try {
      const baseline = await peer.call('driftBaseline', {
        projectId: model.projectId,
        modelHash: model.modelHash,
        geometry: modelGeometry(this.#context, model),
        pictures: pictures.map(({ path: file, className }) => ({ path: file, className })),
      });
      await writeJsonAtomic(path, baseline);
      return baseline;
    } catch (error) {
      if (error instanceof UserError && error.code === 'driftTooFew') return null;
      throw error;
    }
  }

  #goodPictures({ snapshotId, projectId }: StationModel): TrainingPicture[] {
    const { store } = this.#context;
    const learned = new Set(
      (store.pictures.snapshot(snapshotId)?.pictures ?? [])
        .filter(({ use }) => use === 'normal')
        .map(({ sha256 }) => sha256),
    );
    const all = store.pictures.forTraining(projectId, ['normal']).filter(({ sha256 }) => learned.has(sha256));
    const step = Math.max(1, all.length / mostPictures);
    return Array.from({ length: Math.min(all.length, mostPictures) }, (_, i) => all[Math.floor(i * step)]!);
  }
}

function noticeId(projectId: string): string {
  return `drift-${projectId}`;
}

/** The station's own time, as the clock on the wall says it. */
function timeOf(at: string): string {
  const time = new Date(at);
  const isToday = time.toDateString() === new Date().toDateString();
  const clock = `${String(time.getHours()).padStart(2, '0')}:${String(time.getMinutes()).padStart(2, '0')}`;
  return isToday ? clock : `${at.slice(0, 10)} ${clock}`;
}
