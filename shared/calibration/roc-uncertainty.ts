import { createRandom } from '../random.ts';
import { type Labels, type RankedScores, rankScores } from '../metrics/ranking.ts';
import { type Interval, simultaneousInterval } from './binomial.ts';
import { normalQuantile } from './distributions.ts';
import { countBelow } from './sorted.ts';

/** Area under the ROC curve with its uncertainty. */
export interface AurocInterval extends Interval {
  /** Null when a label is missing. */
  auroc: number | null;
  /** Standard error by DeLong; null when a label has fewer than two scores. */
  standardError: number | null;
  confidence: number;
  /**
   * `delong`: Wald interval on the logit scale. `band`: areas under the lower and upper edge of the exact simultaneous
   * band, where DeLong's variance is 0 (perfect separation) and would pretend certainty.
   */
  method: 'delong' | 'band' | 'none';
}

/**
 * AUROC with a confidence interval (DeLong, DeLong and Clarke-Pearson 1988, computed from midranks as Sun and Xu 2014
 * do). The Wald interval is taken for logit(AUROC), which keeps it within 0..1 and covers better near 1 (Pepe 2003).
 */
export function aurocInterval(scores: ArrayLike<number>, labels: Labels, confidence = 0.95): AurocInterval {
  const ranked = rankScores(labels, scores);
  const { positives, negatives } = ranked;
  const [m, n] = [positives.length, negatives.length];
  if (m === 0 || n === 0) return { auroc: null, standardError: null, low: 0, high: 1, confidence, method: 'none' };
  // Structural components: for each defect the share of good parts it beats, for each good part of defects beating it.
  const ofPositives = Float64Array.from(positives, (score) => placement(negatives, score));
  const ofNegatives = Float64Array.from(negatives, (score) => 1 - placement(positives, score));
  const auroc = mean(ofPositives);
  const standardError = m < 2 || n < 2 ? null : Math.sqrt(variance(ofPositives) / m + variance(ofNegatives) / n);
  if (standardError === null || standardError === 0 || auroc === 0 || auroc === 1) {
    return { auroc, standardError, ...bandArea(ranked, confidence), confidence, method: 'band' };
  }
  const z = normalQuantile((1 + confidence) / 2);
  const logit = Math.log(auroc / (1 - auroc));
  const half = (z * standardError) / (auroc * (1 - auroc));
  const back = (value: number): number => 1 / (1 + Math.exp(-value));
  return { auroc, standardError, low: back(logit - half), high: back(logit + half), confidence, method: 'delong' };
}

/** Share of the ascending scores below `score`, ties half. */
function placement(sorted: ArrayLike<number>, score: number): number {
  return (countBelow(sorted, score) + upperBound(sorted, score)) / 2 / sorted.length;
}

/** How many of the ascending scores are at or below `score`. */
function upperBound(sorted: ArrayLike<number>, score: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle]! <= score) low = middle + 1;
    else high = middle;
  }
  return low;
}

function mean(values: Float64Array): number {
  let sum = 0;
  for (const value of values) sum += value;
  return sum / values.length;
}

function variance(values: Float64Array): number {
  const centre = mean(values);
  let sum = 0;
  for (const value of values) sum += (value - centre) ** 2;
  return sum / (values.length - 1);
}

/** Least and largest area under any curve within the exact band. */
function bandArea(ranked: RankedScores, confidence: number): Interval {
  const { falsePositiveRate, low, high } = exactRocBand(ranked, confidence);
  const area = (edge: Float64Array, step: 'left' | 'right'): number => {
    let sum = 0;
    for (let i = 1; i < falsePositiveRate.length; i++) {
      sum += (falsePositiveRate[i]! - falsePositiveRate[i - 1]!) * edge[step === 'left' ? i - 1 : i]!;
    }
    return sum;
  };
  return { low: area(low, 'left'), high: area(high, 'right') };
}

/** Band around a ROC curve: at each false-positive rate the least and largest true-positive rate. */
export interface RocBand {
  /** Ascending, 0..1. */
  falsePositiveRate: Float64Array;
  /** The curve as measured. */
  truePositiveRate: Float64Array;
  low: Float64Array;
  high: Float64Array;
  confidence: number;
}

/** Points at which bands are given: dense near 0, where lines work. */
function rocGrid(): Float64Array {
  const points = Array.from({ length: 101 }, (_, i) => i / 100);
  for (let i = 1; i < 20; i++) points.push(i / 1000, i / 2000);
  return Float64Array.from(new Set(points)).sort();
}

/** TPR at a false-positive rate: the highest of any threshold that rejects no larger share of good parts. */
function tprAt(positives: ArrayLike<number>, negatives: ArrayLike<number>, falsePositiveRate: number): number {
  const allowed = Math.floor(falsePositiveRate * negatives.length + 1e-9);
  if (allowed >= negatives.length) return 1;
  const limit = negatives[negatives.length - 1 - allowed]!; // The threshold must lie above this good score.
  return (positives.length - upperBound(positives, limit)) / positives.length;
}

