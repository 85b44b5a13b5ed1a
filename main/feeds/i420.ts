import type { Picture } from '../pictures/picture.ts';

/**
 * How the samples use their bytes: `limited` has luma 16..235 and chroma 16..240 (what cameras deliver, and what is
 * meant where nothing is said), `full` uses 0..255 (JPEG).
 */
export type SampleRange = 'limited' | 'full';

/** Bytes of an I420 frame: luma, then both chroma planes at half width and height, rounded up. */
export function i420Bytes(width: number, height: number): number {
  return width * height + 2 * Math.ceil(width / 2) * Math.ceil(height / 2);
}

/** ITU-R BT.601: shares of red and blue in luma. */
const kr = 0.299;
const kb = 0.114;
const kg = 1 - kr - kb;

/**
 * An I420 frame as RGB by ITU-R BT.601. Chroma is taken from the nearest sample (no smoothing), results are rounded to
 * the nearest whole number and held within 0..255: the same frame gives the same bytes everywhere.
 * @param i420 `[height, width]` luma, then `[ceil(height / 2), ceil(width / 2)]` Cb and Cr
 * @throws RangeError when the buffer does not fit the size
 */
export function pictureFromI420(
  i420: Uint8Array,
  width: number,
  height: number,
  range: SampleRange = 'limited',
): Picture {
  const sides = [width, height];
  if (!sides.every((side) => Number.isInteger(side) && side > 0) || i420.length !== i420Bytes(width, height)) {
    throw new RangeError(
      `an I420 frame of ${String(width)} x ${String(height)} can't have ${String(i420.length)} bytes`,
    );
  }
  const { luma, red, greenFromCb, greenFromCr, blue } = tables[range];
  const halfWidth = Math.ceil(width / 2);
  const cbFrom = width * height;
  const crFrom = cbFrom + halfWidth * Math.ceil(height / 2);
  // Clamps and, being stored, rounds half to even as every browser's canvas does.
  const data = new Uint8ClampedArray(3 * width * height);
  for (let y = 0, at = 0; y < height; y++) {
    const row = (y >> 1) * halfWidth;
    for (let x = 0; x < width; x++, at++) {
      const chroma = row + (x >> 1);
      const cb = i420[cbFrom + chroma]!;
      const cr = i420[crFrom + chroma]!;
      const light = luma[i420[at]!]!;
      data[3 * at] = light + red[cr]!;
      data[3 * at + 1] = light + greenFromCb[cb]! + greenFromCr[cr]!;
      data[3 * at + 2] = light + blue[cb]!;
    }
  }
  return { width, height, data: new Uint8Array(data.buffer) };
}

/** What each sample value adds to red, green and blue. */
function makeTables(range: SampleRange) {
  const [black, lumaSpan, chromaSpan] = range === 'limited' ? [16, 219, 224] : [0, 255, 255];
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

const tables = { limited: makeTables('limited'), full: makeTables('full') };
