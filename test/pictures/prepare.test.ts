import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { readFileSync } from 'node:fs';
import { encode } from 'fast-png';
import { describe, expect, it } from 'vitest';
import { parseSafetensors } from '../../main/backbones/safetensors.ts';
import { decodePicture } from '../../main/pictures/decode.ts';
import { cropPicture, type Picture, pictureFromRgba } from '../../main/pictures/picture.ts';
import { maskToSize, preparePicture } from '../../main/pictures/prepare.ts';
import { resample } from '../../main/pictures/resample.ts';
import { UserError } from '../../shared/errors.ts';
import { basePicture, fixture, noisePicture } from './fixtures.ts';
import fc from '../seeded-fast-check.ts';

function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    return error instanceof UserError ? error.code : String(error);
  }
  return 'none';
}

const pixel = ({ width, data }: Picture, x: number, y: number): number => data[(y * width + x) * 3]!;

describe('preparePicture', () => {
  it('gives the same bytes and hash for the same pixels, whatever the path', async () => {
    const base = basePicture();
    const rgba = new Uint8ClampedArray(24 * 16 * 4).map((_, i) =>
      i % 4 === 3 ? (i * 31) & 255 : base.data[Math.floor(i / 4) * 3 + (i % 4)]!,
    );
    const paths: Picture[] = [base, pictureFromRgba(rgba, 24, 16)];
    for (const name of ['rgb.png', 'interlaced.png', 'alpha.png', 'rgb.bmp', 'rgb.webp', 'rgb.tif', 'rgb16.tif'])
      paths.push(await decodePicture(fixture(name), name));
    const options = {
      size: 32,
      resizeTo: 40,
      region: { x: 2, y: 1, width: 20, height: 14 },
      ignoreMask: { rectangles: [{ x: 5, y: 5, width: 3, height: 3 }] },
    };
    for (const choice of [{ size: 64 }, options]) {
      const prepared = paths.map((picture) => preparePicture(picture, choice));
      expect(prepared[0]!.data.length).toBe(choice.size ** 2 * 3);
      expect(prepared[0]!.pixelHash).toBe(createHash('sha256').update(prepared[0]!.data).digest('hex'));
      for (const other of prepared) expect(other).toEqual(prepared[0]);
    }
  });

  it('is pure: the picture stays as it was, twice gives the same', () => {
    const picture = noisePicture(50, 40);
    const copy = picture.data.slice();
    const options = { size: 32, ignoreMask: { rectangles: [{ x: 0, y: 0, width: 50, height: 40 }] } };
    expect(preparePicture(picture, options)).toEqual(preparePicture(picture, options));
    expect(picture.data).toEqual(copy);
  });

  it('matches the golden resize and centre crop', () => {
    const path = join(import.meta.dirname, '..', 'fixtures', 'golden', 'cases', 'preprocess.safetensors');
    const golden = parseSafetensors(readFileSync(path), path);
    const source = golden.get('rgb_61x47.decoded_rgb')!;
    const picture = { height: 61, width: 47, data: new Uint8Array(source.data as Uint8Array) };
    const mean = [0.485, 0.456, 0.406];
    const std = [0.229, 0.224, 0.225];
    for (const [resizeTo, size] of [
      [64, 56],
      [48, 42],
    ] as const) {
      const { data } = preparePicture(picture, { size, resizeTo });
      const expected = golden.get(`rgb_61x47.bilinear.${resizeTo}to${size}.tensor`)!.data as Float32Array;
      for (let c = 0; c < 3; c++)
        for (let i = 0; i < size * size; i++)
          expect(Math.abs((data[i * 3 + c]! / 255 - mean[c]!) / std[c]! - expected[c * size * size + i]!)).toBeLessThan(
            1e-6,
          );
    }
  });

  it('cuts the centre as torchvision: the half offset is rounded to even', () => {
    const picture = noisePicture(37, 37);
    // (37 - 32) / 2 = 2.5 -> 2, (37 - 30) / 2 = 3.5 -> 4
    const cut = (offset: number, size: number): Uint8Array =>
      cropPicture(picture, { x: offset, y: offset, width: size, height: size }).data;
    expect(preparePicture(picture, { size: 32, resizeTo: 37 }).data).toEqual(cut(2, 32));
    expect(preparePicture(picture, { size: 30, resizeTo: 37 }).data).toEqual(cut(4, 30));
  });

  it('resizes the region alone: what is outside has no influence', () => {
    const region = { x: 10, y: 5, width: 20, height: 25 };
    const picture = noisePicture(60, 40);
    const alone = cropPicture(picture, region);
    expect(preparePicture(picture, { size: 16, region }).data).toEqual(resample(alone, 16, 16, 'bilinear').data);
    expect(preparePicture(picture, { size: 16, region, filter: 'bicubic' }).data).toEqual(
      resample(alone, 16, 16, 'bicubic').data,
    );
  });

  it('refuses a region that leaves the picture', () => {
    const picture = noisePicture(20, 20);
    for (const region of [
      { x: 10, y: 0, width: 11, height: 5 },
      { x: -1, y: 0, width: 5, height: 5 },
      { x: 0, y: 0, width: 0, height: 5 },
      { x: 0.5, y: 0, width: 5, height: 5 },
    ])
      expect(codeOf(() => preparePicture(picture, { size: 8, region }))).toBe('regionOutside');
    expect(() => preparePicture(picture, { size: 16, resizeTo: 8 })).toThrow(RangeError);
  });

  it('fills ignored areas with grey 127 before the resize', () => {
    const black: Picture = { width: 16, height: 16, data: new Uint8Array(16 * 16 * 3) };
    const { data } = preparePicture(black, {
      size: 16,
      ignoreMask: { rectangles: [{ x: 4, y: 2, width: 3, height: 5 }] },
    });
    for (let y = 0; y < 16; y++)
      for (let x = 0; x < 16; x++)
        expect(data[(y * 16 + x) * 3 + 1]).toBe(x >= 4 && x < 7 && y >= 2 && y < 7 ? 127 : 0);
    const halved = preparePicture(black, {
      size: 8,
      ignoreMask: { rectangles: [{ x: 0, y: 0, width: 16, height: 16 }] },
    });
    expect(halved.data.every((v) => v === 127)).toBe(true);
  });

  it('ignores the same pixels by rectangle, polygon and bitmap, with a region too', () => {
    fc.assert(
      fc.property(
        fc.nat(25),
        fc.nat(20),
        fc.integer({ min: 1, max: 12 }),
        fc.integer({ min: 1, max: 12 }),
        (x, y, w, h) => {
          const picture = noisePicture(30, 24);
          const region = { x: 3, y: 2, width: 22, height: 20 };
          const bitmap = { width: 30, height: 24, data: new Uint8Array(30 * 24) };
          for (let row = y; row < Math.min(24, y + h); row++)
            bitmap.data.fill(9, row * 30 + x, row * 30 + Math.min(30, x + w));
          const polygon = [
            [x, y],
            [x + w, y],
            [x + w, y + h],
            [x, y + h],
          ] as const;
          const hashes = [{ rectangles: [{ x, y, width: w, height: h }] }, { polygons: [polygon] }, { bitmap }].map(
            (ignoreMask) => preparePicture(picture, { size: 20, region, ignoreMask }).pixelHash,
          );
          return new Set(hashes).size === 1;
        },
      ),
    );
  });

  it('fills a triangle by pixel centres', () => {
    const black: Picture = { width: 8, height: 8, data: new Uint8Array(8 * 8 * 3) };
    const triangle = [
      [0, 0],
      [8, 0],
      [0, 8],
    ] as const;
    const prepared = preparePicture(black, { size: 8, ignoreMask: { polygons: [triangle] } });
    for (let y = 0; y < 8; y++)
      for (let x = 0; x < 8; x++) expect(pixel(prepared, x, y)).toBe(x + 0.5 + y + 0.5 < 8 ? 127 : 0);
  });

  it('refuses an ignore bitmap of another size', () => {
    const bitmap = { width: 8, height: 9, data: new Uint8Array(72) };
    expect(codeOf(() => preparePicture(noisePicture(8, 8), { size: 8, ignoreMask: { bitmap } }))).toBe(
      'ignoreMaskSize',
    );
  });
});

