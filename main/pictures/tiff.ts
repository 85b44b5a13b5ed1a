import { inflateSync } from 'node:zlib';
import { decode } from 'tiff';
import type { UserError } from '../../shared/errors.ts';
import { checkPictureSize, pictureErrors } from './header.ts';
import { orientPicture, type Picture, pictureFromSamples } from './picture.ts';

const compressions = { none: 1, lzw: 5, deflate: 8, oldDeflate: 32946 };
const photometric = { whiteIsZero: 0, blackIsZero: 1, rgb: 2, palette: 3 };

type TiffPage = ReturnType<typeof decode>[number];

/**
 * First page of a TIFF: grey, RGB (8 or 16 bit, with or without alpha), palette or black and white; stored, LZW or
 * deflate.
 *
 * @throws UserError as `decodePicture`
 */
export function decodeTiff(bytes: Buffer, name: string): Picture {
  const page = readPage(bytes, name, true);
  const layout = checkLayout(page, name);
  checkBlocks(page, layout.blockBytes, bytes, name);
  const orientation = Number(page.orientation ?? 1);
  const decoded = readPage(orientation === 1 ? bytes : withoutOrientation(bytes), name, false);
  return orientPicture(toPicture(decoded, name), orientation);
}

/** A copy with the orientation tag of the first page set to 1: the library decodes no other. */
function withoutOrientation(bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes);
  const little = copy[0] === 0x49;
  const read16 = (at: number): number => (little ? copy.readUInt16LE(at) : copy.readUInt16BE(at));
  const directory = little ? copy.readUInt32LE(4) : copy.readUInt32BE(4);
  const entries = read16(directory);
  for (let at = directory + 2, last = at + entries * 12; at < last; at += 12)
    if (read16(at) === 274) copy.writeUInt16LE(little ? 1 : 0x100, at + 8);
  return copy;
}

function readPage(bytes: Buffer, name: string, headerOnly: boolean): TiffPage {
  try {
    const page = decode(bytes, { pages: [0], ignoreImageData: headerOnly })[0];
    if (page !== undefined) return page;
  } catch (cause) {
    const detail = headerOnly ? 'its TIFF header cannot be read' : 'its TIFF picture data cannot be decoded';
    if (cause instanceof RangeError) throw pictureErrors.truncated(name, detail);
    throw pictureErrors.damaged(name, detail, cause);
  }
  throw pictureErrors.damaged(name, 'the TIFF holds no picture');
}

/** Refuses layouts that the library would read wrongly, before any pixel is decoded. */
function checkLayout(page: TiffPage, name: string): { blockBytes: number } {
  const { width, height, samplesPerPixel: samples } = page;
  const sizes: unknown[] = [width, height, samples];
  if (!sizes.every((value) => Number.isInteger(value) && Number(value) > 0))
    throw pictureErrors.damaged(name, 'its TIFF header names no valid size');
  const refuse = (what: string): UserError => pictureErrors.unsupported(name, `is a TIFF ${what}, which is not read`);
  // Declared as a number, but a file may leave it out.
  const depth = Number(page.bitsPerSample ?? 0);
  if (![1, 8, 16].includes(depth)) throw refuse(`with ${depth === 0 ? 'an unstated number of' : depth} bits a sample`);
  if (page.sampleFormat !== 1) throw refuse('with signed or floating-point samples');
  if (!Object.values(photometric).includes(page.type)) throw refuse(`of colour model ${String(page.type)}`);
  if (!Object.values(compressions).includes(page.compression)) throw refuse(`with compression ${page.compression}`);
  const fits = page.type === photometric.rgb ? samples === 3 || samples === 4 : samples === 1 || samples === 2;
  if (!fits || (page.type === photometric.palette && depth === 16)) throw refuse(`with ${samples} samples a pixel`);
  if (page.planarConfiguration !== 1 && samples > 1) throw refuse('with separate colour planes');
  if (page.tiled && samples > 1) throw refuse('in colour tiles');
  checkPictureSize(name, { width, height, bytesPerPixel: Math.max(4, (samples * depth) / 8) });

  const [blockWidth, blockHeight] = blockSize(page);
  const blockBytes = Math.ceil((blockWidth * samples * depth) / 8) * blockHeight;
  if (!(blockBytes > 0 && blockBytes <= 2 ** 30))
    throw pictureErrors.damaged(name, 'its TIFF blocks have no valid size');
  return { blockBytes };
}

