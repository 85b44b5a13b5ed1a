import { describe, expect, test } from 'vitest';
import type { DetectionResult } from '../../shared/detection.ts';
import { cloneInto, fillFromSurroundings, fillGrey } from '../../shared/explanation/fill.ts';
import { dilate, hotRegions, onPicture } from '../../shared/explanation/regions.ts';
import { explainPart } from '../../main/inspection/explain.ts';
import type { PreparedPicture } from '../../main/pictures/picture.ts';
import { createRandom } from '../../shared/random.ts';

const size = 64;

/** A striped part with a white square of 6 x 6 at (40, 20). */
function stripedPart(withSpot: boolean): PreparedPicture {
  const data = new Uint8Array(3 * size * size);
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      const isSpot = withSpot && x >= 40 && x < 46 && y >= 20 && y < 26;
      data.fill(isSpot ? 255 : 90 + (x % 8 < 4 ? 20 : 0), 3 * (y * size + x), 3 * (y * size + x) + 3);
    }
  }
  return { width: size, height: size, data, pixelHash: '' };
}

/** Finds what is brighter than the stripes: a detector whose right answer is known. */
const brightDetector = {
  normalPicture: () => ({ className: 'stripes', fileName: 'good.png' }),
  inspect: (pictures: readonly PreparedPicture[]): Promise<DetectionResult[]> =>
    Promise.resolve(
      pictures.map(({ data }) => {
        const anomalyMap = new Float32Array(size * size).map((_, i) => Math.max(0, (data[3 * i]! - 120) / 13.5));
        return {
          className: 'stripes',
          predScore: anomalyMap.reduce((highest, value) => Math.max(highest, value), 0),
          localScore: 4,
          semanticScore: Number.NaN,
          memoryScore: 6,
          classDistance: 0,
          nearestNormal: 0,
          anomalyMap,
          mapWidth: size,
          mapHeight: size,
        };
      }),
    ),
};

const parts = {
  detector: brightDetector,
  thresholds: { review: 3, fail: 5 },
  picture: { width: 128, height: 256 },
};

describe('an explained part', () => {
  test('the defect: where, how large, what it would be without it', async () => {
    const prepared = stripedPart(true);
    const [result] = await brightDetector.inspect([prepared]);
    const explanation = await explainPart(prepared, result!, {
      ...parts,
      mmPerPx: 0.5,
      readNormal: () => Promise.resolve(stripedPart(false)),
    });
    expect(explanation.verdict).toBe('fail');
    expect(explanation.regions).toHaveLength(1);
    const [region] = explanation.regions;
    // Twice as wide and four times as high as the map.
    expect(region).toMatchObject({
      box: { x: 80, y: 80, width: 12, height: 24 },
      areaPx: 36 * 8,
      areaMm2: 36 * 8 * 0.25,
      shareOfPicture: 36 / (size * size),
    });
    expect(region!.peakScore).toBeCloseTo(10, 5);
    expect(region!.peak.x).toBeGreaterThanOrEqual(80);
    expect(explanation.counterfactuals.map(({ replacedBy, verdict }) => [replacedBy, verdict])).toEqual([
      ['surroundings', 'pass'],
      ['nearestNormal', 'pass'],
    ]);
    expect(explanation.counterfactuals[0]!.phrase.en).toMatch(
      /^Without the spot at \(\d+, \d+\), replaced by its surroundings, the score would be 0\.00 instead of 10\.00: the part would pass\.$/,
    );
    expect(explanation.shares.semantic).toBeNull();
    expect(explanation.shares.local! + explanation.shares.memory!).toBeCloseTo(1, 12);
    expect(explanation.reasons.map(({ key }) => key)).toEqual([
      'explanation.reason.memory',
      'explanation.reason.local',
    ]);
    expect(explanation.scale).toEqual({ review: 3, fail: 5 });
  });

  test('a good part looks calm: no regions, no runs of the model', async () => {
    const prepared = stripedPart(false);
    const [result] = await brightDetector.inspect([prepared]);
    const inspect = () => Promise.reject(new Error('not needed'));
    const explanation = await explainPart(prepared, result!, { ...parts, detector: { ...brightDetector, inspect } });
    expect(explanation).toMatchObject({ verdict: 'pass', regions: [], counterfactuals: [] });
    expect(explanation.summary).toMatchObject({ key: 'explanation.pass' });
  });

  test('a score that is no number is no decision', async () => {
    const prepared = stripedPart(true);
    const [result] = await brightDetector.inspect([prepared]);
    const explanation = await explainPart(prepared, { ...result!, predScore: Number.NaN }, parts);
    expect(explanation).toMatchObject({ verdict: 'noDecision', regions: [] });
    expect(explanation.summary.en).toContain('No decision');
  });
});

