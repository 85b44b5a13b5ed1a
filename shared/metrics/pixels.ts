import { connectedRegions } from './regions.ts';
import { type RankedScores, rankedAuroc, rankedAveragePrecision, rankedF1Max, refuseNan } from './ranking.ts';
import { bitsOfKey, orderedKey, sortFloats } from './sort-floats.ts';

/** One picture's anomaly map with its ground truth. */
export interface PixelTruth {
  width: number;
  height: number;
  /** `[height, width]` row-major. */
  anomalyMap: Float32Array;
  /** `[height, width]` row-major, anything but 0 is anomalous; null: the whole picture is normal. */
  gtMask: Uint8Array | null;
}

/** Anomalous pixels of the ranking also know their region, for the per-region overlap. */
export interface RankedPixels extends RankedScores {
  positives: Float32Array;
  negatives: Float32Array;
  /** `regionOfPositive[i]`: region of `positives[i]`, 0..regionCount-1. */
  regionOfPositive: Int32Array;
  /** Pixels of each region. */
  regionSizesPx: Float64Array;
}

/** How AUPRO is taken from its curve. */
export interface AuproOptions {
  /** False-positive rate up to which the curve counts, in (0, 1]. Default 0.3. */
  fprLimit?: number;
}

export interface SteppedAuproOptions extends AuproOptions {
  /** Number of equal steps between the lowest and the highest value. Default 200. */
  steps?: number;
  /** `max`: divide by the largest kept rate (Dinomaly). `minMax`: stretch to 0..1 (ADer). Default `max`. */
  normalise?: 'max' | 'minMax';
}

/** Room for a region number beside a 32-bit score key in the 53 exact bits of a double. */
const REGION_SLOTS = 2 ** 21;

/**
 * Sorts all pixels of a set once, exactly (no bins). Memory: the pixels again as 32-bit floats, plus 16 bytes for
 * each anomalous pixel; 600 pictures of 256 x 256 need about 160 MB and a few seconds.
 * @throws RangeError when map and mask sizes differ from width x height, or with more than 2^21 regions
 * @throws UserError `scoreNotANumber` when a map holds NaN
 */
export function rankPixels(pictures: readonly PixelTruth[]): RankedPixels {
  let positiveCount = 0;
  let total = 0;
  for (const picture of pictures) {
    checkSizes(picture);
    total += picture.anomalyMap.length;
    if (picture.gtMask === null) continue;
    for (let i = 0; i < picture.gtMask.length; i++) if (picture.gtMask[i] !== 0) positiveCount++;
  }
  const negatives = new Float32Array(total - positiveCount);
  const packed = new Float64Array(positiveCount);
  const regionSizes: number[] = [];
  let n = 0;
  let p = 0;
  for (const { anomalyMap, gtMask, width, height } of pictures) {
    if (gtMask === null) {
      negatives.set(anomalyMap, n);
      n += anomalyMap.length;
      continue;
    }
    const bits = new Uint32Array(anomalyMap.buffer, anomalyMap.byteOffset, anomalyMap.length);
    const { regionOf, sizesPx } = connectedRegions(gtMask, width, height);
    for (let i = 0; i < anomalyMap.length; i++) {
      const region = regionOf[i]!;
      if (region === 0) negatives[n++] = anomalyMap[i]!;
      else packed[p++] = orderedKey(bits[i]!) * REGION_SLOTS + regionSizes.length + region - 1;
    }
    for (const size of sizesPx) regionSizes.push(size);
    if (regionSizes.length > REGION_SLOTS) throw new RangeError(`more than ${REGION_SLOTS} regions in the masks`);
  }
  sortFloats(negatives);
  packed.sort();
  const { positives, regionOfPositive } = unpack(packed);
  refuseNan(positives);
  refuseNan(negatives);
  return { positives, negatives, regionOfPositive, regionSizesPx: Float64Array.from(regionSizes) };
}

function checkSizes({ anomalyMap, gtMask, width, height }: PixelTruth): void {
  if (anomalyMap.length !== width * height || (gtMask !== null && gtMask.length !== width * height)) {
    throw new RangeError(
      `an anomaly map of ${anomalyMap.length} and a mask of ${gtMask?.length ?? 0} pixels are not ${width} x ${height}`,
    );
  }
}

function unpack(packed: Float64Array): { positives: Float32Array; regionOfPositive: Int32Array } {
  const keys = new Uint32Array(packed.length);
  const regionOfPositive = new Int32Array(packed.length);
  for (let i = 0; i < packed.length; i++) {
    const key = Math.floor(packed[i]! / REGION_SLOTS);
    regionOfPositive[i] = packed[i]! - key * REGION_SLOTS;
    keys[i] = bitsOfKey(key);
  }
  return { positives: new Float32Array(keys.buffer), regionOfPositive };
}

/**
 * Area under the per-region overlap curve, exact: every distinct value is a threshold, regions are 8-connected, the
 * curve is interpolated at the limit and the area divided by it. Null without a region or without a normal pixel.
 * @throws RangeError when the limit is not in (0, 1]
 */
