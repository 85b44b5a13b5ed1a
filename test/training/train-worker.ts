import { existsSync } from 'node:fs';
import { trainModel } from '../../main/training/run.ts';
import type { TrainingRequest } from '../../main/training/request.ts';

/**
 * A training in a process of its own, to be killed: `node train-worker.mjs REQUEST CHECKPOINT_EVERY STAND_STILL_AT`.
 * Says each event; once it has a checkpoint and that many steps, it waits for its kill.
 */
const [request, checkpointEvery, standStillAt] = process.argv.slice(2).map((text): unknown => JSON.parse(text));
const { out } = request as TrainingRequest;
await trainModel(
  request as TrainingRequest,
  (event) => {
    process.stdout.write(`${JSON.stringify(event)}\n`);
    const isFarEnough =
      event.type === 'progress' && event.phase === 'students' && event.done >= (standStillAt as number);
    if (isFarEnough && existsSync(`${out}.checkpoint`)) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  },
  new AbortController().signal,
  { checkpointEvery: checkpointEvery as number },
);
