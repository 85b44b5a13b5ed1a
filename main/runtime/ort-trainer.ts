import * as ort from 'onnxruntime-node';
import { openOrtSession, type OrtSession, type SessionDescription, type SessionOptions } from './ort-session.ts';
import { copyOf } from './partwise-trainer.ts';
import {
  checkState,
  elementCount,
  graphName,
  stepCountName,
  type EngineDescription,
  type StepTensor,
} from './training-engine.ts';

/** Everything a trainer needs, as it crosses into the worker thread. */
export interface TrainerPlan {
  readonly stepwise: Uint8Array | undefined;
  readonly loop: Uint8Array | undefined;
  readonly state: readonly StepTensor[];
  readonly inputs: readonly StepTensor[];
  readonly outputs: readonly StepTensor[];
  readonly initial: ReadonlyMap<string, Float32Array>;
  readonly session: SessionOptions;
}

/** Longest uninterruptible run wanted, and most steps in one: cancelling must come through within two seconds. */
const longestRunMs = 1000;
const mostStepsPerRun = 16;

/** Timed steps of a form before anything is decided; one run before them warms up. */
const timedSteps = 4;

interface Timing {
  warm: boolean;
  steps: number;
  ms: number;
}

/** Owns the training state and the session(s) that move it on. Blocks its thread while a run lasts. */
export class OrtTrainer {
  readonly #plan: TrainerPlan;
  readonly #session: SessionDescription;
  #stepwise: OrtSession | undefined;
  #loop: OrtSession | undefined;
  #state: Map<string, ort.Tensor>;
  #stepsPerRun = 1;
  readonly #timing: { stepwise: Timing; loop: Timing } = {
    stepwise: { warm: false, steps: 0, ms: 0 },
    loop: { warm: false, steps: 0, ms: 0 },
  };

  private constructor(plan: TrainerPlan, stepwise: OrtSession | undefined, loop: OrtSession | undefined) {
    // The initial state would stay for good, beside the one that it becomes.
    this.#plan = { ...plan, initial: new Map() };
    this.#stepwise = stepwise;
    this.#loop = loop;
    this.#session = (stepwise ?? loop)!.description;
    this.#state = new Map();
    this.writeState(plan.initial);
  }

  /** Opens the forms that the plan holds; with both, the first steps decide which one stays. */
  static async open(plan: TrainerPlan): Promise<OrtTrainer> {
    const open = (model: Uint8Array | undefined): Promise<OrtSession> | undefined =>
      model === undefined ? undefined : openOrtSession(model, plan.session);
    const [stepwise, loop] = [await open(plan.stepwise), await open(plan.loop)];
    if (stepwise === undefined && loop === undefined) throw new Error('a training plan without a graph');
    return new OrtTrainer(plan, stepwise, loop);
  }

  describe(): EngineDescription {
    const isMeasuring = this.#stepwise !== undefined && this.#loop !== undefined;
    return {
      engine: `onnxruntime ${ort.env.versions.node ?? ''}`.trim(),
      provider: this.#session.provider,
      reason: this.#session.reason,
      threads: this.#session.threads,
      mode: isMeasuring ? 'measuring' : this.#loop === undefined ? 'stepwise' : 'loop',
      stepsPerRun: this.#stepsPerRun,
    };
  }

  /** Runs `steps` steps on stacked inputs `[steps, ...]` and returns each step's scalars. */
  async runSteps(
    steps: number,
    inputs: Readonly<Record<string, Float32Array>>,
  ): Promise<{ scalars: Record<string, number>[]; description: EngineDescription }> {
    const scalars: Record<string, number>[] = [];
    while (scalars.length < steps) {
      const left = steps - scalars.length;
      const form = this.#nextForm(left);
      const count = form === 'loop' ? Math.min(left, this.#stepsPerRun) : 1;
      const started = performance.now();
      scalars.push(...(await this.#run(form, scalars.length, count, inputs)));
      await this.#measured(form, count, performance.now() - started);
    }
    return { scalars, description: this.describe() };
  }

  /** A copy of the state, or of the tensors named, so that the next step may go on meanwhile. */
  readState(names?: readonly string[]): Map<string, Float32Array> {
    return copyOf(this.#state, names);
  }

  writeState(state: ReadonlyMap<string, Float32Array>): void {
    checkState(this.#plan.state, state);
    this.#state = new Map(
      this.#plan.state.map(({ name, shape }) => [name, new ort.Tensor('float32', state.get(name)!, shape)]),
    );
  }

  async close(): Promise<void> {
    await this.#stepwise?.session.release();
    await this.#loop?.session.release();
    this.#stepwise = undefined;
    this.#loop = undefined;
    this.#state.clear();
  }

  #nextForm(left: number): 'stepwise' | 'loop' {
    if (this.#loop === undefined) return 'stepwise';
    if (this.#stepwise === undefined) return 'loop';
    if (this.#timing.stepwise.steps < timedSteps || left === 1) return 'stepwise';
    return 'loop';
  }

  /** Notes how long a run took: it sets how many steps fit in one, and with both forms known, which one stays. */
  async #measured(form: 'stepwise' | 'loop', steps: number, ms: number): Promise<void> {
    const timing = this.#timing[form];
    if (!timing.warm) {
      timing.warm = true;
      return;
    }
    timing.steps += steps;
    timing.ms += ms;
    if (this.#loop === undefined || timing.steps < timedSteps) return;
    const msPerStep = timing.ms / timing.steps;
    this.#stepsPerRun = Math.max(1, Math.min(mostStepsPerRun, Math.floor(longestRunMs / msPerStep)));
    if (this.#stepwise === undefined) return;
    const { stepwise, loop } = this.#timing;
    if (this.#stepsPerRun === 1 || (loop.steps >= timedSteps && loop.ms / loop.steps >= stepwise.ms / stepwise.steps)) {
      await this.#loop.session.release();
      this.#loop = undefined;
      this.#stepsPerRun = 1;
    } else if (loop.steps >= timedSteps) {
      await this.#stepwise.session.release();
      this.#stepwise = undefined;
    }
  }

  async #run(
    form: 'stepwise' | 'loop',
    first: number,
    count: number,
    inputs: Readonly<Record<string, Float32Array>>,
  ): Promise<Record<string, number>[]> {
    const feeds: Record<string, ort.Tensor> = {};
    const { session } = (form === 'loop' ? this.#loop : this.#stepwise)!;
    if (form === 'loop') feeds[stepCountName] = new ort.Tensor('int64', BigInt64Array.of(BigInt(count)), []);
    for (const [name, tensor] of this.#state) feeds[graphName.stateIn(name)] = tensor;
    for (const { name, shape } of this.#plan.inputs) {
      const size = elementCount(shape);
      const data = inputs[name]!.subarray(first * size, (first + count) * size);
      feeds[graphName.input(name)] = new ort.Tensor('float32', data, form === 'loop' ? [count, ...shape] : shape);
    }
    const results = (await session.run(feeds)) as Record<string, ort.Tensor>;
    // What a run returns is new memory: it becomes the state as it is, without a copy.
    for (const { name } of this.#plan.state) this.#state.set(name, results[graphName.stateOut(name)]!);
    return Array.from({ length: count }, (_, i) =>
      Object.fromEntries(
        this.#plan.outputs.map(({ name }) => [name, Number(results[graphName.output(name)]!.data[i])]),
      ),
    );
  }
}
