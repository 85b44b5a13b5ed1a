import { describe, expect, it } from 'vitest';
import { createRandom } from '../../shared/random.ts';
import {
  applyHead,
  fitHead,
  gateHead,
  identityHead,
  leastFusedWeight,
  recallAt,
  type ScoreRow,
} from '../../shared/supervision/score-head.ts';
import fc from '../seeded-fast-check.ts';

const names = ['fused', 'local', 'semantic'];
const random = createRandom(5);
const normalRow = (): ScoreRow => [2 + random.normal(), 0.5 * random.normal(), random.normal()];
const normals = Array.from({ length: 60 }, normalRow);

describe('a head over frozen scores', () => {
  it('is the fused score itself without labels', () => {
    const head = fitHead(names, normals, []);
    expect(head).toEqual(identityHead(names, normals));
    for (const row of normals) expect(applyHead(head, row)).toBeCloseTo(row[0]!, 10);
  });

  it('learns to trust the score that tells the defects, and ranks unseen ones better', () => {
    // Defects that only the second score sees.
    const defect = (): ScoreRow => [2.5 + random.normal(), 3 + 0.5 * random.normal(), random.normal()];
    const head = fitHead(names, normals, Array.from({ length: 5 }, defect));
    expect(head.weights[1]).toBeGreaterThan(head.weights[2]!);
    expect(head.weights[1]).toBeGreaterThan(0.3);
    const [fresh, unseen] = [Array.from({ length: 300 }, normalRow), Array.from({ length: 300 }, defect)];
    const recall = (score: (row: ScoreRow) => number): number => recallAt(fresh.map(score), unseen.map(score), 0.05);
    expect(recall((row) => applyHead(head, row))).toBeGreaterThan(recall((row) => row[0]!) + 0.3);
  });

  it('never falls when a score rises, whatever the labels say', () => {
    const value = fc.double({ min: -1e3, max: 1e3, noNaN: true });
    const row = fc.tuple(value, value, value);
    fc.assert(
      fc.property(
        fc.array(row, { minLength: 2, maxLength: 8 }),
        fc.array(row, { minLength: 1, maxLength: 5 }),
        row,
        fc.integer({ min: 0, max: 2 }),
        (good, bad, at, which) => {
          const head = fitHead(names, good, bad);
          expect(head.weights.every((weight) => Number.isFinite(weight) && weight >= 0)).toBe(true);
          expect(head.weights[0]).toBeGreaterThanOrEqual(leastFusedWeight);
          const higher = at.map((v, i) => (i === which ? v + 1 : v));
          expect(applyHead(head, higher)).toBeGreaterThanOrEqual(applyHead(head, at));
          if (which === 0) expect(applyHead(head, higher)).toBeGreaterThan(applyHead(head, at));
        },
      ),
      { numRuns: 100 },
    );
  });

  it('ignores a score that never moves', () => {
    const still = normals.map((row): ScoreRow => [row[0]!, 7, row[2]!]);
    const head = fitHead(names, still, [[5, 7, 0]]);
    expect(head.weights[1]).toBe(0);
    expect(applyHead(head, [3, 7, 0])).toSatisfy(Number.isFinite);
  });
});

describe('the gate on the golden set', () => {
  const defects: ScoreRow[] = [
    [6, 3, 1],
    [7, 2.5, 0],
  ];

  it('lets a head through that finds what the fused score finds', () => {
    const head = fitHead(names, normals, defects);
    const golden = { normals, defects: defects.map((row, learned) => ({ row, learned })) };
    const gate = gateHead(head, normals, defects, golden);
    expect(gate.passes).toBe(true);
    expect(gate.points.map(({ falseRejectRate }) => falseRejectRate)).toEqual([0, 0.05]);
  });

  it('refuses one that loses a defect of the golden set, however good it is elsewhere', () => {
    const head = { ...identityHead(names, normals), weights: [0.25, 0, 2] };
    const golden = { normals, defects: [{ row: [9, 0, -3] as ScoreRow }] };
    const gate = gateHead(head, normals, defects, golden);
    expect(gate.passes).toBe(false);
    expect(gate.points[0]).toEqual({ falseRejectRate: 0, fused: 1, head: 0 });
  });

  it('judges defects that were learned by heads that did not see them', () => {
    // One odd defect teaches the head to trust the third score; without it, it would not be found that way.
    const odd: ScoreRow[] = [
      [2, 0, 9],
      [7, 3, 0],
    ];
    const head = fitHead(names, normals, odd);
    const learned = gateHead(head, normals, odd, { normals, defects: [{ row: odd[0]!, learned: 0 }] });
    const unlearned = gateHead(head, normals, odd, { normals, defects: [{ row: odd[0]! }] });
    expect(learned.points[0]!.head).toBeLessThanOrEqual(unlearned.points[0]!.head);
  });
});
