import type { Thresholds } from '../detection.ts';
import { forEachOperatingPoint, type RankedScores } from '../metrics/ranking.ts';
import type { CostPolicy } from './policies.ts';
import type { SentenceKey } from './sentences.ts';

/**
 * Best single threshold for F1 or Youden's J, half-way down to the next lower score.
 * @param defectRate F1 at this share of defects instead of the one among the scores
 */
export function bestPoint(ranked: RankedScores, { kind }: { kind: 'maxF1' | 'youden' }, defectRate?: number): number {
  const m = ranked.positives.length;
  const n = ranked.negatives.length;
  const share = defectRate ?? m / (m + n);
  let best = -Infinity;
  let value = Infinity;
  let below = -Infinity;
  let wantBelow = false;
  forEachOperatingPoint(ranked, (threshold, tp, fp) => {
    if (wantBelow) {
      below = threshold;
      wantBelow = false;
    }
    const found = share * (tp / m);
    const wrong = (1 - share) * (fp / n);
    const merit = kind === 'maxF1' ? (2 * found) / (share + found + wrong) : tp / m - fp / n;
    if (merit <= best) return;
    best = merit;
    value = threshold;
    below = -Infinity;
    wantBelow = true;
  });
  return between(below, value);
}

/**
 * Cheapest pair of thresholds. Per part, with F_D and F_N the shares of defects and good parts below a threshold, pi the
 * defect rate, and costs E (escape), R (false reject), V (review; the person decides rightly):
 *
 *   pi E F_D(review) + V [pi (F_D(fail) - F_D(review)) + (1 - pi)(F_N(fail) - F_N(review))] + (1 - pi) R (1 - F_N(fail))
 *
 * It falls apart into a term of `review` and one of `fail`, so one pass with the running best `review` finds the least.
 * @returns what is wrong when the cheapest is not to inspect
 */
export function cheapestPair(
  { positives, negatives }: RankedScores,
  { escape, reject, review, defectRate }: CostPolicy,
): Thresholds | { problem: SentenceKey } {
  const values = [...new Set([...positives, ...negatives])].sort((a, b) => a - b);
  let [d, g] = [0, 0];
  let bestReview = { cost: Infinity, at: -1 };
  let best = { cost: Infinity, review: -1, fail: -1 };
  // Candidate j: everything below values[j] passes; j = values.length passes all.
  for (let j = 0; j <= values.length; j++) {
    const threshold = values[j] ?? Infinity;
    while (d < positives.length && positives[d]! < threshold) d++;
    while (g < negatives.length && negatives[g]! < threshold) g++;
    const badBelow = (defectRate * d) / positives.length;
    const goodBelow = ((1 - defectRate) * g) / negatives.length;
    const looked = badBelow + goodBelow;
    const rejectCost = reject * (1 - defectRate - goodBelow);
    if (review === undefined) {
      const cost = escape * badBelow + rejectCost;
      if (cost <= best.cost) best = { cost, review: j, fail: j };
      continue;
    }
    const reviewCost = escape * badBelow - review * looked;
    if (reviewCost <= bestReview.cost) bestReview = { cost: reviewCost, at: j };
    const cost = bestReview.cost + review * looked + rejectCost;
    if (cost <= best.cost) best = { cost, review: bestReview.at, fail: j };
  }
  if (best.review === values.length) return { problem: 'costPassAll' };
  if (best.review === 0) return { problem: 'costFailAll' };
  const at = (j: number): number =>
    j === values.length ? beyond(values) : between(values[j - 1] ?? -Infinity, values[j]!);
  return { review: at(best.review), fail: at(best.fail) };
}

/** No score reached the fail threshold: it lies above all of them by half their range. */
function beyond(values: readonly number[]): number {
  const highest = values[values.length - 1]!;
  return highest + Math.max((highest - values[0]!) / 2, Math.abs(highest) * 1e-6, 1e-6);
}

/** A number above `low` and not above `high`, half-way where floats allow; `high` without a `low`. */
function between(low: number, high: number): number {
  if (low === -Infinity) return high;
  const half = low + (high - low) / 2;
  return half > low && half <= high ? half : high;
}
