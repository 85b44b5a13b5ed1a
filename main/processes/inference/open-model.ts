import type { Thresholds } from '../../../shared/detection.ts';
import { UserError } from '../../../shared/errors.ts';
import { checkFusedGraph } from '../../detector/check-graph.ts';
import type { Detector } from '../../detector/detector.ts';
import { detectorOf } from '../../detector/open-detector.ts';
import { originalSha256 } from '../../package/original-picture.ts';
import { readPackage } from '../../package/read-package.ts';
import type { ModelUse, OpenedModel } from '../inference-protocol.ts';

/** A model that is ready to judge. */
export interface LoadedModel {
  use: ModelUse;
  /** Decides by the thresholds that a person set, where one did. */
  detector: Detector;
  opened: OpenedModel;
  /** Content hash of a normal picture of its snapshot. */
  normalSha256(index: number): string | null;
  /** Content hashes of the good pictures that were held out when it learned: their scores are like new parts'. */
  heldOut?: ReadonlySet<string>;
}

/**
 * Opens a model package for a run. It's held in memory from then on: the file may go away.
 * @throws UserError `modelChanged` when the file isn't the package that the station knows, or as `openDetector`
 */
export async function openModel(use: ModelUse): Promise<LoadedModel> {
  const model = await readPackage(use.path, { checkGraph: checkFusedGraph });
  if (model.modelHash !== use.modelHash) {
    throw new UserError(
      'modelChanged',
      `The model package "${use.path}" is not the one that was activated.`,
      'Import or train the model again.',
    );
  }
  const detector = await detectorOf(model, { engine: use.engine, threads: use.threads });
  const { modelId, thresholds, threads, unknownClass } = use;
  return {
    use,
    detector: {
      ...detector,
      ...(unknownClass !== undefined && { unknownClass }),
      thresholdsFor: (name): Thresholds => thresholds ?? detector.thresholdsFor(name),
    },
    opened: { modelId, provider: detector.provider, threads, classes: [...detector.classes] },
    normalSha256: (index) => {
      const normal = model.normals[index];
      return normal === undefined ? null : originalSha256(normal);
    },
    heldOut: new Set(model.normals.filter(({ heldOut }) => heldOut).map(originalSha256)),
  };
}
