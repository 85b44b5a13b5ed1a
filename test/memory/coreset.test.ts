import { describe, expect, it } from 'vitest';
import { matrixOf, rowOf } from '../../shared/linear-algebra.ts';
import { createRandom } from '../../shared/random.ts';
import { createCandidateCollector } from '../../main/memory/coreset.ts';
import { farthestPointPicks } from '../../main/memory/farthest-point.ts';
import { kCentrePicks } from '../../main/memory/k-centre.ts';
import { createRandomProjection, project } from '../../main/memory/random-projection.ts';
import { farthestPoint, kCentre, randomMatrix, rows, squaredDistance } from './reference.ts';

/** Clusters of unequal width, as pictures of several classes make them. */
function clusters(count: number, dims: number, seed: number) {
  const random = createRandom(seed);
  const centres = randomMatrix(7, dims, seed + 1, 3);
  const out = matrixOf(count, dims);
  for (let i = 0; i < count; i++) {
    const cluster = random.int(7);
    for (let k = 0; k < dims; k++) {
      out.data[i * dims + k] =
        centres.data[cluster * dims + k]! + (0.05 + cluster / 5) * random.normal() * (k < 3 ? 2 : 0.5);
    }
  }
  return out;
}

describe('createRandomProjection', () => {
  it('gives the same matrix for the same seed, another for another', () => {
    expect(createRandomProjection(5, 3, 1).matrix).toEqual(createRandomProjection(5, 3, 1).matrix);
    expect(createRandomProjection(5, 3, 1).matrix).not.toEqual(createRandomProjection(5, 3, 2).matrix);
  });

  it('keeps squared lengths on average', () => {
    const { matrix } = createRandomProjection(400, 24, 3);
    const total = matrix.data.reduce((sum, value) => sum + value * value, 0);
    expect(total / 400).toBeCloseTo(1, 1);
  });

  it.each([1, 3, 4, 24, 26])('multiplies rows, %i dimensions out', (dims) => {
    const projection = createRandomProjection(13, dims, 4);
    const tokens = randomMatrix(6, 13, 5);
    const out = project(tokens, projection);
    for (let i = 0; i < 6; i++) {
      for (let j = 0; j < dims; j++) {
        const expected = rowOf(tokens, i).reduce(
          (sum, value, k) => sum + value * projection.matrix.data[k * dims + j]!,
          0,
        );
        expect(out.data[i * dims + j]).toBeCloseTo(expected, 5);
      }
    }
  });

  it('refuses tokens of another size', () => {
    expect(() => project(matrixOf(1, 4), createRandomProjection(5, 2, 1))).toThrow(RangeError);
  });
});

describe('farthestPointPicks', () => {
  it.each([1, 2, 3])('picks what the plain algorithm picks (seed %i)', (seed) => {
    const points = clusters(200, 24, seed);
    expect([...farthestPointPicks(points, 48)]).toEqual(farthestPoint(rows(points), 48));
  });

  it('restarts distances from the first pick instead of the mean', () => {
    // Mean 3.5; the first pick is 10. A patch at the mean's place is then the second farthest but one.
    const points = matrixOf(4, 1, Float32Array.of(0, 1, 3, 10));
    expect([...farthestPointPicks(points, 4)]).toEqual([3, 0, 2, 1]);
  });

  it('takes every patch once when there are few, and duplicates only once', () => {
    expect([...farthestPointPicks(randomMatrix(5, 3, 1), 48)].sort()).toEqual([0, 1, 2, 3, 4]);
    expect([...farthestPointPicks(matrixOf(6, 2, new Float32Array(12).fill(2)), 48)]).toEqual([0]);
    expect([...farthestPointPicks(matrixOf(0, 2), 48)]).toEqual([]);
  });
});

