import { describe, expect, it } from 'vitest';
import { clopperPearson } from '../../shared/calibration/binomial.ts';
import {
  gateOpen,
  goldenGate,
  latencyGate,
  lossBound,
  mcnemar,
  oldProductsGate,
  overrideGate,
  parityGateResult,
  type GoldenPart,
} from '../../shared/calibration/gates.ts';
import { percentileBound } from '../../shared/calibration/percentile.ts';
import { compareShadow, type ShadowPart } from '../../shared/calibration/shadow.ts';
import type { Verdict } from '../../shared/detection.ts';

let serial = 0;
/** `n` parts that the two models judge as given. */
function parts(
  n: number,
  className: string,
  gtLabel: 'good' | 'defect',
  active: Verdict,
  candidate: Verdict = active,
): GoldenPart[] {
  return Array.from({ length: n }, () => ({
    id: `p${String(serial++).padStart(5, '0')}`,
    className,
    gtLabel,
    active: { predScore: 1, verdict: active },
    candidate: { predScore: 1, verdict: candidate },
  }));
}
const texts = (result: { checks: { passed: boolean; statement: { text: string } }[] }, passed: boolean): string =>
  result.checks
    .filter((check) => check.passed === passed)
    .map(({ statement }) => statement.text)
    .join('\n');
const sound = [...parts(80, 'nut', 'defect', 'fail'), ...parts(80, 'nut', 'good', 'pass')];

describe('golden-set gate', () => {
  it('lets an unchanged model through once there are parts enough (72 of each for 5 %)', () => {
    expect(goldenGate(sound)).toMatchObject({ outcome: 'accepted', changed: [], override: null });
    const few = goldenGate([...parts(71, 'nut', 'defect', 'fail'), ...parts(72, 'nut', 'good', 'pass')]);
    expect(few.outcome).toBe('refused');
    expect(texts(few, false)).toMatch(
      /^Defects found of all classes: 71 golden parts cannot show a loss of at most 5 % .* Further parts needed: 1\.$/,
    );
  });

  it('the bound of the loss is exact on both sides', () => {
    const bound = clopperPearson(3, 100, 0.975, 'upper').high - clopperPearson(5, 100, 0.975, 'lower').low;
    expect(lossBound({ n: 100, lost: 3, gained: 5 }, 0.95)).toBe(bound);
    expect(mcnemar(1, 9)).toBeCloseTo(0.021484375, 12); // 2 (1 + 10) / 1024
  });

  it('a class that gets worse refuses it, however good the rest', () => {
    const result = goldenGate([
      ...sound,
      ...sound,
      ...parts(20, 'bolt', 'defect', 'fail'),
      ...parts(5, 'bolt', 'defect', 'fail', 'pass'),
    ]);
    expect(result.outcome).toBe('refused');
    expect(texts(result, false)).toMatch(/of bolt: the candidate loses 5 and gains only 0 of 25 parts/);
    expect(result.changed).toHaveLength(5);
    expect(result.changed[0]).toMatchObject({ className: 'bolt', active: 'fail', candidate: 'pass', effect: 'worse' });
  });

  it('one lost part of a small class is let through, two of ten are not', () => {
    const base = [...sound, ...sound];
    const one = goldenGate([
      ...base,
      ...parts(9, 'bolt', 'defect', 'fail'),
      ...parts(1, 'bolt', 'defect', 'fail', 'pass'),
    ]);
    expect(one.outcome).toBe('accepted');
    const two = goldenGate([
      ...base,
      ...parts(8, 'bolt', 'defect', 'fail'),
      ...parts(2, 'bolt', 'defect', 'fail', 'pass'),
    ]);
    expect(texts(two, false)).toMatch(/loses 2 and gains 0 of 10 parts, 20 % of them \(allowed: 10 %\)/);
  });

  it('review finds a defect and does not reject a good part; no decision rejects', () => {
    const moved = goldenGate([
      ...sound,
      ...parts(5, 'nut', 'defect', 'fail', 'review'),
      ...parts(5, 'nut', 'good', 'pass', 'review'),
    ]);
    expect(moved.outcome).toBe('accepted');
    expect(moved.changed.map(({ effect }) => effect)).toEqual(Array.from({ length: 10 }, () => 'neither'));
    const broken = parts(8, 'nut', 'good', 'pass', 'noDecision').map((part) => ({
      ...part,
      candidate: { ...part.candidate, predScore: NaN },
    }));
    const refused = goldenGate([...sound, ...broken]);
    expect(texts(refused, false)).toMatch(/Good parts not rejected of nut/);
    expect(texts(refused, false)).toMatch(/8 golden parts have no finite score from the candidate model/);
  });

  it('a better model passes, and the changed pictures are sorted by harm', () => {
    const result = goldenGate([
      ...sound,
      ...sound,
      ...parts(9, 'nut', 'defect', 'pass', 'fail'),
      ...parts(1, 'nut', 'good', 'pass', 'fail'),
      ...parts(4, 'nut', 'good', 'fail', 'pass'),
    ]);
    expect(result.outcome).toBe('accepted');
    expect(result.changed[0]?.effect).toBe('worse');
    expect(result.changed.at(-1)?.effect).toBe('better');
  });

  it('nothing to compare, a class without parts, and limits that mean nothing', () => {
    expect(goldenGate([]).outcome).toBe('refused');
    expect(texts(goldenGate(parts(90, 'nut', 'good', 'pass')), false)).toMatch(
      /Defects found of all classes: there are no golden parts/,
    );
    expect(texts(goldenGate(sound, {}, ['nut', 'cap']), false)).toBe('The golden set has no parts of the class "cap".');
    expect(() => goldenGate(sound, { maxRecallLoss: 0 })).toThrow(/maxRecallLoss = 0 is not between/);
    expect(() => goldenGate(sound, { confidence: NaN })).toThrow(/confidence/);
  });
});

