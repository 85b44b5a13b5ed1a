import { describe, expect, it } from 'vitest';
import { aupro, auproStepped, pixelMetrics, type PixelTruth } from '../../shared/metrics/pixels.ts';
import { auroc, averagePrecision, f1Max, prCurve, rocCurve } from '../../shared/metrics/ranking.ts';
import { connectedRegions } from '../../shared/metrics/regions.ts';
import { sortFloats } from '../../shared/metrics/sort-floats.ts';
import fc from '../seeded-fast-check.ts';

/** Few distinct scores, so that ties are common; both labels present. */
const labelled = fc
  .array(fc.tuple(fc.boolean(), fc.integer({ min: -8, max: 8 })), { minLength: 2, maxLength: 60 })
  .filter((items) => items.some(([label]) => label) && items.some(([label]) => !label))
  .map((items) => ({ labels: items.map(([label]) => label), scores: items.map(([, score]) => score / 4) }));

const pixelSet = fc
  .integer({ min: 2, max: 7 })
  .chain((side) =>
    fc.array(
      fc.record({
        map: fc.array(fc.integer({ min: -3, max: 9 }), { minLength: side * side, maxLength: side * side }),
        mask: fc.array(fc.boolean(), { minLength: side * side, maxLength: side * side }),
        masked: fc.boolean(),
      }),
      { minLength: 1, maxLength: 3 },
    ),
  )
  .map((pictures) =>
    pictures.map(({ map, mask, masked }): PixelTruth => {
      const side = Math.sqrt(map.length);
      const gtMask = masked ? Uint8Array.from(mask, Number) : null;
      return { width: side, height: side, anomalyMap: Float32Array.from(map, (value) => value / 2), gtMask };
    }),
  );

/** Values of each region and of all normal pixels. */
function regionsAndNormal(pictures: PixelTruth[]): { regions: number[][]; normal: number[] } {
  const regions: number[][] = [];
  const normal: number[] = [];
  for (const { anomalyMap, gtMask, width, height } of pictures) {
    const { regionOf, count } = connectedRegions(gtMask ?? new Uint8Array(width * height), width, height);
    for (let region = 1; region <= count; region++) {
      regions.push([...anomalyMap].filter((_, i) => regionOf[i] === region));
    }
    normal.push(...[...anomalyMap].filter((_, i) => regionOf[i] === 0));
  }
  return { regions, normal };
}

/** Plain quadratic AUPRO straight from its definition. */
function plainAupro(pictures: PixelTruth[], limit: number): number | null {
  const { regions, normal } = regionsAndNormal(pictures);
  if (regions.length === 0 || normal.length === 0) return null;
  const share = (values: number[], at: number): number => values.filter((value) => value >= at).length / values.length;
  const thresholds = [...new Set([...normal, ...regions.flat()])].sort((a, b) => b - a);
  let [lastRate, lastOverlap, area] = [0, 0, 0];
  for (const at of thresholds) {
    const rate = share(normal, at);
    const overlap = regions.reduce((sum, region) => sum + share(region, at), 0) / regions.length;
    const end = Math.min(rate, limit);
    if (rate > lastRate && end > lastRate) {
      const height = lastOverlap + ((overlap - lastOverlap) * (end - lastRate)) / (rate - lastRate);
      area += ((end - lastRate) * (lastOverlap + height)) / 2;
    }
    lastRate = rate;
    lastOverlap = overlap;
  }
  return area / limit;
}

