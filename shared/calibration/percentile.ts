import { binomialCdf, normalsNeeded } from './binomial.ts';

/** A percentile as measured, with its one-sided upper bound. */
export interface PercentileBound {
  n: number;
  /** Smallest time that at least `share` of the parts don't exceed; NaN without any. */
  value: number;
  /** Null: too few for a bound. */
  upper: number | null;
  moreNeeded: number;
}

/** Upper confidence bound of a percentile by order statistics. A time that is not a number counts as endless. */
export function percentileBound(times: ArrayLike<number>, share: number, confidence: number): PercentileBound {
  const sorted = Float64Array.from(times, (time) => (Number.isNaN(time) ? Infinity : time)).sort();
  const n = sorted.length;
  const value = n === 0 ? NaN : sorted[Math.max(0, Math.ceil(n * share - 1e-9) - 1)]!;
  // X_(j) reaches the percentile unless at least j times lie below it: Binomial(n, share).
  let j = Math.max(1, Math.ceil(n * share));
  while (j <= n && binomialCdf(j - 1, n, share) < confidence) j++;
  const enough = n > 0 && j <= n;
  return {
    n,
    value,
    upper: enough ? sorted[j - 1]! : null,
    moreNeeded: enough ? 0 : normalsNeeded(1 - share, confidence) - n,
  };
}
