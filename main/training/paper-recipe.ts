import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createRandom } from '../../shared/random.ts';
import { UserError } from '../../shared/errors.ts';
import { dinov2Sizes, openDinov2Weights, type Dinov2Size, type Dinov2Weights } from '../backbones/dinov2.ts';
import { findBackbone, readRegistry } from '../backbones/registry.ts';
import { locateBackbone } from '../backbones/store.ts';
import { writeGraphFile } from '../detector/graph-file.ts';
import { buildPaperGraph } from '../detector/paper-graph.ts';
import type { FittedPaperStudents } from '../detector/paper-tensors.ts';
import { initialise, sizeOf, type NamedArray } from '../nn/init.ts';
import { makePaperModel } from '../nn/paper-model.ts';
import { paperModelOptions } from '../nn/presets.ts';
import { makeTrainingStep } from '../nn/training-step.ts';
import { patchGrid } from '../nn/vit.ts';
import { chooseProvider } from '../runtime/providers.ts';
import { modelsDir } from '../system/project-root.ts';
import { describeDefects, loopOptions } from './embedded-recipe.ts';
import type { CachePrecision } from './feature-cache.ts';
import type { FeatureStore } from './feature-store.ts';
import { checkMemory } from './memory-need.ts';
import { PaperBatchMaker } from './paper-batches.ts';
import { PaperScorer } from './paper-scorer.ts';
import { settlePaperPreset, type PaperSettings } from './paper-settings.ts';
import { paperShapes, PaperTeacher, type PaperFeatures } from './paper-teacher.ts';
import { openCheckpoint, openFeatureStore, type FittedMethod, type Method, type Recipe, type Run } from './recipe.ts';
import type { TrainingRequest } from './request.ts';
import { trainingPictures } from './student-batches.ts';
import { runStudentLoop } from './student-loop.ts';
import { scoreInTurn, Watch } from './watch.ts';

/**
 * The paper's own model: DINOv2 as teacher, two students at full size, no memory (method-spec).
 * @throws UserError `presetInstant` | `settingInvalid` for what can be known before any picture is read
 */
export function paperRecipe(request: TrainingRequest): Recipe {
  if (request.instant) {
    throw new UserError(
      'presetInstant',
      `The preset "${request.preset}" has no memory, so there is nothing that would be ready at once.`,
      'Leave out --instant, or use --preset embedded.',
    );
  }
  const settle = (classes: number) =>
    settlePaperPreset(
      request.preset,
      { classes, kind: request.dataKind ?? 'general' },
      request.settings ?? {},
      request.steps,
    );
  return {
    learnsFromAll: settle(2).settings.learnFromAll,
    check: async () => {
      if (request.backboneFile === undefined) await locateBackbone(settle(2).settings.backbone, { checkHash: false });
    },
    open: async (run): Promise<Method> => {
      const { settings: wanted, warnings } = settle(run.snapshot.classes.length);
      for (const warning of warnings) run.report.warn(warning);
      const { weights, attribution } = await openWeights(request, wanted);
      run.report.notice(`Teacher: ${weights.statement}.`);
      const settings: PaperSettings = { ...wanted, storedGrid: weights.storedGrid };
      // The state of other providers lies elsewhere; there is no asking how much they have.
      const { provider } = await chooseProvider(run.session.provider);
      if (provider === 'cpu') run.report.notice(checkMemory(settings, weights.bytes));
      const folder = await mkdtemp(path.join(tmpdir(), `twinspect-run-${process.pid}-`));
      let teacher: PaperTeacher | undefined;
      const close = async (): Promise<void> => {
        await teacher?.close();
        await rm(folder, { recursive: true, force: true, maxRetries: 3 });
      };
      try {
        teacher = await PaperTeacher.open(weights, settings, run.session, folder);
        const parts = { weights, attribution, settings, teacher, folder };
        const store = await openFeatureStore(teacher, run);
        return { store, close, fit: () => fit(run, parts, store) };
      } catch (error) {
        await close();
        throw error;
      }
    },
  };
}

/** What a run has opened before it learns. */
interface Opened {
  weights: Dinov2Weights;
  attribution: string;
  settings: PaperSettings;
  teacher: PaperTeacher;
  /** For temporary files; gone when the run ends. */
  folder: string;
}

