/**
 * Reads damaged weight files by the hundred thousand: mutated safetensors headers, mutated pickles, mutated archives.
 * Every one must be read or refused with a message; anything else is listed and makes the run fail.
 *
 *   node bench/run.mjs bench/fuzz-weights.ts [--rounds 100000] [--archives 5000] [--seed 1]
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { fuzzWeights, type FuzzTarget } from '../test/backbones/mutate-weights.ts';
import { formatRows } from './tools.ts';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '100000' },
    archives: { type: 'string', default: '5000' },
    seed: { type: 'string', default: '1' },
  },
});
const counts: readonly (readonly [FuzzTarget, number])[] = [
  ['safetensors', Math.ceil(Number(values.rounds) / 2)],
  ['pickle', Math.floor(Number(values.rounds) / 2)],
  ['archive', Number(values.archives)],
];
const folder = await mkdtemp(path.join(tmpdir(), 'twinspect-fuzz-'));
const rows = [['target', 'tried', 'refused', 'accepted', 'failures', 'slowest ms', 'peak MB']];
const failures: string[] = [];
try {
  for (const [target, rounds] of counts) {
    const result = await fuzzWeights(target, rounds, Number(values.seed), folder);
    failures.push(...result.failures);
    const peak = (process.resourceUsage().maxRSS / 1024).toFixed(0);
    const { tried, refused, accepted, slowestMs } = result;
    rows.push([target, ...[tried, refused, accepted, result.failures.length].map(String), slowestMs.toFixed(1), peak]);
  }
} finally {
  await rm(folder, { recursive: true, force: true });
}
console.log(
  `Seed ${values.seed}. Refused: with a message for the person. Accepted: the change does no harm that shows.`,
);
console.log(formatRows(rows));
for (const failure of failures.slice(0, 20)) console.log(failure);
if (failures.length > 0) process.exitCode = 1;
