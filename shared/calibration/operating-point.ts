import type { Thresholds } from '../detection.ts';
import type { Labels } from '../metrics/ranking.ts';
import { clopperPearson, type Interval, simultaneousInterval } from './binomial.ts';
import { type Sentence, sentence } from './sentences.ts';

/** What the work at an operating point is reckoned with. */
export interface OperatingPointOptions {
  /** Confidence of every interval, each by itself. Default 0.95. */
  confidence?: number;
  /** The line's real share of defective parts, 0..1. Left out: the share among the pictures, and a sentence says so. */
  defectRate?: number;
  /** Parts that the line makes in an hour; left out: no figures per hour. */
  partsPerHour?: number;
  /**
   * Whether the thresholds were chosen on these same pictures (default; intervals then hold at every threshold at
   * once, so a handle may be moved until the numbers please) or fixed before these pictures were looked at (shorter,
   * exact Clopper-Pearson intervals).
   */
  thresholdsFrom?: 'thesePictures' | 'elsewhere';
}

/** A rate of one kind of part at the thresholds. */
export interface RateEstimate {
  count: number;
  /** Parts of that kind. */
  n: number;
  /** Null when there is none. */
  rate: number | null;
  interval: Interval;
}

/** A number per 1,000 parts or per hour; null where nothing is known of it, its bounds then say so too. */
export interface Expected {
  value: number | null;
  low: number;
  high: number;
}

/** What is to be expected from a number of parts at the line's defect rate. */
export interface ExpectedWork {
  /** Defective parts that pass unseen. */
  escapes: Expected;
  /** Good parts that fail. */
  falseRejects: Expected;
  /** Parts of both kinds that a person looks at. */
  reviews: Expected;
  /** Of these, defective: what people must catch. */
  defectsInReview: Expected;
}

/** Everything about a pair of thresholds on labelled scores. */
export interface OperatingPoint extends Thresholds {
  confidence: number;
  defectRate: number;
  defectRateFrom: 'given' | 'pictures';
  normals: number;
  defects: number;
  /** Parts without a finite score; the station rejects them, so they count as rejected. */
  notFinite: number;
  /** Defects below review: nobody sees them. */
  escape: RateEstimate;
  /** Defects from review to below fail. */
  defectReview: RateEstimate;
  /** Good parts at or above fail. */
  falseReject: RateEstimate;
  /** Good parts from review to below fail. */
  normalReview: RateEstimate;
  perThousand: ExpectedWork;
  /** Null without `partsPerHour`. */
  perHour: ExpectedWork | null;
  /** The same in words. */
  sentences: Sentence[];
}

/**
 * Counts, rates with exact intervals, and expected work at two thresholds. One pass over the scores: fast enough to be
 * called while a handle is dragged.
 * @param labels truthy: defective
 * @throws RangeError when lengths differ, a threshold is NaN, or an option is out of range
 */
export function describeOperatingPoint(
  scores: ArrayLike<number>,
  labels: Labels,
  thresholds: Thresholds,
  options: OperatingPointOptions = {},
): OperatingPoint {
  const confidence = options.confidence ?? 0.95;
  checkOptions(scores, labels, thresholds, confidence, options);
  const review = Math.min(thresholds.review, thresholds.fail);
  const fail = Math.max(thresholds.review, thresholds.fail);
  const tally = count(scores, labels, review, fail);
  const { normals, defects } = tally;
  const given = options.defectRate !== undefined;
  const total = normals + defects;
  const defectRate = options.defectRate ?? (total === 0 ? 0 : defects / total);
  const rates = (level: number) => {
    const below = options.thresholdsFrom === 'elsewhere' ? clopperPearson : simultaneousInterval;
    const band = options.thresholdsFrom === 'elsewhere' ? exactBand : simultaneousBand;
    return {
      escape: estimate(tally.escapes, defects, below(tally.escapes, defects, level)),
      defectReview: estimate(tally.defectReviews, defects, band(tally.escapes, tally.defectReviews, defects, level)),
      falseReject: estimate(tally.falseRejects, normals, below(tally.falseRejects, normals, level)),
      normalReview: estimate(
        tally.normalReviews,
        normals,
        band(tally.falseRejects, tally.normalReviews, normals, level),
      ),
    };
  };
  const own = rates(confidence);
  // A sum of two rates: each at half the risk, so that both hold together.
  const together = rates((1 + confidence) / 2);
  const work = (parts: number): ExpectedWork => {
    const bad = parts * defectRate;
    const good = parts * (1 - defectRate);
    return {
      escapes: scaled([own.escape, bad]),
      falseRejects: scaled([own.falseReject, good]),
      reviews: scaled([together.defectReview, bad], [together.normalReview, good]),
      defectsInReview: scaled([own.defectReview, bad]),
    };
  };
  const point: Omit<OperatingPoint, 'sentences'> = {
    review,
    fail,
    confidence,
    defectRate,
    defectRateFrom: given ? 'given' : 'pictures',
    normals,
    defects,
    notFinite: tally.notFinite,
    ...own,
    perThousand: work(1000),
    perHour: options.partsPerHour === undefined ? null : work(options.partsPerHour),
  };
  return { ...point, sentences: describe(point, thresholds, options) };
}

interface Tally {
  normals: number;
  defects: number;
  escapes: number;
  defectReviews: number;
  falseRejects: number;
  normalReviews: number;
  notFinite: number;
}

