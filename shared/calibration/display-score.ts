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

/**
 * Place of an anomaly map's value on a colour scale, 0 to below 1, the same for every part: 0 at 0, exactly one half at
 * `anchor`, never saturated (`v / (v + anchor)`). With the anchor at the map threshold a good part stays in the lower
 * half and looks calm, however small its largest value; scaling each map to its own maximum would paint it red.
 * @param anchor above 0, see {@link mapAnchor}
 * @throws RangeError when the anchor is not a finite number above 0
 */
export function heatShare(value: number, anchor: number): number {
  if (!(anchor > 0 && Number.isFinite(anchor))) throw new RangeError(`heat-map anchor ${anchor}`);
  if (value === Infinity) return 1;
  return value > 0 ? value / (value + anchor) : 0;
}

/**
 * Anchor of the heat map's scale: the map value that a good part's hottest place reaches in at most a share `rate` of
 * good parts, as seen on good parts that were not trained on (their map maxima); at least a quarter of the hottest.
 * @param normalMaxima largest map value of each of these parts, any order
 * @returns null without any finite maximum above 0
 */
export function mapAnchor(normalMaxima: ArrayLike<number>, rate = 0.05): number | null {
  const sorted = Float64Array.from(normalMaxima)
    .filter((value) => Number.isFinite(value) && value > 0)
    .sort();
  if (sorted.length === 0) return null;
  const highest = sorted[sorted.length - 1]!;
  return Math.max(highest / 4, sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * (1 - rate)))]!);
}
