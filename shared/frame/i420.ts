/**
 * Camera frames as bytes. The window (pictures of good parts, the self test) and the process that judges use these same
 * functions: what is kept for training has exactly the pixels that inspection sees.
 */

/**
 * How the samples use their bytes: `limited` has luma 16..235 and chroma 16..240 (what cameras deliver, and what is
 * meant where nothing is said), `full` uses 0..255 (JPEG).
 */
export type SampleRange = 'limited' | 'full';

/** How luma and chroma are made from colours: ITU-R BT.601 (cameras, where nothing is said), BT.709 (HD), BT.2020. */
export type ColourMatrix = 'bt601' | 'bt709' | 'bt2020';

/** What a frame's samples mean. */
export interface FrameColours {
  range: SampleRange;
  matrix: ColourMatrix;
}

/** Shares of red and blue in luma: ITU-R BT.601, BT.709 and BT.2020, each its section on the derivation of luma. */
const lumaShares = { bt601: [0.299, 0.114], bt709: [0.2126, 0.0722], bt2020: [0.2627, 0.0593] } as const;

/** Black and span of luma, span of chroma (which has its zero at 128). */
const spans = { limited: [16, 219, 224], full: [0, 255, 255] } as const;

/** Bytes of an I420 frame: luma, then both chroma planes at half width and height, rounded up. */
export function i420Bytes(width: number, height: number): number {
  return width * height + 2 * Math.ceil(width / 2) * Math.ceil(height / 2);
}

/** What each sample value adds to red, green and blue. */
function makeTables({ range, matrix }: FrameColours) {
  const [kr, kb] = lumaShares[matrix];
  const kg = 1 - kr - kb;
  const [black, lumaSpan, chromaSpan] = spans[range];
  const table = (of: (value: number) => number): Float64Array => Float64Array.from({ length: 256 }, (_, i) => of(i));
  const chroma = (value: number): number => (255 * (value - 128)) / chromaSpan;
  return {
    luma: table((value) => (255 * (value - black)) / lumaSpan),
    red: table((cr) => 2 * (1 - kr) * chroma(cr)),
    greenFromCb: table((cb) => ((-2 * (1 - kb) * kb) / kg) * chroma(cb)),
    greenFromCr: table((cr) => ((-2 * (1 - kr) * kr) / kg) * chroma(cr)),
    blue: table((cb) => 2 * (1 - kb) * chroma(cb)),
  };
}

const tables = new Map<string, ReturnType<typeof makeTables>>();

function tablesOf(colours: FrameColours): ReturnType<typeof makeTables> {
  const key = `${colours.matrix} ${colours.range}`;
  const known = tables.get(key) ?? makeTables(colours);
  tables.set(key, known);
  return known;
}

/**
 * An I420 frame as colours. Chroma is taken from the nearest sample (no smoothing), results are rounded to the nearest
 * whole number and held within 0..255: the same frame gives the same bytes everywhere.
 * @param i420     `[height, width]` luma, then `[ceil(height / 2), ceil(width / 2)]` Cb and Cr
 * @param channels 3: RGB; 4: RGBA, opaque
 * @returns `[height, width, channels]`
 * @throws RangeError when the buffer does not fit the size
 */
export function coloursFromI420(
  i420: Uint8Array,
  width: number,
  height: number,
  colours: FrameColours,
  channels: 3 | 4,
): Uint8ClampedArray<ArrayBuffer> {
  const sides = [width, height];
  if (!sides.every((side) => Number.isInteger(side) && side > 0) || i420.length !== i420Bytes(width, height)) {
    throw new RangeError(
      `an I420 frame of ${String(width)} x ${String(height)} can't have ${String(i420.length)} bytes`,
    );
  }
  const { luma, red, greenFromCb, greenFromCr, blue } = tablesOf(colours);
  const halfWidth = Math.ceil(width / 2);
  const cbFrom = width * height;
  const crFrom = cbFrom + halfWidth * Math.ceil(height / 2);
  // Clamps and, being stored, rounds half to even as every browser's canvas does.
  const data = new Uint8ClampedArray(channels * width * height);
  for (let y = 0, at = 0, to = 0; y < height; y++) {
    const row = (y >> 1) * halfWidth;
    for (let x = 0; x < width; x++, at++, to += channels) {
      const chroma = row + (x >> 1);
      const cb = i420[cbFrom + chroma]!;
      const cr = i420[crFrom + chroma]!;
      const light = luma[i420[at]!]!;
      data[to] = light + red[cr]!;
      data[to + 1] = light + greenFromCb[cb]! + greenFromCr[cr]!;
      data[to + 2] = light + blue[cb]!;
      if (channels === 4) data[to + 3] = 255;
    }
  }
  return data;
}

/** Takes the interleaved chroma of NV12 apart. */
export function i420FromNv12(nv12: Uint8Array, width: number, height: number): Uint8Array<ArrayBuffer> {
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

/** For cameras that deliver colours: `[height, width, 4]` to I420; chroma is the mean of up to four pixels. */
export function i420FromRgba(
  rgba: Uint8Array | Uint8ClampedArray,
  width: number,
  height: number,
  { range, matrix }: FrameColours,
): Uint8Array<ArrayBuffer> {
  const [kr, kb] = lumaShares[matrix];
  const kg = 1 - kr - kb;
  const [black, lumaSpan, chromaSpan] = spans[range];
  const i420 = new Uint8ClampedArray(i420Bytes(width, height));
  const halfWidth = Math.ceil(width / 2);
  const halfHeight = Math.ceil(height / 2);
  const cbFrom = width * height;
  const crFrom = cbFrom + halfWidth * halfHeight;
  const light = (at: number): number => kr * rgba[at]! + kg * rgba[at + 1]! + kb * rgba[at + 2]!;
  for (let i = 0; i < cbFrom; i++) i420[i] = black + (light(4 * i) * lumaSpan) / 255;
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
      i420[cbFrom + y * halfWidth + x] = 128 + ((blue / pixels) * chromaSpan) / (510 * (1 - kb));
      i420[crFrom + y * halfWidth + x] = 128 + ((red / pixels) * chromaSpan) / (510 * (1 - kr));
    }
  }
  return new Uint8Array(i420.buffer);
}
