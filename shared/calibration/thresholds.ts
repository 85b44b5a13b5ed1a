import type { Thresholds } from '../detection.ts';
import { UserError } from '../errors.ts';
import { type RankedScores, rankScores } from '../metrics/ranking.ts';
import {
  type ConfusionCounts,
  escapeBound,
  moreNormalsNeeded,
  normalThreshold,
  rocThreshold,
  type ThresholdBasis,
  type ThresholdPolicy,
} from './policies.ts';

/** Scores to calibrate on: pictures that the model was not trained on. All arrays have one entry per picture. */
export interface CalibrationScores {
  /** Fused scores. */
  scores: ArrayLike<number>;
  classNames: readonly string[];
  /** Truthy: defect. Left out: all are normal. */
  gtLabels?: ArrayLike<number | boolean>;
}

/** What thresholds are asked for. */
export interface CalibrationSettings {
  policy?: ThresholdPolicy;
  /** At most this share of the normal parts is to reach the review threshold (or fail). Default 0.05. */
  maxReviewRate?: number;
  /** Confidence of every bound. Default 0.95. */
  confidence?: number;
  /** Thresholds when there are hardly any normal scores, in units of the fused score. */
  assumed?: Thresholds;
  /** With defects: a class gets thresholds of its own from this many normal pictures and this many defects on. */
  fewestPerClass?: number;
}

/** The two thresholds of one group of pictures and all that is known about them. */
export interface CalibratedThresholds extends Thresholds {
  /** What `fail` rests on. */
  basis: ThresholdBasis;
  /** What `review` rests on. */
  reviewBasis: ThresholdBasis;
  /** Normal pictures used. */
  normals: number;
  /** Defect pictures used. */
  defects: number;
  /** Further normal pictures that would make both bounds guarantees; 0 when they are. */
  moreNormalsNeeded: number;
  /** What these thresholds do to the pictures they come from. */
  observed: ConfusionCounts;
  /** The same in words, for a person. */
  statement: string;
}

/** A class's own thresholds, where its pictures can carry them. */
export interface ClassThresholds {
  className: string;
  normals: number;
  defects: number;
  /** Null: too few pictures, the pooled thresholds apply. */
  thresholds: CalibratedThresholds | null;
}

/** Result of a calibration: what a model package stores. */
export interface ThresholdCalibration {
  policy: ThresholdPolicy;
  maxReviewRate: number;
  confidence: number;
  /** All classes together; the guarantee holds for the mix of classes calibrated on. */
  pooled: CalibratedThresholds;
  /** Every class, in alphabetical order. */
  classes: ClassThresholds[];
}

/** Rejects at most 1 % of normal parts, asks about at most 5 %. */
const defaultPolicy: ThresholdPolicy = { kind: 'normalsOnly', maxFalseRejectRate: 0.01 };

/**
 * For models with hardly any held-out picture. The fused score is standardised on normal parts (embedded-recipe.md
 * section 8), so one scale fits all: of 156 good test parts of twelve products 8 % reached 3 and 1 % reached 5, of 156
 * defects none was below 5.
 */
const assumedThresholds: Thresholds = { review: 3, fail: 5 };

/**
 * Chooses the two thresholds, pooled over classes and per class where the data allow.
 * @throws UserError `scoreNotFinite`, `rateOutOfRange`, `defectsMissing`, `normalsMissing`
 * @throws RangeError when the arrays differ in length
 */
export function calibrateThresholds(
  { scores, classNames, gtLabels }: CalibrationScores,
  settings: CalibrationSettings = {},
): ThresholdCalibration {
  if (classNames.length !== scores.length || (gtLabels !== undefined && gtLabels.length !== scores.length)) {
    throw new RangeError(`${scores.length} scores, ${classNames.length} class names, ${gtLabels?.length ?? 0} labels`);
  }
  refuseBrokenScores(scores, classNames);
  const rules = {
    policy: settings.policy ?? defaultPolicy,
    maxReviewRate: settings.maxReviewRate ?? 0.05,
    confidence: settings.confidence ?? 0.95,
    assumed: settings.assumed ?? assumedThresholds,
  };
  checkRates(rules);
  const labels = gtLabels ?? new Uint8Array(scores.length);
  const fewest = settings.fewestPerClass ?? 20;
  const rankedOf = (keep: (i: number) => boolean): RankedScores => {
    const kept = classNames.map((_, i) => i).filter(keep);
    return rankScores(
      kept.map((i) => labels[i]!),
      kept.map((i) => scores[i]!),
    );
  };
  const classes = [...new Set(classNames)].sort().map((className): ClassThresholds => {
    const ranked = rankedOf((i) => classNames[i] === className);
    const normals = ranked.negatives.length;
    const defects = ranked.positives.length;
    const own = rules.policy.kind === 'normalsOnly' || (normals >= fewest && defects >= fewest);
    const thresholds = own ? groupThresholds(ranked, rules, `class "${className}"`) : null;
    // Normal pictures alone give a class its own thresholds only where both are guaranteed.
    const sure = thresholds !== null && (thresholds.basis === 'roc' || thresholds.moreNormalsNeeded === 0);
    return { className, normals, defects, thresholds: sure ? thresholds : null };
  });
  const { policy, maxReviewRate, confidence } = rules;
  return {
    policy,
    maxReviewRate,
    confidence,
    pooled: groupThresholds(
      rankedOf(() => true),
      rules,
      'all classes',
    ),
    classes,
  };
}

/** Thresholds that apply to a class: its own, else the pooled ones (also for a class never calibrated). */
export function thresholdsFor(calibration: ThresholdCalibration, className: string): CalibratedThresholds {
  return calibration.classes.find((entry) => entry.className === className)?.thresholds ?? calibration.pooled;
}

