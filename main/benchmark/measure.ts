import {
  averagePrecision,
  auroc,
  f1Max,
  rankedAuroc,
  rankedAveragePrecision,
  rankedF1Max,
} from '../../shared/metrics/ranking.ts';
import { rankedAupro, rankedAuproStepped, rankPixels, type PixelTruth } from '../../shared/metrics/pixels.ts';
import { UserError } from '../../shared/errors.ts';
import type { PublishedPicture } from '../datasets/published-set.ts';
import type { Detector } from '../detector/detector.ts';
import { metricSize } from '../evaluation/evaluate.ts';
import { readAhead } from '../inspection/read-ahead.ts';
import { resizeMap } from '../inspection/resize-map.ts';
import { cropPicture, type Picture, type PreparedPicture } from '../pictures/picture.ts';
import { centreCrop, maskToSize } from '../pictures/prepare.ts';
import { resample } from '../pictures/resample.ts';
import type { Group } from './plan.ts';
import { DefectConfigs, GroupSpro, type SproMetrics, type SproTruth } from './spro.ts';

/** How a group is measured. */
export interface MeasureOptions {
  detector: Pick<Detector, 'inspect' | 'inputSize'>;
  readPicture(path: string): Promise<Picture>;
  prepare(picture: Picture, size: number): PreparedPicture;
  /** False leaves out maps and masks. */
  pixels: boolean;
  /**
   * Side of the centre of the input that the network sees: maps and masks outside of it don't count (Dinomaly crops both).
   * The map is then blurred as Dinomaly does. Undefined: the whole input, no blur.
   */
  crop?: number;
  /** Defect types with an AUROC of their own. */
  kinds?: readonly string[];
  /** With pixels: also sPRO over `kinds`, at the size of the pictures; for sets with a `defects_config.json`. */
  spro?: boolean;
  signal?: AbortSignal;
  onProgress?: (done: number, total: number) => void;
}

/** Metrics of one group in 0..1; null where they are not defined. */
export interface GroupMetrics extends SproMetrics {
  imageAuroc: number | null;
  imageAp: number | null;
  imageF1Max: number | null;
  pixelAuroc: number | null;
  pixelAp: number | null;
  pixelF1Max: number | null;
  /** Exact, false-positive rate up to 0.3. */
  aupro: number | null;
  /** As Dinomaly's code takes it: 200 thresholds. */
  auproStepped: number | null;
}
export const metricNames = [
  'imageAuroc',
  'imageAp',
  'imageF1Max',
  'pixelAuroc',
  'pixelAp',
  'pixelF1Max',
  'aupro',
  'auproStepped',
  'spro005',
  'spro03',
] as const satisfies readonly (keyof GroupMetrics)[];

/** One picture's scores, so that figures can be computed again. */
export interface ScoredPicture {
  file: string;
  className: string;
  gtLabel: 'good' | 'defect';
  defectType?: string;
  predScore: number;
  /** NaN becomes null in JSON. */
  localScore: number | null;
  semanticScore: number | null;
  memoryScore: number | null;
}

export interface GroupResult {
  name: string;
  images: number;
  defects: number;
  metrics: GroupMetrics;
  /** AUROC of each defect type asked for, against all good pictures. */
  byKind: Record<string, number | null>;
  /** Time of one picture in the detector (batch 1, without decoding and resizing), milliseconds, in order. */
  latenciesMs: number[];
  pictures: ScoredPicture[];
}

/**
 * Scores a group picture by picture and computes the metrics of method-spec section 8.
 * @throws UserError `groupEmpty`, `scoreNotFinite`; whatever reading a picture throws; the signal's reason
 */
