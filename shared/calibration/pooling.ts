import type { Thresholds } from '../detection.ts';
import type { Labels } from '../metrics/ranking.ts';
import { createRandom } from '../random.ts';
import type { Interval } from './binomial.ts';
import { betaQuantile } from './distributions.ts';
import { effectiveCount } from './groups.ts';
import { chooseThresholds, type PolicyChoice, type PolicyOptions, type PolicyResult } from './guarantee.ts';
import type { ThresholdPolicy } from './policies.ts';
import { type Sentence, sentence } from './sentences.ts';

/** Labelled scores of several classes, one entry per picture. */
export interface ClassedScores {
  scores: ArrayLike<number>;
  /** Truthy: defective. */
  labels: Labels;
  classNames: readonly string[];
  /** Lot or serial number of each; parts of one group count as less. */
  groups?: readonly string[];
}

/** A rate of one class, pulled towards the rate of all classes: an estimate, no guarantee. */
export interface ShrunkRate {
  count: number;
  n: number;
  /** Posterior mean and central interval. */
  rate: number;
  interval: Interval;
}

/** Thresholds of one class, where they come from, and what is known of its two rates at them. */
export interface ClassCalibration {
  className: string;
  normals: number;
  defects: number;
  /**
   * `own`: the class alone keeps the policy. `partial`: threshold of all classes, moved by the class's own level as far
   * as its parts can show one. `pooled`: threshold of all classes as it is. `none`: there is no threshold at all.
   */
  mode: 'own' | 'partial' | 'pooled' | 'none';
  thresholds: Thresholds | null;
  /** The class by itself: its guarantee, or what it lacks. */
  own: PolicyResult;
  /** Raw score units added to the pooled thresholds; 0 but for `partial`. */
  offset: number;
  /** Share of the class's own level in the offset, 0..1. */
  weight: number;
  /** At the thresholds used; null without thresholds or parts. */
  escape: ShrunkRate | null;
  falseReject: ShrunkRate | null;
  statement: Sentence;
}

/** Thresholds of all classes together and of each. */
export interface ClassedCalibration {
  /** All classes together, from scores with the class offsets taken off; its guarantee holds for the mix of classes. */
  pooled: PolicyResult;
  classes: ClassCalibration[];
  notes: Sentence[];
}

/** Settings of a calibration by class. */
export interface ClassedOptions extends PolicyOptions {
  /** Seeds which good parts tell the level of their class. */
  seed?: number;
  /** Uses the strictest limit the parts can show where the policy's own can't be kept. Default false. */
  acceptReachable?: boolean;
}

/** Below this a class's level isn't estimated. */
const fewestForLevel = 8;

/**
 * Calibrates every class as far as its parts allow: alone where it can keep the policy, else with the other classes.
 *
 * Pooling is partial: classes differ in level (median score of good parts), and each level is shrunk towards the mean of
 * all, weight tau^2/(tau^2 + v/n_c) (empirical Bayes for normal means, Efron and Morris 1975; tau^2 by moments, v/n_c the
 * variance of a median). Levels come from one half of each class's good parts; the pooled threshold is chosen on the
 * other half and the defects, moved to one level, so that its guarantee stays exact for the mix of classes.
 * @throws RangeError when lengths differ
 */
