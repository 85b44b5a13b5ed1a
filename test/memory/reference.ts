/**
 * The normal memory the slow and plain way, straight from the recipe's text, as a witness for the fast code and for
 * the inference graph. Plain loops over 64-bit numbers, dense inverses, no shortcuts.
 */
import { matrixOf, type Matrix } from '../../shared/linear-algebra.ts';
import { createRandom } from '../../shared/random.ts';

export function randomMatrix(rows: number, cols: number, seed: number, scale = 1, offset = 0): Matrix {
  const random = createRandom(seed);
  const out = matrixOf(rows, cols);
  for (let i = 0; i < out.data.length; i++) out.data[i] = offset + scale * random.normal();
  return out;
}

export function rows(matrix: Matrix): number[][] {
  return Array.from({ length: matrix.rows }, (_, i) => [
    ...matrix.data.subarray(i * matrix.cols, (i + 1) * matrix.cols),
  ]);
}

export function squaredDistance(a: readonly number[], b: readonly number[]): number {
  return a.reduce((sum, value, k) => sum + (value - b[k]!) ** 2, 0);
}

export function meanRow(list: readonly number[][]): number[] {
  return list[0]!.map((_, k) => list.reduce((sum, row) => sum + row[k]!, 0) / list.length);
}

/** Lowest index of the largest value. */
function argmax(values: readonly number[]): number {
  let best = 0;
  values.forEach((value, i) => {
    if (value > values[best]!) best = i;
  });
  return best;
}

/** Section 3.1 without stopping at duplicates. */
export function farthestPoint(points: readonly number[][], count: number): number[] {
  const mean = meanRow([...points]);
  const picks = [argmax(points.map((point) => squaredDistance(point, mean)))];
  let nearest = points.map(() => Infinity);
  while (picks.length < Math.min(count, points.length)) {
    const last = points[picks.at(-1)!]!;
    nearest = nearest.map((distance, i) => Math.min(distance, squaredDistance(points[i]!, last)));
    picks.push(argmax(nearest));
  }
  return picks;
}

/** Section 3.2: every candidate against every new centre. */
export function kCentre(points: Matrix, count: number): number[] {
  const list = rows(points);
  const nearest = list.map(() => Infinity);
  const picks = [0];
  while (picks.length < Math.min(count, list.length)) {
    const last = list[picks.at(-1)!]!;
    list.forEach((point, i) => (nearest[i] = Math.min(nearest[i]!, squaredDistance(point, last))));
    picks.push(argmax(nearest));
  }
  return picks;
}

/** Section 3.3: nearest entry of each token; entries of the masked picture do not count. */
export function search(
  tokens: readonly number[][],
  entries: readonly number[][],
  entryPicture: ArrayLike<number> = [],
  masked = -1,
): { distances: number[]; chosen: number[] } {
  const distances: number[] = [];
  const chosen: number[] = [];
  for (const token of tokens) {
    let best = -1;
    let least = Infinity;
    entries.forEach((entry, b) => {
      if (masked >= 0 && entryPicture[b] === masked) return;
      const distance = squaredDistance(token, entry);
      if (distance < least) {
        least = distance;
        best = b;
      }
    });
    distances.push(Math.sqrt(Math.max(0, least)));
    chosen.push(best);
  }
  return { distances, chosen };
}

export interface Statistics {
  classMean: number[];
  classVariance: number[];
  entryMean: number[];
  entryVariance: number[];
}

/** Section 4, from lists of (class, entry, ln d) of all tokens. */
export function leaveOneOutStatistics(
  tokens: readonly { classIndex: number; entry: number; log: number }[],
  entryClass: ArrayLike<number>,
  classCount: number,
): Statistics {
  const moments = (values: readonly number[]): [number, number] => {
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    return [mean, values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length];
  };
  const perClass = Array.from({ length: classCount }, (_, c) =>
    moments(tokens.filter((token) => token.classIndex === c).map((token) => token.log)),
  );
  const k0 = 5;
  const perEntry = Array.from(entryClass, (c, b) => {
    const [m, v] = perClass[c]!;
    const logs = tokens.filter((token) => token.entry === b).map((token) => token.log);
    const s1 = logs.reduce((sum, value) => sum + value, 0);
    const mb = (s1 + k0 * m) / (logs.length + k0);
    const spread = logs.reduce((sum, value) => sum + (value - mb) ** 2, 0) + k0 * (v + (m - mb) ** 2);
    return [mb, Math.max(1e-6, spread / (logs.length + k0))] as const;
  });
  return {
    classMean: perClass.map(([mean]) => mean),
    classVariance: perClass.map(([, variance]) => variance),
    entryMean: perEntry.map(([mean]) => mean),
    entryVariance: perEntry.map(([, variance]) => variance),
  };
}

