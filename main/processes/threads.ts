/** Threads of the two processes that compute. */
export interface ThreadShares {
  inference: number;
  training: number;
}

/** More bring nothing to a run on one picture. */
const mostForInference = 4;

/**
 * Divides the machine's cores so that training never takes one that inspection computes on; inspection comes first.
 * @param cores logical processors
 */
export function partitionThreads(cores: number): ThreadShares {
  const inference = Math.min(mostForInference, Math.max(1, Math.ceil(cores / 2)));
  return { inference, training: Math.max(1, cores - inference) };
}
