import {
  centredRows,
  columnMeans,
  dot,
  gram,
  matrixOf,
  symmetricEigenvectors,
  transposed,
  type Matrix,
} from '../../shared/linear-algebra.ts';

export interface KCentreOptions {
  /** Called now and then with the picks made so far; throw from it to abort. */
  onProgress?: (done: number, total: number) => void;
}

/**
 * The triangle inequality holds for true distances; computed ones are off by a few 1e-16. Bounds are trusted only
 * with this much to spare, so that pruning never changes a pick.
 */
const slack = 4 * (1 + 1e-12);
const progressEvery = 64;
/** The first coordinates lie apart from the others: most candidates are ruled out by them alone. */
const headDims = 8;

/**
 * Greedy k-centre (embedded recipe, section 3.2): starting from candidate 0, each pick is the candidate farthest
 * from all picks before it; ties go to the lowest index. Makes exactly the picks of the plain algorithm, which
 * measures every candidate against every new centre, but skips what the triangle inequality rules out:
 * d(new, centre) >= 2 d(candidate, centre) means the candidate keeps its centre, for a whole group at once when it
 * holds for the group's radius. Sums stop after 8 dimensions once they exceed what they are compared to, so points
 * whose first coordinates carry most of the spread (`principalAxes`) go several times faster.
 *
 * @param points `[candidates, d]`
 * @returns at most `count` different indices in the order picked; fewer when all others are duplicates of picks
 */
export function kCentrePicks(points: Matrix, count: number, options: KCentreOptions = {}): Int32Array {
  const total = Math.min(count, points.rows);
  const picks = new Int32Array(total);
  if (total === 0) return picks;
  let store = createStore(points);
  let spare = emptyStore(store);
  const centres = centreTable(total, store.tailDims);
  // A group is a run of rows in the store: the candidates whose nearest centre it is.
  const start = new Int32Array(total);
  const size = new Int32Array(total);
  const radius = new Float64Array(total);
  const farthest = new Int32Array(total);
  let end = 0;

  for (let n = 0, next = 0; n < total; n++) {
    picks[n] = next;
    copyPoint(points, next, centres.heads, centres.tails, n, store.tailDims);
    if (end > 2 * points.rows) compact(n);
    start[n] = end;
    if (n === 0) {
      end = claimAll(store, centres, points.rows);
      size[0] = points.rows;
      measure(0);
    } else {
      for (let group = 0; group < n; group++) {
        const bound = slack * radius[group]!;
        const between = squaredDistance(centres.heads, centres.tails, n, centres, group, bound);
        if (between < bound && claim(group, n, between)) measure(group);
      }
      size[n] = end - start[n]!;
      measure(n);
    }
    let best = 0;
    for (let group = 1; group <= n; group++) {
      const wider = radius[group]! - radius[best]!;
      if (wider > 0 || (wider === 0 && farthest[group]! < farthest[best]!)) best = group;
    }
    if (radius[best] === 0) return picks.slice(0, n + 1);
    next = farthest[best]!;
    if (n % progressEvery === 0) options.onProgress?.(n + 1, total);
  }
  options.onProgress?.(total, total);
  return picks;

  /** Moves the members of `group` that are nearer to the new centre to the end of the store; whether any did. */
  function claim(group: number, fresh: number, between: number): boolean {
    const { distances, indices, heads, tails, tailDims } = store;
    const before = size[group]!;
    let last = start[group]! + before - 1;
    for (let row = start[group]!; row <= last; row++) {
      const current = distances[row]!;
      if (between >= slack * current) continue;
      const distance = squaredDistance(heads, tails, row, centres, fresh, current);
      if (distance >= current) continue;
      moveRow(heads, tails, tailDims, row, end);
      distances[end] = distance;
      indices[end++] = indices[row]!;
      moveRow(heads, tails, tailDims, last, row);
      distances[row] = distances[last]!;
      indices[row--] = indices[last--]!;
    }
    size[group] = last + 1 - start[group]!;
    return size[group] !== before;
  }

  /** Finds a group's radius and the member that has it. */
  function measure(group: number): void {
    const { distances, indices } = store;
    const stop = start[group]! + size[group]!;
    let widest = -1;
    let member = 0;
    for (let row = start[group]!; row < stop; row++) {
      const distance = distances[row]!;
      if (distance > widest || (distance === widest && indices[row]! < member)) {
        widest = distance;
        member = indices[row]!;
      }
    }
    radius[group] = Math.max(0, widest);
    farthest[group] = member;
  }

  /** Closes the gaps that moved members left behind. */
  function compact(groups: number): void {
    const { tailDims } = store;
    end = 0;
    for (let group = 0; group < groups; group++) {
      const from = start[group]!;
      const stop = from + size[group]!;
      spare.heads.set(store.heads.subarray(from * headDims, stop * headDims), end * headDims);
      spare.tails.set(store.tails.subarray(from * tailDims, stop * tailDims), end * tailDims);
      spare.distances.set(store.distances.subarray(from, stop), end);
      spare.indices.set(store.indices.subarray(from, stop), end);
      start[group] = end;
      end += size[group]!;
    }
    [store, spare] = [spare, store];
  }
}

