import type { Thresholds } from '../detection.ts';
import { type Labels, type RankedScores, rankScores } from '../metrics/ranking.ts';
import { clopperPearson, type Interval, normalsNeeded, simultaneousInterval, toleranceRank } from './binomial.ts';
import { bestPoint, cheapestPair } from './optimum.ts';
import { justAbove, type ThresholdPolicy } from './policies.ts';
import { inputProblem, type InputProblem, policyProblem } from './policy-input.ts';
import { countBelow } from './sorted.ts';
import { type Sentence, sentence } from './sentences.ts';

/**
 * Thresholds with a guarantee that stays true although threshold and guarantee come from the same pictures.
 *
 * - A limit on one rate (escapes, false rejects) is kept by an order statistic: with m defects the threshold is the k-th
 *   lowest defect score, k the largest with P(Beta(k, m - k + 1) > limit) <= 1 - confidence. k depends on m alone, never
 *   on the scores, so the promise is exact (Wilks 1941). The other rate's interval is Clopper-Pearson, exact too: the
 *   threshold does not depend on the parts it is counted on.
 * - F1, Youden and cost search all thresholds for the best. Their intervals hold at every threshold at once (band.ts),
 *   hence at the one found, both rates together.
 *
 * What these parts can't show is refused, with the number of further parts that could.
 */

/** A promise about one rate. */
export interface Guarantee extends Interval {
  about: 'escapeRate' | 'falseRejectRate';
  /** Counted on the calibration pictures at this rate's threshold. */
  count: number;
  n: number;
  confidence: number;
  method: 'orderStatistic' | 'clopperPearson' | 'simultaneousBand';
  statement: Sentence;
}

/** Thresholds that keep a policy, with what is guaranteed about them. */
export interface PolicyChoice extends Thresholds {
  ok: true;
  policy: ThresholdPolicy;
  normals: number;
  defects: number;
  confidence: number;
  /** Escapes are parts below `review`, false rejects parts at or above `fail`. */
  guarantees: Guarantee[];
  /** What else a person should know. */
  notes: Sentence[];
}

/** A policy that the pictures can not show: why, and how many more could. */
export interface PolicyRefusal {
  ok: false;
  policy: ThresholdPolicy;
  normals: number;
  defects: number;
  confidence: number;
  reason: Sentence;
  /** Further parts after which the policy could be kept; 0: that label isn't what is missing. Null: no number helps. */
  moreNormals: number | null;
  moreDefects: number | null;
  /** The strictest limit that these parts can show, with its thresholds; null when there is none. */
  reachable: PolicyChoice | null;
}

export type PolicyResult = PolicyChoice | PolicyRefusal;

/** What a policy is weighed with. */
export interface PolicyOptions {
  /** Default 0.95. */
  confidence?: number;
  /**
   * Makes a second threshold from the other label: a limit on its rate, kept by an order statistic too (or by the most
   * extreme score, with the limit that shows). The two thresholds then span the review band: below it escapes, above it
   * false rejects are bounded, between them a person looks. Ignored by `cost`, which finds both itself.
   */
  otherRate?: number;
  /** F1, Youden, cost: refuse when a rate can't even be shown to be below this. Default 0.5. */
  worstBound?: number;
  /** F1 only: the line's share of defects instead of the pictures'. */
  defectRate?: number;
  /** sha256 or path of each picture: the same one under both labels is refused. */
  ids?: readonly string[];
}

/**
 * Chooses thresholds by a policy, or refuses.
 * @param labels truthy: defective
 * @throws RangeError when the lengths differ
 */
