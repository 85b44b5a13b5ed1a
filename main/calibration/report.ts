import { groupReader } from '../../shared/calibration/groups.ts';
import type { PolicyChoice, PolicyResult } from '../../shared/calibration/guarantee.ts';
import { describeOperatingPoint, type OperatingPoint } from '../../shared/calibration/operating-point.ts';
import type { ThresholdBasis, ThresholdPolicy } from '../../shared/calibration/policies.ts';
import { calibrateClasses, type ClassedCalibration } from '../../shared/calibration/pooling.ts';
import { aurocInterval, type AurocInterval } from '../../shared/calibration/roc-uncertainty.ts';
import { type Sentence, type SentenceKey, sentence } from '../../shared/calibration/sentences.ts';
import type { CalibratedThresholds, ThresholdCalibration } from '../../shared/calibration/thresholds.ts';
import {
  unknownClassThreshold,
  type UnknownClassRefusal,
  type UnknownClassThreshold,
} from '../../shared/calibration/unknown-class.ts';
import type { Thresholds } from '../../shared/detection.ts';
import type { Provenance } from './provenance.ts';
import type { ScoredPicture } from './score.ts';

/** How to calibrate, beside the policy. */
export interface CalibrationRequest {
  policy: ThresholdPolicy;
  confidence: number;
  /** Limit for the other kind of part; undefined: one threshold, no review band. */
  otherRate?: number;
  defectRate?: number;
  partsPerHour?: number;
  /** Regular expression that finds the lot or serial number in a file name. */
  groupBy?: string;
  /** Takes the strictest limit the pictures can show where the policy's own can't. */
  acceptReachable: boolean;
  unknownRate: number;
  seed: number;
}

/** All that a calibration found; goes into the package as `calibration.json`, into reports, and out as JSON. */
export interface CalibrationReport {
  format: 'twinspect-calibration';
  formatVersion: 1;
  createdAt: string;
  request: CalibrationRequest;
  calibration: ClassedCalibration;
  /** All classes together at the pooled thresholds; null without thresholds. */
  operatingPoint: OperatingPoint | null;
  auroc: AurocInterval;
  unknownClass: UnknownClassThreshold | UnknownClassRefusal | null;
  /** Pictures used: how many were checked against what. */
  checked: { pictures: number; heldOut: number; nearDuplicates: number; comparedWithTraining: number };
  notes: Sentence[];
}

/** Puts scores, labels and their provenance into one report. Nothing is read or written. */
export function calibrationReport(
  scored: readonly ScoredPicture[],
  provenance: Provenance,
  request: CalibrationRequest,
  createdAt: string,
): CalibrationReport {
  const { policy, confidence, otherRate, defectRate, partsPerHour, groupBy, acceptReachable, seed } = request;
  const scores = scored.map(({ predScore }) => predScore);
  const labels = scored.map(({ ref }) => ref.gtLabel === 'defect');
  const classNames = scored.map(({ ref }) => ref.className);
  const groupOf = groupBy === undefined ? undefined : groupReader(groupBy);
  const calibration = calibrateClasses(
    {
      scores,
      labels,
      classNames,
      ...(groupOf !== undefined && { groups: scored.map(({ ref }) => groupOf(ref.path)) }),
    },
    policy,
    {
      confidence,
      acceptReachable,
      seed,
      ids: provenance.hashes,
      ...(otherRate !== undefined && { otherRate }),
      ...(defectRate !== undefined && { defectRate }),
    },
  );
  const chosen = usable(calibration.pooled, acceptReachable);
  const operating = {
    confidence,
    ...(defectRate !== undefined && { defectRate }),
    ...(partsPerHour !== undefined && { partsPerHour }),
  };
  const finite = scores.every(Number.isFinite);
  // Held-out pictures took part in learning what the classes look like: their distances are too small.
  const held = new Set(provenance.heldOut);
  const fresh = scored.filter(({ ref }) => ref.gtLabel === 'good' && !held.has(ref));
  const distances = fresh.map(({ classDistance }) => classDistance);
  const notes = [...calibration.notes];
  if (provenance.heldOut.length > 0)
    notes.push(sentence('heldOutUsed', { count: provenance.heldOut.length, n: scored.length }));
  if (provenance.nearDuplicates.length > 0) {
    const { picture, twin } = provenance.nearDuplicates[0]!;
    const count = provenance.nearDuplicates.length;
    notes.push(sentence('nearDuplicates', { count, n: scored.length, example: picture.path, twin: twin.path }));
  }
  if (provenance.comparedWithTraining === 0) notes.push(sentence('notCompared'));
  return {
    format: 'twinspect-calibration',
    formatVersion: 1,
    createdAt,
    request,
    calibration,
    operatingPoint: chosen === null ? null : describeOperatingPoint(scores, labels, chosen, operating),
    auroc: finite
      ? aurocInterval(scores, labels, confidence)
      : { auroc: null, standardError: null, low: 0, high: 1, confidence, method: 'none' },
    unknownClass: distances.some(Number.isNaN)
      ? null
      : unknownClassThreshold(distances, {
          rate: request.unknownRate,
          confidence,
          seed,
          classNames: fresh.map(({ inferredClass }) => inferredClass),
        }),
    checked: {
      pictures: scored.length,
      heldOut: provenance.heldOut.length,
      nearDuplicates: provenance.nearDuplicates.length,
      comparedWithTraining: provenance.comparedWithTraining,
    },
    notes,
  };
}

