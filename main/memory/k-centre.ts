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

/**
 * The triangle inequality holds for true distances; computed ones are off by a few 1e-16. Bounds are trusted only
 * with this much to spare, so that pruning never changes a pick.
 */
const slack = 4 * (1 + 1e-12);
/** Spare of the bound by leading directions, which are rounded to 32 bits: relative part (see `headSlack`). */
const headMargin = 1e-4;
const progressEvery = 64;
/** Leading principal directions, kept apart from the points: most candidates are ruled out by them alone. */
const headDims = 8;

/**
 * Greedy k-centre (embedded recipe, section 3.2): starting from candidate 0, each pick is the candidate farthest
 * from all picks before it; ties go to the lowest index. Makes exactly the picks of the plain algorithm, which
 * measures every candidate against every new centre, but skips what can't change anything:
 * - triangle inequality: d(new, centre) >= 2 d(candidate, centre) means the candidate keeps its centre, for a whole
 *   group at once when it holds for the group's radius;
 * - a distance within the 8 directions of most spread that is already too long.
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
  const centres = pointTable(total, store.dims, store.headSlack);
  // A group is a run of rows in the store: the candidates whose nearest centre it is.
  const start = new Int32Array(total);
  const size = new Int32Array(total);
  const radius = new Float64Array(total);
  const farthest = new Int32Array(total);
  const near: Near = { count: 0, groups: new Int32Array(total), squared: new Float64Array(total) };
  const fresh: Centre = { head: new Float64Array(headDims), point: new Float64Array(store.dims) };
  store.distances.fill(Infinity, 0, points.rows);
  let end = points.rows;

  for (let n = 0, row = 0; n < total; n++) {
    picks[n] = store.indices[row]!;
    copyRow(store, row, centres, n);
    fresh.head.set(centres.heads.subarray(n * headDims, (n + 1) * headDims));
    fresh.point.set(centres.points.subarray(n * store.dims, (n + 1) * store.dims));
    if (end > 2 * points.rows) compact(n);
    start[n] = end;
    if (n === 0) {
      end = claim(store, fresh, 0, end, end, 0);
    } else {
      findNear(centres, n, fresh, radius, near);
      for (let i = 0; i < near.count; i++) {
        const group = near.groups[i]!;
        const moved = claim(store, fresh, start[group]!, start[group]! + size[group]!, end, near.squared[i]!) - end;
        if (moved === 0) continue;
        end += moved;
        size[group]! -= moved;
        measure(group);
      }
    }
    size[n] = end - start[n]!;
    measure(n);
    let best = 0;
    for (let group = 1; group <= n; group++) {
      const wider = radius[group]! - radius[best]!;
      if (wider > 0 || (wider === 0 && store.indices[farthest[group]!]! < store.indices[farthest[best]!]!))
        best = group;
    }
    if (radius[best] === 0) return picks.slice(0, n + 1);
    row = farthest[best]!;
    if (n % progressEvery === 0) options.onProgress?.(n + 1, total);
  }
  options.onProgress?.(total, total);
  return picks;

  /** Finds a group's radius and the row of the member that has it. */
  function measure(group: number): void {
    const { distances, indices } = store;
    const stop = start[group]! + size[group]!;
    let best = start[group]!;
    for (let row = best + 1; row < stop; row++) {
      const wider = distances[row]! - distances[best]!;
      if (wider > 0 || (wider === 0 && indices[row]! < indices[best]!)) best = row;
    }
    radius[group] = distances[best]!;
    farthest[group] = best;
  }

  /** Closes the gaps that moved members left behind. */
  function compact(groups: number): void {
    const { dims } = store;
    end = 0;
    for (let group = 0; group < groups; group++) {
      const from = start[group]!;
      const stop = from + size[group]!;
      spare.heads.set(store.heads.subarray(from * headDims, stop * headDims), end * headDims);
      spare.points.set(store.points.subarray(from * dims, stop * dims), end * dims);
      spare.distances.set(store.distances.subarray(from, stop), end);
      spare.indices.set(store.indices.subarray(from, stop), end);
      farthest[group]! += end - from;
      start[group] = end;
      end += size[group]!;
    }
    [store, spare] = [spare, store];
  }
}

/** Points with their coordinates along the leading directions. */
interface PointTable {
  /** Padded with zeros to a multiple of 4. */
  dims: number;
  /** Absolute part of the spare that the heads' rounding asks for, squared distance. */
  headSlack: number;
  /** `[rows, 8]` and `[rows, dims]` */
  heads: Float32Array;
  points: Float32Array;
}

/** Candidates with their squared distance to the nearest centre, group by group, so that scans run straight ahead. */
interface Store extends PointTable {
  distances: Float64Array;
  indices: Int32Array;
}

function pointTable(rows: number, dims: number, headSlack: number): PointTable {
  return {
    dims,
    headSlack,
    heads: new Float32Array(rows * headDims),
    points: new Float32Array(rows * dims),
  };
}

