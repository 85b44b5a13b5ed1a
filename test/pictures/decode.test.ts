import { mkdtemp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deflateSync } from 'node:zlib';
import { encode } from 'fast-png';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseSafetensors } from '../../main/backbones/safetensors.ts';
import { decodePicture, readPicture } from '../../main/pictures/decode.ts';
import { orientPicture } from '../../main/pictures/picture.ts';
import { UserError } from '../../shared/errors.ts';
import { basePicture, expectedRgb, fixture, noisePicture } from './fixtures.ts';
import fc from '../seeded-fast-check.ts';

const goldenFolder = join(import.meta.dirname, '..', 'fixtures', 'golden');

async function errorOf(promise: Promise<unknown>): Promise<UserError> {
  const error: unknown = await promise.then(
    () => new Error('was accepted'),
    (reason: unknown) => reason,
  );
  if (!(error instanceof UserError)) throw error;
  return error;
}

/** The JPEG with an EXIF segment that holds nothing but the orientation. */
function withOrientation(jpeg: Buffer, orientation: number): Buffer {
  const exif = Buffer.from('Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\0\0\0\0\0\0\0', 'latin1');
  exif.writeUInt16BE(orientation, 6 + 8 + 2 + 8);
  const head = Buffer.from([0xff, 0xe1, 0, exif.length + 2]);
  return Buffer.concat([jpeg.subarray(0, 2), head, exif, jpeg.subarray(2)]);
}

describe('decodePicture', () => {
  const same = ['rgb.png', 'rgb.bmp', 'rgb.webp', 'rgb.tif', 'rgb-lzw.tif', 'rgb-deflate.tif', 'rgb16.tif'];
  const profiles = ['rgb-icc.png', 'rgb-icc.webp'];
  const alpha = ['alpha.png', 'alpha-v5.bmp', 'alpha.tif', 'interlaced.png', 'interlaced-alpha16.png'];

  it.each([...same, ...profiles, ...alpha])('%s has the base picture', async (name) => {
    expect(await decodePicture(fixture(name), name)).toEqual(basePicture());
  });

  it.each(
    ['photo.jpg', 'grey.jpg', 'palette.bmp', 'palette.png', 'palette.tif', 'palette-alpha.png', 'bilevel.png'].concat([
      'grey.tif',
      'alpha-lossy.webp',
    ]),
  )('%s is as Pillow decodes it', async (name) => {
    expect((await decodePicture(fixture(name), name)).data).toEqual(expectedRgb(name));
  });

  it('ignores colour profiles in JPEG', async () => {
    expect(await decodePicture(fixture('photo-icc.jpg'), 'x')).toEqual(await decodePicture(fixture('photo.jpg'), 'x'));
  });

  it.each([1, 2, 3, 4, 5, 6, 7, 8])('turns a JPEG with EXIF orientation %i upright', async (orientation) => {
    const stored = await decodePicture(fixture('photo.jpg'), 'photo.jpg');
    const turned = await decodePicture(withOrientation(fixture('photo.jpg'), orientation), 'turned.jpg');
    expect(turned).toEqual(orientPicture(stored, orientation));
    expect([turned.width, turned.height]).toEqual(orientation >= 5 ? [16, 24] : [24, 16]);
  });

  it('turns a TIFF upright: orientation 6 is a quarter turn clockwise', async () => {
    const base = basePicture();
    const turned = await decodePicture(fixture('turned.tif'), 'turned.tif');
    expect([turned.width, turned.height]).toEqual([16, 24]);
    // The first stored column, read upwards, is the first row.
    for (let x = 0; x < 16; x++) expect(turned.data[x * 3]).toBe(base.data[(15 - x) * 24 * 3]);
  });

  it('scales 16-bit values by round(v / 257), grey and RGB', async () => {
    const stored = fixture('grey16.u16');
    const values = Uint16Array.from({ length: 24 * 16 }, (_, i) => stored.readUInt16LE(i * 2));
    const expected = Uint8Array.from({ length: 24 * 16 * 3 }, (_, i) => Math.round(values[Math.floor(i / 3)]! / 257));
    expect((await decodePicture(fixture('grey16.tif'), 'x')).data).toEqual(expected);
    const png = encode({ width: 24, height: 16, data: values, depth: 16, channels: 1 });
    expect((await decodePicture(png, 'x')).data).toEqual(expected);
    const rgb = Uint16Array.from({ length: 8 * 8 * 3 }, (_, i) => (i * 7919) & 0xffff);
    const rgbPng = encode({ width: 8, height: 8, data: rgb, depth: 16, channels: 3 });
    expect((await decodePicture(rgbPng, 'x')).data).toEqual(Uint8Array.from(rgb, (v) => Math.round(v / 257)));
  });

  it('drops alpha without compositing, even where nothing is visible', async () => {
    const data = new Uint8Array(8 * 8 * 4).map((_, i) => (i % 4 === 3 ? 0 : i));
    const png = encode({ width: 8, height: 8, data, channels: 4 });
    expect((await decodePicture(png, 'x')).data).toEqual(data.filter((_, i) => i % 4 !== 3));
  });

  it('decodes pictures in several blocks', async () => {
    const picture = noisePicture(4100, 1100);
    const png = encode({ ...picture, channels: 3 }, { zlib: { level: 1 } });
    expect(Buffer.compare((await decodePicture(png, 'big.png')).data, picture.data)).toBe(0);
  });

  it.each(['rgb_61x47', 'gray_28x28', 'rgba_33x20', 'rgb_100x80', 'palette_24x24', 'gray_la_16x16'])(
    'golden %s: as Pillow',
    async (name) => {
      const path = join(goldenFolder, 'cases', 'preprocess.safetensors');
      const expected = parseSafetensors(await readFile(path), path).get(`${name}.decoded_rgb`);
      const picture = await readPicture(join(goldenFolder, 'preprocess', `${name}.png`));
      expect([picture.height, picture.width, 3]).toEqual(expected?.shape);
      expect(picture.data).toEqual(new Uint8Array(expected?.data as Uint8Array));
    },
  );
});

