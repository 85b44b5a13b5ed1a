import { describe, expect, it } from 'vitest';
import { binomialCdf, normalsNeeded, rateUpperBound, toleranceRank } from '../../shared/calibration/binomial.ts';
import fc from '../seeded-fast-check.ts';

describe('binomial bounds', () => {
  it('the distribution sums as it should', () => {
    expect(binomialCdf(-1, 5, 0.3)).toBe(0);
    expect(binomialCdf(5, 5, 0.3)).toBe(1);
    expect(binomialCdf(0, 3, 0.5)).toBeCloseTo(0.125, 14);
    expect(binomialCdf(2, 5, 0.3)).toBeCloseTo(0.83692, 10);
    expect(binomialCdf(40_000, 100_000, 0.4)).toBeCloseTo(0.5017, 3);
    expect([binomialCdf(2, 5, 0), binomialCdf(2, 5, 1)]).toEqual([1, 0]);
  });

  it('knows the textbook numbers of pictures', () => {
    expect(normalsNeeded(0.05, 0.95)).toBe(59);
    expect(normalsNeeded(0.01, 0.95)).toBe(299);
    expect(normalsNeeded(0.5, 0.75)).toBe(2);
    expect(toleranceRank(58, 0.05, 0.95)).toBe(0);
    expect(toleranceRank(59, 0.05, 0.95)).toBe(1);
    expect(toleranceRank(92, 0.05, 0.95)).toBe(1);
    expect(toleranceRank(93, 0.05, 0.95)).toBe(2);
    expect(toleranceRank(0, 0.05, 0.95)).toBe(0);
  });

  it('the rank is the largest that keeps the confidence', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 400 }),
        fc.double({ min: 0.005, max: 0.4, noNaN: true }),
        fc.double({ min: 0.5, max: 0.99, noNaN: true }),
        (n, rate, confidence) => {
          const rank = toleranceRank(n, rate, confidence);
          if (rank > 0) expect(1 - binomialCdf(rank - 1, n, rate)).toBeGreaterThanOrEqual(confidence - 1e-12);
          if (rank < n) expect(1 - binomialCdf(rank, n, rate)).toBeLessThan(confidence);
          expect(rank > 0).toBe(n >= normalsNeeded(rate, confidence));
        },
      ),
    );
  });

  it('0 escapes in 40 defects still allow 7.2 %', () => {
    expect(rateUpperBound(0, 40, 0.95)).toBeCloseTo(0.0722, 4);
    expect(rateUpperBound(2, 40, 0.95)).toBeCloseTo(0.1492, 4);
    expect(rateUpperBound(40, 40, 0.95)).toBe(1);
    expect(rateUpperBound(0, 0, 0.95)).toBe(1);
  });
});
