import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readDataset } from '../../main/datasets/read.ts';
import { wholePicture } from '../../main/feeds/recipe-geometry.ts';
import { writeTrainingList } from '../../main/station/training-data.ts';
import type { TrainingPicture } from '../../main/store/types.ts';
import { takeSnapshot, type Snapshot } from '../../main/training/snapshot.ts';
import { writePicture } from '../cli/pictures.ts';

const never = new AbortController().signal;
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'twinspect-groups-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

/** The snapshot of a station's training with 40 pictures, each of the group that `groupOf` gives it. */
async function snapshotOf(groupOf: (i: number) => string | null): Promise<Snapshot> {
  const pictures: TrainingPicture[] = [];
  for (let i = 0; i < 40; i++) {
    const file = path.join(folder, `${String(i)}.png`);
    await writePicture(file, 100, 16, i + 1);
    pictures.push({
      sha256: String(i),
      path: file,
      fileName: path.basename(file),
      className: 'nut',
      use: 'normal',
      group: groupOf(i),
      gtLabel: null,
      defectClass: null,
    });
  }
  const list = await writeTrainingList(path.join(folder, 'run'), pictures, wholePicture, never);
  return takeSnapshot(await readDataset([list]), { seed: 1, shots: undefined }, never);
}

test('no lot is learned from and held out at once', async () => {
  const { classes, pictures, warnings } = await snapshotOf((i) => (i === 39 ? null : `lot ${String(i % 13)}`));
  const { training, heldOut } = classes[0]!.split;
  expect(heldOut.length).toBeGreaterThanOrEqual(3);
  expect(training.length + heldOut.length).toBe(40);
  const lots = new Set(training.map((i) => pictures[i]!.group));
  for (const i of heldOut) if (pictures[i]!.group !== undefined) expect(lots).not.toContain(pictures[i]!.group);
  expect(warnings).toEqual([]);
});

test('with one lot the split is as without lots, and the model says what that means', async () => {
  const plain = await snapshotOf(() => null);
  const single = await snapshotOf(() => 'lot 1');
  expect(plain.warnings).toEqual([]);
  expect(single.classes[0]!.split).toEqual(plain.classes[0]!.split);
  expect(single.warnings).toEqual([expect.stringMatching(/^Class "nut" has too few groups \(lots, serials\)/)]);
});
