import { decide } from '../../shared/detection.ts';
import { thresholdsFor, type ThresholdCalibration } from '../../shared/calibration/thresholds.ts';
import { runFused } from '../detector/open-detector.ts';
import { evenlySpaced } from '../memory/calibrate.ts';
import type { GraphFile } from '../package/write-package.ts';
import { openSession, type SessionOptions } from '../runtime/session.ts';
import type { FeatureStore } from './feature-store.ts';
import type { Snapshot } from './snapshot.ts';

/** What a graph of lower precision changes, measured on the run's own pictures. */
export interface PrecisionEffect {
  pictures: number;
  /** Largest and mean absolute change of the fused score. */
  largestChange: number;
  meanChange: number;
  /** Standard deviation of the exact scores: what the change is to be compared with. */
  spread: number;
  /** Pictures whose verdict is another one. */
  verdictChanges: number;
  /** Milliseconds of one picture, median, exact and reduced. */
  exactMs: number;
  reducedMs: number;
}

/** Pictures compared, evenly spaced over all of the run, labelled defects included. */
const comparedPictures = 48;

/**
 * Scores pictures with the exact graph, which has passed the parity gate, and with the one of lower precision.
 * @throws UserError as opening a graph; the signal's reason
 */
export async function measurePrecision({
  exact,
  reduced,
  snapshot,
  store,
  thresholds,
  session,
  signal,
}: {
  exact: Uint8Array | GraphFile;
  reduced: Uint8Array | GraphFile;
  snapshot: Snapshot;
  store: Pick<FeatureStore<unknown>, 'prepared'>;
  thresholds: ThresholdCalibration;
  session: SessionOptions;
  signal: AbortSignal;
}): Promise<PrecisionEffect> {
  const classes = snapshot.classes.map(({ name }) => name);
  const positions = evenlySpaced(snapshot.pictures.length, comparedPictures);
  const read = async (graph: Uint8Array | GraphFile) => {
    const opened = await openSession(graph instanceof Uint8Array ? graph : graph.path, session);
    try {
      const found: { score: number; classIndex: number; ms: number }[] = [];
      for (const picture of positions) {
        signal.throwIfAborted();
        const prepared = await store.prepared(picture);
        const started = performance.now();
        const [result] = await runFused(opened, [prepared], Math.sqrt(prepared.data.length / 3), classes);
        const ms = performance.now() - started;
        found.push({ score: result!.predScore, classIndex: classes.indexOf(result!.className), ms });
      }
      return found;
    } finally {
      await opened.close();
    }
  };
  const [full, light] = [await read(exact), await read(reduced)];
  const changes = full.map(({ score }, i) => Math.abs(score - light[i]!.score));
  const verdict = ({ score, classIndex }: (typeof full)[number]) =>
    decide(score, thresholdsFor(thresholds, classes[classIndex]!));
  const mean = full.reduce((sum, { score }) => sum + score, 0) / full.length;
  const squares = full.reduce((sum, { score }) => sum + (score - mean) ** 2, 0);
  const median = (times: number[]): number => times.sort((a, b) => a - b)[times.length >> 1]!;
  return {
    pictures: full.length,
    largestChange: Math.max(...changes),
    meanChange: changes.reduce((sum, change) => sum + change, 0) / changes.length,
    spread: Math.sqrt(squares / Math.max(1, full.length - 1)),
    verdictChanges: full.filter((one, i) => verdict(one) !== verdict(light[i]!)).length,
    exactMs: median(full.map(({ ms }) => ms)),
    reducedMs: median(light.map(({ ms }) => ms)),
  };
}

/** The effect as a sentence for the person and the manifest. */
export function precisionStatement(precision: string, effect: PrecisionEffect): string {
  const { pictures, largestChange, meanChange, spread, verdictChanges, exactMs, reducedMs } = effect;
  return (
    `Teacher in ${precision}: the fused score changes by ${meanChange.toPrecision(2)} on average, at most ` +
    `${largestChange.toPrecision(2)} (scores spread by ${spread.toPrecision(2)}); ${verdictChanges} of ${pictures} ` +
    `verdicts are others; ${exactMs.toFixed(0)} ms a picture become ${reducedMs.toFixed(0)}. Measured on pictures of ` +
    'this run, nearly all of them good: try it on defects before you rely on it.'
  );
}
