/** Scores and maps at inspection from the two students' errors (method-spec sections 3.3 and 6). */
import { logAnomalyScore } from './noisy-or.ts';
import { bilinearMatrix, gaussianMatrix, type Grid, type Matrix } from './resample.ts';
import { tf, type Tensor } from './tf.ts';

/** The rows of the paper's ablation (Table 3, method-spec section 6.3). Row 6 is the method. */
export type AblationRow = 1 | 2 | 3 | 4 | 5 | 6;

/** `[m, B]` errors -> the final class token's, L'_SE `[B]`. */
export function lastError(errors: Tensor): Tensor {
  const [count, batch] = errors.shape as [number, number];
  return tf.reshape(tf.slice(errors, [count - 1, 0], [1, batch]), [batch]);
}

/** `[m, B]` errors -> mean over all but the final class token, L''_SE `[B]`. */
export function errorWithoutLast(errors: Tensor): Tensor {
  const [count, batch] = errors.shape as [number, number];
  return tf.mean(tf.slice(errors, [0, 0], [count - 1, batch]), 0);
}

/**
 * Score of each picture, `[B]`, higher is less normal. Rows 4 and 6, the products of sigmoids, come as logarithms, which
 * rank the same and don't saturate.
 * @param errors       class-token errors `[m, B]`
 * @param decoderError L_SD `[B]`, global or from the map
 */
export function ablationScore(row: AblationRow, errors: Tensor, decoderError: Tensor): Tensor {
  if (row === 1) return errorWithoutLast(errors);
  if (row === 2) return decoderError;
  if (row === 3) return lastError(errors);
  if (row === 4) return logAnomalyScore(errorWithoutLast(errors), decoderError);
  if (row === 5) return tf.add(lastError(errors), decoderError);
  return logAnomalyScore(lastError(errors), decoderError);
}

/** `A x B^T` on each map: `[B, h, w]` -> `[B, A.rows, B.rows]`. */
export function resampleMaps(maps: Tensor, rows: Matrix, columns: Matrix): Tensor {
  const [batch, height, width] = maps.shape as [number, number, number];
  const across = tf.matMul(
    tf.reshape(maps, [batch * height, width]),
    tf.tensor2d(columns.data, [columns.rows, columns.columns]),
    false,
    true,
  );
  const turned = tf.transpose(tf.reshape(across, [batch, height, columns.rows]), [0, 2, 1]);
  const down = tf.matMul(
    tf.reshape(turned, [batch * columns.rows, height]),
    tf.tensor2d(rows.data, [rows.rows, rows.columns]),
    false,
    true,
  );
  return tf.transpose(tf.reshape(down, [batch, columns.rows, rows.rows]), [0, 2, 1]);
}

/**
 * Dinomaly's anomaly map (section 3.3): point distances of all groups, upsampled bilinearly with aligned corners, mean.
 * @param distances `[B, N]` for each group, from `pointDistance`
 * @returns `[B, height, width]`
 */
export function anomalyMap(distances: readonly Tensor[], grid: Grid, height: number, width: number): Tensor {
  const mean = tf.mul(tf.addN([...distances]), 1 / distances.length);
  const maps = tf.reshape(mean, [-1, grid.rows, grid.columns]);
  return resampleMaps(maps, bilinearMatrix(height, grid.rows, true), bilinearMatrix(width, grid.columns, true));
}

/** Constants of Dinomaly's image score. */
export const mapScoreDefaults = { size: 256, windowLength: 5, sigma: 4, topShare: 0.01 } as const;

/**
 * Dinomaly's image score: the map at `size` x `size`, blurred by a Gaussian with zero padding, mean of its top values.
 * @param maps `[B, height, width]` from {@link anomalyMap}
 * @returns the blurred maps `[B, size, size]` and the scores `[B]`
 */
export function mapScore(
  maps: Tensor,
  options: { size: number; windowLength: number; sigma: number; topShare: number } = mapScoreDefaults,
): { smoothed: Tensor; score: Tensor } {
  const [batch, height, width] = maps.shape as [number, number, number];
  const { size } = options;
  const resized = resampleMaps(maps, bilinearMatrix(size, height, false), bilinearMatrix(size, width, false));
  const blur = gaussianMatrix(size, options.windowLength, options.sigma);
  const smoothed = resampleMaps(resized, blur, blur);
  const count = Math.trunc(size * size * options.topShare);
  const { values } = tf.topk(tf.reshape(smoothed, [batch, size * size]), count, true);
  return { smoothed, score: tf.mean(values, 1) };
}
