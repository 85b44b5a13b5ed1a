import {
  centredRows,
  columnMeans,
  dot,
  gram,
  symmetricEigenvectors,
  transposed,
  type Matrix,
} from '../../shared/linear-algebra.ts';

export interface KCentreOptions {
  /** Called now and then with the picks made so far; throw from it to abort. */
  onProgress?: (done: number, total: number) => void;
}

const progressEvery = 64;
/** Leading principal directions: most centres are ruled out by the distance along them alone. */
const headDims = 8;
/**
 * A part of a distance is never longer than the whole, but it is computed along other axes and rounded: with heads off
 * by eta, (true + eta)^2 <= (1 + margin) true^2 + (1 + 1/margin) eta^2. That much to spare, it never changes a pick.
 */
const headMargin = 1e-6;

/**
 * Greedy k-centre (embedded recipe, section 3.2): starting from candidate 0, each pick is the candidate farthest
 * from all picks before it; ties go to the lowest index. Makes exactly the picks of the plain algorithm, which
 * measures every candidate against every new pick, without most of the work:
 * - Distances to the nearest pick only shrink, so an old one is an upper bound. Candidates wait in a heap by what is
 *   known of them; only the top one is brought up to date, and it is the next pick when it stays on top. Candidates
 *   that are near some pick are hardly ever looked at again.
 * - Distances are first measured along the 8 directions of most spread, and only where these are short enough in full.
 *
 * @param points `[candidates, d]`
 * @returns at most `count` different indices in the order picked; fewer when all others are duplicates of picks
 */
export function kCentrePicks(points: Matrix, count: number, options: KCentreOptions = {}): Int32Array {
  const total = Math.min(count, points.rows);
  const picks = new Int32Array(total);
  if (total === 0) return picks;
  const state = createState(points, total);
  const { distances, heap } = state;
  addCentre(state, 0);
  for (let i = 0; i < points.rows; i++) update(state, i);
  for (let at = (heap.length >> 1) - 1; at >= 0; at--) siftDown(heap, distances, at);
  for (let n = 1; n < total; n++) {
    while (update(state, heap[0]!)) siftDown(heap, distances, 0);
    const top = heap[0]!;
    if (distances[top] === 0) return picks.slice(0, n);
    picks[n] = top;
    addCentre(state, top);
    if (n % progressEvery === 0) options.onProgress?.(n + 1, total);
  }
  options.onProgress?.(total, total);
  return picks;
}

interface State {
  points: Matrix;
  /** `[candidates, 8]` and `[centres, 8]` coordinates along the leading directions. */
  heads: Float64Array;
  centreHeads: Float64Array;
  /** Absolute part of what heads may exceed a squared distance by. */
  headSlack: number;
  /** `[centres, d]` */
  centrePoints: Float32Array;
  centreCount: number;
  /** Squared distance of each candidate to the nearest of the centres it has `seen`. */
  distances: Float64Array;
  seen: Int32Array;
  /** Candidates as a binary heap: the farthest first, the lowest index among equals. */
  heap: Int32Array;
}

function createState(points: Matrix, total: number): State {
  const { rows, cols } = points;
  const centred = centredRows(points, columnMeans(points));
  const axes = symmetricEigenvectors(gram(transposed(centred, rows, cols), cols, rows), cols);
  const heads = new Float64Array(rows * headDims);
  for (let k = 0; k < Math.min(headDims, cols); k++) {
    for (let i = 0; i < rows; i++) heads[i * headDims + k] = dot(centred, i * cols, axes, k * cols, cols);
  }
  let longest = 0;
  for (let i = 0; i < rows; i++) longest = Math.max(longest, dot(centred, i * cols, centred, i * cols, cols));
  // Each coordinate is off by some cols * 2^-53 of the longest vector; 8 of them, two points, doubled for good measure.
  const eta = 12 * (cols + 2) * 2 ** -53 * Math.sqrt(longest);
  return {
    points,
    heads,
    headSlack: (1 + 1 / headMargin) * eta * eta,
    centreHeads: new Float64Array(total * headDims),
    centrePoints: new Float32Array(total * cols),
    centreCount: 0,
    distances: new Float64Array(rows).fill(Infinity),
    seen: new Int32Array(rows),
    heap: Int32Array.from({ length: rows }, (_, i) => i),
  };
}

function addCentre(state: State, candidate: number): void {
  const { points, heads, centreHeads, centrePoints } = state;
  const n = state.centreCount++;
  centreHeads.set(heads.subarray(candidate * headDims, (candidate + 1) * headDims), n * headDims);
  centrePoints.set(points.data.subarray(candidate * points.cols, (candidate + 1) * points.cols), n * points.cols);
}

/**
 * Measures a candidate against the centres it has not seen, until one is nearer than those before.
 * @returns whether its distance shrank; if not, it has seen all
 */
function update(state: State, i: number): boolean {
  const { points, heads, centreHeads, centrePoints, centreCount, headSlack, distances, seen } = state;
  const { cols, data } = points;
  const current = distances[i]!;
  const limit = current * (1 + headMargin) + headSlack;
  const h = i * headDims;
  const h0 = heads[h]!;
  const h1 = heads[h + 1]!;
  const h2 = heads[h + 2]!;
  const h3 = heads[h + 3]!;
  const h4 = heads[h + 4]!;
  const h5 = heads[h + 5]!;
  const h6 = heads[h + 6]!;
  const h7 = heads[h + 7]!;
  for (let n = seen[i]!, c = n * headDims; n < centreCount; n++, c += headDims) {
    const d0 = centreHeads[c]! - h0;
    const d1 = centreHeads[c + 1]! - h1;
    const d2 = centreHeads[c + 2]! - h2;
    const d3 = centreHeads[c + 3]! - h3;
    const d4 = centreHeads[c + 4]! - h4;
    const d5 = centreHeads[c + 5]! - h5;
    const d6 = centreHeads[c + 6]! - h6;
    const d7 = centreHeads[c + 7]! - h7;
    const least = d0 * d0 + d1 * d1 + (d2 * d2 + d3 * d3) + (d4 * d4 + d5 * d5 + (d6 * d6 + d7 * d7));
    if (least > limit) continue;
    let sum = 0;
    for (let k = 0, a = i * cols, b = n * cols; k < cols; k++) {
      const difference = data[a++]! - centrePoints[b++]!;
      sum += difference * difference;
    }
    if (sum < current) {
      distances[i] = sum;
      seen[i] = n + 1;
      return true;
    }
  }
  seen[i] = centreCount;
  return false;
}

/** Moves the entry at a heap position down to where it belongs. */
function siftDown(heap: Int32Array, distances: Float64Array, from: number): void {
  const moving = heap[from]!;
  const distance = distances[moving]!;
  let at = from;
  for (;;) {
    let child = 2 * at + 1;
    if (child >= heap.length) break;
    if (child + 1 < heap.length && before(distances, heap[child + 1]!, heap[child]!)) child++;
    const other = heap[child]!;
    const theirs = distances[other]!;
    if (theirs < distance || (theirs === distance && moving < other)) break;
    heap[at] = other;
    at = child;
  }
  heap[at] = moving;
}

function before(distances: Float64Array, a: number, b: number): boolean {
  const difference = distances[a]! - distances[b]!;
  return difference > 0 || (difference === 0 && a < b);
}
