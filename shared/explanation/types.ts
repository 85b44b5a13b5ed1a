import type { Verdict } from '../detection.ts';

/** A sentence: its key and parameters for translation, and its English form. */
export interface Phrase {
  key: string;
  params: Record<string, string | number>;
  en: string;
}

/** Shares of the fused score by expert, each 0..1, together 1; null where the model has no such expert. */
export interface ScoreShares {
  local: number | null;
  semantic: number | null;
  memory: number | null;
}

/** A connected region of the map that reaches the level of the heat map's contour. */
export interface ExplainedRegion {
  /** Bounding box in pixels of the judged picture, whole pixels. */
  box: { x: number; y: number; width: number; height: number };
  /** Hottest point, pixels of the judged picture. */
  peak: { x: number; y: number };
  /** Highest value on the fused score's scale (see `scoreMap`). */
  peakScore: number;
  areaPx: number;
  /** Null where no scale is set. */
  areaMm2: number | null;
  /** Area over the picture's area, 0..1. */
  shareOfPicture: number;
}

/** What the score would be without a region. */
export interface Counterfactual {
  /**
   * What the region is replaced by, its brightness fitted at the seam: the patch of the same picture that fits best, or
   * the same place of the nearest normal part. (Grey, as the ignore mask has it, is no way to leave a region out: to a
   * model that never saw it, grey is a defect.)
   */
  replacedBy: 'surroundings' | 'nearestNormal';
  /** Index into `regions`. */
  region: number;
  predScore: number;
  verdict: Verdict;
  phrase: Phrase;
}

/** Everything said about one verdict. */
export interface Explanation {
  verdict: Verdict;
  /** One sentence: the verdict and its main reason. */
  summary: Phrase;
  shares: ScoreShares;
  /** One sentence for each expert, greatest share first. */
  reasons: Phrase[];
  /** Scale of the heat map: transparent below `review`, full at `fail`, the same for every part of a class. */
  scale: { review: number; fail: number };
  /** Hottest first. Empty for a part that passes: a good part looks calm. */
  regions: ExplainedRegion[];
  nearestNormal: { className: string; fileName: string } | null;
  counterfactuals: Counterfactual[];
}