describe('image metrics', () => {
  it('AUROC is the share of won pairs', () => {
    fc.assert(
      fc.property(labelled, ({ labels, scores }) => {
        let [wins, pairs] = [0, 0];
        labels.forEach((label, i) => {
          labels.forEach((other, j) => {
            if (!label || other) return;
            pairs++;
            wins += scores[i]! > scores[j]! ? 1 : scores[i] === scores[j] ? 0.5 : 0;
          });
        });
        expect(auroc(labels, scores)).toBeCloseTo(wins / pairs, 12);
      }),
    );
  });

  it('no metric changes under a strictly rising map of the scores, nor under reordering', () => {
    fc.assert(
      fc.property(labelled, ({ labels, scores }) => {
        const mapped = scores.map((score) => Math.exp(score) * 3 - 20);
        const reversed = [...mapped].reverse();
        const turned = [...labels].reverse();
        expect(auroc(turned, reversed)).toBe(auroc(labels, scores));
        expect(averagePrecision(turned, reversed)).toBe(averagePrecision(labels, scores));
        expect(f1Max(turned, reversed)?.value).toBe(f1Max(labels, scores)?.value);
      }),
    );
  });

  it('swapped labels or negated scores give the complement', () => {
    fc.assert(
      fc.property(labelled, ({ labels, scores }) => {
        const value = auroc(labels, scores)!;
        expect(
          auroc(
            labels.map((label) => !label),
            scores,
          ),
        ).toBeCloseTo(1 - value, 12);
        expect(
          auroc(
            labels,
            scores.map((score) => -score),
          ),
        ).toBeCloseTo(1 - value, 12);
      }),
    );
  });

  it('the area under the ROC points is the AUROC, the sum over the PR points the AP, the best point F1-max', () => {
    fc.assert(
      fc.property(labelled, ({ labels, scores }) => {
        const roc = rocCurve(labels, scores)!;
        const pr = prCurve(labels, scores)!;
        let area = 0;
        for (let i = 1; i < roc.thresholds.length; i++) {
          const rise = roc.truePositiveRate[i]! + roc.truePositiveRate[i - 1]!;
          area += ((roc.falsePositiveRate[i]! - roc.falsePositiveRate[i - 1]!) * rise) / 2;
        }
        expect(area).toBeCloseTo(auroc(labels, scores)!, 12);
        const steps = pr.recall.map((recall, i) => (recall - (pr.recall[i - 1] ?? 0)) * pr.precision[i]!);
        expect(steps.reduce((sum, step) => sum + step, 0)).toBeCloseTo(averagePrecision(labels, scores)!, 12);
        const best = pr.recall.map((recall, i) => (2 * recall * pr.precision[i]!) / (recall + pr.precision[i]! || 1));
        expect(Math.max(...best)).toBeCloseTo(f1Max(labels, scores)!.value, 12);
        expect([...roc.thresholds].slice(1)).toEqual([...pr.thresholds]);
        expect(roc.thresholds[0]).toBe(Infinity);
        expect([roc.truePositiveRate.at(-1), roc.falsePositiveRate.at(-1)]).toEqual([1, 1]);
      }),
    );
  });

  it('F1-max keeps the highest of equally good thresholds', () => {
    expect(f1Max([1, 0, 0, 1], [4, 3, 2, 1])).toEqual({ value: 2 / 3, threshold: 4 });
  });

  it('empty and one-class inputs are not defined; NaN and unequal lengths are refused', () => {
    expect(auroc([], [])).toBeNull();
    expect(auroc([1, 1], [1, 2])).toBeNull();
    expect(auroc([0], [1])).toBeNull();
    expect(averagePrecision([0, 0], [1, 2])).toBeNull();
    expect(averagePrecision([1, 1], [1, 2])).toBe(1);
    expect(f1Max([0], [1])).toBeNull();
    expect(rocCurve([1], [1])).toBeNull();
    expect(prCurve([0], [1])).toBeNull();
    expect(() => auroc([0, 1], [NaN, 1])).toThrow(/not a number/);
    expect(() => auroc([0, 1], [1, NaN])).toThrow(/not a number/);
    expect(() => auroc([0, 1], [1])).toThrow(RangeError);
    expect(auroc([0, 1, 0], [-Infinity, Infinity, 0])).toBe(1);
    expect(auroc([0, 1], [-0, 0])).toBe(0.5);
  });
});

