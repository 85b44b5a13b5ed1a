import type { Verdict } from '../detection.ts';
import type { Counterfactual, ExplainedRegion, Phrase, ScoreShares } from './types.ts';

const leads: Record<Exclude<Verdict, 'noDecision'>, string> = {
  pass: 'Below the review threshold: like the good parts the model knows.',
  review: 'Between the two thresholds: a person should look.',
  fail: 'At or above the fail threshold.',
};

const reasonWords = {
  memory: 'it is unlike every good part seen in training',
  local: 'a spot can not be rebuilt from what surrounds it',
  semantic: 'the part as a whole does not fit its class',
} as const;
export type Expert = keyof typeof reasonWords;

/** The experts by their share, greatest first; those that the model doesn't have are left out. */
function rankedShares(shares: ScoreShares): { expert: Expert; percent: number }[] {
  return (['memory', 'local', 'semantic'] as const)
    .flatMap((expert) => (shares[expert] === null ? [] : [{ expert, share: shares[expert] }]))
    .sort((a, b) => b.share - a.share)
    .map(({ expert, share }) => ({ expert, percent: Math.round(100 * share) }));
}

/** One sentence that says why a part got its verdict. @param reason why there is no decision */
export function summaryPhrase(verdict: Verdict, shares: ScoreShares, reason?: string): Phrase {
  if (verdict === 'noDecision') {
    const why = reason ?? 'no score could be had.';
    return { key: 'explanation.noDecision', params: { reason: why }, en: `No decision: ${why}` };
  }
  const lead = leads[verdict];
  const main = rankedShares(shares)[0];
  if (verdict === 'pass' || main === undefined) return { key: `explanation.${verdict}`, params: {}, en: lead };
  const { expert, percent } = main;
  const because = percent === 100 ? 'That is because' : `Mostly (${String(percent)} %) because`;
  return {
    key: `explanation.${verdict}.${expert}`,
    params: { percent },
    en: `${lead} ${because} ${reasonWords[expert]}.`,
  };
}

/** A sentence for each expert, greatest share first. */
export function reasonPhrases(shares: ScoreShares): Phrase[] {
  return rankedShares(shares).map(({ expert, percent }) => ({
    key: `explanation.reason.${expert}`,
    params: { percent },
    en: `${String(percent)} %: ${reasonWords[expert]}.`,
  }));
}

const wouldBe: Record<Verdict, string> = {
  pass: 'the part would pass',
  review: 'a person would still have to look',
  fail: 'the part would still fail',
  noDecision: 'there would be no decision',
};

/** What the score and verdict would be without a region. */
export function counterfactualPhrase(
  found: Omit<Counterfactual, 'phrase'>,
  { predScore }: { predScore: number },
  region: ExplainedRegion,
): Phrase {
  const by = found.replacedBy === 'surroundings' ? 'its surroundings' : 'the most similar good part';
  const where = `(${String(region.peak.x)}, ${String(region.peak.y)})`;
  return {
    key: `explanation.without.${found.replacedBy}.${found.verdict}`,
    params: { score: predScore, without: found.predScore, x: region.peak.x, y: region.peak.y },
    en: `Without the spot at ${where}, replaced by ${by}, the score would be ${found.predScore.toFixed(2)} instead of ${predScore.toFixed(2)}: ${wouldBe[found.verdict]}.`,
  };
}