describe('filling', () => {
  const whole = stripedPart(false);
  const spoilt = stripedPart(true);
  const mask = Uint8Array.from({ length: size * size }, (_, i) => {
    const x = i % size;
    const y = Math.floor(i / size);
    return x >= 38 && x < 48 && y >= 18 && y < 28 ? 1 : 0;
  });
  const worst = (a: Uint8Array, b: Uint8Array): number =>
    a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0);

  test('from the surroundings: the stripes go on, and nothing outside is touched', () => {
    const { data } = fillFromSurroundings(spoilt, mask);
    expect(worst(data, whole.data)).toBeLessThanOrEqual(2);
    mask.forEach((value, i) => {
      if (value === 0) expect(data[3 * i]).toBe(spoilt.data[3 * i]);
    });
  });

  test('from a darker picture: brightness is fitted at the seam', () => {
    const darker = whole.data.map((value) => value - 30);
    expect(worst(cloneInto(spoilt, mask, darker).data, whole.data)).toBeLessThanOrEqual(2);
  });

  test('a mask of everything, of nothing, and at the edge', () => {
    const all = new Uint8Array(size * size).fill(1);
    expect(fillFromSurroundings(spoilt, all).data).toHaveLength(spoilt.data.length);
    expect(fillFromSurroundings(spoilt, new Uint8Array(size * size)).data).toEqual(spoilt.data);
    const corner = Uint8Array.from({ length: size * size }, (_, i) => (i % size < 5 && i < 5 * size ? 1 : 0));
    expect(worst(fillFromSurroundings(whole, corner).data, whole.data)).toBeLessThanOrEqual(2);
    expect(fillGrey(whole, corner).data[0]).toBe(127);
  });
});

describe('regions', () => {
  test('hottest first, only what reaches the level and half of the peak', () => {
    const scores = new Float32Array(100);
    scores[11] = 10;
    scores[12] = 6;
    scores[55] = 8;
    scores[77] = 4.5;
    const found = hotRegions(scores, 10, 10, 1);
    expect(found.map(({ peakScore, areaPx }) => [peakScore, areaPx])).toEqual([
      [10, 2],
      [8, 1],
    ]);
    expect(hotRegions(scores, 10, 10, 11)).toEqual([]);
    expect(onPicture(found[0]!, { width: 10, height: 10 }, { width: 20, height: 20 }, null)).toMatchObject({
      box: { x: 2, y: 2, width: 4, height: 2 },
      areaPx: 8,
      areaMm2: null,
    });
  });

  test('widening is the square neighbourhood', () => {
    const random = createRandom(1);
    const mask = Uint8Array.from({ length: 20 * 15 }, () => (random.next() < 0.03 ? 1 : 0));
    const wide = dilate(mask, 20, 15, 2);
    for (let y = 0; y < 15; y++) {
      for (let x = 0; x < 20; x++) {
        let near = 0;
        for (let v = Math.max(0, y - 2); v <= Math.min(14, y + 2); v++) {
          for (let u = Math.max(0, x - 2); u <= Math.min(19, x + 2); u++) near |= mask[v * 20 + u]!;
        }
        expect(wide[y * 20 + x]).toBe(near);
      }
    }
  });
});
