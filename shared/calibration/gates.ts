import type { Verdict } from '../detection.ts';
import { UserError } from '../errors.ts';
import { clopperPearson, signTest, binomialCdf, normalsNeeded } from './binomial.ts';
import { percentileBound } from './percentile.ts';
import { type Sentence, sentence } from './sentences.ts';

/**
 * Gates that a candidate model must pass before it judges parts. Each is a pure function of what was measured; a gate
 * that can't tell refuses, and says how many more parts would let it tell.
 */

export type GateName = 'goldenSet' | 'oldProducts' | 'latency' | 'parity';

/** One check within a gate. */
export interface GateCheck {
  passed: boolean;
  /** Class it is about; null: all classes together, or no class at all. */
  className: string | null;
  statement: Sentence;
}

/** A golden picture that the two models judge differently. */
export interface ChangedPicture {
  id: string;
  className: string;
  gtLabel: 'good' | 'defect';
  active: Verdict;
  candidate: Verdict;
  activeScore: number;
  candidateScore: number;
  /** Whether the change is for the worse by the label. A change between `fail` and `review` is neither. */
  effect: 'worse' | 'better' | 'neither';
}

/** Who let a refused candidate through, and why; it stays with every record made with the model. */
export interface GateOverride {
  by: string;
  role: string;
  reason: string;
  /** ISO 8601, UTC. */
  at: string;
}

/** What a gate says of a candidate: its checks, and the pictures whose verdict changes. */
export interface GateResult {
  gate: GateName;
  outcome: 'accepted' | 'refused';
  checks: GateCheck[];
  /** Parts that changed, worst first; empty for gates that judge no pictures. */
  changed: ChangedPicture[];
  /** Set when a person overrode the refusal; `outcome` stays `refused`. */
  override: GateOverride | null;
}

/** One golden part judged by both models. */
export interface GoldenPart {
  /** Names the picture: a path or a hash. */
  id: string;
  className: string;
  gtLabel: 'good' | 'defect';
  active: JudgedBy;
  candidate: JudgedBy;
}

/** One model's word on a golden part. */
export interface JudgedBy {
  predScore: number;
  verdict: Verdict;
}

/** What a candidate may lose against the active model. All shares of 1. */
export interface GoldenLimits {
  /** Largest loss of recall over all classes that must be ruled out. Default 0.05. */
  maxRecallLoss: number;
  /** Largest rise of the false-reject rate over all classes that must be ruled out. Default 0.05. */
  maxFalseRejectRise: number;
  /** Largest loss that may be *seen* in one class, of recall or of good parts. Default 0.1, but one part is let through. */
  maxClassLoss: number;
  /** Confidence of every check. Default 0.95. */
  confidence: number;
}

const defaultGoldenLimits: GoldenLimits = {
  maxRecallLoss: 0.05,
  maxFalseRejectRise: 0.05,
  maxClassLoss: 0.1,
  confidence: 0.95,
};

/**
 * Golden-set gate. Both models judged the same parts, so only parts that changed say anything (McNemar 1947).
 *
 * 1. Over all classes, for recall and for false rejects: non-inferiority. The loss is lost/n - gained/n; its upper bound
 *    U(lost) - L(gained), exact Clopper-Pearson bounds at half the risk each, must stay within the limit. A candidate
 *    that is worse by more than the limit passes with probability 1 - confidence at most.
 * 2. For every class: no harm. Refused when the loss seen is beyond `maxClassLoss` (and more than one part), or when the
 *    exact one-sided McNemar test finds it worse. These err towards refusing: nothing is taken off for testing often.
 *
 * A defect counts as found unless it passes unseen; a good part counts as rejected when it fails or has no decision.
 * @param classes checks only these classes (default: all that occur); parts of others are left out of every check
 */
export function goldenGate(
  parts: readonly GoldenPart[],
  limits: Partial<GoldenLimits> = {},
  classes?: readonly string[],
  gate: 'goldenSet' | 'oldProducts' = 'goldenSet',
): GateResult {
  const rules = { ...defaultGoldenLimits, ...limits };
  checkLimits(rules);
  const wanted = classes ?? [...new Set(parts.map(({ className }) => className))].sort();
  const judged = parts.filter(({ className }) => wanted.includes(className));
  const checks: GateCheck[] = [];
  for (const kind of ['recall', 'goodParts'] as const) {
    const margin = kind === 'recall' ? rules.maxRecallLoss : rules.maxFalseRejectRise;
    checks.push(nonInferiority(kind, pairsOf(judged, kind), margin, rules.confidence));
  }
  for (const className of wanted) {
    const own = judged.filter((part) => part.className === className);
    if (own.length === 0) {
      checks.push({ passed: false, className, statement: sentence('gateClassUntested', { className }) });
      continue;
    }
    for (const kind of ['recall', 'goodParts'] as const)
      checks.push(noHarm(kind, className, pairsOf(own, kind), rules));
  }
  for (const model of ['active', 'candidate'] as const) {
    const broken = judged.filter((part) => !Number.isFinite(part[model].predScore)).length;
    if (broken === 0) continue;
    const passed = model === 'active';
    checks.push({ passed, className: null, statement: sentence('gateNotFinite', { count: broken, model }) });
  }
  return resultOf(gate, checks, changedPictures(judged));
}

