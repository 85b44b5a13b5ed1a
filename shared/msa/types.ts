import type { Verdict } from '../detection.ts';
import type { StudyNote } from './notes.ts';

/** What an appraiser says of a part, and what the part is. */
export type Appraisal = 'good' | 'defect';

/** A model's verdict as an appraisal: whatever it does not pass counts as called defective, also what it wants looked at. */
export function appraisalOfVerdict(verdict: Verdict): Appraisal {
  return verdict === 'pass' ? 'good' : 'defect';
}

export interface StudyPart {
  /** Name that the analysis shows; the appraiser never sees it. */
  part: string;
  reference: Appraisal;
}

/** One showing of one part to one appraiser. */
export interface StudyTrial {
  appraiser: string;
  /** Place in this appraiser's order, from 1. */
  position: number;
  /** Repeat, from 1; the appraiser never sees it. */
  repeat: number;
  part: string;
}

/** Who judges what in which order; deterministic from the seed. */
export interface StudyPlan {
  seed: number;
  appraisers: string[];
  parts: StudyPart[];
  repeats: number;
  /** Appraiser by appraiser, in the order of showing. */
  trials: StudyTrial[];
}

/** A trial with its answer. */
export interface StudyAnswer {
  appraiser: string;
  part: string;
  repeat: number;
  answer: Appraisal;
}

/** A share with its exact (Clopper-Pearson) interval. `value` is null where `total` is 0. */
export interface ExactRate {
  count: number;
  total: number;
  value: number | null;
  low: number;
  high: number;
}

/** Kappa with its interval. `value` is null where it isn't defined: all answers are the same word. */
export interface Kappa {
  value: number | null;
  low: number | null;
  high: number | null;
  /** `jackknife`: over parts; `exactAgreement`: from the exact interval of the agreement, where all agree. */
  method: 'jackknife' | 'exactAgreement' | 'none';
  /** Observed and chance agreement. */
  observed: number;
  expected: number;
}

/** Figures of one appraiser. */
export interface AppraiserResult {
  appraiser: string;
  /** Parts judged the same way every time (within the appraiser). */
  within: ExactRate;
  /** Parts judged right every time: effectiveness. */
  effectiveness: ExactRate;
  /** Defective showings called good: escapes (miss rate). */
  misses: ExactRate;
  /** Good showings called defective. */
  falseAlarms: ExactRate;
  /** Parts judged both ways. */
  mixed: ExactRate;
  /** Cohen's kappa with the reference, over all showings. */
  kappaReference: Kappa;
  /** Fleiss' kappa among this appraiser's own repeats; null with one repeat. */
  kappaWithin: Kappa | null;
  rating: { effectiveness: Rating; misses: Rating; falseAlarms: Rating };
}

/** AIAG's three steps of acceptability. */
export type Rating = 'acceptable' | 'marginal' | 'unacceptable';

/** Figures of a whole study. */
export interface StudyResult {
  appraisers: AppraiserResult[];
  /** Each pair of appraisers, Cohen's kappa over showings of the same repeat. */
  pairs: { a: string; b: string; kappa: Kappa }[];
  /** Fleiss' kappa over all appraisers and repeats; null with one answer a part. */
  fleiss: Kappa | null;
  /** Parts on which all appraisers agreed every time. */
  between: ExactRate;
  /** Parts on which all appraisers were right every time: system effectiveness. */
  system: ExactRate;
  parts: number;
  defects: number;
  repeats: number;
  confidence: number;
  /** What limits the study, and how to read it. */
  notes: StudyNote[];
}
