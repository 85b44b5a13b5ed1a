import { rateUpperBound } from '../calibration/binomial.ts';
import type { ExactRate } from './types.ts';

/** A share with its two-sided Clopper-Pearson interval; 0 of 0 is no number, and anything from 0 to 1 is possible. */
export function exactRate(count: number, total: number, confidence: number): ExactRate {
  const each = 1 - (1 - confidence) / 2;
  return {
    count,
    total,
    value: total === 0 ? null : count / total,
    low: total === 0 || count === 0 ? 0 : 1 - rateUpperBound(total - count, total, each),
    high: total === 0 ? 1 : rateUpperBound(count, total, each),
  };
}

/** P(T <= t) of Student's t with whole degrees of freedom, by the finite sums of Abramowitz and Stegun 26.7.3 and 26.7.4. */
function studentCdf(t: number, degrees: number): number {
  const angle = Math.atan(t / Math.sqrt(degrees));
  const sine = Math.sin(angle);
  const cosine = Math.cos(angle);
  const odd = degrees % 2 === 1;
  let term = odd ? cosine : 1;
  let sum = degrees === 1 ? 0 : term;
  for (let k = odd ? 3 : 2; k <= degrees - 2; k += 2) {
    term *= (cosine * cosine * (k - 1)) / k;
    sum += term;
  }
  const between = odd ? (2 / Math.PI) * (angle + sine * sum) : sine * sum;
  return 0.5 + between / 2;
}

/** Quantile of Student's t: `studentQuantile(0.975, 10)` is 2.228. @param p from 0.5 to below 1 */
export function studentQuantile(p: number, degrees: number): number {
  let low = 0;
  let high = 1;
  while (studentCdf(high, degrees) < p) high *= 2;
  for (let i = 0; i < 80; i++) {
    const middle = (low + high) / 2;
    if (studentCdf(middle, degrees) < p) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}
