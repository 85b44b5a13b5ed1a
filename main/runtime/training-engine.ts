import type { Tensor } from '@tensorflow/tfjs-core';

/** Name and static shape of one float32 tensor; a scalar has shape `[]`. */
export interface StepTensor {
  readonly name: string;
  readonly shape: readonly number[];
}

/** One training step as a pure function of tensors; `TrainingStep` of `main/nn` is one. */
export interface EngineStep {
  readonly state: readonly StepTensor[];
  readonly inputs: readonly StepTensor[];
  readonly outputs: readonly StepTensor[];
  apply(
    state: readonly Tensor[],
    inputs: Readonly<Record<string, Tensor>>,
  ): { state: Tensor[]; outputs: Record<string, Tensor> };
  /**
   * The same step in its parts: gradients of equal parts of the batch are added up, then parameters move, each on its own.
   * An engine that can, works on one part at a time and holds no more than that in memory.
   */
  readonly parts?: {
    readonly count: number;
    /** Inputs cut along their first axis. */
    readonly cut: readonly string[];
    /** How many tensors of the state are parameters: the first ones. */
    readonly params: number;
    /** What is added up over the parts, from 0. */
    readonly sums: readonly StepTensor[];
    add(params: readonly Tensor[], inputs: Readonly<Record<string, Tensor>>, sums: readonly Tensor[]): Tensor[];
    /** The scalars that the step reports. */
    report(sums: readonly Tensor[]): Record<string, Tensor>;
    /**
     * Moves some parameters, all or one alone.
     * @param state these parameters, then what belongs to them, in the state's order
     * @param sums of these parameters
     */
    move(
      state: readonly Tensor[],
      sums: readonly Tensor[],
      reported: Readonly<Record<string, Tensor>>,
      inputs: Readonly<Record<string, Tensor>>,
    ): Tensor[];
  };
}

/** How an engine runs: stated in progress messages and in the model package. */
export interface EngineDescription {
  /** e.g. `onnxruntime 1.30.0` or `tfjs-node-gpu 4.22.0`. */
  readonly engine: string;
  readonly provider: string;
  /** Why this provider, in words. */
  readonly reason: string;
  readonly threads: number;
  /**
   * One run per step, or several steps in an ONNX Loop; `measuring` until the first steps have decided. `partwise`: the
   * step's parts one by one, the state changed where it lies, for models that are large beside the memory.
   */
  readonly mode: 'measuring' | 'stepwise' | 'loop' | 'partwise';
  /** Steps in one uninterruptible run, at most: progress and cancelling can't be finer. */
  readonly stepsPerRun: number;
}

/** Data of one step by input name, row-major. Integers are converted to float32. */
export type StepInputs = Readonly<Record<string, Float32Array | Int32Array>>;

/** Runs a training step again and again on a state of its own. */
export interface TrainingEngine {
  describe(): EngineDescription;
  /**
   * Runs one step per entry, in order, and returns the named scalars of each. The state moves on.
   *
   * @throws Error if an input lacks or its length does not fit its shape
   */
  runSteps(inputs: readonly StepInputs[]): Promise<Record<string, number>[]>;
  /** A copy of the state by name, or of the tensors named: all together are as large again as the state. */
  readState(names?: readonly string[]): Promise<Map<string, Float32Array>>;
  /** Replaces the state; every tensor must be given. */
  writeState(state: ReadonlyMap<string, Float32Array>): Promise<void>;
  close(): Promise<void>;
}

export function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

/**
 * Checks a state against its description, so that a checkpoint of another model is named and not computed with.
 *
 * @throws Error naming the tensor that lacks or does not fit
 */
export function checkState(specs: readonly StepTensor[], state: ReadonlyMap<string, Float32Array>): void {
  for (const { name, shape } of specs) {
    const data = state.get(name);
    if (data === undefined) throw new Error(`the training state lacks the tensor "${name}"`);
    if (data.length !== elementCount(shape)) {
      throw new Error(`the training state's "${name}" has ${data.length} numbers instead of [${shape.join(', ')}]`);
    }
  }
}

/** The data of several steps, one after the other, per input. A single step's data are taken as they are. */
export function stackInputs(specs: readonly StepTensor[], inputs: readonly StepInputs[]): Record<string, Float32Array> {
  return Object.fromEntries(
    specs.map(({ name, shape }) => {
      const count = elementCount(shape);
      const parts = inputs.map((step) => {
        const data = step[name];
        if (data === undefined) throw new Error(`the training step lacks its input "${name}"`);
        if (data.length !== count) {
          throw new Error(`the training input "${name}" has ${data.length} numbers instead of [${shape.join(', ')}]`);
        }
        return data;
      });
      const [only] = parts;
      if (parts.length === 1 && only instanceof Float32Array) return [name, only];
      const stacked = new Float32Array(count * parts.length);
      parts.forEach((data, i) => stacked.set(data, i * count));
      return [name, stacked];
    }),
  );
}

/** Names of graph inputs and outputs: state in and out, data of the step, scalars it reports. */
export const graphName = {
  stateIn: (name: string): string => `stateIn:${name}`,
  stateOut: (name: string): string => `stateOut:${name}`,
  sumIn: (name: string): string => `sumIn:${name}`,
  sumOut: (name: string): string => `sumOut:${name}`,
  input: (name: string): string => `input:${name}`,
  output: (name: string): string => `output:${name}`,
};

/**
 * State from which on a step on the processor runs `partwise`, bytes. ViT-S has 0.6 GB, little beside its activations, and a
 * step of two pictures would take a fifth longer; ViT-B has 2.3 GB and a step of minutes.
 */
export const largeStateBytes = 1e9;

/** Parameters of one shape move alike. */
export const shapeKey = (shape: readonly number[]): string => shape.join('x');

/** Input of the Loop form: how many steps to run, int64 scalar. */
export const stepCountName = 'steps';
