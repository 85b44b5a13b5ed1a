import type { Region } from '../../../shared/station/domain.ts';
import { coarseHeight, coarseWidth } from './look.ts';

/** What of the view is looked at. */
export interface View {
  region: Region | null;
  ignore: readonly Region[];
}

/** Cells of the coarse picture whose middle lies in the region and in nothing left out; null: all of them. */
export function seenCells({ region, ignore }: View): Uint8Array | null {
  if (region === null && ignore.length === 0) return null;
  return Uint8Array.from({ length: coarseWidth * coarseHeight }, (_, i) => {
    const x = ((i % coarseWidth) + 0.5) / coarseWidth;
    const y = (Math.floor(i / coarseWidth) + 0.5) / coarseHeight;
    return (region === null || contains(region, x, y)) && !ignore.some((one) => contains(one, x, y)) ? 1 : 0;
  });
}

/** Of polygons by the even-odd rule. */
function contains(region: Region, x: number, y: number): boolean {
  if (region.shape === 'rectangle') {
    return x >= region.x && x < region.x + region.width && y >= region.y && y < region.y + region.height;
  }
  return region.points.reduce((inside, one, i) => {
    const next = region.points[(i + 1) % region.points.length]!;
    const crosses = one.y <= y !== next.y <= y && x < one.x + ((y - one.y) / (next.y - one.y)) * (next.x - one.x);
    return crosses ? !inside : inside;
  }, false);
}
