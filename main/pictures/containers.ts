import { checkPictureSize, pictureErrors, type PictureHeader } from './header.ts';

/**
 * Walks the containers (not the pixels) of PNG, JPEG, BMP and WebP: size, completeness, and a version of the file
 * without colour profiles and transparency, so that every decoder gives the stored RGB values.
 */
export interface Container extends PictureHeader {
  /** Opaque version of the file for the decoder. */
  opaque: Buffer;
  /** The file may hold alpha that cannot be taken out of it; the decoder would premultiply it. */
  mayBeTransparent?: boolean;
}

/** Each 8 x 8 block takes at least one bit (512 pixels a byte); the rest is leeway for odd sampling factors. */
const maxJpegPixelsPerByte = 4096;

/** JPEG: drops APP2 (colour profiles); keeps EXIF, whose orientation the decoder obeys. */
export function openJpeg(bytes: Buffer, name: string): Container {
  const kept: Buffer[] = [bytes.subarray(0, 2)];
  let frame: { width: number; height: number } | undefined;
  let at = 2;
  let scan = -1;
  while (scan < 0) {
    if (at + 4 > bytes.length) throw pictureErrors.truncated(name, 'the JPEG header is cut off');
    if (bytes[at] !== 0xff) throw pictureErrors.damaged(name, 'the JPEG header has no marker where one belongs');
    const marker = bytes[at + 1]!;
    if (marker === 0xff) {
      at++;
      continue;
    }
    const end = at + 2 + bytes.readUInt16BE(at + 2);
    if (end > bytes.length) throw pictureErrors.truncated(name, 'the JPEG header is cut off');
    const isFrame = marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc;
    if (isFrame) {
      if (end - at < 10) throw pictureErrors.damaged(name, 'the JPEG frame header is too short');
      if (marker > 0xc2 || bytes[at + 4] !== 8)
        throw pictureErrors.unsupported(name, 'is a lossless, arithmetic-coded or 12-bit JPEG, which is not read');
      frame = { height: bytes.readUInt16BE(at + 5), width: bytes.readUInt16BE(at + 7) };
      checkPictureSize(name, { ...frame, bytesPerPixel: 4 });
    }
    if (marker === 0xda) scan = at;
    else if (marker !== 0xe2) kept.push(bytes.subarray(at, end));
    at = end;
  }
  if (frame === undefined) throw pictureErrors.damaged(name, 'the JPEG has no frame header before its data');
  // In the coded data a marker never looks like "end of image"; what stands behind it is not part of the picture.
  if (bytes.indexOf('\xff\xd9', scan, 'latin1') < 0)
    throw pictureErrors.truncated(name, 'the JPEG has no end-of-image marker');
  if ((bytes.length - scan) * maxJpegPixelsPerByte < frame.width * frame.height)
    throw pictureErrors.truncated(name, 'the JPEG holds fewer pixels than its header says');
  kept.push(bytes.subarray(scan));
  return { format: 'jpeg', ...frame, bytesPerPixel: 4, opaque: Buffer.concat(kept) };
}

export interface PngContainer extends Container {
  depth: number;
  /** 0 grey, 2 RGB, 3 palette, 4 grey + alpha, 6 RGB + alpha */
  colourType: number;
  /** Bytes that the picture data must inflate to. */
  rawBytes: number;
  /** The compressed picture data. */
  compressed: Buffer[];
  /** Signature and header chunks, for a file with other picture data. */
  head: Buffer[];
  end: Buffer;
}

/** PNG: keeps only the chunks that make pixels (no profiles, gamma, transparency, animation). */
export function openPng(bytes: Buffer, name: string): PngContainer {
  const head: Buffer[] = [bytes.subarray(0, 8)];
  const data: Buffer[] = [];
  const compressed: Buffer[] = [];
  let end: Buffer | undefined;
  for (let at = 8; end === undefined;) {
    if (at + 12 > bytes.length) throw pictureErrors.truncated(name, 'the PNG has no end chunk');
    const length = bytes.readUInt32BE(at);
    const next = at + 12 + length;
    if (next > bytes.length) throw pictureErrors.truncated(name, 'a PNG chunk is cut off');
    const type = bytes.toString('latin1', at + 4, at + 8);
    const chunk = bytes.subarray(at, next);
    if (at === 8 && (type !== 'IHDR' || length !== 13)) throw pictureErrors.damaged(name, 'the PNG header is wrong');
    if (type === 'IHDR' || type === 'PLTE') head.push(chunk);
    else if (type === 'IDAT') {
      data.push(chunk);
      compressed.push(chunk.subarray(8, 8 + length));
    } else if (type === 'IEND') end = chunk;
    at = next;
  }
  const [width, height] = [bytes.readUInt32BE(16), bytes.readUInt32BE(20)];
  const [depth, colourType, interlace] = [bytes[24]!, bytes[25]!, bytes[28]!];
  const channels = [1, 0, 3, 1, 2, 0, 4][colourType] ?? 0;
  if (channels === 0 || ![1, 2, 4, 8, 16].includes(depth) || interlace > 1)
    throw pictureErrors.damaged(name, 'the PNG header names an unknown pixel layout');
  const bits = depth * channels;
  return {
    format: 'png',
    width,
    height,
    // Alpha and 16 bit take a longer way, which holds the samples twice.
    bytesPerPixel: depth === 16 || colourType >= 4 ? Math.max(4, bits / 4) : 4,
    opaque: Buffer.concat([...head, ...data, end]),
    depth,
    colourType,
    rawBytes: interlace === 1 ? interlacedBytes(width, height, bits) : height * (1 + Math.ceil((width * bits) / 8)),
    compressed,
    head,
    end,
  };
}