/** Bilinear resize of a square map with half-pixel centres (align_corners false), edges repeated. */
export function bilinear(map: readonly number[], size: number, target: number): number[] {
  const out: number[] = [];
  const place = (i: number): [number, number, number] => {
    const at = Math.max(0, ((i + 0.5) * size) / target - 0.5);
    const low = Math.min(size - 1, Math.floor(at));
    return [low, Math.min(size - 1, low + 1), at - low];
  };
  for (let y = 0; y < target; y++) {
    const [y0, y1, fy] = place(y);
    for (let x = 0; x < target; x++) {
      const [x0, x1, fx] = place(x);
      const top = map[y0 * size + x0]! * (1 - fx) + map[y0 * size + x1]! * fx;
      const bottom = map[y1 * size + x0]! * (1 - fx) + map[y1 * size + x1]! * fx;
      out.push(top * (1 - fy) + bottom * fy);
    }
  }
  return out;
}

/** 3x3 mean, stride 1; borders divide by the cells present. */
export function smoothed(map: readonly number[], size: number): number[] {
  return map.map((_, at) => {
    const y = Math.floor(at / size);
    const x = at % size;
    let sum = 0;
    let cells = 0;
    for (let v = Math.max(0, y - 1); v <= Math.min(size - 1, y + 1); v++) {
      for (let u = Math.max(0, x - 1); u <= Math.min(size - 1, x + 1); u++) {
        sum += map[v * size + u]!;
        cells++;
      }
    }
    return sum / cells;
  });
}

/** Section 5: z + c of each token. */
export function tokenScores(
  found: { distances: number[]; chosen: number[] },
  s: Statistics,
  classIndex: number,
): number[] {
  return found.distances.map((distance, i) => {
    const log = Math.log(Math.max(distance, 1e-3));
    const b = found.chosen[i]!;
    const z = (log - s.entryMean[b]!) / Math.sqrt(s.entryVariance[b]!);
    return z + (log - s.classMean[classIndex]!) / Math.sqrt(s.classVariance[classIndex]!);
  });
}

/** Section 5: map `[fineSize, fineSize]` and score from z + c of the deep and the fine tokens. */
export function localMap(
  deep: number[],
  deepSize: number,
  fine: number[],
  fineSize: number,
): { map: number[]; score: number } {
  const up = bilinear(deep, deepSize, fineSize);
  const map = fine.map((value, i) => (value + up[i]!) / 2);
  return { map, score: Math.max(...smoothed(map, fineSize)) };
}

/** Dense inverse by Gauss-Jordan with pivoting. */
export function inverse(a: readonly number[][]): number[][] {
  const n = a.length;
  const m = a.map((row, i) => [...row, ...row.map((_, j) => (i === j ? 1 : 0))]);
  for (let c = 0; c < n; c++) {
    let pivot = c;
    for (let r = c + 1; r < n; r++) if (Math.abs(m[r]![c]!) > Math.abs(m[pivot]![c]!)) pivot = r;
    [m[c], m[pivot]] = [m[pivot]!, m[c]!];
    const top = m[c]!.map((value) => value / m[c]![c]!);
    m[c] = top;
    m.forEach((row, r) => {
      const factor = row[c]!;
      if (r !== c && factor !== 0) m[r] = row.map((value, k) => value - factor * top[k]!);
    });
  }
  return m.map((row) => row.slice(n));
}

export function covariance(list: readonly number[][], mean: readonly number[]): number[][] {
  return mean.map((_, i) =>
    mean.map((_, j) => list.reduce((sum, row) => sum + (row[i]! - mean[i]!) * (row[j]! - mean[j]!), 0) / list.length),
  );
}

/** Section 6: a and m. */
export function ledoitWolf(list: readonly number[][], mean: readonly number[]): { a: number; m: number } {
  const s = covariance(list, mean);
  const p = mean.length;
  const n = list.length;
  const m = s.reduce((sum, row, i) => sum + row[i]!, 0) / p;
  const squared = s.flat().reduce((sum, value) => sum + value * value, 0);
  const d2 = squared - p * m * m;
  const fourth = list.reduce((sum, row) => sum + squaredDistance(row, [...mean]) ** 2, 0) / n;
  return { a: Math.min(d2, Math.max(0, (fourth - squared) / n)) / d2, m };
}

/** (1 - a) S + t I */
export function shrunk(s: readonly number[][], a: number, target: number): number[][] {
  return s.map((row, i) => row.map((value, j) => (1 - a) * value + (i === j ? target : 0)));
}

/** d' P d with P an inverse covariance. */
export function quadratic(difference: readonly number[], precision: readonly number[][]): number {
  return precision.reduce(
    (sum, row, i) => sum + difference[i]! * row.reduce((inner, value, j) => inner + value * difference[j]!, 0),
    0,
  );
}

export function minus(a: readonly number[], b: readonly number[]): number[] {
  return a.map((value, i) => value - b[i]!);
}
