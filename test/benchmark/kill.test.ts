import { build } from 'esbuild';
import { spawn } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createRandom } from '../../shared/random.ts';
import { bundleOptions } from '../../main/cli/bundle-options.mjs';
import { projectRoot } from '../../main/system/project-root.ts';

let outdir: string;
let worker: string;
let root: string;

beforeAll(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'twinspect-benchmark-kill-'));
  outdir = path.join(projectRoot(), 'node_modules', '.cache', 'twinspect', `benchmark-worker-${String(process.pid)}`);
  worker = path.join(outdir, 'kill-worker.mjs');
  await build({
    ...bundleOptions,
    entryPoints: [path.join(import.meta.dirname, 'kill-worker.ts')],
    outfile: worker,
    logLevel: 'error',
  });
}, 120_000);
afterAll(async () => {
  await rm(root, { recursive: true, force: true });
  await rm(outdir, { recursive: true, force: true });
});

/** Runs until its end, or kills it hard after so many trainings and milliseconds. */
function run(
  folder: string,
  killAfter?: { trainings: number; ms: number },
): Promise<{ trained: string[]; done?: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [worker, folder], { stdio: ['ignore', 'pipe', 'inherit'] });
    let out = '';
    let armed = false;
    child.stdout.on('data', (chunk: Buffer) => {
      out += chunk.toString();
      if (killAfter === undefined || armed || out.split('trained').length <= killAfter.trainings) return;
      armed = true;
      setTimeout(() => child.kill('SIGKILL'), killAfter.ms);
    });
    child.on('error', reject);
    child.on('close', () => {
      const lines = out.split('\n');
      const done = lines.find((line) => line.startsWith('done'));
      resolve({ trained: lines.filter((line) => line.startsWith('trained')), ...(done !== undefined && { done }) });
    });
  });
}

test('killed at any moment, a run goes on to the same results', async () => {
  const undisturbed = await run(path.join(root, 'undisturbed'));
  expect(undisturbed.trained).toHaveLength(12);
  const random = createRandom(5);
  const folder = path.join(root, 'killed');
  let trainings = 0;
  let kills = 0;
  let done: string | undefined;
  while (done === undefined && kills < 40) {
    const ended = await run(folder, {
      trainings: 1 + Math.floor(random.next() * 2),
      ms: Math.floor(random.next() * 40),
    });
    trainings += ended.trained.length;
    done = ended.done;
    kills++;
  }
  expect(done).toBe(undisturbed.done);
  expect(kills).toBeGreaterThan(3);
  // A kill costs at most the training it hit and the one whose measuring it hit.
  expect(trainings).toBeLessThanOrEqual(12 + 2 * kills);
  expect((await readdir(folder)).sort()).toEqual(['lists', 'results', 'run.json']);
}, 120_000);
