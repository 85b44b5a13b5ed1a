import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseSafetensors } from '../../main/backbones/safetensors.ts';
import type { Picture } from '../../main/pictures/picture.ts';
import { resample, type ResampleFilter, resampleJs, resampleWasm } from '../../main/pictures/resample.ts';
import { noisePicture } from './fixtures.ts';
import fc from '../seeded-fast-check.ts';

const goldenPath = join(import.meta.dirname, '..', 'fixtures', 'golden', 'cases', 'preprocess.safetensors');
const golden = parseSafetensors(readFileSync(goldenPath), goldenPath);

/** Golden tensors are `[height, width, 3]`. */
function goldenPicture(name: string): Picture {
  const tensor = golden.get(name);
  if (!(tensor?.data instanceof Uint8Array)) throw new Error(`no golden picture ${name}`);
  return { height: tensor.shape[0]!, width: tensor.shape[1]!, data: new Uint8Array(tensor.data) };
}

const resized = [...golden.keys()].filter((name) => name.endsWith('.resized_u8'));
const filters = ['bilinear', 'bicubic', 'lanczos'] as const;

describe('resample against Pillow', () => {
  it('has golden cases for every filter', () => {
    for (const filter of filters) expect(resized.some((name) => name.includes(`.${filter}.`))).toBe(true);
    expect(resized.length).toBeGreaterThanOrEqual(30);
  });

  it.each(resized)('%s is bit-identical in both versions', (name) => {
    const [source, filter] = name.split('.') as [string, ResampleFilter];
    const expected = goldenPicture(name);
    const picture = goldenPicture(`${source}.decoded_rgb`);
    for (const version of [resample, resampleJs, resampleWasm]) {
      const result = version(picture, expected.width, expected.height, filter);
      expect(result).not.toBeNull();
      expect(Buffer.compare(Buffer.from(result!.data), Buffer.from(expected.data))).toBe(0);
    }
  });
});

const side = fc.integer({ min: 1, max: 70 });

describe('the committed WebAssembly module', () => {
  it('is what its source compiles to', () => {
    const script = join(import.meta.dirname, '..', '..', 'main', 'pictures', 'build-wasm.mjs');
    const { status, stderr } = spawnSync(process.execPath, [script, '--check'], { encoding: 'utf8' });
    expect(stderr).toBe('');
    expect(status).toBe(0);
  });
});

describe('resample, any size', () => {
  it('gives the same bytes in WebAssembly and in JavaScript', () => {
    fc.assert(
      fc.property(side, side, side, side, fc.constantFrom(...filters), fc.nat(), (w, h, outW, outH, filter, seed) => {
        const picture = noisePicture(w, h, seed + 1);
        const wasm = resampleWasm(picture, outW, outH, filter);
        const js = resampleJs(picture, outW, outH, filter);
        return wasm !== null && Buffer.compare(Buffer.from(wasm.data), Buffer.from(js.data)) === 0;
      }),
      { numRuns: 300 },
    );
  });

  it('does not depend on what was resized before (the module keeps its memory)', () => {
    const first = noisePicture(300, 200, 3);
    const before = resample(first, 64, 64, 'bicubic');
    resample(noisePicture(1000, 900, 4), 256, 256, 'lanczos');
    resample(noisePicture(5, 7, 5), 31, 3, 'bilinear');
    expect(resample(first, 64, 64, 'bicubic').data).toEqual(before.data);
  });

  it('handles more rows than one strip, black and white extremes', () => {
    const data = new Uint8Array(1500 * 700 * 3).map((_, i) => ((i >> 2) & 1 ? 255 : 0));
    const picture = { width: 1500, height: 700, data };
    for (const filter of filters)
      expect(Buffer.compare(resample(picture, 97, 101, filter).data, resampleJs(picture, 97, 101, filter).data)).toBe(
        0,
      );
  });

  it('keeps a constant picture constant', () => {
    fc.assert(
      fc.property(side, side, side, side, fc.constantFrom(...filters), fc.nat(255), (w, h, outW, outH, filter, value) =>
        resample({ width: w, height: h, data: new Uint8Array(w * h * 3).fill(value) }, outW, outH, filter).data.every(
          (v) => v === value,
        ),
      ),
    );
  });

  it('copies when the size stays', () => {
    fc.assert(
      fc.property(side, side, fc.constantFrom(...filters), (w, h, filter) => {
        const picture = noisePicture(w, h);
        const result = resample(picture, w, h, filter);
        return result.data !== picture.data && Buffer.compare(result.data, picture.data) === 0;
      }),
    );
  });

  it('mirrors with the picture', () => {
    const mirror = ({ width, height, data }: Picture): Picture => ({
      width,
      height,
      data: data.map((_, i) => {
        const [y, x, c] = [Math.floor(i / (width * 3)), Math.floor(i / 3) % width, i % 3];
        return data[(y * width + width - 1 - x) * 3 + c]!;
      }),
    });
    // Powers of two: the weights of both halves are exact mirrors of each other.
    const picture = noisePicture(64, 32, 9);
    expect(resample(mirror(picture), 16, 16, 'bilinear').data).toEqual(
      mirror(resample(picture, 16, 16, 'bilinear')).data,
    );
  });

  it('leaves the source untouched', () => {
    const picture = noisePicture(40, 30);
    const copy = picture.data.slice();
    resample(picture, 17, 50, 'bicubic');
    expect(picture.data).toEqual(copy);
  });

  it('goes through JavaScript when the module would keep too much memory', () => {
    const large = { width: 3000, height: 8000, data: new Uint8Array(3000 * 8000 * 3).fill(90) };
    expect(resampleWasm(large, 3000, 8, 'bilinear')).toBeNull();
    expect(resample(large, 3000, 8, 'bilinear').data.every((v) => v === 90)).toBe(true);
  });

  it('refuses sizes that are not whole and buffers that do not fit', () => {
    const picture = noisePicture(4, 4);
    expect(() => resample(picture, 0, 4, 'bilinear')).toThrow(RangeError);
    expect(() => resample(picture, 2.5, 4, 'bilinear')).toThrow(RangeError);
    expect(() => resample({ ...picture, width: 5 }, 4, 4, 'bilinear')).toThrow(RangeError);
  });
});
