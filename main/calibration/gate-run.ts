import {
  goldenGate,
  latencyGate,
  oldProductsGate,
  parityGateResult,
  type GateCheck,
  type GateResult,
  type GoldenLimits,
  type GoldenPart,
  type ParityFigures,
} from '../../shared/calibration/gates.ts';
import { sentence } from '../../shared/calibration/sentences.ts';
import { judge } from '../../shared/calibration/unknown-class.ts';
import { UserError } from '../../shared/errors.ts';
import type { PictureRef } from '../datasets/dataset.ts';
import type { Detector } from '../detector/detector.ts';
import type { NormalPicture } from '../package/manifest.ts';
import type { PreparedPicture } from '../pictures/picture.ts';
import { fileHash } from './provenance.ts';
import { scoreForCalibration, type ScoredPicture } from './score.ts';

/** One of the two models of a comparison. */
export interface GatedModel {
  detector: Detector;
  /** Snapshot of its package: golden pictures must not be among those learned from. */
  normals: readonly NormalPicture[];
}

/** What a candidate is held against. */
export interface GateRequest {
  active: GatedModel;
  candidate: GatedModel & { parity: ParityFigures };
  /** Golden pictures; training pictures are none. */
  golden: readonly PictureRef[];
  limits: Partial<GoldenLimits>;
  /** Time between two parts; left out: no latency gate. */
  cycleTimeMs?: number;
  prepare(path: string, size: number): Promise<PreparedPicture>;
  signal?: AbortSignal;
  onProgress?(done: number, total: number): void;
}

/** Rounds before latency counts: the first runs of a session are slower. */
const warmUps = 3;
/** Fewest timed parts of the latency gate; a smaller golden set is gone through again. */
const fewestTimed = 100;

/**
 * Runs every gate that applies to a candidate: parity, golden set, old products where the classes differ, latency where
 * a cycle time is given.
 * @throws UserError `goldenEmpty` when there is no golden picture of a class that both models know
 */
export async function runGates(request: GateRequest): Promise<GateResult[]> {
  const { active, candidate, golden, limits, cycleTimeMs } = request;
  const [before, after] = [active.detector.classes, candidate.detector.classes];
  const common = before.filter((className) => after.includes(className));
  const judged = golden.filter(({ className }) => common.includes(className));
  if (judged.length === 0) {
    throw new UserError(
      'goldenEmpty',
      'The golden set has no picture of a class that both models know.',
      'Give pictures of known classes, in test/good and test/<defect> of each.',
    );
  }
  const total = 2 * judged.length + (cycleTimeMs === undefined ? 0 : Math.max(fewestTimed, judged.length));
  let done = 0;
  const step = (): void => request.onProgress?.(++done, total);
  const scored = async ({ detector }: GatedModel): Promise<ScoredPicture[]> =>
    scoreForCalibration(judged, { ...request, detector, onProgress: step });
  const fromActive = await scored(active);
  const fromCandidate = await scored(candidate);
  const parts = judged.map((ref, i): GoldenPart => {
    // As on the line: a part of no known class doesn't pass.
    const judgedBy = ({ detector }: GatedModel, { inferredClass, ...scores }: ScoredPicture) => ({
      predScore: scores.predScore,
      verdict: judge(
        { ...scores, className: inferredClass },
        detector.thresholdsFor(inferredClass),
        detector.unknownClass,
      ).verdict,
    });
    return {
      id: ref.path,
      className: ref.className,
      gtLabel: ref.gtLabel,
      active: judgedBy(active, fromActive[i]!),
      candidate: judgedBy(candidate, fromCandidate[i]!),
    };
  });
  const tainted = await taintedBy(judged, request);
  const results = [
    parityGateResult(candidate.parity),
    withChecks(goldenGate(parts, limits, [...new Set(judged.map(({ className }) => className))].sort()), tainted),
  ];
  const sameClasses = before.length === after.length && common.length === before.length;
  if (!sameClasses) results.push(withChecks(oldProductsGate(parts, before, after, limits), tainted));
  if (cycleTimeMs !== undefined) {
    const times = await timed(candidate.detector, judged, request, step);
    results.push(latencyGate(times, cycleTimeMs, limits.confidence));
  }
  return results;
}

/** A model does well on what it has learned: golden pictures in a training set void the comparison. */
async function taintedBy(
  refs: readonly PictureRef[],
  { active, candidate, signal }: GateRequest,
): Promise<GateCheck[]> {
  const checks: GateCheck[] = [];
  const hashes: string[] = [];
  for (const { path } of refs) {
    signal?.throwIfAborted();
    hashes.push(await fileHash(path));
  }
  for (const [model, { normals }] of [
    ['active', active],
    ['candidate', candidate],
  ] as const) {
    const learned = new Set(normals.filter(({ heldOut }) => !heldOut).map(({ sha256 }) => sha256));
    const found = refs.filter((_, i) => learned.has(hashes[i]!));
    if (found.length === 0) continue;
    const statement = sentence('gateTrained', { count: found.length, model, example: found[0]!.path });
    checks.push({ passed: false, className: null, statement });
  }
  return checks;
}

function withChecks(result: GateResult, extra: readonly GateCheck[]): GateResult {
  const checks = [...extra, ...result.checks];
  return { ...result, checks, outcome: checks.every(({ passed }) => passed) ? 'accepted' : 'refused' };
}

/** Times of single parts from the file to the scores, one after the other as on a line, milliseconds. */
async function timed(
  detector: Detector,
  refs: readonly PictureRef[],
  { prepare, signal }: GateRequest,
  step: () => void,
): Promise<number[]> {
  const times: number[] = [];
  for (let i = -warmUps; i < Math.max(fewestTimed, refs.length); i++) {
    signal?.throwIfAborted();
    const start = performance.now();
    await detector.inspect([await prepare(refs[(i + warmUps) % refs.length]!.path, detector.inputSize)]);
    if (i < 0) continue;
    times.push(performance.now() - start);
    step();
  }
  return times;
}
