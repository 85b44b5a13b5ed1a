import { thumbnailSide } from './types.ts';

/** How a picture lies on the class's mean picture. */
export interface Registration {
  /** Percent of the picture's side; positive: the part lies further right, further down. */
  shiftX: number;
  shiftY: number;
  /** Degrees, clockwise as seen. */
  rotation: number;
  /** Correlation with the mean picture once it's laid on it, -1..1. */
  likeness: number;
}

const side = thumbnailSide;
/** Largest shift that the first, coarse search tries, pixels of the thumbnail: a sixth of the picture. */
const reach = 8;
const steps = 4;

/** Mean 0, standard deviation 1; a picture of one colour becomes all zeros. */
export function standardised(values: ArrayLike<number>): Float32Array {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]!;
  const mean = sum / values.length;
  let squares = 0;
  for (let i = 0; i < values.length; i++) squares += (values[i]! - mean) ** 2;
  const deviation = Math.sqrt(squares / values.length);
  return Float32Array.from(values, (value) => (deviation > 1e-3 ? (value - mean) / deviation : 0));
}

/**
 * Finds shift and rotation of a thumbnail against a reference: a coarse search over whole pixels, then least squares on
 * the reference's gradients (Lucas and Kanade 1981) with shift, rotation, gain and offset at once.
 * @param thumbnail `[48, 48]` luma
 * @param reference `[48, 48]`, standardised
 */
export function register(thumbnail: ArrayLike<number>, reference: ArrayLike<number>): Registration {
  const picture = standardised(thumbnail);
  let { dx, dy } = coarseShift(picture, reference);
  let angle = 0;
  for (let i = 0; i < steps; i++) {
    const step = refine(picture, reference, dx, dy, angle);
    if (step === undefined) break;
    dx = clamp(dx + step.dx, side / 2);
    dy = clamp(dy + step.dy, side / 2);
    angle = clamp(angle + step.angle, Math.PI / 4);
    if (Math.abs(step.dx) + Math.abs(step.dy) + side * Math.abs(step.angle) < 0.02) break;
  }
  return {
    shiftX: (100 * dx) / side,
    shiftY: (100 * dy) / side,
    rotation: (180 * angle) / Math.PI,
    likeness: correlation(picture, reference, dx, dy, angle),
  };
}

function clamp(value: number, limit: number): number {
  return Math.min(limit, Math.max(-limit, value));
}

/** Best shift of whole pixels, on every second pixel. */
function coarseShift(picture: Float32Array, reference: ArrayLike<number>): { dx: number; dy: number } {
  let best = { dx: 0, dy: 0 };
  let highest = -Infinity;
  for (let dy = -reach; dy <= reach; dy += 2) {
    for (let dx = -reach; dx <= reach; dx += 2) {
      let sum = 0;
      let squares = 0;
      for (let y = reach; y < side - reach; y += 2) {
        for (let x = reach; x < side - reach; x += 2) {
          const value = picture[(y + dy) * side + x + dx]!;
          sum += value * reference[y * side + x]!;
          squares += value * value;
        }
      }
      const score = sum / Math.sqrt(squares + 1);
      // Nearer ones win ties: a picture without structure has not moved.
      if (score > highest + 1e-6 * (dx * dx + dy * dy)) {
        highest = score;
        best = { dx, dy };
      }
    }
  }
  return best;
}

/** Where a reference pixel lies in the picture. */
function place(x: number, y: number, dx: number, dy: number, cos: number, sin: number): [number, number] {
  const cx = x - (side - 1) / 2;
  const cy = y - (side - 1) / 2;
  return [cos * cx - sin * cy + (side - 1) / 2 + dx, sin * cx + cos * cy + (side - 1) / 2 + dy];
}

function sample(picture: Float32Array, x: number, y: number): number | undefined {
  if (!(x >= 0 && y >= 0 && x <= side - 1 && y <= side - 1)) return undefined;
  const left = Math.min(side - 2, Math.floor(x));
  const top = Math.min(side - 2, Math.floor(y));
  const fx = x - left;
  const fy = y - top;
  const at = top * side + left;
  const upper = picture[at]! * (1 - fx) + picture[at + 1]! * fx;
  const lower = picture[at + side]! * (1 - fx) + picture[at + side + 1]! * fx;
  return upper * (1 - fy) + lower * fy;
}

