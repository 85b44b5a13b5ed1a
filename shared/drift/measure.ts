import { thumbnailSide, type PictureStatistics } from './types.ts';

/** Distance of the coarser differences that fine detail is compared with, pixels. */
const coarse = 4;
/** Added to sums of squares, so that a picture of one colour has numbers too: below one grey step. */
const floor = 0.05;

/**
 * Cheap numbers of a prepared picture (a few milliseconds). Each is made so that one cause moves it and the others
 * hardly do: a lamp's power moves brightness, but neither contrast (relative) nor sharpness (a quotient) nor the casts
 * (quotients).
 * @param picture 8-bit RGB `[height, width, 3]`, at least `thumbnailSide` pixels wide and high
 * @throws RangeError for a smaller picture
 */
export function measurePicture(picture: { width: number; height: number; data: Uint8Array }): PictureStatistics {
  const { width, height, data } = picture;
  if (width < thumbnailSide || height < thumbnailSide) {
    throw new RangeError(`a picture of ${String(width)} x ${String(height)} pixels is too small to be measured`);
  }
  const luma = new Float32Array(width * height);
  let red = 0;
  let green = 0;
  let blue = 0;
  for (let i = 0, at = 0; i < luma.length; i++, at += 3) {
    const r = data[at]!;
    const g = data[at + 1]!;
    const b = data[at + 2]!;
    red += r;
    green += g;
    blue += b;
    luma[i] = 0.299 * r + 0.587 * g + 0.114 * b;
  }
  const pixels = luma.length;
  let sum = 0;
  let squares = 0;
  for (const value of luma) {
    sum += value;
    squares += value * value;
  }
  const brightness = sum / pixels;
  const deviation = Math.sqrt(Math.max(0, squares / pixels - brightness * brightness));
  const fine = differences(luma, width, height, 1);
  const wide = differences(luma, width, height, coarse);
  const least = pixels * 1;
  return {
    brightness,
    contrast: deviation / Math.max(1, brightness),
    redCast: Math.log(Math.max(red, least) / Math.max(green, least)),
    blueCast: Math.log(Math.max(blue, least) / Math.max(green, least)),
    sharpness: Math.log((fine + floor) / (wide + floor)),
    thumbnail: shrink(luma, width, height),
  };
}

/** Mean square of differences between points `step` apart, across and down. */
function differences(luma: Float32Array, width: number, height: number, step: number): number {
  let sum = 0;
  let count = 0;
  for (let y = 0; y < height - step; y++) {
    for (let x = 0, at = y * width; x < width - step; x++, at++) {
      const value = luma[at]!;
      const across = value - luma[at + step]!;
      const down = value - luma[at + step * width]!;
      sum += across * across + down * down;
    }
    count += 2 * (width - step);
  }
  return sum / count;
}

/** Means of blocks, `[thumbnailSide, thumbnailSide]`. */
function shrink(luma: Float32Array, width: number, height: number): Float32Array {
  const side = thumbnailSide;
  const sums = new Float32Array(side * side);
  const counts = new Float32Array(side * side);
  const columns = Int32Array.from({ length: width }, (_, x) => Math.floor((x * side) / width));
  for (let y = 0; y < height; y++) {
    const row = Math.floor((y * side) / height) * side;
    for (let x = 0, at = y * width; x < width; x++, at++) {
      const cell = row + columns[x]!;
      sums[cell]! += luma[at]!;
      counts[cell]!++;
    }
  }
  return sums.map((value, cell) => value / counts[cell]!);
}
