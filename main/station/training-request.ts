import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TrainingState, WatchedCurve } from '../../shared/ipc/training.ts';
import type { RecipeGeometry } from '../feeds/recipe-geometry.ts';
import { partitionThreads } from '../processes/threads.ts';
import { writeJsonAtomic } from '../system/atomic-file.ts';
import type { TrainingRequest } from '../training/request.ts';
import type { StationContext } from './context.ts';
import { readSettings } from './settings.ts';

/** What a run needs to go on after the whole station was stopped. */
export interface KeptRun {
  request: TrainingRequest;
  snapshotId: string;
  by: string;
  pictures: number;
  geometry: RecipeGeometry;
}

const keptFile = 'run.json';

export function keep(folder: string, kept: KeptRun): Promise<void> {
  return writeJsonAtomic(join(folder, keptFile), kept);
}

/** @returns undefined when nothing usable was kept */
export function readKept(folder: string): Promise<KeptRun | undefined> {
  return readFile(join(folder, keptFile), 'utf8').then(
    (text) => JSON.parse(text) as KeptRun,
    () => undefined,
  );
}

/** A run that has only begun. @param off why no AUROC is watched */
export function freshState(
  id: string,
  request: TrainingState['request'],
  startedAt: string,
  off: WatchedCurve['off'],
): TrainingState {
  return {
    id,
    projectId: request.projectId,
    state: 'running',
    request,
    startedAt,
    phase: 'snapshot',
    message: 'Preparing the pictures',
    share: 0,
    remainingMs: null,
    imagesPerSecond: null,
    losses: [],
    watched: { off, good: 0, defects: 0, points: [], finished: null },
    log: [],
    modelId: null,
    error: null,
  };
}

/** What the process that trains is asked for. @param steps of the students instead of the preset's: for tests */
export function trainingRequestOf(
  context: StationContext,
  request: TrainingState['request'],
  { list, folder, cores, steps }: { list: string; folder: string; cores: number; steps: number | undefined },
): TrainingRequest {
  const instant = request.preset === 'instant';
  return {
    dataDirs: [list],
    preset: instant ? 'embedded' : request.preset,
    instant,
    seed: request.seed,
    out: join(folder, 'model.twin'),
    engine: request.engine === 'auto' ? readSettings(context).engine : request.engine,
    threads: partitionThreads(cores).training,
    resume: false,
    cacheDir: join(context.folder, 'cache', 'features'),
    ...(steps !== undefined && { steps }),
  };
}
