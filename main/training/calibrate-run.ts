import { calibrateThresholds, type ThresholdCalibration } from '../../shared/calibration/thresholds.ts';
import type { Scorer } from './recipe.ts';
import type { Snapshot } from './snapshot.ts';

/** Thresholds of a run and the scores they rest on. */
export interface RunCalibration {
  thresholds: ThresholdCalibration;
  /** Per class of the snapshot: fused scores of its held-out and calibration pictures. */
  scores: { className: string; scores: number[] }[];
}

/**
 * Scores every normal picture that nothing was learnt from (held-out ones and those given for calibration) and sets
 * the two thresholds from them, without knowing a single defect.
 */
export async function calibrateRun(
  { classes }: Snapshot,
  scorer: Pick<Scorer, 'score'>,
  signal: AbortSignal,
): Promise<RunCalibration> {
  const scores: RunCalibration['scores'] = [];
  for (const { name, pictures, split, calibration } of classes) {
    const own: number[] = [];
    for (const picture of [...split.heldOut.map((i) => pictures[i]!), ...calibration]) {
      signal.throwIfAborted();
      own.push((await scorer.score(picture)).predScore);
    }
    scores.push({ className: name, scores: own });
  }
  const thresholds = calibrateThresholds({
    scores: scores.flatMap((entry) => entry.scores),
    classNames: scores.flatMap((entry) => entry.scores.map(() => entry.className)),
  });
  return { thresholds, scores };
}
