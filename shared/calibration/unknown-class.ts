import { decide, type DetectionResult, type Thresholds, type Verdict } from '../detection.ts';
import { normalsNeeded } from './binomial.ts';
import { orderThreshold } from './guarantee.ts';
import { type Sentence, sentence } from './sentences.ts';

/** Limit of the class distance beyond which a part belongs to no known class. */
export interface UnknownClassThreshold {
  ok: true;
  /** A part is of an unknown class when `classDistance >= value`. */
  value: number;
  /** Upper bound of the share of known parts beyond it, at `confidence`. */
  falseAlarmRate: number;
  confidence: number;
  normals: number;
  statement: Sentence;
}

export interface UnknownClassRefusal {
  ok: false;
  reason: Sentence;
  moreNormals: number | null;
  /** What the parts given can show; null without a part. */
  reachable: UnknownClassThreshold | null;
}

/**
 * Threshold of the class distance from held-out good parts of all known classes: an order statistic, so that at most a
 * share `rate` of known parts is taken for unknown, whatever the distribution.
 * @param distances `classDistance` of good parts that took no part in training
 */
export function unknownClassThreshold(
  distances: ArrayLike<number>,
  rate = 0.01,
  confidence = 0.95,
): UnknownClassThreshold | UnknownClassRefusal {
  const n = distances.length;
  const sorted = Float64Array.from(distances).sort();
  const broken = sorted.filter((distance) => !Number.isFinite(distance)).length;
  if (broken > 0) {
    const reason = sentence('scoresNotFinite', { count: broken, n });
    return { ok: false, reason, moreNormals: null, reachable: null };
  }
  const more = normalsNeeded(rate, confidence) - n;
  if (n === 0)
    return { ok: false, reason: sentence('noNormals', { moreNormals: more }), moreNormals: more, reachable: null };
  const { value, kept, guarantee } = orderThreshold(sorted, 'falseRejectRate', rate, confidence);
  const { high } = guarantee;
  const statement = sentence('unknownOrder', { confidence, high, n });
  const threshold: UnknownClassThreshold = { ok: true, value, falseAlarmRate: high, confidence, normals: n, statement };
  if (kept) return threshold;
  const reason = sentence('unknownTooFew', { n, rate, confidence, moreNormals: more });
  return { ok: false, reason, moreNormals: more, reachable: threshold };
}

/** A verdict and what kept the part from simply passing or failing by its score. */
export interface Judgement {
  verdict: Verdict;
  /** Absent when the score alone decided. */
  reason?: 'unknownClass' | 'classUnchecked' | 'scoreNotFinite';
  statement?: Sentence;
}

/**
 * Verdict of one part. A part of no known class never passes: its score was compared with the wrong normal parts, so a
 * person looks (`review`, reason `unknownClass`). A score that fails still fails: the stricter word holds.
 * @param unknown limit of the class distance; left out: classes are not checked
 */
export function judge(
  result: Pick<DetectionResult, 'predScore' | 'classDistance'>,
  thresholds: Thresholds,
  unknown?: Pick<UnknownClassThreshold, 'value'>,
): Judgement {
  const verdict = decide(result.predScore, thresholds);
  if (verdict === 'noDecision') return { verdict, reason: 'scoreNotFinite', statement: sentence('scoreNotFinite') };
  if (unknown === undefined) return { verdict };
  const { classDistance } = result;
  const stricter = verdict === 'fail' ? 'fail' : 'review';
  // NaN: a model without a class vector, or a broken one. It must not pass as known.
  if (Number.isNaN(classDistance)) {
    return { verdict: stricter, reason: 'classUnchecked', statement: sentence('classUnchecked') };
  }
  if (classDistance < unknown.value) return { verdict };
  const statement = sentence('unknownClass', { distance: classDistance, threshold: unknown.value });
  return { verdict: stricter, reason: 'unknownClass', statement };
}
