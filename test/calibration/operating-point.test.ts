import { describe, expect, it } from 'vitest';
import { clopperPearson, simultaneousInterval } from '../../shared/calibration/binomial.ts';
import { describeOperatingPoint, type OperatingPoint } from '../../shared/calibration/operating-point.ts';
import { sentence, sentenceTemplates, fillTemplate, percentText } from '../../shared/calibration/sentences.ts';
import { decide } from '../../shared/detection.ts';
import fc from '../seeded-fast-check.ts';

const keys = ({ sentences }: OperatingPoint): string[] => sentences.map(({ key }) => key);

describe('an operating point', () => {
  const scores = [...Array.from({ length: 40 }, (_, i) => 10 + i), 1, 2, 3, 4, 5, 6, 7, 8, 30, 31];
  const labels = scores.map((_, i) => i < 40);
  const point = describeOperatingPoint(
    scores,
    labels,
    { review: 10, fail: 20 },
    { defectRate: 0.01, partsPerHour: 500 },
  );

  it('counts, rates and what is to be expected', () => {
    expect(point.escape).toEqual({ count: 0, n: 40, rate: 0, interval: simultaneousInterval(0, 40, 0.95) });
    expect(point.defectReview).toMatchObject({ count: 10, n: 40, rate: 0.25 });
    expect(point.falseReject).toMatchObject({ count: 2, n: 10, rate: 0.2 });
    expect(point.normalReview).toMatchObject({ count: 0, n: 10 });
    const { escapes, falseRejects, reviews, defectsInReview } = point.perThousand;
    expect(falseRejects.value).toBeCloseTo(198, 9);
    expect(reviews.value).toBeCloseTo(2.5, 9);
    expect(defectsInReview.value).toBeCloseTo(2.5, 9);
    expect(escapes).toEqual({ value: 0, low: 0, high: 10 * simultaneousInterval(0, 40, 0.95).high });
    expect(point.perHour?.falseRejects.value).toBeCloseTo(99, 9);
    expect(keys(point)).toEqual([
      'counts',
      'escapeBand',
      'falseRejectBand',
      'perThousand',
      'reviewersCatch',
      'perHour',
    ]);
    for (const { text } of point.sentences) expect(text).not.toMatch(/[{}]|undefined|NaN/);
  });

  it('a threshold fixed elsewhere gets the shorter exact interval', () => {
    const fixed = describeOperatingPoint(scores, labels, { review: 10, fail: 20 }, { thresholdsFrom: 'elsewhere' });
    expect(fixed.escape.interval).toEqual(clopperPearson(0, 40, 0.95));
    expect(fixed.escape.interval.high).toBeLessThan(point.escape.interval.high);
    expect(keys(fixed)).toContain('escapeExact');
    expect(fixed.defectRateFrom).toBe('pictures');
    expect(keys(fixed)).toContain('prevalenceFromSample');
  });

  it('agrees with deciding every part, and shares of one label add up to 1', () => {
    const score = fc.oneof(fc.integer({ min: 0, max: 10 }), fc.constant(NaN), fc.constant(Infinity));
    const threshold = fc.integer({ min: -1, max: 11 });
    fc.assert(
      fc.property(fc.array(fc.tuple(score, fc.boolean())), threshold, threshold, (items, a, b) => {
        const thresholds = { review: Math.min(a, b), fail: Math.max(a, b) };
        const found = describeOperatingPoint(
          items.map(([value]) => value),
          items.map(([, label]) => label),
          thresholds,
        );
        const verdicts = items.map(([value, label]) => ({ label, verdict: decide(value, thresholds) }));
        const count = (bad: boolean, ...wanted: string[]): number =>
          verdicts.filter(({ label, verdict }) => label === bad && wanted.includes(verdict)).length;
        expect(found.escape.count).toBe(count(true, 'pass'));
        expect(found.defectReview.count).toBe(count(true, 'review'));
        expect(found.falseReject.count).toBe(count(false, 'fail', 'noDecision'));
        expect(found.normalReview.count).toBe(count(false, 'review'));
        expect(found.notFinite).toBe(items.filter(([value]) => !Number.isFinite(value)).length);
        for (const { rate, interval } of [found.escape, found.defectReview, found.falseReject, found.normalReview]) {
          if (rate === null) expect(interval).toEqual({ low: 0, high: 1 });
          else expect(interval.low <= rate && rate <= interval.high).toBe(true);
        }
      }),
    );
  });
});

