import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { bundleWatchWorker, killRepeatedly, seededRandom } from './watch-process.ts';

test('kill -9 at random moments: every file has exactly one verdict', { timeout: 300_000 }, async () => {
  const worker = await bundleWatchWorker();
  const folder = await mkdtemp(join(tmpdir(), 'twinspect-kill-'));
  try {
    const report = await killRepeatedly({
      worker: worker.file,
      folder,
      kills: 8,
      filesPerRun: 24,
      random: seededRandom(5),
    });
    expect(report.faults).toEqual([]);
    expect(report.killsAtWork).toBeGreaterThanOrEqual(4);
    expect(report.files).toBeGreaterThan(150);
    expect(report.records).toBeGreaterThanOrEqual(report.files);
  } finally {
    await rm(folder, { recursive: true, force: true });
    await worker.remove();
  }
});
