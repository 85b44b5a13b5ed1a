/**
 * Dense linear algebra in double precision on flat row-major arrays: just what covariances need.
 * Inputs are 32-bit matrices as the networks give them; sums and factors are 64-bit.
 */

/** Row-major `[rows, cols]` matrix, `data.length === rows * cols`. */
export interface Matrix {
  rows: number;
  cols: number;
  data: Float32Array;
}

/**
 * Wraps `data`, or makes zeros.
 * @throws RangeError when `data` does not hold `rows * cols` numbers
 */
export function matrixOf(rows: number, cols: number, data = new Float32Array(rows * cols)): Matrix {
  if (data.length !== rows * cols) throw new RangeError(`${rows} x ${cols} matrix with ${data.length} numbers`);
  return { rows, cols, data };
}

/** Row `i` as a view, not a copy. */
export function rowOf(matrix: Matrix, i: number): Float32Array {
  return matrix.data.subarray(i * matrix.cols, (i + 1) * matrix.cols);
}

/** Chosen rows, copied in the order given. */
export function takeRows(matrix: Matrix, indices: ArrayLike<number>): Matrix {
  const out = matrixOf(indices.length, matrix.cols);
  for (let i = 0; i < indices.length; i++) out.data.set(rowOf(matrix, indices[i]!), i * matrix.cols);
  return out;
}

/** Rows of several matrices below each other. All have the same number of columns. */
export function stackRows(parts: readonly Matrix[], cols: number): Matrix {
  const out = matrixOf(
    parts.reduce((sum, part) => sum + part.rows, 0),
    cols,
  );
  let offset = 0;
  for (const part of parts) {
    if (part.cols !== cols) throw new RangeError(`${part.cols} columns where ${cols} were expected`);
    out.data.set(part.data, offset);
    offset += part.data.length;
  }
  return out;
}

/** Mean of each column `[cols]`; zeros when there are no rows. */
export function columnMeans({ rows, cols, data }: Matrix): Float64Array {
  const mean = new Float64Array(cols);
  for (let i = 0, at = 0; i < rows; i++) for (let j = 0; j < cols; j++) mean[j]! += data[at++]!;
  if (rows > 0) for (let j = 0; j < cols; j++) mean[j]! /= rows;
  return mean;
}

/** Rows less `mean`, `[rows, cols]` in 64 bit. */
export function centredRows({ rows, cols, data }: Matrix, mean: ArrayLike<number>): Float64Array {
  const out = new Float64Array(rows * cols);
  for (let i = 0, at = 0; i < rows; i++) for (let j = 0; j < cols; j++, at++) out[at] = data[at]! - mean[j]!;
  return out;
}

/** `[cols, rows]` from `[rows, cols]`. */
export function transposed(a: Float64Array, rows: number, cols: number): Float64Array {
  const out = new Float64Array(a.length);
  for (let i = 0; i < rows; i++) for (let j = 0; j < cols; j++) out[j * rows + i] = a[i * cols + j]!;
  return out;
}

/** Sum of `a[ai + k] b[bi + k]` for k < length; four accumulators, so that additions do not wait for each other. */
export function dot(a: Float64Array, ai: number, b: Float64Array, bi: number, length: number): number {
  let s0 = 0;
  let s1 = 0;
  let s2 = 0;
  let s3 = 0;
  let k = 0;
  for (; k + 3 < length; k += 4) {
    s0 += a[ai + k]! * b[bi + k]!;
    s1 += a[ai + k + 1]! * b[bi + k + 1]!;
    s2 += a[ai + k + 2]! * b[bi + k + 2]!;
    s3 += a[ai + k + 3]! * b[bi + k + 3]!;
  }
  for (; k < length; k++) s0 += a[ai + k]! * b[bi + k]!;
  return s0 + s1 + (s2 + s3);
}

/** `A A'` of the rows of A `[n, p]`, full symmetric `[n, n]`. 2 x 2 blocks halve the memory traffic. */
export function gram(a: Float64Array, n: number, p: number): Float64Array {
  const out = new Float64Array(n * n);
  for (let i = 0; i < n; i += 2) {
    const i1 = Math.min(i + 1, n - 1);
    for (let j = 0; j <= i; j += 2) {
      const j1 = Math.min(j + 1, n - 1);
      let s00 = 0;
      let s01 = 0;
      let s10 = 0;
      let s11 = 0;
      for (let k = 0, ai = i * p, bi = i1 * p, aj = j * p, bj = j1 * p; k < p; k++, ai++, bi++, aj++, bj++) {
        const x = a[ai]!;
        const y = a[bi]!;
        const u = a[aj]!;
        const v = a[bj]!;
        s00 += x * u;
        s01 += x * v;
        s10 += y * u;
        s11 += y * v;
      }
      out[i * n + j] = out[j * n + i] = s00;
      out[i * n + j1] = out[j1 * n + i] = s01;
      out[i1 * n + j] = out[j * n + i1] = s10;
      out[i1 * n + j1] = out[j1 * n + i1] = s11;
    }
  }
  return out;
}

