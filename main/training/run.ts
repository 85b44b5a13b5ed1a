import { stat } from 'node:fs/promises';
import path from 'node:path';
import { UserError } from '../../shared/errors.ts';
import type { TrainingEvent } from '../../shared/training-events.ts';
import { readDataset } from '../datasets/read.ts';
import type { buildFusedGraph } from '../detector/fused-graph.ts';
import { presets } from '../nn/presets.ts';
import { checkWritable, removeLeftovers } from '../system/atomic-file.ts';
import { calibrateRun } from './calibrate-run.ts';
import { findDefects } from './defects.ts';
import { embeddedRecipe } from './embedded-recipe.ts';
import { checkEngine, openEngine } from './engines.ts';
import { packageModel } from './package-model.ts';
import { paperRecipe } from './paper-recipe.ts';
import { parityGate } from './parity-gate.ts';
import { measurePrecision, precisionStatement } from './reduced-precision.ts';
import { PhaseReporter } from './phase-reporter.ts';
import type { Recipe, Run } from './recipe.ts';
import type { TrainingRequest, TrainingSummary } from './request.ts';
import { takeSnapshot } from './snapshot.ts';
import { defaultCheckpointEvery } from './student-loop.ts';
import { chooseWatched } from './watch.ts';

/** Parts of a run that tests replace. */
export interface TrainingParts {
  openEngine: typeof openEngine;
  /** Steps between two checkpoints. */
  checkpointEvery: number;
  /** Of the embedded preset. */
  buildGraph: typeof buildFusedGraph;
}

/**
 * The whole training run: snapshot, teacher features, what the preset learns from them (memory and students), one fused
 * graph, parity gate, thresholds, model package. Nothing is written to `request.out` before all of it has succeeded.
 * What each part means for a preset is in its recipe.
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
  const begin: Run['begin'] = (...phase) => {
    signal.throwIfAborted();
    report.begin(...phase);
    // Whoever hears of the phase may cancel at once.
    signal.throwIfAborted();
  };
  const recipe = recipeOf(request, parts);
  const session = {
    provider: request.engine === 'tfjs' ? 'cpu' : request.engine,
    ...(request.threads === undefined ? {} : { threads: request.threads }),
  };

  // What can be known at once must not come up after minutes of work.
  await checkOut(request.out);
  await removeLeftovers(path.dirname(path.resolve(request.out)));
  if (!request.instant && parts.openEngine === undefined) await checkEngine(request.engine);
  await recipe.check?.();

  begin('snapshot', 'Reading the pictures');
  const { normalClasses } = request;
  const reading = readDataset(request.dataDirs, normalClasses === undefined ? {} : { normalClasses });
  const dataset = await untilAborted(reading, signal);
  for (const warning of dataset.warnings) report.warn(warning);
  const nobodyLearns = request.instant && request.defectsBy === 'students';
  const defects = await findDefects(nobodyLearns ? [] : (request.defectDirs ?? []), dataset.classes);
  if (nobodyLearns && request.defectDirs !== undefined) {
    report.warn('An instant model has no students that could learn from defects: they are left out.');
  }
  const { learnsFromAll } = recipe;
  const snapshot = await takeSnapshot(
    dataset,
    { seed: request.seed, shots: request.shots, defects, learnsFromAll },
    signal,
  );
  for (const warning of snapshot.warnings) report.warn(warning);

  begin('features', `Describing ${snapshot.pictures.length} pictures with the teacher`);
  const method = await recipe.open({
    request,
    snapshot,
    watched: request.watch === true ? chooseWatched(dataset) : [],
    session,
    signal,
    report,
    begin,
    openEngine: (step, initial) => (parts.openEngine ?? openEngine)(request.engine, step, initial, session),
    checkpointEvery: parts.checkpointEvery ?? defaultCheckpointEvery,
  });
  try {
    const { store } = method;
    await store.fill(signal, (done) => report.progress(done, snapshot.pictures.length));
    const cacheWarned = store.cache.warning(snapshot.pictures.length);
    if (cacheWarned !== undefined) report.warn(cacheWarned);

    const fitted = await method.fit();

    begin('calibrate', 'Setting the thresholds');
    const scorer = await fitted.openScorer();
    let calibration, graph, parity;
    let { facts } = fitted;
    try {
      calibration = await calibrateRun(snapshot, scorer, signal, fitted.isStandard);
      const { thresholds } = calibration;
      report.notice(thresholds.pooled.statement);

      begin('fuse', 'Writing one graph for teacher and experts');
      graph = await fitted.buildGraph();

      begin('parity', "Comparing the model's scores with the trainer's");
      parity = await parityGate({ graph, snapshot, store, scorer, thresholds, session, signal });
      const { reduced } = fitted;
      if (reduced !== undefined) {
        const light = await reduced.buildGraph();
        const compared = { exact: graph, reduced: light, snapshot, store, thresholds, session, signal };
        const statement = precisionStatement(reduced.precision, await measurePrecision(compared));
        report.notice(statement);
        graph = light;
        facts = { ...facts, notes: `${facts.notes}\n${statement}` };
      }
    } finally {
      await scorer.close();
    }

    begin('package', 'Writing the model package');
    const written = await packageModel({ request, snapshot, facts, graph, calibration, parity });
    await fitted.checkpoint?.remove();
    const cacheTrouble = store.cache.warning(snapshot.pictures.length);
    if (cacheTrouble !== undefined && cacheTrouble !== cacheWarned) report.warn(cacheTrouble);
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
    await method.close();
  }
}

/** @throws UserError `presetUnknown` | `presetInstant` | `settingInvalid` | `defectsByPreset` */
function recipeOf(request: TrainingRequest, { buildGraph }: Partial<TrainingParts>): Recipe {
  const preset = Object.hasOwn(presets, request.preset) ? presets[request.preset as keyof typeof presets] : undefined;
  if (preset === undefined) {
    const known = Object.keys(presets).join(', ');
    throw new UserError('presetUnknown', `There is no preset "${request.preset}".`, `Choose one of: ${known}.`);
  }
  if (preset.kind !== 'embedded' && request.defectsBy === 'head') {
    throw new UserError(
      'defectsByPreset',
      `The preset "${request.preset}" has no head that learns from defects.`,
      'Leave out --defects-by: its students learn from them.',
    );
  }
  return preset.kind === 'embedded' ? embeddedRecipe(request, buildGraph) : paperRecipe(request);
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
