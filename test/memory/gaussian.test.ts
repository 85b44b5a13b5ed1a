import { describe, expect, it } from 'vitest';
import { matrixOf, rowOf, takeRows, type Matrix } from '../../shared/linear-algebra.ts';
import { classDistances, fitClassInference, nearestClass } from '../../main/memory/class-inference.ts';
import {
  fitGaussian,
  fitGaussians,
  halfLog,
  leaveOneOutClosedForm,
  leaveOneOutDistances,
  logMahalanobis,
  mahalanobis,
} from '../../main/memory/gaussian.ts';
import { covariance, inverse, ledoitWolf, meanRow, minus, quadratic, randomMatrix, rows, shrunk } from './reference.ts';

/** Correlated rows: few strong directions and noise, away from the origin. */
function correlated(n: number, p: number, seed: number): Matrix {
  const factors = randomMatrix(n, 3, seed, 2);
  const loadings = randomMatrix(3, p, 77);
  const out = randomMatrix(n, p, seed + 1, 0.3, 1);
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < p; k++) {
      for (let f = 0; f < 3; f++) out.data[i * p + k]! += factors.data[i * 3 + f]! * loadings.data[f * p + k]!;
    }
  }
  return out;
}

function expectRatio(actual: number, expected: number, tolerance = 1e-4): void {
  expect(Math.abs(actual / expected - 1)).toBeLessThan(tolerance);
}

describe('fitGaussian', () => {
  it.each([
    [3, 12],
    [8, 12],
    [12, 12],
    [13, 12],
    [14, 12],
    [40, 12],
    [200, 5],
    [9, 60],
    [30, 1],
  ])('scores like the dense inverse: %i pictures, %i dimensions', (n, p) => {
    const vectors = correlated(n, p, n);
    const list = rows(vectors);
    const mean = meanRow(list);
    // One dimension: S is its own target, any a gives the same covariance.
    const { a, m } = p === 1 ? { a: 1, m: covariance(list, mean)[0]![0]! } : ledoitWolf(list, mean);
    const precision = inverse(shrunk(covariance(list, mean), a, a * m));
    const forms = n - 1 <= p && p > 1 ? (['dense', 'lowRank', undefined] as const) : (['dense', undefined] as const);
    for (const form of forms) {
      const gaussian = fitGaussian(vectors, form === undefined ? {} : { form });
      expectRatio(gaussian.shrinkage, a, 1e-9);
      expectRatio(gaussian.meanVariance, m, 1e-9);
      for (const probe of rows(randomMatrix(5, p, 5, 3, 1))) {
        expectRatio(mahalanobis(gaussian, probe), quadratic(minus(probe, mean), precision));
      }
      for (const row of list) {
        const expected = quadratic(minus(row, mean), precision);
        expect(Math.abs(mahalanobis(gaussian, row) - expected)).toBeLessThan(2e-4 * Math.max(1, expected));
      }
    }
  });

  it('takes the low-rank form for few pictures, the dense one for many', () => {
    const few = fitGaussian(correlated(10, 40, 1));
    expect([few.factor.rows, few.sign, few.isotropic > 0]).toEqual([9, -1, true]);
    const many = fitGaussian(correlated(60, 40, 1));
    expect([many.factor.rows, many.sign, many.isotropic]).toEqual([40, 1, 0]);
  });

  it('agrees between both forms at the size of real statistics', () => {
    const vectors = correlated(60, 300, 4);
    const dense = fitGaussian(vectors, { form: 'dense' });
    const lowRank = fitGaussian(vectors, { form: 'lowRank' });
    for (const probe of rows(randomMatrix(4, 300, 6, 1, 1))) {
      expectRatio(mahalanobis(lowRank, probe), mahalanobis(dense, probe));
    }
  });

  it('refuses a class without pictures', () => {
    expect(() => fitGaussian(matrixOf(0, 4))).toThrow(RangeError);
  });
});

