import type { Matrix } from '../../shared/linear-algebra.ts';
import type { MemoryBank } from '../memory/bank.ts';
import type { ClassInference } from '../memory/class-inference.ts';
import type { Gaussian } from '../memory/gaussian.ts';

/** Mean and standard deviation of a score on normal pictures, `[C]` each. */
export interface ClassScale {
  mean: Float64Array;
  sd: Float64Array;
}

/** Logarithms of distances of normal tokens to one bank. */
export interface FittedStatistics {
  /** `[K]` */
  entryMean: Float32Array;
  entryVariance: Float32Array;
  /** `[C]` */
  classMean: Float32Array;
  classVariance: Float32Array;
}

/** The normal memory after fitting, as plain numbers. Sections of the embedded recipe in brackets. */
export interface FittedMemory {
  /** [3] */
  deep: MemoryBank;
  fine: MemoryBank;
  /** [4] */
  deepStatistics: FittedStatistics;
  fineStatistics: FittedStatistics;
  /** [5] of the map's maximum. */
  local: ClassScale;
  /** [6] */
  gaussians: Gaussian[];
  global: ClassScale;
  /** [9] */
  classInference: ClassInference;
  /** `rows` `[M, q]` descriptors of all normal pictures, `projection` `[p, q]`, `owner` `[M]` class of each. */
  descriptors: { projection: Matrix; rows: Matrix; owner: Int32Array };
}

/** The students after training: named parameters and their calibration. [7] */
export interface FittedStudents {
  /** Trained parameters and frozen standardisation by name. */
  parameters: Map<string, { shape: readonly number[]; data: Float32Array }>;
  decoder: ClassScale;
  /** One Gaussian per class on the encoder student's residual. */
  residuals: Gaussian[];
  residual: ClassScale;
}
