import type { Matrix } from '../../shared/linear-algebra.ts';
import type { Standardisation } from '../memory/calibrate.ts';
import type { ClassInference } from '../memory/class-inference.ts';
import type { Gaussian } from '../memory/gaussian.ts';
import type { LocalStatistics } from '../memory/leave-one-out.ts';
import type { SearchIndex } from '../memory/search-bank.ts';

/** One bank of normal patch features with its leave-one-out statistics, laid out for the search. */
export interface FittedBank extends LocalStatistics {
  index: SearchIndex;
}

/** The three banks: stage 5 and 6 on the 16 grid, stage 3 and 5 on the 32 grid, stage 6 on the 8 grid. */
export const bankNames = ['deep', 'fine', 'coarse'] as const;
export type BankName = (typeof bankNames)[number];

/** The third expert, the normal memory, after fitting. */
export interface FittedMemory extends Record<BankName, FittedBank> {
  /** Of the maximum of the map of deep and fine bank together. */
  localScore: Standardisation;
  /** Of the maximum of the coarse bank's map. */
  coarseScore: Standardisation;
  /** One per class, over the global vector. */
  gaussians: Gaussian[];
  globalScore: Standardisation;
  /** One per class, over the head's means: what the picture shows, for parts that differ in kind. */
  headGaussians: Gaussian[];
  headScore: Standardisation;
  classInference: ClassInference;
  /** `[C]` 0..1, see `classVariety`. */
  variety: Float32Array;
  /** What labelled defects have taught, where there were any. */
  defectHeads?: DefectHeads;
  /** `rows` `[M, q]` descriptors of all normal pictures, `projection` `[p, q]`, `owner` `[M]` class of each. */
  descriptors: { projection: Matrix; rows: Matrix; owner: Int32Array };
}

/**
 * A correction of the fused score per class: `score * factor + likeness * weight + offset`, likeness being the cosine of the
 * picture's deviation from the class's good pictures with that of its labelled defects.
 */
export interface DefectHeads {
  /** `[C, p]` mean of the head vector over good pictures, and 1 / what is ordinary around it. */
  mean: Matrix;
  scale: Matrix;
  /** `[C, p]` mean of the labelled defects' deviations, each of length 1; zeros in a class without a head. */
  towards: Matrix;
  /** `[C]` each; 1, 0, 0 in a class without a head. */
  factor: Float32Array;
  weight: Float32Array;
  offset: Float32Array;
}

/** @see fitPositions */
export interface PositionMoments {
  mean: Matrix;
  variance: Matrix;
}

/** The students after training: named parameters and their calibration (embedded-recipe section 7). */
export interface FittedStudents {
  /** Trained parameters and frozen standardisation by name. */
  parameters: Map<string, { shape: readonly number[]; data: Float32Array }>;
  /** Per group: mean and variance of ln `1 - cos` per class and place, `[C, P]` each. */
  decoderStatistics: readonly [PositionMoments, PositionMoments];
  decoder: Standardisation;
  /** One Gaussian per class on the encoder student's residual. */
  residuals: Gaussian[];
  residual: Standardisation;
}
