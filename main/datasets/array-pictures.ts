import { createHash } from 'node:crypto';
import { mkdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { encode } from 'fast-png';
import { writeError } from '../system/atomic-file.ts';
import type { ArraySet, PictureArray } from './arrays.ts';
import type { PublishedPicture, ReadPublishedOptions } from './published-set.ts';

const atOnce = 64;

/**
 * Turns arrays into picture files once, as everything behind reads files: PNG, the pixels unchanged. The folder is named
 * after the files' names, sizes and times, and appears only when all of it is there.
 *
 * @param classOf class of a picture, from its array and its position there; null leaves it out
 * @throws UserError as `writeFileAtomic`; the signal's reason
 */
export async function writeArrayPictures(
  name: string,
  set: ArraySet,
  classOf: (array: number, position: number) => string | null,
  { workDir, signal, onNotice }: ReadPublishedOptions,
): Promise<PublishedPicture[]> {
  const hash = createHash('sha256');
  for (const { file } of set.arrays) {
    const { size, mtimeMs } = await stat(file);
    hash.update(`${basename(file)}\n${size}\n${mtimeMs}\n`);
  }
  const target = join(workDir, `${name}-${hash.digest('hex').slice(0, 12)}`);
  if ((await stat(target).catch(() => undefined)) === undefined) {
    onNotice?.(`Writing the pictures of ${name} to ${target}`);
    const temporary = `${target}.partial`;
    try {
      await rm(temporary, { recursive: true, force: true });
      for (const [index, array] of set.arrays.entries()) {
        const folder = join(temporary, String(index));
        await mkdir(folder, { recursive: true });
        for (let first = 0; first < array.labels.length; first += atOnce) {
          signal?.throwIfAborted();
          const count = Math.min(atOnce, array.labels.length - first);
          await Promise.all(
            Array.from({ length: count }, (_, i) =>
              writeFile(join(folder, fileName(first + i)), encodePicture(array, first + i)),
            ),
          );
        }
      }
      await rename(temporary, target);
    } catch (error) {
      await rm(temporary, { recursive: true, force: true });
      throw writeError(target, error);
    }
  }
  const pictures: PublishedPicture[] = [];
  for (const [index, array] of set.arrays.entries()) {
    for (let i = 0; i < array.labels.length; i++) {
      const className = classOf(index, i);
      if (className === null) continue;
      const path = join(target, String(index), fileName(i));
      pictures.push({ path, className, split: array.split, gtLabel: 'good' });
    }
  }
  return pictures;
}

function fileName(position: number): string {
  return `${String(position).padStart(5, '0')}.png`;
}

function encodePicture({ width, height, channels, order, pixels }: PictureArray, position: number): Uint8Array {
  const area = width * height;
  const from = position * area * channels;
  const stored = pixels.subarray(from, from + area * channels);
  let data = stored;
  if (order === 'planar' && channels > 1) {
    data = new Uint8Array(area * channels);
    for (let i = 0; i < area; i++) for (let c = 0; c < channels; c++) data[i * channels + c] = stored[c * area + i]!;
  }
  return encode({ width, height, channels, depth: 8, data });
}