function usable(result: PolicyResult, acceptReachable: boolean): PolicyChoice | null {
  return result.ok ? result : acceptReachable ? result.reachable : null;
}

/** The thresholds in the form that a model package's manifest keeps; null when the policy was refused. */
export function manifestThresholds(
  { calibration, request }: CalibrationReport,
  scored: readonly ScoredPicture[],
): ThresholdCalibration | null {
  const { policy, confidence, acceptReachable, otherRate } = request;
  const pooled = usable(calibration.pooled, acceptReachable);
  if (pooled === null) return null;
  const refusal = calibration.pooled.ok ? null : calibration.pooled;
  const told = [...(refusal === null ? [] : [refusal.reason]), ...pooled.guarantees.map(({ statement }) => statement)];
  return {
    policy,
    maxReviewRate: otherRate ?? 1,
    confidence,
    pooled: stored(pooled, pooled, [...told, ...pooled.notes], refusal?.moreNormals ?? 0, scored),
    classes: calibration.classes.map(({ className, normals, defects, mode, thresholds, own, statement }) => {
      // A class that shares the pooled thresholds as they are has none of its own.
      if (thresholds === null || mode === 'pooled') return { className, normals, defects, thresholds: null };
      const said = [statement, ...(own.ok ? own.guarantees.map((promise) => promise.statement) : [])];
      const ofClass = scored.filter(({ ref }) => ref.className === className);
      const more = own.ok ? 0 : (own.moreNormals ?? 0);
      return {
        className,
        normals,
        defects,
        thresholds: stored(own.ok ? own : pooled, thresholds, said, more, ofClass),
      };
    }),
  };
}

function stored(
  { guarantees }: PolicyChoice,
  { review, fail }: Thresholds,
  said: readonly Sentence[],
  moreNormalsNeeded: number,
  scored: readonly ScoredPicture[],
): CalibratedThresholds {
  const basis: ThresholdBasis = guarantees[0]?.method === 'orderStatistic' ? 'orderStatistic' : 'roc';
  const { escape, falseReject, defectReview, normalReview, normals, defects } = describeOperatingPoint(
    scored.map(({ predScore }) => predScore),
    scored.map(({ ref }) => ref.gtLabel === 'defect'),
    { review, fail },
  );
  return {
    review,
    fail,
    basis,
    reviewBasis: basis,
    normals,
    defects,
    moreNormalsNeeded,
    observed: {
      escapes: escape.count,
      falseRejects: falseReject.count,
      reviews: defectReview.count + normalReview.count,
    },
    // A package's text has no control characters and a limit.
    statement: said
      .map(({ text }) => text)
      .join(' ')
      .replace(/\p{Cc}/gu, ' ')
      .slice(0, 4000),
  };
}

/** The guarantees say more about the same rates: these hold at any threshold. */
const bandKeys = new Set<SentenceKey>(['escapeBand', 'falseRejectBand']);

/** The report in plain lines, as the terminal and the calibration section of a report show it. */
export function calibrationLines(report: CalibrationReport): string[] {
  const { calibration, operatingPoint, auroc, unknownClass, notes } = report;
  const { pooled, classes } = calibration;
  const lines: string[] = [];
  if (!pooled.ok) lines.push(`Refused: ${pooled.reason.text}`);
  const shown = pooled.ok ? pooled : pooled.reachable;
  if (shown !== null) {
    lines.push(
      `${pooled.ok ? 'Thresholds' : 'What these pictures can show'}: review from ${shown.review.toFixed(4)}, fail from ${shown.fail.toFixed(4)}.`,
      ...shown.guarantees.map(({ statement }) => `  ${statement.text}`),
      ...shown.notes.map(({ text }) => `  ${text}`),
    );
  }
  if (operatingPoint !== null)
    lines.push(
      'On the pictures given:',
      ...operatingPoint.sentences.filter(({ key }) => !bandKeys.has(key)).map(({ text }) => `  ${text}`),
    );
  if (auroc.auroc !== null) {
    lines.push(
      `AUROC ${auroc.auroc.toFixed(4)} (${(100 * auroc.confidence).toFixed(0)} %: ${auroc.low.toFixed(4)} to ${auroc.high.toFixed(4)}, ${auroc.method === 'delong' ? 'DeLong' : 'exact bound'}).`,
    );
  }
  if (classes.length > 1) lines.push(...classes.map(({ statement }) => statement.text));
  if (unknownClass !== null) {
    const value = unknownClass.ok ? unknownClass : unknownClass.reachable;
    lines.push(
      `Unknown class: ${value === null ? 'not judged' : `from ${value.value.toPrecision(5)}${value.scales === undefined ? ' on' : ' times the usual class distance on'}`}. ${(unknownClass.ok ? unknownClass.statement : unknownClass.reason).text}`,
    );
  }
  lines.push(...notes.map(({ text }) => `Note: ${text}`));
  return lines;
}
