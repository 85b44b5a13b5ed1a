/** What a frame's luma says about the camera and the scene; pure, so that the self-test can be tested. */

import type { SampleRange } from '../../../shared/frame/i420.ts';
import { sharpnessOf } from './focus.ts';

/** Side of the coarse picture that everything is measured on. */
export const coarseWidth = 96;
export const coarseHeight = 72;

export interface FrameLook {
  /** Luma that one pixel in fifty reaches, 0..1: a bright part before a black ground is lit well enough. */
  brightness: number;
  /** Share of pixels at the upper end. */
  overexposed: number;
  /** As `sharpnessOf`; null where there is nothing to be sharp. */
  sharpness: number | null;
}

/**
 * Averages the luma plane (`[height, width]`) into `[coarseHeight, coarseWidth]`.
 * @param seen cells that are looked at, the same size; the others stay 0, so that nothing there counts as motion
 */
export function coarseOf(luma: Uint8Array, width: number, height: number, seen: Uint8Array | null = null): Uint8Array {
  const coarse = new Uint8Array(coarseWidth * coarseHeight);
  for (let y = 0; y < coarseHeight; y++) {
    const top = Math.floor((y * height) / coarseHeight);
    const bottom = Math.max(top + 1, Math.floor(((y + 1) * height) / coarseHeight));
    for (let x = 0; x < coarseWidth; x++) {
      if (seen !== null && seen[y * coarseWidth + x] === 0) continue;
      const left = Math.floor((x * width) / coarseWidth);
      const right = Math.max(left + 1, Math.floor(((x + 1) * width) / coarseWidth));
      // Every other row and column: enough for a mean, a quarter of the work.
      let sum = 0;
      let count = 0;
      for (let v = top; v < bottom; v += 2) {
        for (let u = left; u < right; u += 2) {
          sum += luma[v * width + u]!;
          count++;
        }
      }
      coarse[y * coarseWidth + x] = sum / count;
    }
  }
  return coarse;
}

/** Luma from which on a pixel is burnt out, black, and the span between black and white. */
const levels = {
  limited: { bright: 233, black: 16, span: 219 },
  full: { bright: 253, black: 0, span: 255 },
} as const;

/** @param luma `[height, width]` */
export function lookAt(luma: Uint8Array, width: number, height: number, range: SampleRange): FrameLook {
  const { bright, black, span } = levels[range];
  const histogram = new Uint32Array(256);
  let count = 0;
  for (let y = 0; y < height; y += 2) {
    for (let x = 0; x < width; x += 2) histogram[luma[y * width + x]!]!++;
    count += Math.ceil(width / 2);
  }
  let overexposed = 0;
  for (let level = bright; level < 256; level++) overexposed += histogram[level]!;
  let brightest = 255;
  for (let above = histogram[255]!; above < count / 50; above += histogram[brightest]!) brightest--;
  return {
    brightness: Math.min(1, Math.max(0, (brightest - black) / span)),
    overexposed: overexposed / count,
    sharpness: sharpnessOf(luma, width, height),
  };
}

export type LookProblem = 'tooDark' | 'overexposed' | 'blurred';

/** What is wrong with the picture, if anything: the first is the one to mend first. */
export function problemsOf(look: FrameLook): LookProblem[] {
  const problems: LookProblem[] = [];
  if (look.brightness < 0.25) problems.push('tooDark');
  if (look.overexposed > 0.25) problems.push('overexposed');
  if (problems.length === 0 && look.sharpness !== null && look.sharpness < 0.17) problems.push('blurred');
  return problems;
}

/**
 * Mean absolute difference of two coarse pictures, 0..255.
 * @param cells that are looked at
 */
export function motionBetween(before: Uint8Array, now: Uint8Array, cells = now.length): number {
  let sum = 0;
  for (let i = 0; i < now.length; i++) sum += Math.abs(now[i]! - before[i]!);
  return sum / cells;
}

/** Share of a coarse picture that differs clearly from another, 0..1; overall brightness is taken out first. */
export function changedShare(before: Uint8Array, now: Uint8Array, cells = now.length): number {
  let shift = 0;
  for (let i = 0; i < now.length; i++) shift += now[i]! - before[i]!;
  shift /= cells;
  // A part that fills half of the view must not be taken for a change of light.
  if (Math.abs(shift) > 8) shift = 0;
  let changed = 0;
  for (let i = 0; i < now.length; i++) if (Math.abs(now[i]! - before[i]! - shift) > 14) changed++;
  return changed / cells;
}
