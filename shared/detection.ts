/** Words and shapes of a detection result, the same in code, files, database and screens. */

export const verdicts = ['pass', 'fail', 'review', 'noDecision'] as const;
/** `noDecision` means that no score could be had: everything downstream treats it as a failed part. */
export type Verdict = (typeof verdicts)[number];

/** Scores of one picture. All are unbounded; higher means less normal. */
export interface PartScores {
  /** Fused score: the only one that thresholds apply to. */
  predScore: number;
  /** Decoder student's share (local change). NaN when the model has no students. */
  localScore: number;
  /** Encoder student's share (the part as a whole). NaN when the model has no students. */
  semanticScore: number;
  /** Normal memory's share. NaN when the model has no memory. */
  memoryScore: number;
}

/** One picture's full result from the fused graph. */
export interface DetectionResult extends PartScores {
  /** Inferred (or given) class name. */
  className: string;
  /** Distance to the nearest class on the class vector: the `unknownClass` signal. */
  classDistance: number;
  /** Index of the most similar normal picture in the model's snapshot, -1 when the model has no memory. */
  nearestNormal: number;
  /** `[mapHeight, mapWidth]` row-major anomaly map at the network's input size. */
  anomalyMap: Float32Array;
  mapWidth: number;
  mapHeight: number;
}

/** Two-threshold rule: `score < review` passes, `score >= fail` fails, between them a person looks. */
export interface Thresholds {
  review: number;
  fail: number;
}

/** Applies the two-threshold rule; a score that is not finite never passes. */
export function decide(predScore: number, thresholds: Thresholds): Verdict {
  if (!Number.isFinite(predScore)) return 'noDecision';
  if (predScore >= thresholds.fail) return 'fail';
  return predScore >= thresholds.review ? 'review' : 'pass';
}
