import {
  centredRows,
  cholesky,
  columnMeans,
  gram,
  invertLower,
  matrixOf,
  rowOf,
  solveLower,
  takeRows,
  transposed,
  type Matrix,
} from '../../shared/linear-algebra.ts';
import { memoryDefaults } from './defaults.ts';

/**
 * One class's Gaussian over a feature vector of p dimensions, ready to score:
 * D(x) = isotropic |x - mean|^2 + sign |factor (x - mean)|^2 is the squared Mahalanobis distance.
 */
export interface Gaussian {
  /** `[p]` */
  mean: Float32Array;
  /** Pictures it was fitted on. */
  count: number;
  /** Ledoit-Wolf's a: Sigma = (1 - a) S + a m I. 0..1 */
  shrinkage: number;
  /** m = tr S / p */
  meanVariance: number;
  isotropic: number;
  sign: 1 | -1;
  /**
   * Dense form: inverse Cholesky factor `[p, p]`, isotropic 0, sign 1.
   * Low-rank form, for few pictures: `[count - 1, p]`, isotropic 1/(a m), sign -1. A single picture: `[0, p]`.
   */
  factor: Matrix;
}

/** What stands in for the covariance where a class has too few pictures to show one. */
export interface GaussianFallback {
  /** Mean variance per dimension m, such as the mean over the other classes. */
  meanVariance?: number | undefined;
  /** `dense` or `lowRank` instead of the cheaper of the two; for tests and benchmarks. */
  form?: 'dense' | 'lowRank';
}

/** Shrinkage and scale of a sample: what Ledoit and Wolf need of it. */
export interface LedoitWolf {
  shrinkage: number;
  meanVariance: number;
}

/**
 * Ledoit-Wolf shrinkage (embedded recipe, section 6) of n centred rows of p dimensions:
 * S = X'X/n, m = tr S/p, d2 = |S|_F^2 - p m^2, b2 = (sum |x_i|^4/n - |S|_F^2)/n clipped to [0, d2], a = b2/d2.
 *
 * @param norms squared length of each row `[n]`
 * @param frobenius |X'X|_F^2 = |XX'|_F^2
 */
export function ledoitWolf(norms: Float64Array, frobenius: number, p: number): LedoitWolf {
  const n = norms.length;
  let trace = 0;
  let fourth = 0;
  for (const norm of norms) {
    trace += norm;
    fourth += norm * norm;
  }
  const m = n === 0 ? 0 : trace / n / p;
  if (n < 3 || !(m > 0)) return { shrinkage: memoryDefaults.fewPicturesShrinkage, meanVariance: m };
  const squared = frobenius / (n * n);
  const d2 = squared - p * m * m;
  // One dimension, or all variances equal: S is its own target and any a gives the same Sigma.
  if (!(d2 > 1e-12 * squared)) return { shrinkage: 1, meanVariance: m };
  const b2 = Math.min(d2, Math.max(0, (fourth / n - squared) / n));
  return { shrinkage: Math.max(memoryDefaults.shrinkageFloor, b2 / d2), meanVariance: m };
}

/**
 * Fits one class.
 * @param vectors `[n, p]`, n >= 1. One picture gives a round Gaussian of the fallback's variance.
 */
export function fitGaussian(vectors: Matrix, fallback: GaussianFallback = {}): Gaussian {
  if (vectors.rows === 0) throw new RangeError('a Gaussian needs at least one picture');
  const mean = columnMeans(vectors);
  const { shrinkage, meanVariance, isotropic, sign, factor } = fitResiduals(
    vectors,
    mean,
    meanSquare(vectors) * memoryDefaults.fallbackRelativeVariance,
    fallback,
  );
  return { mean: Float32Array.from(mean), count: vectors.rows, shrinkage, meanVariance, isotropic, sign, factor };
}

