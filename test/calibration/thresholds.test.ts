import { describe, expect, it } from 'vitest';
import { escapeBound, justAbove, rocThreshold, type ThresholdPolicy } from '../../shared/calibration/policies.ts';
import { calibrateThresholds, displayScore, thresholdsFor } from '../../shared/calibration/thresholds.ts';
import { decide } from '../../shared/detection.ts';
import { rankScores } from '../../shared/metrics/ranking.ts';
import fc from '../seeded-fast-check.ts';

/** Normal-like scores between 0.3 and about 1.5, the same every time. */
function normalScores(n: number, seed = 1): number[] {
  let state = seed;
  return Array.from({ length: n }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return 0.3 - 0.3 * Math.log(1 - state / 2 ** 32);
  });
}

const one = (scores: readonly number[]) => ({ scores, classNames: scores.map(() => 'bolts') });

describe('thresholds from normal scores only', () => {
  it('with enough pictures both are order statistics with a guarantee', () => {
    const scores = normalScores(400);
    const { pooled, classes } = calibrateThresholds(one(scores));
    const sorted = [...scores].sort((a, b) => b - a);
    // 400 at 1 %: the largest may be passed over (rank 1); 400 at 5 %: the 13th largest.
    expect(pooled.fail).toBe(justAbove(sorted[0]!));
    expect(pooled.review).toBe(justAbove(sorted[12]!));
    expect(pooled).toMatchObject({ basis: 'orderStatistic', reviewBasis: 'orderStatistic', normals: 400, defects: 0 });
    expect(pooled.moreNormalsNeeded).toBe(0);
    expect(pooled.observed).toEqual({ escapes: 0, falseRejects: 0, reviews: 12 });
    expect(classes).toHaveLength(1);
    expect(classes[0]?.thresholds).toEqual({
      ...pooled,
      statement: expect.stringContaining('class "bolts"') as string,
    });
    expect(pooled.statement).toMatch(/With 95 % confidence at most 1 % of normal parts reach the fail threshold/);
    expect(pooled.statement).not.toMatch(/guarantee\./);
  });

  it('the guarantee holds: on new data the rate is exceeded in at most 5 % of the trials', () => {
    let exceeded = 0;
    for (let trial = 0; trial < 400; trial++) {
      const { pooled } = calibrateThresholds(one(normalScores(120, trial * 7919 + 3)));
      const share = Math.exp(-(pooled.review - 0.3) / 0.3); // Exact: these scores are exponential.
      if (share > 0.05) exceeded++;
    }
    expect(exceeded).toBeLessThan(400 * 0.08);
  });

  it('with fewer they are extrapolated, say so, and say how many more are needed', () => {
    const scores = normalScores(40);
    const { pooled, classes } = calibrateThresholds(one(scores));
    expect(pooled).toMatchObject({ basis: 'extrapolated', reviewBasis: 'extrapolated', moreNormalsNeeded: 259 });
    expect(pooled.fail).toBeGreaterThan(Math.max(...scores));
    expect(pooled.review).toBeLessThan(pooled.fail);
    expect(pooled.review).toBeGreaterThan([...scores].sort((a, b) => a - b)[20]!);
    expect(pooled.statement).toMatch(/no guarantee.*259 more normal pictures kept apart from training would/);
    expect(classes[0]?.thresholds).toBeNull();
  });

  it('the tail fit is an exponential through the highest quarter', () => {
    // 12 scores: the highest 4 start at the 5th highest, 0.8; mean excess 0.25, enlarged by 5/4.
    const scores = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.1, 1.2];
    const { pooled } = calibrateThresholds(one(scores), { maxReviewRate: 0.1 });
    expect(pooled.review).toBeCloseTo(0.8 + 0.25 * 1.25 * Math.log(4 / 1.2), 12);
    expect(pooled.fail).toBeCloseTo(0.8 + 0.25 * 1.25 * Math.log(4 / 0.12), 12);
  });

  it('60 pictures guarantee the review rate, not yet the fail rate', () => {
    const { pooled } = calibrateThresholds(one(normalScores(60)));
    expect(pooled).toMatchObject({ basis: 'extrapolated', reviewBasis: 'orderStatistic', moreNormalsNeeded: 239 });
    expect(pooled.review).toBeLessThanOrEqual(pooled.fail);
  });

  it.each([0, 1, 4, 7])('%i pictures: the usual thresholds, never below a score seen', (n) => {
    const usual = calibrateThresholds(one(normalScores(n).map(() => 0.5))).pooled;
    expect(usual).toMatchObject({ review: 3, fail: 5, basis: 'assumed', reviewBasis: 'assumed' });
    expect(usual.statement).toMatch(/too few normal pictures/);
    const high = calibrateThresholds(one(normalScores(n).map(() => 9))).pooled;
    if (n > 0) expect([high.review, high.fail]).toEqual([justAbove(9), justAbove(9)]);
  });

  it('equal scores make no band and still pass', () => {
    for (const n of [20, 500]) {
      const { pooled } = calibrateThresholds(one(Array.from({ length: n }, () => 0.7)));
      expect(decide(0.7, pooled)).toBe('pass');
      expect(pooled.review).toBeLessThanOrEqual(pooled.fail);
    }
  });

  it('review is never above fail, and at least half of the normal scores pass', () => {
    const score = fc.double({ min: -5, max: 5, noNaN: true });
    fc.assert(
      fc.property(fc.array(score, { maxLength: 120 }), (scores) => {
        const { pooled } = calibrateThresholds(one(scores));
        expect(pooled.review).toBeLessThanOrEqual(pooled.fail);
        expect(Number.isFinite(pooled.fail) && Number.isFinite(pooled.review)).toBe(true);
        expect(pooled.observed.falseRejects).toBe(0);
        const passing = scores.filter((s) => decide(s, pooled) === 'pass').length;
        expect(passing).toBeGreaterThanOrEqual(scores.length / 2);
      }),
    );
  });

  it('classes with few pictures share the pooled thresholds, unknown ones too', () => {
    const big = normalScores(500);
    const small = [0.4, 0.5, 0.6, 0.9];
    const calibration = calibrateThresholds({
      scores: [...big, ...small],
      classNames: [...big.map(() => 'big'), ...small.map(() => 'a small one')],
    });
    expect(calibration.classes.map(({ className, normals }) => [className, normals])).toEqual([
      ['a small one', 4],
      ['big', 500],
    ]);
    expect(thresholdsFor(calibration, 'a small one')).toBe(calibration.pooled);
    expect(thresholdsFor(calibration, 'never seen')).toBe(calibration.pooled);
    expect(thresholdsFor(calibration, 'big')).not.toBe(calibration.pooled);
    expect(calibration.pooled.normals).toBe(504);
    expect(JSON.parse(JSON.stringify(calibration))).toEqual(calibration);
  });
});

