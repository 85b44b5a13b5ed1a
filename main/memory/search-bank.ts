import type { Coreset } from './coreset.ts';
import { columnMeans, type Matrix, matrixOf } from '../../shared/linear-algebra.ts';
import { blockEntries, makeSearchCodes, type SearchCodes } from './search-codes.ts';

export { blockEntries } from './search-codes.ts';

/** Cost that no real entry reaches: padding and masked entries are never found. */
export const maskedCost = 1e30;
/** Every coordinate of padding, so that no token is near: its square still fits 32 bits, summed over all dimensions. */
const farAway = 1e15;

/** The coresets of all classes, laid out for a search among one class's entries: `N` blocks, the last one all padding. */
export interface SearchIndex {
  /** `[N * 256, D]` entries class after class, each class padded to whole blocks with entries far away. */
  vectors: Matrix;
  /** `[N * 256]` class of each entry, 0 for padding. */
  entryClass: Int32Array;
  /** `[N * 256]` picture each entry comes from, -1 for padding. */
  entryPicture: Int32Array;
  /** `[C, M]` blocks of each class, filled up with the last, empty block; M is the largest class's number of blocks. */
  classBlocks: { rows: number; cols: number; data: Int32Array };
  /** `[C, D]` mean entry of each class. */
  centres: Matrix;
  /** `[N, D, 256]` entries less their class's mean, times -2. */
  products: Float32Array;
  /** `[N, 256]` `|b|^2` of the entries less their class's mean, `maskedCost` for padding. */
  costs: Float32Array;
  /** The entries in 8 bits, for the first pass; undefined where every search is to be exact by itself. */
  codes: SearchCodes | undefined;
}

/** How a finished model searches: `exact` in one pass, `coded` in two, which finds the same and takes a third of the time. */
export type SearchMode = 'exact' | 'coded';

/** @param coresets one per class */
export function makeSearchIndex(coresets: readonly Coreset[], mode: SearchMode): SearchIndex {
  const dims = coresets[0]!.vectors.cols;
  const blocksOf = coresets.map(({ vectors }) => Math.ceil(vectors.rows / blockEntries));
  const widest = Math.max(...blocksOf);
  const empty = blocksOf.reduce((sum, count) => sum + count, 0);
  const total = (empty + 1) * blockEntries;
  const vectors = matrixOf(total, dims);
  vectors.data.fill(farAway);
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
  return {
    vectors,
    entryClass,
    entryPicture,
    classBlocks: { rows: coresets.length, cols: widest, data: classBlocks },
    centres,
    ...lookupTables(rest, entryPicture),
    codes: mode === 'exact' ? undefined : makeSearchCodes(rest, entryClass, entryPicture, coresets.length),
  };
}

/** The costs with the entries of one picture made unreachable, for leave-one-out. */
export function costsWithout(index: SearchIndex, picture: number): Float32Array {
  const costs = index.costs.slice();
  for (let i = 0; i < costs.length; i++) if (index.entryPicture[i] === picture) costs[i] = maskedCost;
  return costs;
}

/** The exact search's tables: what it multiplies a token with, and what it adds. */
function lookupTables(rest: Matrix, entryPicture: Int32Array): { products: Float32Array; costs: Float32Array } {
  const { rows, cols } = rest;
  const products = new Float32Array(rows * cols);
  const costs = new Float32Array(rows).fill(maskedCost);
  for (let r = 0; r < rows; r++) {
    if (entryPicture[r] === -1) continue;
    const first = Math.floor(r / blockEntries) * cols * blockEntries + (r % blockEntries);
    let square = 0;
    for (let k = 0; k < cols; k++) {
      const value = rest.data[r * cols + k]!;
      square += value * value;
      products[first + k * blockEntries] = -2 * value;
    }
    costs[r] = square;
  }
  return { products, costs };
}
