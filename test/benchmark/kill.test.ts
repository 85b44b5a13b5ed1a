import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createRandom } from '../../shared/random.ts';
import { bundleWorker, startWorker, type Worker } from '../killing.ts';

let worker: Worker;
let root: string;

beforeAll(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'twinspect-benchmark-kill-'));
  worker = await bundleWorker(path.join(import.meta.dirname, 'kill-worker.ts'));
}, 300_000);
afterAll(async () => {
  await rm(root, { recursive: true, force: true });
  await worker.remove();
});

/**
 * Runs until its end, or kills it hard after so many trainings and milliseconds. The worker stands still in the training
 * after those: it gets no further before its kill, however late that comes on a busy machine.
 */
async function run(
  folder: string,
  killAfter?: { trainings: number; ms: number },
): Promise<{ trained: string[]; done?: string }> {
  const args = killAfter === undefined ? [folder] : [folder, String(killAfter.trainings + 1)];
  let armed = false;
  const { ended } = startWorker(worker.file, args, (output, child) => {
    if (killAfter === undefined || armed || output.split('trained').length <= killAfter.trainings) return;
    armed = true;
    setTimeout(() => child.kill('SIGKILL'), killAfter.ms);
  });
  const { code, signal, out, err } = await ended;
  expect(signal ?? code, err).toBeOneOf([0, 'SIGKILL']);
  const lines = out.split('\n');
  const done = lines.find((line) => line.startsWith('done'));
  return { trained: lines.filter((line) => line.startsWith('trained')), ...(done !== undefined && { done }) };
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
}, 300_000);
