import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { classLimitOf } from '../../shared/calibration/unknown-limit.ts';
import type { StationModel } from '../../shared/station/domain.ts';
import { faultOf } from '../processes/fault.ts';
import type { FeedFault, ModelUse } from '../processes/inference-protocol.ts';
import { partitionThreads } from '../processes/threads.ts';
import type { StationContext } from './context.ts';
import { overrideNote } from './model-gates.ts';
import { readSettings } from './settings.ts';

/** Threads of the process that judges. */
export function judgingThreads(cores = availableParallelism()): number {
  return partitionThreads(cores).inference;
}

/** A model as the process that judges is to use it. */
export function modelUse(context: StationContext, model: StationModel, threads: number): ModelUse {
  const { store } = context;
  const changed = store.models.thresholdHistory(model.id).length > 0;
  const unknownClass = classLimitOf(model.unknownClass);
  return {
    modelId: model.id,
    path: store.models.path(model.id),
    modelHash: model.modelHash,
    thresholds: changed ? model.thresholds : null,
    ...(unknownClass !== undefined && { unknownClass }),
    ...(model.override && { note: overrideNote(model.version, model.override) }),
    geometry: model.geometry,
    engine: readSettings(context).engine,
    threads,
  };
}

/** The model before the active one, if its package is there: the way back. */
export function modelToRollBackTo({ store }: StationContext, projectId: string): StationModel | undefined {
  const previous = store.models.list(projectId).find(({ state }) => state === 'previous');
  return previous !== undefined && existsSync(store.models.path(previous.id)) ? previous : undefined;
}

/** What a person is told when the active model can't be opened: what ails it, and the way back. */
export function modelFault(context: StationContext, projectId: string, error: unknown): FeedFault {
  const { message, remedy } = faultOf(error);
  const { store } = context;
  const active = store.models.active(projectId);
  const isGone = active !== null && !existsSync(store.models.path(active.id));
  const previous = modelToRollBackTo(context, projectId);
  const back = previous === undefined ? [] : [`Roll back to model v${String(previous.version)} (Train).`];
  return {
    code: 'modelUnusable',
    message: isGone
      ? `The file of the active model v${String(active.version)} was deleted: it can't be opened.`
      : message,
    remedy: [...(remedy === null ? [] : [remedy]), ...back].join(' ') || null,
  };
}
