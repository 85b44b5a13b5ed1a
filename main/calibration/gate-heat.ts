import type { GateResult } from '../../shared/calibration/gates.ts';
import type { Detector } from '../detector/detector.ts';
import { heatLayer } from '../inspection/heat-map.ts';
import { displayPicture, encodeJpeg, encodeOverlay, layerSize } from '../inspection/part-pictures.ts';
import { readPicture } from '../pictures/decode.ts';
import type { PreparedPicture } from '../pictures/picture.ts';

/** A changed picture as each of the two models sees it: data addresses, heat map drawn in. */
export interface SeenByBoth {
  active: string;
  candidate: string;
}

/**
 * Pictures whose verdict changes, with the heat map of each model on them, each on its own thresholds' scale.
 * @param most pictures at most
 * @returns by the pictures' paths
 * @throws as `readPicture`, and what a detector throws
 */
export async function changedPictures(
  gates: readonly GateResult[],
  models: { active: Detector; candidate: Detector },
  prepare: (path: string, size: number) => Promise<PreparedPicture>,
  most: number,
  signal?: AbortSignal,
): Promise<Map<string, SeenByBoth>> {
  const changed = gates.find(({ gate }) => gate === 'goldenSet')?.changed ?? [];
  const seen = new Map<string, SeenByBoth>();
  for (const { id } of changed.slice(0, most)) {
    signal?.throwIfAborted();
    const by = async (detector: Detector): Promise<string> => seenBy(id, detector, prepare);
    seen.set(id, { active: await by(models.active), candidate: await by(models.candidate) });
  }
  return seen;
}

async function seenBy(
  path: string,
  detector: Detector,
  prepare: (path: string, size: number) => Promise<PreparedPicture>,
): Promise<string> {
  const picture = await readPicture(path);
  const [result] = await detector.inspect([await prepare(path, detector.inputSize)]);
  const { width, height } = layerSize(picture);
  const layer = result && heatLayer(result, detector.thresholdsFor(result.className), width, height);
  const [type, bytes] =
    layer === undefined
      ? ['image/jpeg', await encodeJpeg(displayPicture(picture))]
      : ['image/png', await encodeOverlay(picture, layer)];
  return `data:${type};base64,${bytes.toString('base64')}`;
}
