/**
 * The third expert, a memory of normal patches and one Gaussian per class, as pure tensor functions
 * (embedded-recipe sections 3 to 6, 8 and 9). The training run and the fused inference graph use the same functions.
 */
import type { Nearest } from './memory-search.ts';
import { tf, type Tensor } from './tf.ts';

/** Floor under a distance before the logarithm (embedded-recipe section 1). */
export const minDistance = 1e-3;
/** Statistics of one bank: how far normal tokens lie, per entry and per class, in logarithms. */
export interface BankStatistics {
  /** `[N * 256]` mean and reciprocal deviation of ln d per entry. */
  entryMean: Tensor;
  entryScale: Tensor;
  /** `[C]` the same per class. */
  classMean: Tensor;
  classScale: Tensor;
}

/**
 * How unusual each token's distance is, for its entry and for its class, summed.
 * @param nearest   for `B * T` tokens
 * @param className `[B]` int32 class of each picture
 * @returns `[B, T]`
 */
export function tokenDeviation(nearest: Nearest, className: Tensor, statistics: BankStatistics): Tensor {
  const pictures = className.shape[0]!;
  const log = tf.log(tf.maximum(nearest.distance, minDistance));
  const byEntry = tf.mul(
    tf.sub(log, tf.gather(statistics.entryMean, nearest.index)),
    tf.gather(statistics.entryScale, nearest.index),
  );
  const perPicture = (value: Tensor): Tensor => tf.reshape(tf.gather(value, className), [pictures, 1]);
  const shape = [pictures, nearest.distance.shape[0]! / pictures];
  const byClass = tf.mul(
    tf.sub(tf.reshape(log, shape), perPicture(statistics.classMean)),
    perPicture(statistics.classScale),
  );
  return tf.add(tf.reshape(byEntry, shape), byClass);
}

/**
 * One bank's deviations as a map of their grid. `[B, g*g]` to `[B, g, g]`
 */
export function deviationMap(deviation: Tensor): Tensor {
  const grid = Math.sqrt(deviation.shape[1]!);
  return tf.reshape(deviation, [deviation.shape[0]!, grid, grid]);
}

/**
 * The map of the local memory on the fine grid: deep deviations enlarged, plus fine ones, halved
 * (embedded-recipe section 5).
 * @param deep `[B, g*g]`
 * @param fine `[B, G*G]`
 * @returns `[B, G, G]`
 */
export function memoryMap(deep: Tensor, fine: Tensor): Tensor {
  const deepGrid = Math.sqrt(deep.shape[1]!);
  const fineGrid = Math.sqrt(fine.shape[1]!);
  const pictures = deep.shape[0]!;
  const enlarged = alongBothSides(tf.reshape(deep, [pictures, deepGrid, deepGrid]), bilinearMatrix(deepGrid, fineGrid));
  return tf.mul(tf.add(enlarged, tf.reshape(fine, [pictures, fineGrid, fineGrid])), 0.5);
}

/** Mean over 3x3 cells, borders divide by the cells present. `[B, G, G]` to the same. */
export function smooth3(map: Tensor): Tensor {
  return alongBothSides(map, smoothingMatrix(map.shape[1]!));
}

/** Largest value of each picture's map. `[B, G, G]` to `[B]`. */
export function mapMaximum(map: Tensor): Tensor {
  return tf.max(tf.reshape(map, [map.shape[0]!, -1]), 1);
}

/** Enlarges a map bilinearly to `size` (half-pixel centres). `[B, G, G]` to `[B, size, size]`. */
export function enlargeMap(map: Tensor, size: number): Tensor {
  return alongBothSides(map, bilinearMatrix(map.shape[1]!, size));
}

/**
 * Gaussians of all classes as one product: `D_c(x) = ridge_c |x - mu_c|^2 +- sum of (w_r . x - o_r)^2` over the rows of
 * class c. A class of few pictures has few rows, so that many small classes cost little.
 */
export interface GaussianBundle {
  /** `[p]` taken off first, so that 32-bit products keep their digits. */
  centre: Tensor;
  /** `[p, R]` rows of all classes, as columns. */
  weights: Tensor;
  /** `[R]` */
  offsets: Tensor;
  /** `[R, C]` the sign of a row in its own class, 0 in all others. */
  owner: Tensor;
  /** `[C]` */
  ridge: Tensor;
  /** `[C, p]` class means, less the centre. */
  means: Tensor;
}

