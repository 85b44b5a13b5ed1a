import { splitByGroup } from '../../shared/calibration/groups.ts';
import type { Random } from '../../shared/random.ts';
import { memoryDefaults } from './defaults.ts';

/** Mean and standard deviation of one score per class, `[C]` each: z = (score - mean) / sd. */
export interface Standardisation {
  mean: Float32Array;
  sd: Float32Array;
}

/** z of one picture's score in its class. */
export function standardised({ mean, sd }: Standardisation, classIndex: number, score: number): number {
  return (score - mean[classIndex]!) / sd[classIndex]!;
}

/**
 * Standardisation from scores of normal pictures the score has not seen (embedded recipe, section 5): the class's
 * mean, and sd^2 = (s^2 (n-1) + 8 g^2)/(n - 1 + 8) with g^2 the mean of s^2 over classes. A class without scores
 * takes the mean of the other classes' means; without any, the stated defaults.
 *
 * @param scores per class, any number of them
 */
export function standardise(
  scores: readonly ArrayLike<number>[],
  fallbackMean: number = memoryDefaults.fallbackScoreMean,
): Standardisation {
  const means = scores.map(meanOf);
  const known = means.filter((mean) => mean !== undefined);
  const stand = meanOf(known) ?? fallbackMean;
  return {
    mean: Float32Array.from(means, (mean) => mean ?? stand),
    sd: Float32Array.from(shrunkDeviations(scores)),
  };
}

/**
 * Standardisation from scores of training pictures, which look too normal, shifted to what held-out pictures show
 * (section 7): mean + sd (n_c delta_c + 8 delta)/(n_c + 8), delta_c = (held-out mean - training mean)/sd of the class,
 * delta its mean over the classes that have held-out pictures, n_c their number.
 */
export function standardiseShifted(
  training: readonly ArrayLike<number>[],
  heldOut: readonly ArrayLike<number>[],
  fallbackMean: number = memoryDefaults.fallbackScoreMean,
): Standardisation {
  const { mean, sd } = standardise(training, fallbackMean);
  const deltas = heldOut.map((scores, c) => {
    const seen = meanOf(scores);
    return seen === undefined ? undefined : (seen - mean[c]!) / sd[c]!;
  });
  const delta = meanOf(deltas.filter((value) => value !== undefined)) ?? 0;
  const prior = memoryDefaults.shiftPriorPictures;
  return {
    mean: mean.map((value, c) => {
      const n = heldOut[c]?.length ?? 0;
      return value + (sd[c]! * (n * (deltas[c] ?? 0) + prior * delta)) / (n + prior);
    }),
    sd,
  };
}

/** Section 5's shrunk standard deviation per class; never 0. */
export function shrunkDeviations(scores: readonly ArrayLike<number>[]): Float64Array {
  const variances = scores.map(varianceOf);
  const pooled = meanOf(variances.filter((variance) => variance !== undefined)) ?? memoryDefaults.fallbackScoreSd ** 2;
  const prior = memoryDefaults.spreadPriorPictures;
  return Float64Array.from(variances, (variance, c) => {
    const degrees = variance === undefined ? 0 : scores[c]!.length - 1;
    const shrunk = ((variance ?? 0) * degrees + prior * pooled) / (degrees + prior);
    return Math.max(memoryDefaults.scoreSdFloor, Math.sqrt(shrunk));
  });
}

/** Section 11: whether a class of so many normal pictures uses raw distances instead of per-entry statistics. */
export function usesRawDistances(pictures: number): boolean {
  return pictures <= memoryDefaults.fewPictures;
}

/** Section 2: how many of n normal pictures are held out, max(4, floor(n/10)); none when there are few. */
export function heldOutCount(n: number): number {
  if (n <= memoryDefaults.fewPictures) return 0;
  return Math.max(memoryDefaults.heldOutMin, Math.floor(n * memoryDefaults.heldOutShare));
}

/** A class's normal pictures by position, both lists ascending. */
export interface PictureSplit {
  training: number[];
  heldOut: number[];
}

/** Section 2: seeded split of one class's n normal pictures. */
export function splitPictures(n: number, random: Random): PictureSplit {
  const order = random.shuffle(Array.from({ length: n }, (_, i) => i));
  const count = heldOutCount(n);
  const ascending = (a: number, b: number): number => a - b;
  return { heldOut: order.slice(0, count).sort(ascending), training: order.slice(count).sort(ascending) };
}

/** Whole groups may make the held-out side this much larger than it should be, not more. */
const mostHeldOut = 2;

/**
 * The same with groups (lots, serials) kept whole: what is held out must not resemble what is learned from more than the
 * parts to come will.
 * @param groups group of each picture
 * @returns undefined where the groups are too few or too large for that
 */
export function splitGroups(groups: readonly string[], seed: number): PictureSplit | undefined {
  const count = heldOutCount(groups.length);
  if (count === 0) return { training: groups.map((_, i) => i), heldOut: [] };
  if (new Set(groups).size < 2) return undefined;
  const [training, heldOut] = splitByGroup(groups, [groups.length - count, count], seed).sides;
  return heldOut!.length > mostHeldOut * count ? undefined : { training: training!, heldOut: heldOut! };
}

/** Section 4: up to `count` of n pictures, evenly spaced, ascending. */
export function evenlySpaced(n: number, count: number): number[] {
  const kept = Math.min(n, count);
  return Array.from({ length: kept }, (_, i) => Math.floor(((i + 0.5) * n) / kept));
}

function meanOf(values: ArrayLike<number>): number | undefined {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]!;
  return values.length === 0 ? undefined : sum / values.length;
}

/** Unbiased; undefined below two values. */
function varianceOf(values: ArrayLike<number>): number | undefined {
  const mean = meanOf(values);
  if (mean === undefined || values.length < 2) return undefined;
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += (values[i]! - mean) ** 2;
  return sum / (values.length - 1);
}
