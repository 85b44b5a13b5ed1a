import { describe, expect, it } from 'vitest';
import { betaQuantile } from '../../shared/calibration/distributions.ts';
import { displayScale, heatStrength } from '../../shared/calibration/display-score.ts';
import { effectiveCount, groupReader, leakingGroups, splitByGroup } from '../../shared/calibration/groups.ts';
import { calibrateClasses, shrinkRates } from '../../shared/calibration/pooling.ts';
import { judge, unknownClassThreshold } from '../../shared/calibration/unknown-class.ts';
import { createRandom } from '../../shared/random.ts';
import fc from '../seeded-fast-check.ts';

/** Classes of the given sizes at the given levels, 3 apart from their defects. */
function classed(sizes: Record<string, [normals: number, defects: number, level: number]>) {
  const random = createRandom(9);
  const scores: number[] = [];
  const labels: boolean[] = [];
  const classNames: string[] = [];
  for (const [name, [normals, defects, level]] of Object.entries(sizes)) {
    for (let i = 0; i < normals + defects; i++) {
      scores.push(level + (i < normals ? 0 : 6) + random.normal());
      labels.push(i >= normals);
      classNames.push(name);
    }
  }
  return { scores, labels, classNames };
}

describe('thresholds per class', () => {
  const data = classed({ big: [80, 80, 0], 'low level': [30, 20, -2], 'high level': [30, 20, 3], tiny: [3, 2, 0] });
  const policy = { kind: 'maxEscapeRate', rate: 0.05 } as const;
  const { pooled, classes } = calibrateClasses(data, policy);
  const of = (name: string) => classes.find(({ className }) => className === name)!;

  it('a class that keeps the policy alone has its own, one with a level is moved, a tiny one shares', () => {
    expect(pooled.ok).toBe(true);
    expect(classes.map(({ className, mode }) => [className, mode])).toEqual([
      ['big', 'own'],
      ['high level', 'partial'],
      ['low level', 'partial'],
      ['tiny', 'pooled'],
    ]);
    expect(of('high level').offset).toBeGreaterThan(1.5);
    expect(of('low level').offset).toBeLessThan(-1.5);
    expect(of('high level').weight).toBeGreaterThan(0.8);
    if (pooled.ok) expect(of('low level').thresholds!.fail).toBeCloseTo(pooled.fail + of('low level').offset, 12);
    expect(of('high level').own).toMatchObject({ ok: false, moreDefects: 39 });
    for (const { statement } of classes) expect(statement.text).not.toMatch(/[{}]|undefined/);
  });

  it('a policy that no class and no pool can keep gives no threshold, unless the reachable one is asked for', () => {
    const strict = { kind: 'maxEscapeRate', rate: 0.001 } as const;
    const refused = calibrateClasses(data, strict);
    expect(refused.pooled.ok).toBe(false);
    expect(refused.classes.every(({ mode, thresholds }) => mode === 'none' && thresholds === null)).toBe(true);
    const taken = calibrateClasses(data, strict, { acceptReachable: true });
    expect(taken.classes.every(({ thresholds }) => thresholds !== null)).toBe(true);
  });

  it('classes alike get hardly any offset', () => {
    const alike = calibrateClasses(
      classed({ a: [200, 20, 0], b: [200, 20, 0], c: [200, 20, 0], d: [200, 20, 0], e: [200, 20, 0] }),
      policy,
    );
    for (const { offset } of alike.classes) expect(Math.abs(offset)).toBeLessThan(0.25);
  });

  it('parts of few lots are said to be worth less', () => {
    const random = createRandom(2);
    const groups = Array.from({ length: 80 }, (_, i) => `lot ${String(i >> 3)}`);
    const lots = Array.from({ length: 10 }, () => 2 * random.normal());
    const scores = groups.map((_, i) => lots[i >> 3]! + 0.1 * random.normal());
    const worth = effectiveCount(scores, groups);
    expect(worth).toBeGreaterThan(9.5);
    expect(worth).toBeLessThan(12);
    const labels = scores.map(() => true);
    const { notes } = calibrateClasses({ scores, labels, classNames: groups.map(() => 'a'), groups }, policy);
    expect(notes[0]?.text).toMatch(/^The 80 parts come from 10 groups .* worth about 1\d/);
    expect(effectiveCount(scores, scores.map(String))).toBe(80);
    expect(
      effectiveCount(
        scores,
        scores.map(() => 'one'),
      ),
    ).toBe(1);
  });
});

