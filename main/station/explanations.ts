import { UserError } from '../../shared/errors.ts';
import { wholePicture } from '../feeds/recipe-geometry.ts';
import type { HandlersOf } from '../ipc/handler.ts';
import type { InferenceMethods } from '../processes/inference-protocol.ts';
import type { Supervisor } from '../processes/supervisor.ts';
import type { StationContext } from './context.ts';
import { modelUse } from './model-use.ts';

/** Why stored parts have their verdicts: their pictures are judged again by the model that judged them, beside all feeds. */
export function explainHandlers(
  context: StationContext,
  supervisor: Supervisor<InferenceMethods>,
  threads: number,
): HandlersOf<'explain'> {
  const { store } = context;
  return {
    'explain.heat': async ({ modelId, sha256 }) => {
      const model = store.models.get(modelId);
      const known = store.pictures.find(model.projectId, sha256) !== null;
      const path = known ? store.pictures.path(sha256) : null;
      if (path === null) throw new UserError('pictureGone', 'The picture is not kept any more.');
      const peer = await supervisor.peer();
      return peer.call('heat', { model: modelUse(context, model, threads), path });
    },
    'explain.part': async ({ partId }) => {
      const part = store.parts.get(partId);
      if (part === null) throw new UserError('partUnknown', `There is no part ${String(partId)}.`);
      const { pictureSha256, thresholds, predScore, similarSha256 } = part;
      if (predScore === null || thresholds === null || pictureSha256 === null) {
        throw new UserError('explainNoScore', 'There was no decision on this part, so there is nothing to explain.');
      }
      const path = store.pictures.path(pictureSha256);
      if (path === null) {
        throw new UserError('pictureGone', "The part's picture is not kept any more.", 'Its record stays.');
      }
      const model = part.modelId === null ? null : store.models.find(part.modelId);
      if (model === null) {
        throw new UserError('modelUnknown', 'The model that judged this part is not on this station any more.');
      }
      const { pxPerMm } = store.projects.get(part.projectId);
      const found = await (
        await supervisor.peer()
      ).call('explain', {
        model: modelUse(context, model, threads),
        geometry: part.geometry ?? wholePicture,
        path,
        similarPath: similarSha256 === null ? null : store.pictures.path(similarSha256),
        mmPerPx: pxPerMm === null ? null : 1 / pxPerMm,
        thresholds,
      });
      const isRepeated = Object.is(found.predScore, predScore);
      return { partId, isRepeated, nearestNormalSha256: similarSha256, ...found };
    },
  };
}