function count(scores: ArrayLike<number>, labels: Labels, review: number, fail: number): Tally {
  const tally: Tally = {
    normals: 0,
    defects: 0,
    escapes: 0,
    defectReviews: 0,
    falseRejects: 0,
    normalReviews: 0,
    notFinite: 0,
  };
  for (let i = 0; i < scores.length; i++) {
    const score = scores[i]!;
    const finite = Number.isFinite(score);
    if (!finite) tally.notFinite++;
    const rejected = !finite || score >= fail;
    if (labels[i]) {
      tally.defects++;
      if (rejected) continue;
      if (score >= review) tally.defectReviews++;
      else tally.escapes++;
    } else {
      tally.normals++;
      if (rejected) tally.falseRejects++;
      else if (score >= review) tally.normalReviews++;
    }
  }
  return tally;
}

function exactBand(_outside: number, inside: number, n: number, confidence: number): Interval {
  return n === 0 ? { low: 0, high: 1 } : clopperPearson(inside, n, confidence);
}

/** Interval of the share between two thresholds, from the band that holds at both: difference of the two bounds. */
function simultaneousBand(outside: number, inside: number, n: number, confidence: number): Interval {
  const far = simultaneousInterval(outside, n, confidence);
  const near = simultaneousInterval(outside + inside, n, confidence);
  return { low: Math.max(0, near.low - far.high), high: Math.min(1, near.high - far.low) };
}

function estimate(counted: number, n: number, interval: Interval): RateEstimate {
  return { count: counted, n, rate: n === 0 ? null : counted / n, interval };
}

/** Sum of rates times numbers of parts; a kind that makes up no part of the line contributes nothing, known or not. */
function scaled(...terms: readonly [RateEstimate, number][]): Expected {
  const sum: Expected = { value: 0, low: 0, high: 0 };
  for (const [{ rate, interval }, parts] of terms) {
    if (parts === 0) continue;
    sum.value = sum.value === null || rate === null ? null : sum.value + rate * parts;
    sum.low += interval.low * parts;
    sum.high += interval.high * parts;
  }
  return sum;
}

function describe(
  point: Omit<OperatingPoint, 'sentences'>,
  asked: Thresholds,
  { partsPerHour, thresholdsFrom }: OperatingPointOptions,
): Sentence[] {
  const exact = thresholdsFrom === 'elsewhere';
  const { escape, defectReview, falseReject, normalReview, normals, defects, confidence, defectRate } = point;
  const said: Sentence[] = [];
  if (asked.review > asked.fail) said.push(sentence('reviewAboveFail', { review: asked.review, fail: asked.fail }));
  if (point.notFinite > 0) {
    said.push(sentence('notFiniteRejected', { count: point.notFinite, n: normals + defects }));
  }
  said.push(
    sentence('counts', {
      normals,
      defects,
      escapes: escape.count,
      defectReviews: defectReview.count,
      falseRejects: falseReject.count,
      normalReviews: normalReview.count,
    }),
  );
  said.push(
    defects === 0 ? sentence('noDefects', { moreDefects: 1 }) : rateSentence('escape', escape, confidence, exact),
  );
  said.push(
    normals === 0
      ? sentence('noNormals', { moreNormals: 1 })
      : rateSentence('falseReject', falseReject, confidence, exact),
  );
  if (normals + defects === 0) return said;
  if (point.defectRateFrom === 'pictures') said.push(sentence('prevalenceFromSample', { defectRate }));
  if (defectRate === 0) said.push(sentence('defectRateZero'));
  if (defectRate === 1) said.push(sentence('defectRateOne'));
  const { escapes, falseRejects, reviews, defectsInReview } = point.perThousand;
  if (escapes.value !== null && falseRejects.value !== null && reviews.value !== null) {
    const params = { escapes: escapes.value, falseRejects: falseRejects.value, reviews: reviews.value };
    const highs = { escapesHigh: escapes.high, falseRejectsHigh: falseRejects.high, reviewsHigh: reviews.high };
    said.push(sentence('perThousand', { defectRate, ...params, ...highs }));
    if (reviews.value > 0 && defectsInReview.value !== null) {
      said.push(sentence('reviewersCatch', { defects: defectsInReview.value, reviews: reviews.value }));
    }
    if (partsPerHour !== undefined) {
      const times = partsPerHour / 1000;
      said.push(
        sentence('perHour', {
          partsPerHour,
          escapes: escapes.value * times,
          falseRejects: falseRejects.value * times,
          reviews: reviews.value * times,
        }),
      );
    }
  }
  return said;
}

function rateSentence(
  which: 'escape' | 'falseReject',
  { count: counted, n, interval }: RateEstimate,
  confidence: number,
  exact: boolean,
): Sentence {
  return sentence(`${which}${exact ? 'Exact' : 'Band'}`, {
    count: counted,
    n,
    confidence,
    low: interval.low,
    high: interval.high,
  });
}

function checkOptions(
  scores: ArrayLike<number>,
  labels: Labels,
  { review, fail }: Thresholds,
  confidence: number,
  { defectRate, partsPerHour }: OperatingPointOptions,
): void {
  if (scores.length !== labels.length)
    throw new RangeError(`${labels.length} labels do not fit ${scores.length} scores`);
  if (Number.isNaN(review) || Number.isNaN(fail)) throw new RangeError('a threshold is not a number');
  if (!(confidence > 0 && confidence < 1)) throw new RangeError(`confidence ${confidence} is not between 0 and 1`);
  if (defectRate !== undefined && !(defectRate >= 0 && defectRate <= 1)) {
    throw new RangeError(`defect rate ${defectRate} is not between 0 and 1`);
  }
  if (partsPerHour !== undefined && !(partsPerHour >= 0 && Number.isFinite(partsPerHour))) {
    throw new RangeError(`${partsPerHour} parts per hour`);
  }
}
