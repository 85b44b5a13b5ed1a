/**
 * One training step as a pure function of tensors.
 *
 * An engine (`main/runtime`) either runs `apply` eagerly or traces it once and runs the trace. Everything that
 * changes from step to step (learning rate, bias corrections, mining rank, dropout masks, batch) is an input.
 */
import type { ParamSpec } from './init.ts';
import type { Params } from './layers.ts';
import { clipFactor, globalNorm, stableAdamW, type OptimizerOptions, type OptimizerSlot } from './optimizer.ts';
import { tf, type Tensor } from './tf.ts';

/** Name and static shape of one float32 tensor; a scalar has shape `[]`. */
export interface TensorSpec {
  readonly name: string;
  readonly shape: readonly number[];
}

/**
 * A step in its parts, for models that hardly fit in memory: the batch is cut into equal parts whose gradients are added
 * up, then the optimizer moves, all parameters at once or one after the other.
 */
export interface StepParts {
  readonly count: number;
  /** Inputs that are cut along their first axis; all others go to every part as they are. */
  readonly cut: readonly string[];
  /** How many tensors of the state are parameters: the first ones. */
  readonly params: number;
  /** What is added up over the parts, all from 0: gradients in the order of the parameters, then three mean errors. */
  readonly sums: readonly TensorSpec[];
  /**
   * @param params parameters, in the order of the state
   * @param inputs of one part
   * @returns the sums with that part's added
   */
  add(params: readonly Tensor[], inputs: Readonly<Record<string, Tensor>>, sums: readonly Tensor[]): Tensor[];
  /** The scalars that the step reports. @param sums over all parts */
  report(sums: readonly Tensor[]): Record<string, Tensor>;
  /**
   * Moves the optimizer for some parameters, all or one alone.
   * @param state these parameters, then their `m`, `v` and `vmax`
   * @param sums their gradients over all parts
   * @param reported what `report` gives
   * @returns the state after the step, in the same order
   */
  move(
    state: readonly Tensor[],
    sums: readonly Tensor[],
    reported: Readonly<Record<string, Tensor>>,
    inputs: Readonly<Record<string, Tensor>>,
  ): Tensor[];
}

export interface TrainingStep {
  /** Everything a step carries over, in the order of `apply`'s `state`: parameters, then `m/*`, `v/*`, `vmax/*`. */
  readonly state: readonly TensorSpec[];
  /** Everything a step is fed, by name. Float32 throughout. */
  readonly inputs: readonly TensorSpec[];
  /** Scalars a step reports, by name. */
  readonly outputs: readonly TensorSpec[];
  /**
   * @param state  tensors in the order and with the shapes of {@link TrainingStep.state}
   * @param inputs one tensor for every entry of {@link TrainingStep.inputs}
   * @returns the state after the step, in the same order, and the named scalars
   */
  apply(
    state: readonly Tensor[],
    inputs: Readonly<Record<string, Tensor>>,
  ): { state: Tensor[]; outputs: Record<string, Tensor> };
  /** The same step in its parts; one part where the whole batch fits. */
  readonly parts: StepParts;
}

/** Errors and loss of each picture of a batch, all `[B]`. */
export interface BatchLosses {
  /** What is minimised, its mean over the batch. */
  readonly loss: Tensor;
  /** Decoder student's error L_SD. */
  readonly decoder: Tensor;
  /** Encoder student's error L_SE. */
  readonly encoder: Tensor;
}

/** The students to train, whatever they are made of. Every parameter must take part in the loss. */
export interface TrainableModel {
  readonly params: readonly ParamSpec[];
  /** The batch: features, labels, dropout masks, mining rank. */
  readonly inputs: readonly TensorSpec[];
  losses(params: Params, inputs: Readonly<Record<string, Tensor>>): BatchLosses;
}

/** Scalar inputs of every step besides the model's own, see `optimizerNumbers`. */
const scalarNames = ['lr', 'decay', 'biasCorrection1', 'biasCorrection2'] as const;

/** Names of the scalars a step reports: loss, both students' mean errors, gradient norm before clipping. */
export const stepOutputs = ['total', 'decoder', 'encoder', 'gradNorm'] as const;

/** Reads one input; a missing one is a defect of the caller. */
export function stepInput(inputs: Readonly<Record<string, Tensor>>, name: string): Tensor {
  const tensor = inputs[name];
  if (tensor === undefined) throw new Error(`input '${name}' is missing`);
  return tensor;
}

/**
 * Loss, gradients, clipping and StableAdamW of one batch, as one pure function.
 * @param parts number of equal parts whose gradients are added up; the batch is `parts` times the model's own
 */
