import type { Coreset } from './coreset.ts';
import { columnMeans, type Matrix, matrixOf, symmetricEigenvectors } from '../../shared/linear-algebra.ts';

/** Entries of one block. A class's entries fill whole blocks, so that a search can fetch just that class's. */
export const blockEntries = 256;
/** Cost that no real entry reaches: padding and masked entries are never found. */
export const maskedCost = 1e30;

/** The coresets of all classes, laid out for a search among one class's entries: `N` blocks, the last one all padding. */
export interface SearchIndex {
  /** `[N * 256, D]` entries class after class, each class padded to whole blocks with zeros. */
  vectors: Matrix;
  /** `[N * 256]` class of each entry, 0 for padding. */
  entryClass: Int32Array;
  /** `[N * 256]` picture each entry comes from, -1 for padding. */
  entryPicture: Int32Array;
  /** `[C, M]` blocks of each class, filled up with the last, empty block; M is the largest class's number of blocks. */
  classBlocks: { rows: number; cols: number; data: Int32Array };
  /** `[C, D]` mean entry of each class. */
  centres: Matrix;
  /** `[D, d]` orthonormal columns for the search's first pass. */
  projection: Matrix;
  /** `[N, d, 256]` entries less their class's mean, `-2 P'b`. */
  products: Float32Array;
  /** `[N, 256]` `|b|^2` of the entries less their class's mean, `maskedCost` for padding. */
  costs: Float32Array;
}

/**
 * @param coresets one per class
 * @param searchDims leading principal directions that the first pass compares; `D` makes the search exact
 */
export function makeSearchIndex(coresets: readonly Coreset[], searchDims: number): SearchIndex {
  const dims = coresets[0]!.vectors.cols;
  const blocksOf = coresets.map(({ vectors }) => Math.ceil(vectors.rows / blockEntries));
  const widest = Math.max(...blocksOf);
  const empty = blocksOf.reduce((sum, count) => sum + count, 0);
  const total = (empty + 1) * blockEntries;
  const vectors = matrixOf(total, dims);
  const entryClass = new Int32Array(total);
  const entryPicture = new Int32Array(total).fill(-1);
  const classBlocks = new Int32Array(coresets.length * widest).fill(empty);
  let block = 0;
  coresets.forEach((coreset, c) => {
    const at = block * blockEntries;
    vectors.data.set(coreset.vectors.data, at * dims);
    entryClass.fill(c, at, at + coreset.vectors.rows);
    entryPicture.set(coreset.entryPicture, at);
    for (let i = 0; i < blocksOf[c]!; i++) classBlocks[c * widest + i] = block++;
  });
  const centres = matrixOf(coresets.length, dims);
  coresets.forEach((coreset, c) => centres.data.set(columnMeans(coreset.vectors), c * dims));
  const rest = matrixOf(total, dims);
  for (let r = 0; r < total; r++) {
    if (entryPicture[r] === -1) continue;
    const from = entryClass[r]! * dims;
    for (let k = 0; k < dims; k++) rest.data[r * dims + k] = vectors.data[r * dims + k]! - centres.data[from + k]!;
  }
  const projection = leadingDirections(rest, Math.min(searchDims, dims));
  return {
    vectors,
    entryClass,
    entryPicture,
    classBlocks: { rows: coresets.length, cols: widest, data: classBlocks },
    centres,
    projection,
    ...lookupTables(rest, entryPicture, projection),
  };
}

/** The costs with the entries of one picture made unreachable, for leave-one-out. */
export function costsWithout(index: SearchIndex, picture: number): Float32Array {
  const costs = index.costs.slice();
  for (let i = 0; i < costs.length; i++) if (index.entryPicture[i] === picture) costs[i] = maskedCost;
  return costs;
}

/**
 * Orthonormal directions in which entries of one class differ most: only they are compared with each other.
 * @param entries less their class's mean; zeros for padding
 * @returns `[D, dims]`
 */
function leadingDirections(entries: Matrix, dims: number): Matrix {
  const { rows, cols, data } = entries;
  const out = matrixOf(cols, dims);
  if (dims === cols) {
    for (let i = 0; i < cols; i++) out.data[i * dims + i] = 1;
    return out;
  }
  const scatter = new Float64Array(cols * cols);
  const row = new Float64Array(cols);
  for (let r = 0; r < rows; r++) {
    for (let k = 0; k < cols; k++) row[k] = data[r * cols + k]!;
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
 * Norms are exact although the product is not: what the leading directions leave out of a product averages to nothing,
 * what they leave out of a norm doesn't.
 */
function lookupTables(
  rest: Matrix,
  entryPicture: Int32Array,
  projection: Matrix,
): { products: Float32Array; costs: Float32Array } {
  const { rows, cols } = rest;
  const dims = projection.cols;
  const products = new Float32Array(rows * dims);
  const costs = new Float32Array(rows).fill(maskedCost);
  const projected = new Float64Array(dims);
  for (let r = 0; r < rows; r++) {
    if (entryPicture[r] === -1) continue;
    projected.fill(0);
    let square = 0;
    for (let i = 0; i < cols; i++) {
      const value = rest.data[r * cols + i]!;
      square += value * value;
      for (let k = 0; k < dims; k++) projected[k]! += value * projection.data[i * dims + k]!;
    }
    const first = Math.floor(r / blockEntries) * dims * blockEntries + (r % blockEntries);
    for (let k = 0; k < dims; k++) products[first + k * blockEntries] = -2 * projected[k]!;
    costs[r] = square;
  }
  return { products, costs };
}
