import type { Recipe } from '../../shared/station/domain.ts';
import type { StationContext } from './context.ts';

interface KeptLot {
  lot: string;
  at: string;
}

const keyOf = (projectId: string): string => `lot ${projectId}`;

/** Keeps the lot that a person set at the line: it holds for every part from then on, after a stop or a crash, too. */
export function keepLot({ store, now }: StationContext, projectId: string, lot: string): void {
  store.settings.set(keyOf(projectId), { lot, at: now() } satisfies KeptLot);
}

/** The lot of a run that begins: what a person set at the line, unless the feed itself was changed since. */
export function lotOf({ store }: StationContext, projectId: string, recipe: Recipe | null): string {
  const kept = store.settings.get(keyOf(projectId)) as KeptLot | undefined;
  if (kept !== undefined && (recipe === null || kept.at >= recipe.updatedAt)) return kept.lot;
  return recipe?.lot ?? '';
}
