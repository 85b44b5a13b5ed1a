import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { aupro } from '../../shared/metrics/pixels.ts';
import { saturationAreaPx, SproCurve, type DefectSaturation } from '../../shared/metrics/spro.ts';

const pixels = (count: number): DefectSaturation => ({ saturationThreshold: count, isRelative: false });
const shareOf = (share: number): DefectSaturation => ({ saturationThreshold: share, isRelative: true });
const whole = shareOf(1);

/** One row of pixels; a mask is given by its positions. */
function row(scores: number[], ...defects: { at: number[]; saturation: DefectSaturation }[]): SproCurve {
  const curve = new SproCurve();
  addRow(curve, scores, ...defects);
  return curve;
}

function addRow(
  curve: SproCurve,
  scores: number[],
  ...defects: { at: number[]; saturation: DefectSaturation }[]
): void {
  curve.add({
    width: scores.length,
    height: 1,
    anomalyMap: Float32Array.from(scores),
    defects: defects.map(({ at, saturation }) => ({
      mask: Uint8Array.from(scores, (_, i) => (at.includes(i) ? 1 : 0)),
      saturation,
    })),
  });
}

describe('the saturation area', () => {
  it('is a share of the area in whole pixels, or a number of pixels within it, at least one', () => {
    expect(saturationAreaPx(1000, shareOf(0.3))).toBe(300);
    expect(saturationAreaPx(999, shareOf(0.5))).toBe(499);
    expect(saturationAreaPx(3, shareOf(0.1))).toBe(1);
    expect(saturationAreaPx(1000, pixels(400))).toBe(400);
    expect(saturationAreaPx(100, pixels(400))).toBe(100);
  });
});

describe('sPRO worked out by hand', () => {
  // Ten normal pixels 0.01..0.10 in steps; a defect of four pixels. Points: each normal pixel adds 0.1 to the rate.
  const normals = [0.1, 0.09, 0.08, 0.07, 0.06, 0.05, 0.04, 0.03, 0.02, 0.01];

  it('a defect that saturates at two of four pixels is found whole by two', () => {
    // 0.9 and 0.8 above all normal pixels: sPRO 1 at rate 0, whatever the other two say.
    expect(row([...normals, 0.9, 0.8, 0, 0], { at: [10, 11, 12, 13], saturation: pixels(2) }).auc(0.3)).toBeCloseTo(
      1,
      12,
    );
    // Unsaturated the same map has only half of it: 0.5 until the very end.
    expect(row([...normals, 0.9, 0.8, 0, 0], { at: [10, 11, 12, 13], saturation: whole }).auc(0.3)).toBeCloseTo(
      0.5,
      12,
    );
  });

  it('follows the curve and cuts it at the limit', () => {
    // Saturation 2: one pixel at 0.9 (sPRO 0.5 at rate 0), one at 0.085, between the second and the third normal pixel.
    const curve = row([...normals, 0.9, 0.085, 0, 0], { at: [10, 11, 12, 13], saturation: pixels(2) });
    // 0.5 from rate 0 to 0.2, then straight up to 1.
    expect(curve.auc(0.2)).toBeCloseTo(0.5, 12);
    expect(curve.auc(0.3)).toBeCloseTo((0.2 * 0.5 + 0.1 * 1) / 0.3, 12);
    expect(curve.auc(0.05)).toBeCloseTo(0.5, 12);
    expect(curve.auc(1)).toBeCloseTo(0.2 * 0.5 + 0.8, 12);
  });

  it('interpolates where defect and normal pixels share a score', () => {
    // One normal pixel and the only defect pixel tie at 0.09: from (0.1, 0) to (0.2, 1) in a straight line.
    const curve = row([...normals, 0.09], { at: [10], saturation: whole });
    expect(curve.auc(0.2)).toBeCloseTo((0.1 * 0.5) / 0.2, 12);
    expect(curve.auc(0.15)).toBeCloseTo((0.05 * 0.25) / 0.15, 12);
  });

  it('is the mean over defects of all pictures, and overlapping defects each count', () => {
    const curve = new SproCurve();
    addRow(
      curve,
      [...normals.slice(0, 5), 0.9, 0.8],
      { at: [5], saturation: whole },
      { at: [5, 6], saturation: whole },
    );
    addRow(curve, [...normals.slice(5), 0], { at: [5], saturation: pixels(7) });
    expect(curve.defects).toBe(3);
    // Two of three are found at rate 0, the third only below all normal pixels.
    expect(curve.auc(0.05)).toBeCloseTo(2 / 3, 12);
    expect(curve.auc(1)).toBeCloseTo(2 / 3, 12);
  });

  it('has no value without a defect or without a normal pixel', () => {
    expect(row([0.1, 0.2]).auc(0.3)).toBeNull();
    expect(row([0.1], { at: [0], saturation: whole }).auc(0.3)).toBeNull();
  });

  it('refuses what has no order or no size', () => {
    expect(() => row([0.1, Number.NaN])).toThrow(expect.objectContaining({ code: 'scoreNotANumber' }));
    expect(() => row([0.1, 0.2], { at: [], saturation: whole })).toThrow(RangeError);
    expect(() => row([0.1]).auc(0)).toThrow(RangeError);
  });
});

describe('sPRO with defects that never saturate', () => {
  it('is PRO: the same area as the exact one, up to the width of a bin', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 30 }), { minLength: 24, maxLength: 24 }), (values) => {
        // Two separate regions in a row of 24 pixels.
        const mask = Uint8Array.from(values, (_, i) => (i < 4 || (i >= 10 && i < 13) ? 1 : 0));
        const anomalyMap = Float32Array.from(values, (value) => value / 31);
        const curve = new SproCurve();
        const part = (from: number, to: number) => mask.map((value, i) => (i >= from && i < to ? value : 0));
        curve.add({
          width: 24,
          height: 1,
          anomalyMap,
          defects: [part(0, 4), part(10, 13)].map((region) => ({ mask: region, saturation: whole })),
        });
        const exact = aupro([{ width: 24, height: 1, anomalyMap, gtMask: mask }]);
        expect(curve.auc(0.3)).toBeCloseTo(exact!, 9);
      }),
      { numRuns: 30 },
    );
  });
});
