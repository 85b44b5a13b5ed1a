/** What a frame's luma says about the camera and the scene; pure, so that the self-test can be tested. */

import type { SampleRange } from '../../../shared/frame/i420.ts';

/** Side of the coarse picture that everything is measured on. */
export const coarseWidth = 96;
export const coarseHeight = 72;

export interface FrameLook {
  /** Mean luma, 0..1. */
  brightness: number;
  /** Share of pixels at the upper end. */
  overexposed: number;
  /** Share of pixels at the lower end. */
  black: number;
  /** Mean absolute Laplacian of the luma at half size, relative to its spread; a sharp picture of anything has over 0.1. */
  sharpness: number;
}

/** Averages the luma plane (`[height, width]`) into `[coarseHeight, coarseWidth]`. */
export function coarseOf(luma: Uint8Array, width: number, height: number): Uint8Array {
  const coarse = new Uint8Array(coarseWidth * coarseHeight);
  for (let y = 0; y < coarseHeight; y++) {
    const top = Math.floor((y * height) / coarseHeight);
    const bottom = Math.max(top + 1, Math.floor(((y + 1) * height) / coarseHeight));
    for (let x = 0; x < coarseWidth; x++) {
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

/** Luma from which on a pixel is burnt out, up to which it is black, and the two ends. */
const levels = {
  limited: { bright: 233, dark: 20, black: 16, span: 219 },
  full: { bright: 253, dark: 5, black: 0, span: 255 },
} as const;

/** @param luma `[height, width]` */
export function lookAt(luma: Uint8Array, width: number, height: number, range: SampleRange): FrameLook {
  const level = levels[range];
  let sum = 0;
  let squares = 0;
  let bright = 0;
  let black = 0;
  let laplacian = 0;
  let count = 0;
  for (let y = 2; y < height - 2; y += 2) {
    for (let x = 2; x < width - 2; x += 2) {
      const at = y * width + x;
      const value = luma[at]!;
      sum += value;
      squares += value * value;
      if (value >= level.bright) bright++;
      if (value <= level.dark) black++;
      laplacian += Math.abs(4 * value - luma[at - 2]! - luma[at + 2]! - luma[at - 2 * width]! - luma[at + 2 * width]!);
      count++;
    }
  }
  const mean = sum / count;
  const spread = Math.sqrt(Math.max(0, squares / count - mean * mean));
  return {
    brightness: Math.min(1, Math.max(0, (mean - level.black) / level.span)),
    overexposed: bright / count,
    black: black / count,
    sharpness: laplacian / count / 4 / Math.max(4, spread),
  };
}

export type LookProblem = 'tooDark' | 'overexposed' | 'blurred';

/** What is wrong with the picture, if anything: the first is the one to mend first. */
export function problemsOf(look: FrameLook): LookProblem[] {
  const problems: LookProblem[] = [];
  if (look.brightness < 0.1) problems.push('tooDark');
  if (look.overexposed > 0.25) problems.push('overexposed');
  if (problems.length === 0 && look.sharpness < 0.035) problems.push('blurred');
  return problems;
}

/** Mean absolute difference of two coarse pictures, 0..255. */
export function motionBetween(before: Uint8Array, now: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < now.length; i++) sum += Math.abs(now[i]! - before[i]!);
  return sum / now.length;
}

/** Share of a coarse picture that differs clearly from another, 0..1; overall brightness is taken out first. */
export function changedShare(before: Uint8Array, now: Uint8Array): number {
  let shift = 0;
  for (let i = 0; i < now.length; i++) shift += now[i]! - before[i]!;
  shift /= now.length;
  // A part that fills half of the view must not be taken for a change of light.
  if (Math.abs(shift) > 8) shift = 0;
  let changed = 0;
  for (let i = 0; i < now.length; i++) if (Math.abs(now[i]! - before[i]! - shift) > 14) changed++;
  return changed / now.length;
}
