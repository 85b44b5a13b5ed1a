import type { Recipe, Region } from '../../shared/station/domain.ts';
import type { IgnoreMask, PrepareOptions } from '../pictures/prepare.ts';

/** What of a picture is looked at, as a person drew it: 0..1 of width and height. */
export type RecipeGeometry = Pick<Recipe, 'region' | 'ignore'>;

export const wholePicture: RecipeGeometry = { region: null, ignore: [] };

/** Whether a recipe looks at all of the picture. */
export function isWhole({ region, ignore }: RecipeGeometry): boolean {
  return region === null && ignore.length === 0;
}

/**
 * A recipe's region and ignore mask in whole pixels of one picture, for `preparePicture`: the same function serves
 * training and inspection, so both cut the same pixels.
 */
export function pixelGeometry(
  { region, ignore }: RecipeGeometry,
  picture: { width: number; height: number },
): Pick<PrepareOptions, 'region' | 'ignoreMask'> {
  const { width, height } = picture;
  const out: Pick<PrepareOptions, 'region' | 'ignoreMask'> = {};
  if (region !== null) {
    const x = Math.min(width - 1, Math.round(region.x * width));
    const y = Math.min(height - 1, Math.round(region.y * height));
    out.region = {
      x,
      y,
      width: Math.max(1, Math.min(width, Math.round((region.x + region.width) * width)) - x),
      height: Math.max(1, Math.min(height, Math.round((region.y + region.height) * height)) - y),
    };
  }
  if (ignore.length > 0) out.ignoreMask = maskOf(ignore, width, height);
  return out;
}

function maskOf(ignore: readonly Region[], width: number, height: number): IgnoreMask {
  return {
    rectangles: ignore.flatMap((area) =>
      area.shape === 'rectangle'
        ? [{ x: area.x * width, y: area.y * height, width: area.width * width, height: area.height * height }]
        : [],
    ),
    polygons: ignore.flatMap((area) =>
      area.shape === 'polygon' ? [area.points.map(({ x, y }) => [x * width, y * height] as const)] : [],
    ),
  };
}
