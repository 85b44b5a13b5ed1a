import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { totalmem } from 'node:os';
import path from 'node:path';
import { UserError } from '../../shared/errors.ts';
import type { TrainingEvent } from '../../shared/training-events.ts';
import { findBundledBackbone, readRegistry, verifyBackbone, type BackboneEntry } from '../backbones/registry.ts';
import { readSafetensors } from '../backbones/safetensors.ts';
import { readDataset } from '../datasets/read.ts';
import { buildFusedGraph } from '../detector/fused-graph.ts';
import { studentTensors } from '../detector/student-tensors.ts';
import { presets, type EmbeddedPreset } from '../nn/presets.ts';
import { checkWritable, removeLeftovers } from '../system/atomic-file.ts';
import { modelsDir } from '../system/project-root.ts';
import { Checkpoint } from './checkpoint.ts';
import { cacheFolder, cacheLimitBytes } from './cache-folder.ts';
import { calibrateRun } from './calibrate-run.ts';
import { checkEngine, openEngine } from './engines.ts';
import { findDefects } from './defects.ts';
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
import { defaultCheckpointEvery, trainStudents } from './train-students.ts';

/** Share of the machine's memory that cached features may take. */
const featureMemoryShare = 0.2;

/** Parts of a run that tests replace. */
export interface TrainingParts {
  openEngine: typeof openEngine;
  /** Steps between two checkpoints. */
  checkpointEvery: number;
  buildGraph: typeof buildFusedGraph;
}

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
  parts: Partial<TrainingParts> = {},
): Promise<TrainingSummary> {
  signal.throwIfAborted();
  const report = new PhaseReporter(onEvent);
  const begin = (...phase: Parameters<PhaseReporter['begin']>): void => {
    signal.throwIfAborted();
    report.begin(...phase);
    // Whoever hears of the phase may cancel at once.
    signal.throwIfAborted();
  };
  const preset = embeddedPreset(request);
  const session = {
    provider: request.engine === 'tfjs' ? 'cpu' : request.engine,
    ...(request.threads === undefined ? {} : { threads: request.threads }),
  };

  // What can be known at once must not come up after minutes of work.
  await checkOut(request.out);
  await removeLeftovers(path.dirname(path.resolve(request.out)));
  if (!request.instant && parts.openEngine === undefined) await checkEngine(request.engine);

  begin('snapshot', 'Reading the pictures');
  const { normalClasses } = request;
  const reading = readDataset(request.dataDirs, normalClasses === undefined ? {} : { normalClasses });
  const dataset = await untilAborted(reading, signal);
  for (const warning of dataset.warnings) report.warn(warning);
  const defects = await findDefects(request.instant ? [] : (request.defectDirs ?? []), dataset.classes);
  if (request.instant && request.defectDirs !== undefined) {
    report.warn('An instant model has no students, and nothing else learns from defects: they are left out.');
  }
  const snapshot = await takeSnapshot(dataset, { seed: request.seed, shots: request.shots, defects }, signal);
  const { entry, weights, backboneHash } = await openBackbone(preset);

  begin('features', `Describing ${snapshot.pictures.length} pictures with the teacher`);
  const teacher = await Teacher.open(entry, weights, session);
  try {
    const cache = new FeatureCache(cacheFolder(request.cacheDir), teacher.graphHash, teacher.layout.length);
    await cache.prune(cacheLimitBytes);
    const paths = snapshot.pictures.map(({ path }) => path);
    const store = new FeatureStore(paths, teacher, cache, totalmem() * featureMemoryShare);
    await store.fill(signal, (done) => report.progress(done, paths.length));
    const cacheWarned = cache.problem !== undefined;
    if (cacheWarned) report.warn(`The feature cache is off: ${cache.problem}`);

    begin('memory', 'Building the memory of normal parts');
    const memory = await fitMemory(snapshot.classes, teacher, store, {
      seed: request.seed,
      session,
      searchDims: preset.searchDims,
      signal,
      onProgress: (share) => report.progress(Math.round(share * 1000), 1000),
    });

    const checkpoint = new Checkpoint(
      `${request.out}.checkpoint`,
      fingerprint(request, preset, snapshot, teacher),
      request.resume,
    );
    let students;
    if (!request.instant) {
      begin('students', `Training the two students, ${preset.students.steps} steps`);
      students = await trainStudents(snapshot.classes, teacher, store, {
        students: preset.students,
        defects: snapshot.defects,
        seed: request.seed,
        openEngine: (step, initial) => (parts.openEngine ?? openEngine)(request.engine, step, initial, session),
        session,
        checkpoint,
        checkpointEvery: parts.checkpointEvery ?? defaultCheckpointEvery,
        signal,
        onStep: (done, total, losses) => report.progress(done, total, losses, preset.students.batch),
        onNotice: (message) => report.notice(message),
        onWarning: (message) => report.warn(message),
      });
    }

    begin('calibrate', 'Setting the thresholds');
    const scorer = await TrainerScorer.open(teacher, store, memory, students, session);
    let calibration, graph, parity;
    try {
      calibration = await calibrateRun(snapshot, scorer, signal);
      const { thresholds } = calibration;
      report.notice(thresholds.pooled.statement);

      begin('fuse', 'Writing one graph for teacher, memory and students');
      const fitted = students;
      graph = (parts.buildGraph ?? buildFusedGraph)({
        entry,
        weights,
        memory,
        students: fitted === undefined ? undefined : () => studentTensors(fitted, entry),
      });

      begin('parity', "Comparing the model's scores with the trainer's");
      parity = await parityGate({ graph, snapshot, store, scorer, thresholds, session, signal });
    } finally {
      await scorer.close();
    }

    begin('package', 'Writing the model package');
    const written = await packageModel(
      { request, preset, snapshot, entry, backboneHash, graph, calibration, parity },
      students?.engine ?? teacher.engine,
    );
    // Instant mode has none of its own: what lies there may be another training's, still to be resumed.
    if (students !== undefined) await checkpoint.remove();
    if (cache.problem !== undefined && !cacheWarned) report.warn(`The feature cache is off: ${cache.problem}`);
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
  const found = findBundledBackbone(registry, backbone);
  const [file] = await verifyBackbone(registry, found);
  const entry = { ...found, input: { ...found.input, size: inputSize } };
  const { tensors } = await readSafetensors(file!, { rejectNonFinite: true });
  return { entry, weights: tensors, backboneHash: entry.files[0]!.sha256 };
}

/** @throws UserError when no file can be written there */
async function checkOut(out: string): Promise<void> {
  await checkWritable(out);
  const isFolder = await stat(out).then(
    (found) => found.isDirectory(),
    () => false,
  );
  if (isFolder)
    throw new UserError('notWritable', `"${out}" is a folder.`, 'Give the name of a file, such as model.twin.');
}

/** Waits no longer than until the signal comes; reading changes nothing, so it may run out unheard. */
async function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  let stop: (() => void) | undefined;
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason as Error);
    signal.addEventListener('abort', stop);
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', stop!);
  }
}

/** What a checkpoint belongs to: everything that decides the weights. */
function fingerprint(
  { seed }: TrainingRequest,
  { students }: EmbeddedPreset,
  snapshot: Snapshot,
  { graphHash }: Teacher,
): string {
  const defects = snapshot.defects.map(({ picture, classIndex }) => [snapshot.pictures[picture]!.sha256, classIndex]);
  const weightsDependOn = [snapshot.hash, graphHash, seed, students, defects];
  return createHash('sha256').update(JSON.stringify(weightsDependOn)).digest('hex');
}
