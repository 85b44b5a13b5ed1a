import { matrixOf, type Matrix } from '../../shared/linear-algebra.ts';
import { createRandom } from '../../shared/random.ts';

/** Gaussian random projection: distances survive it up to a few percent. Embedded recipe, section 3. */
export interface RandomProjection {
  /** Dimensions of the vectors that go in and come out. */
  inputDims: number;
  dims: number;
  /** `[inputDims, dims]`, N(0, 1) / sqrt(dims); also what a graph may multiply tokens by. */
  matrix: Matrix;
}

/** The same seed and sizes give the same matrix on every machine. */
export function createRandomProjection(inputDims: number, dims: number, seed: number): RandomProjection {
  const random = createRandom(seed);
  const matrix = matrixOf(inputDims, dims);
  const scale = 1 / Math.sqrt(dims);
  for (let i = 0; i < matrix.data.length; i++) matrix.data[i] = random.normal() * scale;
  return { inputDims, dims, matrix };
}

/** Projects every row: `[q, inputDims]` to `[q, dims]`, sums in 64 bit. */
export function project(tokens: Matrix, { inputDims, dims, matrix }: RandomProjection): Matrix {
  if (tokens.cols !== inputDims) {
    throw new RangeError(`tokens of ${tokens.cols} dimensions, projection for ${inputDims}`);
  }
  const out = matrixOf(tokens.rows, dims);
  const row = new Float64Array(inputDims);
  // Transposed and 64-bit once: the inner loop then reads without strides or conversions.
  const weights = new Float64Array(inputDims * dims);
  for (let i = 0; i < inputDims; i++)
    for (let j = 0; j < dims; j++) weights[j * inputDims + i] = matrix.data[i * dims + j]!;
  for (let i = 0; i < tokens.rows; i++) {
    row.set(tokens.data.subarray(i * inputDims, (i + 1) * inputDims));
    let j = 0;
    for (; j + 3 < dims; j += 4) {
      let s0 = 0;
      let s1 = 0;
      let s2 = 0;
      let s3 = 0;
      let w0 = j * inputDims;
      let w1 = w0 + inputDims;
      let w2 = w1 + inputDims;
      let w3 = w2 + inputDims;
      for (let k = 0; k < inputDims; k++) {
        const x = row[k]!;
        s0 += x * weights[w0++]!;
        s1 += x * weights[w1++]!;
        s2 += x * weights[w2++]!;
        s3 += x * weights[w3++]!;
      }
      const at = i * dims + j;
      out.data[at] = s0;
      out.data[at + 1] = s1;
      out.data[at + 2] = s2;
      out.data[at + 3] = s3;
    }
    for (; j < dims; j++) {
      let sum = 0;
      for (let k = 0, w = j * inputDims; k < inputDims; k++) sum += row[k]! * weights[w++]!;
      out.data[i * dims + j] = sum;
    }
  }
  return out;
}