/** Squared Mahalanobis distance of one vector `[p]`; at least 0. */
export function mahalanobis(gaussian: Gaussian, vector: ArrayLike<number>): number {
  const { mean, isotropic, sign, factor } = gaussian;
  const p = mean.length;
  const difference = new Float64Array(p);
  let length = 0;
  for (let k = 0; k < p; k++) {
    const value = vector[k]! - mean[k]!;
    difference[k] = value;
    length += value * value;
  }
  let projected = 0;
  for (let j = 0, at = 0; j < factor.rows; j++) {
    let sum = 0;
    for (let k = 0; k < p; k++) sum += factor.data[at++]! * difference[k]!;
    projected += sum * sum;
  }
  return Math.max(0, isotropic * length + sign * projected);
}

/** g(x) = 0.5 ln D(x), with the floor that keeps identical pictures finite. */
export function logMahalanobis(gaussian: Gaussian, vector: ArrayLike<number>): number {
  return halfLog(mahalanobis(gaussian, vector));
}

/** 0.5 ln D, the distance clamped at the recipe's 1e-3 like every other one. */
export function halfLog(squaredDistance: number): number {
  return Math.log(Math.max(Math.sqrt(squaredDistance), memoryDefaults.distanceFloor));
}

/**
 * Squared distance of every training picture to the Gaussian of the others. Closed form, with D the distance to the
 * Gaussian of all: D n/(n-1) / max(0.02, 1 - (1-a) D/(n-1)). Up to 16 pictures it is refitted n times instead.
 *
 * @param vectors the `[n, p]` it was fitted on
 * @returns `[n]`; empty for a single picture, which nothing can be said about
 */
export function leaveOneOutDistances(
  gaussian: Gaussian,
  vectors: Matrix,
  fallback: GaussianFallback = {},
): Float64Array {
  const n = vectors.rows;
  if (n < 2) return new Float64Array(0);
  if (n <= memoryDefaults.refitUpToPictures) {
    // What one of two pictures leaves has no variance of its own: it is judged as the pair's orthogonal directions are.
    const lent = n === 2 ? { ...fallback, meanVariance: gaussian.shrinkage * gaussian.meanVariance } : fallback;
    const others = (left: number) => Array.from({ length: n - 1 }, (_, i) => (i < left ? i : i + 1));
    return Float64Array.from({ length: n }, (_, i) =>
      mahalanobis(fitGaussian(takeRows(vectors, others(i)), lent), rowOf(vectors, i)),
    );
  }
  return Float64Array.from({ length: n }, (_, i) =>
    leaveOneOutClosedForm(mahalanobis(gaussian, rowOf(vectors, i)), n, gaussian.shrinkage),
  );
}

/** The closed form alone: squared distance D of one of n training pictures to the squared distance without it. */
export function leaveOneOutClosedForm(distance: number, n: number, shrinkage: number): number {
  const rest = Math.max(memoryDefaults.leaveOneOutFloor, 1 - ((1 - shrinkage) * distance) / (n - 1));
  return (distance * n) / (n - 1) / rest;
}

/** Every class's Gaussian; classes of one picture borrow the mean variance of the others. */
export function fitGaussians(classes: readonly Matrix[]): { gaussians: Gaussian[]; leaveOneOut: Float64Array[] } {
  const variances = classes.filter((vectors) => vectors.rows > 1).map(meanVarianceOf);
  const lent = variances.length === 0 ? undefined : variances.reduce((sum, v) => sum + v, 0) / variances.length;
  const fallback: GaussianFallback = { meanVariance: lent };
  const gaussians = classes.map((vectors) => fitGaussian(vectors, fallback));
  const leaveOneOut = classes.map((vectors, c) => leaveOneOutDistances(gaussians[c]!, vectors, fallback));
  return { gaussians, leaveOneOut };
}

/**
 * The quadratic form of n residuals around `mean`. Shared by the class Gaussians and class inference.
 * @param lastResort mean variance when neither the residuals nor the fallback have one
 */
