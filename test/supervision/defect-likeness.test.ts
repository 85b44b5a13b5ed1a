import { describe, expect, it } from 'vitest';
import { createRandom } from '../../shared/random.ts';
import { defectLikeness, deviationOf, fitFrame } from '../../shared/supervision/defect-likeness.ts';

const random = createRandom(3);
const dims = 40;
const normal = (): number[] => Array.from({ length: dims }, (_, k) => 5 + (1 + k / 10) * random.normal());
/** Defects shift the same few dimensions. */
const defect = (): number[] => normal().map((value, k) => (k % 8 === 0 ? value + 6 : value));
const frame = fitFrame(Array.from({ length: 60 }, normal));
const known = Array.from({ length: 5 }, () => deviationOf(frame, defect()));

describe('likeness to labelled defects', () => {
  it('is high for unseen defects of the same kind, about none for good pictures', () => {
    const of = (make: () => number[]): number[] =>
      Array.from({ length: 50 }, () => defectLikeness(deviationOf(frame, make()), known)!);
    expect(Math.min(...of(defect))).toBeGreaterThan(Math.max(...of(normal)));
    expect(of(normal).reduce((sum, value) => sum + value, 0) / 50).toBeCloseTo(0, 1);
  });

  it('a labelled defect is not compared with itself; with no other there is nothing to say', () => {
    expect(defectLikeness(known[2]!, known, 2)).toBeLessThan(defectLikeness(known[2]!, known)!);
    expect(defectLikeness(known[0]!, [known[0]!], 0)).toBeUndefined();
    expect(defectLikeness(known[0]!, [known[0]!])).toBeCloseTo(1, 10);
  });

  it('stays finite where all good pictures are alike', () => {
    const same = fitFrame([
      [1, 2, 3],
      [1, 2, 3],
    ]);
    expect([...deviationOf(same, [1, 2, 3])]).toEqual([0, 0, 0]);
    expect([...deviationOf(same, [1, 2, 4])]).toEqual([0, 0, 1]);
  });
});
