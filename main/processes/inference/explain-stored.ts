import { judge } from '../../../shared/calibration/unknown-class.ts';
import { UserError } from '../../../shared/errors.ts';
import type { SeenPicture } from '../../../shared/ipc/explain.ts';
import { pixelGeometry } from '../../feeds/recipe-geometry.ts';
import { explainPart } from '../../inspection/explain.ts';
import { readPicture } from '../../pictures/decode.ts';
import type { PreparedPicture } from '../../pictures/picture.ts';
import { preparePicture } from '../../pictures/prepare.ts';
import type { ExplainRequest, StoredExplanation } from '../inference-protocol.ts';
import { heatBytes } from './evidence.ts';
import type { LoadedModel } from './open-model.ts';

/** Regions that are left out one after the other. */
const spots = 2;

/** A picture as a model sees it, on the scale of its thresholds. @throws UserError as `readPicture` */
export async function seeStored(path: string, { use: { geometry }, detector }: LoadedModel): Promise<SeenPicture> {
  const picture = await readPicture(path);
  const cut = pixelGeometry(geometry, picture);
  const [result] = await detector.inspect([preparePicture(picture, { size: detector.inputSize, ...cut })]);
  if (result === undefined) throw new UserError('detectorFailed', 'The detector gave no result.');
  const thresholds = detector.thresholdsFor(result.className);
  const predScore = Number.isFinite(result.predScore) ? result.predScore : null;
  const { verdict } = judge(result, thresholds, detector.unknownClass);
  return { predScore, verdict, heat: heatBytes(result, thresholds, geometry.region) };
}

/** Judges a stored picture again and says why it scores as it does. @throws UserError as `readPicture` */
export async function explainStored(
  { geometry, path, similarPath, mmPerPx, thresholds }: ExplainRequest,
  { detector }: LoadedModel,
): Promise<StoredExplanation> {
  const prepare = async (file: string): Promise<{ prepared: PreparedPicture; width: number; height: number }> => {
    const picture = await readPicture(file);
    const cut = pixelGeometry(geometry, picture);
    const { width, height } = cut.region ?? picture;
    return { prepared: preparePicture(picture, { size: detector.inputSize, ...cut }), width, height };
  };
  const picture = await readPicture(path);
  const { x: left, y: top } = pixelGeometry(geometry, picture).region ?? { x: 0, y: 0 };
  const { prepared, width, height } = await prepare(path);
  const [result] = await detector.inspect([prepared]);
  if (result === undefined) throw new UserError('detectorFailed', 'The detector gave no result.');
  const found = await explainPart(prepared, result, {
    detector,
    thresholds,
    picture: { width, height },
    counterfactuals: spots,
    ...(mmPerPx !== null && { mmPerPx }),
    ...(similarPath !== null && {
      readNormal: () =>
        prepare(similarPath).then(
          ({ prepared: normal }) => normal,
          () => undefined,
        ),
    }),
  });
  return {
    predScore: result.predScore,
    regions: found.regions.map(({ box, areaPx, areaMm2, peakScore }) => ({
      box: { ...box, x: box.x + left, y: box.y + top },
      areaPx,
      areaMm2,
      peakScore,
    })),
    counterfactuals: found.counterfactuals
      .filter(({ predScore }) => Number.isFinite(predScore))
      .map(({ replacedBy, region, predScore, verdict }) => ({ replacedBy, region, predScore, verdict })),
  };
}