/**
 * Old-products gate: adding a class must not hurt the ones the active model has. The golden-set gate over those classes
 * alone; a class that the candidate no longer knows refuses it.
 */
export function oldProductsGate(
  parts: readonly GoldenPart[],
  activeClasses: readonly string[],
  candidateClasses: readonly string[],
  limits: Partial<GoldenLimits> = {},
): GateResult {
  const kept = activeClasses.filter((className) => candidateClasses.includes(className));
  const result = goldenGate(parts, limits, kept, 'oldProducts');
  const missing = activeClasses
    .filter((className) => !candidateClasses.includes(className))
    .map((className) => ({ passed: false, className, statement: sentence('gateClassMissing', { className }) }));
  return resultOf('oldProducts', [...missing, ...result.checks], result.changed);
}

/**
 * Latency gate: the 95th percentile of the time from picture to verdict on this station must lie within the line's cycle
 * time. The bound is an order statistic, so it holds whatever the times' distribution (59 parts are the fewest for 95 %
 * confidence).
 * @param latencyMs times of single parts, warmed up
 * @param cycleTimeMs time between two parts
 * @throws RangeError when the cycle time is not above 0
 */
export function latencyGate(latencyMs: ArrayLike<number>, cycleTimeMs: number, confidence = 0.95): GateResult {
  if (!(cycleTimeMs > 0)) throw new RangeError(`cycle time ${cycleTimeMs} ms`);
  const bound = percentileBound(latencyMs, 0.95, confidence);
  if (bound.upper === null) {
    const statement = sentence('latencyTooFew', { n: bound.n, confidence, more: bound.moreNeeded });
    return resultOf('latency', [{ passed: false, className: null, statement }], []);
  }
  const passed = bound.upper <= cycleTimeMs;
  const params = { confidence, high: bound.upper, p95: bound.value, cycle: cycleTimeMs };
  const statement = sentence(passed ? 'latencyWithin' : 'latencyBeyond', params);
  return resultOf('latency', [{ passed, className: null, statement }], []);
}

/** What a package's manifest says about trainer and exported graph. */
export interface ParityFigures {
  maxAbsDifference: number;
  verdictFlips: number;
  pictures: number;
  tolerance: number;
}

/** Parity gate, as shown on the model card. Figures that are not numbers, or of no picture, refuse. */
export function parityGateResult(parity: ParityFigures): GateResult {
  const { maxAbsDifference, verdictFlips, pictures, tolerance } = parity;
  const known = [maxAbsDifference, tolerance].every((value) => Number.isFinite(value) && value >= 0) && pictures > 0;
  if (!known) return resultOf('parity', [{ passed: false, className: null, statement: sentence('parityUnknown') }], []);
  const passed = maxAbsDifference <= tolerance && verdictFlips === 0;
  const statement = passed
    ? sentence('parityKept', { difference: maxAbsDifference, tolerance, pictures })
    : sentence('parityBroken', { difference: maxAbsDifference, tolerance, flips: verdictFlips, pictures });
  return resultOf('parity', [{ passed, className: null, statement }], []);
}

/**
 * A refused result with a person's override on it.
 * @param allowedRoles roles that may override
 * @throws UserError `overrideNeedless` when nothing was refused, `overrideRole`, `overrideReason`, `overrideBy`
 */
export function overrideGate(
  result: GateResult,
  override: GateOverride,
  allowedRoles: readonly string[] = ['admin', 'engineer'],
): GateResult {
  if (result.outcome === 'accepted') {
    throw new UserError('overrideNeedless', 'Nothing was refused, so there is nothing to override.');
  }
  if (!allowedRoles.includes(override.role)) {
    const who = allowedRoles.join(' or ');
    throw new UserError(
      'overrideRole',
      `The role "${override.role}" may not override a gate.`,
      `Ask someone with the role ${who}.`,
    );
  }
  if (override.by.trim() === '') {
    throw new UserError('overrideBy', 'An override needs the name of the person.', 'Say who overrides.');
  }
  if (override.reason.trim().length < 10) {
    throw new UserError(
      'overrideReason',
      'An override needs a reason that others will understand later.',
      'Give it in a sentence (10 characters at least).',
    );
  }
  return { ...result, override: { ...override } };
}

/** Whether a candidate may judge parts after this gate. */
export function gateOpen({ outcome, override }: GateResult): boolean {
  return outcome === 'accepted' || override !== null;
}

type Kind = 'recall' | 'goodParts';
const kindNames: Record<Kind, string> = { recall: 'Defects found', goodParts: 'Good parts not rejected' };