/** Candidates with their squared distance to the nearest centre, group by group, so that scans run straight ahead. */
interface Store {
  tailDims: number;
  /** `[capacity, 8]` and `[capacity, tailDims]` */
  heads: Float32Array;
  tails: Float32Array;
  distances: Float64Array;
  indices: Int32Array;
}

interface Centres {
  tailDims: number;
  heads: Float32Array;
  tails: Float32Array;
}

/** Room for every candidate to move twice between compactions. */
function createStore(points: Matrix): Store {
  const tailDims = Math.max(0, Math.ceil((points.cols - headDims) / 4) * 4);
  const capacity = 3 * points.rows;
  const store = {
    ...centreTable(capacity, tailDims),
    distances: new Float64Array(capacity),
    indices: new Int32Array(capacity),
  };
  for (let i = 0; i < points.rows; i++) {
    copyPoint(points, i, store.heads, store.tails, i, tailDims);
    store.indices[i] = i;
  }
  return store;
}

function emptyStore(like: Store): Store {
  return {
    ...centreTable(like.indices.length, like.tailDims),
    distances: new Float64Array(like.indices.length),
    indices: new Int32Array(like.indices.length),
  };
}

function centreTable(rows: number, tailDims: number): Centres {
  return { tailDims, heads: new Float32Array(rows * headDims), tails: new Float32Array(rows * tailDims) };
}

/** Measures all candidates against the first centre. */
function claimAll(store: Store, centres: Centres, rows: number): number {
  for (let i = 0; i < rows; i++) {
    store.distances[i] = squaredDistance(store.heads, store.tails, i, centres, 0, Infinity);
  }
  return rows;
}

function copyPoint(
  points: Matrix,
  from: number,
  heads: Float32Array,
  tails: Float32Array,
  to: number,
  tailDims: number,
) {
  const row = points.data.subarray(from * points.cols, (from + 1) * points.cols);
  heads.set(row.subarray(0, headDims), to * headDims);
  if (tailDims > 0) tails.set(row.subarray(headDims), to * tailDims);
}

function moveRow(heads: Float32Array, tails: Float32Array, tailDims: number, from: number, to: number): void {
  for (let k = 0; k < headDims; k++) heads[to * headDims + k] = heads[from * headDims + k]!;
  for (let k = 0; k < tailDims; k++) tails[to * tailDims + k] = tails[from * tailDims + k]!;
}

/** Squared distance of a row to a centre, or some value that is at least `limit` as soon as that is certain. */
function squaredDistance(
  heads: Float32Array,
  tails: Float32Array,
  row: number,
  centres: Centres,
  centre: number,
  limit: number,
): number {
  const other = centres.heads;
  let a = row * headDims;
  let b = centre * headDims;
  const d0 = heads[a]! - other[b]!;
  const d1 = heads[a + 1]! - other[b + 1]!;
  const d2 = heads[a + 2]! - other[b + 2]!;
  const d3 = heads[a + 3]! - other[b + 3]!;
  const d4 = heads[a + 4]! - other[b + 4]!;
  const d5 = heads[a + 5]! - other[b + 5]!;
  const d6 = heads[a + 6]! - other[b + 6]!;
  const d7 = heads[a + 7]! - other[b + 7]!;
  let sum = d0 * d0 + d1 * d1 + (d2 * d2 + d3 * d3) + (d4 * d4 + d5 * d5 + (d6 * d6 + d7 * d7));
  if (sum >= limit) return sum;
  const { tailDims } = centres;
  const rest = centres.tails;
  a = row * tailDims;
  b = centre * tailDims;
  for (let k = 0; k < tailDims; k += 4) {
    const e0 = tails[a++]! - rest[b++]!;
    const e1 = tails[a++]! - rest[b++]!;
    const e2 = tails[a++]! - rest[b++]!;
    const e3 = tails[a++]! - rest[b++]!;
    sum += e0 * e0 + e1 * e1 + (e2 * e2 + e3 * e3);
    if (sum >= limit) return sum;
  }
  return sum;
}

/**
 * Turns points so that their first coordinates carry the most spread. Distances stay what they are (up to rounding),
 * and k-centre on the result stops most of its sums early.
 */
export function principalAxes(points: Matrix): Matrix {
  const { rows, cols } = points;
  const centred = centredRows(points, columnMeans(points));
  const axes = symmetricEigenvectors(gram(transposed(centred, rows, cols), cols, rows), cols);
  const out = matrixOf(rows, cols);
  for (let i = 0; i < rows; i++) {
    for (let k = 0; k < cols; k++) out.data[i * cols + k] = dot(centred, i * cols, axes, k * cols, cols);
  }
  return out;
}
