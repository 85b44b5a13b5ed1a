import type { Thresholds } from '../detection.ts';

/** Raw scores on the scale that people see. */
export interface DisplayScale {
  /** Raw to displayed; rises strictly, 50 at the fail threshold, never clipped. NaN stays NaN. */
  toDisplay(raw: number): number;
  /** The inverse, e.g. of a dragged handle. */
  toRaw(displayed: number): number;
  /** Where the review threshold lies on it: `50 * review / fail`, at or below 50. It moves with the thresholds. */
  reviewAt: number;
  /** Always 50. */
  failAt: number;
}

/** Below this a threshold is too small to divide by: the scale then shows the plain difference to it. */
const leastRatioThreshold = 1e-6;

/**
 * Score for the screen: rises with the raw score, is 50 exactly at the fail threshold, and is never clipped (a part far
 * beyond may read 400). The raw score stays the one that is stored and decided on.
 *
 * The fused score starts at 0, so a ratio keeps 0 at 0; a threshold at or below 0 leaves only the difference.
 */
export function displayScore(raw: number, { fail }: Pick<Thresholds, 'fail'>): number {
  return fail >= leastRatioThreshold ? 50 * (raw / fail) : 50 + (raw - fail);
}

/** The scale of a pair of thresholds, both ways. @throws RangeError when a threshold is not finite */
export function displayScale(thresholds: Thresholds): DisplayScale {
  const { review, fail } = thresholds;
  if (!Number.isFinite(review) || !Number.isFinite(fail)) throw new RangeError(`thresholds ${review} and ${fail}`);
  return {
    toDisplay: (raw) => displayScore(raw, thresholds),
    toRaw: (displayed) => (fail >= leastRatioThreshold ? (displayed / 50) * fail : displayed - 50 + fail),
    reviewAt: displayScore(review, thresholds),
    failAt: 50,
  };
}

/** Review and fail threshold may be the same: then the map is a mask. */
const leastHeatSpan = 1e-6;

/**
 * Strength of the heat map at a score, 0 to 1, for window, HTML and PDF alike: nothing below the review threshold, full
 * from the fail threshold on. The scale is the thresholds', the same for every part, so a good part shows nothing
 * however its map varies; scaling each map to its own maximum would paint it red.
 * @param score a map's value on the fused score's scale (`scoreMap`)
 */
export function heatStrength(score: number, { review, fail }: Thresholds): number {
  return Math.min(1, Math.max(0, (score - review) / Math.max(fail - review, leastHeatSpan)));
}
