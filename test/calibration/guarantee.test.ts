import { describe, expect, it } from 'vitest';
import { clopperPearson } from '../../shared/calibration/binomial.ts';
import {
  chooseThresholds,
  type PolicyChoice,
  type PolicyOptions,
  type PolicyRefusal,
} from '../../shared/calibration/guarantee.ts';
import { cheapestPair } from '../../shared/calibration/optimum.ts';
import type { CostPolicy, ThresholdPolicy } from '../../shared/calibration/policies.ts';
import { rankScores } from '../../shared/metrics/ranking.ts';
import { createRandom } from '../../shared/random.ts';
import fc from '../seeded-fast-check.ts';

/** Good parts around 1, defects around 4. */
function sample(normals: number, defects: number, seed = 1, gap = 3) {
  const random = createRandom(seed);
  const scores = Array.from(
    { length: normals + defects },
    (_, i) => 1 + (i < normals ? 0 : gap) + 0.4 * random.normal(),
  );
  return { scores, labels: scores.map((_, i) => i >= normals) };
}

function chosen(data: ReturnType<typeof sample>, policy: ThresholdPolicy, options?: PolicyOptions): PolicyChoice {
  const result = chooseThresholds(data.scores, data.labels, policy, options);
  if (!result.ok) throw new Error(result.reason.text);
  return result;
}

function refused(data: ReturnType<typeof sample>, policy: ThresholdPolicy, options?: PolicyOptions): PolicyRefusal {
  const result = chooseThresholds(data.scores, data.labels, policy, options);
  if (result.ok) throw new Error('not refused');
  expect(result.reason.text).not.toMatch(/[{}]|undefined/);
  return result;
}

const escape1: ThresholdPolicy = { kind: 'maxEscapeRate', rate: 0.01 };
const cost: CostPolicy = { kind: 'cost', escape: 100, reject: 1, review: 0.2, defectRate: 0.01 };
const all: ThresholdPolicy[] = [
  { kind: 'normalsOnly', maxFalseRejectRate: 0.05 },
  { kind: 'maxEscapeRate', rate: 0.05 },
  { kind: 'maxFalseRejectRate', rate: 0.05 },
  { kind: 'maxF1' },
  { kind: 'youden' },
  cost,
];

describe('a limit on one rate', () => {
  it('299 defects show 1 % at 95 %: the lowest defect score is the threshold', () => {
    const data = sample(50, 299);
    const result = chosen(data, escape1);
    expect(result.fail).toBe(Math.min(...data.scores.slice(50)));
    expect(result.review).toBe(result.fail);
    const [escapes, rejects] = result.guarantees;
    expect(escapes).toMatchObject({ about: 'escapeRate', count: 0, n: 299, high: 0.01, method: 'orderStatistic' });
    expect(escapes!.statement.text).toBe(
      'With 95 % confidence at most 1 % of defective parts score below the threshold, whatever the distribution of scores (defects used: 299).',
    );
    expect(rejects).toMatchObject({ about: 'falseRejectRate', method: 'clopperPearson', n: 50 });
    expect(rejects).toMatchObject(clopperPearson(rejects!.count, 50, 0.95));
  });

  it('298 do not: it says how many more, and what they can show', () => {
    const result = refused(sample(50, 298), escape1);
    expect(result).toMatchObject({ moreDefects: 1, moreNormals: 0 });
    expect(result.reason.text).toMatch(/298 defects cannot show an escape rate of at most 1 %.*needed: 1\./);
    expect(result.reachable?.guarantees[0]?.high).toBeCloseTo(1 - 0.05 ** (1 / 298), 12);
    expect(result.reachable?.guarantees[0]?.statement.text).toMatch(/at most 1 % of|at most 1\.01 %/);
  });

  it('24 defects: 275 more, 11.7 % reachable', () => {
    const result = refused(sample(20, 24), escape1);
    expect(result.moreDefects).toBe(275);
    expect(result.reachable?.guarantees[0]?.high).toBeCloseTo(0.1173, 4);
  });

  it('two limits span the review band, whichever way they lie', () => {
    for (const gap of [3, 0.3]) {
      const data = sample(120, 120, 3, gap);
      const result = chosen(data, { kind: 'maxEscapeRate', rate: 0.05 }, { otherRate: 0.05 });
      const good = [...data.scores.slice(0, 120)].sort((a, b) => b - a);
      const bad = [...data.scores.slice(120)].sort((a, b) => a - b);
      // Rank 2 of 120 for 5 % at 95 %.
      const limits = [bad[1]!, good[1]!];
      expect(result.review).toBeCloseTo(Math.min(...limits), 12);
      expect(result.fail).toBeCloseTo(Math.max(...limits), 12);
      expect(result.guarantees.map(({ about, high }) => [about, high])).toEqual([
        ['escapeRate', 0.05],
        ['falseRejectRate', 0.05],
      ]);
    }
  });

  it('where the other limit is out of reach it says so and takes what there is', () => {
    const result = chosen(sample(20, 120), { kind: 'maxEscapeRate', rate: 0.05 }, { otherRate: 0.05 });
    expect(result.notes.map(({ key }) => key)).toContain('tooFewNormals');
    expect(result.guarantees[1]?.high).toBeCloseTo(1 - 0.05 ** (1 / 20), 12);
  });

  it('without the other label its rate is not spoken of', () => {
    const result = chosen(sample(100, 0), { kind: 'maxFalseRejectRate', rate: 0.05 });
    expect(result.guarantees).toHaveLength(1);
    expect(result.notes.map(({ key }) => key)).toContain('noDefects');
  });

  it('never lets more through on the scores themselves than the rank allows, ties or not', () => {
    const score = fc.integer({ min: 0, max: 8 });
    fc.assert(
      fc.property(fc.array(score, { minLength: 60, maxLength: 90 }), fc.boolean(), (bad, stepped) => {
        const scores = [...bad.map((value, i) => (stepped ? value : value + i / 1000)), -1, 20];
        const labels = [...bad.map(() => true), false, false];
        const result = chooseThresholds(scores, labels, { kind: 'maxEscapeRate', rate: 0.05 });
        if (!result.ok) return;
        const passed = scores.filter((value, i) => labels[i] && value < result.review).length;
        expect(passed).toBe(0); // 59 to 92 defects: rank 1.
        expect(result.guarantees[0]?.count).toBe(0);
      }),
    );
  });
});

