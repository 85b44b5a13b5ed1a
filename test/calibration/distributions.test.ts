import { describe, expect, it } from 'vitest';
import { bandCoverage, simultaneousLevel } from '../../shared/calibration/band.ts';
import {
  binomialCdf,
  clopperPearson,
  signTest,
  simultaneousInterval,
  toleranceRank,
} from '../../shared/calibration/binomial.ts';
import { betaCdf, betaQuantile, logGamma, normalCdf, normalQuantile } from '../../shared/calibration/distributions.ts';
import { createRandom } from '../../shared/random.ts';
import reference from '../fixtures/calibration/scipy-reference.json' with { type: 'json' };
import fc from '../seeded-fast-check.ts';

/** Within 1e-9, absolute where the value is below 1, else relative. */
function near(actual: number, expected: number): void {
  expect(Math.abs(actual - expected) / Math.max(1, Math.abs(expected))).toBeLessThan(1e-9);
}

describe('against an independent implementation (SciPy), 1e-9', () => {
  it('Clopper-Pearson, two-sided and one-sided', () => {
    for (const [count, n, confidence, low, high, lower, upper] of reference.clopperPearson as number[][]) {
      const both = clopperPearson(count!, n!, confidence!);
      near(both.low, low!);
      near(both.high, high!);
      near(clopperPearson(count!, n!, confidence!, 'lower').low, lower!);
      near(clopperPearson(count!, n!, confidence!, 'upper').high, upper!);
    }
  });
  it('incomplete beta, normal distribution and quantile, log gamma', () => {
    for (const [x, a, b, value] of reference.betaCdf as number[][]) near(betaCdf(x!, a!, b!), value!);
    for (const [p, value] of reference.normalQuantile as number[][]) near(normalQuantile(p!), value!);
    for (const [z, value] of reference.normalCdf as number[][]) near(normalCdf(z!), value!);
    for (const [x, value] of reference.logGamma as number[][]) near(logGamma(x!), value!);
  });
  it('binomial distribution and exact McNemar test', () => {
    for (const [k, n, p, value] of reference.binomialCdf as number[][]) near(binomialCdf(k!, n!, p!), value!);
    for (const [count, n, value] of reference.signTest as number[][]) near(signTest(count!, n!), value!);
  });
});

describe('published tables', () => {
  it('intervals (Clopper and Pearson)', () => {
    expect(clopperPearson(1, 10, 0.95).low).toBeCloseTo(0.0025, 4);
    expect(clopperPearson(1, 10, 0.95).high).toBeCloseTo(0.445, 4);
    expect(clopperPearson(5, 20, 0.95).low).toBeCloseTo(0.0866, 4);
    expect(clopperPearson(5, 20, 0.95).high).toBeCloseTo(0.491, 4);
  });
  it('sample sizes of one-sided 95/95 tolerance limits (Wilks): 59, 93, 124, 153, 181', () => {
    [59, 93, 124, 153, 181].forEach((n, i) => {
      expect(toleranceRank(n, 0.05, 0.95)).toBe(i + 1);
      expect(toleranceRank(n - 1, 0.05, 0.95)).toBe(i);
    });
  });
});

describe('edges', () => {
  it('intervals at 0, at n, of nothing, and what is no count', () => {
    expect(clopperPearson(0, 0, 0.95)).toEqual({ low: 0, high: 1 });
    expect(clopperPearson(0, 7, 0.95).low).toBe(0);
    expect(clopperPearson(7, 7, 0.95).high).toBe(1);
    expect(simultaneousInterval(0, 0, 0.95)).toEqual({ low: 0, high: 1 });
    for (const [count, n, confidence] of [
      [2, 1, 0.95],
      [-1, 1, 0.95],
      [0.5, 1, 0.95],
      [0, 1, 1],
      [0, 1, NaN],
    ]) {
      expect(() => clopperPearson(count!, n!, confidence!)).toThrow(RangeError);
    }
    expect([normalQuantile(0), normalQuantile(1), normalQuantile(2)]).toEqual([-Infinity, Infinity, NaN]);
    expect([betaQuantile(0, 2, 3), betaQuantile(1, 2, 3)]).toEqual([0, 1]);
  });
  it('quantiles are the inverse', () => {
    const shape = fc.double({ min: 1, max: 3000, noNaN: true });
    fc.assert(
      fc.property(fc.double({ min: 1e-4, max: 1 - 1e-4, noNaN: true }), shape, shape, (p, a, b) => {
        near(betaCdf(betaQuantile(p, a, b), a, b), p);
      }),
    );
  });
});

describe('intervals at all thresholds at once', () => {
  it('the recursion agrees with plain geometry for one and two scores', () => {
    near(bandCoverage(1, 0.05), 0.95);
    const eta = 0.1;
    const [l1, l2] = [betaQuantile(eta / 2, 1, 2), betaQuantile(eta / 2, 2, 1)];
    const [u1, u2] = [1 - l2, 1 - l1];
    // Twice the area of l1 <= x <= u1, max(x, l2) <= y <= u2.
    const below = l2 - l1; // x < l2: y runs from l2.
    const area = below * (u2 - l2) + (u2 * (u1 - l2) - (u1 ** 2 - l2 ** 2) / 2);
    near(bandCoverage(2, eta), 2 * area);
  });
  it('and with drawing lots', () => {
    const random = createRandom(5);
    const [n, eta, trials] = [25, 0.02, 4000];
    const lower = Array.from({ length: n }, (_, i) => betaQuantile(eta / 2, i + 1, n - i));
    let inside = 0;
    for (let trial = 0; trial < trials; trial++) {
      const drawn = Float64Array.from({ length: n }, () => random.next()).sort();
      if (drawn.every((u, i) => u >= lower[i]! && u <= 1 - lower[n - 1 - i]!)) inside++;
    }
    expect(inside / trials).toBeCloseTo(bandCoverage(n, eta), 1);
  });
  it('the tabled level keeps the confidence between its points, and hardly wastes any', () => {
    const random = createRandom(11);
    for (let trial = 0; trial < 60; trial++) {
      const n = 2 + Math.floor(Math.exp(random.next() * Math.log(900)));
      const confidence = 1 - Math.exp(Math.log(0.4) + random.next() * Math.log(0.002 / 0.4));
      const covered = bandCoverage(n, simultaneousLevel(n, confidence));
      expect(covered).toBeGreaterThanOrEqual(confidence);
      expect(1 - covered).toBeGreaterThan(0.9 * (1 - confidence));
    }
    for (const n of [11_000, 100_000]) expect(simultaneousLevel(n, 0.95)).toBeLessThan(simultaneousLevel(8000, 0.95));
  });
});
