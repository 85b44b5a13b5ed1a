import { decide } from '../../shared/detection.ts';
import { UserError } from '../../shared/errors.ts';
import { thresholdsFor, type ThresholdCalibration } from '../../shared/calibration/thresholds.ts';
import { runFused } from '../detector/open-detector.ts';
import { evenlySpaced } from '../memory/calibrate.ts';
import { parityTolerance } from '../package/manifest.ts';
import type { GraphFile } from '../package/write-package.ts';
import { openSession, type SessionOptions } from '../runtime/session.ts';
import type { FeatureStore } from './feature-store.ts';
import type { Scorer } from './recipe.ts';
import type { Snapshot } from './snapshot.ts';

export interface ParityReport {
  /**
   * Largest difference of the fused score between trainer and graph. Beyond a score of 10 it is taken in proportion:
   * single precision has seven digits, and a part can score thousands.
   */
  maxAbsDifference: number;
  /** Verdicts that differ although the score is further from the threshold than rounding goes. */
  verdictFlips: number;
  pictures: number;
  tolerance: number;
}

/** Scores up to here are compared as they are, larger ones in proportion. */
const absoluteUpTo = 10;
/** Good pictures compared, evenly spaced over all classes; up to half of them are ones that were learned from. */
const parityPictures = 24;

/**
 * Scores real pictures twice, by the trainer from its features and by the finished graph from pixels, and refuses a
 * graph that says something else.
 * @throws UserError `parityFailed`
 */
export async function parityGate({
  graph,
  snapshot,
  store,
  scorer,
  thresholds,
  session,
  signal,
}: {
  graph: Uint8Array | GraphFile;
  snapshot: Snapshot;
  store: Pick<FeatureStore<unknown>, 'prepared'>;
  scorer: Pick<Scorer, 'score'>;
  thresholds: ThresholdCalibration;
  session: SessionOptions;
  signal: AbortSignal;
}): Promise<ParityReport> {
  const classes = snapshot.classes.map(({ name }) => name);
  const report: ParityReport = { maxAbsDifference: 0, verdictFlips: 0, pictures: 0, tolerance: parityTolerance };
  const fused = await openSession(graph instanceof Uint8Array ? graph : graph.path, session);
  try {
    for (const picture of telling(snapshot)) {
      signal.throwIfAborted();
      const prepared = await store.prepared(picture);
      const [found] = await runFused(fused, [prepared], Math.sqrt(prepared.data.length / 3), classes);
      const expected = await scorer.score(picture);
      const scale = Math.max(1, Math.abs(expected.predScore) / absoluteUpTo);
      const difference = Math.abs(found!.predScore - expected.predScore) / scale;
      // A NaN on one side is a difference, not a pass.
      report.maxAbsDifference = Number.isNaN(difference) ? Infinity : Math.max(report.maxAbsDifference, difference);
      const { fail, review } = thresholdsFor(thresholds, classes[expected.classIndex]!);
      const near = [fail, review].some((value) => Math.abs(expected.predScore - value) <= parityTolerance * scale);
      const same = decide(found!.predScore, { fail, review }) === decide(expected.predScore, { fail, review });
      if (!same && !near) report.verdictFlips++;
      report.pictures++;
    }
  } finally {
    await fused.close();
  }
  if (report.maxAbsDifference > parityTolerance || report.verdictFlips > 0) {
    throw new UserError(
      'parityFailed',
      `The finished model doesn't repeat the trainer's scores: they differ by up to ${report.maxAbsDifference.toPrecision(2)} (allowed: ${parityTolerance}) and ${report.verdictFlips} verdicts change. No model was written.`,
      'Train with --engine cpu and report this.',
    );
  }
  return report;
}

/**
 * Pictures to compare. A picture that was learned from finds itself in the memory and scores nearly nothing, so that a
 * fault hardly shows: those that were not come first.
 */
function telling({ classes, pictures, defects }: Snapshot): number[] {
  const unseen = classes.flatMap(({ pictures: own, split, calibration }) => [
    ...split.heldOut.map((position) => own[position]!),
    ...calibration,
  ]);
  const others = new Set(unseen);
  const learned = Array.from({ length: pictures.length - defects.length }, (_, i) => i).filter((i) => !others.has(i));
  const ofLearned = Math.min(learned.length, Math.max(parityPictures / 2, parityPictures - unseen.length));
  const spread = (list: readonly number[], count: number): number[] =>
    evenlySpaced(list.length, count).map((position) => list[position]!);
  return [...spread(unseen, parityPictures - ofLearned), ...spread(learned, ofLearned)].sort((a, b) => a - b);
}
