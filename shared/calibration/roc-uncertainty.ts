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
   * `delong`: Wald interval on the logit scale. Where DeLong's variance is 0 or unknown it would pretend certainty:
   * `separation`: no defect below a good part (or all), see {@link separatedBound}; `band`: areas under the edges of the
   * exact simultaneous band.
   */
  method: 'delong' | 'separation' | 'band' | 'none';
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
  if (auroc === 1) {
    return { auroc, standardError, low: separatedBound(m, n, confidence), high: 1, confidence, method: 'separation' };
  }
  if (auroc === 0) {
    return {
      auroc,
      standardError,
      low: 0,
      high: 1 - separatedBound(m, n, confidence),
      confidence,
      method: 'separation',
    };
  }
  if (standardError === null || standardError === 0) {
    return { auroc, standardError, ...bandArea(ranked, confidence), confidence, method: 'band' };
  }
  const z = normalQuantile((1 + confidence) / 2);
  const logit = Math.log(auroc / (1 - auroc));
  const half = (z * standardError) / (auroc * (1 - auroc));
  const back = (value: number): number => 1 / (1 + Math.exp(-value));
  return { auroc, standardError, low: back(logit - half), high: back(logit + half), confidence, method: 'delong' };
}

/**
 * Lower bound of the AUROC when all m defects score higher than all n good parts: a good part lies at or below the
 * highest seen with probability at least a, a defect at or above the lowest seen with at least b (exact one-sided
 * bounds, together at `confidence`), and then the defect wins: AUROC >= a b.
 */
function separatedBound(m: number, n: number, confidence: number): number {
  const risk = 1 - Math.sqrt(confidence);
  return risk ** (1 / m) * risk ** (1 / n);
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

/** Interval of a rate after `count` of `n`. */
type RateInterval = (count: number, n: number) => Interval;

/**
 * Band from intervals of both rates that hold at all thresholds at once: the true curve runs through every rectangle
 * [FPR low, FPR high] x [TPR low, TPR high], and it rises. So left of a rectangle it is at most its top, right of it at
 * least its bottom.
 */
function bandOf(
  { positives, negatives }: RankedScores,
  confidence: number,
  found: RateInterval,
  wrong: RateInterval,
): RocBand {
  const falsePositiveRate = rocGrid();
  const [m, n] = [positives.length, negatives.length];
  const size = falsePositiveRate.length;
  const low = new Float64Array(size);
  const high = new Float64Array(size).fill(1);
  const truePositiveRate = falsePositiveRate.map((rate) =>
    m === 0 || n === 0 ? NaN : tprAt(positives, negatives, rate),
  );
  const band = { falsePositiveRate, truePositiveRate, low, high, confidence };
  if (m === 0 || n === 0) return band;
  const remember = (rate: RateInterval, total: number): ((count: number) => Interval) => {
    const known = new Map<number, Interval>();
    return (count) => {
      const before = known.get(count) ?? rate(count, total);
      known.set(count, before);
      return before;
    };
  };
  const foundAt = remember(found, m);
  const wrongAt = remember(wrong, n);
  for (const threshold of new Set([...positives, ...negatives, Infinity])) {
    const tpr = foundAt(m - countBelow(positives, threshold));
    const fpr = wrongAt(n - countBelow(negatives, threshold));
    for (let i = 0; i < size; i++) {
      if (falsePositiveRate[i]! >= fpr.high) low[i] = Math.max(low[i]!, tpr.low);
      if (falsePositiveRate[i]! < fpr.low) high[i] = Math.min(high[i]!, tpr.high);
    }
  }
  return band;
}

/**
 * Simultaneous ROC band that is exact for any distribution: at every threshold both rates lie in their simultaneous
 * intervals (band.ts). Wide; never too narrow.
 */
export function exactRocBand(ranked: RankedScores, confidence = 0.95): RocBand {
  const each = Math.sqrt(confidence);
  const interval: RateInterval = (count, n) => simultaneousInterval(count, n, each);
  return bandOf(ranked, confidence, interval, interval);
}

/** Settings of {@link bootstrapRocBand}. */
export interface BootstrapOptions {
  confidence?: number;
  /** Default 1,000. */
  resamples?: number;
  seed?: number;
}

/**
 * Simultaneous ROC band by stratified bootstrap: good parts and defects are drawn anew, each among themselves. Rates are
 * compared on the arcsine scale, where a count's spread is the same everywhere (Anscombe 1948); the band is as wide as a
 * share `confidence` of the draws stays within at all thresholds at once. Approximate, about as wide as
 * {@link exactRocBand}; the same seed gives the same band.
 */
export function bootstrapRocBand(ranked: RankedScores, options: BootstrapOptions = {}): RocBand {
  const { positives, negatives } = ranked;
  const confidence = options.confidence ?? 0.95;
  const resamples = options.resamples ?? 1000;
  const random = createRandom(options.seed ?? 1);
  const farthest = Float64Array.from({ length: resamples }, () =>
    Math.max(largestDeviation(positives, random.int), largestDeviation(negatives, random.int)),
  ).sort();
  const at = Math.min(resamples - 1, Math.ceil((resamples + 1) * confidence) - 1);
  // With few parts the draws hardly differ: never below the width of a single threshold.
  const width = Math.max(farthest[at]!, normalQuantile((1 + confidence) / 2));
  const interval: RateInterval = (count, n) => {
    const half = width / (2 * Math.sqrt(n + 0.5));
    const middle = arcsine(count, n);
    const back = (angle: number): number => Math.sin(Math.min(Math.PI / 2, Math.max(0, angle))) ** 2;
    return { low: count === 0 ? 0 : back(middle - half), high: count === n ? 1 : back(middle + half) };
  };
  return bandOf(ranked, confidence, interval, interval);
}

/** Variance-stabilised rate; its standard error is 1/(2 sqrt(n + 1/2)). */
function arcsine(count: number, n: number): number {
  return Math.asin(Math.sqrt((count + 0.375) / (n + 0.75)));
}

/** Largest distance, in standard errors, between the distribution of ascending scores and that of as many drawn from them. */
function largestDeviation(sorted: ArrayLike<number>, int: (n: number) => number): number {
  const n = sorted.length;
  const drawn = new Uint32Array(n);
  for (let i = 0; i < n; i++) drawn[int(n)]!++;
  let most = 0;
  let below = 0;
  for (let i = 0; i < n; i++) {
    below += drawn[i]!;
    // Only behind the last of equal scores is there a threshold.
    if (i + 1 < n && sorted[i + 1] === sorted[i]) continue;
    most = Math.max(most, Math.abs(arcsine(below, n) - arcsine(i + 1, n)));
  }
  return most * 2 * Math.sqrt(n + 0.5);
}
