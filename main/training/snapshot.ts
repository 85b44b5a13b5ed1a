import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import path from 'node:path';
import { createRandom } from '../../shared/random.ts';
import { UserError } from '../../shared/errors.ts';
import type { Dataset } from '../datasets/dataset.ts';
import { splitGroups, splitPictures, type PictureSplit } from '../memory/calibrate.ts';

/** One class of a run: its normal pictures as positions in the run's list, and how they are split. */
export interface RunClass {
  name: string;
  /** Positions in the run's picture list. */
  pictures: number[];
  /** Positions within `pictures`. */
  split: PictureSplit;
  /** Positions in the run's list of pictures that only calibrate. */
  calibration: number[];
}

/** A picture the model is trained with, as the model package names it. */
export interface SnapshotPicture {
  path: string;
  fileName: string;
  className: string;
  sha256: string;
  /** Lot, serial or the like; absent: it resembles no other picture more than all do. */
  group?: string;
}

/** The frozen set of pictures of one run. */
export interface Snapshot {
  classes: RunClass[];
  /** All pictures of the run: first every class's normal ones, then the ones that only calibrate, then the defects. */
  pictures: SnapshotPicture[];
  /** How many of `pictures` are normal ones to learn from. */
  normalCount: number;
  /** Labelled defects: position in `pictures`, and class. Only the students ever see them. */
  defects: { picture: number; classIndex: number }[];
  /** sha256 over class and content hash of every normal picture: the normal set's identity. */
  hash: string;
  /** What a person should know of the split. */
  warnings: string[];
}

export interface SnapshotOptions {
  seed: number;
  /** Learn from only this many pictures per class (few-shot): the first ones of a seeded shuffle. */
  shots: number | undefined;
  /** Hold no picture out: all are learned from. Default false. */
  learnsFromAll?: boolean;
  /** Labelled defects, see `findDefects`. */
  defects?: readonly { path: string; className: string }[];
}

/**
 * Freezes the normal set: hashes every picture, drops repeated content, splits each class.
 * @throws UserError `noNormals` when a class has no good picture to learn from, `goodAndDefect` when a picture is said
 *   to be both
 */
export async function takeSnapshot(dataset: Dataset, options: SnapshotOptions, signal: AbortSignal): Promise<Snapshot> {
  const pictures: SnapshotPicture[] = [];
  const classes: RunClass[] = [];
  const byClass = new Map<string, SnapshotPicture[]>();
  for (const className of dataset.classes) {
    const normals = await hashed(dataset, className, 'train', signal);
    if (normals.length === 0) {
      throw new UserError(
        'noNormals',
        `The class "${className}" has no good pictures to learn from.`,
        'Put pictures of good parts into its train/good folder.',
      );
    }
    byClass.set(className, fewShots(normals, className, options));
  }
  const warnings: string[] = [];
  for (const [name, normals] of byClass) {
    const first = pictures.length;
    pictures.push(...normals);
    classes.push({
      name,
      pictures: normals.map((_, i) => first + i),
      split:
        options.learnsFromAll === true
          ? { training: normals.map((_, i) => i), heldOut: [] }
          : splitClass(name, normals, mixedSeed(options.seed, name), warnings),
      calibration: [],
    });
  }
  const normalCount = pictures.length;
  for (const runClass of classes) {
    const known = new Set(byClass.get(runClass.name)!.map(({ sha256 }) => sha256));
    for (const picture of await hashed(dataset, runClass.name, 'calibration', signal)) {
      if (known.has(picture.sha256)) continue;
      runClass.calibration.push(pictures.length);
      pictures.push(picture);
    }
  }
  const hash = createHash('sha256');
  for (const { className, sha256 } of pictures.slice(0, normalCount)) hash.update(`${className}\n${sha256}\n`);
  const defects = await addDefects(pictures, classes, options.defects ?? [], signal);
  return { classes, pictures, normalCount, defects, hash: hash.digest('hex'), warnings };
}

/** Holds pictures out, whole groups where there are any. */
function splitClass(name: string, normals: readonly SnapshotPicture[], seed: number, warnings: string[]): PictureSplit {
  if (normals.some(({ group }) => group !== undefined)) {
    // A picture without a group is one of its own; no group's name begins with NUL.
    const split = splitGroups(
      normals.map(({ group }, i) => group ?? `\0${i}`),
      seed,
    );
    if (split !== undefined) return split;
    warnings.push(
      `Class "${name}" has too few groups (lots, serials) to hold whole ones out: the thresholds may be too tight for new ones.`,
    );
  }
  return splitPictures(normals.length, createRandom(seed));
}

/** Appends the defects to the pictures, each content once. */
async function addDefects(
  pictures: SnapshotPicture[],
  classes: readonly RunClass[],
  given: NonNullable<SnapshotOptions['defects']>,
  signal: AbortSignal,
): Promise<Snapshot['defects']> {
  const good = new Map(pictures.map((picture) => [picture.sha256, picture.path]));
  const seen = new Set<string>();
  const defects: Snapshot['defects'] = [];
  for (const { path: file, className } of given) {
    signal.throwIfAborted();
    const sha256 = await fileHash(file);
    const other = good.get(sha256);
    if (other !== undefined) {
      throw new UserError(
        'goodAndDefect',
        `The defect "${file}" is the same picture as the good "${other}".`,
        'Decide which it is and remove the other.',
      );
    }
    if (seen.has(sha256)) continue;
    seen.add(sha256);
    defects.push({ picture: pictures.length, classIndex: classes.findIndex(({ name }) => name === className) });
    pictures.push({ path: file, fileName: path.basename(file), className, sha256 });
  }
  return defects;
}

/** Good pictures of one class and split, each content once, in the data set's order. */
async function hashed(
  dataset: Dataset,
  className: string,
  split: 'train' | 'calibration',
  signal: AbortSignal,
): Promise<SnapshotPicture[]> {
  const seen = new Set<string>();
  const out: SnapshotPicture[] = [];
  for (const picture of dataset.pictures) {
    if (picture.className !== className || picture.split !== split || picture.gtLabel !== 'good') continue;
    signal.throwIfAborted();
    const sha256 = await fileHash(picture.path);
    if (seen.has(sha256)) continue;
    seen.add(sha256);
    const { group } = picture;
    out.push({
      path: picture.path,
      fileName: path.basename(picture.path),
      className,
      sha256,
      ...(group !== undefined && { group }),
    });
  }
  return out;
}

function fewShots(normals: SnapshotPicture[], className: string, { seed, shots }: SnapshotOptions): SnapshotPicture[] {
  if (shots === undefined || shots >= normals.length) return normals;
  const order = createRandom(mixedSeed(seed + 1, className)).shuffle(normals.map((_, i) => i));
  return order
    .slice(0, shots)
    .sort((a, b) => a - b)
    .map((i) => normals[i]!);
}

async function fileHash(file: string): Promise<string> {
  const hash = createHash('sha256');
  try {
    for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer);
  } catch (error) {
    throw new UserError('pictureUnreadable', `${file} can't be read.`, 'Check that it is there and readable.', {
      cause: error,
    });
  }
  return hash.digest('hex');
}

/** The run's seed with the class name mixed in (FNV-1a), so that classes don't share a permutation. */
function mixedSeed(seed: number, text: string): number {
  let value = 0x811c9dc5 ^ seed;
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193);
  return value >>> 0;
}
