import { rateUpperBound } from '../calibration/binomial.ts';
import { UserError } from '../errors.ts';
import { register, standardised } from './registration.ts';
import {
  driftStreams,
  thumbnailSide,
  type CameraSettings,
  type ClassBaseline,
  type DriftBaseline,
  type DriftObservation,
  type DriftStream,
  type PictureStatistics,
  type StreamBaseline,
} from './types.ts';

/** One good part behind the baseline. */
export interface BaselineSample {
  className: string;
  statistics: PictureStatistics;
  /** Null for pictures that the model learned from: their scores are too good, their pictures are as good as any. */
  result: DriftObservation['result'] | null;
}

export interface BaselineOptions {
  modelHash: string;
  createdAt: string;
  /** Default 0.95. */
  confidence?: number;
  cameraSettings?: CameraSettings;
}

export type StreamValues = Record<DriftStream, number | null>;

/** A class with fewer good parts shares its levels with the other small classes. */
const fewestForOwnLevels = 40;
/** Below this there is no saying what is ordinary. */
const fewestParts = 8;
/** Median likeness from which a class counts as lying in one place. */
const leastLikeness = 0.6;
/** Shares of the good parts that lie beyond a level; the first level is the outermost part itself. */
const levelShares = [0, 0.05, 0.2, 0.45];
/** Standard errors of a median (1.25 spread / sqrt n) that shared levels are widened by: four. */
const centreDoubt = 4 * 1.2533;
/** Parts that the spread of all classes counts for beside a class's own. */
const priorParts = 10;

/**
 * Changes too small to matter, in each stream's unit: levels lie at least this far from the centre, so that a perfectly
 * steady calibration doesn't make every breath of air an alarm.
 */
export const smallestChange: Record<DriftStream, number> = {
  brightness: 2,
  contrast: 1,
  redCast: 1,
  blueCast: 1,
  sharpness: 5,
  shiftX: 0.5,
  shiftY: 0.5,
  rotation: 0.5,
  likeness: 0.02,
  predScore: 0.1,
  classDistance: 0.1,
};

const positionStreams = ['shiftX', 'shiftY', 'rotation', 'likeness'] as const satisfies readonly DriftStream[];

/** The streams' values of one part; brightness, contrast, casts and sharpness in percent (100 ln). */
export function streamValues(
  statistics: PictureStatistics,
  result: DriftObservation['result'] | null,
  reference: ArrayLike<number> | null,
): StreamValues {
  const percent = (value: number): number => 100 * Math.log(Math.max(value, 1e-4));
  const lying = reference === null ? null : register(statistics.thumbnail, reference);
  const finite = (value: number | undefined): number | null =>
    value !== undefined && Number.isFinite(value) ? value : null;
  return {
    brightness: percent(Math.max(1, statistics.brightness)),
    contrast: percent(Math.max(0.01, statistics.contrast)),
    redCast: 100 * statistics.redCast,
    blueCast: 100 * statistics.blueCast,
    sharpness: 100 * statistics.sharpness,
    shiftX: lying?.shiftX ?? null,
    shiftY: lying?.shiftY ?? null,
    rotation: lying?.rotation ?? null,
    likeness: lying?.likeness ?? null,
    predScore: finite(result?.predScore),
    classDistance: finite(result?.classDistance),
  };
}

/**
 * What is ordinary, from good calibration parts. Levels are order statistics with an exact upper bound of the share of
 * good parts beyond them (Clopper-Pearson), so they hold whatever the distribution and however few parts there were:
 * few parts give wide bounds and a slow guard, never a guard that cries wolf.
 * @throws UserError `driftTooFew` when there are fewer than 8 good parts
 */
