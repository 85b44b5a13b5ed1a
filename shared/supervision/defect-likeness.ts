/**
 * How much a picture deviates from the good ones in the way that labelled defects do: the descriptor's half of a head over
 * frozen scores and descriptors. Pure numbers.
 */

/** What is ordinary in each dimension of a descriptor, `[p]` each. */
export interface DescriptorFrame {
  readonly mean: Float64Array;
  readonly sd: Float64Array;
}

/** Share of the mean deviation that is added to every dimension's own, so that none that hardly moves rules. */
const sdFloor = 0.02;

/** @param normals descriptors of good pictures `[p]` each, at least one */
export function fitFrame(normals: readonly ArrayLike<number>[]): DescriptorFrame {
  const dims = normals[0]!.length;
  const mean = new Float64Array(dims);
  const sd = new Float64Array(dims);
  for (const vector of normals) for (let k = 0; k < dims; k++) mean[k]! += vector[k]! / normals.length;
  for (const vector of normals) for (let k = 0; k < dims; k++) sd[k]! += (vector[k]! - mean[k]!) ** 2 / normals.length;
  let typical = 0;
  for (let k = 0; k < dims; k++) {
    sd[k] = Math.sqrt(sd[k]!);
    typical += sd[k]! / dims;
  }
  // Good pictures that are all alike leave no scale of their own.
  const floor = typical > 0 ? sdFloor * typical : 1;
  for (let k = 0; k < dims; k++) sd[k]! += floor;
  return { mean, sd };
}

/** Direction in which a picture deviates from the good ones, of length 1; zeros for one that doesn't. */
export function deviationOf({ mean, sd }: DescriptorFrame, vector: ArrayLike<number>): Float64Array {
  const out = Float64Array.from(mean, (centre, k) => (vector[k]! - centre) / sd[k]!);
  const length = Math.sqrt(out.reduce((sum, value) => sum + value * value, 0));
  return length > 0 ? out.map((value) => value / length) : out;
}

/**
 * Mean cosine between a picture's deviation and those of the labelled defects, -1..1.
 * @param own position of the picture among `defects`, which then doesn't count
 * @returns undefined where no defect is left to compare with
 */
export function defectLikeness(
  deviation: Float64Array,
  defects: readonly Float64Array[],
  own?: number,
): number | undefined {
  const others = defects.filter((_, i) => i !== own);
  if (others.length === 0) return undefined;
  let sum = 0;
  for (const other of others) for (let k = 0; k < other.length; k++) sum += deviation[k]! * other[k]!;
  return sum / others.length;
}