describe('old-products gate', () => {
  it('looks at the old classes alone', () => {
    const withNew = [...sound, ...parts(40, 'cap', 'defect', 'fail', 'pass')];
    expect(oldProductsGate(withNew, ['nut'], ['cap', 'nut'])).toMatchObject({
      gate: 'oldProducts',
      outcome: 'accepted',
    });
  });
  it('a class that is gone refuses', () => {
    const result = oldProductsGate(sound, ['cap', 'nut'], ['nut']);
    expect(result.outcome).toBe('refused');
    expect(texts(result, false)).toBe('The candidate does not know the class "cap" of the active model.');
  });
});

describe('latency gate', () => {
  it('bounds the 95th percentile by an order statistic', () => {
    const times = Array.from({ length: 59 }, (_, i) => i + 1);
    // 59 times: the largest; 93: the second largest.
    expect(percentileBound(times, 0.95, 0.95)).toEqual({ n: 59, value: 57, upper: 59, moreNeeded: 0 });
    expect(
      percentileBound(
        Array.from({ length: 93 }, (_, i) => i),
        0.95,
        0.95,
      ).upper,
    ).toBe(91);
    expect(latencyGate(times, 59).outcome).toBe('accepted');
    expect(latencyGate(times, 58.9).checks[0]?.statement.key).toBe('latencyBeyond');
  });
  it('too few times, none, times that are not numbers', () => {
    expect(latencyGate([1, 2, 3], 100).checks[0]?.statement.text).toMatch(/3 timed parts .* Further parts needed: 56/);
    expect(percentileBound([], 0.95, 0.95)).toMatchObject({ value: NaN, upper: null, moreNeeded: 59 });
    expect(
      latencyGate(
        Array.from({ length: 60 }, () => NaN),
        100,
      ).outcome,
    ).toBe('refused');
    expect(() => latencyGate([1], 0)).toThrow(RangeError);
  });
});