/** Room for every candidate to move twice between compactions. */
function createStore({ rows, cols, data }: Matrix): Store {
  const mean = columnMeans({ rows, cols, data });
  const centred = centredRows({ rows, cols, data }, mean);
  const axes = symmetricEigenvectors(gram(transposed(centred, rows, cols), cols, rows), cols);
  const dims = Math.ceil(cols / 4) * 4;
  const used = Math.min(headDims, cols);
  const heads = new Float32Array(3 * rows * headDims);
  let largest = 0;
  for (let i = 0; i < rows; i++) {
    for (let k = 0; k < used; k++) {
      const value = dot(centred, i * cols, axes, k * cols, cols);
      heads[i * headDims + k] = value;
      largest = Math.max(largest, Math.abs(value));
    }
  }
  // Rounding moves a coordinate by 2^-24 of itself, a difference of heads by eta = 2 sqrt(8) 2^-24 of the largest
  // one at most (doubled for good measure); (a + eta)^2 <= (1 + margin) a^2 + (1 + 1/margin) eta^2.
  const eta = 4 * Math.sqrt(headDims) * 2 ** -24 * largest;
  const table = pointTable(3 * rows, dims, (1 + 1 / headMargin) * eta * eta);
  for (let i = 0; i < rows; i++) table.points.set(data.subarray(i * cols, (i + 1) * cols), i * dims);
  const indices = new Int32Array(3 * rows);
  for (let i = 0; i < rows; i++) indices[i] = i;
  return { ...table, heads, indices, distances: new Float64Array(3 * rows) };
}

function emptyStore({ dims, headSlack, indices }: Store): Store {
  const rows = indices.length;
  return { ...pointTable(rows, dims, headSlack), distances: new Float64Array(rows), indices: new Int32Array(rows) };
}

function copyRow(from: PointTable, row: number, to: PointTable, at: number): void {
  const { dims } = from;
  for (let k = 0; k < headDims; k++) to.heads[at * headDims + k] = from.heads[row * headDims + k]!;
  for (let k = 0; k < dims; k++) to.points[at * dims + k] = from.points[row * dims + k]!;
}

/** Groups whose centre lies within twice their radius of the new centre, with the squared distance. */
interface Near {
  count: number;
  groups: Int32Array;
  squared: Float64Array;
}

/** The new centre's coordinates in 64 bit. */
interface Centre {
  head: Float64Array;
  point: Float64Array;
}

/** The two hot loops: everything they touch is a local, and the head's distance is written out. */
function findNear(centres: PointTable, count: number, fresh: Centre, radius: Float64Array, near: Near): void {
  const { heads, points, dims, headSlack } = centres;
  const { groups, squared } = near;
  const { head, point } = fresh;
  const [h0, h1, h2, h3, h4, h5, h6, h7] = headOf(head);
  let found = 0;
  for (let group = 0, a = 0; group < count; group++, a += headDims) {
    const bound = slack * radius[group]!;
    const d0 = heads[a]! - h0;
    const d1 = heads[a + 1]! - h1;
    const d2 = heads[a + 2]! - h2;
    const d3 = heads[a + 3]! - h3;
    const d4 = heads[a + 4]! - h4;
    const d5 = heads[a + 5]! - h5;
    const d6 = heads[a + 6]! - h6;
    const d7 = heads[a + 7]! - h7;
    const least = d0 * d0 + d1 * d1 + (d2 * d2 + d3 * d3) + (d4 * d4 + d5 * d5 + (d6 * d6 + d7 * d7));
    if (least >= (1 + headMargin) * bound + headSlack) continue;
    let sum = 0;
    for (let k = 0, b = group * dims; k < dims && sum < bound; k += 4, b += 4) {
      const e0 = points[b]! - point[k]!;
      const e1 = points[b + 1]! - point[k + 1]!;
      const e2 = points[b + 2]! - point[k + 2]!;
      const e3 = points[b + 3]! - point[k + 3]!;
      sum += e0 * e0 + e1 * e1 + (e2 * e2 + e3 * e3);
    }
    if (sum >= bound) continue;
    groups[found] = group;
    squared[found++] = sum;
  }
  near.count = found;
}

/**
 * Moves the members of a group that are nearer to the new centre to the end of the store.
 * @param between squared distance of the two centres
 * @returns the store's new end
 */
function claim(store: Store, fresh: Centre, from: number, to: number, end: number, between: number): number {
  const { heads, points, distances, indices, dims, headSlack } = store;
  const { head, point } = fresh;
  const [h0, h1, h2, h3, h4, h5, h6, h7] = headOf(head);
  let last = to - 1;
  let free = end;
  for (let row = from; row <= last; row++) {
    const current = distances[row]!;
    if (between >= slack * current) continue;
    const a = row * headDims;
    const d0 = heads[a]! - h0;
    const d1 = heads[a + 1]! - h1;
    const d2 = heads[a + 2]! - h2;
    const d3 = heads[a + 3]! - h3;
    const d4 = heads[a + 4]! - h4;
    const d5 = heads[a + 5]! - h5;
    const d6 = heads[a + 6]! - h6;
    const d7 = heads[a + 7]! - h7;
    const least = d0 * d0 + d1 * d1 + (d2 * d2 + d3 * d3) + (d4 * d4 + d5 * d5 + (d6 * d6 + d7 * d7));
    if (least >= (1 + headMargin) * current + headSlack) continue;
    let sum = 0;
    for (let k = 0, b = row * dims; k < dims && sum < current; k += 4, b += 4) {
      const e0 = points[b]! - point[k]!;
      const e1 = points[b + 1]! - point[k + 1]!;
      const e2 = points[b + 2]! - point[k + 2]!;
      const e3 = points[b + 3]! - point[k + 3]!;
      sum += e0 * e0 + e1 * e1 + (e2 * e2 + e3 * e3);
    }
    if (sum >= current) continue;
    copyRow(store, row, store, free);
    distances[free] = sum;
    indices[free++] = indices[row]!;
    copyRow(store, last, store, row);
    distances[row] = distances[last]!;
    indices[row--] = indices[last--]!;
  }
  return free;
}

type Head = [number, number, number, number, number, number, number, number];

function headOf(head: Float64Array): Head {
  return [head[0]!, head[1]!, head[2]!, head[3]!, head[4]!, head[5]!, head[6]!, head[7]!];
}