export { displayScore } from './display-score.ts';

interface Rules {
  policy: ThresholdPolicy;
  maxReviewRate: number;
  confidence: number;
  assumed: Thresholds;
}

function groupThresholds(ranked: RankedScores, rules: Rules, group: string): CalibratedThresholds {
  const { policy, maxReviewRate, confidence, assumed } = rules;
  const normals = ranked.negatives.length;
  const defects = ranked.positives.length;
  const fail =
    policy.kind === 'normalsOnly'
      ? normalThreshold(ranked.negatives, policy.maxFalseRejectRate, confidence, assumed.fail, true)
      : rocThreshold(ranked, policy);
  const asked = normalThreshold(ranked.negatives, maxReviewRate, confidence, assumed.review, false);
  const review = asked.value <= fail.value ? asked : fail;
  const strictest = policy.kind === 'normalsOnly' ? Math.min(policy.maxFalseRejectRate, maxReviewRate) : maxReviewRate;
  const chosen = {
    review: review.value,
    fail: fail.value,
    basis: fail.basis,
    reviewBasis: review.basis,
    normals,
    defects,
    moreNormalsNeeded: moreNormalsNeeded(normals, strictest, confidence),
    observed: {
      escapes: below(ranked.positives, review.value),
      falseRejects: normals - below(ranked.negatives, fail.value),
      reviews:
        below(ranked.positives, fail.value) -
        below(ranked.positives, review.value) +
        below(ranked.negatives, fail.value) -
        below(ranked.negatives, review.value),
    },
  };
  return { ...chosen, statement: describe(chosen, rules, group) };
}

function below(sorted: Float32Array | Float64Array, threshold: number): number {
  let count = 0;
  while (count < sorted.length && sorted[count]! < threshold) count++;
  return count;
}

/** What the thresholds promise and what they don't, in sentences. */
function describe(chosen: Omit<CalibratedThresholds, 'statement'>, rules: Rules, group: string): string {
  const { policy, confidence, maxReviewRate } = rules;
  const failRate = policy.kind === 'normalsOnly' ? policy.maxFalseRejectRate : null;
  const sentences = [
    `From ${count(chosen.normals, 'normal picture')} and ${count(chosen.defects, 'defect')} of ${group}:` +
      ` review from ${number(chosen.review)}, fail from ${number(chosen.fail)}.`,
  ];
  if (chosen.basis === 'roc') {
    const { escapes, falseRejects } = chosen.observed;
    const bound = escapeBound(escapes, chosen.defects, confidence);
    sentences.push(
      `Here ${escapes} of ${count(chosen.defects, 'defect')} would pass and ${falseRejects} of` +
        ` ${count(chosen.normals, 'normal picture')} would fail.`,
    );
    if (bound !== null) {
      sentences.push(
        `That still allows an escape rate of up to ${percent(bound)} (${percent(confidence)} confidence).`,
      );
    }
  } else if (failRate !== null) {
    sentences.push(sentenceFor('fail', chosen.basis, failRate, confidence));
  }
  if (chosen.review < chosen.fail) {
    sentences.push(sentenceFor('review', chosen.reviewBasis, maxReviewRate, confidence));
  }
  if (chosen.moreNormalsNeeded > 0) {
    sentences.push(
      `${count(chosen.moreNormalsNeeded, 'more normal picture')} kept apart from training would turn this into a guarantee.`,
    );
  }
  return sentences.join(' ');
}

function sentenceFor(which: 'fail' | 'review', basis: ThresholdBasis, rate: number, confidence: number): string {
  const promise = `at most ${percent(rate)} of normal parts reach the ${which} threshold`;
  switch (basis) {
    case 'orderStatistic':
      return `With ${percent(confidence)} confidence ${promise}, whatever the scores' distribution.`;
    case 'extrapolated':
      return `An exponential tail fitted to the highest quarter suggests that ${promise}; this is no guarantee.`;
    case 'assumed':
      return `There are too few normal pictures to say anything: the ${which} threshold is the usual one for such scores.`;
    case 'roc':
      return `The ${which} threshold follows from the defects.`;
  }
}

function refuseBrokenScores(scores: ArrayLike<number>, classNames: readonly string[]): void {
  for (let i = 0; i < scores.length; i++) {
    if (Number.isFinite(scores[i])) continue;
    throw new UserError(
      'scoreNotFinite',
      `A calibration picture of the class "${classNames[i]}" has no finite score (${scores[i]}).`,
      'Check the model with "twinspect model verify".',
    );
  }
}

function checkRates({ policy, maxReviewRate, confidence }: Rules): void {
  const named: [string, number][] = [
    ['review rate', maxReviewRate],
    ['confidence', confidence],
  ];
  if (policy.kind === 'normalsOnly') named.push(['false-reject rate', policy.maxFalseRejectRate]);
  for (const [name, value] of named) {
    if (!(value > 0 && value < 1)) {
      throw new UserError(
        'rateOutOfRange',
        `The ${name} ${value} is not between 0 and 1.`,
        'Give a share such as 0.01.',
      );
    }
  }
  if ('rate' in policy && !(policy.rate >= 0 && policy.rate < 1)) {
    throw new UserError(
      'rateOutOfRange',
      `The rate ${policy.rate} of the policy "${policy.kind}" is not between 0 and 1.`,
      'Give a share such as 0.01.',
    );
  }
}

function count(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? '' : 's'}`;
}

function number(value: number): string {
  return Number(value.toPrecision(4)).toString();
}

function percent(share: number): string {
  return `${Number((share * 100).toPrecision(3))} %`;
}