export function calibrateClasses(
  data: ClassedScores,
  policy: ThresholdPolicy,
  options: ClassedOptions = {},
): ClassedCalibration {
  const { scores, labels, classNames } = data;
  if (classNames.length !== scores.length || labels.length !== scores.length) {
    throw new RangeError(`${scores.length} scores, ${labels.length} labels, ${classNames.length} class names`);
  }
  const names = [...new Set(classNames)].sort();
  const pick = (result: PolicyResult): PolicyChoice | null =>
    result.ok ? result : options.acceptReachable === true ? result.reachable : null;
  const of = (positions: readonly number[], moved: (i: number) => number): PolicyResult =>
    chooseThresholds(
      positions.map((i) => scores[i]! - moved(i)),
      positions.map((i) => Boolean(labels[i])),
      policy,
      { ...options, ...(options.ids !== undefined && { ids: positions.map((i) => options.ids![i]!) }) },
    );
  const all = classNames.map((_, i) => i);
  const own = new Map(
    names.map(
      (name) =>
        [
          name,
          of(
            all.filter((i) => classNames[i] === name),
            () => 0,
          ),
        ] as const,
    ),
  );
  const levels = names.length > 1 ? classLevels(data, names, options.seed ?? 1) : null;
  const offsetOf = (name: string): number => levels?.offsets.get(name)?.offset ?? 0;
  // With levels, the good parts that told them have had their say.
  const choosing = levels === null ? all : all.filter((i) => !levels.used.has(i));
  const pooled = of(choosing, (i) => offsetOf(classNames[i]!));
  const shared = pick(pooled);
  const classes = names.map((className): ClassCalibration => {
    const result = own.get(className)!;
    const level = levels?.offsets.get(className);
    const mode = result.ok ? 'own' : shared === null ? 'none' : level === undefined ? 'pooled' : 'partial';
    const offset = mode === 'partial' ? level!.offset : 0;
    const chosen = result.ok ? result : shared;
    const thresholds = chosen === null ? null : { review: chosen.review + offset, fail: chosen.fail + offset };
    const { normals, defects } = result;
    const params = { className, normals, defects, offset, weight: level?.weight ?? 0 };
    const key =
      mode === 'own'
        ? 'classOwn'
        : mode === 'partial'
          ? 'classPartial'
          : mode === 'pooled'
            ? 'classPooled'
            : 'classNone';
    return {
      className,
      normals,
      defects,
      mode,
      thresholds,
      own: result,
      offset,
      weight: mode === 'partial' ? level!.weight : mode === 'own' ? 1 : 0,
      escape: null,
      falseReject: null,
      statement: sentence(key, params),
    };
  });
  addShrunkRates(data, classes, options.confidence ?? 0.95);
  return { pooled, classes, notes: groupNotes(data) };
}

interface Levels {
  offsets: Map<string, { offset: number; weight: number }>;
  /** Positions of the good parts that told a level. */
  used: Set<number>;
}

/** Shrunk levels of the classes against the mean of all, from half of each class's good parts; null: too few classes. */
function classLevels(
  { scores, labels, classNames }: ClassedScores,
  names: readonly string[],
  seed: number,
): Levels | null {
  const random = createRandom(seed);
  const used = new Set<number>();
  const known: { name: string; median: number; n: number; squares: number }[] = [];
  for (const name of names) {
    const normals = classNames.flatMap((own, i) =>
      own === name && !labels[i] && Number.isFinite(scores[i]) ? [i] : [],
    );
    if (normals.length < fewestForLevel) continue;
    const half = random.shuffle(normals).slice(0, normals.length >> 1);
    const values = half.map((i) => scores[i]!).sort((a, b) => a - b);
    const median = middleOf(values);
    // 1.4826 x median absolute deviation: the spread without its tail.
    const spread = 1.4826 * middleOf(values.map((value) => Math.abs(value - median)).sort((a, b) => a - b));
    known.push({ name, median, n: half.length, squares: spread ** 2 });
    for (const i of half) used.add(i);
  }
  if (known.length < 3) return null;
  const degrees = known.reduce((sum, { n }) => sum + n - 1, 0);
  const within = known.reduce((sum, { squares, n }) => sum + squares * (n - 1), 0) / degrees;
  const centre = known.reduce((sum, { median }) => sum + median, 0) / known.length;
  // Variance of a median: pi/2 times that of a mean.
  const noiseOf = (n: number): number => ((Math.PI / 2) * within) / n;
  const seen = known.reduce((sum, { median }) => sum + (median - centre) ** 2, 0) / (known.length - 1);
  const noise = known.reduce((sum, { n }) => sum + noiseOf(n), 0) / known.length;
  const tau2 = Math.max(0, seen - noise);
  const offsets = new Map(
    known.map(({ name, median, n }) => {
      const weight = tau2 === 0 ? 0 : tau2 / (tau2 + noiseOf(n));
      return [name, { offset: weight * (median - centre), weight }];
    }),
  );
  return { offsets, used };
}