export function chooseThresholds(
  scores: ArrayLike<number>,
  labels: Labels,
  policy: ThresholdPolicy,
  options: PolicyOptions = {},
): PolicyResult {
  if (scores.length !== labels.length)
    throw new RangeError(`${labels.length} labels do not fit ${scores.length} scores`);
  const confidence = options.confidence ?? 0.95;
  let defects = 0;
  for (let i = 0; i < labels.length; i++) if (labels[i]) defects++;
  const about = { policy, normals: labels.length - defects, defects, confidence };
  const refuse = (problem: InputProblem, reachable: PolicyChoice | null = null): PolicyRefusal => ({
    ok: false,
    ...about,
    ...problem,
    reachable,
  });
  const problem =
    policyProblem(policy, confidence, options.otherRate) ??
    inputProblem(scores, labels, policy, confidence, options.ids);
  if (problem !== null) return refuse(problem);
  const ranked = rankScores(labels, scores);
  switch (policy.kind) {
    case 'maxEscapeRate':
      return boundedRate(ranked, 'escapeRate', policy.rate, about, options.otherRate, refuse);
    case 'maxFalseRejectRate':
      return boundedRate(ranked, 'falseRejectRate', policy.rate, about, options.otherRate, refuse);
    case 'normalsOnly':
      return boundedRate(ranked, 'falseRejectRate', policy.maxFalseRejectRate, about, options.otherRate, refuse);
    case 'maxF1':
    case 'youden': {
      const value = bestPoint(ranked, policy, options.defectRate);
      return banded(ranked, { review: value, fail: value }, about, options.worstBound ?? 0.5, refuse);
    }
    case 'cost': {
      const pair = cheapestPair(ranked, policy);
      if ('problem' in pair) return refuse({ reason: sentence(pair.problem), moreNormals: 0, moreDefects: 0 });
      return banded(ranked, pair, about, options.worstBound ?? 0.5, refuse);
    }
  }
}

interface About {
  policy: ThresholdPolicy;
  normals: number;
  defects: number;
  confidence: number;
}

type Refuse = (problem: InputProblem, reachable?: PolicyChoice | null) => PolicyRefusal;

/** Threshold by an order statistic of one label, with its limit; the last score of all when `rate` can't be shown. */
interface OrderThreshold {
  value: number;
  /** Rank from the end that is allowed to be on the wrong side: k - 1 parts may be. */
  rank: number;
  /** Whether the limit asked for is shown. */
  kept: boolean;
  guarantee: Guarantee;
}

/**
 * @param sorted ascending scores of the label
 * @throws RangeError for an empty label
 */
export function orderThreshold(
  sorted: ArrayLike<number>,
  about: Guarantee['about'],
  rate: number,
  confidence: number,
): OrderThreshold {
  const n = sorted.length;
  if (n === 0) throw new RangeError('no scores');
  const allowed = toleranceRank(n, rate, confidence);
  const rank = Math.max(1, allowed);
  const value = about === 'escapeRate' ? sorted[rank - 1]! : justAbove(sorted[n - rank]!);
  // k - 1 parts lie strictly beyond at most, so the Clopper-Pearson bound of that count is the order statistic's. Where
  // the limit is kept the promise is the limit: it was asked for, and the whole steps of k leave it some reserve.
  const kept = allowed > 0;
  const high = kept ? rate : clopperPearson(rank - 1, n, confidence, 'upper').high;
  const statement = sentence(about === 'escapeRate' ? 'escapeOrder' : 'falseRejectOrder', { confidence, high, n });
  const count = about === 'escapeRate' ? countBelow(sorted, value) : n - countBelow(sorted, value);
  const guarantee = { about, count, n, low: 0, high, confidence, method: 'orderStatistic', statement } as const;
  return { value, rank, kept, guarantee };
}

function boundedRate(
  { positives, negatives }: RankedScores,
  about: Guarantee['about'],
  rate: number,
  known: About,
  otherRate: number | undefined,
  refuse: Refuse,
): PolicyResult {
  const { confidence } = known;
  const [own, other] = about === 'escapeRate' ? [positives, negatives] : [negatives, positives];
  const main = orderThreshold(own, about, rate, confidence);
  const notes: Sentence[] = [];
  const guarantees = [main.guarantee];
  let thresholds: Thresholds = { review: main.value, fail: main.value };
  const otherAbout = about === 'escapeRate' ? 'falseRejectRate' : 'escapeRate';
  if (other.length === 0) {
    notes.push(
      otherAbout === 'escapeRate'
        ? sentence('noDefects', { moreDefects: 1 })
        : sentence('noNormals', { moreNormals: 1 }),
    );
  } else if (otherRate === undefined) {
    guarantees.push(exactGuarantee(other, otherAbout, main.value, confidence));
  } else {
    const second = orderThreshold(other, otherAbout, otherRate, confidence);
    if (!second.kept) notes.push(shortfall(otherAbout, otherRate, other.length, confidence).reason);
    guarantees.push(second.guarantee);
    thresholds = { review: Math.min(main.value, second.value), fail: Math.max(main.value, second.value) };
  }
  notes.push(sentence('independence'));
  const choice: PolicyChoice = { ok: true, ...known, ...thresholds, guarantees, notes };
  return main.kept ? choice : refuse(shortfall(about, rate, own.length, confidence), choice);
}

