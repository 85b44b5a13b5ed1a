import { UserError } from '../errors.ts';

/**
 * Ranking metrics over labels and scores. All of them come from one object: the scores of each label, sorted once.
 * Exact: every distinct score is a threshold, nothing is binned. A part counts as predicted anomalous when
 * `score >= threshold`. Where a metric is not defined (a label is missing), the result is `null`.
 */

/** Scores of both labels, each ascending. Feed many metrics from one instance: the sorting is the costly part. */
export interface RankedScores {
  /** Scores of anomalous items, ascending. */
  positives: Float32Array | Float64Array;
  /** Scores of normal items, ascending. */
  negatives: Float32Array | Float64Array;
}

/** Labels as people have them: 0/1 numbers or booleans. */
export type Labels = ArrayLike<number | boolean>;

/** Best point of the precision-recall trade-off. */
export interface F1Max {
  /** Largest F1, 0..1. */
  value: number;
  /** Highest score at which it is reached; predicted positive is `score >= threshold`. */
  threshold: number;
}

/** Operating points from "nothing predicted" (threshold Infinity) to "everything predicted". */
export interface RocCurve {
  thresholds: Float64Array;
  falsePositiveRate: Float64Array;
  truePositiveRate: Float64Array;
}

/** Operating points at every distinct score, descending. */
export interface PrCurve {
  thresholds: Float64Array;
  precision: Float64Array;
  recall: Float64Array;
}

/**
 * Splits scores by label and sorts both parts.
 * @param labels anything truthy is anomalous
 * @param scores same length as `labels`; infinite scores are allowed, NaN is not
 * @throws RangeError when the lengths differ
 * @throws UserError `scoreNotANumber` when a score is NaN
 */
export function rankScores(labels: Labels, scores: ArrayLike<number>): RankedScores {
  if (labels.length !== scores.length) {
    throw new RangeError(`${labels.length} labels do not fit ${scores.length} scores`);
  }
  let positiveCount = 0;
  for (let i = 0; i < labels.length; i++) if (labels[i]) positiveCount++;
  const positives = new Float64Array(positiveCount);
  const negatives = new Float64Array(scores.length - positiveCount);
  for (let i = 0, p = 0, n = 0; i < scores.length; i++) {
    if (labels[i]) positives[p++] = scores[i]!;
    else negatives[n++] = scores[i]!;
  }
  for (const part of [positives, negatives]) {
    part.sort();
    refuseNan(part);
  }
  return { positives, negatives };
}

/**
 * Refuses NaN in a sorted array, where NaN comes last.
 * @throws UserError `scoreNotANumber`
 */
export function refuseNan(sorted: Float32Array | Float64Array): void {
  if (sorted.length === 0 || !Number.isNaN(sorted[sorted.length - 1]!)) return;
  throw new UserError(
    'scoreNotANumber',
    'A score is not a number (NaN), so nothing can be ranked.',
    'Check the model with "twinspect model verify" and the picture that gave this score.',
  );
}

/** Walks all distinct scores from high to low; `tp` and `fp` count what is at or above `threshold`. */
export function forEachOperatingPoint(
  ranked: RankedScores,
  visit: (threshold: number, tp: number, fp: number) => void,
): void {
  const { positives, negatives } = ranked;
  let p = positives.length - 1;
  let n = negatives.length - 1;
  while (p >= 0 || n >= 0) {
    const threshold = p < 0 ? negatives[n]! : n < 0 ? positives[p]! : Math.max(positives[p]!, negatives[n]!);
    while (p >= 0 && positives[p]! === threshold) p--;
    while (n >= 0 && negatives[n]! === threshold) n--;
    visit(threshold, positives.length - 1 - p, negatives.length - 1 - n);
  }
}

/** Area under the ROC curve: chance that an anomalous score beats a normal one, ties count half. Null with one label. */
export function rankedAuroc(ranked: RankedScores): number | null {
  const pairs = ranked.positives.length * ranked.negatives.length;
  if (pairs === 0) return null;
  let wins = 0; // Twice the wins, an exact integer for up to 6e7 scores of each label.
  let lastTp = 0;
  let lastFp = 0;
  forEachOperatingPoint(ranked, (_threshold, tp, fp) => {
    wins += (fp - lastFp) * (tp + lastTp);
    lastTp = tp;
    lastFp = fp;
  });
  return wins / 2 / pairs;
}

