import type { Recipe } from '../../shared/station/domain.ts';
import { wholePicture, type RecipeGeometry } from '../feeds/recipe-geometry.ts';
import type { StationContext } from './context.ts';

/** What of a picture a project looks at: as its newest recipe has it. A model keeps what it was trained on. */
export function projectGeometry({ store }: StationContext, projectId: string): RecipeGeometry {
  const newest: Recipe | undefined = store.recipes.list(projectId)[0];
  return newest === undefined ? wholePicture : { region: newest.region, ignore: newest.ignore };
}
