import { UserError } from '../errors.ts';
import { forEachOperatingPoint, type RankedScores } from '../metrics/ranking.ts';
import { normalsNeeded, rateUpperBound, toleranceRank } from './binomial.ts';

/**
 * How the fail threshold is chosen.
 * - `normalsOnly`: bounds the false rejects, knowing normal pictures alone
 * - `maxF1`, `youden`: best point of the PR / ROC curve; need defects
 * - `maxEscapeRate`: highest threshold that lets at most this share of the defects pass; needs defects
 * - `maxFalseRejectRate`: lowest threshold that rejects at most this share of the normal pictures given
 * - `cost`: cheapest threshold for what an escape, a false reject (and a review, where given) cost, at the line's
 *   share of defective parts; need defects
 */
export type ThresholdPolicy =
  | { kind: 'normalsOnly'; maxFalseRejectRate: number }
  | { kind: 'maxF1' }
  | { kind: 'youden' }
  | { kind: 'maxEscapeRate'; rate: number }
  | { kind: 'maxFalseRejectRate'; rate: number }
  | CostPolicy;

/** Costs in any one unit, for one part each. */
export interface CostPolicy {
  kind: 'cost';
  escape: number;
  reject: number;
  /** A person's look at a part, who then decides rightly. Left out: nobody looks, there is one threshold. */
  review?: number | undefined;
  /** The line's share of defective parts. */
  defectRate: number;
}

/**
 * What a threshold rests on.
 * - `orderStatistic`: held-out normal scores with a distribution-free guarantee
 * - `extrapolated`: held-out normal scores, too few for the guarantee: exponential tail fitted beyond them
 * - `assumed`: hardly any held-out normal score: fixed defaults of the score's scale
 * - `roc`: normal and defect scores
 */
export type ThresholdBasis = 'orderStatistic' | 'extrapolated' | 'assumed' | 'roc';

/** One threshold with its basis. A part is rejected (or reviewed) when `score >= value`. */
export interface ChosenThreshold {
  value: number;
  basis: ThresholdBasis;
}

/** Below this many normal scores a tail can't be fitted. */
const fewestForTail = 8;

/** Share of the highest scores that the tail fit uses. */
const tailShare = 0.25;

/**
 * Threshold above which at most `rate` of the normal parts lie.
 *
 * With enough scores: just above the k-th largest (see {@link toleranceRank}), whatever the distribution. With fewer:
 * the highest quarter's mean excess over its start is fitted by an exponential, a heavier tail than the fused
 * score's (softplus of standardised values), enlarged by (k + 1)/k for its own uncertainty. With fewer than
 * {@link fewestForTail}: the larger of `assumed` and the highest score.
 * @param normals ascending
 * @param notBelowNormals keeps an extrapolated threshold above every score seen
 */
export function normalThreshold(
  normals: Float32Array | Float64Array,
  rate: number,
  confidence: number,
  assumed: number,
  notBelowNormals: boolean,
): ChosenThreshold {
  const n = normals.length;
  const rank = toleranceRank(n, rate, confidence);
  if (rank > 0) return { value: justAbove(normals[n - rank]!), basis: 'orderStatistic' };
  const highest = n === 0 ? -Infinity : justAbove(normals[n - 1]!);
  if (n < fewestForTail) return { value: Math.max(assumed, highest), basis: 'assumed' };
  const k = Math.max(4, Math.ceil(n * tailShare));
  const start = normals[n - k - 1]!;
  let excess = 0;
  for (let i = n - k; i < n; i++) excess += (normals[i]! - start) / k;
  const value = start + excess * (1 + 1 / k) * Math.max(0, Math.log(k / (n * rate)));
  return { value: notBelowNormals ? Math.max(value, highest) : justAbove(value), basis: 'extrapolated' };
}

/** How many more normal pictures the guarantee for this rate needs; 0 when there are enough. */
export function moreNormalsNeeded(n: number, rate: number, confidence: number): number {
  return Math.max(0, normalsNeeded(rate, confidence) - n);
}

