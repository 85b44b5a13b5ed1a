import { describe, expect, test } from 'vitest';
import { analyseStudy } from '../../shared/msa/analyse.ts';
import { cohenKappa, fleissKappa } from '../../shared/msa/kappa.ts';
import { exactRate, studentQuantile } from '../../shared/msa/rates.ts';
import type { Appraisal, StudyAnswer, StudyPart } from '../../shared/msa/types.ts';
import fc from '../seeded-fast-check.ts';

/**
 * The attribute study of AIAG's MSA manual: 50 parts, 3 appraisers, 3 trials, 1 = accepted. Only parts that were not
 * judged alike by everybody are listed: answers of A, B, C, then the reference. Of the others, the ones listed second
 * were always rejected, rightly; all the rest always accepted, rightly.
 */
const disputed: Record<number, string> = {
  6: '110 110 100 1',
  7: '111 111 101 1',
  12: '000 000 010 0',
  14: '110 111 100 1',
  21: '110 101 010 1',
  22: '001 010 110 0',
  26: '010 000 001 0',
  30: '000 001 000 0',
  34: '001 001 011 0',
  36: '110 111 101 1',
  43: '101 111 110 1',
};
const rejected = [3, 4, 5, 9, 25, 37, 39, 42, 45, 48, 50];

function aiagStudy(): { parts: StudyPart[]; answers: StudyAnswer[] } {
  const word = (digit: string): Appraisal => (digit === '1' ? 'good' : 'defect');
  const parts: StudyPart[] = [];
  const answers: StudyAnswer[] = [];
  for (let number = 1; number <= 50; number++) {
    const part = String(number);
    const [a, b, c, reference] = (
      disputed[number] ?? (rejected.includes(number) ? '000 000 000 0' : '111 111 111 1')
    ).split(' ');
    parts.push({ part, reference: word(reference!) });
    for (const [appraiser, digits] of [
      ['A', a!],
      ['B', b!],
      ['C', c!],
    ] as const) {
      [...digits].forEach((digit, i) => answers.push({ appraiser, part, repeat: i + 1, answer: word(digit) }));
    }
  }
  return { parts, answers };
}

describe("the manual's example", () => {
  const { parts, answers } = aiagStudy();
  const result = analyseStudy(parts, answers);
  const of = (name: string) => result.appraisers.find(({ appraiser }) => appraiser === name)!;

  test('kappas between appraisers and with the reference', () => {
    expect(result.pairs.map(({ a, b, kappa }) => [a, b, kappa.value!.toFixed(2)])).toEqual([
      ['A', 'B', '0.86'],
      ['A', 'C', '0.78'],
      ['B', 'C', '0.79'],
    ]);
    expect(['A', 'B', 'C'].map((name) => of(name).kappaReference.value!.toFixed(2))).toEqual(['0.88', '0.92', '0.77']);
  });

  test('the cross tables behind them, exactly', () => {
    // (44 + 97) / 150 agreed; chance (50 x 47 + 100 x 103) / 150^2
    const { kappa } = result.pairs[0]!;
    expect(kappa.observed).toBeCloseTo(141 / 150, 12);
    expect(kappa.expected).toBeCloseTo((50 * 47 + 100 * 103) / 22500, 12);
    expect(of('C').kappaReference.observed).toBeCloseTo(135 / 150, 12);
    expect(of('C').kappaReference.expected).toBeCloseTo((51 * 48 + 99 * 102) / 22500, 12);
  });

  test('effectiveness, misses and false alarms with the stated steps', () => {
    const row = (name: string): string[] => {
      const { effectiveness, misses, falseAlarms, rating } = of(name);
      return [
        (100 * effectiveness.value!).toFixed(0),
        (100 * misses.value!).toFixed(1),
        (100 * falseAlarms.value!).toFixed(1),
        rating.effectiveness,
        rating.misses,
        rating.falseAlarms,
      ];
    };
    expect(row('A')).toEqual(['84', '6.3', '4.9', 'marginal', 'unacceptable', 'acceptable']);
    expect(row('B')).toEqual(['90', '6.3', '2.0', 'acceptable', 'unacceptable', 'acceptable']);
    expect(row('C')).toEqual(['80', '12.5', '8.8', 'marginal', 'unacceptable', 'marginal']);
  });

  test('within, between and system agreement with their intervals', () => {
    const percent = ({ low, high }: { low: number; high: number }): string =>
      `${(100 * low).toFixed(0)}-${(100 * high).toFixed(0)}`;
    expect(of('A').within.count).toBe(42);
    expect(of('B').within.count).toBe(45);
    expect(of('C').within.count).toBe(40);
    expect([percent(of('A').effectiveness), percent(of('B').effectiveness), percent(of('C').effectiveness)]).toEqual([
      '71-93',
      '78-97',
      '66-90',
    ]);
    expect([result.system.count, percent(result.system)]).toEqual([39, '64-88']);
    expect(result.between.count).toBe(39);
  });

  test('a kappa interval holds its value and is narrower with more parts', () => {
    const { kappa } = result.pairs[0]!;
    expect(kappa.method).toBe('jackknife');
    expect(kappa.low!).toBeLessThan(kappa.value!);
    expect(kappa.high!).toBeGreaterThan(kappa.value!);
    const twice = analyseStudy(
      [...parts, ...parts.map(({ part, reference }) => ({ part: `${part}'`, reference }))],
      [...answers, ...answers.map((answer) => ({ ...answer, part: `${answer.part}'` }))],
    );
    const wide = kappa.high! - kappa.low!;
    const narrow = twice.pairs[0]!.kappa.high! - twice.pairs[0]!.kappa.low!;
    expect(narrow / wide).toBeCloseTo(1 / Math.SQRT2, 1);
  });
});

