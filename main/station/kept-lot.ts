import type { Recipe } from '../../shared/station/domain.ts';
import type { StationContext } from './context.ts';

interface KeptLot {
  lot: string;
  /** The feeds as they were then, by `updatedAt`: no clock that was set back makes one of them look changed. */
  feeds: Readonly<Record<string, string>>;
}

const keyOf = (projectId: string): string => `lineLot ${projectId}`;

/** Keeps the lot that a person set at the line: it holds for every part from then on, after a stop or a crash, too. */
export function keepLot({ store }: StationContext, projectId: string, lot: string): void {
  const feeds = Object.fromEntries(store.recipes.list(projectId).map(({ id, updatedAt }) => [id, updatedAt]));
  store.settings.set(keyOf(projectId), { lot, feeds } satisfies KeptLot);
}

/** The lot of a run that begins: what a person set at the line, unless the feed itself was changed since. */
export function lotOf({ store }: StationContext, projectId: string, recipe: Recipe | null): string {
  const kept = store.settings.get(keyOf(projectId)) as KeptLot | undefined;
  if (kept !== undefined && (recipe === null || kept.feeds[recipe.id] === recipe.updatedAt)) return kept.lot;
  return recipe?.lot ?? '';
}
