/** Exact binomial bounds behind the thresholds: how sure a count of pictures can make us. */

import { simultaneousLevel } from './band.ts';
import { betaQuantile } from './distributions.ts';

/** A rate's bounds, 0..1. */
export interface Interval {
  low: number;
  high: number;
}

/** Where an interval is closed: on both sides, or only from above or below (the other side is then 0 or 1). */
export type Sides = 'both' | 'upper' | 'lower';

/**
 * Exact interval of a rate after `count` of `n` (Clopper and Pearson, Biometrika 26, 1934): its coverage is never below
 * `confidence`, whatever the rate. Honest only when what is counted was fixed before the parts were looked at.
 * @returns 0..1 for n = 0
 * @throws RangeError unless 0 <= count <= n, both whole, and 0 < confidence < 1
 */
export function clopperPearson(count: number, n: number, confidence: number, sides: Sides = 'both'): Interval {
  if (!Number.isInteger(count) || !Number.isInteger(n) || count < 0 || count > n) {
    throw new RangeError(`${count} of ${n} is not a count`);
  }
  if (!(confidence > 0 && confidence < 1)) throw new RangeError(`confidence ${confidence} is not between 0 and 1`);
  const tail = sides === 'both' ? (1 - confidence) / 2 : 1 - confidence;
  return {
    low: sides === 'upper' || count === 0 ? 0 : betaQuantile(tail, count, n - count + 1),
    // By symmetry, so that small tails keep their digits.
    high: sides === 'lower' || count === n ? 1 : 1 - betaQuantile(tail, n - count, count + 1),
  };
}

/** Two-sided exact binomial test of rate 1/2 (the exact McNemar test, with the discordant pairs as counts). */
export function signTest(count: number, n: number): number {
  if (n === 0) return 1;
  return Math.min(1, 2 * binomialCdf(Math.min(count, n - count), n, 0.5));
}

/** P(X <= k) for X ~ Binomial(n, p). Summed in log space, so that large n does not underflow. */
export function binomialCdf(k: number, n: number, p: number): number {
  if (k < 0) return 0;
  if (k >= n || p <= 0) return 1;
  if (p >= 1) return 0;
  const odds = Math.log(p) - Math.log1p(-p);
  let logTerm = n * Math.log1p(-p);
  let sum = Math.exp(logTerm);
  for (let i = 1; i <= k; i++) {
    logTerm += Math.log((n - i + 1) / i) + odds;
    sum += Math.exp(logTerm);
  }
  return Math.min(1, sum);
}

/**
 * Distribution-free tolerance bound: the largest k such that at most the share `rate` of all normal parts lies above the
 * k-th largest of n normal scores, with the given confidence (the share below it is Beta(n - k + 1, k) distributed
 * whatever the scores' distribution). 0 when n is too small for any k.
 */
export function toleranceRank(n: number, rate: number, confidence: number): number {
  let k = 0;
  while (k < n && binomialCdf(k, n, rate) <= 1 - confidence) k++;
  return k;
}

/** Least number of normal pictures for which {@link toleranceRank} gives 1: 59 for 5 % and 299 for 1 % at 95 %. */
export function normalsNeeded(rate: number, confidence: number): number {
  return Math.ceil(Math.log1p(-confidence) / Math.log1p(-rate) - 1e-9);
}

/**
 * Clopper-Pearson upper bound of a rate after `count` of `n` (one-sided): 0 of 40 still allows 7.2 % at 95 %.
 * @returns 1 for n = 0
 */
export function rateUpperBound(count: number, n: number, confidence: number): number {
  return count >= n ? 1 : clopperPearson(count, n, confidence, 'upper').high;
}

/**
 * Exact interval of a rate at a threshold that was chosen, or is being moved, on these very scores: it holds at all
 * thresholds at once with `confidence` (see band.ts).
 */
export function simultaneousInterval(count: number, n: number, confidence: number): Interval {
  if (n === 0) return { low: 0, high: 1 };
  return clopperPearson(count, n, 1 - simultaneousLevel(n, confidence));
}