export function makeTrainingStep(model: TrainableModel, options: OptimizerOptions, parts = 1): TrainingStep {
  const groups = options.amsgrad ? ['', 'm/', 'v/', 'vmax/'] : ['', 'm/', 'v/'];
  const count = model.params.length;
  const names = model.params.map((spec) => spec.name);
  const named = (tensors: readonly Tensor[]): Params => Object.fromEntries(names.map((name, i) => [name, tensors[i]!]));

  /** Gradients of the mean loss, then the mean loss and both students' mean errors. */
  const measure = (params: readonly Tensor[], inputs: Readonly<Record<string, Tensor>>): Tensor[] => {
    let reported: Tensor[] = [];
    const { value: total, grads } = tf.valueAndGrads((...given: Tensor[]) => {
      const losses = model.losses(named(given), inputs);
      // Kept by hand, because the gradient's own scope frees everything but the value.
      reported = [losses.decoder, losses.encoder].map((errors) => tf.keep(tf.mean(errors)));
      return tf.mean(losses.loss);
    })([...params]);
    const errors = reported.map((tensor) => {
      const copy = tf.clone(tensor);
      tensor.dispose();
      return copy;
    });
    return [...grads, total, ...errors];
  };

  const mean = (sum: Tensor): Tensor => (parts === 1 ? sum : tf.mul(sum, 1 / parts));

  const cutIntoParts: StepParts = {
    count: parts,
    cut: model.inputs.filter(({ shape }) => shape.length > 0).map(({ name }) => name),
    params: count,
    sums: [
      ...model.params.map(({ name, shape }) => ({ name, shape })),
      ...['total', 'decoder', 'encoder'].map((name) => ({ name, shape: [] })),
    ],
    add: (params, inputs, sums) => measure(params, inputs).map((tensor, i) => tf.add(sums[i]!, tensor)),
    report: (sums) => {
      const means = sums.map(mean);
      const [total, decoder, encoder] = means.slice(count) as [Tensor, Tensor, Tensor];
      return { total, decoder, encoder, gradNorm: globalNorm(means.slice(0, count)) };
    },
    move: (state, sums, { gradNorm }, inputs) => {
      const n = sums.length;
      const factor = options.gradClip === null ? tf.scalar(1) : clipFactor(gradNorm!, options.gradClip);
      const slots = sums.map((_, i): OptimizerSlot => {
        const slot = { param: state[i]!, m: state[n + i]!, v: state[2 * n + i]! };
        return options.amsgrad ? { ...slot, vmax: state[3 * n + i]! } : slot;
      });
      const [lr, decay, biasCorrection1, biasCorrection2] = scalarNames.map((name) => stepInput(inputs, name)) as [
        Tensor,
        Tensor,
        Tensor,
        Tensor,
      ];
      const scalars = { lr, decay, biasCorrection1, biasCorrection2 };
      const stepped = stableAdamW(slots, sums.map(mean), scalars, options, factor);
      return [
        ...stepped.slots.map(({ param }) => param),
        ...stepped.slots.map(({ m }) => m),
        ...stepped.slots.map(({ v }) => v),
        ...(options.amsgrad ? stepped.slots.map(({ vmax }) => vmax!) : []),
      ];
    },
  };

  return {
    state: groups.flatMap((group) => model.params.map(({ name, shape }) => ({ name: `${group}${name}`, shape }))),
    inputs: [
      ...model.inputs.map(({ name, shape }) => ({ name, shape: shape.map((n, i) => (i === 0 ? n * parts : n)) })),
      ...scalarNames.map((name) => ({ name, shape: [] })),
    ],
    outputs: stepOutputs.map((name) => ({ name, shape: [] })),
    apply: (state, inputs) =>
      tf.tidy(() => {
        const params = state.slice(0, count);
        let sums = parts === 1 ? measure(params, inputs) : cutIntoParts.sums.map(({ shape }) => tf.zeros([...shape]));
        for (let part = 0; part < parts && parts > 1; part += 1) {
          sums = cutIntoParts.add(params, partOf(inputs, cutIntoParts, part), sums);
        }
        const outputs = cutIntoParts.report(sums);
        return { state: cutIntoParts.move(state, sums.slice(0, count), outputs, inputs), outputs };
      }),
    parts: cutIntoParts,
  };
}

/** The inputs of one part of a batch. */
function partOf(
  inputs: Readonly<Record<string, Tensor>>,
  { cut, count }: Pick<StepParts, 'cut' | 'count'>,
  part: number,
): Record<string, Tensor> {
  const own = Object.entries(inputs).map(([name, tensor]): [string, Tensor] => {
    if (!cut.includes(name)) return [name, tensor];
    const size = tensor.shape[0]! / count;
    const begin = tensor.shape.map((_, axis) => (axis === 0 ? part * size : 0));
    return [name, tf.slice(tensor, begin, [size, ...tensor.shape.slice(1)])];
  });
  return Object.fromEntries(own);
}
