import { createHash } from 'node:crypto';
import { UserError } from '../../shared/errors.ts';
import { cropPicture, type Picture, type PreparedPicture, type Region } from './picture.ts';
import { resample, type ResampleFilter } from './resample.ts';

/** Where a picture is not to be judged. Coordinates are pixels of the full picture (before the region is cut out). */
export interface IgnoreMask {
  rectangles?: readonly Region[];
  /** Corners `[x, y]`; a pixel is inside when its centre is (even-odd rule). */
  polygons?: readonly (readonly (readonly [number, number])[])[];
  /** Same size as the full picture, `[height, width]`; nonzero is ignored. */
  bitmap?: { width: number; height: number; data: Uint8Array };
}

/** Which part of the picture the network sees, and how large. Ground-truth masks follow the same geometry. */
export interface PictureGeometry {
  /** Side of the network's square input in pixels. */
  size: number;
  /** Resize to this side first, then cut `size` out of the centre; default: `size`, nothing is cut. */
  resizeTo?: number;
  /** Cut out before the resize; default: the whole picture. */
  region?: Region;
}

export interface PrepareOptions extends PictureGeometry {
  /** Default bilinear. */
  filter?: Extract<ResampleFilter, 'bilinear' | 'bicubic'>;
  ignoreMask?: IgnoreMask;
}

/** Mid grey: what ignored areas are filled with. */
const ignoredGrey = 127;

/**
 * THE way from a decoded picture to the network's input, for training, folders and cameras alike: region, ignore mask
 * (filled with grey 127), resize (aspect ratio not kept, method-spec section 1), centre crop. Normalisation is part of
 * the graph. Pure: the same pixels and options always give the same bytes, and the picture is left as it was.
 *
 * @returns `[size, size, 3]` 8-bit RGB with its sha256
 * @throws UserError `regionOutside` when the region leaves the picture, `ignoreMaskSize` when the bitmap has another
 *   size than the picture
 * @throws RangeError when `size` is not a whole number or larger than `resizeTo`
 */
export function preparePicture(picture: Picture, options: PrepareOptions): PreparedPicture {
  const { size, filter = 'bilinear' } = options;
  const resizeTo = checkedResize(options);
  let sized = resample(cutOut(picture, options), resizeTo, resizeTo, filter);
  if (resizeTo !== size) sized = cropPicture(sized, centreCrop(resizeTo, size));
  const pixelHash = createHash('sha256').update(sized.data).digest('hex');
  return { width: size, height: size, data: sized.data, pixelHash };
}

/**
 * The part of a picture that is looked at: region cut out, ignored places filled. What is left of `preparePicture` is
 * resizing it. The picture is left as it was.
 * @throws UserError as `preparePicture`
 */
export function cutOut(
  picture: Picture,
  { region, ignoreMask }: Pick<PrepareOptions, 'region' | 'ignoreMask'>,
): Picture {
  let seen = region === undefined ? picture : cutRegion(picture, region);
  if (ignoreMask === undefined) return seen;
  if (seen === picture) seen = { ...picture, data: picture.data.slice() };
  fillIgnored(seen, ignoreMask, region?.x ?? 0, region?.y ?? 0, picture);
  return seen;
}

/**
 * A ground-truth mask in the network's geometry: nearest pixel, any nonzero value counts as defect.
 *
 * @param mask the mask as a picture, same size as the picture it belongs to
 * @returns `[size, size]`, 0 or 1
 * @throws as `preparePicture`
 */
export function maskToSize(mask: Picture, geometry: PictureGeometry): Uint8Array {
  const { size } = geometry;
  const resizeTo = checkedResize(geometry);
  const seen = geometry.region === undefined ? mask : cutRegion(mask, geometry.region);
  const offset = centreCrop(resizeTo, size).x;
  const out = new Uint8Array(size * size);
  for (let y = 0; y < size; y++) {
    const row = Math.floor(((y + offset + 0.5) * seen.height) / resizeTo);
    for (let x = 0; x < size; x++) {
      const at = (row * seen.width + Math.floor(((x + offset + 0.5) * seen.width) / resizeTo)) * 3;
      out[y * size + x] = seen.data[at]! | seen.data[at + 1]! | seen.data[at + 2]! ? 1 : 0;
    }
  }
  return out;
}

