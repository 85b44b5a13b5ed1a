import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { contradicting } from '../../shared/calibration/policy-input.ts';
import { UserError } from '../../shared/errors.ts';
import type { PictureRef } from '../datasets/dataset.ts';
import type { NormalPicture } from '../package/manifest.ts';
import type { PreparedPicture } from '../pictures/picture.ts';
import { findNearDuplicates, greyDescriptor } from './duplicates.ts';

/** What is known about where calibration pictures come from. */
export interface Provenance {
  /** sha256 of every picture's file, in the order given. */
  hashes: string[];
  /** Pictures whose very file was learned from. */
  trainedOn: PictureRef[];
  /** Pictures held out of training: not learned from, but what sets the score's scale has seen them. */
  heldOut: PictureRef[];
  /** Pictures that look like one that was learned from, with that one. */
  nearDuplicates: { picture: PictureRef; twin: PictureRef; correlation: number }[];
  /** Whether training pictures were at hand to look for near-duplicates. */
  comparedWithTraining: number;
}

export interface ProvenanceParts {
  /** The package's snapshot. */
  normals: readonly NormalPicture[];
  /** Training pictures that lie beside the calibration pictures; those of the snapshot are compared with. */
  training: readonly PictureRef[];
  prepare(path: string): Promise<PreparedPicture>;
  signal?: AbortSignal;
}

/** Checks that pictures took no part in training: by content, and by likeness to the training pictures at hand. */
export async function checkProvenance(refs: readonly PictureRef[], parts: ProvenanceParts): Promise<Provenance> {
  const { normals, training, prepare, signal } = parts;
  const learned = new Set(normals.filter(({ heldOut }) => !heldOut).map(({ sha256 }) => sha256));
  const held = new Set(normals.filter(({ heldOut }) => heldOut).map(({ sha256 }) => sha256));
  const hashes: string[] = [];
  for (const { path } of refs) {
    signal?.throwIfAborted();
    hashes.push(await fileHash(path));
  }
  const found: Provenance = {
    hashes,
    trainedOn: refs.filter((_, i) => learned.has(hashes[i]!)),
    heldOut: refs.filter((_, i) => held.has(hashes[i]!) && !learned.has(hashes[i]!)),
    nearDuplicates: [],
    comparedWithTraining: 0,
  };
  for (const className of [...new Set(refs.map((ref) => ref.className))].sort()) {
    const known: PictureRef[] = [];
    for (const ref of training) {
      signal?.throwIfAborted();
      if (ref.className === className && learned.has(await fileHash(ref.path))) known.push(ref);
    }
    if (known.length === 0) continue;
    found.comparedWithTraining += known.length;
    const trainedOn = new Set(found.trainedOn);
    const asked = refs.filter((ref) => ref.className === className && !trainedOn.has(ref));
    const describe = async (list: readonly PictureRef[]): Promise<Float32Array[]> => {
      const descriptors: Float32Array[] = [];
      for (const { path } of list) {
        signal?.throwIfAborted();
        descriptors.push(greyDescriptor(await prepare(path)));
      }
      return descriptors;
    };
    for (const { picture, twin, correlation } of findNearDuplicates(await describe(known), await describe(asked))) {
      found.nearDuplicates.push({ picture: asked[picture]!, twin: known[twin]!, correlation });
    }
  }
  return found;
}

/**
 * Refuses what would make a calibration pretend: pictures that were trained on, and pictures under both labels.
 * @throws UserError `trainedOn`, `labelsContradict`
 */
export function refuseTainted(refs: readonly PictureRef[], { hashes, trainedOn }: Provenance): void {
  if (trainedOn.length > 0) {
    throw new UserError(
      'trainedOn',
      `${trainedOn.length} of ${refs.length} calibration pictures were trained on, first "${trainedOn[0]!.path}": their scores look too good.`,
      'Calibrate on pictures the model has not learned from.',
    );
  }
  const twice = contradicting(
    hashes,
    refs.map(({ gtLabel }) => gtLabel === 'defect'),
  );
  if (twice.length === 0) return;
  const same = refs.filter((_, i) => hashes[i] === twice[0]).map(({ path, gtLabel }) => `"${path}" (${gtLabel})`);
  throw new UserError(
    'labelsContradict',
    `${twice.length} picture(s) are labelled both good and defective, first ${same.join(' and ')}.`,
    'Decide which they are and remove the others.',
  );
}

/** sha256 of a file's content. @throws UserError `pictureUnreadable` */
export async function fileHash(path: string): Promise<string> {
  const hash = createHash('sha256');
  try {
    for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  } catch (error) {
    throw new UserError('pictureUnreadable', `${path} can't be read.`, 'Check that it is there and readable.', {
      cause: error,
    });
  }
  return hash.digest('hex');
}
