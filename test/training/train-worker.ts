import { trainModel } from '../../main/training/run.ts';
import type { TrainingRequest } from '../../main/training/request.ts';

/** A training in a process of its own, to be killed: `node train-worker.mjs REQUEST CHECKPOINT_EVERY`. */
const [request, checkpointEvery] = process.argv.slice(2).map((text): unknown => JSON.parse(text));
await trainModel(
  request as TrainingRequest,
  (event) => {
    process.stdout.write(`${JSON.stringify(event)}\n`);
  },
  new AbortController().signal,
  { checkpointEvery: checkpointEvery as number },
);