describe('parity gate and override', () => {
  const kept = { maxAbsDifference: 2e-6, verdictFlips: 0, pictures: 24, tolerance: 1e-4 };
  it('accepts, refuses, and does not believe nonsense', () => {
    expect(parityGateResult(kept).outcome).toBe('accepted');
    expect(parityGateResult({ ...kept, verdictFlips: 1 }).checks[0]?.statement.key).toBe('parityBroken');
    expect(parityGateResult({ ...kept, maxAbsDifference: 1 }).outcome).toBe('refused');
    for (const broken of [{ maxAbsDifference: NaN }, { pictures: 0 }, { tolerance: Infinity }]) {
      expect(parityGateResult({ ...kept, ...broken }).checks[0]?.statement.key).toBe('parityUnknown');
    }
  });
  it('an override needs role, name and reason, and stays on the refused result', () => {
    const refused = parityGateResult({ ...kept, verdictFlips: 1 });
    const override = {
      by: 'Ada',
      role: 'engineer',
      reason: 'line stands still otherwise',
      at: '2026-01-02T03:04:05.000Z',
    };
    const result = overrideGate(refused, override);
    expect(result).toMatchObject({ outcome: 'refused', override });
    expect([gateOpen(refused), gateOpen(result)]).toEqual([false, true]);
    expect(() => overrideGate(refused, { ...override, role: 'operator' })).toThrow(/role "operator" may not override/);
    expect(() => overrideGate(refused, { ...override, reason: ' because ' })).toThrow(/needs a reason/);
    expect(() => overrideGate(refused, { ...override, by: ' ' })).toThrow(/name of the person/);
    expect(() => overrideGate(parityGateResult(kept), override)).toThrow(/Nothing was refused/);
  });
});

describe('shadow mode', () => {
  const at = (hour: number): string => new Date(Date.UTC(2026, 0, 1, hour)).toISOString();
  const live = (n: number, active: Verdict, candidate: Verdict, hour = 0): ShadowPart[] =>
    parts(n, 'nut', 'good', active, candidate).map((part) => ({ ...part, at: at(hour) }));

  it('agreement, who is stricter, and the list', () => {
    const found = compareShadow(
      [
        ...live(90, 'pass', 'pass'),
        ...live(1, 'pass', 'review', 1),
        ...live(6, 'pass', 'fail', 2),
        ...live(3, 'fail', 'pass', 3),
      ],
      { parts: 100 },
    );
    expect(found).toMatchObject({ n: 100, agreeing: 90, newlyRejected: 6, newlyAccepted: 3, complete: true });
    expect(found.disagreement).toEqual({ count: 10, rate: 0.1, interval: clopperPearson(10, 100, 0.95) });
    expect(found.p).toBe(mcnemar(6, 3));
    expect(found.reviews).toEqual({ active: 0, candidate: 1 });
    expect(found.disagreements.map(({ active }) => active.verdict).at(-1)).toBe('pass');
    expect(found.disagreements.at(-1)?.candidate.verdict).toBe('review');
    expect(found.classes).toEqual([
      { className: 'nut', n: 100, disagreeing: 10, interval: clopperPearson(10, 100, 0.95) },
    ]);
  });
  it('goes on until parts or hours are reached', () => {
    expect(compareShadow(live(5, 'pass', 'pass'), { parts: 6 })).toMatchObject({ complete: false });
    expect(compareShadow([...live(1, 'pass', 'pass', 0), ...live(1, 'pass', 'pass', 2)], { hours: 2 }).complete).toBe(
      true,
    );
    expect(compareShadow([...live(1, 'pass', 'pass', 0), ...live(1, 'pass', 'pass', 1)], { hours: 2 }).complete).toBe(
      false,
    );
    expect(compareShadow([])).toMatchObject({ n: 0, complete: false, p: 1, disagreement: { rate: null } });
  });
});
