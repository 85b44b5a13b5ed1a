import { setImmediate as turn } from 'node:timers/promises';
import { buildDriftBaseline, type BaselineSample } from '../../../shared/drift/baseline.ts';
import { measurePicture } from '../../../shared/drift/measure.ts';
import { thumbnailSide, type DriftBaseline } from '../../../shared/drift/types.ts';
import { pixelGeometry } from '../../feeds/recipe-geometry.ts';
import { readPicture } from '../../pictures/decode.ts';
import { preparePicture } from '../../pictures/prepare.ts';
import type { DriftBaselineRequest } from '../inference-protocol.ts';

/**
 * Measures good pictures as the model sees them. Scores are left out: the model learned from these pictures, so they
 * score too well, but they look as parts do. One that can't be read is left out.
 * @param inputSize the model's, pixels
 * @throws UserError `driftTooFew`
 */
export async function measureBaseline(
  { modelHash, geometry, pictures }: DriftBaselineRequest,
  inputSize: number,
): Promise<DriftBaseline> {
  const samples: BaselineSample[] = [];
  for (const { path, className } of pictures) {
    try {
      const picture = await readPicture(path);
      // Coarser than this there is nothing to be measured; the guard leaves such a model alone, too.
      const prepared = preparePicture(picture, { size: inputSize, ...pixelGeometry(geometry, picture) });
      if (inputSize >= thumbnailSide) samples.push({ className, statistics: measurePicture(prepared), result: null });
    } catch {
      // Its file is gone or damaged; whoever needs it hears of it there.
    }
    await turn();
  }
  return buildDriftBaseline(samples, { modelHash, createdAt: new Date().toISOString() });
}
