import { describe, expect, it } from 'vitest';
import { findNearDuplicates, greyDescriptor } from '../../main/calibration/duplicates.ts';
import type { PreparedPicture } from '../../main/pictures/picture.ts';
import { createRandom } from '../../shared/random.ts';

const side = 96;

/** A part of one kind: the same outline for all, and blobs of its own. */
function part(
  seed: number,
  change: (value: number, x: number, y: number) => number = (value) => value,
): PreparedPicture {
  const random = createRandom(seed);
  const blobs = Array.from(
    { length: 30 },
    () => [random.int(side), random.int(side), 4 + random.int(10), random.normal() * 12] as const,
  );
  const data = new Uint8Array(side * side * 3);
  for (let y = 0, at = 0; y < side; y++) {
    for (let x = 0; x < side; x++, at += 3) {
      let value = (x - 48) ** 2 + (y - 48) ** 2 < 1600 ? 170 : 60;
      for (const [bx, by, size, height] of blobs)
        value += height * Math.exp(-((x - bx) ** 2 + (y - by) ** 2) / (2 * size * size));
      data.fill(Math.max(0, Math.min(255, Math.round(change(value, x, y)))), at, at + 3);
    }
  }
  return { width: side, height: side, data, pixelHash: '' };
}

const training = Array.from({ length: 12 }, (_, i) => greyDescriptor(part(i + 1)));

describe('near-duplicates', () => {
  it('other parts of the kind are none, although the pictures look alike', () => {
    const others = Array.from({ length: 20 }, (_, i) => greyDescriptor(part(100 + i)));
    expect(findNearDuplicates(training, others)).toEqual([]);
  });

  it('the same picture noisy, brighter, with more contrast, or coarser is found, with its twin', () => {
    const noise = createRandom(4);
    const again = [
      part(3, (value) => value + 3 * noise.normal()),
      part(5, (value) => value + 20),
      part(7, (value) => 128 + 1.2 * (value - 128)),
      part(9, (value) => 4 * Math.round(value / 4)),
    ].map(greyDescriptor);
    const found = findNearDuplicates(training, again);
    expect(found.map(({ picture, twin }) => [picture, twin])).toEqual([
      [0, 2],
      [1, 4],
      [2, 6],
      [3, 8],
    ]);
    for (const { correlation } of found) expect(correlation).toBeGreaterThan(0.98);
  });

  it('neither plain pictures nor an empty training set are like anything', () => {
    const plain = greyDescriptor(part(1, () => 90));
    expect(findNearDuplicates([plain, plain, plain], [plain])).toEqual([]);
    expect(findNearDuplicates([], training)).toEqual([]);
    expect(findNearDuplicates([training[0]!], [training[0]!])).toHaveLength(1);
  });
});
