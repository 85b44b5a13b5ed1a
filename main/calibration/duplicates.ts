import type { PreparedPicture } from '../pictures/picture.ts';

/**
 * Near-duplicates: the same photo saved again (other format, smaller, brighter), or the next frame of the same part.
 * Equal bytes are found by sha256; this finds what only looks the same.
 *
 * A picture is reduced to 48 x 48 grey means of its prepared form. Parts of one kind look alike, so first what they have
 * in common (the mean of the training pictures, at its best-fitting strength) is taken away; the correlation of what is
 * left tells pictures of two parts (seen on real packs: mostly below 0.9) from two files of one (0.99 and more).
 */

/** Cells along one side of the descriptor. */
const cells = 48;
/** A pair correlates at least so much. */
const leastCorrelation = 0.98;
/** And is this much closer (in 1 - correlation) than training pictures usually are to their nearest neighbour. */
const nearness = 0.1;

/** Grey means `[48 * 48]` of a prepared picture, 0..255. */
export function greyDescriptor({ data, width, height }: PreparedPicture): Float32Array {
  const sums = new Float64Array(cells * cells);
  const counts = new Uint32Array(cells * cells);
  for (let y = 0, at = 0; y < height; y++) {
    const row = Math.floor((y * cells) / height) * cells;
    for (let x = 0; x < width; x++, at += 3) {
      const cell = row + Math.floor((x * cells) / width);
      sums[cell]! += 0.299 * data[at]! + 0.587 * data[at + 1]! + 0.114 * data[at + 2]!;
      counts[cell]!++;
    }
  }
  return Float32Array.from(sums, (sum, i) => (counts[i]! === 0 ? 0 : sum / counts[i]!));
}

/** A picture that looks like one that was trained on. */
export interface NearDuplicate {
  /** Position among the pictures asked about. */
  picture: number;
  /** Position among the training pictures. */
  twin: number;
  /** Correlation of what is left without the common part, -1..1. */
  correlation: number;
}

/**
 * Finds pictures that are too like one of the training pictures of their class to be independent of it.
 * @param training descriptors of the class's training pictures
 * @param pictures descriptors of the pictures in question
 */
export function findNearDuplicates(
  training: readonly Float32Array[],
  pictures: readonly Float32Array[],
): NearDuplicate[] {
  if (training.length === 0) return [];
  const common = commonPart(training);
  const known = training.map((descriptor) => residual(descriptor, common));
  const limit = Math.max(leastCorrelation, 1 - nearness * usualDistance(known));
  const found: NearDuplicate[] = [];
  pictures.forEach((descriptor, picture) => {
    const own = residual(descriptor, common);
    const { twin, correlation } = nearest(known, own, -1);
    if (twin >= 0 && correlation >= limit) found.push({ picture, twin, correlation });
  });
  return found;
}

/** Median over training pictures of 1 - correlation to the nearest other; 1 with fewer than three. */
function usualDistance(known: readonly Float32Array[]): number {
  if (known.length < 3) return 1;
  const distances = known.map((own, i) => 1 - nearest(known, own, i).correlation).sort((a, b) => a - b);
  return distances[distances.length >> 1]!;
}

function nearest(
  known: readonly Float32Array[],
  own: Float32Array,
  except: number,
): { twin: number; correlation: number } {
  let best = { twin: -1, correlation: -Infinity };
  known.forEach((other, twin) => {
    if (twin === except) return;
    let correlation = 0;
    for (let i = 0; i < own.length; i++) correlation += own[i]! * other[i]!;
    if (correlation > best.correlation) best = { twin, correlation };
  });
  return best;
}

/** Mean picture, centred. With one or two pictures there is no telling what is common: nothing. */
function commonPart(training: readonly Float32Array[]): Float32Array {
  const mean = new Float32Array(cells * cells);
  if (training.length < 3) return mean;
  for (const descriptor of training) for (let i = 0; i < mean.length; i++) mean[i]! += descriptor[i]! / training.length;
  return centred(mean);
}

function centred(values: Float32Array): Float32Array {
  let sum = 0;
  for (const value of values) sum += value;
  return values.map((value) => value - sum / values.length);
}

/** What is left without the common part, at length 1; all zeros for a picture that has nothing of its own. */
function residual(descriptor: Float32Array, common: Float32Array): Float32Array {
  const own = centred(descriptor);
  let [along, square] = [0, 0];
  for (let i = 0; i < own.length; i++) {
    along += own[i]! * common[i]!;
    square += common[i]! * common[i]!;
  }
  const strength = square === 0 ? 0 : along / square;
  let length = 0;
  const left = own.map((value, i) => value - strength * common[i]!);
  for (const value of left) length += value * value;
  // Less than a twentieth of a grey level per cell is rounding, not likeness.
  const scale = Math.sqrt(length) < 0.05 * cells ? 0 : 1 / Math.sqrt(length);
  return left.map((value) => value * scale);
}
