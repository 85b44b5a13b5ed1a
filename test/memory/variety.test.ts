import { describe, expect, test } from 'vitest';
import { matrixOf } from '../../shared/linear-algebra.ts';
import { createRandom } from '../../shared/random.ts';
import { classVariety, directionSpread } from '../../main/memory/variety.ts';

/** `count` vectors around one direction; `noise` is their deviation in each of 200 dimensions, where that one has 1. */
function around(noise: number, count: number, seed: number) {
  const random = createRandom(seed);
  const vectors = matrixOf(count, 200);
  for (let i = 0; i < vectors.data.length; i++) vectors.data[i] = 1 + noise * random.normal();
  return vectors;
}

describe('how much the good pictures of a class differ', () => {
  test('one direction: none, whatever the lengths; opposite ones: all', () => {
    expect(directionSpread(matrixOf(3, 2, Float32Array.of(1, 2, 2, 4, 50, 100)))).toBeCloseTo(0, 6);
    expect(directionSpread(matrixOf(2, 2, Float32Array.of(3, 0, -5, 0)))).toBe(1);
    expect(directionSpread(matrixOf(2, 2, Float32Array.of(1, 0, 0, 1)))).toBeCloseTo(1 - Math.SQRT1_2, 6);
  });

  test('parts of one kind have exactly none, a single picture and rows of zeros too', () => {
    expect(classVariety(around(0.3, 30, 1))).toBe(0);
    expect(classVariety(around(5, 1, 1))).toBe(0);
    expect(classVariety(matrixOf(4, 3))).toBe(0);
  });

  test('it grows with the differences up to 1 and hardly depends on how many pictures there are', () => {
    const at = (noise: number, count = 400): number => classVariety(around(noise, count, 2));
    expect([at(0.4), at(0.48), at(0.7)]).toEqual([0, expect.closeTo(0.3, 0), 1]);
    expect(at(0.48)).toBeGreaterThan(0);
    expect(at(0.48)).toBeLessThan(1);
    expect(directionSpread(around(0.5, 40, 3))).toBeCloseTo(directionSpread(around(0.5, 400, 4)), 2);
  });
});
