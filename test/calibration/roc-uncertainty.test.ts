import { describe, expect, it } from 'vitest';
import { normalQuantile } from '../../shared/calibration/distributions.ts';
import { aurocInterval, bootstrapRocBand, exactRocBand } from '../../shared/calibration/roc-uncertainty.ts';
import { rankScores } from '../../shared/metrics/ranking.ts';
import { createRandom } from '../../shared/random.ts';

function sample(normals: number, defects: number, gap: number, step = 0) {
  const random = createRandom(3);
  const scores = Array.from({ length: normals + defects }, (_, i) => {
    const value = random.normal() + (i < normals ? 0 : gap);
    return step === 0 ? value : Math.round(value / step) * step;
  });
  return { scores, labels: scores.map((_, i) => i >= normals) };
}

/** DeLong's covariance as printed: kernel over all pairs, then the components' sample variances. */
function delongByPairs(scores: readonly number[], labels: readonly boolean[]) {
  const bad = scores.filter((_, i) => labels[i]);
  const good = scores.filter((_, i) => !labels[i]);
  const psi = (x: number, y: number): number => (y < x ? 1 : y === x ? 0.5 : 0);
  const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  const v10 = bad.map((x) => mean(good.map((y) => psi(x, y))));
  const v01 = good.map((y) => mean(bad.map((x) => psi(x, y))));
  const auroc = mean(v10);
  const s = (values: readonly number[]): number =>
    values.reduce((sum, value) => sum + (value - auroc) ** 2, 0) / (values.length - 1);
  return { auroc, standardError: Math.sqrt(s(v10) / bad.length + s(v01) / good.length) };
}

describe('AUROC interval', () => {
  it.each([
    [30, 20, 1, 0],
    [80, 60, 1.5, 0],
    [50, 50, 0.8, 0.5],
    [7, 3, 0.2, 0],
  ])('DeLong over all pairs, %i good, %i bad, gap %d, steps of %d', (normals, defects, gap, step) => {
    const { scores, labels } = sample(normals, defects, gap, step);
    const found = aurocInterval(scores, labels, 0.9);
    const expected = delongByPairs(scores, labels);
    expect(Math.abs(found.auroc! - expected.auroc)).toBeLessThan(1e-12);
    expect(Math.abs(found.standardError! - expected.standardError)).toBeLessThan(1e-12);
    const logit = Math.log(expected.auroc / (1 - expected.auroc));
    const half = (normalQuantile(0.95) * expected.standardError) / (expected.auroc * (1 - expected.auroc));
    expect(Math.abs(found.low - 1 / (1 + Math.exp(half - logit)))).toBeLessThan(1e-9);
    expect(Math.abs(found.high - 1 / (1 + Math.exp(-half - logit)))).toBeLessThan(1e-9);
  });

  it('perfect separation does not look certain', () => {
    const perfect = aurocInterval([1, 2, 3, 4, 5, 6], [0, 0, 0, 1, 1, 1]);
    expect(perfect).toMatchObject({ auroc: 1, method: 'separation', high: 1 });
    // (1 - sqrt(0.95))^(1/3), twice.
    expect(perfect.low).toBeCloseTo((1 - Math.sqrt(0.95)) ** (2 / 3), 12);
    expect(aurocInterval([4, 5, 6, 1, 2, 3], [0, 0, 0, 1, 1, 1])).toMatchObject({
      auroc: 0,
      low: 0,
      high: 1 - perfect.low,
    });
    expect(perfect.low).toBeLessThan(0.5);
    const many = sample(100, 100, 50);
    const sure = aurocInterval(many.scores, many.labels);
    expect(sure.low).toBeGreaterThan(0.9);
    expect(sure.low).toBeLessThan(1);
  });

  it('one label only says nothing; one part of a label hardly anything', () => {
    expect(aurocInterval([1, 2], [0, 0])).toMatchObject({ auroc: null, low: 0, high: 1, method: 'none' });
    const single = aurocInterval([1, 2, 3], [0, 0, 1]);
    expect(single).toMatchObject({ auroc: 1, standardError: null, method: 'separation' });
    expect(aurocInterval([1, 3, 2], [0, 0, 1])).toMatchObject({ auroc: 0.5, standardError: null, method: 'band' });
    expect(single.low).toBeLessThan(0.2);
    expect(() => aurocInterval([1, NaN], [0, 1])).toThrow(/not a number/);
  });
});

describe('ROC bands', () => {
  const { scores, labels } = sample(60, 40, 1.2);
  const ranked = rankScores(labels, scores);

  it('hold the measured curve and rise; the bootstrap is about as wide as the exact one', () => {
    const exact = exactRocBand(ranked);
    const drawn = bootstrapRocBand(ranked, { resamples: 200 });
    for (const band of [exact, drawn]) {
      band.truePositiveRate.forEach((rate, i) => {
        expect(band.low[i]! <= rate + 1e-12 && rate <= band.high[i]! + 1e-12).toBe(true);
        if (i > 0) expect(band.low[i]! >= band.low[i - 1]! && band.high[i]! >= band.high[i - 1]!).toBe(true);
      });
    }
    const width = ({ low, high }: typeof exact): number => high.reduce((sum, top, i) => sum + top - low[i]!, 0);
    expect(Math.abs(width(drawn) / width(exact) - 1)).toBeLessThan(0.15);
  });

  it('the same seed gives the same band, another one another', () => {
    const low = (seed: number): string => bootstrapRocBand(ranked, { resamples: 100, seed }).low.join();
    expect(low(1)).toBe(low(1));
    expect(low(1)).not.toBe(low(2));
  });

  it('perfect separation and single labels stay open', () => {
    const perfect = rankScores([0, 0, 0, 0, 1, 1, 1, 1], [1, 2, 3, 4, 5, 6, 7, 8]);
    for (const band of [exactRocBand(perfect), bootstrapRocBand(perfect)]) expect(band.low[5]!).toBeLessThan(0.7);
    const single = bootstrapRocBand(rankScores([0, 0], [1, 2]));
    expect([...new Set(single.low)]).toEqual([0]);
    expect([...new Set(single.high)]).toEqual([1]);
  });
});
