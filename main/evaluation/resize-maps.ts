import type { Picture } from '../pictures/picture.ts';

/**
 * Brings a ground-truth mask to `[size, size]`, nearest pixel (source pixel `floor((i + 0.5) * scale)`, as Pillow does).
 * A pixel is anomalous from half of the mask's brightest value on: masks of 0/255, of 0/1 and lossy ones all mean the
 * same.
 * @returns 1 anomalous, 0 normal
 */
export function resizeMask(mask: Picture, size: number): Uint8Array {
  const { width, height, data } = mask;
  let brightest = 0;
  for (let i = 0; i < data.length; i += 3) brightest = Math.max(brightest, data[i]!);
  const limit = Math.max(1, brightest / 2);
  const out = new Uint8Array(size * size);
  for (let y = 0; y < size; y++) {
    const row = Math.floor(((y + 0.5) * height) / size) * width;
    for (let x = 0; x < size; x++) {
      const source = row + Math.floor(((x + 0.5) * width) / size);
      out[y * size + x] = data[3 * source]! >= limit ? 1 : 0;
    }
  }
  return out;
}

/**
 * Brings an anomaly map to `[size, size]`, bilinear between pixel centres, edges held. A map that has that size already
 * is given back as it is.
 * @param map `[height, width]` row-major
 */
export function resizeMap(map: Float32Array, width: number, height: number, size: number): Float32Array {
  if (width === size && height === size) return map;
  const columns = taps(width, size);
  const rows = taps(height, size);
  const out = new Float32Array(size * size);
  rows.forEach((row, y) => {
    columns.forEach((column, x) => {
      const top = mix(map[row.low * width + column.low]!, map[row.low * width + column.high]!, column.share);
      const bottom = mix(map[row.high * width + column.low]!, map[row.high * width + column.high]!, column.share);
      out[y * size + x] = mix(top, bottom, row.share);
    });
  });
  return out;
}

/** For each output pixel: its two source pixels and the share of the second. */
function taps(from: number, to: number): { low: number; high: number; share: number }[] {
  return Array.from({ length: to }, (_, i) => {
    const at = Math.min(from - 1, Math.max(0, ((i + 0.5) * from) / to - 0.5));
    const low = Math.floor(at);
    return { low, high: Math.min(from - 1, low + 1), share: at - low };
  });
}

function mix(a: number, b: number, share: number): number {
  return a + (b - a) * share;
}
