import { heatStrength } from '../../shared/calibration/display-score.ts';
import type { DetectionResult, Thresholds } from '../../shared/detection.ts';
import { resizeMap } from './resize-map.ts';

/** One hue that no verdict uses; strength is opacity alone, so it stays even to the eye. */
export const heatColour = { red: 214, green: 0, blue: 126 } as const;

/** Opacity at and above the fail threshold: the part must stay visible under it. */
const fullOpacity = 0.5;

/**
 * The anomaly map on the fused score's own scale: the map's median (of every ninth value) reads 0, its peak reads `predScore`, so that the
 * thresholds, which are of the fused score, apply to it.
 * @returns `[mapHeight, mapWidth]`
 */
export function scoreMap({ anomalyMap, predScore }: Pick<DetectionResult, 'anomalyMap' | 'predScore'>): Float32Array {
  // Every ninth value is enough for a median, and sorting them all would take longer than drawing.
  const sampled = new Float32Array(Math.ceil(anomalyMap.length / 9));
  for (let i = 0; i < sampled.length; i++) sampled[i] = anomalyMap[9 * i]!;
  sampled.sort();
  const median = sampled[sampled.length >> 1] ?? 0;
  const peak = anomalyMap.reduce((highest, value) => Math.max(highest, value), -Infinity);
  const factor = peak > median ? predScore / (peak - median) : 0;
  return anomalyMap.map((value) => Math.max(0, (value - median) * factor));
}

/** A transparent picture, 8-bit RGBA, not premultiplied. */
export interface HeatLayer {
  width: number;
  height: number;
  /** `[height, width, 4]` */
  data: Uint8ClampedArray<ArrayBuffer>;
}

/**
 * Heat map to be laid over a picture: transparent below the review threshold, full at the fail threshold, with a
 * contour at the threshold that the part crossed.
 * @returns undefined when nothing reaches the review threshold
 */
export function heatLayer(
  result: Pick<DetectionResult, 'anomalyMap' | 'mapWidth' | 'mapHeight' | 'predScore'>,
  thresholds: Thresholds,
  width: number,
  height: number,
): HeatLayer | undefined {
  if (!(result.predScore >= thresholds.review)) return undefined;
  const scores = resizeMap(scoreMap(result), result.mapWidth, result.mapHeight, width, height);
  const { review, fail } = thresholds;
  const data = new Uint8ClampedArray(4 * width * height);
  for (let i = 0; i < scores.length; i++) {
    const strength = heatStrength(scores[i]!, thresholds);
    if (strength === 0) continue;
    data[4 * i] = heatColour.red;
    data[4 * i + 1] = heatColour.green;
    data[4 * i + 2] = heatColour.blue;
    data[4 * i + 3] = 255 * fullOpacity * strength;
  }
  drawContour(data, scores, width, height, result.predScore >= fail ? fail : review);
  return { width, height, data };
}

/** Two-tone line, so that it shows on bright and dark parts: the hue inside, white outside. */
function drawContour(
  data: Uint8ClampedArray,
  scores: Float32Array,
  width: number,
  height: number,
  level: number,
): void {
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const at = y * width + x;
      const inside = scores[at]! >= level;
      const crosses =
        (x > 0 && scores[at - 1]! >= level !== inside) ||
        (x < width - 1 && scores[at + 1]! >= level !== inside) ||
        (y > 0 && scores[at - width]! >= level !== inside) ||
        (y < height - 1 && scores[at + width]! >= level !== inside);
      if (!crosses) continue;
      data[4 * at] = inside ? heatColour.red : 255;
      data[4 * at + 1] = inside ? heatColour.green : 255;
      data[4 * at + 2] = inside ? heatColour.blue : 255;
      data[4 * at + 3] = 255;
    }
  }
}