export async function measureGroup(group: Group, options: MeasureOptions): Promise<GroupResult> {
  const { name, pictures } = group;
  if (pictures.length === 0) {
    throw new UserError('groupEmpty', `"${name}" has no test pictures.`, 'Check the data set, or leave the class out.');
  }
  const wantPixels = options.pixels && pictures.some(({ maskPath }) => maskPath !== undefined);
  const result: GroupResult = {
    name,
    images: pictures.length,
    defects: pictures.filter(({ gtLabel }) => gtLabel === 'defect').length,
    metrics: noMetrics(),
    byKind: {},
    latenciesMs: [],
    pictures: [],
  };
  const truths: PixelTruth[] = [];
  const spro = wantPixels && options.spro === true ? new GroupSpro(options.kinds ?? []) : undefined;
  const configs = spro && new DefectConfigs();
  for await (const loaded of readAhead(each(pictures), 2, (picture) => load(picture, options, wantPixels, configs))) {
    options.signal?.throwIfAborted();
    if ('error' in loaded) throw loaded.error;
    const { picture, prepared, gtMask, sproTruth } = loaded;
    const start = performance.now();
    const [found] = await options.detector.inspect([prepared]);
    result.latenciesMs.push(round(performance.now() - start));
    if (found === undefined || !Number.isFinite(found.predScore)) {
      throw new UserError('scoreNotFinite', `The model has no score for ${picture.path}.`, 'Train it again.');
    }
    if (gtMask !== undefined) truths.push(pixelTruth(found.anomalyMap, found.mapWidth, gtMask, options));
    if (sproTruth !== undefined) spro?.add(picture, found.anomalyMap, found.mapWidth, sproTruth);
    result.pictures.push({
      file: picture.path,
      className: picture.className,
      gtLabel: picture.gtLabel,
      ...(picture.defectType !== undefined && { defectType: picture.defectType }),
      predScore: found.predScore,
      localScore: finite(found.localScore),
      semanticScore: finite(found.semanticScore),
      memoryScore: finite(found.memoryScore),
    });
    options.onProgress?.(result.pictures.length, pictures.length);
  }
  const labels = result.pictures.map(({ gtLabel }) => gtLabel === 'defect');
  const scores = result.pictures.map(({ predScore }) => predScore);
  result.metrics = {
    ...noMetrics(),
    ...imageMetrics(labels, scores),
    ...pixelMetricsOf(truths),
    ...spro?.metrics(),
  };
  for (const kind of options.kinds ?? []) {
    const kept = result.pictures.filter(({ gtLabel, defectType }) => gtLabel === 'good' || defectType === kind);
    result.byKind[kind] = auroc(
      kept.map(({ gtLabel }) => gtLabel === 'defect'),
      kept.map(({ predScore }) => predScore),
    );
  }
  return result;
}

export function noMetrics(): GroupMetrics {
  return Object.fromEntries(metricNames.map((name) => [name, null])) as unknown as GroupMetrics;
}

function imageMetrics(
  labels: boolean[],
  scores: number[],
): Pick<GroupMetrics, 'imageAuroc' | 'imageAp' | 'imageF1Max'> {
  const imageAuroc = auroc(labels, scores);
  // Without good pictures AP and F1 would be 1 whatever the model does.
  if (imageAuroc === null) return { imageAuroc, imageAp: null, imageF1Max: null };
  return { imageAuroc, imageAp: averagePrecision(labels, scores), imageF1Max: f1Max(labels, scores)?.value ?? null };
}

function pixelMetricsOf(
  truths: readonly PixelTruth[],
): Pick<GroupMetrics, 'pixelAuroc' | 'pixelAp' | 'pixelF1Max' | 'aupro' | 'auproStepped'> {
  if (truths.length === 0) {
    return { pixelAuroc: null, pixelAp: null, pixelF1Max: null, aupro: null, auproStepped: null };
  }
  const ranked = rankPixels(truths);
  return {
    pixelAuroc: rankedAuroc(ranked),
    pixelAp: rankedAveragePrecision(ranked),
    pixelF1Max: rankedF1Max(ranked)?.value ?? null,
    aupro: rankedAupro(ranked),
    auproStepped: rankedAuproStepped(ranked),
  };
}

type Loaded =
  | {
      picture: PublishedPicture;
      prepared: PreparedPicture;
      gtMask: Uint8Array | null | undefined;
      sproTruth: SproTruth | undefined;
    }
  | { error: unknown };