export function rankedAupro(ranked: RankedPixels, options: AuproOptions = {}): number | null {
  const limit = checkLimit(options.fprLimit);
  const { positives, negatives, regionOfPositive, regionSizesPx } = ranked;
  if (positives.length === 0 || negatives.length === 0) return null;
  const weights = regionSizesPx.map((size) => 1 / (size * regionSizesPx.length));
  const allowed = limit * negatives.length; // Counted in normal pixels until the end.
  let p = positives.length - 1;
  let n = negatives.length - 1;
  let overlap = 0;
  let falsePositives = 0;
  let area = 0;
  while (n >= 0 && falsePositives < allowed) {
    const threshold = p < 0 ? negatives[n]! : Math.max(positives[p]!, negatives[n]!);
    let gained = 0;
    while (p >= 0 && positives[p]! === threshold) gained += weights[regionOfPositive[p--]!]!;
    const before = n;
    while (n >= 0 && negatives[n]! === threshold) n--;
    const step = before - n;
    if (step > 0) {
      const taken = Math.min(step, allowed - falsePositives);
      // Mean height of the (possibly cut) straight piece from `overlap` to `overlap + gained`.
      area += taken * (overlap + (gained * taken) / step / 2);
      falsePositives += step;
    }
    overlap += gained;
  }
  return Math.min(1, area / allowed); // The overlap's sum of weights may round to just above 1.
}

/**
 * Coarse AUPRO as published code takes it (method-spec section 8): thresholds from the lowest to the highest value in
 * equal steps, positive = `> threshold`, points with a rate below the limit, rate rescaled, trapezoid. A rough estimate
 * kept for comparison with published figures. Null where it is not defined (no region, no normal pixel, one value,
 * or no kept rate above zero).
 */
export function rankedAuproStepped(ranked: RankedPixels, options: SteppedAuproOptions = {}): number | null {
  const limit = checkLimit(options.fprLimit);
  const steps = options.steps ?? 200;
  const { positives, negatives, regionOfPositive, regionSizesPx } = ranked;
  if (positives.length === 0 || negatives.length === 0) return null;
  const low = Math.min(positives[0]!, negatives[0]!);
  const high = Math.max(positives[positives.length - 1]!, negatives[negatives.length - 1]!);
  const step = (high - low) / steps;
  if (!(step > 0) || !Number.isFinite(step)) return null;
  const weights = regionSizesPx.map((size) => 1 / (size * regionSizesPx.length));
  // Thresholds as NumPy's arange lays them out, its rounding included.
  const delta = low + step - low;
  const rates: number[] = [];
  const overlaps: number[] = [];
  let p = positives.length - 1;
  let overlap = 0;
  for (let i = Math.ceil((high - low) / step) - 1; i >= 0; i--) {
    const threshold = low + i * delta;
    while (p >= 0 && positives[p]! > threshold) overlap += weights[regionOfPositive[p--]!]!;
    const rate = (negatives.length - countAtMost(negatives, threshold)) / negatives.length;
    if (rate >= limit) break;
    rates.push(rate);
    overlaps.push(overlap);
  }
  const first = options.normalise === 'minMax' ? (rates[0] ?? 0) : 0;
  const span = (rates[rates.length - 1] ?? 0) - first;
  if (!(span > 0)) return null;
  let area = 0;
  for (let i = 1; i < rates.length; i++) area += ((rates[i]! - rates[i - 1]!) * (overlaps[i]! + overlaps[i - 1]!)) / 2;
  return Math.min(1, area / span);
}

/** Number of values that are not above `threshold`, in an ascending array. */
function countAtMost(sorted: Float32Array, threshold: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (sorted[middle]! <= threshold) low = middle + 1;
    else high = middle;
  }
  return low;
}

function checkLimit(limit = 0.3): number {
  if (!(limit > 0 && limit <= 1)) throw new RangeError(`false-positive limit ${limit} is not in (0, 1]`);
  return limit;
}

/** All pixel metrics of a set of pictures from one sort. Null where there is no anomalous pixel. */
export interface PixelMetrics {
  pixelAuroc: number | null;
  pixelAp: number | null;
  pixelF1Max: number | null;
  aupro: number | null;
  /** Anomalous regions over all pictures. */
  regions: number;
}

/** Pixel AUROC, AP, F1-max over all pixels and exact AUPRO. Needs the memory of {@link rankPixels}. */
export function pixelMetrics(pictures: readonly PixelTruth[], options: AuproOptions = {}): PixelMetrics {
  const ranked = rankPixels(pictures);
  return {
    pixelAuroc: rankedAuroc(ranked),
    pixelAp: rankedAveragePrecision(ranked),
    pixelF1Max: rankedF1Max(ranked)?.value ?? null,
    aupro: rankedAupro(ranked, options),
    regions: ranked.regionSizesPx.length,
  };
}

/** Exact AUPRO, see {@link rankedAupro}. */
export function aupro(pictures: readonly PixelTruth[], options: AuproOptions = {}): number | null {
  return rankedAupro(rankPixels(pictures), options);
}

/** Coarse AUPRO, see {@link rankedAuproStepped}. */
export function auproStepped(pictures: readonly PixelTruth[], options: SteppedAuproOptions = {}): number | null {
  return rankedAuproStepped(rankPixels(pictures), options);
}
