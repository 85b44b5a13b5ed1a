import { existsSync } from 'node:fs';
import type { TrainingRequest } from '../../main/training/request.ts';
import { startWorker, type Ended, type Worker } from '../killing.ts';

/**
 * Trains in a process of its own and kills it hard as soon as its first checkpoint is there. It's looked for whenever
 * the worker tells of its progress, and the worker stands still at a step not far behind: it can't be through before
 * its kill comes, however busy the machine is.
 * @param checkpointEvery steps between two checkpoints
 */
export function killedAfterCheckpoint(
  worker: Worker,
  request: TrainingRequest,
  checkpointEvery: number,
): Promise<Ended> {
  const args = [JSON.stringify(request), JSON.stringify(checkpointEvery), JSON.stringify(2 * checkpointEvery)];
  return startWorker(worker.file, args, (_, child) => {
    if (existsSync(`${request.out}.checkpoint`)) child.kill('SIGKILL');
  }).ended;
}