/** Never rejects, see `readAhead`. `gtMask`: undefined when the picture doesn't count for the pixel metrics. */
async function load(
  picture: PublishedPicture,
  options: MeasureOptions,
  wantPixels: boolean,
  configs: DefectConfigs | undefined,
): Promise<Loaded> {
  try {
    const { inputSize } = options.detector;
    const decoded = await options.readPicture(picture.path);
    const prepared = options.prepare(decoded, inputSize);
    const sproTruth = await configs?.truthOf(picture, decoded, (file) => options.readPicture(file));
    if (!wantPixels) return { picture, prepared, gtMask: undefined, sproTruth };
    if (picture.gtLabel === 'good') return { picture, prepared, gtMask: null, sproTruth };
    const paths = picture.maskPaths ?? (picture.maskPath === undefined ? [] : [picture.maskPath]);
    if (paths.length === 0) return { picture, prepared, gtMask: undefined, sproTruth };
    const union = new Uint8Array(metricSize * metricSize);
    for (const path of paths) {
      const mask = maskPixels(await options.readPicture(path), inputSize, options.crop);
      for (let i = 0; i < union.length; i++) union[i]! |= mask[i]!;
    }
    return { picture, prepared, gtMask: union, sproTruth };
  } catch (error) {
    return { error };
  }
}

/** A mask at `metricSize`. With a crop as Dinomaly does it: bilinear to the input, crop, anything above 0, nearest. */
export function maskPixels(mask: Picture, inputSize: number, crop: number | undefined): Uint8Array {
  if (crop === undefined) return maskToSize(mask, { size: metricSize });
  // Masks may hold small numbers for kinds of defects: bilinear rounding must not lose them.
  const bright: Picture = { ...mask, data: mask.data.map((value) => (value === 0 ? 0 : 255)) };
  const sized = cropPicture(resample(bright, inputSize, inputSize, 'bilinear'), centreCrop(inputSize, crop));
  return maskToSize(sized, { size: metricSize });
}

function pixelTruth(
  anomalyMap: Float32Array,
  side: number,
  gtMask: Uint8Array | null,
  { crop, detector }: MeasureOptions,
): PixelTruth {
  let map = anomalyMap;
  let mapSide = side;
  if (crop !== undefined && crop !== detector.inputSize && side === detector.inputSize) {
    map = cutMap(anomalyMap, side, crop);
    mapSide = crop;
  }
  const sized = resizeMap(map, mapSide, mapSide, metricSize, metricSize);
  return {
    width: metricSize,
    height: metricSize,
    anomalyMap: crop === undefined ? sized : blur(sized, metricSize),
    gtMask,
  };
}

function cutMap(map: Float32Array, side: number, crop: number): Float32Array {
  const { x, y } = centreCrop(side, crop);
  const out = new Float32Array(crop * crop);
  for (let row = 0; row < crop; row++) {
    const from = (y + row) * side + x;
    out.set(map.subarray(from, from + crop), row * crop);
  }
  return out;
}

/** Dinomaly's blur: 5 x 5 Gaussian with sigma 4, zero padding (method-spec section 3.3). `[side, side]` */
export function blur(map: Float32Array, side: number): Float32Array {
  const weights = [-2, -1, 0, 1, 2].map((d) => Math.exp((-d * d) / (2 * 4 * 4)));
  const sum = weights.reduce((total, weight) => total + weight, 0);
  const pass = (from: Float32Array, step: number, along: (i: number) => number): Float32Array => {
    const out = new Float32Array(from.length);
    for (let i = 0; i < from.length; i++) {
      const at = along(i);
      let value = 0;
      for (let d = -2; d <= 2; d++) {
        if (at + d >= 0 && at + d < side) value += (weights[d + 2]! / sum) * from[i + d * step]!;
      }
      out[i] = value;
    }
    return out;
  };
  return pass(
    pass(map, 1, (i) => i % side),
    side,
    (i) => Math.floor(i / side),
  );
}

const finite = (value: number): number | null => (Number.isFinite(value) ? value : null);
const round = (ms: number): number => Math.round(ms * 1000) / 1000;

async function* each<Item>(items: Iterable<Item>): AsyncGenerator<Item> {
  yield* items;
}
