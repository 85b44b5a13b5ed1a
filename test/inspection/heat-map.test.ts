import { describe, expect, test } from 'vitest';
import { explain, scoreShares } from '../../main/inspection/explain.ts';
import { heatLayer, scoreMap } from '../../main/inspection/heat-map.ts';
import { resizeMap } from '../../main/inspection/resize-map.ts';

const side = 32;
/** Flat at 1, with a bump up to 5 in the middle. */
const bump = new Float32Array(side * side).map((_, i) => {
  const [x, y] = [i % side, Math.floor(i / side)];
  return 1 + 4 * Math.exp(-((x - 16) ** 2 + (y - 16) ** 2) / 20);
});
const result = (predScore: number) => ({ anomalyMap: bump, mapWidth: side, mapHeight: side, predScore });
const thresholds = { review: 2, fail: 3 };

describe('scoreMap', () => {
  test("the median reads 0, the peak reads the picture's score", () => {
    const map = scoreMap(result(4));
    expect(Math.max(...map)).toBeCloseTo(4, 5);
    expect(map[0]).toBeCloseTo(0, 2);
  });

  test('a flat map shows nothing', () => {
    expect(Math.max(...scoreMap({ anomalyMap: new Float32Array(9).fill(7), predScore: 4 }))).toBe(0);
  });
});

describe('heatLayer', () => {
  test('nothing below the review threshold', () => {
    expect(heatLayer(result(1.99), thresholds, 64, 64)).toBeUndefined();
    expect(heatLayer(result(Number.NaN), thresholds, 64, 64)).toBeUndefined();
  });

  test('transparent outside, stronger towards the fail threshold, full beyond it, one hue', () => {
    const { data } = heatLayer(result(6), thresholds, side, side)!;
    const alpha = (x: number, y: number): number => data[4 * (y * side + x) + 3]!;
    expect(alpha(0, 0)).toBe(0);
    const scores = scoreMap(result(6));
    for (let i = 0; i < scores.length; i++) {
      const opacity = data[4 * i + 3]!;
      if (opacity === 255) continue;
      if (scores[i]! < thresholds.review) expect(opacity).toBe(0);
      else expect(opacity / 127.5).toBeCloseTo(Math.min(1, scores[i]! - thresholds.review), 1);
    }
    expect(alpha(16, 16)).toBeGreaterThan(120);
  });

  test('the contour runs where the score crosses the fail threshold', () => {
    const { data } = heatLayer(result(6), thresholds, side, side)!;
    const scores = scoreMap(result(6));
    for (let y = 0; y < side; y++) {
      for (let x = 1; x < side; x++) {
        const at = y * side + x;
        if (scores[at]! >= thresholds.fail === scores[at - 1]! >= thresholds.fail) continue;
        expect(data[4 * at + 3]).toBe(255);
        expect(data[4 * (at - 1) + 3]).toBe(255);
      }
    }
  });
});

describe('resizeMap', () => {
  test('keeps a ramp a ramp and a constant a constant', () => {
    const ramp = new Float32Array(4 * 4).map((_, i) => i % 4);
    const large = resizeMap(ramp, 4, 4, 16, 8);
    expect(large).toHaveLength(16 * 8);
    expect(large[0]).toBe(0);
    expect(large[15]).toBe(3);
    expect(large[7]! + large[8]!).toBeCloseTo(3, 5);
    expect([...resizeMap(new Float32Array(9).fill(2), 3, 3, 5, 7)].every((value) => value === 2)).toBe(true);
  });
});

describe('explain', () => {
  test('shares are of the experts that are there and add up to 1', () => {
    const shares = scoreShares({ localScore: 3, semanticScore: 1, memoryScore: 2.5 });
    expect(shares.local! + shares.semantic! + shares.memory!).toBeCloseTo(1, 9);
    expect(shares.memory!).toBeGreaterThan(shares.local!);
    expect(scoreShares({ localScore: null, semanticScore: null, memoryScore: 2 })).toEqual({
      local: null,
      semantic: null,
      memory: 1,
    });
  });

  test('says in words what made the score', () => {
    const record = {
      file: 'a',
      className: 'c',
      verdict: 'fail' as const,
      predScore: 9,
      localScore: 0,
      semanticScore: 30,
      memoryScore: 1,
      latencyMs: 1,
      timings: { decodeMs: 0, prepareMs: 0, detectMs: 1 },
      id: 'x',
      modelHash: 'm',
      inspectedAt: '2026-01-01T00:00:00.000Z',
    };
    expect(explain(record)).toMatch(/Mostly \(\d+ %\) because the part as a whole/);
    expect(explain({ ...record, verdict: 'noDecision', reason: 'it is torn' })).toBe('No decision: it is torn');
    expect(explain({ ...record, verdict: 'pass' })).not.toContain('because');
  });
});
