import type { Picture } from '../pictures/picture.ts';
import { resample } from '../pictures/resample.ts';

/** Sides of the small pictures that sharpness and likeness are told from. */
const sharpnessSide = 256;
const hashWidth = 9;
const hashHeight = 8;
/** The descriptor: grey levels of a tiny picture, and means and spreads of the three colours. */
const descriptorSide = 12;
export const descriptorLength = descriptorSide * descriptorSide + 6;

/** What is told from a picture's pixels alone, cheaply. */
export interface PictureMeasures {
  /** Variance of the Laplacian of the grey picture at 256 x 256: small is blurred. */
  sharpness: number;
  /** 64-bit difference hash, 16 hex digits: whether each of 9 x 8 cells is darker than its right neighbour. */
  perceptualHash: string;
  /** `[150]`: 12 x 12 grey levels, then mean and standard deviation of red, green, blue; all 0..1. */
  descriptor: Float32Array;
}

export function measurePicture(picture: Picture): PictureMeasures {
  // One larger step first: the others are cheap on its result.
  const small = resample(picture, sharpnessSide, sharpnessSide, 'bilinear');
  return {
    sharpness: laplacianVariance(greyOf(small), sharpnessSide),
    perceptualHash: differenceHash(small),
    descriptor: describe(small),
  };
}

/** Rec. 601 luma, 0..255. */
function greyOf({ data, width, height }: Picture): Float32Array {
  const grey = new Float32Array(width * height);
  for (let i = 0, from = 0; i < grey.length; i++, from += 3)
    grey[i] = 0.299 * data[from]! + 0.587 * data[from + 1]! + 0.114 * data[from + 2]!;
  return grey;
}

function laplacianVariance(grey: Float32Array, side: number): number {
  let sum = 0;
  let squares = 0;
  const count = (side - 2) ** 2;
  for (let y = 1; y < side - 1; y++)
    for (let x = 1; x < side - 1; x++) {
      const at = y * side + x;
      const value = grey[at - 1]! + grey[at + 1]! + grey[at - side]! + grey[at + side]! - 4 * grey[at]!;
      sum += value;
      squares += value * value;
    }
  return Math.max(0, squares / count - (sum / count) ** 2);
}

function differenceHash(picture: Picture): string {
  const grey = greyOf(resample(picture, hashWidth, hashHeight, 'bilinear'));
  let hash = '';
  for (let y = 0; y < hashHeight; y++) {
    let bits = 0;
    for (let x = 0; x < hashWidth - 1; x++)
      bits = bits * 2 + (grey[y * hashWidth + x]! < grey[y * hashWidth + x + 1]! ? 1 : 0);
    hash += bits.toString(16).padStart(2, '0');
  }
  return hash;
}

function describe(picture: Picture): Float32Array {
  const descriptor = new Float32Array(descriptorLength);
  descriptor.set(greyOf(resample(picture, descriptorSide, descriptorSide, 'bilinear')).map((value) => value / 255));
  const pixels = picture.width * picture.height;
  for (let channel = 0; channel < 3; channel++) {
    let sum = 0;
    let squares = 0;
    for (let from = channel; from < picture.data.length; from += 3) {
      sum += picture.data[from]!;
      squares += picture.data[from]! ** 2;
    }
    const mean = sum / pixels;
    const at = descriptorSide * descriptorSide + 2 * channel;
    descriptor[at] = mean / 255;
    descriptor[at + 1] = Math.sqrt(Math.max(0, squares / pixels - mean * mean)) / 255;
  }
  return descriptor;
}

/** How many bits of two difference hashes differ, 0..64. */
export function hashDistance(a: string, b: string): number {
  let distance = 0;
  for (let i = 0; i < 16; i += 8) {
    let bits = Number.parseInt(a.slice(i, i + 8), 16) ^ Number.parseInt(b.slice(i, i + 8), 16);
    for (; bits !== 0; bits &= bits - 1) distance++;
  }
  return distance;
}
