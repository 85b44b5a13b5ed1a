import { connectedRegions } from '../metrics/regions.ts';
import type { ExplainedRegion } from './types.ts';

/** A region of the map with its pixels. */
export interface MapRegion {
  /** `[height, width]` of the map: 1 inside. */
  mask: Uint8Array;
  areaPx: number;
  box: { x: number; y: number; width: number; height: number };
  peak: { x: number; y: number };
  peakScore: number;
}

/** A region counts down to this share of the map's peak, so that a score far above the threshold still points somewhere. */
const shareOfPeak = 0.5;
const mostRegions = 8;

/**
 * Connected regions of a score map that reach `level` and half of the map's peak, hottest first, eight at most.
 * @param scores `[height, width]` on the fused score's scale
 */
export function hotRegions(scores: Float32Array, width: number, height: number, level: number): MapRegion[] {
  const peak = scores.reduce((highest, value) => Math.max(highest, value), -Infinity);
  if (!(peak >= level)) return [];
  const from = Math.max(level, shareOfPeak * peak);
  const { regionOf, count } = connectedRegions(
    Uint8Array.from(scores, (value) => (value >= from ? 1 : 0)),
    width,
    height,
  );
  const found = Array.from({ length: count }, () => ({
    left: width,
    top: height,
    right: -1,
    bottom: -1,
    area: 0,
    at: -1,
    score: -Infinity,
  }));
  regionOf.forEach((region, i) => {
    if (region === 0) return;
    const entry = found[region - 1]!;
    const x = i % width;
    const y = (i - x) / width;
    entry.left = Math.min(entry.left, x);
    entry.right = Math.max(entry.right, x);
    entry.top = Math.min(entry.top, y);
    entry.bottom = Math.max(entry.bottom, y);
    entry.area++;
    if (scores[i]! > entry.score) Object.assign(entry, { score: scores[i]!, at: i });
  });
  return found
    .map(({ left, top, right, bottom, area, at, score }, i) => ({
      mask: Uint8Array.from(regionOf, (region) => (region === i + 1 ? 1 : 0)),
      areaPx: area,
      box: { x: left, y: top, width: right - left + 1, height: bottom - top + 1 },
      peak: { x: at % width, y: Math.floor(at / width) },
      peakScore: score,
    }))
    .sort((a, b) => b.peakScore - a.peakScore)
    .slice(0, mostRegions);
}

/**
 * A region of the map in pixels of the judged picture.
 * @param mmPerPx millimetres a pixel of the judged picture; null where no scale is set
 */
export function onPicture(
  region: MapRegion,
  map: { width: number; height: number },
  picture: { width: number; height: number },
  mmPerPx: number | null,
): ExplainedRegion {
  const sx = picture.width / map.width;
  const sy = picture.height / map.height;
  const x = Math.floor(region.box.x * sx);
  const y = Math.floor(region.box.y * sy);
  const areaPx = Math.max(1, Math.round(region.areaPx * sx * sy));
  return {
    box: {
      x,
      y,
      width: Math.max(1, Math.ceil((region.box.x + region.box.width) * sx) - x),
      height: Math.max(1, Math.ceil((region.box.y + region.box.height) * sy) - y),
    },
    peak: {
      x: Math.min(picture.width - 1, Math.floor((region.peak.x + 0.5) * sx)),
      y: Math.min(picture.height - 1, Math.floor((region.peak.y + 0.5) * sy)),
    },
    peakScore: region.peakScore,
    areaPx,
    areaMm2: mmPerPx === null ? null : areaPx * mmPerPx * mmPerPx,
    shareOfPicture: region.areaPx / (map.width * map.height),
  };
}

/** The mask with everything within `distance` pixels (square neighbourhood). */
export function dilate(mask: Uint8Array, width: number, height: number, distance: number): Uint8Array {
  const pass = (from: Uint8Array, across: boolean): Uint8Array => {
    const to = new Uint8Array(from.length);
    const [lines, length, step, stride] = across ? [height, width, 1, width] : [width, height, width, 1];
    for (let line = 0; line < lines; line++) {
      let last = -Infinity;
      // Forwards marks what lies behind a mask pixel, backwards what lies before one.
      for (let i = 0; i < length; i++) {
        const at = line * stride + i * step;
        if (from[at] !== 0) last = i;
        if (i - last <= distance) to[at] = 1;
      }
      last = Infinity;
      for (let i = length - 1; i >= 0; i--) {
        const at = line * stride + i * step;
        if (from[at] !== 0) last = i;
        if (last - i <= distance) to[at] = 1;
      }
    }
    return to;
  };
  return pass(pass(mask, true), false);
}
