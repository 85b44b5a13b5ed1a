import { memoryDefaults } from './defaults.ts';

/**
 * Statistics of ln d over one bank's leave-one-out search (embedded recipe, section 4). With them the local score
 * of a token at distance d whose nearest entry is b is z = (ln d - m_b)/sqrt v_b and, by class,
 * c = (ln d - m_class)/sqrt v_class.
 */
export interface LocalStatistics {
  /** `[C]` mean and variance of ln d per class. */
  classMean: Float32Array;
  classVariance: Float32Array;
  /** `[K]` mean and variance of ln d per entry, drawn towards its class. */
  entryMean: Float32Array;
  entryVariance: Float32Array;
}

export interface LeaveOneOut {
  /**
   * Takes one calibration picture's search of the bank with its own entries masked.
   * @param distances `[q]` distance (not squared) of each token to the nearest entry left
   * @param entries `[q]` which entry; a token with -1 or without a finite distance found none and is left out
   */
  add(classIndex: number, distances: ArrayLike<number>, entries: ArrayLike<number>): void;
  /**
   * @param raw classes with few pictures (section 11), whose entries take the class statistics unchanged: within the
   *   class scores then rank as raw distances do
   */
  finish(raw?: readonly boolean[]): LocalStatistics;
}

/** ln(max(d, 1e-3)), the logarithm of every distance. */
export function logDistance(distance: number): number {
  return Math.log(Math.max(distance, memoryDefaults.distanceFloor));
}

/**
 * Collects the leave-one-out search of one bank.
 * @param entryClass `[K]` class of each entry
 */
export function createLeaveOneOut(entryClass: Int32Array, classCount: number): LeaveOneOut {
  const entries = createSums(entryClass.length);
  const classes = createSums(classCount);
  return {
    add(classIndex, distances, chosen) {
      for (let i = 0; i < distances.length; i++) {
        const entry = chosen[i]!;
        const distance = distances[i]!;
        if (entry < 0 || !Number.isFinite(distance)) continue;
        const value = logDistance(distance);
        addTo(classes, classIndex, value);
        addTo(entries, entry, value);
      }
    },
    finish(raw) {
      const { mean: classMean, variance: classVariance } = classMoments(classes);
      const entryMean = new Float32Array(entryClass.length);
      const entryVariance = new Float32Array(entryClass.length);
      const k0 = memoryDefaults.entryPriorTokens;
      for (let b = 0; b < entryClass.length; b++) {
        const c = entryClass[b]!;
        const m = classMean[c]!;
        const v = classVariance[c]!;
        const n = raw?.[c] === true ? 0 : entries.count[b]!;
        const s1 = n === 0 ? 0 : entries.sum[b]!;
        const s2 = n === 0 ? 0 : entries.squares[b]!;
        const mb = (s1 + k0 * m) / (n + k0);
        const spread = s2 - 2 * mb * s1 + n * mb * mb + k0 * (v + (m - mb) ** 2);
        entryMean[b] = mb;
        entryVariance[b] = Math.max(memoryDefaults.entryVarianceFloor, spread / (n + k0));
      }
      return {
        classMean: Float32Array.from(classMean),
        classVariance: Float32Array.from(classVariance),
        entryMean,
        entryVariance,
      };
    },
  };
}

interface Sums {
  count: Float64Array;
  sum: Float64Array;
  squares: Float64Array;
}

function createSums(length: number): Sums {
  return { count: new Float64Array(length), sum: new Float64Array(length), squares: new Float64Array(length) };
}

function addTo(sums: Sums, at: number, value: number): void {
  sums.count[at]! += 1;
  sums.sum[at]! += value;
  sums.squares[at]! += value * value;
}

/** Mean and variance per class; a class without tokens takes those of all tokens, or the stated defaults. */
function classMoments(classes: Sums): { mean: Float64Array; variance: Float64Array } {
  const total = createSums(1);
  for (let c = 0; c < classes.count.length; c++) {
    total.count[0]! += classes.count[c]!;
    total.sum[0]! += classes.sum[c]!;
    total.squares[0]! += classes.squares[c]!;
  }
  const pooled = moments(total, 0, {
    mean: memoryDefaults.fallbackLogDistanceMean,
    variance: memoryDefaults.fallbackLogDistanceVariance,
  });
  const each = Array.from(classes.count, (_, c) => moments(classes, c, pooled));
  return {
    mean: Float64Array.from(each, ({ mean }) => mean),
    variance: Float64Array.from(each, ({ variance }) => variance),
  };
}

function moments(sums: Sums, at: number, otherwise: { mean: number; variance: number }): typeof otherwise {
  const n = sums.count[at]!;
  if (n === 0) return otherwise;
  const mean = sums.sum[at]! / n;
  // All tokens equally far (identical pictures): the floor keeps the score finite.
  const variance = Math.max(memoryDefaults.entryVarianceFloor, sums.squares[at]! / n - mean * mean);
  return { mean, variance };
}