/**
 * Lower Cholesky factor L of a symmetric positive definite `[n, n]` matrix: A = L L', zeros above the diagonal.
 * @throws RangeError when a pivot is not positive (the matrix is singular or not finite)
 */
export function cholesky(a: Float64Array, n: number): Float64Array {
  const lower = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < i; j++) {
      lower[i * n + j] = (a[i * n + j]! - dot(lower, i * n, lower, j * n, j)) / lower[j * n + j]!;
    }
    const pivot = a[i * n + i]! - dot(lower, i * n, lower, i * n, i);
    if (!(pivot > 0) || !Number.isFinite(pivot)) throw new RangeError(`not positive definite: pivot ${i} is ${pivot}`);
    lower[i * n + i] = Math.sqrt(pivot);
  }
  return lower;
}

/** Solves L Y = B by rows, in place on B `[n, cols]`: B becomes L^-1 B. */
export function solveLower(lower: Float64Array, n: number, b: Float64Array, cols: number): Float64Array {
  for (let i = 0; i < n; i++) {
    const row = i * cols;
    for (let j = 0; j < i; j++) {
      const factor = lower[i * n + j]!;
      if (factor === 0) continue;
      for (let k = 0, at = j * cols; k < cols; k++) b[row + k]! -= factor * b[at + k]!;
    }
    const inverse = 1 / lower[i * n + i]!;
    for (let k = 0; k < cols; k++) b[row + k]! *= inverse;
  }
  return b;
}

/** Inverse of a lower triangular `[n, n]` matrix, itself lower triangular. */
export function invertLower(lower: Float64Array, n: number): Float64Array {
  const inverse = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    const row = i * n;
    for (let j = 0; j < i; j++) {
      const factor = lower[row + j]!;
      for (let k = 0, at = j * n; k <= j; k++) inverse[row + k]! -= factor * inverse[at + k]!;
    }
    const scale = 1 / lower[row + i]!;
    for (let k = 0; k < i; k++) inverse[row + k]! *= scale;
    inverse[row + i] = scale;
  }
  return inverse;
}

/**
 * Eigenvectors of a small symmetric `[n, n]` matrix by cyclic Jacobi rotations, as rows, largest eigenvalue first.
 * Cubic per sweep with a large constant: for n up to a hundred or so.
 */
export function symmetricEigenvectors(a: Float64Array, n: number): Float64Array {
  const m = a.slice();
  const v = new Float64Array(n * n);
  for (let i = 0; i < n; i++) v[i * n + i] = 1;
  const rotateRows = (x: Float64Array, p: number, q: number, c: number, s: number): void => {
    for (let k = 0; k < n; k++) {
      const xp = x[p * n + k]!;
      const xq = x[q * n + k]!;
      x[p * n + k] = c * xp - s * xq;
      x[q * n + k] = s * xp + c * xq;
    }
  };
  for (let sweep = 0; sweep < 30; sweep++) {
    let off = 0;
    let diagonal = 0;
    for (let i = 0; i < n; i++) {
      diagonal += m[i * n + i]! ** 2;
      for (let j = 0; j < i; j++) off += m[i * n + j]! ** 2;
    }
    if (off <= 1e-28 * diagonal) break;
    for (let p = 0; p < n; p++) {
      for (let q = p + 1; q < n; q++) {
        const apq = m[p * n + q]!;
        if (apq === 0) continue;
        const theta = (m[q * n + q]! - m[p * n + p]!) / (2 * apq);
        const t = (theta >= 0 ? 1 : -1) / (Math.abs(theta) + Math.sqrt(theta * theta + 1));
        const c = 1 / Math.sqrt(t * t + 1);
        const s = t * c;
        rotateRows(m, p, q, c, s);
        for (let k = 0; k < n; k++) {
          const kp = m[k * n + p]!;
          const kq = m[k * n + q]!;
          m[k * n + p] = c * kp - s * kq;
          m[k * n + q] = s * kp + c * kq;
        }
        rotateRows(v, p, q, c, s);
      }
    }
  }
  const order = Array.from({ length: n }, (_, i) => i).sort((i, j) => m[j * n + j]! - m[i * n + i]! || i - j);
  const out = new Float64Array(n * n);
  order.forEach((from, to) => out.set(v.subarray(from * n, (from + 1) * n), to * n));
  return out;
}
