import type { Coreset } from './coreset.ts';
import { columnMeans, type Matrix, matrixOf, symmetricEigenvectors } from '../../shared/linear-algebra.ts';

/** Entries per group of the search's two-level minimum; a bank is padded to a multiple of it. */
export const bankGroup = 256;
/** Cost that no real entry reaches: padding and masked entries are never found. */
export const maskedCost = 1e30;

/** One coreset laid out for the search: padded, with the tables of its first pass. */
export interface SearchIndex {
  /** `[K, D]`, `K` a multiple of `bankGroup`; rows from `count` on are padding. */
  vectors: Matrix;
  /** Real entries. */
  count: number;
  /** `[count]` picture each entry comes from. */
  entryPicture: Int32Array;
  /** `[D]` mean entry. */
  centre: Float32Array;
  /** `[D, d]` orthonormal columns for the search's first pass. */
  projection: Matrix;
  /** `[d + 1, K]` see `SearchBank.lookup`. */
  lookup: Matrix;
}

/** @param searchDims leading principal directions that the first pass compares; `D` makes the search exact */
export function makeSearchIndex({ vectors: entries, entryPicture }: Coreset, searchDims: number): SearchIndex {
  const rows = Math.ceil(entries.rows / bankGroup) * bankGroup;
  const vectors = matrixOf(rows, entries.cols);
  vectors.data.set(entries.data);
  const centre = Float32Array.from(columnMeans(entries));
  const projection = leadingDirections(entries, centre, Math.min(searchDims, entries.cols));
  const lookup = lookupTable(vectors, entries.rows, centre, projection);
  return { vectors, count: entries.rows, entryPicture, centre, projection, lookup };
}

/** The lookup's last row (`|P'b|^2`) with the entries of one picture made unreachable, for leave-one-out. */
export function costsWithout(index: SearchIndex, picture: number): Float32Array {
  const { rows, cols, data } = index.lookup;
  const costs = data.slice((rows - 1) * cols);
  for (let i = 0; i < index.count; i++) if (index.entryPicture[i] === picture) costs[i] = maskedCost;
  return costs;
}

/**
 * Orthonormal directions in which the entries differ most. Distances are compared, so the second moment around the
 * mean decides, and the mean itself cancels out.
 * @returns `[D, dims]`
 */
function leadingDirections(entries: Matrix, centre: Float32Array, dims: number): Matrix {
  const { rows, cols, data } = entries;
  const out = matrixOf(cols, dims);
  if (dims === cols) {
    for (let i = 0; i < cols; i++) out.data[i * dims + i] = 1;
    return out;
  }
  const scatter = new Float64Array(cols * cols);
  const row = new Float64Array(cols);
  for (let r = 0; r < rows; r++) {
    for (let k = 0; k < cols; k++) row[k] = data[r * cols + k]! - centre[k]!;
    for (let i = 0; i < cols; i++) {
      const value = row[i]!;
      for (let k = 0; k <= i; k++) scatter[i * cols + k]! += value * row[k]!;
    }
  }
  for (let i = 0; i < cols; i++) for (let k = 0; k < i; k++) scatter[k * cols + i] = scatter[i * cols + k]!;
  const vectors = symmetricEigenvectors(scatter, cols);
  for (let k = 0; k < dims; k++) for (let i = 0; i < cols; i++) out.data[i * dims + k] = vectors[k * cols + i]!;
  return out;
}

/**
 * `[d + 1, K]`: `-2 P'b` per entry and the full `|b|^2` below it, both less the centre. Norms are exact although the
 * product is not: what the leading directions leave out of it averages to nothing, what they leave out of a norm not.
 */
function lookupTable(vectors: Matrix, count: number, centre: Float32Array, projection: Matrix): Matrix {
  const { rows, cols } = vectors;
  const dims = projection.cols;
  const lookup = matrixOf(dims + 1, rows);
  const projected = new Float64Array(dims);
  for (let r = 0; r < rows; r++) {
    projected.fill(0);
    let square = 0;
    for (let i = 0; i < cols; i++) {
      const value = vectors.data[r * cols + i]! - centre[i]!;
      square += value * value;
      for (let k = 0; k < dims; k++) projected[k]! += value * projection.data[i * dims + k]!;
    }
    for (let k = 0; k < dims; k++) lookup.data[k * rows + r] = -2 * projected[k]!;
    lookup.data[dims * rows + r] = r < count ? square : maskedCost;
  }
  return lookup;
}
