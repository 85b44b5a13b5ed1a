import { UserError } from '../../shared/errors.ts';
import { compileNamePattern } from '../../shared/station/name-pattern.ts';
import type { StationPart } from '../../shared/station/domain.ts';
import { someNames } from '../inspection/picture-files.ts';
import type { HandlersOf } from '../ipc/handler.ts';
import { record } from './audit-trail.ts';
import type { StationContext } from './context.ts';
import { exportHistory } from './history-export.ts';
import { lotOf } from './kept-lot.ts';

/** The history: pages, counts, exports. */
export function historyHandlers(context: StationContext): HandlersOf<'history'> {
  const { history, parts } = context.store;
  return {
    'history.page': ({ filter, before, limit }) => history.page(filter, before, limit),
    'history.part': ({ partId }) => parts.get(partId),
    'history.statistics': ({ filter, bucket }) => history.statistics(filter, bucket),
    'history.lots': ({ projectId }) => history.lots(projectId),
    'history.export': async ({ filter, format, path }, caller) => {
      const count = await exportHistory(context.store, filter, format, path);
      record(context, caller, 'data.exported', filter.projectId, { what: 'history', format, path, parts: count });
      return { parts: count, path };
    },
  };
}

/** People's answers about judged parts. */
export function partHandlers(context: StationContext): HandlersOf<'parts'> {
  const { store } = context;
  return {
    'parts.answer': ({ partId, verdict, defectClass, why }, caller) =>
      store.transaction(() => {
        const before = partOf(store.parts.get(partId), partId);
        const cleaned = defectClass?.trim() ?? '';
        const reason = why?.trim() ?? '';
        const part = store.parts.answer({
          partId,
          verdict,
          // Only a bad part has a defect.
          defectClass: verdict === 'pass' || cleaned === '' ? null : cleaned,
          why: reason === '' ? null : reason,
          by: caller.name,
          at: context.now(),
        });
        record(
          context,
          caller,
          before.verdict === verdict ? 'verdict.confirmed' : 'verdict.overridden',
          `part ${partId}`,
          {
            model: before.verdict,
            person: verdict,
            defectClass: part.defectClass,
            why: reason,
            replaces: before.personVerdict,
          },
        );
        return part;
      }),
    'parts.undo': ({ projectId }, caller) =>
      store.transaction(() => {
        const part = store.parts.undo(projectId, caller.name, context.now());
        if (part !== null) record(context, caller, 'verdict.undone', `part ${part.id}`, { person: part.personVerdict });
        return { part };
      }),
    'parts.reviewQueue': ({ projectId, limit }) => store.history.reviewQueue(projectId, limit),
  };
}

function partOf(part: StationPart | null, partId: number): StationPart {
  if (part === null) throw new UserError('partUnknown', `There is no part ${partId}.`, 'Load the list again.');
  return part;
}

/** What the station runs for a project. */
export function recipeHandlers(context: StationContext): HandlersOf<'recipes'> {
  const { store } = context;
  return {
    'recipes.list': ({ projectId }) =>
      store.recipes.list(projectId).map((recipe) => ({ ...recipe, nextLot: lotOf(context, projectId, recipe) })),
    'recipes.save': (given, caller) =>
      store.transaction(() => {
        store.projects.get(given.projectId);
        const recipe = store.recipes.save({ ...given, updatedAt: context.now() });
        record(context, caller, given.id === null ? 'recipe.created' : 'recipe.changed', recipe.id, {
          name: recipe.name,
          source: recipe.source.kind,
        });
        return recipe;
      }),
    'recipes.remove': ({ recipeId }, caller) => {
      store.transaction(() => {
        const { name } = store.recipes.get(recipeId);
        store.recipes.remove(recipeId, context.now());
        record(context, caller, 'recipe.removed', recipeId, { name });
      });
      return {};
    },
    'recipes.tryPattern': async ({ pattern, names, path }) => {
      const read = compileNamePattern(pattern);
      const found = path === null ? [] : await someNames(path, 4);
      return [...new Set([...found, ...names])].map((name) => {
        const match = read(name);
        return {
          name,
          matched: match !== null,
          serial: match?.serial ?? null,
          lot: match?.lot ?? null,
          className: match?.className ?? null,
        };
      });
    },
  };
}