/** Parts of one label, and the two ways they can change. */
interface Pairs {
  n: number;
  lost: number;
  gained: number;
}

function pairsOf(parts: readonly GoldenPart[], kind: Kind): Pairs {
  const pairs: Pairs = { n: 0, lost: 0, gained: 0 };
  for (const { gtLabel, active, candidate } of parts) {
    if ((gtLabel === 'defect') !== (kind === 'recall')) continue;
    pairs.n++;
    const [before, after] = [isRight(kind, active), isRight(kind, candidate)];
    if (before && !after) pairs.lost++;
    if (!before && after) pairs.gained++;
  }
  return pairs;
}

function isRight(kind: Kind, { verdict }: JudgedBy): boolean {
  return kind === 'recall' ? verdict !== 'pass' : verdict === 'pass' || verdict === 'review';
}

/** Upper bound of lost/n - gained/n: exact, each side at half the risk. */
export function lossBound({ n, lost, gained }: Pairs, confidence: number): number {
  const half = (1 + confidence) / 2;
  return clopperPearson(lost, n, half, 'upper').high - clopperPearson(gained, n, half, 'lower').low;
}

function nonInferiority(kind: Kind, pairs: Pairs, margin: number, confidence: number): GateCheck {
  const { n, lost, gained } = pairs;
  const about = { what: kindNames[kind], className: 'all classes' };
  const check = (passed: boolean, statement: Sentence): GateCheck => ({ passed, className: null, statement });
  if (n === 0) return check(false, sentence('gateNothing', about));
  const high = lossBound(pairs, confidence);
  if (high <= margin) {
    return check(true, sentence('gateNonInferior', { ...about, n, lost, gained, confidence, high, margin }));
  }
  const more = normalsNeeded(margin, (1 + confidence) / 2) - n;
  if (lost <= gained && more > 0)
    return check(false, sentence('gateTooFew', { ...about, n, margin, confidence, more }));
  return check(false, sentence('gateLossOpen', { ...about, n, lost, gained, high, margin }));
}

function noHarm(kind: Kind, className: string, pairs: Pairs, { maxClassLoss, confidence }: GoldenLimits): GateCheck {
  const { n, lost, gained } = pairs;
  const about = { what: kindNames[kind], className, n, lost, gained };
  if (n === 0) return { passed: true, className, statement: sentence('gateNothing', { what: about.what, className }) };
  // One-sided: P(at least `lost` of the changed parts are losses) if losses and gains were equally likely.
  const changed = lost + gained;
  const p = changed === 0 ? 1 : 1 - binomialCdf(lost - 1, changed, 0.5);
  if (p <= 1 - confidence) return { passed: false, className, statement: sentence('gateHarm', { ...about, p }) };
  const loss = (lost - gained) / n;
  if (lost - gained > 1 && loss > maxClassLoss) {
    return { passed: false, className, statement: sentence('gateLossSeen', { ...about, loss, margin: maxClassLoss }) };
  }
  return { passed: true, className, statement: sentence('gateUnchanged', { ...about, p }) };
}

/** Two-sided exact McNemar test over the parts that changed. */
export function mcnemar(lost: number, gained: number): number {
  return signTest(lost, lost + gained);
}

/** How much worse a change is; sorts the list that people look at. */
const effectOrder = { worse: 0, neither: 1, better: 2 } as const;

function changedPictures(parts: readonly GoldenPart[]): ChangedPicture[] {
  const changed = parts
    .filter(({ active, candidate }) => active.verdict !== candidate.verdict)
    .map(({ id, className, gtLabel, active, candidate }): ChangedPicture => {
      const kind: Kind = gtLabel === 'defect' ? 'recall' : 'goodParts';
      const gain = Number(isRight(kind, candidate)) - Number(isRight(kind, active));
      return {
        id,
        className,
        gtLabel,
        active: active.verdict,
        candidate: candidate.verdict,
        activeScore: active.predScore,
        candidateScore: candidate.predScore,
        effect: gain < 0 ? 'worse' : gain > 0 ? 'better' : 'neither',
      };
    });
  return changed.sort((a, b) => effectOrder[a.effect] - effectOrder[b.effect] || (a.id < b.id ? -1 : 1));
}

function resultOf(gate: GateName, checks: GateCheck[], changed: ChangedPicture[]): GateResult {
  return {
    gate,
    outcome: checks.every(({ passed }) => passed) ? 'accepted' : 'refused',
    checks,
    changed,
    override: null,
  };
}

function checkLimits(limits: GoldenLimits): void {
  for (const [name, value] of Object.entries(limits) as [string, number][]) {
    if (value > 0 && value < 1) continue;
    throw new UserError(
      'rateOutOfRange',
      `The limit ${name} = ${value} is not between 0 and 1.`,
      'Give a share such as 0.05.',
    );
  }
}
