import { setImmediate as turn } from 'node:timers/promises';
import type { DetectionResult } from '../../../shared/detection.ts';
import { buildDriftBaseline, type BaselineSample } from '../../../shared/drift/baseline.ts';
import { measurePicture } from '../../../shared/drift/measure.ts';
import { thumbnailSide, type DriftBaseline } from '../../../shared/drift/types.ts';
import { pixelGeometry } from '../../feeds/recipe-geometry.ts';
import { readPicture } from '../../pictures/decode.ts';
import { preparePicture } from '../../pictures/prepare.ts';
import type { DriftBaselineRequest } from '../inference-protocol.ts';
import type { LoadedModel } from './open-model.ts';

/**
 * Measures good pictures as the model sees them. Of those that it learned from the scores are left out: they score too
 * well, but they look as parts do. One that can't be read is left out.
 * @throws UserError `driftTooFew`
 */
export async function measureBaseline(
  { modelHash, pictures }: DriftBaselineRequest,
  { use: { geometry }, detector, heldOut }: Pick<LoadedModel, 'use' | 'detector' | 'heldOut'>,
): Promise<DriftBaseline> {
  const size = detector.inputSize;
  const samples: BaselineSample[] = [];
  for (const { path, sha256, className, isLearned } of pictures) {
    try {
      const picture = await readPicture(path);
      const prepared = preparePicture(picture, { size, ...pixelGeometry(geometry, picture) });
      let result: DetectionResult | null = null;
      if (!isLearned || heldOut?.has(sha256) === true) result = (await detector.inspect([prepared]))[0] ?? null;
      // Coarser than this there is nothing to be measured; the guard leaves such a model alone, too.
      if (size < thumbnailSide) continue;
      samples.push({ className: result?.className ?? className, statistics: measurePicture(prepared), result });
    } catch {
      // Its file is gone or damaged; whoever needs it hears of it there.
    }
    await turn();
  }
  return buildDriftBaseline(samples, { modelHash, createdAt: new Date().toISOString() });
}
