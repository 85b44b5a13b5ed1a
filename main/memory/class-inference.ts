import { columnMeans, matrixOf, rowOf, type Matrix } from '../../shared/linear-algebra.ts';
import { memoryDefaults } from './defaults.ts';
import { fitResiduals } from './gaussian.ts';

/**
 * Finds a picture's class from its class vector (embedded recipe, section 9): argmin over classes of
 * (x - mu_c)' W^-1 (x - mu_c), W the Ledoit-Wolf covariance of the pooled within-class residuals. The smallest
 * value is the `classDistance`, the sign of a part of no known class.
 *
 * Distance to class c = |whitening (x - origin) - centres_c|^2.
 */
export interface ClassInference {
  /** `[p]` mean of the class means; taken off first, so that 32 bits suffice. */
  origin: Float32Array;
  /** Inverse Cholesky factor of W, `[p, p]`. */
  whitening: Matrix;
  /** `[C, p]` whitening (mu_c - origin) */
  centres: Matrix;
}

/** @param classes class vectors of each class's normal pictures, `[n_c, p]`, n_c >= 1 */
export function fitClassInference(classes: readonly Matrix[]): ClassInference {
  const p = classes[0]?.cols ?? 0;
  if (classes.length === 0 || classes.some((vectors) => vectors.rows === 0)) {
    throw new RangeError('class inference needs at least one picture of every class');
  }
  const means = classes.map(columnMeans);
  const origin = new Float32Array(p);
  for (const mean of means) for (let k = 0; k < p; k++) origin[k]! += mean[k]! / classes.length;

  const residuals = matrixOf(
    classes.reduce((sum, vectors) => sum + vectors.rows, 0),
    p,
  );
  let at = 0;
  let squares = 0;
  classes.forEach((vectors, c) => {
    for (let i = 0; i < vectors.data.length; i++) {
      residuals.data[at++] = vectors.data[i]! - means[c]![i % p]!;
      squares += vectors.data[i]! ** 2;
    }
  });
  // One picture a class leaves no residuals: all directions then count alike, the classes' order is that of distance.
  const stand = (squares / residuals.data.length) * memoryDefaults.fallbackRelativeVariance;
  const { factor, isotropic } = fitResiduals(residuals, new Float64Array(p), stand, { form: 'dense' });
  const whitening = factor.rows === p ? factor : diagonal(p, Math.sqrt(isotropic));

  const model: ClassInference = { origin, whitening, centres: matrixOf(classes.length, p) };
  means.forEach((mean, c) => model.centres.data.set(whiten(model, mean), c * p));
  return model;
}

/** Distance (squared Mahalanobis) of a class vector `[p]` to every class, `[C]`. */
export function classDistances(model: ClassInference, vector: ArrayLike<number>): Float64Array {
  const white = whiten(model, vector);
  return Float64Array.from({ length: model.centres.rows }, (_, c) => {
    const centre = rowOf(model.centres, c);
    let sum = 0;
    for (let k = 0; k < white.length; k++) sum += (white[k]! - centre[k]!) ** 2;
    return sum;
  });
}

/** Index of the nearest class; ties go to the first. */
export function nearestClass(distances: ArrayLike<number>): number {
  let best = 0;
  for (let c = 1; c < distances.length; c++) if (distances[c]! < distances[best]!) best = c;
  return best;
}

function whiten({ origin, whitening }: ClassInference, vector: ArrayLike<number>): Float64Array {
  const p = origin.length;
  const out = new Float64Array(p);
  for (let i = 0; i < p; i++) {
    // Lower triangular: nothing right of the diagonal.
    for (let k = 0; k <= i; k++) out[i]! += whitening.data[i * p + k]! * (vector[k]! - origin[k]!);
  }
  return out;
}

function diagonal(p: number, value: number): Matrix {
  const out = matrixOf(p, p);
  for (let i = 0; i < p; i++) out.data[i * p + i] = value;
  return out;
}