/** Squared Mahalanobis distance to every class. `[B, p]` to `[B, C]` (embedded-recipe section 6). */
export function gaussianDistances(x: Tensor, bundle: GaussianBundle): Tensor {
  const [pictures, dims] = [x.shape[0]!, x.shape[1]!];
  const near = tf.sub(x, bundle.centre);
  const rows = tf.sub(tf.matMul(near as tf.Tensor2D, bundle.weights as tf.Tensor2D), bundle.offsets);
  const explained = tf.matMul(tf.square(rows) as tf.Tensor2D, bundle.owner as tf.Tensor2D);
  const centred = tf.sub(tf.reshape(near, [pictures, 1, dims]), tf.expandDims(bundle.means, 0));
  return tf.add(explained, tf.mul(tf.sum(tf.square(centred), 2), bundle.ridge));
}

/** Class inference (embedded-recipe section 9). */
export interface ClassFinder {
  /** `[p]` taken off first. */
  centre: Tensor;
  /** `[p, p]` whitens the pooled within-class scatter: `whitening (x - centre)`. */
  whitening: Tensor;
  /** `[C, p]` whitened class means. */
  centres: Tensor;
}

/** @returns `distances` `[B, C]` squared, `nearest` `[B]` int32, `whitened` `[B, p]` */
export function findClass(x: Tensor, finder: ClassFinder): { distances: Tensor; nearest: Tensor; whitened: Tensor } {
  const whitened = tf.matMul(tf.sub(x, finder.centre) as tf.Tensor2D, finder.whitening as tf.Tensor2D, false, true);
  const [pictures, dims] = [whitened.shape[0]!, whitened.shape[1]!];
  const difference = tf.sub(tf.reshape(whitened, [pictures, 1, dims]), tf.expandDims(finder.centres, 0));
  const distances = tf.sum(tf.square(difference), 2);
  return { distances, nearest: tf.argMin(distances, 1), whitened };
}

/** Value of each picture's own class. `[B, C]` and `[B]` int32 to `[B]`. */
export function ofClass(values: Tensor, className: Tensor): Tensor {
  return tf.gather(values, className, 1, 1);
}

/** Standardises by the class's mean and scale (`1 / sd`). All `[B]` but the statistics `[C]`. */
export function standardise(value: Tensor, className: Tensor, mean: Tensor, scale: Tensor): Tensor {
  return tf.mul(tf.sub(value, tf.gather(mean, className)), tf.gather(scale, className));
}

/** `m X m'` for every picture: `[B, n, n]` with `m` `[k, n]` to `[B, k, k]`. */
function alongBothSides(x: Tensor, matrix: Matrix): Tensor {
  const pictures = x.shape[0]!;
  const { rows, cols, data } = matrix;
  const right = tf.transpose(tf.tensor2d(data, [rows, cols]));
  const once = tf.reshape(tf.matMul(tf.reshape(x, [pictures * cols, cols]), right), [pictures, cols, rows]);
  const turned = tf.reshape(tf.transpose(once, [0, 2, 1]), [pictures * rows, cols]);
  return tf.transpose(tf.reshape(tf.matMul(turned, right), [pictures, rows, rows]), [0, 2, 1]);
}

interface Matrix {
  rows: number;
  cols: number;
  data: Float32Array;
}

/** Rows of bilinear weights from `from` to `to` samples, half-pixel centres, borders clamped. */
function bilinearMatrix(from: number, to: number): Matrix {
  const data = new Float32Array(to * from);
  for (let o = 0; o < to; o++) {
    const at = Math.min(from - 1, Math.max(0, ((o + 0.5) * from) / to - 0.5));
    const low = Math.floor(at);
    const high = Math.min(from - 1, low + 1);
    data[o * from + low]! += 1 - (at - low);
    data[o * from + high]! += at - low;
  }
  return { rows: to, cols: from, data };
}

/** Three-cell mean along one side; at the border only the cells present count. */
function smoothingMatrix(size: number): Matrix {
  const data = new Float32Array(size * size);
  for (let o = 0; o < size; o++) {
    const low = Math.max(0, o - 1);
    const high = Math.min(size - 1, o + 1);
    data.fill(1 / (high - low + 1), o * size + low, o * size + high + 1);
  }
  return { rows: size, cols: size, data };
}
