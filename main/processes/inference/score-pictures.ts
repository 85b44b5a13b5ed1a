import { decide } from '../../../shared/detection.ts';
import { pixelGeometry } from '../../feeds/recipe-geometry.ts';
import { readPicture } from '../../pictures/decode.ts';
import { preparePicture } from '../../pictures/prepare.ts';
import type { ScoredPicture, ScoreRequest } from '../inference-protocol.ts';
import type { LoadedModel } from './open-model.ts';

/**
 * Scores pictures one by one, as a feed would: for thresholds, gates and lists. A picture that can't be read has no
 * score, and the others go on.
 * @throws the signal's reason
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
    try {
      const start = performance.now();
      const picture = await readPicture(path);
      const prepared = preparePicture(picture, { size: detector.inputSize, ...pixelGeometry(geometry, picture) });
      const result = (await detector.inspect([prepared]))[0]!;
      const partMs = performance.now() - start;
      const verdict = decide(result.predScore, detector.thresholdsFor(result.className));
      const predScore = Number.isFinite(result.predScore) ? result.predScore : null;
      const { className } = result;
      const classDistance = Number.isFinite(result.classDistance) ? result.classDistance : null;
      scored.push({ sha256, predScore, verdict, className, classDistance, partMs });
    } catch {
      scored.push({ sha256, predScore: null, verdict: 'noDecision', className: null, classDistance: null, partMs: 0 });
    }
    onDone(scored.length);
  }
  return scored;
}
