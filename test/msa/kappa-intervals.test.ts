import { describe, expect, test } from 'vitest';
import { analyseStudy } from '../../shared/msa/analyse.ts';
import { cohenKappa, fleissKappa, kappaWithInterval } from '../../shared/msa/kappa.ts';
import type { Kappa, StudyAnswer, StudyPart } from '../../shared/msa/types.ts';
import { createRandom } from '../../shared/random.ts';

/**
 * The intervals of the kappas against second sources that share nothing with the product: published worked examples, the
 * large-sample formulas written out here, the bootstrap, and a simulation of studies whose true kappa is known.
 */

/** 97.5 % quantiles of Student's t from tables, so that not even the quantile is the product's. */
const student975: Record<number, number> = {
  29: 2.04523,
  49: 2.00958,
  59: 2.001,
  87: 1.98761,
  99: 1.98422,
  1931: 1.9612,
};

/** Standard error behind a jackknife interval that no bound cut off. */
function errorOf({ value, low, high, method }: Kappa, parts: number): number {
  expect(method).toBe('jackknife');
  const half = high! < 1 ? high! - value! : value! - low!;
  return half / student975[parts - 1]!;
}

/** One pair of words for every showing of a table. */
function pairsOf(table: readonly (readonly number[])[]): [number, number][] {
  return table.flatMap((row, a) =>
    row.flatMap((count, b) => Array.from({ length: count }, (): [number, number] => [a, b])),
  );
}

function cohenInterval(table: readonly (readonly number[])[]): Kappa {
  const pairs = pairsOf(table);
  return kappaWithInterval(
    pairs.length,
    (keep) =>
      cohenKappa(
        pairs.filter((_, i) => keep(i)),
        table.length,
      ),
    0.95,
  );
}

/** Fleiss, Cohen and Everitt 1969, equation 13: standard error of Cohen's kappa in large samples. */
function fleissCohenEveritt(table: readonly (readonly number[])[]): { kappa: number; error: number } {
  const n = table.flat().reduce((sum, count) => sum + count, 0);
  const p = table.map((row) => row.map((count) => count / n));
  const row = p.map((cells) => cells.reduce((sum, cell) => sum + cell, 0));
  const column = p.map((_, j) => p.reduce((sum, cells) => sum + cells[j]!, 0));
  const po = p.reduce((sum, cells, i) => sum + cells[i]!, 0);
  const pe = row.reduce((sum, share, i) => sum + share * column[i]!, 0);
  let onDiagonal = 0;
  let beside = 0;
  p.forEach((cells, i) =>
    cells.forEach((cell, j) => {
      if (i === j) onDiagonal += cell * (1 - pe - (row[i]! + column[i]!) * (1 - po)) ** 2;
      else beside += cell * (column[i]! + row[j]!) ** 2;
    }),
  );
  const variance = onDiagonal + (1 - po) ** 2 * beside - (po * pe - 2 * pe + po) ** 2;
  return { kappa: (po - pe) / (1 - pe), error: Math.sqrt(variance / n) / (1 - pe) ** 2 };
}