describe('kCentrePicks', () => {
  it.each([
    [600, 32, 200],
    [500, 5, 300],
    [300, 33, 300],
    [400, 1, 60],
  ])('picks exactly what the plain algorithm picks: %i candidates, %i dimensions, %i picks', (count, dims, picks) => {
    for (const seed of [1, 2, 3]) {
      const points = clusters(count, dims, seed);
      expect([...kCentrePicks(points, picks)]).toEqual(kCentre(points, picks));
      const round = randomMatrix(count, dims, seed);
      expect([...kCentrePicks(round, picks)]).toEqual(kCentre(round, picks));
    }
  });

  it('breaks ties by the lowest index', () => {
    // A grid of whole numbers has very many equal distances.
    const points = matrixOf(400, 2);
    for (let i = 0; i < 400; i++) points.data.set([(i * 7) % 20, Math.floor(((i * 7) % 400) / 20)], i * 2);
    expect([...kCentrePicks(points, 120)]).toEqual(kCentre(points, 120));
  });

  it('stays exact far from the origin, where rounding is coarse', () => {
    const points = randomMatrix(500, 12, 8, 0.01, 1000);
    expect([...kCentrePicks(points, 250)]).toEqual(kCentre(points, 250));
  });

  it('stays exact among near duplicates beside far outliers', () => {
    const points = randomMatrix(400, 16, 3, 1e-7);
    points.data.set(new Float32Array(16).fill(1000), 7 * 16);
    points.data.set(new Float32Array(16).fill(-900), 200 * 16);
    expect([...kCentrePicks(points, 300)]).toEqual(kCentre(points, 300));
  });

  it('stops when only duplicates are left', () => {
    const points = matrixOf(9, 1, Float32Array.of(1, 1, 5, 5, 1, 9, 9, 1, 5));
    expect([...kCentrePicks(points, 8)]).toEqual([0, 5, 2]);
    expect([...kCentrePicks(matrixOf(1, 3), 8)]).toEqual([0]);
    expect([...kCentrePicks(matrixOf(0, 3), 8)]).toEqual([]);
  });

  it('reports progress up to the end and can be aborted from there', () => {
    const seen: number[] = [];
    kCentrePicks(clusters(300, 8, 1), 200, { onProgress: (done) => seen.push(done) });
    expect(seen.at(-1)).toBe(200);
    expect(seen).toEqual(seen.toSorted((a, b) => a - b));
    const abort = () => {
      throw new Error('cancelled');
    };
    expect(() => kCentrePicks(clusters(300, 8, 1), 200, { onProgress: abort })).toThrow('cancelled');
  });
});

describe('createCandidateCollector', () => {
  it('keeps vectors, classes and pictures together', () => {
    const collector = createCandidateCollector(20, 11);
    const pictures = [0, 1, 2, 3].map((i) => randomMatrix(64, 20, 100 + i, 1, i));
    pictures.forEach((tokens, i) => collector.add(tokens, i % 2, 10 + i));
    expect(collector.count).toBe(4 * 48);
    const bank = collector.build({ size: 100 });
    expect(bank.vectors.rows).toBe(100);
    for (let b = 0; b < 100; b++) {
      const picture = bank.entryPicture[b]! - 10;
      expect(bank.entryClass[b]).toBe(picture % 2);
      const nearest = Math.min(
        ...rows(pictures[picture]!).map((row) => squaredDistance(row, [...rowOf(bank.vectors, b)])),
      );
      expect(nearest).toBe(0);
    }
  });

  it('takes tokens projected elsewhere', () => {
    const tokens = randomMatrix(64, 20, 7);
    const own = createCandidateCollector(20, 3);
    const given = createCandidateCollector(20, 3);
    const picks = own.add(tokens, 0, 0);
    expect([...given.add(tokens, 0, 0, project(tokens, given.patchProjection))]).toEqual([...picks]);
  });

  it('works with one picture', () => {
    const collector = createCandidateCollector(20, 3);
    collector.add(randomMatrix(64, 20, 7), 0, 0);
    const bank = collector.build({ size: 8192 });
    expect(bank.vectors.rows).toBe(48);
    expect(new Set(bank.entryClass)).toEqual(new Set([0]));
  });
});
