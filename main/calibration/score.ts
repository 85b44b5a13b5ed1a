import { UserError } from '../../shared/errors.ts';
import type { PictureRef } from '../datasets/dataset.ts';
import type { Detector } from '../detector/detector.ts';
import { readAhead } from '../inspection/read-ahead.ts';
import type { PreparedPicture } from '../pictures/picture.ts';

/** What calibration and gates need of one scored picture. */
export interface ScoredPicture {
  ref: PictureRef;
  predScore: number;
  inferredClass: string;
  /** NaN when the model has no class vector. */
  classDistance: number;
  /** The detector's time; reading and preparing the picture not included. */
  detectMs: number;
}

export interface ScoringParts {
  detector: Pick<Detector, 'inspect' | 'inputSize'>;
  /** Reads and prepares a picture at the detector's size. */
  prepare(path: string, size: number): Promise<PreparedPicture>;
  signal?: AbortSignal;
  onProgress?(done: number): void;
}

/**
 * Scores pictures in the order given, the next one being read meanwhile.
 * @throws what reading a picture throws: a calibration over fewer pictures than were given would pretend
 */
export async function scoreForCalibration(refs: readonly PictureRef[], parts: ScoringParts): Promise<ScoredPicture[]> {
  const { detector, prepare, signal, onProgress } = parts;
  const scored: ScoredPicture[] = [];
  async function* inOrder(): AsyncGenerator<PictureRef> {
    yield* refs;
  }
  const load = async (ref: PictureRef) => {
    try {
      return { ref, prepared: await prepare(ref.path, detector.inputSize) };
    } catch (error) {
      return { ref, error };
    }
  };
  for await (const loaded of readAhead(inOrder(), 2, load)) {
    signal?.throwIfAborted();
    if ('error' in loaded) throw loaded.error;
    const start = performance.now();
    const result = (await detector.inspect([loaded.prepared]))[0];
    const detectMs = performance.now() - start;
    if (result === undefined)
      throw new UserError('detectorFailed', `The detector gave no result for ${loaded.ref.path}.`);
    scored.push({
      ref: loaded.ref,
      predScore: result.predScore,
      inferredClass: result.className,
      classDistance: result.classDistance,
      detectMs,
    });
    onProgress?.(scored.length);
  }
  return scored;
}