describe('shrunk rates', () => {
  it('a class without parts gets the rate of all, one with many keeps its own', () => {
    const [none, many] = shrinkRates([
      { count: 0, n: 0 },
      { count: 90, n: 100 },
      { count: 1, n: 100 },
      { count: 2, n: 100 },
    ]);
    expect(none!.rate).toBeGreaterThan(0.1);
    expect(none!.interval.high).toBeGreaterThan(0.8);
    expect(many!.rate).toBeGreaterThan(0.85);
  });
  it('is the posterior of a Beta prior', () => {
    // No event at all: prior strength 2 at mean 0.5/101, Beta(2 mean, 2 - 2 mean).
    const [only] = shrinkRates([{ count: 0, n: 100 }], 0.9);
    const a = 1 / 101;
    expect(only!.rate).toBeCloseTo(a / 102, 12);
    expect(only!.interval.high).toBeCloseTo(betaQuantile(0.95, a, 102 - a), 9);
  });
});

describe('splits that keep groups whole', () => {
  it('no group on both sides, everything on one, shares roughly kept, same seed same split', () => {
    const group = fc.integer({ min: 0, max: 12 }).map(String);
    fc.assert(
      fc.property(fc.array(group, { minLength: 20, maxLength: 200 }), fc.integer(), (groups, seed) => {
        fc.pre(new Set(groups).size >= 2);
        const { sides } = splitByGroup(groups, [0.7, 0.3], seed);
        expect(sides.flat().sort((a, b) => a - b)).toEqual(groups.map((_, i) => i));
        const [one, other] = sides.map((side) => side.map((i) => groups[i]!));
        expect(leakingGroups(one!, other!)).toEqual([]);
        expect(one!.length * other!.length).toBeGreaterThan(0);
        expect(splitByGroup(groups, [0.7, 0.3], seed).sides).toEqual(sides);
      }),
    );
  });
  it('labels are shared out too', () => {
    const groups = Array.from({ length: 200 }, (_, i) => `g${String(i >> 2)}`);
    const strata = groups.map((_, i) => (i < 40 ? 'defect' : 'good'));
    const [half] = splitByGroup(groups, [1, 1], 3, strata).sides;
    expect(half!.filter((i) => strata[i] === 'defect')).toHaveLength(20);
  });
  it('reads lots from names; a name without one is its own group', () => {
    const lot = groupReader('lot-(\\d+)');
    expect([lot('a/lot-12_3.png'), lot('b/lot-12_9.png')]).toEqual(['12', '12']);
    expect(lot('x.png')).not.toBe(lot('y.png'));
    expect(() => groupReader('(')).toThrow(/is no pattern/);
    expect(() => splitByGroup(['a', 'a'], [1, 1], 1)).toThrow(/cannot be shared out/);
  });
});

