import { createHash } from 'node:crypto';
import { totalmem } from 'node:os';
import { UserError } from '../../shared/errors.ts';
import type { TrainingEvent } from '../../shared/training-events.ts';
import { findBackbone, readRegistry, verifyBackbone, type BackboneEntry } from '../backbones/registry.ts';
import { readSafetensors } from '../backbones/safetensors.ts';
import { readDataset } from '../datasets/read.ts';
import { buildFusedGraph } from '../detector/fused-graph.ts';
import { studentTensors } from '../detector/student-tensors.ts';
import { presets, type EmbeddedPreset } from '../nn/presets.ts';
import { modelsDir } from '../system/project-root.ts';
import { Checkpoint } from './checkpoint.ts';
import { cacheFolder, cacheLimitBytes } from './cache-folder.ts';
import { calibrateRun } from './calibrate-run.ts';
import { openEngine } from './engines.ts';
import { FeatureCache } from './feature-cache.ts';
import { FeatureStore } from './feature-store.ts';
import { fitMemory } from './fit-memory.ts';
import { packageModel } from './package-model.ts';
import { parityGate } from './parity-gate.ts';
import { PhaseReporter } from './phase-reporter.ts';
import type { TrainingRequest, TrainingSummary } from './request.ts';
import { takeSnapshot, type Snapshot } from './snapshot.ts';
import { Teacher } from './teacher.ts';
import { TrainerScorer } from './trainer-scorer.ts';
import { trainStudents } from './train-students.ts';

/** Share of the machine's memory that cached features may take. */
const featureMemoryShare = 0.2;

/**
 * The whole training run: snapshot, teacher features, normal memory, students, one fused graph, parity gate,
 * thresholds, model package. Nothing is written to `request.out` before all of it has succeeded.
 *
 * @param signal aborts within one training step or one picture; the newest checkpoint stays for `resume`
 * @throws UserError naming what is wrong and what to do; the signal's reason when it's aborted
 */
