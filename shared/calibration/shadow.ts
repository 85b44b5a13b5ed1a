import type { Verdict } from '../detection.ts';
import { clopperPearson, type Interval } from './binomial.ts';
import { mcnemar } from './gates.ts';
import { type Sentence, sentence } from './sentences.ts';

/** One live part judged by both models; the active one's verdict is what the line saw. */
export interface ShadowPart {
  id: string;
  className: string;
  active: { predScore: number; verdict: Verdict };
  candidate: { predScore: number; verdict: Verdict };
  /** ISO 8601, UTC. */
  at: string;
}

/** When the comparison is over: whichever comes first. */
export interface ShadowPlan {
  parts?: number;
  hours?: number;
}

/** What two models said of the same parts. */
export interface ShadowComparison {
  n: number;
  agreeing: number;
  /** Share of parts with different verdicts, exact interval. The parts are to be given before looking, see the plan. */
  disagreement: { count: number; rate: number | null; interval: Interval };
  /** Parts the candidate rejects (fail, no decision) and the active model does not. */
  newlyRejected: number;
  /** Parts the active model rejects and the candidate does not. */
  newlyAccepted: number;
  /** Exact two-sided McNemar test of the two numbers above: small when one model is the stricter. */
  p: number;
  /** Share of parts each sends to review. */
  reviews: { active: number; candidate: number };
  /** Parts with different verdicts, those that change between rejected and not first, then by time. */
  disagreements: ShadowPart[];
  /** Per class: parts and how many differ. */
  classes: { className: string; n: number; disagreeing: number; interval: Interval }[];
  /** Whether the plan is fulfilled. */
  complete: boolean;
  statements: Sentence[];
}

const rejects = (verdict: Verdict): boolean => verdict === 'fail' || verdict === 'noDecision';

/** Compares two models on live parts whose truth nobody knows: agreement, who is stricter, and where they differ. */
export function compareShadow(
  parts: readonly ShadowPart[],
  plan: ShadowPlan = {},
  confidence = 0.95,
): ShadowComparison {
  const n = parts.length;
  const disagreements = parts.filter(({ active, candidate }) => active.verdict !== candidate.verdict);
  const flips = ({ active, candidate }: ShadowPart): boolean => rejects(active.verdict) !== rejects(candidate.verdict);
  const newlyRejected = disagreements.filter((part) => flips(part) && rejects(part.candidate.verdict)).length;
  const newlyAccepted = disagreements.filter((part) => flips(part) && rejects(part.active.verdict)).length;
  const interval = clopperPearson(disagreements.length, n, confidence);
  const classes = [...new Set(parts.map(({ className }) => className))].sort().map((className) => {
    const own = parts.filter((part) => part.className === className).length;
    const disagreeing = disagreements.filter((part) => part.className === className).length;
    return { className, n: own, disagreeing, interval: clopperPearson(disagreeing, own, confidence) };
  });
  const complete = isComplete(parts, plan);
  const statements: Sentence[] = [];
  if (n === 0) statements.push(sentence('shadowNone'));
  else {
    statements.push(sentence('shadowAgreement', { agree: n - disagreements.length, n, confidence, ...interval }));
    if (newlyRejected > 0) statements.push(sentence('shadowStricter', { count: newlyRejected }));
    if (newlyAccepted > 0) statements.push(sentence('shadowLaxer', { count: newlyAccepted }));
    if (!complete && plan.parts !== undefined) statements.push(sentence('shadowOpen', { n, parts: plan.parts }));
  }
  const reviewing = (model: 'active' | 'candidate'): number =>
    parts.filter((part) => part[model].verdict === 'review').length;
  return {
    n,
    agreeing: n - disagreements.length,
    disagreement: { count: disagreements.length, rate: n === 0 ? null : disagreements.length / n, interval },
    newlyRejected,
    newlyAccepted,
    p: mcnemar(newlyRejected, newlyAccepted),
    reviews: { active: reviewing('active'), candidate: reviewing('candidate') },
    disagreements: disagreements.sort((a, b) => Number(flips(b)) - Number(flips(a)) || (a.at < b.at ? -1 : 1)),
    classes,
    complete,
    statements,
  };
}

/** What two models get wrong of parts whose truth is known. */
export interface ShadowTruth {
  good: number;
  defects: number;
  /** Defects passed without a look. */
  escapes: { active: number; candidate: number };
  /** Good parts rejected. */
  falseRejects: { active: number; candidate: number };
  onlyActiveRight: number;
  onlyCandidateRight: number;
  /** Exact two-sided McNemar test of the two numbers above. */
  p: number;
}

/**
 * Both models against what people said of the parts. A review is neither an escape nor a false reject: a person looks.
 * @param truth by id; parts without are left out
 */
export function compareWithTruth(
  parts: readonly ShadowPart[],
  truth: ReadonlyMap<string, 'pass' | 'fail'>,
): ShadowTruth {
  const found = {
    ...{ good: 0, defects: 0, onlyActiveRight: 0, onlyCandidateRight: 0 },
    ...{ escapes: { active: 0, candidate: 0 }, falseRejects: { active: 0, candidate: 0 } },
  };
  for (const part of parts) {
    const gtLabel = truth.get(part.id);
    if (gtLabel === undefined) continue;
    const isWrong = ({ verdict }: ShadowPart['active']): boolean =>
      gtLabel === 'fail' ? verdict === 'pass' : rejects(verdict);
    const wrong = { active: isWrong(part.active), candidate: isWrong(part.candidate) };
    const counted = gtLabel === 'fail' ? found.escapes : found.falseRejects;
    if (gtLabel === 'fail') found.defects++;
    else found.good++;
    counted.active += Number(wrong.active);
    counted.candidate += Number(wrong.candidate);
    found.onlyActiveRight += Number(!wrong.active && wrong.candidate);
    found.onlyCandidateRight += Number(wrong.active && !wrong.candidate);
  }
  return { ...found, p: mcnemar(found.onlyActiveRight, found.onlyCandidateRight) };
}

function isComplete(parts: readonly ShadowPart[], { parts: wanted, hours }: ShadowPlan): boolean {
  if (wanted !== undefined && parts.length >= wanted) return true;
  if (hours === undefined || parts.length === 0) return false;
  const times = parts.map(({ at }) => Date.parse(at));
  let [first, last] = [Infinity, -Infinity];
  for (const time of times) {
    first = Math.min(first, time);
    last = Math.max(last, time);
  }
  return last - first >= hours * 3_600_000;
}
