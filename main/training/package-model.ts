import path from 'node:path';
import packageJson from '../../package.json' with { type: 'json' };
import { fusedOutputs } from '../detector/fused-graph.ts';
import { writePackage, type GraphFile, type WrittenPackage } from '../package/write-package.ts';
import type { RunCalibration } from './calibrate-run.ts';
import type { ParityReport } from './parity-gate.ts';
import type { MethodFacts } from './recipe.ts';
import type { TrainingRequest } from './request.ts';
import type { RunClass, Snapshot } from './snapshot.ts';

/** What a run has produced. */
export interface RunResult {
  request: TrainingRequest;
  snapshot: Snapshot;
  facts: MethodFacts;
  graph: Uint8Array | GraphFile;
  calibration: RunCalibration;
  parity: ParityReport;
}

/** Writes the model package of a finished run. @throws UserError when it can't be written; then nothing is there */
export function packageModel({
  request,
  snapshot,
  facts,
  graph,
  calibration,
  parity,
}: RunResult): Promise<WrittenPackage> {
  const createdAt = new Date().toISOString();
  const normals = snapshot.pictures.slice(0, snapshot.normalCount);
  const heldOut = new Set(snapshot.classes.flatMap(({ pictures, split }) => split.heldOut.map((i) => pictures[i]!)));
  const { 'onnxruntime-node': onnxruntime, '@tensorflow/tfjs-core': tfjs } = packageJson.dependencies;
  return writePackage(path.resolve(request.out), {
    graph,
    calibration: calibration.scores,
    normals: normals.map(({ sha256, fileName, className }, i) => ({
      sha256,
      fileName,
      className,
      heldOut: heldOut.has(i),
    })),
    manifest: {
      id: `${request.preset}-${snapshot.hash.slice(0, 8)}-${request.seed}`,
      createdAt,
      productVersion: packageJson.version,
      preset: { name: request.preset, constants: facts.constants },
      seed: request.seed,
      engine: {
        engine: facts.engine.engine,
        provider: facts.engine.provider,
        threads: facts.engine.threads,
        mode: facts.engine.mode,
      },
      libraries: { 'onnxruntime-node': onnxruntime, '@tensorflow/tfjs-core': tfjs, node: process.versions.node },
      backbone: facts.backbone,
      inputSize: facts.inputSize,
      outputs: [...fusedOutputs],
      classes: snapshot.classes.map((runClass, c) => describeClass(runClass, calibration.scores[c]!.scores)),
      thresholds: calibration.thresholds,
      parity,
      metrics: null,
      attribution: facts.attribution,
      notes: facts.notes,
    },
  });
}

function describeClass({ name, pictures, split }: RunClass, scores: readonly number[]) {
  const mean = scores.reduce((sum, score) => sum + score, 0) / scores.length;
  const variance = scores.reduce((sum, score) => sum + (score - mean) ** 2, 0) / Math.max(1, scores.length - 1);
  return {
    name,
    normalCount: pictures.length,
    heldOutCount: split.heldOut.length,
    fusedScore: scores.length === 0 ? null : { mean, sd: Math.sqrt(variance) },
  };
}
