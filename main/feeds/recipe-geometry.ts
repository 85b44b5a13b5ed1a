import type { Recipe, Region } from '../../shared/station/domain.ts';
import { boundsOf } from '../../shared/station/region-bounds.ts';
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
    const box = boundsOf(region);
    const x = Math.min(width - 1, Math.round(box.x * width));
    const y = Math.min(height - 1, Math.round(box.y * height));
    out.region = {
      x,
      y,
      width: Math.max(1, Math.min(width, Math.round((box.x + box.width) * width)) - x),
      height: Math.max(1, Math.min(height, Math.round((box.y + box.height) * height)) - y),
    };
  }
  const outside = region?.shape === 'polygon' ? [aroundOf(region.points)] : [];
  if (ignore.length > 0 || outside.length > 0) out.ignoreMask = maskOf([...ignore, ...outside], width, height);
  return out;
}

/**
 * All but a polygon, as one outline: around the picture, across to the polygon, around it and back. The way across is
 * gone twice and counts for nothing under the even-odd rule.
 */
function aroundOf(points: readonly { x: number; y: number }[]): Region {
  const corner = { x: -1, y: -1 };
  const frame = [corner, { x: 2, y: -1 }, { x: 2, y: 2 }, { x: -1, y: 2 }, corner];
  return { shape: 'polygon', points: [...frame, ...points, points[0]!] };
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
