import { UserError } from '../../shared/errors.ts';
import type { StepLosses } from '../../shared/training-events.ts';
import type { FittedStudents } from '../detector/fitted-model.ts';
import { studentDims } from '../detector/student-tensors.ts';
import { initEmbeddedStudents, makeEmbeddedModel, type EmbeddedStudentOptions } from '../nn/embedded-students.ts';
import { makeTrainingStep } from '../nn/training-step.ts';
import type { EngineDescription, TrainingEngine } from '../runtime/training-engine.ts';
import { calibrateStudents } from './calibrate-students.ts';
import type { Checkpoint } from './checkpoint.ts';
import type { FeatureStore } from './feature-store.ts';
import type { RunClass } from './snapshot.ts';
import { BatchMaker, fitStandardisers, trainingPictures, type TrainingPicture } from './student-batches.ts';
import type { Teacher } from './teacher.ts';

export interface StudentTrainingOptions {
  students: EmbeddedStudentOptions;
  /** Labelled defects: the students learn to disagree on them, nothing else ever sees them. */
  defects?: readonly TrainingPicture[];
  seed: number;
  /** Opens the engine that runs the step; given the step and its initial state. */
  openEngine: (
    step: ReturnType<typeof makeTrainingStep>,
    initial: ReadonlyMap<string, Float32Array>,
  ) => Promise<TrainingEngine>;
  session: { provider?: string; threads?: number };
  checkpoint: Checkpoint;
  /** Steps between two checkpoints. */
  checkpointEvery: number;
  signal: AbortSignal;
  onStep: (done: number, total: number, losses: StepLosses) => void;
  onNotice: (message: string) => void;
  onWarning: (message: string) => void;
}

export interface TrainedStudents extends FittedStudents {
  engine: EngineDescription;
}

/** Steps between two checkpoints of a real run. */
export const defaultCheckpointEvery = 50;

/** Trains both students jointly on the cached features, then calibrates what they say (embedded-recipe section 7). */
export async function trainStudents(
  classes: readonly RunClass[],
  teacher: Pick<Teacher, 'entry' | 'sizes'>,
  store: Pick<FeatureStore, 'get'>,
  options: StudentTrainingOptions,
): Promise<TrainedStudents> {
  const dims = studentDims(teacher.entry);
  const pictures = trainingPictures(classes);
  const standardisers = await fitStandardisers(pictures, store, dims, options.students);
  const batches = new BatchMaker(
    pictures,
    options.defects ?? [],
    store,
    dims,
    options.students,
    standardisers,
    options.seed,
  );
  const model = makeEmbeddedModel(dims, options.students.batch, options.students);
  const step = makeTrainingStep(model, options.students.optimizer);
  const fresh = initEmbeddedStudents(options.seed, dims, options.students);
  const initial = new Map(
    step.state.map(({ name, shape }) => [name, fresh.get(name)?.data ?? new Float32Array(product(shape))]),
  );

  const { state, engine } = await runTraining(step, initial, batches, options);
  const parameters = new Map(
    model.params.map(({ name, shape }) => [name, { shape: [...shape], data: state.get(name)! }]),
  );
  for (const [name, { mean, divisor }] of Object.entries(standardisers)) {
    const shape = name === 'decoderTokens' ? [classes.length, mean.length / classes.length] : [mean.length];
    parameters.set(`standardise/${name}/mean`, { shape, data: mean });
    parameters.set(`standardise/${name}/divisor`, { shape, data: divisor });
  }
  return { ...(await calibrateStudents(parameters, classes, teacher, store, options)), engine };
}

/** The loop itself: batches are made while the engine works. */
async function runTraining(
  step: ReturnType<typeof makeTrainingStep>,
  initial: Map<string, Float32Array>,
  batches: BatchMaker,
  { students, openEngine, checkpoint, checkpointEvery, signal, onStep, onNotice, onWarning }: StudentTrainingOptions,
): Promise<{ state: Map<string, Float32Array>; engine: EngineDescription }> {
  const saved = await checkpoint.read(step.state);
  let done = saved?.step ?? 0;
  if (saved !== undefined) onNotice(`Going on after step ${saved.step} of ${students.steps}.`);
  else if (checkpoint.resume) onNotice(`There is no checkpoint ${checkpoint.path} to go on from: starting anew.`);
  const engine = await openEngine(step, saved?.state ?? initial);
  try {
    let lastSaved = done;
    let nextSave = done + checkpointEvery;
    // A step can have a finite loss and leave weights that are not: those must never replace a good checkpoint.
    const finiteState = async (at: number): Promise<Map<string, Float32Array>> => {
      const state = await engine.readState();
      const broken = [...state].find(([, data]) => !data.every(Number.isFinite))?.[0];
      if (broken !== undefined) {
        throw lossNotFinite(at, `the weights "${broken}" are no longer numbers`, checkpoint, lastSaved);
      }
      return state;
    };
    const chunk = (from: number): Promise<Record<string, Float32Array>[]> => {
      const count = Math.min(engine.describe().stepsPerRun, students.steps - from);
      return Promise.all(Array.from({ length: count }, (_, i) => batches.make(from + i)));
    };
    let next = chunk(done);
    while (done < students.steps) {
      signal.throwIfAborted();
      const inputs = await next;
      const running = engine.runSteps(inputs);
      if (done + inputs.length < students.steps) next = chunk(done + inputs.length);
      next.catch(() => undefined);
      const results = await running;
      for (const [i, { total, decoder, encoder }] of results.entries()) {
        if (!Number.isFinite(total)) throw lossNotFinite(done + i + 1, `the loss is ${total}`, checkpoint, lastSaved);
        onStep(done + i + 1, students.steps, { total: total!, decoder: decoder!, encoder: encoder! });
      }
      done += inputs.length;
      if (done < nextSave || done === students.steps) continue;
      nextSave = done + checkpointEvery;
      try {
        await checkpoint.write({ step: done, state: await finiteState(done) }, step.state);
        lastSaved = done;
      } catch (error) {
        // A full disk may have room again by the time the model is written; hours of work mustn't depend on it now.
        if (!(error instanceof UserError) || error.code === 'lossNotFinite') throw error;
        onWarning(`The checkpoint of step ${done} was not written: ${error.message}`);
      }
    }
    return { state: await finiteState(done), engine: engine.describe() };
  } finally {
    await engine.close();
  }
}

function lossNotFinite(step: number, why: string, checkpoint: Checkpoint, lastSaved: number): UserError {
  const kept = lastSaved > 0 ? `The checkpoint of step ${lastSaved} is kept in ${checkpoint.path}.` : '';
  return new UserError(
    'lossNotFinite',
    `Training stopped at step ${step}: ${why}. ${kept}`.trim(),
    'Train with another --seed, or look for damaged pictures with: twinspect doctor.',
  );
}

function product(shape: readonly number[]): number {
  return shape.reduce((all, size) => all * size, 1);
}