export function fitResiduals(
  vectors: Matrix,
  mean: ArrayLike<number>,
  lastResort: number,
  fallback: GaussianFallback,
): Omit<Gaussian, 'mean' | 'count'> {
  const { rows: n, cols: p } = vectors;
  const residuals = centredRows(vectors, mean);
  const small = n < p;
  const products = small ? gram(residuals, n, p) : gram(transposed(residuals, n, p), p, n);
  const { shrinkage, meanVariance } = ledoitWolf(squaredNorms(residuals, n, p), sumOfSquares(products), p);
  if (!(meanVariance > 0)) {
    const stand = fallback.meanVariance ?? 0;
    return round(stand > 0 ? stand : lastResort > 0 ? lastResort : 1, p);
  }
  if (shrinkage === 1) return round(meanVariance, p);
  const target = shrinkage * meanVariance;
  const cheap = n - 1 < memoryDefaults.lowRankUpToShare * p && shrinkage >= memoryDefaults.lowRankMinShrinkage;
  const form = fallback.form ?? (cheap ? 'lowRank' : 'dense');
  if (form === 'lowRank' && n - 1 <= p) {
    // Woodbury: Sigma^-1 = (I - R' (beta I + R R')^-1 R) / (a m), beta = n a m / (1 - a), for any R with R'R = X'X.
    const rank = n - 1;
    const rows = withoutMean(residuals, n, p);
    const inner = ridge(gram(rows, rank, p), rank, (n * target) / (1 - shrinkage));
    const factor = solveLower(cholesky(inner, rank), rank, rows, p);
    const scale = 1 / Math.sqrt(target);
    const data = Float32Array.from(factor, (value) => value * scale);
    return { shrinkage, meanVariance, isotropic: 1 / target, sign: -1, factor: matrixOf(rank, p, data) };
  }
  const covariance = small ? gram(transposed(residuals, n, p), p, n) : products;
  const share = (1 - shrinkage) / n;
  const sigma = ridge(
    covariance.map((value) => value * share),
    p,
    target,
  );
  const inverse = Float32Array.from(invertLower(cholesky(sigma, p), p));
  return { shrinkage, meanVariance, isotropic: 0, sign: 1, factor: matrixOf(p, p, inverse) };
}

/**
 * n - 1 rows R with R'R = X'X from n rows that add up to zero (Helmert's contrasts): centring costs a direction, and
 * without it the small matrix stays well conditioned.
 */
function withoutMean(residuals: Float64Array, n: number, p: number): Float64Array {
  const rows = new Float64Array((n - 1) * p);
  const sum = residuals.slice(0, p);
  for (let i = 1; i < n; i++) {
    const scale = 1 / Math.sqrt(i * (i + 1));
    for (let k = 0; k < p; k++) {
      const value = residuals[i * p + k]!;
      rows[(i - 1) * p + k] = (sum[k]! - i * value) * scale;
      sum[k]! += value;
    }
  }
  return rows;
}

/** Sigma = variance I. */
function round(variance: number, p: number): Omit<Gaussian, 'mean' | 'count'> {
  return { shrinkage: 1, meanVariance: variance, isotropic: 1 / variance, sign: -1, factor: matrixOf(0, p) };
}

/** Adds `value` to the diagonal, in place. */
function ridge(a: Float64Array, n: number, value: number): Float64Array {
  for (let i = 0; i < n; i++) a[i * n + i]! += value;
  return a;
}

function sumOfSquares(a: Float64Array): number {
  let sum = 0;
  for (const value of a) sum += value * value;
  return sum;
}

function squaredNorms(a: Float64Array, n: number, p: number): Float64Array {
  const norms = new Float64Array(n);
  for (let i = 0, at = 0; i < n; i++) for (let k = 0; k < p; k++, at++) norms[i]! += a[at]! * a[at]!;
  return norms;
}

function meanSquare({ data }: Matrix): number {
  let sum = 0;
  for (const value of data) sum += value * value;
  return data.length === 0 ? 0 : sum / data.length;
}

function meanVarianceOf(vectors: Matrix): number {
  const residuals = centredRows(vectors, columnMeans(vectors));
  return sumOfSquares(residuals) / residuals.length;
}