export async function trainModel(
  request: TrainingRequest,
  onEvent: (event: TrainingEvent) => void,
  signal: AbortSignal,
): Promise<TrainingSummary> {
  const report = new PhaseReporter(onEvent);
  const preset = embeddedPreset(request);
  const session = {
    provider: request.engine === 'tfjs' ? 'cpu' : request.engine,
    ...(request.threads === undefined ? {} : { threads: request.threads }),
  };

  report.begin('snapshot', 'Reading the pictures');
  const { normalClasses } = request;
  const dataset = await readDataset(request.dataDirs, normalClasses === undefined ? {} : { normalClasses });
  for (const warning of dataset.warnings) report.warn(warning);
  const snapshot = await takeSnapshot(dataset, { seed: request.seed, shots: request.shots }, signal);
  const { entry, weights, backboneHash } = await openBackbone(preset);

  report.begin('features', `Describing ${snapshot.pictures.length} pictures with the teacher`);
  const teacher = await Teacher.open(entry, weights, session);
  try {
    const cache = new FeatureCache(cacheFolder(request.cacheDir), backboneHash, teacher.layout.length);
    await cache.prune(cacheLimitBytes);
    const paths = snapshot.pictures.map(({ path }) => path);
    const store = new FeatureStore(paths, teacher, cache, totalmem() * featureMemoryShare);
    await store.fill(signal, (done) => report.progress(done, paths.length));
    if (cache.problem !== undefined) report.warn(`The feature cache is off: ${cache.problem}`);

    report.begin('memory', 'Building the memory of normal parts');
    const memory = await fitMemory(snapshot.classes, teacher, store, {
      seed: request.seed,
      session,
      searchDims: preset.searchDims,
      signal,
      onProgress: (share) => report.progress(Math.round(share * 1000), 1000),
    });

    const checkpoint = new Checkpoint(
      `${request.out}.checkpoint`,
      fingerprint(request, snapshot, backboneHash),
      request.resume,
    );
    let students;
    if (!request.instant) {
      report.begin('students', `Training the two students, ${preset.students.steps} steps`);
      students = await trainStudents(snapshot.classes, teacher, store, {
        students: preset.students,
        seed: request.seed,
        openEngine: (step, initial) => openEngine(request.engine, step, initial, session),
        session,
        checkpoint,
        signal,
        onStep: (done, total, losses) => report.progress(done, total, losses, preset.students.batch),
        onNotice: (message) => report.notice(message),
      });
    }

    report.begin('calibrate', 'Setting the thresholds');
    const scorer = await TrainerScorer.open(teacher, store, memory, students, session);
    const calibration = await calibrateRun(snapshot, scorer, signal);
    report.notice(calibration.thresholds.pooled.statement);

    report.begin('fuse', 'Writing one graph for teacher, memory and students');
    const fitted = students;
    const graph = buildFusedGraph({
      entry,
      weights,
      memory,
      students: fitted === undefined ? undefined : () => studentTensors(fitted, entry),
    });

    report.begin('parity', "Comparing the model's scores with the trainer's");
    const parity = await parityGate({
      graph,
      snapshot,
      store,
      scorer,
      thresholds: calibration.thresholds,
      session,
      signal,
    });
    await scorer.close();

    report.begin('package', 'Writing the model package');
    signal.throwIfAborted();
    const written = await packageModel(
      { request, preset, snapshot, entry, backboneHash, graph, calibration, parity },
      students?.engine ?? teacher.engine,
    );
    await checkpoint.remove();
    const phases = report.end();
    const { engine } = written.manifest;
    return {
      modelPath: written.path,
      modelHash: written.modelHash,
      classes: snapshot.classes.map(({ name }) => name),
      elapsedMs: phases.reduce((sum, { elapsedMs }) => sum + elapsedMs, 0),
      phases,
      engine,
      parity,
    };
  } finally {
    await teacher.close();
  }
}

/** @throws UserError `presetUnknown` | `presetUnavailable` */
function embeddedPreset(request: TrainingRequest): EmbeddedPreset {
  const preset = Object.hasOwn(presets, request.preset) ? presets[request.preset as keyof typeof presets] : undefined;
  if (preset === undefined) {
    const known = Object.keys(presets).join(', ');
    throw new UserError('presetUnknown', `There is no preset "${request.preset}".`, `Choose one of: ${known}.`);
  }
  if (preset.kind !== 'embedded') {
    throw new UserError(
      'presetUnavailable',
      `The preset "${request.preset}" needs DINOv2 weights, which this version can't load yet.`,
      'Use --preset embedded.',
    );
  }
  return {
    ...preset,
    students: { ...preset.students, steps: request.steps ?? preset.students.steps },
    searchDims: request.searchDims ?? preset.searchDims,
  };
}

/** The preset's backbone, verified, at the preset's input size. */
async function openBackbone({ backbone, inputSize }: EmbeddedPreset): Promise<{
  entry: BackboneEntry;
  weights: Awaited<ReturnType<typeof readSafetensors>>['tensors'];
  backboneHash: string;
}> {
  const registry = await readRegistry(modelsDir());
  const found = findBackbone(registry, backbone);
  const [file] = await verifyBackbone(registry, found);
  const entry = { ...found, input: { ...found.input, size: inputSize } };
  const { tensors } = await readSafetensors(file!, { rejectNonFinite: true });
  return { entry, weights: tensors, backboneHash: entry.files[0]!.sha256 };
}

/** What a checkpoint belongs to: everything that decides the weights. */
function fingerprint(request: TrainingRequest, snapshot: Snapshot, backboneHash: string): string {
  const parts = [snapshot.hash, backboneHash, request.preset, request.seed, request.steps ?? '', request.shots ?? ''];
  return createHash('sha256').update(parts.join('|')).digest('hex');
}