/** Width and height of a strip or tile. */
function blockSize(page: TiffPage): [number, number] {
  if (page.tiled) return [page.tileWidth ?? 0, page.tileHeight ?? 0];
  return [page.width, Math.min(page.rowsPerStrip, page.height)];
}

/** Every strip or tile must lie in the file and unpack to no more than its share of the picture. */
function checkBlocks(page: TiffPage, blockBytes: number, bytes: Buffer, name: string): void {
  const offsets: number[] | undefined = page.tiled ? page.tileOffsets : page.stripOffsets;
  const counts: number[] | undefined = page.tiled ? page.tileByteCounts : page.stripByteCounts;
  const [blockWidth, blockHeight] = blockSize(page);
  const expected = Math.ceil(page.width / blockWidth) * Math.ceil(page.height / blockHeight);
  if (offsets === undefined || counts === undefined || offsets.length !== counts.length || offsets.length < expected)
    throw pictureErrors.damaged(name, 'its TIFF header does not say where the pixels are');
  offsets.forEach((offset, i) => {
    const count = counts[i]!;
    if (offset + count > bytes.length) throw pictureErrors.truncated(name, 'the TIFF picture data are cut off');
    const block = bytes.subarray(offset, offset + count);
    // The last strip may be padded to full height; no block may unpack to more.
    if (page.compression === compressions.lzw) {
      if (lzwBytes(block, blockBytes) > blockBytes)
        throw pictureErrors.damaged(name, 'its TIFF picture data unpack to more than the header says');
    } else if (page.compression !== compressions.none) {
      try {
        inflateSync(block, { maxOutputLength: blockBytes });
      } catch (cause) {
        throw pictureErrors.damaged(name, 'its TIFF picture data do not unpack to the size in the header', cause);
      }
    }
  });
}

/** Counts what LZW data unpack to, without unpacking; stops soon after `limit`. */
function lzwBytes(data: Uint8Array, limit: number): number {
  const clear = 256;
  const end = 257;
  const lengths = new Uint32Array(4097).fill(1);
  let next = 258;
  let width = 9;
  let previous = -1;
  let total = 0;
  for (let bit = 0; bit + width <= data.length * 8 && total <= limit;) {
    const at = bit >> 3;
    const word = (data[at]! << 16) | ((data[at + 1] ?? 0) << 8) | (data[at + 2] ?? 0);
    const code = (word >> (24 - (bit & 7) - width)) & ((1 << width) - 1);
    bit += width;
    if (code === end) break;
    if (code === clear) {
      next = 258;
      width = 9;
      previous = -1;
      continue;
    }
    const before = previous < 0 ? 0 : lengths[previous]!;
    total += code < next ? lengths[code]! : before + 1;
    if (previous >= 0 && next < 4096) {
      lengths[next++] = before + 1;
      // TIFF widens one code early.
      if (next === 511 || next === 1023 || next === 2047) width++;
    }
    previous = code;
  }
  return total;
}

function toPicture(page: TiffPage, name: string): Picture {
  const { width, height, data, samplesPerPixel: samples } = page;
  if (!(data instanceof Uint8Array || data instanceof Uint16Array))
    throw pictureErrors.unsupported(name, 'is a TIFF with floating-point samples, which is not read');
  if (page.type === photometric.palette) {
    const palette = page.palette;
    if (palette === undefined) throw pictureErrors.damaged(name, 'its TIFF palette is missing');
    const rgb = new Uint8Array(width * height * 3);
    for (let i = 0; i < width * height; i++) {
      const entry = palette[data[i * samples]!];
      // Palettes hold 8-bit colours as v * 256 or v * 257: the upper byte is v in both.
      for (let c = 0; c < 3; c++) rgb[i * 3 + c] = (entry?.[c] ?? 0) >> 8;
    }
    return { width, height, data: rgb };
  }
  const blackAndWhite = page.bitsPerSample === 1;
  return pictureFromSamples(blackAndWhite ? data.map((bit) => bit * 255) : data, width, height, samples);
}
