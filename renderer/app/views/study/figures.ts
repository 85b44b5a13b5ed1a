import type { ExactRate, Kappa } from '../../../../shared/msa/types.ts';

/** "0.0 % – 12.3 %": the exact interval of a rate; empty where nothing was measured. */
export function rateText({ value, low, high }: ExactRate, percent: (share: number) => string): string {
  return value === null ? '' : `${percent(low)} – ${percent(high)}`;
}

/** "0.86 (0.72 – 0.99)"; null where kappa is not defined. */
export function kappaText({ value, low, high }: Kappa, shown: (value: number) => string): string | null {
  if (value === null) return null;
  return low === null || high === null ? shown(value) : `${shown(value)} (${shown(low)} – ${shown(high)})`;
}