describe('bad pictures', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'twinspect-pictures-'));
  });
  afterAll(() => rm(folder, { recursive: true }));

  /** Every refusal names the picture and says what to do. */
  async function refused(bytes: Uint8Array, code: string, what: RegExp, name = 'part 7.png'): Promise<void> {
    const error = await errorOf(decodePicture(bytes, name));
    expect(error.code).toBe(code);
    expect(error.message).toContain(`"${name}"`);
    expect(error.message).toMatch(what);
    expect(error.remedy).toMatch(/\w+ .*\.$/);
  }

  it('zero bytes', () => refused(new Uint8Array(0), 'pictureEmpty', /empty/));
  it('text called .png', () => refused(Buffer.from('hello,\nthis is text\n'), 'pictureFormatUnknown', /holds text/));
  it('GIF', () => refused(Buffer.from('GIF89a\x01\0\x01\0\0'), 'pictureFormatUnknown', /GIF/));
  it('PDF', () => refused(Buffer.from('%PDF-1.7\n'), 'pictureFormatUnknown', /PDF/));
  it('zeros', () => refused(new Uint8Array(5000), 'pictureFormatUnknown', /zero bytes/));
  it('noise', () => refused(Buffer.from([1, 200, 3, 9, 255, 0, 7]), 'pictureFormatUnknown', /no picture/));

  const files = [
    'rgb.png',
    'alpha.png',
    'interlaced.png',
    'photo.jpg',
    'rgb.bmp',
    'rgb.webp',
    'alpha-lossy.webp',
  ].concat(['rgb.tif', 'rgb-deflate.tif', 'rgb-lzw.tif']);
  it.each(files)('%s cut off anywhere is never accepted', async (name) => {
    const whole = fixture(name);
    for (const share of [0.02, 0.1, 0.5, 0.9, 0.99]) {
      const error = await errorOf(decodePicture(whole.subarray(0, Math.floor(whole.length * share)), name));
      expect(['pictureTruncated', 'pictureDamaged', 'pictureFormatUnknown']).toContain(error.code);
      expect(error.message).toContain(name);
    }
  });
  it.each(files)('%s cut in the middle is called cut off or damaged', async (name) => {
    const whole = fixture(name);
    const error = await errorOf(decodePicture(whole.subarray(0, whole.length >> 1), name));
    expect(['pictureTruncated', 'pictureDamaged']).toContain(error.code);
  });

  it('mislabelled: the content counts', async () => {
    const path = join(folder, 'really a bmp.png');
    await writeFile(path, fixture('rgb.bmp'));
    expect(await readPicture(path)).toEqual(basePicture());
  });

  it('1 x 1', async () => {
    const dot = encode({ width: 1, height: 1, data: new Uint8Array([1, 2, 3]), channels: 3 });
    await refused(dot, 'pictureTooSmall', /1 x 1/);
  });

  describe('20,000 x 20,000 in the header, refused before decoding', () => {
    const huge = 20_000;
    const patched = (name: string, patch: (bytes: Buffer) => void): Buffer => {
      const bytes = Buffer.from(fixture(name));
      patch(bytes);
      return bytes;
    };
    it.each([
      ['rgb.png', (b: Buffer) => (b.writeUInt32BE(huge, 16), b.writeUInt32BE(huge, 20))],
      ['alpha.png', (b: Buffer) => (b.writeUInt32BE(huge, 16), b.writeUInt32BE(huge, 20))],
      [
        'photo.jpg',
        (b: Buffer) => {
          const frame = b.indexOf(Buffer.from([0xff, 0xc0]));
          b.writeUInt16BE(huge, frame + 5);
          b.writeUInt16BE(huge, frame + 7);
        },
      ],
      ['rgb.bmp', (b: Buffer) => (b.writeInt32LE(huge, 18), b.writeInt32LE(-huge, 22))],
      ['rgb.webp', (b: Buffer) => b.writeUInt32LE(0x0fff_ffff, 21)],
      ['rgb.tif', (b: Buffer) => patchTiff(b, huge)],
      ['rgb-lzw.tif', (b: Buffer) => patchTiff(b, huge)],
    ])('%s', (name, patch) => refused(patched(name, patch), 'pictureTooLarge', /too large/));
  });

  it('a size that the data cannot fill is refused before memory is taken', async () => {
    const png = Buffer.from(fixture('rgb.png'));
    png.writeUInt32BE(9000, 16);
    png.writeUInt32BE(9000, 20);
    await refused(png, 'pictureTruncated', /fewer pixels/);
    const jpeg = Buffer.from(fixture('photo.jpg'));
    const frame = jpeg.indexOf(Buffer.from([0xff, 0xc0]));
    jpeg.writeUInt16BE(9000, frame + 5);
    jpeg.writeUInt16BE(9000, frame + 7);
    await refused(jpeg, 'pictureTruncated', /fewer pixels/);
  });

  it('decompression bombs: PNG with alpha, deflate and LZW TIFF', async () => {
    const bomb = deflateSync(Buffer.alloc(50_000_000));
    const png = fixture('alpha.png');
    const data = png.indexOf('IDAT');
    const head = Buffer.alloc(8);
    head.writeUInt32BE(bomb.length);
    head.write('IDAT', 4);
    const end = png.subarray(png.length - 12);
    await refused(
      Buffer.concat([png.subarray(0, data - 4), head, bomb, Buffer.alloc(4), end]),
      'pictureDamaged',
      /size in the header/,
    );
    const tiff = fixture('rgb-deflate.tif');
    const strip = tiffEntry(tiff, 273);
    const count = tiffEntry(tiff, 279);
    const swollen = Buffer.concat([tiff, bomb]);
    swollen.writeUInt32LE(tiff.length, strip);
    swollen.writeUInt32LE(bomb.length, count);
    await refused(swollen, 'pictureDamaged', /size in the header/);
    const lzw = Buffer.from(fixture('rgb-lzw.tif'));
    // Half the rows: the same data now unpack to twice what the header promises.
    lzw.writeUInt16LE(8, tiffEntry(lzw, 257));
    lzw.writeUInt16LE(8, tiffEntry(lzw, 278));
    await refused(lzw, 'pictureDamaged', /more than the header says/);
  });

  it.each([
    ['alpha-lossless.webp', /lossless WebP with transparency/],
    ['rgb-packbits.tif', /compression 32773/],
  ])('%s is refused with a reason', (name, what) => refused(fixture(name), 'pictureUnsupported', what, name));

  it('a damaged middle is noticed where the format can tell', async () => {
    for (const name of ['rgb.png', 'alpha.png']) {
      const bytes = Buffer.from(fixture(name));
      const at = bytes.indexOf('IDAT') + 100;
      bytes.fill(0x55, at, at + 40);
      await refused(bytes, 'pictureDamaged', /cannot be decoded|do not unpack/, name);
    }
  });

  it('never fails otherwise, whatever the bytes', async () => {
    const names = fc.constantFrom(...files, 'rgb16.tif', 'palette.png', 'palette.bmp', 'palette.tif', 'alpha-v5.bmp');
    const edits = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { minLength: 1, maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(names, edits, fc.boolean(), async (name, changes, inHeader) => {
        const bytes = Buffer.from(fixture(name));
        for (const [at, value] of changes) bytes[at % (inHeader ? Math.min(200, bytes.length) : bytes.length)] = value;
        const result = await decodePicture(bytes, name).catch((error: unknown) => error);
        if (result instanceof UserError) return result.message.includes(name);
        if (result instanceof Error) throw result;
        const { width, height, data } = result as { width: number; height: number; data: Uint8Array };
        return data.length === width * height * 3;
      }),
      { numRuns: 400 },
    );
  });

  it('missing, a folder, and paths with spaces, umlauts, Korean and emoji', async () => {
    const missing = await errorOf(readPicture(join(folder, 'none.png')));
    expect(missing.code).toBe('pictureMissing');
    expect(missing.message).toContain('none.png');
    expect((await errorOf(readPicture(folder))).code).toBe('pictureUnreadable');
    const odd = join(folder, 'Prüf teile', '부품 🍪.png');
    await mkdir(join(odd, '..'));
    await writeFile(odd, fixture('rgb.png'));
    expect(await readPicture(odd)).toEqual(basePicture());
    await writeFile(odd, 'text');
    expect((await errorOf(readPicture(odd))).message).toContain('부품 🍪.png');
  });
});

/** Byte offset of a tag's value in a little-endian TIFF. */
function tiffEntry(bytes: Buffer, tag: number): number {
  const ifd = bytes.readUInt32LE(4);
  for (let at = ifd + 2; ; at += 12) if (bytes.readUInt16LE(at) === tag) return at + 8;
}

function patchTiff(bytes: Buffer, size: number): void {
  bytes.writeUInt16LE(size, tiffEntry(bytes, 256));
  bytes.writeUInt16LE(size, tiffEntry(bytes, 257));
}
