import { createCanvas, type Canvas } from '@napi-rs/canvas';
import { encode as encodePng } from 'fast-png';
import { heatStrength } from '../../../shared/calibration/display-score.ts';
import type { DetectionResult, Thresholds } from '../../../shared/detection.ts';
import type { HottestPlace, Region } from '../../../shared/station/domain.ts';
import { boundsOf } from '../../../shared/station/region-bounds.ts';
import { scoreMap } from '../../inspection/heat-map.ts';
import { resizeMap } from '../../inspection/resize-map.ts';
import type { Picture } from '../../pictures/picture.ts';

/** Longest side of the picture that the window shows, pixels. */
const screenSide = 960;

/** Heat of a whole picture, 0 at or below the review threshold, 255 at or above the fail threshold. */
export interface HeatBytes {
  width: number;
  height: number;
  /** `[height, width]` row-major */
  bytes: Uint8Array;
}

/**
 * The anomaly map on the two thresholds' scale, over the whole picture: where the model looks at a region only, the
 * rest is 0.
 */
export function heatBytes(result: DetectionResult, thresholds: Thresholds, region: Region | null): HeatBytes {
  const { mapWidth: width, mapHeight: height } = result;
  const scores = scoreMap(result);
  const bytes = new Uint8Array(width * height);
  const place = boundsOf(region);
  const left = Math.min(width - 1, Math.round(place.x * width));
  const top = Math.min(height - 1, Math.round(place.y * height));
  const inWidth = Math.max(1, Math.min(width - left, Math.round(place.width * width)));
  const inHeight = Math.max(1, Math.min(height - top, Math.round(place.height * height)));
  const placed = resizeMap(scores, width, height, inWidth, inHeight);
  for (let y = 0; y < inHeight; y++) {
    for (let x = 0; x < inWidth; x++) {
      bytes[(top + y) * width + left + x] = Math.round(255 * heatStrength(placed[y * inWidth + x]!, thresholds));
    }
  }
  return { width, height, bytes };
}

/** The most suspicious place, by the map itself; null for a map without any difference. */
export function hottest(
  result: DetectionResult,
  heat: HeatBytes,
  region: Region | null,
  picture: { width: number; height: number },
  failed: boolean,
): HottestPlace | null {
  const { anomalyMap, mapWidth, mapHeight } = result;
  let at = 0;
  let lowest = Infinity;
  anomalyMap.forEach((value, i) => {
    if (value > anomalyMap[at]!) at = i;
    if (value < lowest) lowest = value;
  });
  if (!(anomalyMap[at]! > lowest)) return null;
  const place = boundsOf(region);
  const level = failed ? 255 : 1;
  const cells = heat.bytes.reduce((sum, value) => sum + (value >= level ? 1 : 0), 0);
  return {
    x: place.x + (((at % mapWidth) + 0.5) / mapWidth) * place.width,
    y: place.y + ((Math.floor(at / mapWidth) + 0.5) / mapHeight) * place.height,
    areaPx: Math.round((cells * picture.width * picture.height) / (heat.width * heat.height)),
  };
}

/** 8-bit grey PNG. */
export function heatPng({ width, height, bytes }: HeatBytes): Uint8Array {
  return encodePng({ width, height, data: bytes, channels: 1, depth: 8 });
}

/** For the window: never what is judged or kept. */
export async function screenJpeg(picture: Picture): Promise<Uint8Array> {
  const canvas = canvasOf(picture);
  const scale = screenSide / Math.max(picture.width, picture.height);
  if (scale >= 1) return canvas.encode('jpeg', 85);
  const small = createCanvas(
    Math.max(1, Math.round(picture.width * scale)),
    Math.max(1, Math.round(picture.height * scale)),
  );
  small.getContext('2d').drawImage(canvas, 0, 0, small.width, small.height);
  return small.encode('jpeg', 85);
}

/** Lossless: for frames that come as pixels, not as a file. */
export async function losslessPng(picture: Picture): Promise<Uint8Array> {
  return canvasOf(picture).encode('png');
}

function canvasOf({ width, height, data }: Picture): Canvas {
  const canvas = createCanvas(width, height);
  const context = canvas.getContext('2d');
  const image = context.createImageData(width, height);
  const rgba = image.data;
  for (let from = 0, to = 0; from < data.length; from += 3, to += 4) {
    rgba[to] = data[from]!;
    rgba[to + 1] = data[from + 1]!;
    rgba[to + 2] = data[from + 2]!;
    rgba[to + 3] = 255;
  }
  context.putImageData(image, 0, 0);
  return canvas;
}