/** Adam7: seven passes, each with its own rows and filter bytes. */
function interlacedBytes(width: number, height: number, bits: number): number {
  const passes = [
    [0, 0, 8, 8],
    [4, 0, 8, 8],
    [0, 4, 4, 8],
    [2, 0, 4, 4],
    [0, 2, 2, 4],
    [1, 0, 2, 2],
    [0, 1, 1, 2],
  ] as const;
  return passes.reduce((sum, [x, y, dx, dy]) => {
    const columns = Math.ceil((width - x) / dx);
    const rows = Math.ceil((height - y) / dy);
    return columns > 0 && rows > 0 ? sum + rows * (1 + Math.ceil((columns * bits) / 8)) : sum;
  }, 0);
}

/** BMP: an alpha mask is cleared, so that the fourth byte of a pixel is padding. */
export function openBmp(bytes: Buffer, name: string): Container {
  if (bytes.length < 26) throw pictureErrors.truncated(name, 'the BMP header is cut off');
  const headerBytes = bytes.readUInt32LE(14);
  if (bytes.length < 14 + headerBytes) throw pictureErrors.truncated(name, 'the BMP header is cut off');
  const old = headerBytes === 12;
  if (!old && headerBytes < 40) throw pictureErrors.damaged(name, 'the BMP header has an unknown length');
  const width = old ? bytes.readUInt16LE(18) : Math.abs(bytes.readInt32LE(18));
  const height = old ? bytes.readUInt16LE(20) : Math.abs(bytes.readInt32LE(22));
  const bits = bytes.readUInt16LE(old ? 24 : 28);
  const compression = old ? 0 : bytes.readUInt32LE(30);
  if (![1, 4, 8, 16, 24, 32].includes(bits) || compression === 4 || compression === 5)
    throw pictureErrors.unsupported(name, 'is a BMP of a rare kind, which is not read');
  checkPictureSize(name, { width, height, bytesPerPixel: 4 });
  const packed = compression === 1 || compression === 2;
  if (!packed && bytes.readUInt32LE(10) + Math.ceil((width * bits) / 32) * 4 * height > bytes.length)
    throw pictureErrors.truncated(name, 'the BMP holds fewer pixels than its header says');
  let opaque = bytes;
  if (headerBytes >= 56) {
    opaque = Buffer.from(bytes);
    opaque.writeUInt32LE(0, 14 + 52);
  }
  return { format: 'bmp', width, height, bytesPerPixel: 4, opaque };
}

/** WebP: keeps the picture alone (no profile, no alpha plane, no metadata). Animations are refused. */
export function openWebp(bytes: Buffer, name: string): Container {
  if (bytes.length < 30) throw pictureErrors.truncated(name, 'the WebP header is cut off');
  if (bytes.readUInt32LE(4) + 8 > bytes.length)
    throw pictureErrors.truncated(name, 'the WebP is shorter than its header says');
  for (let at = 12; at + 8 <= bytes.length;) {
    const type = bytes.toString('latin1', at, at + 4);
    const length = bytes.readUInt32LE(at + 4);
    const next = at + 8 + length + (length & 1);
    if (at + 8 + length > bytes.length) throw pictureErrors.truncated(name, 'a WebP chunk is cut off');
    if (type === 'ANIM' || type === 'ANMF')
      throw pictureErrors.unsupported(name, 'is an animated WebP, which is not read');
    if (type === 'VP8 ' || type === 'VP8L') {
      if (length < 10) throw pictureErrors.truncated(name, 'the WebP picture data are cut off');
      const picture = Buffer.alloc(next - at);
      bytes.copy(picture, 0, at, Math.min(next, bytes.length));
      const size = type === 'VP8 ' ? lossySize(picture) : losslessSize(picture);
      const head = Buffer.from('RIFF\0\0\0\0WEBP', 'latin1');
      head.writeUInt32LE(4 + picture.length, 4);
      return { format: 'webp', ...size, bytesPerPixel: 4, opaque: Buffer.concat([head, picture]) };
    }
    at = next;
  }
  throw pictureErrors.damaged(name, 'the WebP holds no picture');
}

function lossySize(chunk: Buffer): { width: number; height: number } {
  return { width: chunk.readUInt16LE(14) & 0x3fff, height: chunk.readUInt16LE(16) & 0x3fff };
}

/** Lossless WebP keeps alpha inside the picture data; one bit says whether it is used. */
function losslessSize(chunk: Buffer): { width: number; height: number; mayBeTransparent: boolean } {
  const bits = chunk.readUInt32LE(9);
  return {
    width: (bits & 0x3fff) + 1,
    height: ((bits >>> 14) & 0x3fff) + 1,
    mayBeTransparent: (bits & 0x1000_0000) !== 0,
  };
}
