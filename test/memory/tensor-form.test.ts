/** The tensor functions that training and inspection run, against the plain witness. */
import '../nn/cpu-backend.ts';
import { describe, expect, it } from 'vitest';
import { matrixOf, rowOf } from '../../shared/linear-algebra.ts';
import { gaussianTensors, matrixTensor, statisticsTensors } from '../../main/detector/model-tensors.ts';
import { fitClassInference } from '../../main/memory/class-inference.ts';
import { fitGaussians, mahalanobis } from '../../main/memory/gaussian.ts';
import {
  findClass,
  gaussianDistances,
  mapMaximum,
  memoryMap,
  smooth3,
  tokenDeviation,
} from '../../main/nn/normal-memory.ts';
import { tf } from '../../main/nn/tf.ts';
import {
  covariance,
  inverse,
  ledoitWolf,
  localMap,
  meanRow,
  minus,
  quadratic,
  randomMatrix,
  rows,
  shrunk,
  smoothed,
  tokenScores,
} from './reference.ts';

function expectAll(actual: ArrayLike<number>, expected: ArrayLike<number>, tolerance: number): void {
  expect(actual.length).toBe(expected.length);
  let worst = 0;
  for (let i = 0; i < expected.length; i++) {
    worst = Math.max(worst, Math.abs(actual[i]! - expected[i]!) / Math.max(1, Math.abs(expected[i]!)));
  }
  expect(worst).toBeLessThan(tolerance);
}

describe('local score', () => {
  it.each([
    [16, 32],
    [4, 8],
  ])('map and maximum on %i and %i cells a side', (deepSize, fineSize) => {
    const classIndex = 1;
    const bank = (size: number, seed: number) => {
      const found = {
        distances: rows(randomMatrix(size * size, 1, seed)).map(([value]) => Math.abs(value!)),
        chosen: Array.from({ length: size * size }, (_, i) => (i * 7) % 5),
      };
      const statistics = {
        classMean: [0.2, -0.1],
        classVariance: [0.5, 2],
        entryMean: [0, 0.1, 0.2, -0.3, 0.4],
        entryVariance: [1, 0.1, 0.4, 2, 0.7],
      };
      const nearest = {
        distance: tf.tensor1d(found.distances),
        index: tf.tensor1d(found.chosen, 'int32'),
      };
      const floats = {
        classMean: Float32Array.from(statistics.classMean),
        classVariance: Float32Array.from(statistics.classVariance),
        entryMean: Float32Array.from(statistics.entryMean),
        entryVariance: Float32Array.from(statistics.entryVariance),
      };
      const deviation = tokenDeviation(nearest, tf.tensor1d([classIndex], 'int32'), statisticsTensors(floats));
      return { deviation, plain: tokenScores(found, statistics, classIndex) };
    };
    const deep = bank(deepSize, 1);
    const fine = bank(fineSize, 2);
    const expected = localMap(deep.plain, deepSize, fine.plain, fineSize);
    const map = memoryMap(deep.deviation, fine.deviation);
    expectAll(map.dataSync(), expected.map, 1e-5);
    expectAll(smooth3(map).dataSync(), smoothed(expected.map, fineSize), 1e-5);
    expectAll(mapMaximum(smooth3(map)).dataSync(), [expected.score], 1e-5);
  });
});

describe('global score', () => {
  it('distance to every class, classes of one picture and of many side by side', () => {
    const classes = [randomMatrix(40, 12, 1, 1, 2), randomMatrix(5, 12, 2, 0.5, 1), randomMatrix(1, 12, 3)];
    const { gaussians } = fitGaussians(classes);
    const probes = randomMatrix(4, 12, 9, 1.5, 1);
    const distances = gaussianDistances(matrixTensor(probes), gaussianTensors(gaussians)).dataSync();
    rows(probes).forEach((probe, i) => {
      classes.forEach((vectors, c) => {
        const list = rows(vectors);
        const mean = meanRow(list);
        const { a, m } = ledoitWolf(list, mean);
        const expected =
          list.length === 1
            ? mahalanobis(gaussians[c]!, probe)
            : quadratic(minus(probe, mean), inverse(shrunk(covariance(list, mean), a, a * m)));
        expectAll([distances[i * 3 + c]!], [expected], 1e-4);
      });
    });
  });

  it('only classes of one picture', () => {
    const { gaussians } = fitGaussians([randomMatrix(1, 6, 1), randomMatrix(1, 6, 2)]);
    const probe = randomMatrix(1, 6, 3);
    const distances = gaussianDistances(matrixTensor(probe), gaussianTensors(gaussians)).dataSync();
    expectAll(
      distances,
      gaussians.map((gaussian) => mahalanobis(gaussian, rowOf(probe, 0))),
      1e-5,
    );
  });
});

describe('class inference', () => {
  it('distances and the nearest class', () => {
    const classes = [0, 1, 2].map((c) => randomMatrix(10, 8, c, 0.4, c));
    const { origin, whitening, centres } = fitClassInference(classes);
    const probes = matrixOf(3, 8);
    classes.forEach((vectors, c) => probes.data.set(rowOf(vectors, 0), c * 8));
    const residuals = classes.flatMap((vectors) => rows(vectors).map((row) => minus(row, meanRow(rows(vectors)))));
    const zero = new Array<number>(8).fill(0);
    const { a, m } = ledoitWolf(residuals, zero);
    const precision = inverse(shrunk(covariance(residuals, zero), a, a * m));
    const { distances, nearest } = findClass(matrixTensor(probes), {
      centre: tf.tensor1d(origin),
      whitening: matrixTensor(whitening),
      centres: matrixTensor(centres),
    });
    const expected = rows(probes).flatMap((probe) =>
      classes.map((vectors) => quadratic(minus(probe, meanRow(rows(vectors))), precision)),
    );
    expectAll(distances.dataSync(), expected, 1e-4);
    expect([...nearest.dataSync()]).toEqual([0, 1, 2]);
  });
});
