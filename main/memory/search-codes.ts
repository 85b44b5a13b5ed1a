/**
 * Bank entries in 8 bits, for the first pass of the two-pass search (docs/method.md, Search): one integer product ranks
 * all entries of a class, the best few are then compared exactly. The integers stay within 127 for tokens and 63 for
 * entries: sums of two products then fit 16 bits, which processors without VNNI add up in.
 */
import { evenlySpaced } from './calibrate.ts';
import { matrixOf, type Matrix } from '../../shared/linear-algebra.ts';

/** Entries of one block. A class's entries fill whole blocks, so that a search can fetch just that class's. */
export const blockEntries = 256;
/** Largest integers of a token and of an entry. */
export const tokenCodeMax = 127;
export const entryCodeMax = 63;

/**
 * For a token t less its class's mean, `x = t * scales_c`, its multiplier `m = clip(floor(127 / max|x|), 1, 127)` and its
 * code `q = round(m x)`, the integer product of `[q | m (normRows times) | 127 (maskRows times)]` with an entry's column
 * is a positive multiple of `t.b - |b|^2 / 2`, but for rounding and a constant of the class: the largest is the nearest.
 */
export interface SearchCodes {
  /** `[N, D + normRows + maskRows, 256]` */
  table: Int8Array;
  /** Rows that add up to `-|b|^2`. */
  normRows: number;
  /** Rows that put padding behind every real entry. */
  maskRows: number;
  /** `[C, D]` what a token less its class's mean is multiplied with. */
  scales: Matrix;
}

/** Rows for norms at most; a class whose norms span more compares in coarser steps. */
const normRowsMax = 24;
/** Multiplier of an ordinary token: small enough for others to have twice as much, large enough to round little. */
const ordinaryMultiplier = 80;
/** Channels that hardly move in a class count as if they moved this share of the one that moves most. */
const flattestChannel = 1e-3;

/**
 * Codes are refused where their rounding moves a squared distance by more than this share of that between neighbouring
 * entries: one far entry would leave too few steps for all others. On the 16 classes it is 0.004 to 0.1.
 */
const coarsestRounding = 0.15;
/** Entries of a class whose neighbours are looked for to tell. */
const sampledEntries = 24;

/** One class's codes before they are laid out. */
interface ClassCodes {
  /** Rows of the bank. */
  rows: number[];
  /** `[rows, D]` */
  codes: Int8Array;
  /** `-|b|^2` in the product's units, less a constant. */
  norms: Int32Array;
  scales: Float64Array;
  /** What rounding does to a squared distance (standard deviation), as a share of that between neighbours. */
  rounding: number;
  /** Sum over dimensions of |mean code|: what the mean entry can lose against padding. */
  imbalance: number;
}

/**
 * @returns undefined where 8 bits are too few for these entries
 * @param rest `[N * 256, D]` entries less their class's mean
 * @param entryClass, entryPicture `[N * 256]`; picture -1 is padding
 */
export function makeSearchCodes(
  rest: Matrix,
  entryClass: Int32Array,
  entryPicture: Int32Array,
  classCount: number,
): SearchCodes | undefined {
  const dims = rest.cols;
  const rowsOf = Array.from({ length: classCount }, (): number[] => []);
  entryPicture.forEach((picture, row) => {
    if (picture !== -1) rowsOf[entryClass[row]!]!.push(row);
  });
  const classes = rowsOf.map((rows) => codeClass(rest, rows));
  if (classes.some(({ rounding }) => rounding > coarsestRounding)) return undefined;
  const normRows = Math.max(1, ...classes.map(({ norms }) => Math.ceil(largest(norms) / entryCodeMax)));
  // Real entries have +63 in these rows, padding -63. On the mean over a class's entries the best one can't fall behind.
  const apart = 2 * entryCodeMax * tokenCodeMax;
  const maskRows = Math.max(...classes.map(({ imbalance }) => Math.floor((tokenCodeMax * imbalance) / apart) + 1));

  const depth = dims + normRows + maskRows;
  const table = new Int8Array((rest.rows / blockEntries) * depth * blockEntries);
  const put = (row: number, k: number, value: number): void => {
    table[(Math.floor(row / blockEntries) * depth + k) * blockEntries + (row % blockEntries)] = value;
  };
  for (let row = 0; row < rest.rows; row++) {
    for (let k = 0; k < normRows + maskRows; k++) put(row, dims + k, -entryCodeMax);
  }
  const scales = matrixOf(classCount, dims);
  classes.forEach(({ rows, codes, norms, scales: own }, c) => {
    scales.data.set(own, c * dims);
    rows.forEach((row, i) => {
      for (let k = 0; k < dims; k++) put(row, k, codes[i * dims + k]!);
      let left = norms[i]!;
      for (let k = 0; k < normRows; k++) {
        const digit = Math.max(-entryCodeMax, Math.min(entryCodeMax, left));
        put(row, dims + k, digit);
        left -= digit;
      }
      for (let k = 0; k < maskRows; k++) put(row, dims + normRows + k, entryCodeMax);
    });
  });
  return { table, normRows, maskRows, scales };
}

