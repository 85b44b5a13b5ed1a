import type { Region } from './domain.ts';

/** The box around a region, 0..1: what is cut out of the picture. Null: all of it. */
export function boundsOf(region: Region | null): { x: number; y: number; width: number; height: number } {
  if (region === null) return { x: 0, y: 0, width: 1, height: 1 };
  if (region.shape === 'rectangle') return region;
  const xs = region.points.map(({ x }) => x);
  const ys = region.points.map(({ y }) => y);
  const [x, y] = [Math.min(...xs), Math.min(...ys)];
  return { x, y, width: Math.max(...xs) - x, height: Math.max(...ys) - y };
}