/** Average precision `sum (R_n - R_{n-1}) P_n`, no interpolation (method-spec section 8). Null without positives. */
export function rankedAveragePrecision(ranked: RankedScores): number | null {
  const positiveCount = ranked.positives.length;
  if (positiveCount === 0) return null;
  let area = 0;
  let lastTp = 0;
  forEachOperatingPoint(ranked, (_threshold, tp, fp) => {
    if (tp > lastTp) area += ((tp - lastTp) * tp) / (tp + fp);
    lastTp = tp;
  });
  return area / positiveCount;
}

/**
 * Largest F1 over all thresholds. Null without positives.
 * @param eps added to the denominator P + R: 0 as in ADer, 1e-7 as in Dinomaly
 */
export function rankedF1Max(ranked: RankedScores, eps = 0): F1Max | null {
  const positiveCount = ranked.positives.length;
  if (positiveCount === 0) return null;
  let value = -1;
  let threshold = Infinity;
  forEachOperatingPoint(ranked, (at, tp, fp) => {
    if (tp === 0) return;
    // With eps = 0 the closed form is exact in integers, so equal F1 values compare as equal.
    const precision = tp / (tp + fp);
    const recall = tp / positiveCount;
    const f1 = eps === 0 ? (2 * tp) / (positiveCount + tp + fp) : (2 * precision * recall) / (precision + recall + eps);
    if (f1 > value) {
      value = f1;
      threshold = at;
    }
  });
  return { value, threshold };
}

/** ROC curve with one point per distinct score and the start (0, 0). Null with one label. */
export function rankedRocCurve(ranked: RankedScores): RocCurve | null {
  const positiveCount = ranked.positives.length;
  const negativeCount = ranked.negatives.length;
  if (positiveCount === 0 || negativeCount === 0) return null;
  const size = countOperatingPoints(ranked) + 1;
  const curve: RocCurve = {
    thresholds: new Float64Array(size),
    falsePositiveRate: new Float64Array(size),
    truePositiveRate: new Float64Array(size),
  };
  curve.thresholds[0] = Infinity;
  let i = 0;
  forEachOperatingPoint(ranked, (threshold, tp, fp) => {
    i++;
    curve.thresholds[i] = threshold;
    curve.truePositiveRate[i] = tp / positiveCount;
    curve.falsePositiveRate[i] = fp / negativeCount;
  });
  return curve;
}

/** Precision and recall at every distinct score. Null without positives. */
export function rankedPrCurve(ranked: RankedScores): PrCurve | null {
  const positiveCount = ranked.positives.length;
  if (positiveCount === 0) return null;
  const size = countOperatingPoints(ranked);
  const curve: PrCurve = {
    thresholds: new Float64Array(size),
    precision: new Float64Array(size),
    recall: new Float64Array(size),
  };
  let i = 0;
  forEachOperatingPoint(ranked, (threshold, tp, fp) => {
    curve.thresholds[i] = threshold;
    curve.precision[i] = tp / (tp + fp);
    curve.recall[i] = tp / positiveCount;
    i++;
  });
  return curve;
}

function countOperatingPoints(ranked: RankedScores): number {
  let count = 0;
  forEachOperatingPoint(ranked, () => {
    count++;
  });
  return count;
}

/** AUROC of labels and scores, see {@link rankedAuroc}. */
export function auroc(labels: Labels, scores: ArrayLike<number>): number | null {
  return rankedAuroc(rankScores(labels, scores));
}

/** Average precision of labels and scores, see {@link rankedAveragePrecision}. */
export function averagePrecision(labels: Labels, scores: ArrayLike<number>): number | null {
  return rankedAveragePrecision(rankScores(labels, scores));
}

/** Largest F1 of labels and scores, see {@link rankedF1Max}. */
export function f1Max(labels: Labels, scores: ArrayLike<number>, eps = 0): F1Max | null {
  return rankedF1Max(rankScores(labels, scores), eps);
}

/** ROC curve of labels and scores, see {@link rankedRocCurve}. */
export function rocCurve(labels: Labels, scores: ArrayLike<number>): RocCurve | null {
  return rankedRocCurve(rankScores(labels, scores));
}

/** Precision-recall curve of labels and scores, see {@link rankedPrCurve}. */
export function prCurve(labels: Labels, scores: ArrayLike<number>): PrCurve | null {
  return rankedPrCurve(rankScores(labels, scores));
}
