import { columnMeans, type Matrix } from '../../shared/linear-algebra.ts';

/**
 * Patches of one picture that together cover it best: farthest point sampling in projected space
 * (embedded recipe, section 3.1). The first pick is the patch farthest from the picture's mean; distances
 * then restart from that pick, and each further pick is the patch farthest from all picks before it. Ties go
 * to the lowest index.
 *
 * @param projected `[q, d]` projected tokens of one picture
 * @returns at most `count` different row indices in the order picked; fewer when the rest are duplicates
 */
export function farthestPointPicks(projected: Matrix, count: number): Int32Array {
  const { rows, cols } = projected;
  const picks = new Int32Array(Math.min(count, rows));
  if (picks.length === 0) return picks;
  const points = Float64Array.from(projected.data);
  const distances = new Float64Array(rows).fill(Infinity);
  picks[0] = updateAndFindFarthest(points, cols, columnMeans(projected), 0, distances);
  distances.fill(Infinity);
  for (let n = 1; n < picks.length; n++) {
    const next = updateAndFindFarthest(points, cols, points, picks[n - 1]! * cols, distances);
    if (distances[next] === 0) return picks.slice(0, n);
    picks[n] = next;
  }
  return picks;
}

/** Lowers `distances` to the squared distance from `from[offset...]`; returns where the largest one is. */
function updateAndFindFarthest(
  points: Float64Array,
  cols: number,
  from: Float64Array,
  offset: number,
  distances: Float64Array,
): number {
  let farthest = 0;
  let largest = -1;
  for (let i = 0, at = 0; i < distances.length; i++, at += cols) {
    let sum = 0;
    for (let k = 0; k < cols; k++) {
      const difference = points[at + k]! - from[offset + k]!;
      sum += difference * difference;
    }
    if (sum < distances[i]!) distances[i] = sum;
    if (distances[i]! > largest) {
      largest = distances[i]!;
      farthest = i;
    }
  }
  return farthest;
}