/** Coarse AUPRO straight from method-spec section 8. */
function plainStepped(pictures: PixelTruth[], steps: number, limit: number): number | null {
  const { regions, normal } = regionsAndNormal(pictures);
  if (regions.length === 0 || normal.length === 0) return null;
  const all = pictures.flatMap(({ anomalyMap }) => [...anomalyMap]);
  const [low, high] = [Math.min(...all), Math.max(...all)];
  const share = (values: number[], at: number): number => values.filter((value) => value > at).length / values.length;
  const points = Array.from({ length: steps }, (_, i) => low + (i * (high - low)) / steps)
    .map((at) => [share(normal, at), regions.reduce((sum, r) => sum + share(r, at), 0) / regions.length] as const)
    .filter(([rate]) => rate < limit)
    .reverse();
  const largest = points.at(-1)?.[0] ?? 0;
  if (largest === 0) return null;
  let area = 0;
  for (let i = 1; i < points.length; i++) {
    area += ((points[i]![0] - points[i - 1]![0]) * (points[i]![1] + points[i - 1]![1])) / 2;
  }
  return area / largest;
}

describe('pixel metrics', () => {
  it('coarse AUPRO is what its definition says', () => {
    fc.assert(
      fc.property(pixelSet, fc.constantFrom(0.3, 0.6, 1), (pictures, limit) => {
        // Values lie on halves and 2^k steps keep every threshold exact, so ties with a threshold are decided alike.
        const wanted = plainStepped(pictures, 16, limit);
        const got = auproStepped(pictures, { steps: 16, fprLimit: limit });
        if (wanted === null) expect(got).toBeNull();
        else expect(got).toBeCloseTo(wanted, 10);
      }),
    );
  });

  it('AUPRO is what its definition says, at any limit', () => {
    fc.assert(
      fc.property(pixelSet, fc.constantFrom(0.05, 0.3, 1), (pictures, limit) => {
        const wanted = plainAupro(pictures, limit);
        const got = aupro(pictures, { fprLimit: limit });
        if (wanted === null) expect(got).toBeNull();
        else expect(got).toBeCloseTo(wanted, 10);
      }),
    );
  });

  it('pixel AUROC, AP and F1 are the image metrics over all pixels', () => {
    fc.assert(
      fc.property(pixelSet, (pictures) => {
        const labels = pictures.flatMap(({ gtMask, anomalyMap }) => [...(gtMask ?? new Uint8Array(anomalyMap.length))]);
        const scores = pictures.flatMap(({ anomalyMap }) => [...anomalyMap]);
        const metrics = pixelMetrics(pictures);
        expect(metrics.pixelAuroc).toBe(auroc(labels, scores));
        expect(metrics.pixelAp).toBe(averagePrecision(labels, scores));
        expect(metrics.pixelF1Max).toBe(f1Max(labels, scores)?.value ?? null);
      }),
    );
  });

  it('AUPRO does not change under a strictly rising map, and weighs regions, not pixels', () => {
    fc.assert(
      fc.property(pixelSet, (pictures) => {
        const mapped = pictures.map((picture) => ({
          ...picture,
          anomalyMap: picture.anomalyMap.map((v) => v * 4 + 1),
        }));
        expect(aupro(mapped)).toBe(aupro(pictures));
      }),
    );
    // One region of 3 pixels found whole, one of 1 pixel missed: half of the regions, not 3 of 4 pixels.
    const gtMask = Uint8Array.from([1, 1, 1, 0, 1, 0, 0, 0]);
    const anomalyMap = Float32Array.from([9, 9, 9, 1, 0, 1, 1, 1]);
    expect(aupro([{ width: 8, height: 1, anomalyMap, gtMask }])).toBeCloseTo(0.5, 12);
  });

  it('never exceeds 1 by rounding, however many regions', () => {
    for (let regions = 1; regions < 200; regions++) {
      const gtMask = Uint8Array.from({ length: 2 * regions + 1 }, (_, i) => i % 2);
      const anomalyMap = Float32Array.from(gtMask);
      const picture = { width: gtMask.length, height: 1, anomalyMap, gtMask };
      expect(aupro([picture])).toBeLessThanOrEqual(1);
      expect(aupro([picture])).toBeCloseTo(1, 12);
    }
  });

  it('what is not defined is null', () => {
    const map = (values: number[], mask: number[] | null): PixelTruth[] => [
      {
        width: values.length,
        height: 1,
        anomalyMap: Float32Array.from(values),
        gtMask: mask && Uint8Array.from(mask),
      },
    ];
    expect(pixelMetrics([])).toEqual({ pixelAuroc: null, pixelAp: null, pixelF1Max: null, aupro: null, regions: 0 });
    expect(pixelMetrics(map([1, 2], null)).aupro).toBeNull();
    expect(pixelMetrics(map([1, 2], [0, 0])).pixelAuroc).toBeNull();
    expect(aupro(map([1, 2], [1, 1]))).toBeNull();
    expect(auproStepped(map([1, 1], [0, 1]))).toBeNull();
    expect(auproStepped(map([0, 1], null))).toBeNull();
    expect(() => pixelMetrics(map([NaN, 1], [0, 1]))).toThrow(/not a number/);
    expect(() => pixelMetrics(map([1, NaN], [0, 1]))).toThrow(/not a number/);
    expect(() => pixelMetrics([{ ...map([1, 2], [0, 1])[0]!, width: 3 }])).toThrow(RangeError);
    expect(() => aupro(map([1, 2], [0, 1]), { fprLimit: 0 })).toThrow(RangeError);
  });
});

