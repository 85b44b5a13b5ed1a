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
export function matrixOf(rows: number, cols: number, data: Float32Array = new Float32Array(rows * cols)): Matrix {
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
 * Eigenvectors of a symmetric `[n, n]` matrix as rows, largest eigenvalue first: Householder reduction to
 * tridiagonal form, then implicit QL (the algorithms of EISPACK's tred2 and tql2). About 10 n^3 operations.
 */
export function symmetricEigenvectors(a: Float64Array, n: number): Float64Array {
  const { vectors, diagonal, off } = tridiagonalise(a, n);
  implicitQl(diagonal, off, vectors, n);
  const order = Array.from({ length: n }, (_, i) => i).sort((i, j) => diagonal[j]! - diagonal[i]! || i - j);
  const out = new Float64Array(n * n);
  order.forEach((from, to) => out.set(vectors.subarray(from * n, (from + 1) * n), to * n));
  return out;
}

/**
 * A = Q' T Q with T tridiagonal.
 * @returns rows of Q `[n, n]`, T's diagonal `[n]` and, from position 1 on, what lies beside it `[n]`
 */
function tridiagonalise(a: Float64Array, n: number) {
  const m = a.slice();
  const vectors = new Float64Array(n * n);
  const diagonal = new Float64Array(n);
  const off = new Float64Array(n);
  const v = new Float64Array(n);
  const w = new Float64Array(n);
  for (let i = 0; i < n; i++) vectors[i * n + i] = 1;
  for (let c = 0; c + 1 < n; c++) {
    const from = c + 1;
    let norm = 0;
    for (let k = from; k < n; k++) norm += m[c * n + k]! ** 2;
    norm = Math.sqrt(norm);
    const lead = m[c * n + from]!;
    off[from] = lead > 0 ? -norm : norm;
    diagonal[c] = m[c * n + c]!;
    if (norm === 0) continue;
    // H = I - v v' / h turns the row's rest into (off, 0, 0, ...).
    for (let k = from; k < n; k++) v[k] = m[c * n + k]!;
    v[from] = lead - off[from]!;
    const h = norm * norm + norm * Math.abs(lead);
    // m = H m H on the rows and columns left
    let overlap = 0;
    for (let i = from; i < n; i++) {
      let sum = 0;
      for (let k = from; k < n; k++) sum += m[i * n + k]! * v[k]!;
      w[i] = sum / h;
      overlap += w[i]! * v[i]!;
    }
    for (let k = from; k < n; k++) w[k]! -= (overlap / (2 * h)) * v[k]!;
    for (let i = from; i < n; i++) {
      const vi = v[i]!;
      const wi = w[i]!;
      for (let k = from; k < n; k++) m[i * n + k]! -= vi * w[k]! + wi * v[k]!;
    }
    // Q = H Q: rows of Q combined
    w.fill(0);
    for (let i = from; i < n; i++) {
      const vi = v[i]!;
      for (let k = 0; k < n; k++) w[k]! += vi * vectors[i * n + k]!;
    }
    for (let i = from; i < n; i++) {
      const vi = v[i]! / h;
      for (let k = 0; k < n; k++) vectors[i * n + k]! -= vi * w[k]!;
    }
  }
  if (n > 0) diagonal[n - 1] = m[n * n - 1]!;
  return { vectors, diagonal, off };
}

/** Diagonalises T in place: `d` becomes the eigenvalues, rows of `vectors` are turned along. */
function implicitQl(d: Float64Array, off: Float64Array, vectors: Float64Array, n: number): void {
  const e = new Float64Array(n);
  e.set(off.subarray(1));
  for (let l = 0; l < n; l++) {
    for (let turn = 0; turn < 60; turn++) {
      let m = l;
      while (m + 1 < n && Math.abs(e[m]!) > Number.EPSILON * (Math.abs(d[m]!) + Math.abs(d[m + 1]!))) m++;
      if (m === l) break;
      let g = (d[l + 1]! - d[l]!) / (2 * e[l]!);
      let r = Math.hypot(g, 1);
      g = d[m]! - d[l]! + e[l]! / (g + (g >= 0 ? r : -r));
      let s = 1;
      let c = 1;
      let p = 0;
      let i = m - 1;
      for (; i >= l; i--) {
        const f = s * e[i]!;
        const b = c * e[i]!;
        r = Math.hypot(f, g);
        e[i + 1] = r;
        if (r === 0) {
          d[i + 1]! -= p;
          e[m] = 0;
          break;
        }
        s = f / r;
        c = g / r;
        g = d[i + 1]! - p;
        r = (d[i]! - g) * s + 2 * c * b;
        p = s * r;
        d[i + 1] = g + p;
        g = c * r - b;
        for (let k = 0, x = i * n, y = x + n; k < n; k++, x++, y++) {
          const value = vectors[y]!;
          vectors[y] = s * vectors[x]! + c * value;
          vectors[x] = c * vectors[x]! - s * value;
        }
      }
      if (r === 0 && i >= l) continue;
      d[l]! -= p;
      e[l] = g;
      e[m] = 0;
    }
  }
}