describe('thresholds from defects', () => {
  const normals = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.5];
  const defects = [1.1, 2, 3, 4];
  const data = {
    scores: [...normals, ...defects],
    classNames: [...normals, ...defects].map(() => 'nuts'),
    gtLabels: [...normals.map(() => 0), ...defects.map(() => 1)],
  };
  const failOf = (policy: ThresholdPolicy) => calibrateThresholds(data, { policy }).pooled;

  it('F1 and Youden take the best point, half-way down to the next score', () => {
    // From 1.1 on: 4 of 4 found with one false reject, F1 = 8/9, better than 3 of 4 without any, 6/7.
    expect(failOf({ kind: 'maxF1' }).fail).toBeCloseTo((1.1 + 0.9) / 2, 12);
    expect(failOf({ kind: 'youden' }).fail).toBeCloseTo(1, 12);
    expect(failOf({ kind: 'maxF1' })).toMatchObject({ basis: 'roc', normals: 10, defects: 4 });
  });

  it('the escape limit takes the highest threshold that keeps it', () => {
    expect(failOf({ kind: 'maxEscapeRate', rate: 0 }).fail).toBeCloseTo(1, 12);
    expect(failOf({ kind: 'maxEscapeRate', rate: 0.25 }).fail).toBeCloseTo((2 + 1.5) / 2, 12);
    expect(failOf({ kind: 'maxEscapeRate', rate: 0.5 }).fail).toBeCloseTo(2.5, 12);
  });

  it('the false-reject limit takes the threshold that finds most defects within it', () => {
    expect(failOf({ kind: 'maxFalseRejectRate', rate: 0 }).fail).toBeCloseTo((2 + 1.5) / 2, 12);
    expect(failOf({ kind: 'maxFalseRejectRate', rate: 0.1 }).fail).toBeCloseTo(1, 12);
    const overlapping = rankScores([1, 0], [1, 2]);
    const none = rocThreshold(overlapping, { kind: 'maxFalseRejectRate', rate: 0 });
    expect(none.value).toBe(justAbove(2));
  });

  it('says what the counts still allow', () => {
    const { statement, observed } = failOf({ kind: 'maxEscapeRate', rate: 0 });
    expect(observed).toMatchObject({ escapes: 0, falseRejects: 1 });
    expect(statement).toMatch(/0 of 4 defects would pass and 1 of 10 normal pictures would fail/);
    expect(statement).toMatch(/still allows an escape rate of up to 52\.7 % \(95 % confidence\)/);
    expect(escapeBound(0, 0, 0.95)).toBeNull();
  });

  it('every limit is kept on the scores it was chosen from, and review stays at or below fail', () => {
    const item = fc.tuple(fc.integer({ min: 0, max: 20 }), fc.boolean());
    const rate = fc.double({ min: 0, max: 0.9, noNaN: true });
    fc.assert(
      fc.property(fc.array(item, { minLength: 2, maxLength: 60 }), rate, (items, limit) => {
        const gtLabels = items.map(([, label]) => label);
        const bad = gtLabels.filter(Boolean).length;
        fc.pre(bad > 0 && bad < items.length);
        const scores = items.map(([score]) => score / 10);
        const input = { scores, gtLabels, classNames: items.map(() => 'a') };
        const escape = calibrateThresholds(input, { policy: { kind: 'maxEscapeRate', rate: limit } }).pooled;
        const passed = items.filter(([, label], i) => label && scores[i]! < escape.fail).length;
        expect(passed / bad).toBeLessThanOrEqual(limit + 1e-9);
        const reject = calibrateThresholds(input, { policy: { kind: 'maxFalseRejectRate', rate: limit } }).pooled;
        expect(reject.observed.falseRejects / (items.length - bad)).toBeLessThanOrEqual(limit + 1e-9);
        for (const { review, fail } of [escape, reject]) expect(review).toBeLessThanOrEqual(fail);
      }),
    );
  });

  it('a class gets its own with enough of both', () => {
    const exactly = { ...data, scores: data.scores.slice(6), classNames: data.classNames.slice(6) };
    exactly.gtLabels = data.gtLabels.slice(6);
    for (const [fewestPerClass, given] of [
      [4, true],
      [5, false],
    ] as const) {
      const { classes } = calibrateThresholds(exactly, { policy: { kind: 'youden' }, fewestPerClass });
      expect(classes[0]?.thresholds !== null).toBe(given);
    }
    const own = calibrateThresholds(data, { policy: { kind: 'maxF1' }, fewestPerClass: 4 });
    expect(own.classes[0]?.thresholds?.basis).toBe('roc');
    expect(calibrateThresholds(data, { policy: { kind: 'maxF1' } }).classes[0]?.thresholds).toBeNull();
  });
});