/** Trains the students and gathers all that the finished model is made of. */
async function fit(
  run: Run,
  { weights, attribution, settings, teacher, folder }: Opened,
  store: FeatureStore<PaperFeatures>,
): Promise<FittedMethod> {
  const { request, snapshot, report } = run;
  const { total } = settings.schedule;
  run.begin('students', `Training the two students, ${total} steps`);
  const options = paperModelOptions(settings);
  const grid = patchGrid(settings.crop, settings.crop, settings.patch);
  const model = makePaperModel(options, settings.microBatch, grid);
  const step = makeTrainingStep(model, settings.optimizer, settings.batch / settings.microBatch);
  const cachePrecision = request.cachePrecision ?? 'full';
  const checkpoint = openCheckpoint(run, teacher.graphHash, { ...settings, cachePrecision });
  const batches = new PaperBatchMaker(
    trainingPictures(snapshot.classes).map(({ picture }) => picture),
    snapshot.defects.map(({ picture }) => picture),
    store,
    settings,
    request.seed,
  );
  const centres = await classCentres(run, store, settings);
  const studentsOf = (now: ReadonlyMap<string, Float32Array>): FittedPaperStudents => ({
    params: new Map(model.params.map(({ name, shape }) => [name, { shape, data: now.get(name)! }])),
    centres,
    options,
    scoring: {
      row: settings.scoreRow,
      sdScore: settings.sdScore,
      grid,
      crop: settings.crop,
      size: settings.resize,
    },
  });
  const watch = await Watch.open(teacher, run);
  const { parameters, engine, waitedShare } = await runStudentLoop(
    step,
    () => {
      const fresh = initialise(model.params, createRandom(request.seed));
      return new Map(
        step.state.map(({ name, shape }) => [name, fresh.get(name)?.data ?? new Float32Array(sizeOf(shape))]),
      );
    },
    batches,
    total,
    {
      checkpoint,
      ...loopOptions(run, settings.batch),
      ...(watch !== undefined && {
        watch: {
          begin: () => watch.begin(),
          isDue: (done, steps) => watch.isDue(done, steps),
          look: (done, now) =>
            watch.look('model', done, async (watchedStore, pictures) => {
              const scorer = await PaperScorer.open(watchedStore, paperShapes(settings), studentsOf(now), run.session);
              return scoreInTurn(scorer, pictures.length, run.signal);
            }),
        },
      }),
    },
  );
  report.notice(`The engine waited for pictures ${(100 * waitedShare).toFixed(1)} % of the time.`);

  const students = studentsOf(parameters);
  const { teacherPrecision, posEmbed: positionMode, groups } = settings;
  return {
    openScorer: () => PaperScorer.open(store, paperShapes(settings), students, run.session),
    buildGraph: () => writeGraphFile(buildPaperGraph({ weights, positionMode, groups, students }), folder),
    ...(teacherPrecision !== 'float32' && {
      reduced: {
        precision: teacherPrecision,
        buildGraph: () => {
          const model = { weights, positionMode, groups, students, teacherPrecision };
          return writeGraphFile(buildPaperGraph(model), path.join(folder, 'reduced'));
        },
      },
    }),
    checkpoint,
    isStandard: false,
    facts: {
      engine,
      backbone: { id: settings.backbone, sha256: weights.hash },
      inputSize: settings.resize,
      attribution: [attribution],
      notes: notes(settings, cachePrecision),
      constants: { ...settings, cachePrecision, dataKind: request.dataKind ?? 'general', ...describeDefects(run) },
    },
  };
}

/**
 * Opens the teacher's weights: the file given, else the stored one, which must be what the preset expects.
 * @throws UserError as `locateBackbone` and `openDinov2Weights`
 */
async function openWeights(
  request: TrainingRequest,
  { backbone, embedDim, depth, heads, registers }: PaperSettings,
): Promise<{ weights: Dinov2Weights; attribution: string }> {
  const entry = findBackbone(await readRegistry(modelsDir()), backbone);
  const file = request.backboneFile ?? (await locateBackbone(backbone)).path;
  const size = (Object.keys(dinov2Sizes) as Dinov2Size[]).find((name) => {
    const known = dinov2Sizes[name];
    return known.embedDim === embedDim && known.depth === depth && known.heads === heads;
  });
  const weights = await openDinov2Weights(file, {
    registers,
    ...(size === undefined ? { customHeads: heads } : { size }),
  });
  if (weights.embedDim !== embedDim || weights.depth !== depth) {
    throw new UserError(
      'backboneMismatch',
      `${file} is ${weights.statement}; the settings expect width ${embedDim} and ${depth} blocks.`,
      'Give the weights that belong to the preset, or correct the settings.',
    );
  }
  return { weights, attribution: entry.attribution };
}

/** `[K, C]` mean final class token of every class's training pictures. */
async function classCentres(
  { snapshot: { classes }, signal }: Run,
  store: FeatureStore<PaperFeatures>,
  { embedDim, depth }: PaperSettings,
): Promise<NamedArray> {
  const data = new Float32Array(classes.length * embedDim);
  for (const [c, { pictures, split }] of classes.entries()) {
    const sum = new Float64Array(embedDim);
    for (const position of split.training) {
      signal.throwIfAborted();
      const { classTokens } = await store.get(pictures[position]!);
      for (let k = 0; k < embedDim; k++) sum[k]! += classTokens[depth * embedDim + k]!;
    }
    data.set(
      Float32Array.from(sum, (value) => value / split.training.length),
      c * embedDim,
    );
  }
  return { shape: [classes.length, embedDim], data };
}

/** What a person should know of a model of this kind, in the manifest. */
function notes({ sdScore, microBatch, batch, sdHardMining }: PaperSettings, cachePrecision: CachePrecision): string {
  const lines = [
    'No memory: memoryScore is absent, no most similar good part is shown.',
    'The method has no notion of classes: the class named is the one whose mean final class token is nearest; the score does not depend on it.',
    `L_SD in the score: ${sdScore === 'global' ? 'the scalar of eq. 1' : "Dinomaly's mean of the map's top 1 %"}.`,
    'The map covers the centre crop; its rim repeats the nearest value.',
  ];
  if (microBatch < batch) {
    const mining = sdHardMining === null ? '' : ', each with a threshold of its own for hard mining';
    lines.push(`Gradients of ${batch} pictures were added up from parts of ${microBatch}${mining}.`);
  }
  if (cachePrecision === 'half') lines.push('The students learned from features rounded to half precision.');
  return lines.join('\n');
}
