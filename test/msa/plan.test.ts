import { describe, expect, test } from 'vitest';
import { planStudy } from '../../shared/msa/plan.ts';
import type { StudyPart } from '../../shared/msa/types.ts';
import fc from '../seeded-fast-check.ts';

const partsOf = (count: number): StudyPart[] =>
  Array.from({ length: count }, (_, i) => ({
    part: `part ${String(i + 1)}`,
    reference: i % 3 === 0 ? 'defect' : 'good',
  }));

describe('the plan of a study', () => {
  test('everybody judges every part once a round, and nobody the same part twice within a few showings', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 2, max: 30 }),
        fc.integer({ min: 1, max: 3 }),
        fc.integer({ min: 1, max: 3 }),
        fc.nat(1e6),
        (count, people, repeats, seed) => {
          const names = Array.from({ length: people }, (_, i) => `P${String(i)}`);
          const { trials } = planStudy(partsOf(count), names, repeats, seed);
          for (const name of names) {
            const own = trials.filter(({ appraiser }) => appraiser === name);
            expect(own.map(({ position }) => position)).toEqual(own.map((_, i) => i + 1));
            for (let repeat = 1; repeat <= repeats; repeat++) {
              const round = own.filter((trial) => trial.repeat === repeat).map(({ part }) => part);
              expect(new Set(round).size).toBe(count);
            }
            const clear = Math.min(3, Math.floor(count / 3));
            for (let i = 1; i <= own.length - 1; i++) {
              if (clear > 0) expect(own[i]!.part).not.toBe(own[i - 1]!.part);
            }
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  test('orders differ between rounds and people; the seed alone decides', () => {
    const plan = planStudy(partsOf(20), ['Ann', 'Ben'], 2, 7);
    const order = (name: string, repeat: number): string =>
      plan.trials
        .filter((trial) => trial.appraiser === name && trial.repeat === repeat)
        .map(({ part }) => part)
        .join();
    const orders = [order('Ann', 1), order('Ann', 2), order('Ben', 1), order('Ben', 2)];
    expect(new Set(orders).size).toBe(4);
    expect(planStudy(partsOf(20), ['Ann', 'Ben'], 2, 7)).toEqual(plan);
    expect(planStudy(partsOf(20), ['Ann', 'Ben'], 2, 8).trials).not.toEqual(plan.trials);
  });

  test.each([
    ['too few parts', () => planStudy(partsOf(1), ['A'], 2, 0), 'studyTooSmall'],
    ['nobody', () => planStudy(partsOf(5), [], 2, 0), 'studyTooSmall'],
    ['a name twice', () => planStudy(partsOf(5), ['A', 'A'], 2, 0), 'studyNamesTwice'],
    ['a part twice', () => planStudy([...partsOf(2), ...partsOf(1)], ['A'], 2, 0), 'studyNamesTwice'],
  ])('%s', (_, plan, code) => {
    expect(plan).toThrow(expect.objectContaining({ code }));
  });
});