function middleOf(sorted: readonly number[]): number {
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
}

/** Escape and false-reject rate of every class at its thresholds, by {@link shrinkRates}. */
function addShrunkRates(
  { scores, labels, classNames }: ClassedScores,
  classes: ClassCalibration[],
  confidence: number,
): void {
  const counts = classes.map(({ className, thresholds }) => {
    const tally = { escapes: 0, defects: 0, rejects: 0, normals: 0 };
    if (thresholds === null) return tally;
    classNames.forEach((name, i) => {
      if (name !== className) return;
      if (labels[i]) {
        tally.defects++;
        if (scores[i]! < thresholds.review) tally.escapes++;
      } else {
        tally.normals++;
        if (!(scores[i]! < thresholds.fail)) tally.rejects++;
      }
    });
    return tally;
  });
  const escapes = shrinkRates(
    counts.map(({ escapes: count, defects: n }) => ({ count, n })),
    confidence,
  );
  const rejects = shrinkRates(
    counts.map(({ rejects: count, normals: n }) => ({ count, n })),
    confidence,
  );
  classes.forEach((entry, c) => {
    if (entry.thresholds === null) return;
    if (counts[c]!.defects > 0) entry.escape = escapes[c]!;
    if (counts[c]!.normals > 0) entry.falseReject = rejects[c]!;
  });
}

/**
 * Rates of classes, each pulled towards the common one as far as the classes resemble each other: beta-binomial
 * empirical Bayes, prior strength by moments between 2 and 200 parts (Kleinman 1973), prior mean from all classes with
 * Jeffreys' half counts. A class without parts gets the prior.
 */
export function shrinkRates(counts: readonly { count: number; n: number }[], confidence = 0.95): ShrunkRate[] {
  const known = counts.filter(({ n }) => n > 0);
  const total = known.reduce((sum, { n }) => sum + n, 0);
  const hits = known.reduce((sum, { count }) => sum + count, 0);
  const mean = (hits + 0.5) / (total + 1);
  const strength = priorStrength(known, total, hits);
  const a = mean * strength;
  const b = (1 - mean) * strength;
  const tail = (1 - confidence) / 2;
  return counts.map(({ count, n }) => ({
    count,
    n,
    rate: (a + count) / (strength + n),
    interval: {
      low: betaQuantile(tail, a + count, b + n - count),
      high: 1 - betaQuantile(tail, b + n - count, a + count),
    },
  }));
}

function priorStrength(known: readonly { count: number; n: number }[], total: number, hits: number): number {
  const rate = hits / total;
  if (known.length < 3 || hits === 0 || hits === total) return 2;
  // Spread of the classes' rates beyond what counting alone makes.
  const excess = known.reduce((sum, { count, n }) => sum + n * (count / n - rate) ** 2, 0);
  const sizes = total - known.reduce((sum, { n }) => sum + n * n, 0) / total;
  const counting = rate * (1 - rate);
  const correlation = (excess - (known.length - 1) * counting) / ((sizes - (known.length - 1)) * counting);
  if (!(correlation > 0)) return 200;
  return Math.min(200, Math.max(2, 1 / correlation - 1));
}

function groupNotes({ scores, labels, groups }: ClassedScores): Sentence[] {
  if (groups === undefined) return [];
  const notes: Sentence[] = [];
  for (const wanted of [false, true]) {
    const own = groups.flatMap((_, i) => (Boolean(labels[i]) === wanted ? [i] : []));
    const names = own.map((i) => groups[i]!);
    const count = new Set(names).size;
    if (own.length < 2 || count === own.length) continue;
    if (count === 1) notes.push(sentence('oneGroup', { parts: own.length }));
    else {
      const worth = effectiveCount(
        own.map((i) => scores[i]!),
        names,
      );
      if (worth < own.length * 0.9) notes.push(sentence('fewGroups', { parts: own.length, groups: count, worth }));
    }
  }
  return notes;
}
