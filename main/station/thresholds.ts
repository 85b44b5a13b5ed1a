import { UserError } from '../../shared/errors.ts';
import type { Evidence } from '../../shared/ipc/training.ts';
import type { HandlersOf } from '../ipc/handler.ts';
import { record } from './audit-trail.ts';
import type { StationContext } from './context.ts';
import type { FeedService } from './feed.ts';
import { isLabelled, measureAgain, scoresOf } from './golden.ts';
import { checkSecret, signedDetails, type IsSecretOf } from './sign.ts';

export interface ThresholdParts {
  feeds: Pick<FeedService, 'score' | 'modelChanged'>;
  /** Whether a secret is the caller's own; default: nobody has to sign. */
  isSecretOf?: IsSecretOf;
}

/** What thresholds are set from, who set them when and why; what is set holds from the next part on. */
export function thresholdHandlers(
  context: StationContext,
  { feeds, isSecretOf }: ThresholdParts,
): HandlersOf<'thresholds'> {
  const { store } = context;
  return {
    'thresholds.evidence': async ({ modelId }) => {
      const model = store.models.get(modelId);
      const learned = new Set(
        (store.pictures.snapshot(model.snapshotId)?.pictures ?? [])
          .filter(({ use }) => use === 'normal')
          .map(({ sha256 }) => sha256),
      );
      const candidates = store.pictures
        .forTraining(model.projectId, ['golden', 'calibration', 'inspected'])
        .filter(({ sha256, className }) => !learned.has(sha256) && model.classes.includes(className))
        // Pictures given for calibration are good ones unless a person said otherwise.
        .map((picture) => ({
          ...picture,
          gtLabel: picture.gtLabel ?? (picture.use === 'calibration' ? ('pass' as const) : null),
        }));
      const labelled = candidates.filter(isLabelled);
      const scores = await scoresOf(context, feeds, model, labelled);
      if (model.metrics.length === 0) {
        measureAgain(context, modelId);
        context.emit({ type: 'models', projectId: model.projectId });
      }
      const evidence = labelled.flatMap(({ sha256, className, gtLabel, defectClass }): Evidence[] => {
        const { predScore } = scores.get(sha256)!;
        return Number.isFinite(predScore) ? [{ sha256, className, gtLabel, predScore, defectClass }] : [];
      });
      const { thresholds, basis } = model;
      return { evidence, thresholds, basis, unlabelled: candidates.length - labelled.length };
    },

    'thresholds.apply': async ({ modelId, thresholds, basis, reason, secret }, caller) => {
      if (!(Number.isFinite(thresholds.review) && Number.isFinite(thresholds.fail))) {
        throw new UserError('thresholdsInvalid', 'A threshold is not a number.', 'Choose both on the chart.');
      }
      if (thresholds.review > thresholds.fail) {
        throw new UserError(
          'thresholdsInvalid',
          'The review threshold lies above the fail threshold.',
          'Put it at or below the fail threshold.',
        );
      }
      if (reason.trim() === '') {
        throw new UserError('reasonMissing', 'A change of thresholds needs a reason.', 'Say why in a few words.');
      }
      await checkSecret(context, caller, secret, isSecretOf, 'threshold.changed');
      const before = store.models.get(modelId);
      const change = {
        version: before.version,
        before: { ...before.thresholds },
        after: { ...thresholds },
        basis,
        reason,
      };
      const subject = before.modelHash;
      const what = { action: 'threshold.changed', subject, change, meaning: 'approver' } as const;
      const details = await signedDetails(context, caller, what);
      const model = store.transaction(() => {
        const { review, fail } = store.models.get(modelId).thresholds;
        if (review !== before.thresholds.review || fail !== before.thresholds.fail) {
          throw new UserError(
            'thresholdsInvalid',
            'Somebody else changed the thresholds just now.',
            'Look at them first.',
          );
        }
        const after = store.models.applyThresholds(modelId, {
          at: context.now(),
          by: caller.name,
          thresholds,
          basis,
          reason,
        });
        record(context, caller, 'threshold.changed', subject, details);
        measureAgain(context, modelId);
        return store.models.get(after.id);
      });
      context.emit({ type: 'models', projectId: model.projectId });
      if (model.state === 'active') await feeds.modelChanged(model.projectId);
      return model;
    },

    'thresholds.history': ({ modelId }) => store.models.thresholdHistory(modelId),
  };
}