describe('kappa', () => {
  test("Fleiss' kappa of the textbook table of 10 subjects, 14 raters, 5 words is 0.210", () => {
    const counts = [
      [0, 0, 0, 0, 14],
      [0, 2, 6, 4, 2],
      [0, 0, 3, 5, 6],
      [0, 3, 9, 2, 0],
      [2, 2, 8, 1, 1],
      [7, 7, 0, 0, 0],
      [3, 2, 6, 3, 0],
      [2, 5, 3, 2, 2],
      [6, 5, 2, 1, 0],
      [0, 2, 2, 3, 7],
    ];
    const { value, observed, expected } = fleissKappa(counts);
    expect(observed).toBeCloseTo(0.378, 3);
    expect(expected).toBeCloseTo(0.213, 3);
    expect(value).toBeCloseTo(0.21, 3);
  });

  test("Cohen's kappa does not depend on who comes first and is 1 only for perfect agreement", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(2), fc.nat(2)), { minLength: 2, maxLength: 60 }), (pairs) => {
        const { value } = cohenKappa(pairs, 3);
        const swapped = cohenKappa(
          pairs.map(([a, b]): [number, number] => [b, a]),
          3,
        ).value;
        if (value === null) return swapped === null;
        const perfect = pairs.every(([a, b]) => a === b);
        return Math.abs(value - swapped!) < 1e-12 && value <= 1 + 1e-12 && Math.abs(value - 1) < 1e-12 === perfect;
      }),
    );
  });

  test('perfect agreement is not taken for certainty', () => {
    const parts: StudyPart[] = Array.from({ length: 30 }, (_, i) => ({
      part: String(i),
      reference: i < 15 ? 'good' : 'defect',
    }));
    const answers = ['A', 'B'].flatMap((appraiser) =>
      parts.map(({ part, reference }) => ({ appraiser, part, repeat: 1, answer: reference })),
    );
    const { kappa } = analyseStudy(parts, answers).pairs[0]!;
    expect(kappa).toMatchObject({ value: 1, high: 1, method: 'exactAgreement' });
    // 30 of 30 still allows 11.6 % disagreement (two-sided 95 %): (0.884 - 0.5) / 0.5
    expect(kappa.low).toBeCloseTo((0.884 - 0.5) / 0.5, 2);
  });
});

describe('exact numbers', () => {
  test('Clopper-Pearson and Student against tables', () => {
    expect(exactRate(0, 40, 0.9).high).toBeCloseTo(0.0721575, 7);
    const ten = exactRate(3, 10, 0.95);
    expect([ten.low, ten.high].map((value) => value.toFixed(5))).toEqual(['0.06674', '0.65245']);
    expect(studentQuantile(0.975, 1)).toBeCloseTo(12.7062047, 6);
    expect(studentQuantile(0.975, 10)).toBeCloseTo(2.2281389, 6);
    expect(studentQuantile(0.995, 49)).toBeCloseTo(2.679952, 6);
    expect(studentQuantile(0.95, 2)).toBeCloseTo(2.9199856, 6);
  });
});

describe('studies that can not be analysed say why', () => {
  const { parts, answers } = aiagStudy();
  test.each([
    ['an answer is missing', answers.slice(1), 'studyIncomplete'],
    ['an answer stands twice', [...answers, answers[0]!], 'studyTwice'],
    ['a part is unknown', [...answers, { ...answers[0]!, part: '51' }], 'studyUnknownPart'],
    ['nobody answered', [], 'studyTooSmall'],
  ])('%s', (_, given, code) => {
    expect(() => analyseStudy(parts, given)).toThrow(expect.objectContaining({ code }));
  });

  test('one kind of parts only: no rate is made up', () => {
    const good = parts.filter(({ reference }) => reference === 'good');
    const names = new Set(good.map(({ part }) => part));
    const result = analyseStudy(
      good,
      answers.filter(({ part }) => names.has(part)),
    );
    expect(result.appraisers[0]!.misses).toEqual({ count: 0, total: 0, value: null, low: 0, high: 1 });
    expect(result.notes.map(({ text }) => text).join(' ')).toContain('misses (escapes) can not be measured');
  });

  test('everybody always says good: kappa is not defined, and no number is given', () => {
    const given = answers.map((answer) => ({ ...answer, answer: 'good' as const }));
    const result = analyseStudy(parts, given);
    expect(result.pairs[0]!.kappa).toMatchObject({ value: null, low: null, high: null });
    expect(result.appraisers[0]!.kappaReference.value).toBeCloseTo(0, 12);
    expect(result.appraisers[0]!.misses.value).toBe(1);
  });
});
