import type { HandlersOf } from '../ipc/handler.ts';
import { record } from './audit-trail.ts';
import type { StationContext } from './context.ts';

/** People's answers about pictures: never lost, never overwritten. */
export function labelHandlers(context: StationContext): HandlersOf<'labels'> {
  const { store } = context;
  return {
    'labels.set': ({ projectId, sha256, gtLabel, defectClass, regions, why }, caller) =>
      store.transaction(() => {
        store.pictures.get(projectId, sha256);
        const cleaned = defectClass?.trim() ?? '';
        const label = store.labels.set({
          projectId,
          sha256,
          gtLabel,
          // Only a bad part has a defect.
          defectClass: gtLabel === 'pass' || cleaned === '' ? null : cleaned,
          regions,
          by: caller.name,
          at: context.now(),
          why: why === null || why.trim() === '' ? null : why.trim(),
        });
        record(context, caller, 'label.set', sha256, {
          projectId,
          labelId: label.id,
          gtLabel,
          defectClass: label.defectClass,
          regions: regions.length,
          why: label.why,
          replaces: label.replaces,
        });
        return label;
      }),
    'labels.undo': ({ projectId }, caller) =>
      store.transaction(() => {
        const label = store.labels.undo(projectId, caller.name, context.now());
        if (label === null) return { sha256: null };
        record(context, caller, 'label.undone', label.sha256, { projectId, labelId: label.id });
        return { sha256: label.sha256 };
      }),
    'labels.of': ({ projectId, sha256 }) => store.labels.of(projectId, sha256),
    'labels.conflicts': ({ projectId }) => store.labels.conflicts(projectId),
    'labels.progress': ({ projectId }) => store.labels.progress(projectId),
  };
}
