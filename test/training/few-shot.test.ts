import { decode, encode } from 'fast-png';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decide } from '../../shared/detection.ts';
import type { Thresholds } from '../../shared/detection.ts';
import { thresholdsFor } from '../../shared/calibration/thresholds.ts';
import { trainModel } from '../../main/training/run.ts';
import { ignore, never, openPackage, pictures, scoreFiles, twoParts, Workplace } from './small-data.ts';

let place: Workplace;
let oneClass: string;
let bothClasses: string;

beforeAll(async () => {
  place = await Workplace.make();
  for (const part of twoParts) bothClasses = await place.part(part, { 'train/good': 10 });
  oneClass = path.join(bothClasses, twoParts[0]);
});

afterAll(() => place.remove());

/** Thresholds of every class, which must be numbers in the right order, and scores that a verdict can be had of. */
async function expectSound(out: string, part: string): Promise<void> {
  const { manifest } = await openPackage(out);
  const all: Thresholds[] = [
    manifest.thresholds.pooled,
    ...manifest.classes.map(({ name }) => thresholdsFor(manifest.thresholds, name)),
  ];
  for (const { review, fail } of all) {
    expect(Number.isFinite(review) && Number.isFinite(fail)).toBe(true);
    expect(review).toBeLessThanOrEqual(fail);
  }
  const files = [...(await pictures(part, 'test/good', 1)), ...(await pictures(part, 'test/impurity', 1))];
  const [good, bad] = await scoreFiles(out, files);
  for (const { predScore, memoryScore, classDistance, nearestNormal, anomalyMap } of [good!, bad!]) {
    for (const value of [predScore, memoryScore, classDistance]) expect(Number.isFinite(value)).toBe(true);
    expect(anomalyMap.every(Number.isFinite)).toBe(true);
    expect(nearestNormal).toBeGreaterThanOrEqual(0);
    expect(decide(predScore, manifest.thresholds.pooled)).not.toBe('noDecision');
  }
  expect(bad!.predScore).toBeGreaterThan(good!.predScore);
}

describe('few pictures', () => {
  it.each([1, 2, 4, 8])(
    '%i of each of two classes give a sound model',
    async (shots) => {
      const request = place.request({ shots });
      await trainModel(request, ignore, never);
      const { manifest, normals } = await openPackage(request.out);
      expect(manifest.classes.map(({ normalCount, heldOutCount }) => [normalCount, heldOutCount])).toEqual([
        [shots, 0],
        [shots, 0],
      ]);
      expect(normals).toHaveLength(2 * shots);
      expect(manifest.thresholds.pooled.basis).toBe('assumed');
      await expectSound(request.out, twoParts[1]);
    },
    300_000,
  );

  it('one picture in all gives a sound model, with students', async () => {
    const request = place.request({ dataDirs: [oneClass], shots: 1, instant: false, steps: 2 });
    await trainModel(request, ignore, never);
    await expectSound(request.out, twoParts[0]);
    const [result] = await scoreFiles(request.out, await pictures(twoParts[0], 'test/good', 1));
    expect(Number.isFinite(result!.localScore) && Number.isFinite(result!.semanticScore)).toBe(true);
  }, 300_000);

  it('a class of one picture beside a larger one gives a sound model and a warning', async () => {
    await place.part(twoParts[0], { 'train/good': 1 }, { data: 'uneven' });
    await place.part(twoParts[1], { 'train/good': 9 }, { data: 'uneven' });
    const request = place.request({ dataDirs: [path.join(place.root, 'uneven')] });
    const warnings: string[] = [];
    await trainModel(request, (event) => event.type === 'warning' && warnings.push(event.message), never);
    expect(warnings.join()).toContain(`"${twoParts[0]}" has one normal picture only`);
    for (const part of twoParts) await expectSound(request.out, part);
  }, 300_000);

  it('pictures that are all the same, in files that are not, give a sound model', async () => {
    const [file] = await pictures(twoParts[0], 'train/good', 1);
    const picture = decode(await readFile(file!));
    const folder = path.join(place.root, 'same', twoParts[0], 'train', 'good');
    await mkdir(folder, { recursive: true });
    for (let i = 0; i < 9; i++) {
      const bytes = encode({ ...picture, text: { copy: String(i) } });
      await writeFile(path.join(folder, `${String(i)}.png`), bytes);
    }
    // One that differs scores as far off as a score can be; the parity gate must still see that both sides agree.
    await place.part(twoParts[1], { 'calibration/good': 1 }, { data: 'same', as: twoParts[0] });
    const request = place.request({ dataDirs: [path.join(place.root, 'same')] });
    await trainModel(request, ignore, never);
    expect((await openPackage(request.out)).normals).toHaveLength(9);
    await expectSound(request.out, twoParts[0]);
  }, 300_000);
});