describe('what can be wrong with an operating point', () => {
  const scores = [1, 2, 3, 4];
  const labels = [false, false, true, true];
  const at = { review: 2.5, fail: 3.5 };

  it('handles crossed: swapped back, and said', () => {
    const crossed = describeOperatingPoint(scores, labels, { review: 3.5, fail: 2.5 });
    expect(crossed).toMatchObject({ review: 2.5, fail: 3.5 });
    expect(keys(crossed)[0]).toBe('reviewAboveFail');
  });

  it('defect rates of 0 and 1', () => {
    const none = describeOperatingPoint(scores, labels, at, { defectRate: 0 });
    expect(none.perThousand.escapes).toEqual({ value: 0, low: 0, high: 0 });
    expect(keys(none)).toContain('defectRateZero');
    const every = describeOperatingPoint(scores, labels, at, { defectRate: 1 });
    expect(every.perThousand.falseRejects).toEqual({ value: 0, low: 0, high: 0 });
    expect(keys(every)).toContain('defectRateOne');
  });

  it('a label that is missing leaves its figures open', () => {
    const goods = describeOperatingPoint([1, 2], [0, 0], at, { defectRate: 0.02 });
    expect(goods.escape).toEqual({ count: 0, n: 0, rate: null, interval: { low: 0, high: 1 } });
    expect(goods.perThousand.escapes).toEqual({ value: null, low: 0, high: 20 });
    expect(keys(goods)).toContain('noDefects');
    expect(keys(goods)).not.toContain('perThousand');
    expect(keys(describeOperatingPoint([], [], at))).toEqual(['counts', 'noDefects', 'noNormals']);
  });

  it('parts without a score are rejected, and said to be', () => {
    const broken = describeOperatingPoint([NaN, 1, NaN], [true, false, false], at);
    expect(broken).toMatchObject({ notFinite: 2, escape: { count: 0 }, falseReject: { count: 1 } });
    expect(broken.sentences[0]?.text).toMatch(/^2 of 3 parts have no finite score; the station rejects such parts/);
  });

  it('options out of range', () => {
    expect(() => describeOperatingPoint([1], [], at)).toThrow(RangeError);
    expect(() => describeOperatingPoint(scores, labels, { review: NaN, fail: 1 })).toThrow(RangeError);
    for (const options of [{ confidence: 1 }, { defectRate: NaN }, { defectRate: 2 }, { partsPerHour: -1 }]) {
      expect(() => describeOperatingPoint(scores, labels, at, options)).toThrow(RangeError);
    }
  });
});

describe('sentences', () => {
  it('fill any language, and leave visible what they were not given', () => {
    expect(fillTemplate('{a:percent} von {b}, {c}', { a: 0.0725, b: 40 })).toBe('7.25 % von 40, {c}');
    expect(
      sentence('escapeExactUpper', {
        count: 0,
        n: 40,
        high: clopperPearson(0, 40, 0.95, 'upper').high,
        confidence: 0.95,
      }).text,
    ).toBe('0 escapes in 40 defects still allows up to 7.22 % at 95 % confidence.');
  });
  it('a share that is not 0 or 1 never reads so', () => {
    expect([0, 1, 0.5, 1e-9, 1 - 1e-9, 0.9999].map(percentText)).toEqual([
      '0 %',
      '100 %',
      '50 %',
      'less than 0.0001 %',
      'more than 99.999 %',
      '99.99 %',
    ]);
  });
  it('every template names its parameters plainly', () => {
    for (const template of Object.values(sentenceTemplates)) {
      expect(template.replace(/\{\w+(:percent|:number|:parts)?\}/g, '')).not.toMatch(/[{}]/);
    }
  });
});
