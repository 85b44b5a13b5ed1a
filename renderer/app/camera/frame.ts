/**
 * Camera frames as bytes. What is judged and what is kept for training go through the same samples: I420, limited
 * range, ITU-R BT.601. Pure functions, used in the worker.
 */

/** ITU-R BT.601: shares of red and blue in luma. */
const kr = 0.299;
const kb = 0.114;
const kg = 1 - kr - kb;

/** Bytes of an I420 frame: luma, then both chroma planes at half width and height, rounded up. */
export function i420Bytes(width: number, height: number): number {
  return width * height + 2 * Math.ceil(width / 2) * Math.ceil(height / 2);
}

const limitedLuma = Uint8ClampedArray.from({ length: 256 }, (_, full) => 16 + (full * 219) / 255);
const limitedChroma = Uint8ClampedArray.from({ length: 256 }, (_, full) => 128 + ((full - 128) * 224) / 255);

/** Squeezes full-range samples (JPEG cameras) into limited range, in place. */
export function limitRange(i420: Uint8Array, width: number, height: number): void {
  const lumaBytes = width * height;
  for (let i = 0; i < lumaBytes; i++) i420[i] = limitedLuma[i420[i]!]!;
  for (let i = lumaBytes; i < i420.length; i++) i420[i] = limitedChroma[i420[i]!]!;
}

/** Takes the interleaved chroma of NV12 apart. */
export function i420FromNv12(nv12: Uint8Array, width: number, height: number): Uint8Array {
  const luma = width * height;
  const chroma = Math.ceil(width / 2) * Math.ceil(height / 2);
  const i420 = new Uint8Array(i420Bytes(width, height));
  i420.set(nv12.subarray(0, luma));
  for (let i = 0; i < chroma; i++) {
    i420[luma + i] = nv12[luma + 2 * i]!;
    i420[luma + chroma + i] = nv12[luma + 2 * i + 1]!;
  }
  return i420;
}

/** For cameras that deliver colours: `[height, width, 4]` to I420, limited range; chroma is the mean of up to four pixels. */
export function i420FromRgba(rgba: Uint8Array | Uint8ClampedArray, width: number, height: number): Uint8Array {
  const i420 = new Uint8ClampedArray(i420Bytes(width, height));
  const halfWidth = Math.ceil(width / 2);
  const halfHeight = Math.ceil(height / 2);
  const cbFrom = width * height;
  const crFrom = cbFrom + halfWidth * halfHeight;
  const light = (at: number): number => kr * rgba[at]! + kg * rgba[at + 1]! + kb * rgba[at + 2]!;
  for (let i = 0; i < cbFrom; i++) i420[i] = 16 + (light(4 * i) * 219) / 255;
  for (let y = 0; y < halfHeight; y++) {
    for (let x = 0; x < halfWidth; x++) {
      let blue = 0;
      let red = 0;
      let pixels = 0;
      for (let v = 2 * y; v < Math.min(height, 2 * y + 2); v++) {
        for (let u = 2 * x; u < Math.min(width, 2 * x + 2); u++) {
          const at = 4 * (v * width + u);
          const luma = light(at);
          blue += rgba[at + 2]! - luma;
          red += rgba[at]! - luma;
          pixels++;
        }
      }
      i420[cbFrom + y * halfWidth + x] = 128 + ((blue / pixels) * 112) / (255 * (1 - kb));
      i420[crFrom + y * halfWidth + x] = 128 + ((red / pixels) * 112) / (255 * (1 - kr));
    }
  }
  return new Uint8Array(i420.buffer);
}

/**
 * The frame as colours, `[height, width, 4]`, by the same rule as the process that judges (nearest chroma, no
 * smoothing): a picture kept for training has exactly the pixels that inspection would see.
 */
export function rgbaFromI420(i420: Uint8Array, width: number, height: number): ImageData {
  const image = new ImageData(width, height);
  const { data } = image;
  const halfWidth = Math.ceil(width / 2);
  const cbFrom = width * height;
  const crFrom = cbFrom + halfWidth * Math.ceil(height / 2);
  for (let y = 0, at = 0; y < height; y++) {
    const row = (y >> 1) * halfWidth;
    for (let x = 0; x < width; x++, at++) {
      const chroma = row + (x >> 1);
      const blue = (255 * (i420[cbFrom + chroma]! - 128)) / 224;
      const red = (255 * (i420[crFrom + chroma]! - 128)) / 224;
      const light = (255 * (i420[at]! - 16)) / 219;
      data[4 * at] = light + 2 * (1 - kr) * red;
      data[4 * at + 1] = light + ((-2 * (1 - kb) * kb) / kg) * blue + ((-2 * (1 - kr) * kr) / kg) * red;
      data[4 * at + 2] = light + 2 * (1 - kb) * blue;
      data[4 * at + 3] = 255;
    }
  }
  return image;
}
