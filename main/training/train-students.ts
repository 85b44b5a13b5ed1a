import type { FittedStudents } from '../detector/fitted-model.ts';
import { studentDims } from '../detector/student-tensors.ts';
import { initEmbeddedStudents, makeEmbeddedModel, type EmbeddedStudentOptions } from '../nn/embedded-students.ts';
import { makeTrainingStep } from '../nn/training-step.ts';
import type { EngineDescription } from '../runtime/training-engine.ts';
import { calibrateStudents } from './calibrate-students.ts';
import type { TeacherFeatures } from './feature-cache.ts';
import type { FeatureStore } from './feature-store.ts';
import type { RunClass } from './snapshot.ts';
import { runStudentLoop, type StudentLoopOptions } from './student-loop.ts';
import { BatchMaker, fitStandardisers, trainingPictures, type TrainingPicture } from './student-batches.ts';
import type { Teacher } from './teacher.ts';
import type { Watch } from './watch.ts';
import { scoreByStudents } from './watch-students.ts';

export interface StudentTrainingOptions extends Omit<StudentLoopOptions, 'watch'> {
  students: EmbeddedStudentOptions;
  /** Labelled defects: the students learn to disagree on them, nothing else ever sees them. */
  defects?: readonly TrainingPicture[];
  /** Looks at labelled pictures on the way. */
  watch?: Watch<TeacherFeatures>;
  seed: number;
  session: { provider?: string; threads?: number };
}

export interface TrainedStudents extends FittedStudents {
  engine: EngineDescription;
}

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

  const parametersOf = (state: ReadonlyMap<string, Float32Array>): FittedStudents['parameters'] => {
    const parameters = new Map(
      model.params.map(({ name, shape }) => [name, { shape: [...shape], data: state.get(name)! }]),
    );
    for (const [name, { mean, divisor }] of Object.entries(standardisers)) {
      const shape = name === 'decoderTokens' ? [classes.length, mean.length / classes.length] : [mean.length];
      parameters.set(`standardise/${name}/mean`, { shape, data: mean });
      parameters.set(`standardise/${name}/divisor`, { shape, data: divisor });
    }
    return parameters;
  };
  const { watch } = options;
  const loop: StudentLoopOptions = { ...options, watch: undefined };
  if (watch !== undefined) {
    loop.watch = {
      begin: () => watch.begin(),
      isDue: (done, steps) => watch.isDue(done, steps),
      look: (done, now) =>
        watch.look('students', done, (watchedStore, pictures) =>
          scoreByStudents(parametersOf(now), { classes, teacher, store }, { watchedStore, pictures }, options),
        ),
    };
  }
  const { parameters: trained, engine } = await runStudentLoop(
    step,
    () => initial,
    batches,
    options.students.steps,
    loop,
  );
  const parameters = parametersOf(trained);
  return { ...(await calibrateStudents(parameters, classes, teacher, store, options)), engine };
}

function product(shape: readonly number[]): number {
  return shape.reduce((all, size) => all * size, 1);
}
