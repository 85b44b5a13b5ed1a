import type { Picture } from './picture.ts';
import { type AxisWeights, cachedAxis, precisionBits, type ResampleFilter } from './resample-weights.ts';
import { resampleWasmBase64 } from './resample-wasm.ts';

export type { ResampleFilter } from './resample-weights.ts';

const rounding = 1 << (precisionBits - 1);
/** The module keeps its memory between pictures; a picture that needs more goes through plain JavaScript. */
const maxWasmBytes = 64 << 20;
/** Source rows are handed to the module in strips of about this size, so they stay in the processor's cache. */
const stripBytes = 512 << 10;

/**
 * Resizes an 8-bit RGB picture; the aspect ratio is what the caller asks for.
 *
 * @returns `[outHeight, outWidth, 3]`, always a new buffer; bit-identical to Pillow's `Image.resize`
 * @throws RangeError when a size is not a positive integer or `data` does not hold `height * width * 3` bytes
 */
export function resample(picture: Picture, outWidth: number, outHeight: number, filter: ResampleFilter): Picture {
  checkSizes(picture, outWidth, outHeight);
  return resampleWasm(picture, outWidth, outHeight, filter) ?? resampleJs(picture, outWidth, outHeight, filter);
}

function checkSizes(picture: Picture, outWidth: number, outHeight: number): void {
  for (const size of [picture.width, picture.height, outWidth, outHeight])
    if (!Number.isInteger(size) || size < 1) throw new RangeError(`resample: ${size} is not a positive whole number`);
  if (picture.data.length !== picture.width * picture.height * 3)
    throw new RangeError(
      `resample: ${picture.width} x ${picture.height} needs 3 bytes a pixel, got ${picture.data.length} bytes`,
    );
}

/** The same in plain JavaScript: where WebAssembly is missing, and the yardstick for it in tests. */
export function resampleJs(picture: Picture, outWidth: number, outHeight: number, filter: ResampleFilter): Picture {
  const { width, height } = picture;
  let data = picture.data;
  if (outWidth !== width) data = horizontalJs(data, width, height, outWidth, cachedAxis(width, outWidth, filter));
  if (outHeight !== height) data = verticalJs(data, outWidth * 3, outHeight, cachedAxis(height, outHeight, filter));
  return { width: outWidth, height: outHeight, data: data === picture.data ? data.slice() : data };
}

function clip8(sum: number): number {
  const value = sum >> precisionBits;
  return value < 0 ? 0 : value > 255 ? 255 : value;
}

function horizontalJs(source: Uint8Array, width: number, rows: number, outWidth: number, axis: AxisWeights) {
  const { maxTaps, first, counts, weights } = axis;
  const target = new Uint8Array(rows * outWidth * 3);
  let out = 0;
  for (let y = 0; y < rows; y++)
    for (let x = 0; x < outWidth; x++) {
      let at = (y * width + first[x]!) * 3;
      let red = rounding;
      let green = rounding;
      let blue = rounding;
      for (let w = x * maxTaps, end = w + counts[x]!; w < end; w++) {
        const weight = weights[w]!;
        red += Math.imul(weight, source[at++]!);
        green += Math.imul(weight, source[at++]!);
        blue += Math.imul(weight, source[at++]!);
      }
      target[out++] = clip8(red);
      target[out++] = clip8(green);
      target[out++] = clip8(blue);
    }
  return target;
}

function verticalJs(source: Uint8Array, rowBytes: number, outHeight: number, axis: AxisWeights) {
  const { maxTaps, first, counts, weights } = axis;
  const target = new Uint8Array(outHeight * rowBytes);
  const sums = new Int32Array(rowBytes);
  for (let y = 0; y < outHeight; y++) {
    sums.fill(rounding);
    for (let t = 0; t < counts[y]!; t++) {
      const weight = weights[y * maxTaps + t]!;
      const row = (first[y]! + t) * rowBytes;
      for (let x = 0; x < rowBytes; x++) sums[x]! += Math.imul(weight, source[row + x]!);
    }
    for (let x = 0; x < rowBytes; x++) target[y * rowBytes + x] = clip8(sums[x]!);
  }
  return target;
}

/** Exports of resample.as.ts; addresses are byte offsets in `memory`. */
interface ResampleModule {
  memory: { buffer: ArrayBuffer; grow(pages: number): number };
  horizontal(
    source: number,
    sourceStride: number,
    rows: number,
    target: number,
    targetStride: number,
    outWidth: number,
    first: number,
    weights: number,
    groups: number,
  ): void;
  vertical(
    source: number,
    stride: number,
    target: number,
    outHeight: number,
    first: number,
    weights: number,
    pairs: number,
  ): void;
}

/** The part of the WebAssembly interface used here (Node's types do not declare it). */
interface WasmApi {
  Module: new (bytes: Uint8Array) => object;
  Instance: new (module: object, imports: object) => { exports: unknown };
}

let wasmModule: ResampleModule | null | undefined;

