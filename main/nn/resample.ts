/**
 * Resampling along one axis as a matrix, so that any resize is two matrix products and traces like one.
 * All matrices are row-major `[out, in]`.
 */

/** A small dense matrix. */
export interface Matrix {
  readonly rows: number;
  readonly columns: number;
  readonly data: Float32Array;
}

function fromWeights(rows: number, columns: number, weights: (row: number) => readonly [number, number][]): Matrix {
  const data = new Float32Array(rows * columns);
  for (let row = 0; row < rows; row += 1) {
    // Indices outside are clamped, so several taps may fall on one column.
    for (const [column, weight] of weights(row)) {
      const clamped = Math.min(Math.max(column, 0), columns - 1);
      data[row * columns + clamped] = data[row * columns + clamped]! + weight;
    }
  }
  return { rows, columns, data };
}

/** Cubic convolution kernel with the free parameter `a`. */
function cubic(x: number, a: number): number {
  const t = Math.abs(x);
  if (t < 1) return ((a + 2) * t - (a + 3)) * t * t + 1;
  return t < 2 ? ((a * t - 5 * a) * t + 8 * a) * t - 4 * a : 0;
}

/** Four-tap bicubic, a = -0.75; `scale` is out / in as PyTorch sees it (method-spec section 2.1). */
function bicubicMatrix(outSize: number, inSize: number, scale: number): Matrix {
  return fromWeights(outSize, inSize, (o) => {
    const source = (o + 0.5) / scale - 0.5;
    const base = Math.floor(source);
    return [-1, 0, 1, 2].map((tap): [number, number] => [base + tap, cubic(source - base - tap, -0.75)]);
  });
}

/** Bicubic with a = -0.5 whose kernel is stretched when shrinking, weights renormalised (Pillow's rule). */
function antialiasedBicubicMatrix(outSize: number, inSize: number): Matrix {
  const scale = inSize / outSize;
  const stretch = Math.max(scale, 1);
  return fromWeights(outSize, inSize, (o) => {
    const centre = (o + 0.5) * scale;
    const low = Math.max(0, Math.trunc(centre - 2 * stretch + 0.5));
    const high = Math.min(inSize, Math.trunc(centre + 2 * stretch + 0.5));
    const taps = Array.from({ length: high - low }, (_, i) => cubic((low + i - centre + 0.5) / stretch, -0.5));
    const sum = taps.reduce((a, b) => a + b, 0);
    return taps.map((weight, i): [number, number] => [low + i, weight / sum]);
  });
}

/** Bilinear resize without antialiasing, in PyTorch's two conventions. */
export function bilinearMatrix(outSize: number, inSize: number, alignCorners: boolean): Matrix {
  return fromWeights(outSize, inSize, (o) => {
    const source = alignCorners
      ? outSize > 1
        ? (o * (inSize - 1)) / (outSize - 1)
        : 0
      : Math.max(0, ((o + 0.5) * inSize) / outSize - 0.5);
    const base = Math.min(Math.floor(source), inSize - 1);
    return [
      [base, 1 - (source - base)],
      [base + 1, source - base],
    ];
  });
}

/** Convolution with a symmetric kernel of odd length, zeros outside (`padding = 'zero'`) or dividing by what lies inside. */
function bandMatrix(size: number, kernel: readonly number[], padding: 'zero' | 'valid'): Matrix {
  const half = (kernel.length - 1) / 2;
  return fromWeights(size, size, (o) => {
    const taps = kernel
      .map((weight, i): [number, number] => [o + i - half, weight])
      .filter(([column]) => column >= 0 && column < size);
    const sum = padding === 'zero' ? 1 : taps.reduce((total, [, weight]) => total + weight, 0);
    return taps.map(([column, weight]): [number, number] => [column, weight / sum]);
  });
}

/** One axis of a normalised Gaussian window of odd `length`, zero padding. */
export function gaussianMatrix(size: number, length: number, sigma: number): Matrix {
  const taps = Array.from({ length }, (_, i) => Math.exp(-((i - (length - 1) / 2) ** 2) / (2 * sigma ** 2)));
  const sum = taps.reduce((a, b) => a + b, 0);
  return bandMatrix(
    size,
    taps.map((tap) => tap / sum),
    'zero',
  );
}

/** One axis of a box mean of odd `length` that divides by the cells present at the borders. */
export function boxMeanMatrix(size: number, length: number): Matrix {
  return bandMatrix(size, new Array<number>(length).fill(1), 'valid');
}

/** Kronecker product: applies `a` to the rows and `b` to the columns of a row-major grid in one product. */
export function kronecker(a: Matrix, b: Matrix): Matrix {
  const rows = a.rows * b.rows;
  const columns = a.columns * b.columns;
  const data = new Float32Array(rows * columns);
  for (let i = 0; i < rows; i += 1) {
    for (let j = 0; j < columns; j += 1) {
      const left = a.data[Math.floor(i / b.rows) * a.columns + Math.floor(j / b.columns)]!;
      data[i * columns + j] = left * b.data[(i % b.rows) * b.columns + (j % b.columns)]!;
    }
  }
  return { rows, columns, data };
}

/** How position embeddings are resampled to another grid; the three differ numerically (method-spec section 2.1). */
export const positionModes = ['scale_offset', 'size_antialias', 'size'] as const;
export type PositionMode = (typeof positionModes)[number];

/** Rows and columns of a grid of tokens. */
export interface Grid {
  readonly rows: number;
  readonly columns: number;
}

/**
 * Matrix `[rows*columns, stored*stored]` that resamples a square table of patch positions to another grid, undefined
 * where the grid is the stored one and the table is used as it is.
 * @param stored side of the stored square table, e.g. 37
 */
export function positionMatrix(grid: Grid, stored: number, mode: PositionMode): Matrix | undefined {
  if (grid.rows === stored && grid.columns === stored) return undefined;
  const axis = (size: number) => {
    if (mode === 'size_antialias') return antialiasedBicubicMatrix(size, stored);
    return bicubicMatrix(size, stored, (mode === 'scale_offset' ? size + 0.1 : size) / stored);
  };
  return kronecker(axis(grid.rows), axis(grid.columns));
}

/**
 * Resamples a table of positions, class position first: `[1 + stored*stored, C]` -> `[1 + rows*columns, C]`.
 * Meant for loading weights that stay as they are.
 */
export function resamplePositions(
  table: Float32Array,
  channels: number,
  grid: Grid,
  stored: number,
  mode: PositionMode,
): Float32Array {
  const matrix = positionMatrix(grid, stored, mode);
  if (matrix === undefined) return table;
  const out = new Float32Array((1 + matrix.rows) * channels);
  out.set(table.subarray(0, channels));
  const sums = new Float64Array(channels);
  for (let row = 0; row < matrix.rows; row += 1) {
    sums.fill(0);
    for (let column = 0; column < matrix.columns; column += 1) {
      const weight = matrix.data[row * matrix.columns + column]!;
      if (weight === 0) continue;
      const from = (1 + column) * channels;
      for (let c = 0; c < channels; c += 1) sums[c] = sums[c]! + weight * table[from + c]!;
    }
    out.set(sums, (1 + row) * channels);
  }
  return out;
}