describe('unknown class', () => {
  const distances = Array.from({ length: 299 }, (_, i) => i + 1);
  it('299 held-out parts bound the false alarms at 1 %', () => {
    const threshold = unknownClassThreshold(distances);
    expect(threshold).toMatchObject({ ok: true, falseAlarmRate: 0.01, normals: 299 });
    if (!threshold.ok) return;
    expect(judge({ predScore: 0, classDistance: 299 }, { review: 1, fail: 2 }, threshold)).toEqual({ verdict: 'pass' });
    const odd = judge({ predScore: 0, classDistance: 299.5 }, { review: 1, fail: 2 }, threshold);
    expect(odd).toMatchObject({ verdict: 'review', reason: 'unknownClass' });
    expect(odd.statement?.text).toMatch(/looks like none of the known classes/);
  });
  it('a wide class does not hide strangers near a narrow one', () => {
    const random = createRandom(8);
    const classNames = Array.from({ length: 900 }, (_, i) => (i % 3 === 0 ? 'wide' : 'narrow'));
    const of = (name: string): number => (name === 'wide' ? 5000 : 500) * (1 + 0.1 * random.normal());
    const known = classNames.map(of);
    const raw = unknownClassThreshold(known);
    const scaled = unknownClassThreshold(known, { classNames });
    if (!raw.ok || !scaled.ok) throw new Error('refused');
    const thresholds = { review: 1, fail: 2 };
    const stranger = { predScore: 0, classDistance: 1500, className: 'narrow' };
    expect(judge(stranger, thresholds, raw).verdict).toBe('pass');
    expect(judge(stranger, thresholds, scaled)).toMatchObject({ verdict: 'review', reason: 'unknownClass' });
    expect(judge({ ...stranger, className: 'wide' }, thresholds, scaled).verdict).toBe('pass');
    expect(judge({ ...stranger, className: 'never calibrated' }, thresholds, scaled).verdict).toBe('pass');
    const alarms = classNames.map((className) => ({ predScore: 0, className, classDistance: of(className) }));
    const share = alarms.filter((part) => judge(part, thresholds, scaled).verdict === 'review').length / alarms.length;
    expect(share).toBeLessThan(0.02);
    expect([scaled.normals, raw.normals]).toEqual([450, 900]);
    // One class, or too few parts of each: raw distances.
    expect(unknownClassThreshold(known, { classNames: known.map(() => 'one') })).toMatchObject({ normals: 900 });
    expect(unknownClassThreshold([1, 2, 3, 4], { classNames: ['a', 'a', 'b', 'b'] })).toMatchObject({ ok: false });
  });
  it('a failing score still fails, a broken one has no decision, a missing distance is not known', () => {
    const thresholds = { review: 1, fail: 2 };
    expect(judge({ predScore: 5, classDistance: 9 }, thresholds, { value: 3 })).toMatchObject({
      verdict: 'fail',
      reason: 'unknownClass',
    });
    expect(judge({ predScore: NaN, classDistance: 9 }, thresholds, { value: 3 })).toMatchObject({
      verdict: 'noDecision',
    });
    expect(judge({ predScore: 0, classDistance: NaN }, thresholds, { value: 3 })).toMatchObject({
      verdict: 'review',
      reason: 'classUnchecked',
    });
    expect(judge({ predScore: 0, classDistance: Infinity }, thresholds, { value: 3 }).reason).toBe('unknownClass');
    expect(judge({ predScore: 0, classDistance: NaN }, thresholds)).toEqual({ verdict: 'pass' });
  });
  it('too few, none, broken', () => {
    const few = unknownClassThreshold(distances.slice(0, 40));
    expect(few).toMatchObject({ ok: false, moreNormals: 259, reachable: { ok: true } });
    if (!few.ok) expect(few.reachable?.falseAlarmRate).toBeCloseTo(0.0722, 4);
    expect(unknownClassThreshold([])).toMatchObject({ ok: false, moreNormals: 299, reachable: null });
    expect(unknownClassThreshold([1, NaN])).toMatchObject({ ok: false, moreNormals: null });
  });
});

describe('display score and heat map', () => {
  it('reads 50 at fail, gives review its place, and goes both ways', () => {
    const scale = displayScale({ review: 3, fail: 5 });
    expect([scale.failAt, scale.reviewAt, scale.toDisplay(5), scale.toDisplay(500)]).toEqual([50, 30, 50, 5000]);
    const raw = fc.double({ min: -1e6, max: 1e6, noNaN: true });
    fc.assert(
      fc.property(raw, fc.double({ min: -10, max: 100, noNaN: true }), (value, fail) => {
        const own = displayScale({ review: fail, fail });
        expect(own.toDisplay(fail)).toBeCloseTo(50, 9);
        expect(Math.abs(own.toRaw(own.toDisplay(value)) - value)).toBeLessThan(1e-6 * Math.max(1, Math.abs(value)));
      }),
    );
    expect(() => displayScale({ review: 1, fail: NaN })).toThrow(RangeError);
  });
  it('the heat map has the scale of the thresholds: a good part shows nothing, a failed one all of it', () => {
    const at = (score: number) => heatStrength(score, { review: 2, fail: 4 });
    expect([0, 1.99, 2, 3, 4, 1e9, -Infinity].map(at)).toEqual([0, 0, 0, 0.5, 1, 1, 0]);
    expect([1.99, 2.01].map((score) => heatStrength(score, { review: 2, fail: 2 }))).toEqual([0, 1]);
  });
});
