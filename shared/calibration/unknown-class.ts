import { decide, type DetectionResult, type Thresholds, type Verdict } from '../detection.ts';
import { createRandom } from '../random.ts';
import { normalsNeeded } from './binomial.ts';
import { orderThreshold } from './guarantee.ts';
import { type Sentence, sentence } from './sentences.ts';

/** Limit of the class distance beyond which a part belongs to no known class. */
export interface UnknownClassThreshold {
  ok: true;
  /** A part is of an unknown class when `classDistance >= value`, in units of its class's scale where there are scales. */
  value: number;
  /** Unit of the distance per inferred class; absent: raw distances. */
  scales?: Readonly<Record<string, number>>;
  /** Unit for classes not listed. */
  otherScale?: number;
  /** Upper bound of the share of known parts beyond it, at `confidence`. */
  falseAlarmRate: number;
  confidence: number;
  normals: number;
  statement: Sentence;
}

/** No limit: why, and how many more good parts would give one. */
export interface UnknownClassRefusal {
  ok: false;
  reason: Sentence;
  moreNormals: number | null;
  /** What the parts given can show; null without a part. */
  reachable: UnknownClassThreshold | null;
}

/** Settings of {@link unknownClassThreshold}. */
export interface UnknownClassOptions {
  /** Largest share of known parts that may be taken for unknown. Default 0.01. */
  rate?: number;
  /** Default 0.95. */
  confidence?: number;
  /**
   * Inferred class of each part. Classes differ in how far their parts lie from their centre; with this, distances are
   * judged in units of the class's own median, so that a wide class doesn't hide strangers near a narrow one.
   */
  classNames?: readonly string[];
  /** Seeds which half of a class's parts tells its scale. */
  seed?: number;
}

/** A class with fewer parts has no scale of its own. */
const fewestForScale = 8;

/**
 * Threshold of the class distance from held-out good parts of all known classes: an order statistic, so that at most a
 * share `rate` of known parts is taken for unknown, whatever the distribution. Scales, where asked for, come from one half
 * of each class's parts and the threshold from the others, so the promise stays exact for the mix of classes.
 * @param distances `classDistance` of good parts that took no part in training
 */
export function unknownClassThreshold(
  distances: ArrayLike<number>,
  { rate = 0.01, confidence = 0.95, classNames, seed = 1 }: UnknownClassOptions = {},
): UnknownClassThreshold | UnknownClassRefusal {
  const all = Float64Array.from(distances);
  const broken = all.filter((distance) => !Number.isFinite(distance)).length;
  if (broken > 0) {
    const reason = sentence('scoresNotFinite', { count: broken, n: all.length });
    return { ok: false, reason, moreNormals: null, reachable: null };
  }
  const scale = classNames === undefined ? null : classScales(all, classNames, seed);
  const judged =
    scale === null
      ? all
      : all.map((distance, i) => distance / scaleOf(scale, classNames?.[i] ?? '')).filter((_, i) => !scale.used.has(i));
  const sorted = judged.slice().sort();
  const n = sorted.length;
  const more = normalsNeeded(rate, confidence) - n;
  if (n === 0) {
    return { ok: false, reason: sentence('noNormals', { moreNormals: more }), moreNormals: more, reachable: null };
  }
  const { value, kept, guarantee } = orderThreshold(sorted, 'falseRejectRate', rate, confidence);
  const { high } = guarantee;
  const statement = sentence('unknownOrder', { confidence, high, n });
  const threshold: UnknownClassThreshold = {
    ok: true,
    value,
    ...(scale !== null && { scales: scale.scales, otherScale: scale.otherScale }),
    falseAlarmRate: high,
    confidence,
    normals: n,
    statement,
  };
  if (kept) return threshold;
  const reason = sentence('unknownTooFew', { n, rate, confidence, moreNormals: more });
  return { ok: false, reason, moreNormals: more, reachable: threshold };
}

interface ClassScales {
  scales: Readonly<Record<string, number>>;
  otherScale: number;
}

/** Median distance of each class from a seeded half of its parts; null when no two classes have parts enough. */
function classScales(
  distances: Float64Array,
  classNames: readonly string[],
  seed: number,
): (ClassScales & { used: Set<number> }) | null {
  const random = createRandom(seed);
  const used = new Set<number>();
  const scales: Record<string, number> = {};
  for (const name of [...new Set(classNames)].sort()) {
    const own = classNames.flatMap((className, i) => (className === name ? [i] : []));
    if (own.length < fewestForScale) continue;
    const half = random.shuffle(own).slice(0, own.length >> 1);
    const sorted = half.map((i) => distances[i]!).sort((a, b) => a - b);
    const median = sorted[sorted.length >> 1]!;
    if (!(median > 0)) continue;
    scales[name] = median;
    for (const i of half) used.add(i);
  }
  const known = Object.values(scales);
  // Among few parts of unlike classes nothing is gained; a class without a scale is measured by the widest.
  return known.length < 2 ? null : { scales, otherScale: Math.max(...known), used };
}

function scaleOf({ scales, otherScale }: ClassScales, className: string): number {
  return Object.hasOwn(scales, className) ? scales[className]! : otherScale;
}

/** Class distance from which a part taken for this class belongs to none. */
export function classLimitFor(
  { value, scales, otherScale = 1 }: Pick<UnknownClassThreshold, 'value' | 'scales' | 'otherScale'>,
  className: string,
): number {
  return scales === undefined ? value : value * scaleOf({ scales, otherScale }, className);
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
  result: Pick<DetectionResult, 'predScore' | 'classDistance'> & Partial<Pick<DetectionResult, 'className'>>,
  thresholds: Thresholds,
  unknown?: Pick<UnknownClassThreshold, 'value' | 'scales' | 'otherScale'>,
): Judgement {
  return heedClass(decide(result.predScore, thresholds), result, unknown);
}

/** `judge` where the score's own verdict is known already. */
export function heedClass(
  verdict: Verdict,
  result: Pick<DetectionResult, 'classDistance'> & Partial<Pick<DetectionResult, 'className'>>,
  unknown?: Pick<UnknownClassThreshold, 'value' | 'scales' | 'otherScale'>,
): Judgement {
  if (verdict === 'noDecision') return { verdict, reason: 'scoreNotFinite', statement: sentence('scoreNotFinite') };
  if (unknown === undefined) return { verdict };
  const { classDistance } = result;
  const stricter = verdict === 'fail' ? 'fail' : 'review';
  // NaN: a model without a class vector, or a broken one. It must not pass as known.
  if (Number.isNaN(classDistance)) {
    return { verdict: stricter, reason: 'classUnchecked', statement: sentence('classUnchecked') };
  }
  const threshold = classLimitFor(unknown, result.className ?? '');
  if (classDistance < threshold) return { verdict };
  const statement = sentence('unknownClass', { distance: classDistance, threshold });
  return { verdict: stricter, reason: 'unknownClass', statement };
}
