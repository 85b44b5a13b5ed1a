import { stackRows, takeRows, type Matrix } from '../../shared/linear-algebra.ts';
import { memoryDefaults } from './defaults.ts';
import { farthestPointPicks } from './farthest-point.ts';
import { kCentrePicks, type KCentreOptions } from './k-centre.ts';
import { createRandomProjection, project, type RandomProjection } from './random-projection.ts';

/** Normal patch features that stand for all others, with where each came from. */
export interface Coreset {
  /** `[K, D]` */
  vectors: Matrix;
  /** `[K]` class index, and index of the picture in the caller's numbering. */
  entryClass: Int32Array;
  entryPicture: Int32Array;
}

/** Collects the candidates of one bank picture by picture; nothing but the chosen patches is kept. */
export interface CandidateCollector {
  /** What tokens are multiplied by before patches are chosen; a graph may do it and hand in the result. */
  readonly patchProjection: RandomProjection;
  /** Candidates so far. */
  readonly count: number;
  /**
   * Chooses up to 48 patches of one training picture (embedded recipe, section 3.1).
   * @param tokens `[q, D]`; the chosen rows are copied
   * @param projected `[q, 24]` tokens x patchProjection, computed here when absent
   * @returns rows chosen, in the order picked
   */
  add(tokens: Matrix, classIndex: number, pictureIndex: number, projected?: Matrix): Int32Array;
  /** Chooses the bank's entries from all candidates (section 3.2), in the order picked. */
  build(options: CoresetOptions): Coreset;
  /** The same entries with the choice made elsewhere: `runtime/k-centre-worker.ts` makes it on a thread of its own. */
  buildWith(pick: PickCentres, size: number): Promise<Coreset>;
}

/** `kCentrePicks`, wherever it runs. */
export type PickCentres = (points: Matrix, count: number) => Promise<Int32Array>;

export interface CoresetOptions extends KCentreOptions {
  /** Entries at most. */
  size: number;
}

/**
 * @param dims D
 * @param seed decides both projections; deep and fine banks take different ones
 */
export function createCandidateCollector(dims: number, seed: number): CandidateCollector {
  const patchProjection = createRandomProjection(dims, memoryDefaults.patchProjectionDims, seed);
  const parts: Matrix[] = [];
  const classes: number[] = [];
  const pictures: number[] = [];
  return {
    patchProjection,
    get count() {
      return classes.length;
    },
    add(tokens, classIndex, pictureIndex, projected = project(tokens, patchProjection)) {
      const picks = farthestPointPicks(projected, memoryDefaults.patchesPerPicture);
      parts.push(takeRows(tokens, picks));
      for (let i = 0; i < picks.length; i++) {
        classes.push(classIndex);
        pictures.push(pictureIndex);
      }
      return picks;
    },
    build({ size, ...options }) {
      const candidates = stackRows(parts, dims);
      return entries(candidates, kCentrePicks(coresetPoints(candidates, seed), size, options));
    },
    async buildWith(pick, size) {
      const candidates = stackRows(parts, dims);
      // Nothing to choose: starting a thread would take longer.
      if (candidates.rows <= size)
        return entries(
          candidates,
          Int32Array.from({ length: candidates.rows }, (_, i) => i),
        );
      return entries(candidates, await pick(coresetPoints(candidates, seed), size));
    },
  };

  function entries(candidates: Matrix, picks: Int32Array): Coreset {
    return {
      vectors: takeRows(candidates, picks),
      entryClass: Int32Array.from(picks, (i) => classes[i]!),
      entryPicture: Int32Array.from(picks, (i) => pictures[i]!),
    };
  }
}

/** Candidates in the 32 dimensions that k-centre works in. Another seed than the patches', whose directions are spent. */
function coresetPoints(candidates: Matrix, seed: number): Matrix {
  return project(
    candidates,
    createRandomProjection(candidates.cols, memoryDefaults.coresetProjectionDims, seed ^ 0x5bd1e995),
  );
}
