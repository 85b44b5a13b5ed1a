/**
 * Brings an anomaly map to `[outHeight, outWidth]`, bilinear between pixel centres, edges held. A map that has that size already
 * is given back as it is.
 * @param map `[height, width]` row-major
 */
export function resizeMap(
  map: Float32Array,
  width: number,
  height: number,
  outWidth: number,
  outHeight: number,
): Float32Array {
  if (width === outWidth && height === outHeight) return map;
  const columns = taps(width, outWidth);
  const rows = taps(height, outHeight);
  const out = new Float32Array(outWidth * outHeight);
  rows.forEach((row, y) => {
    columns.forEach((column, x) => {
      const top = mix(map[row.low * width + column.low]!, map[row.low * width + column.high]!, column.share);
      const bottom = mix(map[row.high * width + column.low]!, map[row.high * width + column.high]!, column.share);
      out[y * outWidth + x] = mix(top, bottom, row.share);
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
