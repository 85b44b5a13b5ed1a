import { rowOf, type Matrix } from '../../shared/linear-algebra.ts';
import { memoryDefaults } from './defaults.ts';

/**
 * How much the good pictures of one class differ in what they show: 0 for parts of one kind, 1 for photographs that share
 * only a name (CIFAR's birds). Learned from good pictures alone. Where it is high, single places say nothing, and the score
 * listens to the picture as a whole (`detect`).
 *
 * Measured as the spread of the class vectors' directions, 1 - |mean of unit vectors|, which does not depend on how many
 * pictures there are; between the two bounds of `memoryDefaults.variety` it counts in part.
 *
 * @param vectors class vectors of the class's good pictures `[n, p]`
 */
export function classVariety(vectors: Matrix): number {
  const { variedFrom, variedFully } = memoryDefaults;
  const share = (directionSpread(vectors) - variedFrom) / (variedFully - variedFrom);
  return Math.min(1, Math.max(0, share));
}

/** `1 - |mean of unit vectors|`: 0 for one direction, near 1 for directions at random. Rows of zeros don't count. */
export function directionSpread(vectors: Matrix): number {
  const mean = new Float64Array(vectors.cols);
  let counted = 0;
  for (let i = 0; i < vectors.rows; i++) {
    const row = rowOf(vectors, i);
    const length = Math.hypot(...row);
    if (!(length > 0)) continue;
    counted++;
    for (let k = 0; k < mean.length; k++) mean[k]! += row[k]! / length;
  }
  return counted === 0 ? 0 : 1 - Math.hypot(...mean) / counted;
}
