import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Picture } from '../../main/pictures/picture.ts';

const folder = join(import.meta.dirname, '..', 'fixtures', 'pictures');

/** A file of test/fixtures/pictures: 24 x 16 pixels, written by Pillow. */
export function fixture(name: string): Buffer {
  return readFileSync(join(folder, name));
}

/** The RGB bytes that Pillow's `convert('RGB')` gives for a fixture, stored beside it. */
export function expectedRgb(name: string): Uint8Array {
  return new Uint8Array(fixture(`${name}.rgb`));
}

/** The picture that most fixtures show, taken from bytes that no decoder touched. */
export function basePicture(): Picture {
  return { width: 24, height: 16, data: new Uint8Array(fixture('rgb.rgb')) };
}

/** A picture whose values follow from its size and a seed. */
export function noisePicture(width: number, height: number, seed = 1): Picture {
  const data = new Uint8Array(width * height * 3);
  let state = seed >>> 0 || 1;
  for (let i = 0; i < data.length; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    data[i] = state >>> 24;
  }
  return { width, height, data };
}