/**
 * Channels are weighted so that those of entries and of tokens round alike: entries times `v`, tokens divided by it,
 * `v_k = max|b_k|^-1/2`.
 */
function codeClass({ data, cols }: Matrix, rows: readonly number[]): ClassCodes {
  const reach = new Float64Array(cols);
  for (const row of rows) {
    for (let k = 0; k < cols; k++) reach[k] = Math.max(reach[k]!, Math.abs(data[row * cols + k]!));
  }
  const widest = reach.reduce((a, b) => Math.max(a, b), 0) || 1;
  const weights = reach.map((value) => 1 / Math.sqrt(Math.max(value, flattestChannel * widest)));

  const peaks = new Float64Array(rows.length);
  const squares = new Float64Array(rows.length);
  let entryMax = 0;
  rows.forEach((row, i) => {
    for (let k = 0; k < cols; k++) {
      const value = data[row * cols + k]!;
      squares[i]! += value * value;
      peaks[i] = Math.max(peaks[i]!, Math.abs(value / weights[k]!));
      entryMax = Math.max(entryMax, Math.abs(value * weights[k]!));
    }
  });
  const entryStep = entryMax / entryCodeMax || 1;
  const low = squares.reduce((a, b) => Math.min(a, b), Infinity);
  const high = squares.reduce((a, b) => Math.max(a, b), 0);
  const ordinary = peaks.slice().sort()[rows.length >> 1]! * (ordinaryMultiplier / tokenCodeMax);
  // Half the span of the norms has to fit its rows.
  const least = (high - low) / (4 * entryStep * (entryCodeMax * normRowsMax - 1));
  const tokenStep = Math.max(ordinary, least) || 1;

  const codes = new Int8Array(rows.length * cols);
  const norms = new Int32Array(rows.length);
  const sums = new Float64Array(cols);
  rows.forEach((row, i) => {
    for (let k = 0; k < cols; k++) {
      const code = Math.round((data[row * cols + k]! * weights[k]!) / entryStep);
      codes[i * cols + k] = code;
      sums[k]! += code;
    }
    norms[i] = Math.round(((low + high) / 2 - squares[i]!) / (2 * tokenStep * entryStep));
  });
  return {
    rows: [...rows],
    rounding: roundingShare(data, cols, rows, { weights, peaks, tokenStep, entryStep }),
    codes,
    norms,
    scales: weights.map((weight) => 1 / (weight * tokenStep)),
    imbalance: sums.reduce((sum, value) => sum + Math.abs(value), 0) / Math.max(1, rows.length),
  };
}

/** How a class is coded: weights of its channels, `[rows]` largest weighted coordinate of a token there, steps. */
interface Steps {
  weights: Float64Array;
  peaks: Float64Array;
  tokenStep: number;
  entryStep: number;
}

/** How far rounding moves squared distances between neighbours, as a share of them: the median over some entries. */
function roundingShare(
  data: Float32Array,
  cols: number,
  rows: readonly number[],
  { weights, peaks, tokenStep, entryStep }: Steps,
): number {
  const shares = evenlySpaced(rows.length, sampledEntries).flatMap((i) => {
    let least = Infinity;
    for (let j = 0; j < rows.length; j++) {
      if (j === i) continue;
      let square = 0;
      for (let k = 0; k < cols && square < least; k++) {
        square += (data[rows[i]! * cols + k]! - data[rows[j]! * cols + k]!) ** 2;
      }
      least = Math.min(least, square);
    }
    if (least === Infinity) return [];
    // The entry as a token: both factors of every product are off by up to half a step, evenly.
    const multiplier = Math.max(1, Math.min(tokenCodeMax, Math.floor((tokenCodeMax * tokenStep) / peaks[i]!)));
    let squares = 0;
    for (let k = 0; k < cols; k++) {
      const value = data[rows[i]! * cols + k]!;
      const inEntrySteps = (value * weights[k]!) / entryStep;
      const inTokenSteps = (value * multiplier) / (weights[k]! * tokenStep);
      squares += inEntrySteps ** 2 + inTokenSteps ** 2;
    }
    const moved = 2 * ((tokenStep * entryStep) / multiplier) * Math.sqrt(squares / 12);
    return [moved === 0 ? 0 : moved / least];
  });
  return shares.sort((a, b) => a - b)[shares.length >> 1] ?? 0;
}

function largest(values: Int32Array): number {
  return values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
}
