import { auroc, type Labels } from '../metrics/ranking.ts';
import type { ThresholdPolicy } from './policies.ts';
import { aurocInterval } from './roc-uncertainty.ts';
import { type Sentence, sentence } from './sentences.ts';

/** Why nothing can be chosen, and what would help (null: no number of parts). */
export interface InputProblem {
  reason: Sentence;
  moreNormals: number | null;
  moreDefects: number | null;
}

const hopeless = (reason: Sentence): InputProblem => ({ reason, moreNormals: null, moreDefects: null });

/** Limits, costs and confidence that mean nothing. */
export function policyProblem(
  policy: ThresholdPolicy,
  confidence: number,
  otherRate: number | undefined,
): InputProblem | null {
  const shares: [string, number][] = [['confidence', confidence]];
  if (otherRate !== undefined) shares.push(['limit of the other rate', otherRate]);
  if (policy.kind === 'normalsOnly') shares.push(['false-reject rate', policy.maxFalseRejectRate]);
  if ('rate' in policy) {
    shares.push([policy.kind === 'maxEscapeRate' ? 'escape rate' : 'false-reject rate', policy.rate]);
  }
  for (const [name, value] of shares) {
    // A rate of exactly 0 is what people would like, and what no sample can show.
    if (value === 0 || value === 1) return hopeless(sentence('rateImpossible', { name, value }));
    if (!(value > 0 && value < 1)) return hopeless(sentence('rateOutOfRange', { name, value }));
  }
  if (policy.kind !== 'cost') return null;
  const costs: [string, number | undefined][] = [
    ['escape', policy.escape],
    ['false-reject', policy.reject],
    ['review', policy.review],
  ];
  for (const [name, value] of costs) {
    if (value !== undefined && !(value > 0 && Number.isFinite(value))) {
      return hopeless(sentence('costImpossible', { name, value }));
    }
  }
  const { defectRate } = policy;
  if (defectRate === 0) return hopeless(sentence('defectRateNone'));
  if (defectRate === 1) return hopeless(sentence('defectRateAll'));
  if (!(defectRate > 0 && defectRate < 1)) {
    return hopeless(sentence('rateOutOfRange', { name: 'defect rate', value: defectRate }));
  }
  return null;
}

/** Scores and labels that nothing can be learnt from. */
export function inputProblem(
  scores: ArrayLike<number>,
  labels: Labels,
  policy: ThresholdPolicy,
  confidence: number,
  ids: readonly string[] | undefined,
): InputProblem | null {
  const n = scores.length;
  let broken = 0;
  let defects = 0;
  let lowest = Infinity;
  let highest = -Infinity;
  for (let i = 0; i < n; i++) {
    const score = scores[i]!;
    if (!Number.isFinite(score)) broken++;
    if (labels[i]) defects++;
    if (score < lowest) lowest = score;
    if (score > highest) highest = score;
  }
  if (broken > 0) return hopeless(sentence('scoresNotFinite', { count: broken, n }));
  const contradictions = ids === undefined ? [] : contradicting(ids, labels);
  if (contradictions.length > 0) {
    const example = contradictions[0]!;
    return hopeless(sentence('labelsContradict', { count: contradictions.length, example }));
  }
  const needsDefects = policy.kind !== 'normalsOnly' && policy.kind !== 'maxFalseRejectRate';
  const needsNormals = policy.kind !== 'maxEscapeRate';
  if (needsDefects && defects === 0) {
    const moreDefects = policy.kind === 'maxEscapeRate' ? fewestFor(policy.rate, confidence) : fewestSearched;
    return { reason: sentence('noDefects', { moreDefects }), moreNormals: 0, moreDefects };
  }
  if (needsNormals && defects === n) {
    const rate = policy.kind === 'normalsOnly' ? policy.maxFalseRejectRate : 'rate' in policy ? policy.rate : null;
    const moreNormals = rate === null ? fewestSearched : fewestFor(rate, confidence);
    return { reason: sentence('noNormals', { moreNormals }), moreNormals, moreDefects: 0 };
  }
  if (n > 1 && lowest === highest) return hopeless(sentence('scoresEqual', { n }));
  if (defects >= fewestSearched && n - defects >= fewestSearched) {
    // The interval costs more than the area, which nearly always settles it.
    const high = (auroc(labels, scores) ?? 1) < 0.5 ? aurocInterval(scores, labels, confidence).high : 1;
    if (high < 0.5) return hopeless(sentence('scoresUseless', { high, confidence }));
  }
  return null;
}

/** Fewer of a label can't bound a rate below one half, see `banded` in guarantee.ts. */
const fewestSearched = 10;

function fewestFor(rate: number, confidence: number): number {
  return Math.ceil(Math.log1p(-confidence) / Math.log1p(-rate) - 1e-9);
}

/** Pictures that occur under both labels, each once, in order of appearance. */
export function contradicting(ids: readonly string[], labels: Labels): string[] {
  const seen = new Map<string, boolean>();
  const found = new Set<string>();
  ids.forEach((id, i) => {
    const label = Boolean(labels[i]);
    const before = seen.get(id);
    if (before === undefined) seen.set(id, label);
    else if (before !== label) found.add(id);
  });
  return [...found];
}
