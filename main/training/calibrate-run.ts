import type { Thresholds } from '../../shared/detection.ts';
import { calibrateThresholds, type ThresholdCalibration } from '../../shared/calibration/thresholds.ts';
import { evenlySpaced } from '../memory/calibrate.ts';
import type { Scorer } from './recipe.ts';
import type { Snapshot } from './snapshot.ts';

/** Thresholds of a run and the scores they rest on. */
export interface RunCalibration {
  thresholds: ThresholdCalibration;
  /** Per class of the snapshot: fused scores of its held-out and calibration pictures. */
  scores: { className: string; scores: number[] }[];
}

/** Fewer pictures than this may be too few to set a threshold by. */
const fewPictures = 20;
/** Pictures learned from that stand in for them. */
const standIns = 50;

/**
 * Scores every normal picture that nothing was learnt from (held-out ones and those given for calibration) and sets
 * the two thresholds from them, without knowing a single defect.
 *
 * @param isStandard whether scores are in deviations of normal parts, so that the usual thresholds hold where pictures are
 *   too few; else those come from the pictures learned from, three and five deviations above their mean
 */
export async function calibrateRun(
  { classes }: Snapshot,
  scorer: Pick<Scorer, 'score'>,
  signal: AbortSignal,
  isStandard = true,
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
  const count = scores.reduce((sum, entry) => sum + entry.scores.length, 0);
  const assumed = isStandard || count >= fewPictures ? undefined : await thresholdsOfLearned(classes, scorer, signal);
  const thresholds = calibrateThresholds(
    {
      scores: scores.flatMap((entry) => entry.scores),
      classNames: scores.flatMap((entry) => entry.scores.map(() => entry.className)),
    },
    assumed && { assumed },
  );
  return { thresholds, scores };
}

async function thresholdsOfLearned(
  classes: Snapshot['classes'],
  scorer: Pick<Scorer, 'score'>,
  signal: AbortSignal,
): Promise<Thresholds> {
  const learned = classes.flatMap(({ pictures, split }) => split.training.map((i) => pictures[i]!));
  const scores: number[] = [];
  for (const position of evenlySpaced(learned.length, standIns)) {
    signal.throwIfAborted();
    scores.push((await scorer.score(learned[position]!)).predScore);
  }
  const mean = scores.reduce((sum, score) => sum + score, 0) / scores.length;
  const squares = scores.reduce((sum, score) => sum + (score - mean) ** 2, 0);
  // One picture has no spread; a thousandth is what scores of good parts differ by at the least.
  const sd = Math.max(1e-3, Math.sqrt(squares / Math.max(1, scores.length - 1)));
  return { review: mean + 3 * sd, fail: mean + 5 * sd };
}