describe('the best of all thresholds', () => {
  it.each([{ kind: 'maxF1' }, { kind: 'youden' }] as const)(
    '%o lies between the labels and promises both rates',
    (policy) => {
      const data = sample(60, 40);
      const result = chosen(data, policy);
      expect(result.fail).toBeGreaterThan(Math.max(...data.scores.slice(0, 60)));
      expect(result.fail).toBeLessThan(Math.min(...data.scores.slice(60)));
      expect(result.guarantees.map(({ method }) => method)).toEqual(['simultaneousBand', 'simultaneousBand']);
      for (const { low, high, n } of result.guarantees) {
        expect(low).toBe(0);
        // Wider than an interval at a threshold fixed before.
        expect(high).toBeGreaterThan(clopperPearson(0, n, 0.95).high);
        expect(high).toBeLessThan(0.2);
      }
    },
  );

  it('F1 and Youden are the best by trying all', () => {
    const value = fc.integer({ min: 0, max: 30 });
    fc.assert(
      fc.property(
        fc.array(value, { minLength: 30, maxLength: 40 }),
        fc.array(value, { minLength: 30, maxLength: 40 }),
        (good, bad) => {
          const scores = [...good, ...bad.map((score) => score + 12)];
          const labels = scores.map((_, i) => i >= good.length);
          const merits = (t: number) => {
            const tp = scores.filter((s, i) => labels[i] && s >= t).length;
            const fp = scores.filter((s, i) => !labels[i] && s >= t).length;
            return { maxF1: (2 * tp) / (bad.length + tp + fp), youden: tp / bad.length - fp / good.length };
          };
          for (const kind of ['maxF1', 'youden'] as const) {
            const result = chooseThresholds(scores, labels, { kind }, { worstBound: 1.1 });
            if (!result.ok) continue;
            const best = Math.max(...scores.map((t) => merits(t)[kind]));
            expect(merits(result.fail)[kind]).toBeCloseTo(best, 12);
          }
        },
      ),
      { numRuns: 40 },
    );
  });

  it('the cheapest pair is the cheapest by trying all pairs', () => {
    const value = fc.integer({ min: 0, max: 12 });
    const price = fc.double({ min: 0.1, max: 50, noNaN: true });
    fc.assert(
      fc.property(
        fc.array(value, { minLength: 3, maxLength: 12 }),
        fc.array(value, { minLength: 3, maxLength: 12 }),
        price,
        price,
        fc.double({ min: 0.01, max: 0.9, noNaN: true }),
        (good, bad, reject, review, defectRate) => {
          const policy = { kind: 'cost', escape: 20, reject, review, defectRate } as const;
          const scores = [...good, ...bad.map((score) => score + 4)];
          const ranked = rankScores(
            scores.map((_, i) => i >= good.length),
            scores,
          );
          const costOf = (low: number, high: number): number => {
            const share = (list: Iterable<number>, keep: (s: number) => boolean): number => {
              const values = [...list];
              return values.filter(keep).length / values.length;
            };
            const looked = (s: number): boolean => s >= low && s < high;
            return (
              defectRate * (20 * share(ranked.positives, (s) => s < low) + review * share(ranked.positives, looked)) +
              (1 - defectRate) *
                (reject * share(ranked.negatives, (s) => s >= high) + review * share(ranked.negatives, looked))
            );
          };
          const points = [...new Set(scores), 1000];
          let best = Infinity;
          for (const low of points)
            for (const high of points) if (low <= high) best = Math.min(best, costOf(low, high));
          const found = cheapestPair(ranked, policy);
          if ('problem' in found) {
            const edge =
              found.problem === 'costPassAll'
                ? costOf(1000, 1000)
                : Math.min(...points.map((high) => costOf(-1, high)));
            expect(edge).toBeCloseTo(best, 9);
          } else {
            expect(found.review).toBeLessThanOrEqual(found.fail);
            expect(costOf(found.review, found.fail)).toBeCloseTo(best, 9);
          }
        },
      ),
    );
  });

  it('dear escapes lower the threshold, dear rejects raise it', () => {
    const data = sample(100, 100, 2, 0.9);
    const at = (escape: number, reject: number): number =>
      chosen(data, { kind: 'cost', escape, reject, defectRate: 0.3 }, { worstBound: 0.9 }).fail;
    expect(at(20, 1)).toBeLessThan(at(1, 1));
    expect(at(1, 30)).toBeGreaterThan(at(1, 1));
  });

  it('too few parts for any statement are refused with a number', () => {
    const result = refused(sample(6, 5), { kind: 'maxF1' });
    expect(result.reason.key).toBe('tooFewForInterval');
    expect(result.moreDefects).toBeGreaterThan(0);
    expect(result.moreNormals).toBeGreaterThan(0);
    const enough = sample(6 + result.moreNormals!, 5 + result.moreDefects!);
    expect(chooseThresholds(enough.scores, enough.labels, { kind: 'maxF1' }).ok).toBe(true);
  });
});