describe('leaveOneOutDistances', () => {
  it('in closed form is the refit with the shrinkage held fixed', () => {
    const vectors = correlated(30, 12, 3);
    const list = rows(vectors);
    const n = list.length;
    const gaussian = fitGaussian(vectors);
    const { shrinkage: a, meanVariance: m } = gaussian;
    const fast = leaveOneOutDistances(gaussian, vectors);
    list.forEach((row, i) => {
      const others = list.filter((_, j) => j !== i);
      const mean = meanRow(others);
      // The pull towards the target stays that of all n pictures: a m n/(n - 1) in the units of n - 1.
      const sigma = shrunk(covariance(others, mean), a, (a * m * n) / (n - 1));
      expectRatio(fast[i]!, quadratic(minus(row, mean), inverse(sigma)));
    });
  });

  it('refits up to 16 pictures', () => {
    const vectors = correlated(16, 20, 5);
    const distances = leaveOneOutDistances(fitGaussian(vectors), vectors);
    distances.forEach((distance, i) => {
      const others = takeRows(
        vectors,
        Array.from({ length: 16 }, (_, j) => j).filter((j) => j !== i),
      );
      expectRatio(distance, mahalanobis(fitGaussian(others), rowOf(vectors, i)), 1e-9);
    });
  });

  it('bounds the denominator', () => {
    expect(leaveOneOutClosedForm(20, 21, 0)).toBeCloseTo(((20 * 21) / 20) * 50, 6);
    expect(leaveOneOutClosedForm(0, 21, 0.5)).toBe(0);
  });

  it('ranks a left-out picture as unusual as a new one, unlike the training distance', () => {
    const all = correlated(80, 60, 9);
    const train = takeRows(
      all,
      Array.from({ length: 40 }, (_, i) => i),
    );
    const gaussian = fitGaussian(train);
    const mean = (values: ArrayLike<number>) => Array.from(values).reduce((sum, v) => sum + v, 0) / values.length;
    const fresh = mean(Array.from({ length: 40 }, (_, i) => logMahalanobis(gaussian, rowOf(all, 40 + i))));
    const left = mean(Array.from(leaveOneOutDistances(gaussian, train), halfLog));
    const seen = mean(Array.from({ length: 40 }, (_, i) => logMahalanobis(gaussian, rowOf(train, i))));
    expect(Math.abs(left - fresh)).toBeLessThan(0.1);
    expect(fresh - seen).toBeGreaterThan(0.1);
  });
});

describe('few pictures', () => {
  it.each([1, 2, 3, 4])('%i in one class', (n) => {
    const { gaussians, leaveOneOut } = fitGaussians([correlated(n, 24, 2)]);
    const probes = rows(randomMatrix(3, 24, 8, 2));
    for (const probe of probes) expect(Number.isFinite(logMahalanobis(gaussians[0]!, probe))).toBe(true);
    expect(leaveOneOut[0]!.length).toBe(n === 1 ? 0 : n);
    for (const distance of leaveOneOut[0]!) expect(distance).toBeGreaterThan(0);
  });

  it('a single picture is judged by distance, in units lent by the other classes', () => {
    const { gaussians } = fitGaussians([correlated(30, 10, 1), correlated(1, 10, 2)]);
    const [many, one] = gaussians as [(typeof gaussians)[0], (typeof gaussians)[0]];
    expect(one.factor.rows).toBe(0);
    expect(one.meanVariance).toBeCloseTo(many.meanVariance, 5);
    const probe = new Float32Array(10).fill(1);
    const length = probe.reduce((sum, value, k) => sum + (value - one.mean[k]!) ** 2, 0);
    expectRatio(mahalanobis(one, probe), length / one.meanVariance, 1e-6);
  });

  it('identical pictures and all zeros stay finite', () => {
    for (const vectors of [matrixOf(20, 6, new Float32Array(120).fill(3)), matrixOf(1, 6), matrixOf(2, 6)]) {
      const { gaussians, leaveOneOut } = fitGaussians([vectors]);
      expect(Number.isFinite(logMahalanobis(gaussians[0]!, new Float32Array(6).fill(1)))).toBe(true);
      expect(logMahalanobis(gaussians[0]!, rowOf(vectors, 0))).toBeCloseTo(Math.log(1e-3), 6);
      for (const distance of leaveOneOut[0]!) expect(distance).toBe(0);
    }
  });
});

describe('class inference', () => {
  it('is the pooled Mahalanobis distance', () => {
    const classes = [correlated(20, 8, 1), correlated(9, 8, 2), correlated(14, 8, 3)];
    classes.forEach(({ data }, c) => data.forEach((value, i) => (data[i] = value + (i % 8 === c ? 4 : 0))));
    const residuals = classes.flatMap((vectors) => {
      const mean = meanRow(rows(vectors));
      return rows(vectors).map((row) => minus(row, mean));
    });
    const zero = new Array<number>(8).fill(0);
    const { a, m } = ledoitWolf(residuals, zero);
    const precision = inverse(shrunk(covariance(residuals, zero), a, a * m));
    const model = fitClassInference(classes);
    for (const probe of rows(randomMatrix(6, 8, 4, 2))) {
      const expected = classes.map((vectors) => quadratic(minus(probe, meanRow(rows(vectors))), precision));
      const actual = classDistances(model, probe);
      expected.forEach((distance, c) => {
        expectRatio(actual[c]!, distance);
      });
      expect(nearestClass(actual)).toBe(expected.indexOf(Math.min(...expected)));
    }
  });

  it.each([
    [1, 1],
    [3, 1],
    [1, 2],
    [2, 2],
  ])('works with %i classes of %i pictures', (count, n) => {
    const classes = Array.from({ length: count }, (_, c) => randomMatrix(n, 30, c, 0.1, c));
    const model = fitClassInference(classes);
    classes.forEach((vectors, c) => {
      const distances = classDistances(model, rowOf(vectors, 0));
      expect(distances.every(Number.isFinite)).toBe(true);
      expect(nearestClass(distances)).toBe(c);
    });
  });

  it('refuses a class without pictures', () => {
    expect(() => fitClassInference([])).toThrow(RangeError);
    expect(() => fitClassInference([matrixOf(0, 3)])).toThrow(RangeError);
  });
});