/** Interval of a rate whose parts had no say in the threshold. */
function exactGuarantee(
  sorted: ArrayLike<number>,
  about: Guarantee['about'],
  threshold: number,
  confidence: number,
): Guarantee {
  const n = sorted.length;
  const count = about === 'escapeRate' ? countBelow(sorted, threshold) : n - countBelow(sorted, threshold);
  const interval = clopperPearson(count, n, confidence);
  const key = about === 'escapeRate' ? 'escapeExact' : 'falseRejectExact';
  const statement = sentence(key, { count, n, confidence, ...interval });
  return { about, count, n, confidence, ...interval, method: 'clopperPearson', statement };
}

function shortfall(about: Guarantee['about'], rate: number, n: number, confidence: number): InputProblem {
  const more = normalsNeeded(rate, confidence) - n;
  const params = { n, rate, confidence };
  return about === 'escapeRate'
    ? { reason: sentence('tooFewDefects', { ...params, moreDefects: more }), moreNormals: 0, moreDefects: more }
    : { reason: sentence('tooFewNormals', { ...params, moreNormals: more }), moreNormals: more, moreDefects: 0 };
}

/** Both rates at thresholds found by searching, with intervals that hold together. */
function banded(
  { positives, negatives }: RankedScores,
  { review, fail }: Thresholds,
  about: About,
  worst: number,
  refuse: Refuse,
): PolicyResult {
  const escapes = countBelow(positives, review);
  const falseRejects = negatives.length - countBelow(negatives, fail);
  // Defects and good parts are independent samples: both hold together with the product of the two confidences.
  const each = Math.sqrt(about.confidence);
  const { confidence, defects, normals } = about;
  const moreDefects = moreForBound(escapes, defects, worst, each);
  const moreNormals = moreForBound(falseRejects, normals, worst, each);
  if (moreDefects !== 0 || moreNormals !== 0) {
    const params = { defects, normals, worst, moreDefects: moreDefects ?? '?', moreNormals: moreNormals ?? '?' };
    return refuse({ reason: sentence('tooFewForInterval', params), moreDefects, moreNormals });
  }
  const promise = (kind: 'escape' | 'falseReject', count: number, n: number): Guarantee => {
    const interval = simultaneousInterval(count, n, each);
    const statement = sentence(`${kind}Band`, { count, n, confidence, ...interval });
    return { about: `${kind}Rate`, count, n, confidence, ...interval, method: 'simultaneousBand', statement };
  };
  const guarantees = [promise('escape', escapes, defects), promise('falseReject', falseRejects, normals)];
  return {
    ok: true,
    ...about,
    review,
    fail,
    guarantees,
    notes: [sentence('bothTogether', { confidence }), sentence('independence')],
  };
}

/** Most parts that {@link moreForBound} thinks of. */
const mostFurtherParts = 10_000;

/** Further parts, at the rate seen, after which the band's upper bound is below `worst`; null when no number helps. */
function moreForBound(count: number, n: number, worst: number, confidence: number): number | null {
  for (let more = 0; more <= mostFurtherParts; more += Math.max(1, Math.floor((n + more) / 50))) {
    const expected = n === 0 ? 0 : Math.round((count / n) * (n + more));
    if (simultaneousInterval(expected, n + more, confidence).high < worst) return more;
  }
  return null;
}