describe('what is refused', () => {
  it('scores that are not finite, by class', () => {
    expect(() => calibrateThresholds(one([1, NaN]))).toThrow(/class "bolts" has no finite score \(NaN\)/);
  });
  it('policies without their data, rates out of range, unequal lengths', () => {
    const scores = one([1, 2]);
    expect(() => calibrateThresholds(scores, { policy: { kind: 'maxF1' } })).toThrow(
      /"maxF1" needs pictures of defects/,
    );
    expect(() => calibrateThresholds({ ...scores, gtLabels: [1, 1] }, { policy: { kind: 'youden' } })).toThrow(
      /needs normal pictures/,
    );
    expect(() => calibrateThresholds(scores, { maxReviewRate: 0 })).toThrow(/review rate 0 is not between 0 and 1/);
    expect(() => calibrateThresholds(scores, { policy: { kind: 'maxEscapeRate', rate: 2 } })).toThrow(/rate 2/);
    expect(() => calibrateThresholds({ ...scores, gtLabels: [1] })).toThrow(RangeError);
  });
});

describe('displayScore', () => {
  it('reads 50 at the fail threshold, rises, and is not clipped', () => {
    fc.assert(
      fc.property(
        fc.double({ min: -50, max: 50, noNaN: true }),
        fc.double({ min: -1e6, max: 1e6, noNaN: true }),
        fc.double({ min: 1e-3, max: 1e3, noNaN: true }),
        (fail, raw, more) => {
          fc.pre(fail <= 0 || fail > 1e-6);
          expect(displayScore(fail, { fail })).toBe(50);
          expect(displayScore(raw + more, { fail })).toBeGreaterThan(displayScore(raw, { fail }));
        },
      ),
    );
    expect(displayScore(0, { fail: 2 })).toBe(0);
    expect(displayScore(80, { fail: 2 })).toBe(2000);
    expect(displayScore(NaN, { fail: 2 })).toBeNaN();
  });
});

describe('justAbove', () => {
  it('is the next number', () => {
    expect(justAbove(1)).toBe(1 + Number.EPSILON);
    expect(justAbove(0)).toBe(Number.MIN_VALUE);
    expect(justAbove(-0)).toBe(Number.MIN_VALUE);
    expect(justAbove(-1)).toBe(-1 + Number.EPSILON / 2);
  });
});