describe("Cohen's kappa", () => {
  // SAS/STAT documentation, PROC FREQ: two dermatologists, 88 patients, simple kappa with its 95 % limits.
  const dermatologists = [
    [10, 4, 1, 0],
    [5, 10, 12, 2],
    [2, 4, 12, 5],
    [0, 2, 6, 13],
  ];
  // Statalist, December 2009: Stata's kapci, analytical standard error.
  const users = [
    [1395, 118],
    [261, 158],
  ];

  test('the published intervals of 88 and of 1,932 subjects', () => {
    const skin = cohenInterval(dermatologists);
    expect(skin.value!).toBeCloseTo(0.3449, 4);
    // The jackknife's are a little wider than the large-sample limits 0.2030 and 0.4868: t instead of normal.
    expect(Math.abs(skin.low! - 0.203)).toBeLessThan(0.006);
    expect(Math.abs(skin.high! - 0.4868)).toBeLessThan(0.006);
    const care = cohenInterval(users);
    expect(care.value!).toBeCloseTo(0.3411969207847029, 12);
    expect(errorOf(care, 1932) / 0.0262913719660408).toBeCloseTo(1, 2);
    expect(Math.abs(care.low! - 0.2896667786271169)).toBeLessThan(5e-4);
    expect(Math.abs(care.high! - 0.3927270629422889)).toBeLessThan(5e-4);
  });

  test('the formula written out here gives the published numbers, too, so it may be trusted below', () => {
    expect(fleissCohenEveritt(users).error).toBeCloseTo(0.0262913719660408, 12);
    const { kappa, error } = fleissCohenEveritt(dermatologists);
    expect(kappa - 1.959964 * error).toBeCloseTo(0.203, 3);
    expect(kappa + 1.959964 * error).toBeCloseTo(0.4868, 4);
  });

  test('30 to 100 showings: the error is the large-sample one, at most 5 / n of it wider, over tables of every kind', () => {
    const random = createRandom(5);
    let compared = 0;
    for (let i = 0; i < 200; i++) {
      const n = [30, 60, 100][i % 3]!;
      const good = 0.3 + 0.4 * random.next();
      const right = 0.7 + 0.2 * random.next();
      const table = [
        [0, 0],
        [0, 0],
      ];
      for (let showing = 0; showing < n; showing++) {
        const truth = Number(random.next() < good);
        const answer = (): number => (random.next() < right ? truth : 1 - truth);
        table[answer()]![answer()]!++;
      }
      const found = cohenInterval(table);
      if (found.method !== 'jackknife' || (found.low === -1 && found.high === 1)) continue;
      compared++;
      const ratio = errorOf(found, n) / fleissCohenEveritt(table).error;
      // Few showings make it the more careful one; never does it claim more than the formula.
      expect(ratio).toBeGreaterThan(0.995);
      expect(ratio).toBeLessThan(1 + 5 / n);
    }
    expect(compared).toBeGreaterThan(190);
  });
});

/** Gwet 2021: large-sample variance of Fleiss' kappa by linearisation, subject by subject. */
function gwet(counts: readonly (readonly number[])[]): number {
  const n = counts.length;
  const raters = counts[0]!.reduce((sum, count) => sum + count, 0);
  const share = counts[0]!.map((_, k) => counts.reduce((sum, row) => sum + row[k]! / raters, 0) / n);
  const agreed = counts.map(
    (row) => row.reduce((sum, count) => sum + count * (count - 1), 0) / (raters * (raters - 1)),
  );
  const pa = agreed.reduce((sum, value) => sum + value, 0) / n;
  const pe = share.reduce((sum, value) => sum + value * value, 0);
  const kappa = (pa - pe) / (1 - pe);
  const each = counts.map((row, i) => {
    const chance = row.reduce((sum, count, k) => sum + (share[k]! * count) / raters, 0);
    return (agreed[i]! - pe) / (1 - pe) - (2 * (1 - kappa) * (chance - pe)) / (1 - pe);
  });
  return Math.sqrt(each.reduce((sum, value) => sum + (value - kappa) ** 2, 0) / (n - 1) / n);
}

/** Standard deviation of a figure when its parts are drawn again and again with replacement. */
function bootstrap(parts: number, estimate: (drawn: readonly number[]) => number | null, draws: number): number {
  const random = createRandom(11);
  const values: number[] = [];
  while (values.length < draws) {
    const value = estimate(Array.from({ length: parts }, () => random.int(parts)));
    if (value !== null) values.push(value);
  }
  const mean = values.reduce((sum, value) => sum + value, 0) / draws;
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (draws - 1));
}