describe('maskToSize', () => {
  const mask = (width: number, height: number, on: (x: number, y: number) => number): Picture => ({
    width,
    height,
    data: new Uint8Array(width * height * 3).map((_, i) => on(Math.floor(i / 3) % width, Math.floor(i / 3 / width))),
  });

  it('takes the nearest pixel; any nonzero value counts', () => {
    const small = mask(2, 2, (x, y) => (x === 1 && y === 0 ? 1 : 0));
    expect([...maskToSize(small, { size: 4 })]).toEqual([0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
    const large = mask(8, 8, (x) => (x >= 4 ? 255 : 0));
    expect([...maskToSize(large, { size: 2 })]).toEqual([0, 1, 0, 1]);
  });

  it('follows region and centre crop like the picture', () => {
    const big = mask(40, 40, (x, y) => (x >= 20 && y >= 10 ? 255 : 0));
    const geometry = { size: 16, resizeTo: 20, region: { x: 10, y: 0, width: 20, height: 20 } };
    const asPicture = preparePicture(big, geometry);
    expect([...maskToSize(big, geometry)]).toEqual(
      Array.from({ length: 256 }, (_, i) => (asPicture.data[i * 3] ? 1 : 0)),
    );
  });

  it('reads a one-bit or two-colour file', async () => {
    const data = new Uint8Array(64).map((_, i) => (i < 32 ? 1 : 0));
    const png = encode({ width: 8, height: 8, data, channels: 1 });
    const read = maskToSize(await decodePicture(png, 'mask.png'), { size: 8 });
    expect([...read]).toEqual([...data]);
  });
});