/** Normal and defect scores above and below a threshold. */
export interface ConfusionCounts {
  /** Defects below the fail threshold and below review: passed. */
  escapes: number;
  /** Normal pictures at or above fail. */
  falseRejects: number;
  /** Pictures of both kinds in the band from review to fail. */
  reviews: number;
}

/**
 * Fail threshold from normal and defect scores. It lies half-way between the operating point's score and the next lower
 * one, so that small changes of a score on either side do not matter.
 * @throws UserError `defectsMissing` or `normalsMissing` when the policy has nothing to work on
 */
export function rocThreshold(
  ranked: RankedScores,
  policy: Exclude<ThresholdPolicy, { kind: 'normalsOnly' }>,
): ChosenThreshold {
  const positiveCount = ranked.positives.length;
  const negativeCount = ranked.negatives.length;
  if (positiveCount === 0) {
    throw new UserError(
      'defectsMissing',
      `The threshold policy "${policy.kind}" needs pictures of defects, and there are none.`,
      'Add some to a defect folder, or calibrate from normal pictures only.',
    );
  }
  if (negativeCount === 0) {
    throw new UserError(
      'normalsMissing',
      `The threshold policy "${policy.kind}" needs normal pictures that were not trained on, and there are none.`,
      'Keep some apart for calibration.',
    );
  }
  let best = -Infinity;
  let value = Infinity;
  let nextBelow: number | null = null;
  forEachOperatingPoint(ranked, (threshold, tp, fp) => {
    if (nextBelow === null && value !== Infinity) nextBelow = threshold;
    const merit = policyMerit(policy, tp / positiveCount, fp / negativeCount, tp / (tp + fp));
    if (merit <= best) return;
    best = merit;
    value = threshold;
    nextBelow = null;
  });
  // Nothing qualifies (every point rejects too many normal parts): reject only what is above all scores.
  if (value === Infinity) return { value: justAbove(highestOf(ranked)), basis: 'roc' };
  return { value: nextBelow === null ? value : middle(nextBelow, value), basis: 'roc' };
}

/** Larger is better; points that break a limit have none. Points come from the highest threshold down. */
function policyMerit(
  policy: Exclude<ThresholdPolicy, { kind: 'normalsOnly' }>,
  recall: number,
  falsePositiveRate: number,
  precision: number,
): number {
  if (recall === 0) return -Infinity;
  switch (policy.kind) {
    case 'maxF1':
      return (2 * precision * recall) / (precision + recall);
    case 'youden':
      return recall - falsePositiveRate;
    case 'maxEscapeRate':
      // The first point that is good enough has the highest threshold, so later ones must not beat it.
      return 1 - recall <= policy.rate + 1e-12 ? 0 : -Infinity;
    case 'maxFalseRejectRate':
      // Among those allowed the lowest threshold that still gains a defect.
      return falsePositiveRate <= policy.rate + 1e-12 ? recall : -Infinity;
    case 'cost':
      return (
        -policy.escape * policy.defectRate * (1 - recall) - policy.reject * (1 - policy.defectRate) * falsePositiveRate
      );
  }
}

function highestOf({ positives, negatives }: RankedScores): number {
  return Math.max(positives[positives.length - 1] ?? -Infinity, negatives[negatives.length - 1] ?? -Infinity);
}

/** A number strictly above `low` and not above `high`, half-way where floats allow. */
function middle(low: number, high: number): number {
  const half = low + (high - low) / 2;
  return half > low && half <= high ? half : high;
}

/** Smallest number above a finite `value`, so that the value itself is not rejected by `score >= threshold`. */
export function justAbove(value: number): number {
  const bits = new DataView(new ArrayBuffer(8));
  bits.setFloat64(0, value + 0);
  const pattern = bits.getBigInt64(0);
  if (value === 0) return Number.MIN_VALUE;
  bits.setBigInt64(0, value > 0 ? pattern + 1n : pattern - 1n);
  return bits.getFloat64(0);
}

/** Upper bound of the escape rate after what was seen, see {@link rateUpperBound}. Null without defects. */
export function escapeBound(escapes: number, defects: number, confidence: number): number | null {
  return defects === 0 ? null : rateUpperBound(escapes, defects, confidence);
}
