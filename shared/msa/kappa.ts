import { exactRate, studentQuantile } from './rates.ts';
import type { Kappa } from './types.ts';

/** One part's answers: how often each of two raters' (or all raters') words fell. Words are small whole numbers. */
export interface KappaEstimate {
  /** Null where chance alone explains everything: only one word was ever used. */
  value: number | null;
  observed: number;
  expected: number;
}

/**
 * Cohen's kappa (Cohen 1960) of two raters.
 * @param pairs one `[a, b]` for each showing, words as whole numbers from 0
 */
export function cohenKappa(pairs: readonly (readonly [number, number])[], words = 2): KappaEstimate {
  const countA = new Float64Array(words);
  const countB = new Float64Array(words);
  let agreed = 0;
  for (const [a, b] of pairs) {
    countA[a]!++;
    countB[b]!++;
    if (a === b) agreed++;
  }
  const n = pairs.length;
  let chance = 0;
  for (let word = 0; word < words; word++) chance += countA[word]! * countB[word]!;
  return corrected(agreed / n, chance / (n * n));
}

/**
 * Fleiss' kappa (Fleiss 1971): the same number of raters for each part, not necessarily the same people.
 * @param counts one row a part: how many raters chose each word
 */
export function fleissKappa(counts: readonly (readonly number[])[]): KappaEstimate {
  const raters = counts[0]?.reduce((sum, count) => sum + count, 0) ?? 0;
  const words = counts[0]?.length ?? 0;
  const totals = new Float64Array(words);
  let observed = 0;
  for (const row of counts) {
    let same = 0;
    row.forEach((count, word) => {
      totals[word]! += count;
      same += count * (count - 1);
    });
    observed += same / (raters * (raters - 1));
  }
  const all = counts.length * raters;
  const expected = totals.reduce((sum, total) => sum + (total / all) ** 2, 0);
  return corrected(observed / counts.length, expected);
}

function corrected(observed: number, expected: number): KappaEstimate {
  return { value: expected < 1 ? (observed - expected) / (1 - expected) : null, observed, expected };
}

/**
 * A kappa with its interval. Repeats of one part are not independent, so parts are what is left out one by one
 * (jackknife, Student's t). Where nobody ever disagreed the jackknife would claim certainty: then the interval follows
 * from the exact binomial bound of the agreement, each part counted once.
 * @param parts      number of parts
 * @param estimateOf kappa over the parts kept
 */
export function kappaWithInterval(
  parts: number,
  estimateOf: (keep: (part: number) => boolean) => KappaEstimate,
  confidence: number,
): Kappa {
  const all = estimateOf(() => true);
  const none: Kappa = { ...all, low: null, high: null, method: 'none' };
  if (all.value === null || parts < 2) return none;
  if (all.observed === 1) {
    const { low } = exactRate(parts, parts, confidence);
    return { ...all, low: Math.max(-1, (low - all.expected) / (1 - all.expected)), high: 1, method: 'exactAgreement' };
  }
  const left: number[] = [];
  for (let part = 0; part < parts; part++) {
    const { value } = estimateOf((other) => other !== part);
    if (value === null) return none;
    left.push(value);
  }
  const mean = left.reduce((sum, value) => sum + value, 0) / parts;
  const variance = ((parts - 1) / parts) * left.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  const half = studentQuantile(1 - (1 - confidence) / 2, parts - 1) * Math.sqrt(variance);
  return {
    ...all,
    low: Math.max(-1, all.value - half),
    high: Math.min(1, all.value + half),
    method: 'jackknife',
  };
}
