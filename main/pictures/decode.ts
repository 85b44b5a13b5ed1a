import { readFile, stat } from 'node:fs/promises';
import { deflateSync, inflateSync } from 'node:zlib';
import { createCanvas, Image } from '@napi-rs/canvas';
import { decode as decodePngFile } from 'fast-png';
import { UserError } from '../../shared/errors.ts';
import { type Container, openBmp, openJpeg, openPng, openWebp, type PngContainer } from './containers.ts';
import { checkPictureSize, maxFileBytes, pictureErrors, pictureFormat } from './header.ts';
import { type Picture, pictureFromSamples } from './picture.ts';
import { decodeTiff } from './tiff.ts';

/** Deflate never packs tighter than this: a file that would have to is cut off or lies about its size. */
const maxDeflateRatio = 1032;
/** Rows are fetched from the decoder in blocks of about this many pixels. */
const blockPixels = 4 << 20;

/**
 * Reads a picture file: PNG, JPEG, BMP, WebP, TIFF (see `decodePicture`).
 *
 * @throws UserError `pictureMissing`, `pictureUnreadable` or what `decodePicture` throws, naming the path
 */
export async function readPicture(path: string): Promise<Picture> {
  return decodePicture(await readPictureFile(path), path);
}

/** The bytes of a picture file, with the same errors for missing and unreadable files everywhere. */
export async function readPictureFile(path: string): Promise<Buffer> {
  try {
    const { size } = await stat(path);
    if (size > maxFileBytes) throw pictureErrors.tooLarge(path, `the file has ${Math.round(size / 1e6)} MB`);
    return await readFile(path);
  } catch (error) {
    if (error instanceof UserError) throw error;
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    if (code === 'ENOENT')
      throw new UserError('pictureMissing', `"${path}" does not exist.`, 'Check the path.', { cause: error });
    const remedy = code === 'EISDIR' ? 'Give the path of a picture.' : 'Check that you may read the file.';
    throw new UserError('pictureUnreadable', `"${path}" cannot be read (${code}).`, remedy, { cause: error });
  }
}

/**
 * Decodes a picture to 8-bit RGB.
 *
 * The format is told by content, not by name. Grey is replicated, palettes are expanded, alpha is dropped without
 * compositing, colour profiles and gamma are ignored: the stored values count, as in Pillow's `convert('RGB')`. JPEG
 * (EXIF) and TIFF orientation are applied. 16-bit values are scaled by `round(v / 257)`. Of a TIFF with several pages
 * the first is read. Not read: lossless WebP with transparency, animated WebP, lossless and arithmetic JPEG, TIFF with
 * JPEG or PackBits compression, floating point, colour planes or colour tiles. Size and completeness are checked before any pixel is decoded, so a small file cannot ask for
 * much memory.
 *
 * @param name what error messages call the picture, usually its path
 * @throws UserError `pictureEmpty`, `pictureFormatUnknown`, `pictureTruncated`, `pictureDamaged`,
 *   `pictureUnsupported`, `pictureTooLarge`, `pictureTooSmall`
 */
export async function decodePicture(bytes: Uint8Array, name: string): Promise<Picture> {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const format = pictureFormat(buffer, name);
  if (format === 'tiff') return decodeTiff(buffer, name);
  if (format === 'png') {
    const png = openPng(buffer, name);
    checkPictureSize(name, png);
    const packed = png.compressed.reduce((sum, part) => sum + part.length, 0);
    if (packed * maxDeflateRatio < png.rawBytes)
      throw pictureErrors.truncated(name, 'the PNG holds fewer pixels than its header says');
    // The canvas premultiplies alpha and keeps 8 bits only.
    return png.depth === 16 || png.colourType >= 4 ? decodePng(png, name) : decodeOnCanvas(png, name);
  }
  const container = { jpeg: openJpeg, bmp: openBmp, webp: openWebp }[format](buffer, name);
  checkPictureSize(name, container);
  return decodeOnCanvas(container, name);
}

/** Opaque 8-bit pictures: a native decoder, off the main thread. Rows it could not decode stay transparent. */
async function decodeOnCanvas(container: Container, name: string): Promise<Picture> {
  const image = new Image();
  try {
    image.src = container.opaque;
    await image.decode();
  } catch (cause) {
    throw pictureErrors.damaged(name, 'its picture data cannot be decoded', cause);
  }
  // A JPEG's EXIF orientation is already applied here, so the sides may be swapped.
  const { width, height } = image;
  if (width * height !== container.width * container.height)
    throw pictureErrors.damaged(name, 'its picture data have another size than its header says');
  const data = new Uint8Array(width * height * 3);
  const blockRows = Math.max(1, Math.min(height, Math.floor(blockPixels / width)));
  const canvas = createCanvas(width, blockRows);
  const context = canvas.getContext('2d');
  let to = 0;
  for (let top = 0; top < height; top += blockRows) {
    const rows = Math.min(blockRows, height - top);
    if (top > 0) context.clearRect(0, 0, width, blockRows);
    context.drawImage(image, 0, -top);
    const rgba = canvas.data();
    let opaque = 255;
    for (let from = 0, end = rows * width * 4; from < end; from += 4, to += 3) {
      data[to] = rgba[from]!;
      data[to + 1] = rgba[from + 1]!;
      data[to + 2] = rgba[from + 2]!;
      opaque &= rgba[from + 3]!;
    }
    if (opaque !== 255 && container.mayBeTransparent === true)
      throw pictureErrors.unsupported(name, 'is a lossless WebP with transparency, which is not read');
    if (opaque !== 255) throw pictureErrors.damaged(name, 'part of its picture data cannot be decoded');
  }
  return { width, height, data };
}

/**
 * PNG with alpha or 16 bit. Node inflates, bounded by what the header promises; the library gets the same data stored,
 * so a decompression bomb ends here.
 */
function decodePng(png: PngContainer, name: string): Picture {
  let raw: Buffer;
  try {
    raw = inflateSync(Buffer.concat(png.compressed), { maxOutputLength: png.rawBytes });
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
    if (code === 'Z_BUF_ERROR') throw pictureErrors.truncated(name, 'the PNG picture data are cut off');
    throw pictureErrors.damaged(name, 'the PNG picture data do not unpack to the size in the header', cause);
  }
  if (raw.length < png.rawBytes) throw pictureErrors.truncated(name, 'the PNG holds fewer pixels than its header says');
  const stored = deflateSync(raw, { level: 0 });
  const chunkHead = Buffer.alloc(8);
  chunkHead.writeUInt32BE(stored.length, 0);
  chunkHead.write('IDAT', 4, 'latin1');
  try {
    const { data, width, height, channels } = decodePngFile(
      Buffer.concat([...png.head, chunkHead, stored, Buffer.alloc(4), png.end]),
    );
    return pictureFromSamples(data, width, height, channels);
  } catch (cause) {
    throw pictureErrors.damaged(name, 'its PNG picture data cannot be decoded', cause);
  }
}
