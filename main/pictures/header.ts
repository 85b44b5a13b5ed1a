import { UserError } from '../../shared/errors.ts';

/** What the first bytes of a file say, read before anything is decoded. */
export interface PictureHeader {
  format: PictureFormat;
  width: number;
  height: number;
  /** Bytes that one pixel takes while decoding. */
  bytesPerPixel: number;
}

export type PictureFormat = 'png' | 'jpeg' | 'bmp' | 'webp' | 'tiff';

/** A picture needs at least this many pixels on each side. */
export const minPictureSide = 4;
/** No side may be longer: the decoders' own bound. */
export const maxPictureSide = 32_000;
/**
 * Bounds what decoding takes in memory, whatever a file claims: 100 megapixels; 50 as PNG with alpha, 33 as 16-bit
 * RGB PNG, 25 with both. The peak is about three times this.
 */
export const maxDecodedBytes = 400_000_000;
/** Files above this are not even read. */
export const maxFileBytes = 1_000_000_000;

const formats = 'PNG, JPEG, BMP, WebP or TIFF';

/** Errors about a picture name it and say what can be done; the codes are stable for scripts. */
export const pictureErrors = {
  empty: (name: string) =>
    new UserError('pictureEmpty', `"${name}" is empty (0 bytes).`, 'Copy or record the picture again.'),
  unknown: (name: string, holds: string) =>
    new UserError('pictureFormatUnknown', `"${name}" ${holds}.`, `Use a ${formats} file.`),
  truncated: (name: string, detail: string) =>
    new UserError('pictureTruncated', `"${name}" ends too early: ${detail}.`, 'Copy or record the picture again.'),
  damaged: (name: string, detail: string, cause?: unknown) =>
    new UserError('pictureDamaged', `"${name}" is damaged: ${detail}.`, 'Copy or record the picture again.', { cause }),
  unsupported: (name: string, detail: string) =>
    new UserError(
      'pictureUnsupported',
      `"${name}" ${detail}.`,
      'Save it as PNG or as an ordinary RGB or grey picture.',
    ),
  tooLarge: (name: string, detail: string) =>
    new UserError(
      'pictureTooLarge',
      `"${name}" is too large: ${detail}.`,
      `Crop it or make it smaller: at most ${maxPictureSide} pixels a side and ${maxDecodedBytes / 4e6} megapixels (25 with alpha or 16 bit).`,
    ),
  tooSmall: (name: string, detail: string) =>
    new UserError(
      'pictureTooSmall',
      `"${name}" is too small: ${detail}.`,
      `A picture needs at least ${minPictureSide} x ${minPictureSide} pixels.`,
    ),
};

/** Refuses a size that cannot be inspected or would take too much memory. Call it before decoding. */
export function checkPictureSize(name: string, header: Omit<PictureHeader, 'format'>): void {
  const { width, height, bytesPerPixel } = header;
  const size = `${width} x ${height} pixels`;
  if (width < minPictureSide || height < minPictureSide) throw pictureErrors.tooSmall(name, size);
  if (width > maxPictureSide || height > maxPictureSide || width * height * bytesPerPixel > maxDecodedBytes)
    throw pictureErrors.tooLarge(name, size);
}

/** Tells the format by content; the file's name plays no part. */
export function pictureFormat(bytes: Buffer, name: string): PictureFormat {
  if (bytes.length === 0) throw pictureErrors.empty(name);
  const start = bytes.toString('latin1', 0, 16);
  if (start.startsWith('\x89PNG\r\n\x1a\n')) return 'png';
  if (start.startsWith('\xff\xd8\xff')) return 'jpeg';
  if (start.startsWith('BM') && bytes.length >= 18 && bytes.readUInt32LE(14) <= 124) return 'bmp';
  if (start.startsWith('RIFF') && start.slice(8, 12) === 'WEBP') return 'webp';
  if (start.startsWith('II*\0') || start.startsWith('MM\0*')) return 'tiff';
  throw pictureErrors.unknown(name, foreignContent(bytes, start));
}

function foreignContent(bytes: Buffer, start: string): string {
  if (start.startsWith('GIF8')) return 'is a GIF file, which is not read';
  if (start.startsWith('%PDF')) return 'is a PDF document, not a picture';
  if (start.startsWith('PK')) return 'is a ZIP archive, not a picture';
  if (start.startsWith('II+\0') || start.startsWith('MM\0+')) return 'is a BigTIFF file, which is not read';
  if (start.slice(4, 8) === 'ftyp') return 'is a HEIC, AVIF or video file, which is not read';
  const sample = bytes.subarray(0, 512);
  if (sample.every((byte) => byte === 0)) return 'holds only zero bytes, not a picture';
  const text = sample.every((byte) => byte >= 32 || byte === 9 || byte === 10 || byte === 13);
  return text ? 'holds text, not a picture' : 'is no picture of a known format';
}
