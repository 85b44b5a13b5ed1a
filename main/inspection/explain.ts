import type { InspectionRecord } from './record.ts';

/** Shares of the fused score by expert, each 0..1, together 1; null where the model has no such expert. */
export interface ScoreShares {
  local: number | null;
  semantic: number | null;
  memory: number | null;
}

/**
 * How much each expert weighs in the fused score of the embedded preset (`fusionDefaults`): the encoder student shares
 * its term with the memory's whole-part statistics.
 */
const weights = { local: 0.5, semantic: 0.25, memory: 1 };

/**
 * Splits the fused score among the experts, for people: what each contributes beyond a normal part's ordinary
 * deviation. The students' scores are standard deviations (a surprise counts from one on), the memory's is a
 * surprise already.
 */
export function scoreShares(
  record: Pick<InspectionRecord, 'localScore' | 'semanticScore' | 'memoryScore'>,
): ScoreShares {
  const surprise = (z: number | null): number | null =>
    z === null ? null : Math.log1p(Math.exp(Math.min(z - 1, 500)));
  const parts = {
    local: scaled(surprise(record.localScore), weights.local),
    semantic: scaled(surprise(record.semanticScore), weights.semantic),
    memory: scaled(record.memoryScore === null ? null : Math.max(0, record.memoryScore), weights.memory),
  };
  const sum = (parts.local ?? 0) + (parts.semantic ?? 0) + (parts.memory ?? 0);
  if (!(sum > 0)) return { local: null, semantic: null, memory: null };
  return {
    local: scaled(parts.local, 1 / sum),
    semantic: scaled(parts.semantic, 1 / sum),
    memory: scaled(parts.memory, 1 / sum),
  };
}

function scaled(value: number | null, factor: number): number | null {
  return value === null ? null : value * factor;
}

/** One plain sentence that says why a part got its verdict. */
export function explain(record: InspectionRecord): string {
  if (record.verdict === 'noDecision') return `No decision: ${record.reason ?? 'no score could be had.'}`;
  const lead = {
    pass: 'Below the review threshold: like the good parts the model knows.',
    review: 'Between the two thresholds: a person should look.',
    fail: 'At or above the fail threshold.',
  }[record.verdict];
  if (record.verdict === 'pass') return lead;
  const shares = scoreShares(record);
  const named = [
    { share: shares.memory, words: 'it is unlike every good part seen in training' },
    { share: shares.local, words: 'a spot can not be rebuilt from what surrounds it' },
    { share: shares.semantic, words: 'the part as a whole does not fit its class' },
  ].filter((entry): entry is { share: number; words: string } => entry.share !== null);
  const main = named.sort((a, b) => b.share - a.share)[0];
  if (main === undefined) return lead;
  const share = Math.round(100 * main.share);
  return share === 100
    ? `${lead} That is because ${main.words}.`
    : `${lead} Mostly (${String(share)} %) because ${main.words}.`;
}
