import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { recipe, type Recipe, type StationModel } from '../../shared/station/domain.ts';
import { wholePicture, type RecipeGeometry } from '../feeds/recipe-geometry.ts';
import { writeJsonAtomic } from '../system/atomic-file.ts';
import type { StationContext } from './context.ts';

const geometrySchema = z.object({ region: recipe.shape.region, ignore: recipe.shape.ignore });

/** What of a picture a project looks at: as its newest recipe has it. */
export function projectGeometry({ store }: StationContext, projectId: string): RecipeGeometry {
  const newest: Recipe | undefined = store.recipes.list(projectId)[0];
  return newest === undefined ? wholePicture : { region: newest.region, ignore: newest.ignore };
}

/** What of a picture a model was trained on; the project's own where the model doesn't say. */
export function modelGeometry(context: StationContext, model: StationModel): RecipeGeometry {
  try {
    const text = readFileSync(sidecar(context.store.models.path(model.id)), 'utf8');
    return geometrySchema.parse(JSON.parse(text));
  } catch {
    return projectGeometry(context, model.projectId);
  }
}

/** Keeps it beside the package. */
export function keepGeometry(packagePath: string, { region, ignore }: RecipeGeometry): Promise<void> {
  return writeJsonAtomic(sidecar(packagePath), { region, ignore });
}

function sidecar(packagePath: string): string {
  return `${packagePath}.geometry.json`;
}
