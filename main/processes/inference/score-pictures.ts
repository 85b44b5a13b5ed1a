import { judge } from '../../../shared/calibration/unknown-class.ts';
import type { PartGeometry } from '../../../shared/station/domain.ts';
import { pixelGeometry } from '../../feeds/recipe-geometry.ts';
import { scoreOrNull } from '../../inspection/record.ts';
import { readPicture } from '../../pictures/decode.ts';
import type { PreparedPicture } from '../../pictures/picture.ts';
import { preparePicture } from '../../pictures/prepare.ts';
import type { ScoredPicture, ScoreRequest } from '../inference-protocol.ts';
import type { LoadedModel } from './open-model.ts';

/**
 * Scores pictures one by one, by the rule of the line: for thresholds, gates and lists. A picture that can't be read
 * has no score, and the others go on.
 * @throws the signal's reason; what the detector throws: that is no picture's fault
 */
export async function scorePictures(
  { pictures }: ScoreRequest,
  { use: { geometry }, detector }: LoadedModel,
  signal: AbortSignal,
  onDone: (done: number) => void,
): Promise<ScoredPicture[]> {
  const scored: ScoredPicture[] = [];
  for (const { sha256, path } of pictures) {
    signal.throwIfAborted();
    const start = performance.now();
    const prepared = await prepare(path, geometry, detector.inputSize);
    const result = prepared && (await detector.inspect([prepared]))[0];
    if (result === undefined) {
      scored.push({ sha256, predScore: null, verdict: 'noDecision', className: null, classDistance: null, partMs: 0 });
    } else {
      const { className } = result;
      const { verdict } = judge(result, detector.thresholdsFor(className), detector.unknownClass);
      const predScore = scoreOrNull(result.predScore);
      const classDistance = scoreOrNull(result.classDistance);
      scored.push({ sha256, predScore, verdict, className, classDistance, partMs: performance.now() - start });
    }
    onDone(scored.length);
  }
  return scored;
}

/** @returns undefined when the picture can't be read */
async function prepare(path: string, geometry: PartGeometry, size: number): Promise<PreparedPicture | undefined> {
  try {
    const picture = await readPicture(path);
    return preparePicture(picture, { size, ...pixelGeometry(geometry, picture) });
  } catch {
    return undefined;
  }
}