/** One Gauss-Newton step; undefined where the reference has no structure to hold on to. */
function refine(
  picture: Float32Array,
  reference: ArrayLike<number>,
  dx: number,
  dy: number,
  angle: number,
): { dx: number; dy: number; angle: number } | undefined {
  const cos = Math.cos(angle);
  const sin = Math.sin(angle);
  const unknowns = 5;
  const normal = new Float64Array(unknowns * unknowns);
  const right = new Float64Array(unknowns);
  const row = new Float64Array(unknowns);
  // Every second pixel: hundreds of equations are plenty for five unknowns.
  for (let y = 1; y < side - 1; y += 2) {
    for (let x = 1; x < side - 1; x += 2) {
      const [px, py] = place(x, y, dx, dy, cos, sin);
      const seen = sample(picture, px, py);
      if (seen === undefined) continue;
      const at = y * side + x;
      const gx = (reference[at + 1]! - reference[at - 1]!) / 2;
      const gy = (reference[at + side]! - reference[at - side]!) / 2;
      const cx = x - (side - 1) / 2;
      const cy = y - (side - 1) / 2;
      // The picture at p is the reference at p less what is still to be added to shift and rotation.
      row[0] = -gx;
      row[1] = -gy;
      row[2] = cy * gx - cx * gy;
      row[3] = reference[at]!;
      row[4] = 1;
      for (let i = 0; i < unknowns; i++) {
        right[i]! += row[i]! * seen;
        for (let j = 0; j < unknowns; j++) normal[i * unknowns + j]! += row[i]! * row[j]!;
      }
    }
  }
  // A little ridge: along an edge there is nothing to hold on to.
  for (let i = 0; i < 3; i++) normal[i * unknowns + i]! *= 1.001;
  for (let i = 0; i < unknowns; i++) normal[i * unknowns + i]! += 1e-3;
  const found = solve(normal, right, unknowns);
  const gain = found?.[3] ?? 0;
  if (found === undefined || !(gain > 0.05)) return undefined;
  // Derivatives were taken in the reference's frame; steps are limited to where they mean something.
  const stepX = clamp(found[0]! / gain, 3);
  const stepY = clamp(found[1]! / gain, 3);
  return { dx: cos * stepX - sin * stepY, dy: sin * stepX + cos * stepY, angle: clamp(found[2]! / gain, 0.15) };
}

/** Gauss elimination with pivoting; undefined for a singular system. */
function solve(a: Float64Array, b: Float64Array, n: number): Float64Array | undefined {
  for (let i = 0; i < n; i++) {
    let pivot = i;
    for (let r = i + 1; r < n; r++) if (Math.abs(a[r * n + i]!) > Math.abs(a[pivot * n + i]!)) pivot = r;
    if (Math.abs(a[pivot * n + i]!) < 1e-9) return undefined;
    for (let c = 0; c < n; c++) [a[i * n + c], a[pivot * n + c]] = [a[pivot * n + c]!, a[i * n + c]!];
    [b[i], b[pivot]] = [b[pivot]!, b[i]!];
    for (let r = i + 1; r < n; r++) {
      const factor = a[r * n + i]! / a[i * n + i]!;
      for (let c = i; c < n; c++) a[r * n + c]! -= factor * a[i * n + c]!;
      b[r]! -= factor * b[i]!;
    }
  }
  for (let i = n - 1; i >= 0; i--) {
    for (let c = i + 1; c < n; c++) b[i]! -= a[i * n + c]! * b[c]!;
    b[i]! /= a[i * n + i]!;
  }
  return b;
}

function correlation(
  picture: Float32Array,
  reference: ArrayLike<number>,
  dx: number,
  dy: number,
  angle: number,
): number {
  const cos = Math.cos(angle);
  const sin = Math.sin(angle);
  let n = 0;
  let a = 0;
  let b = 0;
  let aa = 0;
  let bb = 0;
  let ab = 0;
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      const [px, py] = place(x, y, dx, dy, cos, sin);
      const seen = sample(picture, px, py);
      if (seen === undefined) continue;
      const known = reference[y * side + x]!;
      n++;
      a += seen;
      b += known;
      aa += seen * seen;
      bb += known * known;
      ab += seen * known;
    }
  }
  const spread = Math.sqrt(Math.max(0, aa - (a * a) / n) * Math.max(0, bb - (b * b) / n));
  return spread > 1e-6 ? (ab - (a * b) / n) / spread : 0;
}
