import { UserError } from '../../shared/errors.ts';
import {
  EvaluationTableBuilder,
  type EvaluatedPicture,
  type EvaluationTable,
} from '../../shared/metrics/evaluation-table.ts';
import type { Dataset, PictureRef } from '../datasets/dataset.ts';
import type { Detector } from '../detector/detector.ts';
import type { Picture, PreparedPicture } from '../pictures/picture.ts';
import { maskToSize } from '../pictures/prepare.ts';
import { readAhead } from '../inspection/read-ahead.ts';
import { resizeMap } from '../inspection/resize-map.ts';

/** Side of the maps and masks that pixel metrics are computed on, as anomalib and the papers have it. */
export const metricSize = 256;

export interface EvaluationParts {
  detector: Pick<Detector, 'inspect' | 'inputSize' | 'classes'>;
  readPicture(path: string): Promise<Picture>;
  prepare(picture: Picture, size: number): PreparedPicture;
}

/** Score of one test picture, for those who want more than the table. */
export interface PictureScore {
  file: string;
  className: string;
  /** Class the model took it for. */
  inferredClass: string;
  gtLabel: 'good' | 'defect';
  defectType?: string;
  predScore: number;
  localScore: number;
  semanticScore: number;
  memoryScore: number;
}

export interface Evaluation {
  table: EvaluationTable;
  pictures: PictureScore[];
  warnings: string[];
}

export interface EvaluationSettings {
  signal?: AbortSignal;
  onProgress?: (done: number, total: number) => void;
  /** Leaves out maps and masks. */
  withoutPixels?: boolean;
}

/**
 * Runs a detector over a data set's test split and computes its figures class by class; the maps of one class at most
 * are in memory at a time. A test picture that can't be read is an error: figures over fewer pictures than there are
 * would look better than they are.
 * @throws UserError `noTestPictures`; whatever reading a picture throws; the signal's reason when aborted
 */
export async function evaluateDetector(
  dataset: Dataset,
  parts: EvaluationParts,
  settings: EvaluationSettings = {},
): Promise<Evaluation> {
  const tests = dataset.pictures.filter((picture) => picture.split === 'test');
  if (tests.length === 0) {
    throw new UserError(
      'noTestPictures',
      'There are no test pictures in the data given.',
      'Put good parts into test/good and bad ones into test/<defect> of each class.',
    );
  }
  const builder = new EvaluationTableBuilder();
  const evaluation: Evaluation = { table: builder.table(), pictures: [], warnings: [...dataset.warnings] };
  for (const className of dataset.classes) {
    const refs = tests.filter((picture) => picture.className === className);
    if (refs.length === 0) {
      evaluation.warnings.push(`The class "${className}" has no test pictures and is left out.`);
      continue;
    }
    if (!parts.detector.classes.includes(className)) {
      evaluation.warnings.push(`The model has not learned the class "${className}".`);
    }
    builder.add(className, await scoreClass(refs, parts, evaluation.pictures, tests.length, settings));
  }
  evaluation.table = builder.table();
  return evaluation;
}

/** Scores pictures whatever their split, without maps and masks, in the order given. @throws as `evaluateDetector` */
export async function scorePictures(
  refs: readonly PictureRef[],
  parts: EvaluationParts,
  settings: EvaluationSettings = {},
): Promise<PictureScore[]> {
  const scores: PictureScore[] = [];
  await scoreClass(refs, parts, scores, refs.length, { ...settings, withoutPixels: true });
  return scores;
}

/** Scores of one class with maps and masks; appends to `pictures` as it goes. */
async function scoreClass(
  refs: readonly PictureRef[],
  parts: EvaluationParts,
  pictures: PictureScore[],
  total: number,
  { signal, onProgress, withoutPixels }: EvaluationSettings,
): Promise<EvaluatedPicture[]> {
  const wantPixels = withoutPixels !== true && refs.some((ref) => ref.maskPath !== undefined);
  const evaluated: EvaluatedPicture[] = [];
  for await (const loaded of readAhead(inOrder(refs), 2, (ref) => load(ref, parts, wantPixels))) {
    signal?.throwIfAborted();
    if ('error' in loaded) throw loaded.error;
    const { ref, prepared, gtMask, loadMs } = loaded;
    const start = performance.now();
    const result = (await parts.detector.inspect([prepared]))[0];
    if (result === undefined) throw new UserError('detectorFailed', `The detector gave no result for ${ref.path}.`);
    const { predScore, localScore, semanticScore, memoryScore, anomalyMap, mapWidth, mapHeight } = result;
    evaluated.push({
      gtLabel: ref.gtLabel,
      predScore,
      latencyMs: loadMs + performance.now() - start,
      ...(gtMask !== undefined && {
        pixels: {
          width: metricSize,
          height: metricSize,
          anomalyMap: resizeMap(anomalyMap, mapWidth, mapHeight, metricSize, metricSize),
          gtMask,
        },
      }),
    });
    pictures.push({
      file: ref.path,
      className: ref.className,
      inferredClass: result.className,
      gtLabel: ref.gtLabel,
      ...(ref.defectType !== undefined && { defectType: ref.defectType }),
      predScore,
      localScore,
      semanticScore,
      memoryScore,
    });
    onProgress?.(pictures.length, total);
  }
  return evaluated;
}

type LoadedPicture =
  | { ref: PictureRef; prepared: PreparedPicture; gtMask: Uint8Array | null | undefined; loadMs: number }
  | { error: unknown };

/** Never rejects, see `readAhead`. `gtMask`: undefined when the picture doesn't count for the pixel metrics. */
async function load(ref: PictureRef, parts: EvaluationParts, wantPixels: boolean): Promise<LoadedPicture> {
  try {
    const start = performance.now();
    const prepared = parts.prepare(await parts.readPicture(ref.path), parts.detector.inputSize);
    const loadMs = performance.now() - start;
    let gtMask: Uint8Array | null | undefined;
    if (wantPixels && ref.gtLabel === 'good') gtMask = null;
    else if (wantPixels && ref.maskPath !== undefined) {
      gtMask = maskToSize(await parts.readPicture(ref.maskPath), { size: metricSize });
    }
    return { ref, prepared, gtMask, loadMs };
  } catch (error) {
    return { error };
  }
}

async function* inOrder<Item>(items: Iterable<Item>): AsyncGenerator<Item> {
  yield* items;
}
