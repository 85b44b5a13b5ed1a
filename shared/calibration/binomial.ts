/** Exact binomial bounds behind the thresholds: how sure a count of pictures can make us. */

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
  if (count >= n) return 1;
  let low = count / n;
  let high = 1;
  for (let i = 0; i < 60; i++) {
    const middle = (low + high) / 2;
    if (binomialCdf(count, n, middle) > 1 - confidence) low = middle;
    else high = middle;
  }
  return high;
}
