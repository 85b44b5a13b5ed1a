/**
 * Weight file to ready session in a process that has loaded nothing else, so that its peak memory is the loader's. Started
 * by bench/teacher.ts as a bundle of its own; prints one line of JSON.
 *
 *   node $(node bench/run.mjs --bundle bench/teacher-load.ts) --file WEIGHTS [--storage inline|external] [--build-only] [--side 224] [--threads 1]
 *
 * `basis`: peak resident memory before anything was read (Node and ONNX Runtime); `built`: when the graph was written;
 * `peak`: with the session.
 */
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { openDinov2Weights } from '../main/backbones/dinov2.ts';
import { writeTeacherGraph } from '../main/backbones/teacher-graph.ts';
import { openSessionInline } from '../main/runtime/session.ts';

const { values: options } = parseArgs({
  options: {
    file: { type: 'string' },
    storage: { type: 'string', default: 'inline' },
    'build-only': { type: 'boolean', default: false },
    side: { type: 'string', default: '224' },
    threads: { type: 'string', default: '1' },
  },
});
/** Peak resident memory of this process in bytes. */
const peakBytes = (): number => process.resourceUsage().maxRSS * 1024;
const file = options.file!;
const side = Number(options.side);
const storage = options.storage as 'inline' | 'external';

const basis = peakBytes();
const start = performance.now();
const weights = await openDinov2Weights(file);
const opened = performance.now();
const graph = path.join(path.dirname(file), `loaded-${process.pid}.onnx`);
const groups =
  weights.depth === 24
    ? [
        [5, 7, 9, 11],
        [13, 15, 17, 19],
      ]
    : [
        [3, 4, 5, 6],
        [7, 8, 9, 10],
      ];
const { files } = await writeTeacherGraph(
  weights,
  { width: side, height: side, positionMode: 'scale_offset', groups, storage },
  graph,
);
const written = performance.now();
const built = peakBytes();
let [sessionMs, peak] = [0, built];
if (!options['build-only']) {
  const from = performance.now();
  const ready = await openSessionInline(graph, { threads: Number(options.threads) });
  [sessionMs, peak] = [performance.now() - from, peakBytes()];
  await ready.close();
}
for (const each of files) await rm(each);
const times = { open: opened - start, write: written - opened, session: sessionMs };
console.log(JSON.stringify({ ...times, basis, built, peak }));
