/** Heat maps as pixels and lines; pure, so that a frame costs one small loop and one path. */

/** Anomaly map in bytes, `[height, width]` row-major: 0 below the review level, 255 at the fail level and above. */
export interface HeatMap {
  readonly width: number;
  readonly height: number;
  readonly bytes: Uint8Array | Uint8ClampedArray;
}

/** Least byte that counts as "at the threshold" for the contour. */
export const contourLevel = 250;

/**
 * Paints the map in one hue whose opacity is the value, `[height, width, 4]`.
 * @param rgb the hue, 0..255 each
 */
export function paintHeat(map: HeatMap, rgb: readonly [number, number, number]): ImageData {
  const image = new ImageData(map.width, map.height);
  const pixels = new Uint32Array(image.data.buffer);
  // Little-endian ABGR, as every machine this runs on has it.
  const hue = rgb[0] | (rgb[1] << 8) | (rgb[2] << 16);
  for (let i = 0; i < pixels.length; i++) pixels[i] = (hue | (map.bytes[i]! << 24)) >>> 0;
  return image;
}

/**
 * Line around everything at or above `level` (marching squares), as pairs of ends `[x0, y0, x1, y1, ...]` in units of
 * the picture's width and height, 0..1. Beyond the border the map counts as cold, so that every line closes.
 */
export function contour(map: HeatMap, level = contourLevel): Float32Array {
  const { width, height, bytes } = map;
  const lines: number[] = [];
  const at = (x: number, y: number): number =>
    x < 0 || y < 0 || x >= width || y >= height ? 0 : bytes[y * width + x]!;
  const cut = (a: number, b: number): number => (a === b ? 0.5 : (level - a) / (b - a));
  for (let y = -1; y < height; y++) {
    for (let x = -1; x < width; x++) {
      const nw = at(x, y);
      const ne = at(x + 1, y);
      const sw = at(x, y + 1);
      const se = at(x + 1, y + 1);
      const code = (nw >= level ? 8 : 0) | (ne >= level ? 4 : 0) | (se >= level ? 2 : 0) | (sw >= level ? 1 : 0);
      if (code === 0 || code === 15) continue;
      const north: readonly [number, number] = [x + cut(nw, ne), y];
      const east: readonly [number, number] = [x + 1, y + cut(ne, se)];
      const south: readonly [number, number] = [x + cut(sw, se), y + 1];
      const west: readonly [number, number] = [x, y + cut(nw, sw)];
      const line = (from: readonly [number, number], to: readonly [number, number]): void => {
        lines.push((from[0] + 0.5) / width, (from[1] + 0.5) / height, (to[0] + 0.5) / width, (to[1] + 0.5) / height);
      };
      if (code === 1 || code === 14) line(west, south);
      else if (code === 2 || code === 13) line(south, east);
      else if (code === 3 || code === 12) line(west, east);
      else if (code === 4 || code === 11) line(north, east);
      else if (code === 6 || code === 9) line(north, south);
      else if (code === 7 || code === 8) line(west, north);
      else if (code === 5) {
        line(west, north);
        line(south, east);
      } else {
        line(north, east);
        line(west, south);
      }
    }
  }
  return Float32Array.from(lines);
}

/**
 * Reads a stored heat map (grey 8-bit PNG) back into bytes. Its host must allow our origin to read it (CORS).
 * @throws DOMException when there is none or it can't be read
 */
export async function loadHeat(url: string): Promise<HeatMap> {
  const image = new Image();
  image.crossOrigin = 'anonymous';
  image.src = url;
  await image.decode();
  const canvas = new OffscreenCanvas(image.naturalWidth, image.naturalHeight);
  const context = canvas.getContext('2d', { willReadFrequently: true })!;
  context.drawImage(image, 0, 0);
  const { data, width, height } = context.getImageData(0, 0, canvas.width, canvas.height);
  const bytes = new Uint8Array(width * height);
  for (let i = 0; i < bytes.length; i++) bytes[i] = data[i * 4]!;
  return { width, height, bytes };
}
