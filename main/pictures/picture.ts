/** A decoded picture: 8-bit RGB, row-major, no padding. */
export interface Picture {
  width: number;
  height: number;
  /** `[height, width, 3]` */
  data: Uint8Array;
}

/** What the network sees: `[size, size, 3]` 8-bit RGB after region, ignore mask and resize. */
export interface PreparedPicture extends Picture {
  /** sha256 of `data`: the same pixels have the same key on every path. */
  pixelHash: string;
}

/** A rectangle in whole pixels of the full picture. */
export interface Region {
  x: number;
  y: number;
  width: number;
  height: number;
}

/**
 * A camera frame or canvas as a picture: alpha is dropped without compositing.
 *
 * @param rgba `[height, width, 4]` 8 bit, not premultiplied
 * @throws RangeError when the buffer does not fit the size
 */
export function pictureFromRgba(rgba: Uint8Array | Uint8ClampedArray, width: number, height: number): Picture {
  return pictureFromSamples(rgba, width, height, 4);
}

/**
 * Interleaved samples as a picture: grey is replicated, alpha is dropped without compositing, 16-bit values are scaled
 * by `round(v / 257)` (65535 becomes 255, an 8-bit value stored as v * 257 comes back as v).
 *
 * @param samples  `[height, width, channels]`, 8 bit, or 16 bit in a Uint16Array
 * @param channels 1 grey, 2 grey + alpha, 3 RGB, 4 RGB + alpha
 * @throws RangeError when the buffer does not fit the size
 */
export function pictureFromSamples(
  samples: Uint8Array | Uint8ClampedArray | Uint16Array,
  width: number,
  height: number,
  channels: number,
): Picture {
  const pixels = width * height;
  if (samples.length !== pixels * channels)
    throw new RangeError(
      `${width} x ${height} x ${channels} needs ${pixels * channels} samples, got ${samples.length}`,
    );
  const data = new Uint8Array(pixels * 3);
  const green = channels < 3 ? 0 : 1;
  const blue = channels < 3 ? 0 : 2;
  if (samples instanceof Uint16Array) {
    for (let i = 0, from = 0, to = 0; i < pixels; i++, from += channels, to += 3) {
      data[to] = to8Bit(samples[from]!);
      data[to + 1] = to8Bit(samples[from + green]!);
      data[to + 2] = to8Bit(samples[from + blue]!);
    }
  } else {
    for (let i = 0, from = 0, to = 0; i < pixels; i++, from += channels, to += 3) {
      data[to] = samples[from]!;
      data[to + 1] = samples[from + green]!;
      data[to + 2] = samples[from + blue]!;
    }
  }
  return { width, height, data };
}

/** `round(v / 257)`; 257 is odd, so there are no ties. */
function to8Bit(value: number): number {
  return Math.floor((value + 128) / 257);
}

/**
 * A copy of a rectangle of the picture.
 *
 * @throws RangeError when the region is not in whole pixels, is empty or leaves the picture
 */
export function cropPicture(picture: Picture, region: Region): Picture {
  const { x, y, width, height } = region;
  const whole = [x, y, width, height].every(Number.isInteger);
  if (!whole || x < 0 || y < 0 || width < 1 || height < 1 || x + width > picture.width || y + height > picture.height)
    throw new RangeError(`region ${width} x ${height} at ${x}, ${y} is outside ${picture.width} x ${picture.height}`);
  const data = new Uint8Array(width * height * 3);
  for (let row = 0; row < height; row++) {
    const from = ((y + row) * picture.width + x) * 3;
    data.set(picture.data.subarray(from, from + width * 3), row * width * 3);
  }
  return { width, height, data };
}

/**
 * Turns a picture upright by its EXIF/TIFF orientation tag (1 to 8; 1 and unknown values leave it as it is).
 */
export function orientPicture(picture: Picture, orientation: number): Picture {
  if (!(orientation >= 2 && orientation <= 8)) return picture;
  const { width, height } = picture;
  const swapped = orientation >= 5;
  const outWidth = swapped ? height : width;
  const outHeight = swapped ? width : height;
  const data = new Uint8Array(picture.data.length);
  // For each output pixel, where it lies in the stored picture.
  const flipX = orientation === 2 || orientation === 3 || orientation === 7 || orientation === 8;
  const flipY = orientation === 3 || orientation === 4 || orientation === 6 || orientation === 7;
  for (let y = 0, to = 0; y < outHeight; y++)
    for (let x = 0; x < outWidth; x++, to += 3) {
      const column = swapped ? y : x;
      const row = swapped ? x : y;
      const from = ((flipY ? height - 1 - row : row) * width + (flipX ? width - 1 - column : column)) * 3;
      data[to] = picture.data[from]!;
      data[to + 1] = picture.data[from + 1]!;
      data[to + 2] = picture.data[from + 2]!;
    }
  return { width: outWidth, height: outHeight, data };
}