/** A study of parts that appraisers judge with errors of their own; hard parts are hard for everybody. */
function simulate(seed: number, parts: number, appraisers: number, repeats: number) {
  const random = createRandom(seed);
  const given: number[][][] = Array.from({ length: appraisers }, () => []);
  for (let part = 0; part < parts; part++) {
    const truth = Number(random.next() < 0.5);
    const isHard = random.next() < 0.3;
    for (const ofOne of given) {
      const wrong = isHard ? 0.35 : 0.04;
      ofOne.push(Array.from({ length: repeats }, () => (random.next() < wrong ? 1 - truth : truth)));
    }
  }
  const counts = Array.from({ length: parts }, (_, part) => {
    const words = given.flatMap((ofOne) => ofOne[part]!);
    const good = words.filter((word) => word === 1).length;
    return [words.length - good, good];
  });
  return { given, counts };
}

const fleissInterval = (counts: readonly (readonly number[])[]): Kappa =>
  kappaWithInterval(counts.length, (keep) => fleissKappa(counts.filter((_, i) => keep(i))), 0.95);

describe("Fleiss' kappa, and Cohen's over repeats", () => {
  test('within 6 % of the linearised variance and 10 % of the bootstrap, where repeats of a part hang together', () => {
    for (const [seed, parts] of [
      [1, 30],
      [2, 50],
      [3, 100],
    ] as const) {
      const { given, counts } = simulate(seed, parts, 3, 3);
      const fleiss = errorOf(fleissInterval(counts), parts);
      expect(Math.abs(fleiss / gwet(counts) - 1)).toBeLessThan(0.06);
      const drawnFleiss = bootstrap(parts, (drawn) => fleissKappa(drawn.map((i) => counts[i]!)).value, 2000);
      expect(Math.abs(fleiss / drawnFleiss - 1)).toBeLessThan(0.1);
      const pairs = (indices: readonly number[]) =>
        indices.flatMap((i) => given[0]![i]!.map((word, repeat): [number, number] => [word, given[1]![i]![repeat]!]));
      const cohen = kappaWithInterval(
        parts,
        (keep) => cohenKappa(pairs(Array.from({ length: parts }, (_, i) => i).filter(keep))),
        0.95,
      );
      const drawnCohen = bootstrap(parts, (drawn) => cohenKappa(pairs(drawn)).value, 2000);
      expect(Math.abs(errorOf(cohen, parts) / drawnCohen - 1)).toBeLessThan(0.1);
    }
  });

  test('of 2,000 studies of 50 parts, 95 % intervals hold the true kappa in 93.5 % to 97 %', () => {
    // The true kappa of this process, from a study so large that chance no longer matters.
    const truth = fleissKappa(simulate(999, 400_000, 3, 1).counts).value!;
    let holds = 0;
    const studies = 2000;
    for (let seed = 0; seed < studies; seed++) {
      const { low, high } = fleissInterval(simulate(seed, 50, 3, 1).counts);
      if (low! <= truth && truth <= high!) holds++;
    }
    expect(holds / studies).toBeGreaterThan(0.935);
    expect(holds / studies).toBeLessThan(0.97);
  });

  test('a study as people do it carries exactly these intervals', () => {
    const { given, counts } = simulate(7, 30, 2, 2);
    const parts: StudyPart[] = counts.map((_, i) => ({ part: String(i), reference: i % 2 === 0 ? 'good' : 'defect' }));
    const answers: StudyAnswer[] = given.flatMap((ofOne, who) =>
      ofOne.flatMap((words, i) =>
        words.map((word, repeat): StudyAnswer => ({
          appraiser: `A${String(who)}`,
          part: String(i),
          repeat: repeat + 1,
          answer: word === 1 ? 'good' : 'defect',
        })),
      ),
    );
    const { fleiss } = analyseStudy(parts, answers);
    const direct = fleissInterval(counts);
    expect([fleiss!.low, fleiss!.value, fleiss!.high]).toEqual([direct.low, direct.value, direct.high]);
  });
});