describe('connected regions', () => {
  it('corners touch with 8 neighbours and not with 4', () => {
    const mask = [1, 0, 0, 0, 1, 0, 0, 0, 1];
    expect(connectedRegions(mask, 3, 3).sizesPx).toEqual([3]);
    expect(connectedRegions(mask, 3, 3, 4).sizesPx).toEqual([1, 1, 1]);
  });

  it('rows do not wrap around, and a large region fits', () => {
    expect(connectedRegions([0, 0, 1, 1, 0, 0], 3, 2).sizesPx).toEqual([1, 1]);
    expect(connectedRegions(new Uint8Array(300 * 300).fill(255), 300, 300).sizesPx).toEqual([90_000]);
    expect(() => connectedRegions([1], 2, 2)).toThrow(RangeError);
  });

  it('every pixel of the mask has one region, neighbours the same one', () => {
    fc.assert(
      fc.property(fc.array(fc.boolean(), { minLength: 48, maxLength: 48 }), (mask) => {
        const { regionOf, count, sizesPx } = connectedRegions(mask.map(Number), 8, 6);
        expect([...regionOf].map((region) => region > 0)).toEqual(mask);
        expect(sizesPx.reduce((sum, size) => sum + size, 0)).toBe(mask.filter(Boolean).length);
        expect(new Set([...regionOf].filter((region) => region > 0)).size).toBe(count);
        for (let i = 0; i < 48; i++) {
          if (i % 8 < 7 && mask[i] && mask[i + 1]) expect(regionOf[i]).toBe(regionOf[i + 1]);
          if (i < 40 && mask[i] && mask[i + 8]) expect(regionOf[i]).toBe(regionOf[i + 8]);
        }
      }),
    );
  });
});

describe('sortFloats', () => {
  it('the radix path orders any bit pattern like the built-in sort', () => {
    const bits = new Uint32Array(70_000);
    let state = 12345;
    for (let i = 0; i < bits.length; i++) {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      bits[i] = state;
    }
    bits.set([0, 0x80000000, 0x7f800000, 0xff800000, 1, 0x80000001, 0x7fc00000, 0xffc00000], 1000);
    const values = new Float32Array(bits.buffer).map((value) => value + 0);
    const wanted = Float32Array.from(values).sort();
    sortFloats(values);
    expect(values.every((value, i) => Object.is(value, wanted[i]))).toBe(true);
    expect(values.at(-1)).toBeNaN();
  });
});
