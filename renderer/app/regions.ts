/** Regions that a person draws: from pointer paths to the shapes that are kept. Pure; coordinates 0..1 of the picture. */
import type { Region } from '../../shared/station/domain.ts';

export interface Point {
  x: number;
  y: number;
}

const mostPoints = 500;
const clamp = (value: number): number => Math.min(1, Math.max(0, value));

/** @returns null for a click without extent */
export function boxBetween(from: Point, to: Point): Region | null {
  const x = clamp(Math.min(from.x, to.x));
  const y = clamp(Math.min(from.y, to.y));
  const width = clamp(Math.max(from.x, to.x)) - x;
  const height = clamp(Math.max(from.y, to.y)) - y;
  return width < 0.003 || height < 0.003 ? null : { shape: 'rectangle', x, y, width, height };
}

/** @returns null with fewer than three points, or where they lie on one line */
export function polygonOf(points: readonly Point[]): Region | null {
  const kept = thin(
    points.map(({ x, y }) => ({ x: clamp(x), y: clamp(y) })),
    0.0005,
  );
  return kept.length < 3 || Math.abs(turning(kept)) < 1e-5 ? null : { shape: 'polygon', points: kept };
}

/** Whether a point lies in a region; on the edge of a box counts. */
export function covers(region: Region, { x, y }: Point): boolean {
  if (region.shape === 'rectangle')
    return x >= region.x && x <= region.x + region.width && y >= region.y && y <= region.y + region.height;
  let inside = false;
  region.points.forEach((to, i) => {
    const from = region.points.at(i - 1)!;
    if (to.y > y !== from.y > y && x < to.x + ((from.x - to.x) * (y - to.y)) / (from.y - to.y)) inside = !inside;
  });
  return inside;
}

/**
 * What a round brush painted, as outlines. Painted on a grid of `side` cells along the longer side and traced, so that
 * strokes that cross become one region.
 * @param radius of the brush, in shares of the picture's width
 * @param aspect height divided by width of the picture
 */
export function brushed(stroke: readonly Point[], radius: number, aspect: number, side = 320): Region[] {
  const width = aspect <= 1 ? side : Math.max(1, Math.round(side / aspect));
  const height = aspect <= 1 ? Math.max(1, Math.round(side * aspect)) : side;
  const mask = new Uint8Array(width * height);
  const cells = Math.max(1, radius * width);
  for (let i = 0; i < stroke.length; i++) {
    const to = stroke[i]!;
    const from = stroke[Math.max(0, i - 1)]!;
    const steps = Math.max(1, Math.ceil(Math.hypot((to.x - from.x) * width, (to.y - from.y) * height) / (cells / 2)));
    for (let step = 1; step <= steps; step++) {
      const x = (from.x + ((to.x - from.x) * step) / steps) * width;
      const y = (from.y + ((to.y - from.y) * step) / steps) * height;
      stamp(mask, width, height, x, y, cells);
    }
  }
  return outlines(mask, width, height).flatMap((outline) => {
    const region = polygonOf(
      thin(
        outline.map(({ x, y }) => ({ x: x / width, y: y / height })),
        0.75 / side,
      ),
    );
    return region === null ? [] : [region];
  });
}

function stamp(mask: Uint8Array, width: number, height: number, x: number, y: number, radius: number): void {
  for (let v = Math.max(0, Math.floor(y - radius)); v <= Math.min(height - 1, Math.ceil(y + radius)); v++) {
    for (let u = Math.max(0, Math.floor(x - radius)); u <= Math.min(width - 1, Math.ceil(x + radius)); u++) {
      if ((u + 0.5 - x) ** 2 + (v + 0.5 - y) ** 2 <= radius ** 2) mask[v * width + u] = 1;
    }
  }
}

/** Outer borders of the connected areas of a mask `[height, width]`, along the edges of its cells, clockwise. */
export function outlines(mask: Uint8Array, width: number, height: number): Point[][] {
  const at = (x: number, y: number): boolean =>
    x >= 0 && y >= 0 && x < width && y < height && mask[y * width + x] === 1;
  const seen = new Set<number>();
  const found: Point[][] = [];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      // Every outer border has a top edge that is met first from outside; holes start from within and are left out.
      if (!at(x, y) || at(x, y - 1) || seen.has(y * width + x)) continue;
      const border = follow(at, x, y, (u, v) => seen.add(v * width + u));
      if (turning(border) > 0) found.push(border);
    }
  }
  return found;
}

/** Walks along the border with the area on the right hand. @param onTop called for every cell with a top edge on it */
function follow(
  at: (x: number, y: number) => boolean,
  startX: number,
  startY: number,
  onTop: (x: number, y: number) => void,
): Point[] {
  const steps = [
    [1, 0],
    [0, 1],
    [-1, 0],
    [0, -1],
  ] as const;
  // Cells right and left of an edge that leaves the corner (x, y) in each direction.
  const right = [
    [0, 0],
    [-1, 0],
    [-1, -1],
    [0, -1],
  ] as const;
  const border: Point[] = [];
  let x = startX;
  let y = startY;
  let direction = 0;
  do {
    if (direction === 0) onTop(x, y);
    border.push({ x, y });
    x += steps[direction]![0];
    y += steps[direction]![1];
    // Turn right when the area ends ahead on the right, left when it goes on across, else straight on.
    for (const turn of [3, 0, 1, 2]) {
      const next = (direction + turn) % 4;
      const [rx, ry] = right[next]!;
      const [lx, ly] = right[(next + 3) % 4]!;
      if (at(x + rx, y + ry) && !at(x + lx, y + ly)) {
        direction = next;
        break;
      }
    }
  } while (x !== startX || y !== startY || direction !== 0);
  return border;
}

/** Twice the signed area; above 0 for an outer border in picture coordinates. */
function turning(points: readonly Point[]): number {
  return points.reduce((sum, { x, y }, i) => {
    const next = points[(i + 1) % points.length]!;
    return sum + x * next.y - next.x * y;
  }, 0);
}

/** Leaves out points that lie closer than `tolerance` to the line between their neighbours (Douglas and Peucker, 1973). */
export function thin(points: readonly Point[], tolerance: number): Point[] {
  if (points.length < 4) return [...points];
  const keep = new Uint8Array(points.length);
  keep[0] = keep[points.length - 1] = 1;
  const ranges: [number, number][] = [[0, points.length - 1]];
  for (let range = ranges.pop(); range !== undefined; range = ranges.pop()) {
    const [from, to] = range;
    let farthest = -1;
    let most = tolerance;
    for (let i = from + 1; i < to; i++) {
      const distance = distanceToLine(points[i]!, points[from]!, points[to]!);
      if (distance > most) {
        most = distance;
        farthest = i;
      }
    }
    if (farthest < 0) continue;
    keep[farthest] = 1;
    ranges.push([from, farthest], [farthest, to]);
  }
  const kept = points.filter((_, i) => keep[i] === 1);
  return kept.length <= mostPoints ? kept : thin(points, tolerance * 2);
}

function distanceToLine(point: Point, from: Point, to: Point): number {
  const length = Math.hypot(to.x - from.x, to.y - from.y);
  if (length === 0) return Math.hypot(point.x - from.x, point.y - from.y);
  return Math.abs((to.x - from.x) * (from.y - point.y) - (from.x - point.x) * (to.y - from.y)) / length;
}
