import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { UserError } from '../../shared/errors.ts';
import type { Dataset, PictureRef } from './dataset.ts';

/** Larger files are hashed as a stream, so memory stays flat. */
const wholeFileBytes = 4 << 20;
/** Pairs of files that a warning names. */
const namedPairs = 3;

/**
 * Looks for what spoils a model or its figures: the same content twice (by sha256 of the files), classes with too few
 * normal pictures.
 *
 * @returns warnings, empty when all is well
 * @throws UserError `noNormalPictures` when `needTrain` and a class has none
 */
export async function checkDataset(dataset: Dataset, needTrain = true): Promise<string[]> {
  const warnings: string[] = [];
  const trainOf = new Map(dataset.classes.map((name): [string, PictureRef[]] => [name, []]));
  for (const picture of dataset.pictures)
    if (picture.split === 'train' && picture.gtLabel === 'good') trainOf.get(picture.className)?.push(picture);
  for (const [className, train] of trainOf) {
    if (train.length === 0 && needTrain)
      throw new UserError(
        'noNormalPictures',
        `Class "${className}" has no normal pictures to learn from.`,
        'Put pictures of good parts (PNG, JPEG, BMP, WebP, TIFF) into its folder train/good.',
      );
    if (train.length === 1)
      warnings.push(`Class "${className}" has one normal picture only: expect weak results; 20 or more are better.`);
  }
  for (const group of await identicalFiles(dataset.pictures)) warnings.push(...group);
  return warnings;
}

/** Warnings about pictures with the same content, per class, worst kind first. */
async function identicalFiles(pictures: readonly PictureRef[]): Promise<string[][]> {
  const kinds = [
    { pairs: new Map<string, Pair[]>(), say: 'as good for training and as a defect' },
    { pairs: new Map<string, Pair[]>(), say: 'in training and in what the figures are measured on' },
    { pairs: new Map<string, Pair[]>(), say: 'twice in training' },
    { pairs: new Map<string, Pair[]>(), say: 'in training under two classes' },
  ] as const;
  for (const same of await sameContent(pictures)) {
    const [first, ...others] = same.filter((picture) => picture.split === 'train');
    if (first === undefined) continue;
    const note = (kind: 0 | 1 | 2 | 3, second: PictureRef): void => {
      const { pairs } = kinds[kind];
      const list = pairs.get(first.className) ?? [];
      pairs.set(first.className, list);
      list.push([first, second]);
    };
    for (const other of others) note(other.className === first.className ? 2 : 3, other);
    for (const other of same) if (other.split !== 'train') note(other.gtLabel === 'defect' ? 0 : 1, other);
  }
  return kinds.map(({ pairs, say }) =>
    [...pairs].map(([className, list]) => {
      const named = list.slice(0, namedPairs).map(([a, b]) => `"${a.path}" = "${b.path}"`);
      const more = list.length > namedPairs ? [`and ${list.length - namedPairs} more`] : [];
      const count = list.length === 1 ? 'A picture' : `${list.length} pictures`;
      return `Class "${className}": ${count} with identical content ${say}: ${[...named, ...more].join('; ')}.`;
    }),
  );
}

type Pair = [PictureRef, PictureRef];

/** Groups of at least two pictures with the same bytes. Only files of equal length are read. */
async function sameContent(pictures: readonly PictureRef[]): Promise<PictureRef[][]> {
  const bySize = await groupBy(pictures, async ({ path }) => (await stat(path)).size);
  const groups: PictureRef[][] = [];
  for (const [size, candidates] of bySize) {
    if (candidates.length < 2) continue;
    const byHash = await groupBy(candidates, ({ path }) => hashFile(path, size));
    for (const same of byHash.values()) if (same.length > 1) groups.push(same);
  }
  return groups;
}

async function groupBy<Key>(
  pictures: readonly PictureRef[],
  keyOf: (picture: PictureRef) => Promise<Key>,
): Promise<Map<Key, PictureRef[]>> {
  const groups = new Map<Key, PictureRef[]>();
  const atOnce = 16;
  for (let start = 0; start < pictures.length; start += atOnce) {
    const block = pictures.slice(start, start + atOnce);
    const keys = await Promise.all(block.map(keyOf));
    block.forEach((picture, i) => {
      const group = groups.get(keys[i]!);
      if (group === undefined) groups.set(keys[i]!, [picture]);
      else group.push(picture);
    });
  }
  return groups;
}

async function hashFile(path: string, size: number): Promise<string> {
  const hash = createHash('sha256');
  if (size <= wholeFileBytes) hash.update(await readFile(path));
  else await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}
