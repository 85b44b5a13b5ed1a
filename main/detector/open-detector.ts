import type { DetectionResult } from '../../shared/detection.ts';
import { UserError } from '../../shared/errors.ts';
import { thresholdsFor } from '../../shared/calibration/thresholds.ts';
import { classLimitOf, packagedUnknownClass } from '../../shared/calibration/unknown-limit.ts';
import { readPackage, type ModelPackage } from '../package/read-package.ts';
import type { PreparedPicture } from '../pictures/picture.ts';
import { graphSource } from './graph-file.ts';
import { openSession, type GraphSession, type TensorData } from '../runtime/session.ts';
import { checkFusedGraph } from './check-graph.ts';
import type { Detector, EngineName } from './detector.ts';
import { fusedOutputs } from './fused-graph.ts';

export interface OpenDetectorOptions {
  engine: EngineName;
  /** Threads of one run; default: all cores. */
  threads?: number;
  /** Opens the graph; default: in a worker thread, because a run blocks the thread it is called on. */
  openGraph?: typeof openSession;
}

/**
 * Opens a model package for inspection: checks every part of it, then loads its graph.
 * @throws UserError when the package is damaged, foreign or newer, or the engine asked for is absent
 */
export async function openDetector(path: string, options: OpenDetectorOptions): Promise<Detector> {
  return detectorOf(await readPackage(path, { checkGraph: checkFusedGraph }), options);
}

/** @see openDetector, with a package that has been read already */
export async function detectorOf(model: ModelPackage, options: OpenDetectorOptions): Promise<Detector> {
  const { manifest, normals } = model;
  const open = options.openGraph ?? openSession;
  const { source, cleanUp } = await graphSource(model);
  const session = await open(source, {
    provider: options.engine,
    ...(options.threads === undefined ? {} : { threads: options.threads }),
  }).catch(async (error: unknown) => {
    await cleanUp();
    throw error;
  });
  const classes = manifest.classes.map(({ name }) => name);
  const unknownClass = classLimitOf(packagedUnknownClass(model.calibration));
  return {
    modelHash: model.modelHash,
    classes,
    inputSize: manifest.inputSize,
    provider: session.description.provider,
    thresholdsFor: (className) => thresholdsFor(manifest.thresholds, className),
    ...(unknownClass !== undefined && { unknownClass }),
    normalPicture: (index) => {
      const normal = normals[index];
      return normal && { className: normal.className, fileName: normal.fileName };
    },
    inspect: (pictures) => runFused(session, pictures, manifest.inputSize, classes),
    close: async () => {
      await session.close();
      await cleanUp();
    },
  };
}

/**
 * Runs a fused graph on prepared pictures.
 * @throws UserError `detectorFailed`
 */
export async function runFused(
  session: GraphSession,
  pictures: readonly PreparedPicture[],
  inputSize: number,
  classes: readonly string[],
): Promise<DetectionResult[]> {
  if (pictures.length === 0) return [];
  const bytes = inputSize * inputSize * 3;
  const pixels = new Uint8Array(pictures.length * bytes);
  pictures.forEach((picture, i) => {
    if (picture.data.length !== bytes) throw new RangeError(`picture ${i} is not prepared at ${inputSize} px`);
    pixels.set(picture.data, i * bytes);
  });
  let out: Record<string, TensorData>;
  try {
    out = await session.run({
      pixels: { dtype: 'uint8', dims: [pictures.length, inputSize, inputSize, 3], data: pixels },
    });
  } catch (error) {
    if (error instanceof UserError) throw error;
    const why = error instanceof Error ? error.message : String(error);
    throw new UserError('detectorFailed', `The model could not be run: ${why}.`, 'Try --engine cpu.', { cause: error });
  }
  const [pred, local, semantic, memory, , map, classIndex, classDistance, nearest] = fusedOutputs.map(
    (name) => out[name]!.data as Float32Array | Int32Array,
  );
  const area = inputSize * inputSize;
  return pictures.map((_, i) => ({
    predScore: pred![i]!,
    localScore: local![i]!,
    semanticScore: semantic![i]!,
    memoryScore: memory![i]!,
    className: classes[classIndex![i]!] ?? '',
    classDistance: classDistance![i]!,
    nearestNormal: nearest![i]!,
    anomalyMap: (map as Float32Array).slice(i * area, (i + 1) * area),
    mapWidth: inputSize,
    mapHeight: inputSize,
  }));
}
