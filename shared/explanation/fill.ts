/** Takes a region out of a picture: what would be seen without it. */

export interface FilledPicture {
  width: number;
  height: number;
  /** `[height, width, 3]` */
  data: Uint8Array;
}

const sweeps = 120;
/** Displacements tried for the patch from the surroundings, pixels from one to the next. */
const searchStep = 4;

/**
 * The picture with the region taken from `source`, brightness fitted at the seam: the difference along the region's
 * edge is continued into it smoothly (seamless cloning, Perez, Gangnet and Blake 2003).
 * @param mask   `[height, width]`: 1 is to be replaced
 * @param source what is put there, same size
 */
export function cloneInto(picture: FilledPicture, mask: Uint8Array, source: Uint8Array): FilledPicture {
  const { width, height } = picture;
  const data = picture.data.slice();
  const inside = insideOrder(mask);
  const difference = new Float32Array(mask.length);
  for (let channel = 0; channel < 3; channel++) {
    for (let i = 0; i < mask.length; i++) {
      difference[i] = mask[i] === 0 ? picture.data[3 * i + channel]! - source[3 * i + channel]! : 0;
    }
    smoothInside(difference, mask, inside, width, height);
    for (const i of inside) {
      data[3 * i + channel] = Math.min(255, Math.max(0, Math.round(source[3 * i + channel]! + difference[i]!)));
    }
  }
  return { width, height, data };
}

/** The picture with the region filled by the patch of the same picture whose edge fits best, seam smoothed. */
export function fillFromSurroundings(picture: FilledPicture, mask: Uint8Array): FilledPicture {
  const shift = bestShift(picture, mask);
  if (shift === undefined) return cloneInto(picture, mask, new Uint8Array(picture.data.length).fill(127));
  const { width } = picture;
  const source = picture.data.slice();
  for (const i of insideOrder(mask)) {
    const from = 3 * (i + shift.dy * width + shift.dx);
    for (let channel = 0; channel < 3; channel++) source[3 * i + channel] = picture.data[from + channel]!;
  }
  return cloneInto(picture, mask, shiftedEdge(picture, mask, source, shift));
}

/** The picture with the region in the ignore mask's grey. */
export function fillGrey(picture: FilledPicture, mask: Uint8Array, grey = 127): FilledPicture {
  const data = picture.data.slice();
  for (const i of insideOrder(mask)) data.fill(grey, 3 * i, 3 * i + 3);
  return { ...picture, data };
}

/** Around the region, too, the source must be the shifted picture: the seam is fitted there. */
function shiftedEdge(
  picture: FilledPicture,
  mask: Uint8Array,
  source: Uint8Array,
  { dx, dy }: { dx: number; dy: number },
): Uint8Array {
  const { width, height, data } = picture;
  for (const i of edgeOf(mask, width, height)) {
    const x = (i % width) + dx;
    const y = Math.floor(i / width) + dy;
    if (x < 0 || y < 0 || x >= width || y >= height) continue;
    for (let channel = 0; channel < 3; channel++) source[3 * i + channel] = data[3 * (y * width + x) + channel]!;
  }
  return source;
}

/** Shift to the place that looks most like the region's edge; undefined when the region is too large to find one. */
function bestShift(picture: FilledPicture, mask: Uint8Array): { dx: number; dy: number } | undefined {
  const { width, height, data } = picture;
  const inside = insideOrder(mask);
  if (inside.length === 0) return undefined;
  let [left, right, top, bottom] = [width, 0, height, 0];
  for (const i of inside) {
    const x = i % width;
    const y = Math.floor(i / width);
    left = Math.min(left, x);
    right = Math.max(right, x);
    top = Math.min(top, y);
    bottom = Math.max(bottom, y);
  }
  const edge = edgeOf(mask, width, height);
  const probes = edge.filter((_, i) => i % Math.max(1, Math.floor(edge.length / 150)) === 0);
  const spots = inside.filter((_, i) => i % Math.max(1, Math.floor(inside.length / 100)) === 0);
  let best: { dx: number; dy: number } | undefined;
  let least = Infinity;
  const consider = (dx: number, dy: number): void => {
    if (dx < -left || dy < -top || dx > width - 1 - right || dy > height - 1 - bottom) return;
    const offset = dy * width + dx;
    if (spots.some((i) => mask[i + offset] !== 0)) return;
    let sum = 0;
    let count = 0;
    for (const i of probes) {
      const x = (i % width) + dx;
      const at = i + offset;
      if (x < 0 || x >= width || at < 0 || at >= mask.length || mask[at] !== 0) continue;
      for (let channel = 0; channel < 3; channel++) sum += (data[3 * i + channel]! - data[3 * at + channel]!) ** 2;
      count++;
    }
    if (count < probes.length / 2) return;
    // Nearer places are more alike where there is nothing to choose.
    const cost = sum / count + 0.05 * Math.hypot(dx, dy);
    if (cost < least) {
      least = cost;
      best = { dx, dy };
    }
  };
  const first = (from: number): number => -Math.floor(from / searchStep) * searchStep;
  for (let dy = first(top); dy <= height - 1 - bottom; dy += searchStep) {
    for (let dx = first(left); dx <= width - 1 - right; dx += searchStep) consider(dx, dy);
  }
  if (best !== undefined) {
    const { dx, dy } = best;
    for (let v = 1 - searchStep; v < searchStep; v++)
      for (let u = 1 - searchStep; u < searchStep; u++) consider(dx + u, dy + v);
  }
  return best;
}

function insideOrder(mask: Uint8Array): number[] {
  const inside: number[] = [];
  mask.forEach((value, i) => {
    if (value !== 0) inside.push(i);
  });
  return inside;
}

/** Pixels just outside the mask. */
function edgeOf(mask: Uint8Array, width: number, height: number): number[] {
  const edge: number[] = [];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const i = y * width + x;
      if (mask[i] !== 0) continue;
      const touches =
        (x > 0 && mask[i - 1] !== 0) ||
        (x < width - 1 && mask[i + 1] !== 0) ||
        (y > 0 && mask[i - width] !== 0) ||
        (y < height - 1 && mask[i + width] !== 0);
      if (touches) edge.push(i);
    }
  }
  return edge;
}

/** Continues the values around the mask into it: Laplace's equation by over-relaxed sweeps; the picture's edge is free. */
function smoothInside(
  values: Float32Array,
  mask: Uint8Array,
  inside: readonly number[],
  width: number,
  height: number,
): void {
  // Begins with the mean of the edge, so that large regions need no more sweeps than small ones.
  const edge = edgeOf(mask, width, height);
  const mean = edge.reduce((sum, i) => sum + values[i]!, 0) / Math.max(1, edge.length);
  for (const i of inside) values[i] = mean;
  const relaxation = 1.85;
  for (let sweep = 0; sweep < sweeps; sweep++) {
    for (const i of inside) {
      const x = i % width;
      let sum = 0;
      let count = 0;
      if (x > 0) {
        sum += values[i - 1]!;
        count++;
      }
      if (x < width - 1) {
        sum += values[i + 1]!;
        count++;
      }
      if (i >= width) {
        sum += values[i - width]!;
        count++;
      }
      if (i < width * (height - 1)) {
        sum += values[i + width]!;
        count++;
      }
      values[i]! += relaxation * (sum / count - values[i]!);
    }
  }
}