function loadModule(): ResampleModule | null {
  if (wasmModule !== undefined) return wasmModule;
  const api = (globalThis as { WebAssembly?: WasmApi }).WebAssembly;
  try {
    const bytes = Buffer.from(resampleWasmBase64, 'base64');
    wasmModule = api === undefined ? null : (new api.Instance(new api.Module(bytes), {}).exports as ResampleModule);
  } catch {
    // No SIMD or WebAssembly switched off: plain JavaScript gives the same bytes.
    wasmModule = null;
  }
  return wasmModule;
}

const aligned = (bytes: number): number => (bytes + 15) & ~15;

/**
 * Packs weights for the module: `group` taps at a time, each weight split as high * 2^11 + low (see resample.as.ts).
 * Order in a group: for each pair of taps high, high, low, low.
 */
function packWeights(axis: AxisWeights, group: number): { words: Int16Array; groups: number } {
  const { maxTaps, counts, weights, first } = axis;
  const outSize = first.length;
  const groups = Math.ceil(counts.reduce((a, b) => Math.max(a, b), 1) / group);
  const words = new Int16Array(outSize * groups * group * 2);
  for (let o = 0; o < outSize; o++)
    for (let t = 0; t < counts[o]!; t++) {
      const weight = weights[o * maxTaps + t]!;
      const at = (o * groups * group + (t & ~1)) * 2 + (t & 1);
      words[at] = weight >> 11;
      words[at + 2] = weight & 2047;
    }
  return { words, groups };
}

/** A packed axis as the module reads it; `first` already in bytes (horizontal) or rows (vertical). */
interface PackedAxis {
  words: Int16Array;
  groups: number;
  first: Int32Array;
}

/** Packed axes of both passes; an axis may serve as either. */
const packedAcross = new WeakMap<AxisWeights, PackedAxis>();
const packedDown = new WeakMap<AxisWeights, PackedAxis>();

function packAcross(axis: AxisWeights): PackedAxis {
  let entry = packedAcross.get(axis);
  if (entry === undefined) {
    entry = { ...packWeights(axis, 4), first: axis.first.map((pixel) => pixel * 3) };
    packedAcross.set(axis, entry);
  }
  return entry;
}

function packDown(axis: AxisWeights): PackedAxis {
  let entry = packedDown.get(axis);
  if (entry === undefined) {
    entry = { ...packWeights(axis, 2), first: axis.first };
    packedDown.set(axis, entry);
  }
  return entry;
}

/** @returns null when there is no WebAssembly or the picture needs more memory than the module may keep */
export function resampleWasm(
  picture: Picture,
  outWidth: number,
  outHeight: number,
  filter: ResampleFilter,
): Picture | null {
  const { width, height, data } = picture;
  if (outWidth === width && outHeight === height) return { width, height, data: data.slice() };
  const module = loadModule();
  if (module === null) return null;

  const across = outWidth === width ? null : packAcross(cachedAxis(width, outWidth, filter));
  const down = outHeight === height ? null : packDown(cachedAxis(height, outHeight, filter));
  const rowBytes = outWidth * 3;
  const stride = aligned(rowBytes + 1);
  const stripRows = Math.min(height, Math.max(1, Math.floor(stripBytes / (width * 3))));

  // One after the other: weights, strip of the source, rows after the horizontal pass, result. The module's own data
  // end below 1024. The 64 bytes and the spare row are what the passes may read too far.
  let end = 1024;
  const place = (bytes: number): number => {
    const at = end;
    end = aligned(end + bytes);
    return at;
  };
  const acrossFirst = place(across === null ? 0 : across.first.byteLength);
  const acrossWords = place(across === null ? 0 : across.words.byteLength);
  const downFirst = place(down === null ? 0 : down.first.byteLength);
  const downWords = place(down === null ? 0 : down.words.byteLength);
  const strip = place(across === null ? 0 : stripRows * width * 3 + 64);
  const rows = place((height + 2) * stride);
  const result = place(down === null ? 0 : outHeight * stride);
  if (end > maxWasmBytes) return null;
  const missing = end - module.memory.buffer.byteLength;
  if (missing > 0) module.memory.grow(Math.ceil(missing / 65_536));

  const buffer = module.memory.buffer;
  const bytes = new Uint8Array(buffer);
  if (across === null) {
    for (let y = 0; y < height; y++) bytes.set(data.subarray(y * rowBytes, (y + 1) * rowBytes), rows + y * stride);
  } else {
    new Int32Array(buffer, acrossFirst).set(across.first);
    new Int16Array(buffer, acrossWords).set(across.words);
    for (let y = 0; y < height; y += stripRows) {
      const count = Math.min(stripRows, height - y);
      bytes.set(data.subarray(y * width * 3, (y + count) * width * 3), strip);
      const target = rows + y * stride;
      module.horizontal(strip, width * 3, count, target, stride, outWidth, acrossFirst, acrossWords, across.groups);
    }
  }
  if (down !== null) {
    new Int32Array(buffer, downFirst).set(down.first);
    new Int16Array(buffer, downWords).set(down.words);
    module.vertical(rows, stride, result, outHeight, downFirst, downWords, down.groups);
  }
  const from = down === null ? rows : result;
  const out = new Uint8Array(outHeight * rowBytes);
  for (let y = 0; y < outHeight; y++)
    out.set(bytes.subarray(from + y * stride, from + y * stride + rowBytes), y * rowBytes);
  return { width: outWidth, height: outHeight, data: out };
}
