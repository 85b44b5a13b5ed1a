// Every property test with seeds that were never tried, for a nightly run:
//   node test/random-properties.mjs [rounds = 10]
// Names the seed of a failure; `PROPERTY_SEED=<seed> npx vitest run <file>` repeats it.
import { spawnSync } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from '../main/cli/setup.mjs';

const rounds = Number(process.argv[2] ?? 10);
const files = readdirSync(join(projectRoot, 'test'), { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.test.ts'))
  .map((name) => join('test', name))
  .filter((name) => readFileSync(join(projectRoot, name), 'utf8').includes('seeded-fast-check.ts'));
const vitest = join(projectRoot, 'node_modules', 'vitest', 'vitest.mjs');

let failed = 0;
for (let round = 1; round <= rounds; round++) {
  const seed = randomInt(2 ** 31);
  const { status } = spawnSync(process.execPath, [vitest, 'run', ...files], {
    cwd: projectRoot,
    stdio: 'inherit',
    env: { ...process.env, PROPERTY_SEED: String(seed) },
  });
  if (status !== 0) failed += 1;
  console.log(`round ${round} of ${rounds}, PROPERTY_SEED=${seed}: ${status === 0 ? 'ok' : 'FAILED'}`);
}
console.log(failed === 0 ? 'All passed.' : `${failed} of ${rounds} rounds failed.`);
process.exitCode = failed === 0 ? 0 : 1;
