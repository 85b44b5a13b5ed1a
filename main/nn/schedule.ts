/** What changes from step to step: learning rate and hard mining (method-spec sections 3.2 and 7). Pure numbers. */

export interface WarmCosine {
  /** Highest learning rate. */
  readonly base: number;
  /** What the cosine ends at. */
  readonly final: number;
  /** Steps of the linear start, from 0 to `base` including both ends. */
  readonly warmup: number;
  /** All steps. */
  readonly total: number;
}

/** Learning rate of step `step` = 0 .. total - 1. Dinomaly's schedule: step 0 has learning rate 0. */
export function learningRate(schedule: WarmCosine, step: number): number {
  const { base, final, warmup, total } = schedule;
  if (step < warmup) return warmup > 1 ? (base * step) / (warmup - 1) : 0;
  const angle = (Math.PI * (step - warmup)) / (total - warmup);
  return final + 0.5 * (base - final) * (1 + Math.cos(angle));
}

export interface MiningSchedule {
  /** Share of points that end up easy. */
  readonly pFinal: number;
  /** Steps of the linear ramp from 0. */
  readonly ramp: number;
  /** What the gradients of easy points are multiplied by. */
  readonly factor: number;
}

/** Share p of easy points at step `step`. */
export function miningShare(schedule: MiningSchedule, step: number): number {
  return Math.min((schedule.pFinal * step) / schedule.ramp, schedule.pFinal);
}

/**
 * Rank k of the mining threshold among `points` = B*N distances: the points below the k-th largest are easy.
 * Truncates in double precision as Dinomaly does (12544 * (1 - 0.9) gives 1254). At p = 0 nothing is easy.
 */
export function miningRank(points: number, share: number): number {
  return Math.max(1, Math.trunc(points * (1 - share)));
}
