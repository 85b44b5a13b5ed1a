import { findBackbone, readRegistry, type BackboneEntry } from '../../main/backbones/registry.ts';
import { featureShapes, featureSizes } from '../../main/detector/embedded-features.ts';
import { embeddedStudentDefaults, type EmbeddedStudentOptions } from '../../main/nn/embedded-students.ts';
import { modelsDir } from '../../main/system/project-root.ts';
import type { StepInputs, TrainingEngine } from '../../main/runtime/training-engine.ts';
import { FeatureLayout, type TeacherFeatures } from '../../main/training/feature-cache.ts';
import type { RunClass } from '../../main/training/snapshot.ts';
import type { StudentTrainingOptions } from '../../main/training/train-students.ts';
import { createRandom } from '../../shared/random.ts';

/** The backbone of the preset with the smallest input it can have. */
export async function smallEntry(): Promise<BackboneEntry> {
  const entry = findBackbone(await readRegistry(modelsDir()), 'efficientnet-lite2');
  return { ...entry, input: { ...entry.input, size: 64 } };
}

/** Features that no picture has, instead of a teacher: the students don't mind, and it takes no time. */
export class InventedFeatures {
  readonly entry: BackboneEntry;
  readonly sizes: ReturnType<typeof featureSizes>;
  readonly layout: FeatureLayout;

  constructor(entry: BackboneEntry) {
    this.entry = entry;
    this.sizes = featureSizes(featureShapes(entry));
    this.layout = new FeatureLayout(featureShapes(entry), this.sizes);
  }

  /** The same picture has the same features. */
  get(picture: number): Promise<TeacherFeatures> {
    const random = createRandom(picture + 1);
    const level = picture % 2;
    const record = Float32Array.from({ length: this.layout.length }, () => level + random.next());
    return Promise.resolve(this.layout.split(record));
  }
}

/** Two classes of six pictures, two of each held out. */
export const smallClasses: readonly RunClass[] = [0, 1].map((c) => ({
  name: `class ${String(c)}`,
  pictures: Array.from({ length: 6 }, (_, i) => 6 * c + i),
  split: { training: [0, 1, 3, 4], heldOut: [2, 5] },
  calibration: [],
}));

export const smallStudents: EmbeddedStudentOptions = {
  ...embeddedStudentDefaults,
  batch: 4,
  tokensPerStep: 6,
  steps: 6,
};

/** An engine that computes nothing: says what the test wants and keeps what it was fed. */
export class FakeEngine implements TrainingEngine {
  readonly fed: StepInputs[] = [];
  readonly closed: boolean[] = [];
  readonly #loss: (step: number) => number;
  readonly #state: (step: number) => number;
  #names = new Map<string, Float32Array>();
  #step = 0;

  /** @param loss and state: what the engine says after so many steps of its own, counted from 1 */
  constructor({ loss = () => 1, state = () => 0 }: { loss?: (n: number) => number; state?: (n: number) => number }) {
    this.#loss = loss;
    this.#state = state;
  }

  readonly open: StudentTrainingOptions['openEngine'] = (_step, initial) => {
    this.#names = new Map(initial);
    return Promise.resolve(this);
  };

  describe(): ReturnType<TrainingEngine['describe']> {
    return { engine: 'fake', provider: 'none', reason: '', threads: 1, mode: 'stepwise', stepsPerRun: 1 };
  }

  runSteps(inputs: readonly StepInputs[]): Promise<Record<string, number>[]> {
    return Promise.resolve(
      inputs.map((input) => {
        this.fed.push(input);
        this.#step++;
        return { total: this.#loss(this.#step), decoder: 1, encoder: 1, gradNorm: 1 };
      }),
    );
  }

  readState(names: readonly string[] = [...this.#names.keys()]): Promise<Map<string, Float32Array>> {
    return Promise.resolve(
      new Map(names.map((name) => [name, this.#names.get(name)!.map((value) => value + this.#state(this.#step))])),
    );
  }

  writeState(): Promise<void> {
    return Promise.reject(new Error('not asked for'));
  }

  close(): Promise<void> {
    this.closed.push(true);
    return Promise.resolve();
  }
}
