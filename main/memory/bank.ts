import { type Matrix, matrixOf, symmetricEigenvectors } from '../../shared/linear-algebra.ts';

/** Entries per group of the search's two-level minimum; a bank is padded to a multiple of it. */
export const bankGroup = 256;
/** Cost that no real entry reaches: padding and masked entries are never found. */
export const maskedCost = 1e30;

/** One coreset of normal patch features, ready to be searched. */
export interface MemoryBank {
  /** `[K, D]`, `K` a multiple of `bankGroup`; rows from `count` on are padding. */
  vectors: Matrix;
  /** Real entries. */
  count: number;
  /** `[K]` class of each entry; 0 for padding. */
  entryClass: Int32Array;
  /** `[K]` position in the run's picture list; -1 for padding. */
  entryPicture: Int32Array;
  /** `[D, d]` orthonormal columns for the search's first pass. */
  projection: Matrix;
  /** `[d + 1, K]` see `SearchBank.lookup`. */
  lookup: Matrix;
}

/**
 * @param entries `[n, D]` the chosen patches
 * @param searchDims leading principal directions that the first pass compares; `D` makes the search exact
 */
export function makeBank(
  entries: Matrix,
  entryClass: Int32Array,
  entryPicture: Int32Array,
  searchDims: number,
): MemoryBank {
  const rows = Math.ceil(entries.rows / bankGroup) * bankGroup;
  const vectors = matrixOf(rows, entries.cols);
  vectors.data.set(entries.data);
  const classes = new Int32Array(rows);
  classes.set(entryClass);
  const pictures = new Int32Array(rows).fill(-1);
  pictures.set(entryPicture);
  const projection = leadingDirections(entries, Math.min(searchDims, entries.cols));
  return {
    vectors,
    count: entries.rows,
    entryClass: classes,
    entryPicture: pictures,
    projection,
    lookup: lookupTable(vectors, entries.rows, projection),
  };
}

/** The lookup's last row (`|P'b|^2`) with the entries of one picture made unreachable, for leave-one-out. */
export function costsWithout(bank: MemoryBank, picture: number): Float32Array {
  const { rows, cols, data } = bank.lookup;
  const costs = data.slice((rows - 1) * cols);
  for (let i = 0; i < bank.count; i++) if (bank.entryPicture[i] === picture) costs[i] = maskedCost;
  return costs;
}

/**
 * Orthonormal directions in which the entries differ most. Distances are compared, so the second moment around the
 * mean decides, and the mean itself cancels out.
 * @returns `[D, dims]`
 */
function leadingDirections(entries: Matrix, dims: number): Matrix {
  const { rows, cols, data } = entries;
  const out = matrixOf(cols, dims);
  if (dims === cols) {
    for (let i = 0; i < cols; i++) out.data[i * dims + i] = 1;
    return out;
  }
  const mean = new Float64Array(cols);
  for (let r = 0; r < rows; r++) for (let k = 0; k < cols; k++) mean[k]! += data[r * cols + k]! / rows;
  const scatter = new Float64Array(cols * cols);
  const row = new Float64Array(cols);
  for (let r = 0; r < rows; r++) {
    for (let k = 0; k < cols; k++) row[k] = data[r * cols + k]! - mean[k]!;
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

/** `[d + 1, K]`: `-2 P'b` per entry and `|P'b|^2` below it. */
function lookupTable(vectors: Matrix, count: number, projection: Matrix): Matrix {
  const { rows, cols } = vectors;
  const dims = projection.cols;
  const lookup = matrixOf(dims + 1, rows);
  const projected = new Float64Array(dims);
  for (let r = 0; r < rows; r++) {
    projected.fill(0);
    for (let i = 0; i < cols; i++) {
      const value = vectors.data[r * cols + i]!;
      if (value === 0) continue;
      for (let k = 0; k < dims; k++) projected[k]! += value * projection.data[i * dims + k]!;
    }
    let square = 0;
    for (let k = 0; k < dims; k++) {
      lookup.data[k * rows + r] = -2 * projected[k]!;
      square += projected[k]! ** 2;
    }
    lookup.data[dims * rows + r] = r < count ? square : maskedCost;
  }
  return lookup;
}