export function buildDriftBaseline(samples: readonly BaselineSample[], options: BaselineOptions): DriftBaseline {
  if (samples.length < fewestParts) {
    throw new UserError(
      'driftTooFew',
      `${String(samples.length)} good parts are too few to know what is ordinary.`,
      `Give at least ${String(fewestParts)}; 60 and more make the guard quick.`,
    );
  }
  const confidence = options.confidence ?? 0.95;
  const byClass = new Map<string, BaselineSample[]>();
  for (const sample of samples) {
    const list = byClass.get(sample.className) ?? [];
    list.push(sample);
    byClass.set(sample.className, list);
  }
  const classes = [...byClass].map(([className, list]) => ({ className, ...measured(list) }));
  // Every level of every stream must hold at once (Bonferroni).
  const miss = (1 - confidence) / (classes.length * driftStreams.length * 2 * levelShares.length);
  const shared = classes.length === 1 ? [] : classes.filter(({ count }) => count < fewestForOwnLevels);
  const built: ClassBaseline[] = classes.map(({ className, count, reference }) => ({
    className,
    count,
    reference: reference === null ? null : [...reference],
    streams: Object.fromEntries(driftStreams.map((stream) => [stream, null])) as ClassBaseline['streams'],
    levelsFrom: shared.some((entry) => entry.className === className) ? 'allClasses' : 'class',
  }));
  for (const stream of driftStreams) {
    const own = classes.map(({ values }) => present(values, stream));
    const spreads = own.filter((values) => values.length >= 2).map(robustSpread);
    const prior = spreads.length === 0 ? 0 : median(spreads);
    const least = smallestChange[stream];
    // Each small class's parts as the others of that class see them: as new ones will be seen.
    const pool = classes.flatMap((entry, i) =>
      shared.includes(entry)
        ? own[i]!.flatMap((value, j) => {
            const others = own[i]!.filter((_, k) => k !== j);
            return others.length === 0 ? [] : [(value - median(others)) / spreadOf(others, prior, least)];
          })
        : [],
    );
    classes.forEach((entry, i) => {
      const values = own[i]!;
      if (values.length === 0) return;
      const centre = median(values);
      const spread = spreadOf(values, prior, least);
      const pooled = shared.includes(entry);
      const units = pooled ? pool : values.map((value) => (value - centre) / spread);
      if (units.length < fewestParts) return;
      // A small class's own centre is not known well, and all of its new parts share that error.
      const doubt = pooled ? (centreDoubt * spread) / Math.sqrt(values.length) : 0;
      const levels = levelsOf(units, miss).map(({ rate, low, high }) => ({
        rate,
        low: centre + Math.min(low * spread - doubt, -least),
        high: centre + Math.max(high * spread + doubt, least),
      }));
      built[i]!.streams[stream] = {
        count: units.length,
        centre,
        spread,
        levels,
        values: [...values].sort((a, b) => a - b),
      };
    });
  }
  return {
    format: 'twinspect-drift-baseline-2',
    modelHash: options.modelHash,
    createdAt: options.createdAt,
    confidence,
    classes: built,
    cameraSettings: options.cameraSettings ?? null,
  };
}

/**
 * Values of one class. The mean picture comes from every second part, and place is measured on the others alone: parts
 * that made the reference lie on it too well, and all new ones will share its error.
 */
function measured(samples: readonly BaselineSample[]): {
  count: number;
  reference: Float32Array | null;
  values: StreamValues[];
} {
  const sum = new Float64Array(thumbnailSide * thumbnailSide);
  samples.forEach(({ statistics }, s) => {
    if (s % 2 === 0) standardised(statistics.thumbnail).forEach((value, i) => (sum[i]! += value));
  });
  // Rounded: it goes into a JSON file, and the guard must see the same.
  const reference = standardised(sum).map((value) => Math.round(1000 * value) / 1000);
  const values = samples.map(({ statistics, result }, s) =>
    streamValues(statistics, result, s % 2 === 0 ? null : reference),
  );
  const likenesses = present(values, 'likeness');
  const lies = likenesses.length >= fewestParts / 2 && median(likenesses) >= leastLikeness;
  if (!lies) for (const entry of values) for (const stream of positionStreams) entry[stream] = null;
  return { count: samples.length, reference: lies ? reference : null, values };
}

function present(values: readonly StreamValues[], stream: DriftStream): number[] {
  return values.map((entry) => entry[stream]).filter((value) => value !== null);
}

/** A class's spread, leaning on all classes' where it has few parts. */
function spreadOf(values: readonly number[], prior: number, least: number): number {
  const n = values.length;
  const own = n < 2 ? prior : robustSpread(values);
  return Math.max(Math.sqrt((n * own ** 2 + priorParts * prior ** 2) / (n + priorParts)), least / 3, 1e-9);
}

/** Levels in units, outermost first. */
function levelsOf(units: readonly number[], miss: number): StreamBaseline['levels'] {
  const sorted = [...units].sort((a, b) => a - b);
  const n = sorted.length;
  const ranks = [...new Set(levelShares.map((share) => Math.max(1, Math.ceil(share * n))))];
  return ranks.map((rank) => ({
    // At most this share lies strictly beyond the rank-th outermost of n, with confidence 1 - miss.
    rate: rateUpperBound(rank - 1, n, 1 - miss),
    low: sorted[rank - 1]!,
    high: sorted[n - rank]!,
  }));
}

/** Median; NaN of nothing. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** Median absolute deviation, scaled to be the standard deviation of a normal distribution. */
function robustSpread(values: readonly number[]): number {
  const centre = median(values);
  return 1.4826 * median(values.map((value) => Math.abs(value - centre)));
}