/**
 * Simultaneous ROC band that is exact for any distribution: at every threshold both rates lie in their simultaneous
 * intervals (band.ts), so the true curve runs through all these rectangles. Wide; never too narrow.
 */
export function exactRocBand({ positives, negatives }: RankedScores, confidence = 0.95): RocBand {
  const falsePositiveRate = rocGrid();
  const [m, n] = [positives.length, negatives.length];
  const each = Math.sqrt(confidence);
  const size = falsePositiveRate.length;
  const band: RocBand = {
    falsePositiveRate,
    truePositiveRate: falsePositiveRate.map((rate) => (m === 0 || n === 0 ? NaN : tprAt(positives, negatives, rate))),
    low: new Float64Array(size),
    high: new Float64Array(size).fill(1),
    confidence,
  };
  if (m === 0 || n === 0) return band;
  // Per threshold (every distinct score, and one beyond all): [FPR low, FPR high] x [TPR low, TPR high].
  const thresholds = Float64Array.from(new Set([...positives, ...negatives, Infinity])).sort();
  band.low.fill(0);
  for (const threshold of thresholds) {
    const tp = m - countBelow(positives, threshold);
    const fp = n - countBelow(negatives, threshold);
    const found = simultaneousInterval(tp, m, each);
    const wrong = simultaneousInterval(fp, n, each);
    // The curve rises: left of the rectangle it's at most its top, right of it at least its bottom.
    for (let i = 0; i < size; i++) {
      if (falsePositiveRate[i]! >= wrong.high) band.low[i] = Math.max(band.low[i]!, found.low);
      if (falsePositiveRate[i]! <= wrong.low) band.high[i] = Math.min(band.high[i]!, found.high);
    }
  }
  return band;
}

export interface BootstrapOptions {
  confidence?: number;
  /** Default 1,000. */
  resamples?: number;
  seed?: number;
}

/**
 * Simultaneous ROC band by stratified bootstrap: good parts and defects are drawn anew, each among themselves; the band
 * has the width that keeps a share `confidence` of the curves drawn inside at all points at once (largest studentised
 * distance). Where resampling sees no spread (perfect separation) the spread of one more success and failure among so
 * many parts (Agresti and Coull) stands in. Approximate, narrower than {@link exactRocBand}; the same seed gives the
 * same band.
 */
export function bootstrapRocBand(ranked: RankedScores, options: BootstrapOptions = {}): RocBand {
  const { positives, negatives } = ranked;
  const confidence = options.confidence ?? 0.95;
  const resamples = options.resamples ?? 1000;
  const random = createRandom(options.seed ?? 1);
  const falsePositiveRate = rocGrid();
  const size = falsePositiveRate.length;
  const [m, n] = [positives.length, negatives.length];
  if (m === 0 || n === 0) return exactRocBand(ranked, confidence);
  const truePositiveRate = falsePositiveRate.map((rate) => tprAt(positives, negatives, rate));
  const curves = Array.from({ length: resamples }, () => {
    const p = redrawn(positives, random.int);
    const q = redrawn(negatives, random.int);
    return falsePositiveRate.map((rate) => tprAt(p, q, rate));
  });
  const spread = falsePositiveRate.map((_, i) => {
    let sum = 0;
    for (const curve of curves) sum += (curve[i]! - truePositiveRate[i]!) ** 2;
    const smoothed = (truePositiveRate[i]! * m + 2) / (m + 4);
    return Math.sqrt(Math.max(sum / resamples, (smoothed * (1 - smoothed)) / (m + 4)));
  });
  const farthest = Float64Array.from(curves, (curve) => {
    let most = 0;
    for (let i = 0; i < size; i++) most = Math.max(most, Math.abs(curve[i]! - truePositiveRate[i]!) / spread[i]!);
    return most;
  }).sort();
  // Never below the pointwise normal width: with few parts the curves drawn hardly differ.
  const width = Math.max(
    farthest[Math.min(resamples - 1, Math.ceil(resamples * confidence))]!,
    normalQuantile((1 + confidence) / 2),
  );
  return {
    falsePositiveRate,
    truePositiveRate,
    low: truePositiveRate.map((rate, i) => Math.max(0, rate - width * spread[i]!)),
    high: truePositiveRate.map((rate, i) => Math.min(1, rate + width * spread[i]!)),
    confidence,
  };
}

function redrawn(sorted: ArrayLike<number>, int: (n: number) => number): Float64Array {
  return Float64Array.from({ length: sorted.length }, () => sorted[int(sorted.length)]!).sort();
}
