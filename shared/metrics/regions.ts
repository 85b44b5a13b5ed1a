/** Connected regions of a binary mask. */
export interface Regions {
  /** `[height, width]` row-major: 0 outside, 1..count inside a region, numbered in reading order. */
  regionOf: Int32Array;
  /** Number of regions. */
  count: number;
  /** `sizesPx[i]`: pixels of region `i + 1`. */
  sizesPx: number[];
}

/**
 * Labels the connected regions of a mask (flood fill).
 * @param mask `[height, width]` row-major, anything but 0 is inside
 * @param connectivity 8 (corners touch; what AUPRO uses, method-spec section 8) or 4
 * @throws RangeError when the mask's length is not `width * height`
 */
export function connectedRegions(
  mask: ArrayLike<number>,
  width: number,
  height: number,
  connectivity: 4 | 8 = 8,
): Regions {
  if (mask.length !== width * height) {
    throw new RangeError(`a mask of ${mask.length} pixels is not ${width} x ${height}`);
  }
  const regionOf = new Int32Array(mask.length);
  const sizesPx: number[] = [];
  let stack = new Int32Array(256);
  for (let start = 0; start < mask.length; start++) {
    if (!mask[start] || regionOf[start] !== 0) continue;
    const region = sizesPx.length + 1;
    let size = 0;
    let depth = 1;
    stack[0] = start;
    regionOf[start] = region;
    while (depth > 0) {
      const pixel = stack[--depth]!;
      size++;
      const row = Math.floor(pixel / width);
      const column = pixel - row * width;
      if (depth + 8 > stack.length) {
        const grown = new Int32Array(stack.length * 2);
        grown.set(stack);
        stack = grown;
      }
      for (let r = Math.max(0, row - 1); r <= row + 1 && r < height; r++) {
        for (let c = Math.max(0, column - 1); c <= column + 1 && c < width; c++) {
          if (connectivity === 4 && r !== row && c !== column) continue;
          const next = r * width + c;
          if (!mask[next] || regionOf[next] !== 0) continue;
          // Marked when pushed: every pixel enters the stack once.
          regionOf[next] = region;
          stack[depth++] = next;
        }
      }
    }
    sizesPx.push(size);
  }
  return { regionOf, count: sizesPx.length, sizesPx };
}