function checkedResize({ size, resizeTo = size }: PictureGeometry): number {
  if (!Number.isInteger(size) || !Number.isInteger(resizeTo) || size < 1 || resizeTo < size)
    throw new RangeError(`size ${size} and resizeTo ${resizeTo} must be whole numbers, resizeTo not smaller`);
  return resizeTo;
}

/** Centre of a square picture, cut as torchvision's CenterCrop: half the difference, rounded to even. */
export function centreCrop(from: number, size: number): Region {
  const half = (from - size) / 2;
  const lower = Math.floor(half);
  const offset = half === lower || lower % 2 === 0 ? lower : lower + 1;
  return { x: offset, y: offset, width: size, height: size };
}

function cutRegion(picture: Picture, region: Region): Picture {
  try {
    return cropPicture(picture, region);
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    const { x, y, width, height } = region;
    throw new UserError(
      'regionOutside',
      `The region ${width} x ${height} at (${x}, ${y}) does not lie inside the picture of ${picture.width} x ${picture.height} pixels.`,
      'Draw the region again for this camera, or give pictures of the size it was drawn for.',
      { cause },
    );
  }
}

/** Fills in place. `left` and `top` say where `seen` lies in the full picture. */
function fillIgnored(seen: Picture, mask: IgnoreMask, left: number, top: number, full: Picture): void {
  const fill = (y: number, from: number, to: number): void => {
    const start = Math.max(0, from - left);
    const end = Math.min(seen.width, to - left);
    const row = y - top;
    if (row < 0 || row >= seen.height || end <= start) return;
    seen.data.fill(ignoredGrey, (row * seen.width + start) * 3, (row * seen.width + end) * 3);
  };
  for (const { x, y, width, height } of mask.rectangles ?? [])
    for (let row = Math.round(y); row < Math.round(y + height); row++) fill(row, Math.round(x), Math.round(x + width));
  for (const corners of mask.polygons ?? []) fillPolygon(corners, top, top + seen.height, fill);
  const { bitmap } = mask;
  if (bitmap === undefined) return;
  if (bitmap.width !== full.width || bitmap.height !== full.height)
    throw new UserError(
      'ignoreMaskSize',
      `The ignore mask has ${bitmap.width} x ${bitmap.height} pixels, the picture ${full.width} x ${full.height}.`,
      'Draw the mask again for this camera.',
    );
  for (let y = top; y < top + seen.height; y++)
    for (let x = left; x < left + seen.width; x++) if (bitmap.data[y * bitmap.width + x] !== 0) fill(y, x, x + 1);
}

/** Even-odd scanline fill at pixel centres, rows `firstRow` to `endRow` only. */
function fillPolygon(
  corners: readonly (readonly [number, number])[],
  firstRow: number,
  endRow: number,
  fill: (y: number, from: number, to: number) => void,
): void {
  const ys = corners.map(([, y]) => y);
  const begin = Math.max(firstRow, Math.floor(Math.min(...ys)));
  const end = Math.min(endRow, Math.ceil(Math.max(...ys)));
  for (let y = begin; y < end; y++) {
    const middle = y + 0.5;
    const crossings: number[] = [];
    corners.forEach(([x1, y1], i) => {
      const [x2, y2] = corners[(i + 1) % corners.length]!;
      if (y1 <= middle !== y2 <= middle) crossings.push(x1 + ((middle - y1) / (y2 - y1)) * (x2 - x1));
    });
    crossings.sort((a, b) => a - b);
    // A pixel x is inside when its centre x + 0.5 lies between two crossings.
    for (let i = 0; i + 1 < crossings.length; i += 2)
      fill(y, Math.ceil(crossings[i]! - 0.5), Math.ceil(crossings[i + 1]! - 0.5));
  }
}