describe('bad input gets a clear statement, never a number that pretends', () => {
  it.each(all)('scores that are not numbers: %o', (policy) => {
    for (const broken of [NaN, Infinity, -Infinity]) {
      const data = sample(60, 60);
      data.scores[7] = broken;
      const result = refused(data, policy);
      expect(result.reason.text).toMatch(/^1 of 120 scores are not finite numbers/);
      expect(result.reachable).toBeNull();
    }
  });

  it.each(all)('all scores equal: %o', (policy) => {
    const data = sample(60, 60);
    const result = refused({ ...data, scores: data.scores.map(() => 2) }, policy);
    expect(result.reason.text).toBe('All 120 scores are equal: they tell nothing apart, and no threshold can.');
    expect(result.reachable).toBeNull();
  });

  it('one class of labels only', () => {
    const good = sample(300, 0);
    expect(refused(good, escape1)).toMatchObject({ moreDefects: 299, reason: { key: 'noDefects' }, reachable: null });
    expect(refused(good, { kind: 'maxF1' }).reason.text).toMatch(/no defects.*Defects needed: 10/);
    expect(refused(good, cost).reason.key).toBe('noDefects');
    const bad = sample(0, 300);
    expect(refused(bad, { kind: 'normalsOnly', maxFalseRejectRate: 0.01 })).toMatchObject({ moreNormals: 299 });
    expect(refused(bad, { kind: 'youden' }).reason.key).toBe('noNormals');
    expect(chosen(bad, { kind: 'maxEscapeRate', rate: 0.05 }).notes.map(({ key }) => key)).toContain('noNormals');
  });

  it.each(all)('3 pictures: %o', (policy) => {
    const result = refused({ scores: [1, 2, 5], labels: [false, false, true] }, policy);
    expect((result.moreNormals ?? 0) + (result.moreDefects ?? 0)).toBeGreaterThan(0);
    // What three can show is stated as what it is: nearly nothing.
    if (result.reachable !== null) expect(result.reachable.guarantees[0]!.high).toBeGreaterThan(0.6);
  });

  it.each(all)('no pictures at all: %o', (policy) => {
    expect(refused({ scores: [], labels: [] }, policy).reason.text).toMatch(/There are no/);
  });

  it('ties everywhere: what is promised still holds for the scores seen', () => {
    const random = createRandom(4);
    const scores = Array.from({ length: 400 }, (_, i) => (i < 200 ? random.int(3) : 1 + random.int(3)));
    const labels = scores.map((_, i) => i >= 200);
    const result = chooseThresholds(scores, labels, { kind: 'maxEscapeRate', rate: 0.05 });
    expect(result).toMatchObject({ ok: true, fail: 1 });
    const strict = chooseThresholds(scores, labels, { kind: 'maxFalseRejectRate', rate: 0.05 });
    expect(strict.ok && strict.fail > 2 && strict.guarantees[0]!.count === 0).toBe(true);
    expect(refused({ scores, labels }, { kind: 'maxF1' }, { worstBound: 0.3 }).reason.key).toBe('tooFewForInterval');
  });

  it('labels that contradict', () => {
    const data = sample(60, 60);
    const ids = data.scores.map((_, i) => `picture ${String(i % 119)}`);
    const result = refused(data, { kind: 'maxF1' }, { ids });
    expect(result.reason.text).toBe(
      '1 pictures are labelled both good and defective, first "picture 0": decide which they are.',
    );
    const swapped = refused({ ...data, labels: data.labels.map((label) => !label) }, { kind: 'maxF1' });
    expect(swapped.reason.text).toMatch(/labels are swapped/);
  });

  it('defect rate 0 or 1, or none', () => {
    const data = sample(60, 60);
    expect(refused(data, { ...cost, defectRate: 0 }).reason.text).toMatch(/defect rate of 0 there is nothing to find/);
    expect(refused(data, { ...cost, defectRate: 1 }).reason.text).toMatch(/defect rate of 1 every part is bad/);
    for (const defectRate of [NaN, -0.1, 2]) {
      expect(refused(data, { ...cost, defectRate }).reason.key).toBe('rateOutOfRange');
    }
  });

  it('costs of 0 or infinity, and costs at which inspecting does not pay', () => {
    const data = sample(60, 60);
    for (const broken of [0, Infinity, NaN, -1]) {
      for (const name of ['escape', 'reject', 'review'] as const) {
        expect(refused(data, { ...cost, [name]: broken }).reason.text).toMatch(/cost of .* cannot be weighed/);
      }
    }
    const blurred = sample(60, 60, 1, 0.2);
    blurred.scores[0] = 9; // The oddest part is good,
    blurred.scores[60] = -9; // the most ordinary one a defect.
    expect(refused(blurred, { ...cost, escape: 1e-6, reject: 1e6 }).reason.key).toBe('costPassAll');
    expect(refused(blurred, { ...cost, escape: 1e9, review: 1e-6 }).reason.key).toBe('costFailAll');
  });

  it('limits of 0 or 1, and confidence beyond 0..1', () => {
    const data = sample(60, 60);
    expect(refused(data, { kind: 'maxEscapeRate', rate: 0 }).reason.text).toMatch(
      /cannot be shown by any number of parts/,
    );
    expect(refused(data, { kind: 'maxFalseRejectRate', rate: 1 }).reason.key).toBe('rateImpossible');
    expect(refused(data, { kind: 'maxEscapeRate', rate: -1 }).reason.key).toBe('rateOutOfRange');
    expect(refused(data, escape1, { confidence: 1 }).reason.key).toBe('rateImpossible');
    expect(refused(data, escape1, { confidence: NaN }).reason.key).toBe('rateOutOfRange');
    expect(() => chooseThresholds([1, 2], [true], escape1)).toThrow(RangeError);
  });

  it('any mixture of scores and labels gives a finite pair or a reason', () => {
    const score = fc.oneof(fc.integer({ min: -3, max: 3 }), fc.double({ min: -1e300, max: 1e300, noNaN: true }));
    fc.assert(
      fc.property(
        fc.array(fc.tuple(score, fc.boolean()), { maxLength: 150 }),
        fc.constantFrom(...all),
        (items, policy) => {
          const result = chooseThresholds(
            items.map(([value]) => value),
            items.map(([, label]) => label),
            policy,
          );
          if (!result.ok) {
            expect(result.reason.text).not.toMatch(/[{}]|NaN/);
            return;
          }
          expect(Number.isFinite(result.review) && Number.isFinite(result.fail)).toBe(true);
          expect(result.review).toBeLessThanOrEqual(result.fail);
          for (const { low, high } of result.guarantees) expect(0 <= low && low <= high && high <= 1).toBe(true);
        },
      ),
    );
  });
});
