import type { Suggestion } from '../../shared/ipc/projects.ts';
import type { PictureFacts } from '../store/pictures.ts';
import { hashDistance } from './picture-facts.ts';

/** Bits of the difference hash that two shots of the very same scene may differ in. */
export const nearDuplicateBits = 2;
/** And how far their descriptors may be apart (root mean square, 0..1): equal coarse shapes alone don't make a copy. */
const nearDuplicateDistance = 0.012;
/** Standard deviations (of the median absolute deviation) from the middle of the class. */
const standsOut = 5;
const fewestToJudge = 8;
/** Sharpness below this share of the class's middle is called blurred whatever the spread. */
const blurredShare = 0.25;

/**
 * What is worth a look before training, per class: near copies, blurred pictures, and ones that look unlike the rest.
 * Each kind sorted by how far it stands out; copies first.
 *
 * @param pictures oldest first: a copy is the newer one
 */
export function suggest(pictures: readonly PictureFacts[]): Suggestion[] {
  const byClass = new Map<string | null, PictureFacts[]>();
  for (const picture of pictures) {
    const known = byClass.get(picture.classId);
    if (known === undefined) byClass.set(picture.classId, [picture]);
    else known.push(picture);
  }
  const found = [...byClass.values()].flatMap((members) => [
    ...duplicates(members),
    ...blurred(members),
    ...oddOnes(members),
  ]);
  const order = { duplicate: 0, blurred: 1, odd: 2 };
  return found.sort((a, b) => order[a.kind] - order[b.kind] || b.amount - a.amount);
}

/** The earlier picture that this one repeats; undefined when there is none. */
export function nearDuplicateOf(
  picture: Pick<PictureFacts, 'perceptualHash' | 'descriptor'>,
  earlier: readonly PictureFacts[],
): PictureFacts | undefined {
  const { perceptualHash, descriptor } = picture;
  if (perceptualHash === null || descriptor === null) return undefined;
  return earlier.find(
    (other) =>
      other.perceptualHash !== null &&
      other.descriptor !== null &&
      hashDistance(perceptualHash, other.perceptualHash) <= nearDuplicateBits &&
      rootMeanSquare(descriptor, other.descriptor) <= nearDuplicateDistance,
  );
}

/** `amount` is likeness, 1 is the same. */
function duplicates(members: readonly PictureFacts[]): Suggestion[] {
  return members.flatMap((picture, i) => {
    const original = nearDuplicateOf(picture, members.slice(0, i));
    if (original === undefined) return [];
    const amount = 1 - rootMeanSquare(picture.descriptor!, original.descriptor!);
    return [{ kind: 'duplicate', sha256: picture.sha256, otherSha256: original.sha256, amount }];
  });
}

/** Whether a sharpness is far below that of others; always false while there are too few to tell. */
export function isBlurred(sharpness: number, others: readonly number[]): boolean {
  if (others.length < fewestToJudge) return false;
  const { median, spread } = middle(others.map((value) => Math.log(Math.max(value, 1e-6))));
  const below = median - Math.log(Math.max(sharpness, 1e-6));
  return below > standsOut * spread && below > Math.LN2 && sharpness < blurredShare * Math.exp(median);
}

/** `amount`: how many times less sharp than the class's middle. */
function blurred(members: readonly PictureFacts[]): Suggestion[] {
  const all = members.flatMap(({ sharpness }) => (sharpness === null ? [] : [sharpness]));
  if (all.length < fewestToJudge) return [];
  const { median } = middle(all);
  return members.flatMap(({ sharpness, sha256 }) =>
    sharpness !== null && isBlurred(sharpness, all)
      ? [{ kind: 'blurred', sha256, otherSha256: null, amount: median / Math.max(sharpness, 1e-6) }]
      : [],
  );
}

/**
 * Far from the rest: by the active model's score where all have one, else by the distance to the nearest others in the
 * cheap descriptor. `amount`: robust standard deviations above the class's middle.
 */
function oddOnes(members: readonly PictureFacts[]): Suggestion[] {
  const described = members.filter(({ descriptor }) => descriptor !== null);
  const scored = members.every(({ predScore }) => predScore !== null);
  const judged = scored ? members : described;
  if (judged.length < fewestToJudge) return [];
  const values = scored
    ? members.map(({ predScore }) => predScore!)
    : described.map((picture, i) => neighbourDistance(picture.descriptor!, i, described));
  const { median, spread } = middle(values);
  return judged.flatMap(({ sha256 }, i) => {
    const amount = (values[i]! - median) / Math.max(spread, 1e-6);
    return amount > standsOut ? [{ kind: 'odd', sha256, otherSha256: null, amount }] : [];
  });
}

/** Mean distance to the three nearest others, among at most 2,000 evenly taken ones. */
function neighbourDistance(descriptor: Float32Array, self: number, all: readonly PictureFacts[]): number {
  const step = Math.max(1, Math.ceil(all.length / 2000));
  const nearest = [Infinity, Infinity, Infinity];
  for (let i = 0; i < all.length; i += step) {
    if (i === self) continue;
    const distance = rootMeanSquare(descriptor, all[i]!.descriptor!);
    if (distance >= nearest[2]!) continue;
    nearest[2] = distance;
    nearest.sort((a, b) => a - b);
  }
  return (nearest[0]! + nearest[1]! + nearest[2]!) / 3;
}

function rootMeanSquare(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i]! - b[i]!) ** 2;
  return Math.sqrt(sum / a.length);
}

/** Median, and the spread that a normal distribution with the same median absolute deviation has. */
function middle(values: readonly number[]): { median: number; spread: number } {
  const median = medianOf(values);
  return { median, spread: 1.4826 * medianOf(values.map((value) => Math.abs(value - median))) };
}

function medianOf(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
}
