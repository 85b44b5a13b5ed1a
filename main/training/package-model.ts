import path from 'node:path';
import packageJson from '../../package.json' with { type: 'json' };
import type { BackboneEntry } from '../backbones/registry.ts';
import { fusedOutputs } from '../detector/fused-graph.ts';
import { fusionDefaults } from '../nn/embedded-detector.ts';
import { memoryDefaults } from '../memory/defaults.ts';
import type { EmbeddedPreset } from '../nn/presets.ts';
import { writePackage, type WrittenPackage } from '../package/write-package.ts';
import type { RunCalibration } from './calibrate-run.ts';
import { defectShare } from './defects.ts';
import type { ParityReport } from './parity-gate.ts';
import type { TrainingRequest } from './request.ts';
import type { RunClass, Snapshot } from './snapshot.ts';

/** What a run has produced. */
export interface RunResult {
  request: TrainingRequest;
  preset: EmbeddedPreset;
  snapshot: Snapshot;
  entry: BackboneEntry;
  backboneHash: string;
  graph: Uint8Array;
  calibration: RunCalibration;
  parity: ParityReport;
}

/** Writes the model package of a finished run. @throws UserError when it can't be written; then nothing is there */
export function packageModel(
  { request, preset, snapshot, entry, backboneHash, graph, calibration, parity }: RunResult,
  engine: { engine: string; provider: string; threads: number; mode: string },
): Promise<WrittenPackage> {
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
      preset: {
        name: request.preset,
        constants: {
          students: request.instant ? null : preset.students,
          ...(snapshot.defects.length > 0 && { defects: { pictures: snapshot.defects.length, share: defectShare } }),
          searchDims: preset.searchDims,
          memory: memoryDefaults,
          fusion: fusionDefaults,
        },
      },
      seed: request.seed,
      engine: { engine: engine.engine, provider: engine.provider, threads: engine.threads, mode: engine.mode },
      libraries: { 'onnxruntime-node': onnxruntime, '@tensorflow/tfjs-core': tfjs, node: process.versions.node },
      backbone: { id: entry.id, sha256: backboneHash },
      inputSize: entry.input.size,
      outputs: [...fusedOutputs],
      classes: snapshot.classes.map((runClass, c) => describeClass(runClass, calibration.scores[c]!.scores)),
      thresholds: calibration.thresholds,
      parity,
      metrics: null,
      attribution: [entry.attribution],
      notes: request.instant ? 'Instant mode: normal memory only, without the students.' : '',
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
