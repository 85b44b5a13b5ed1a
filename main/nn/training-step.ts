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

/** Loss, gradients, clipping and StableAdamW of one batch, as one pure function. */
export function makeTrainingStep(model: TrainableModel, options: OptimizerOptions): TrainingStep {
  const groups = options.amsgrad ? ['', 'm/', 'v/', 'vmax/'] : ['', 'm/', 'v/'];
  const count = model.params.length;
  const names = model.params.map((spec) => spec.name);
  const named = (tensors: readonly Tensor[]): Params => Object.fromEntries(names.map((name, i) => [name, tensors[i]!]));

  return {
    state: groups.flatMap((group) => model.params.map(({ name, shape }) => ({ name: `${group}${name}`, shape }))),
    inputs: [...model.inputs, ...scalarNames.map((name) => ({ name, shape: [] }))],
    outputs: stepOutputs.map((name) => ({ name, shape: [] })),
    apply: (state, inputs) =>
      tf.tidy(() => {
        let reported: Tensor[] = [];
        const { value: total, grads } = tf.valueAndGrads((...params: Tensor[]) => {
          const losses = model.losses(named(params), inputs);
          // Kept by hand, because the gradient's own scope frees everything but the value.
          reported = [losses.decoder, losses.encoder].map((errors) => tf.keep(tf.mean(errors)));
          return tf.mean(losses.loss);
        })(state.slice(0, count));
        const [decoder, encoder] = reported.map((tensor) => {
          const copy = tf.clone(tensor);
          tensor.dispose();
          return copy;
        }) as [Tensor, Tensor];

        const gradNorm = globalNorm(grads);
        const factor = options.gradClip === null ? tf.scalar(1) : clipFactor(gradNorm, options.gradClip);
        const slots = names.map((_, i): OptimizerSlot => {
          const slot = { param: state[i]!, m: state[count + i]!, v: state[2 * count + i]! };
          return options.amsgrad ? { ...slot, vmax: state[3 * count + i]! } : slot;
        });
        const [lr, decay, biasCorrection1, biasCorrection2] = scalarNames.map((name) => stepInput(inputs, name)) as [
          Tensor,
          Tensor,
          Tensor,
          Tensor,
        ];
        const stepped = stableAdamW(slots, grads, { lr, decay, biasCorrection1, biasCorrection2 }, options, factor);
        const parts = [
          stepped.slots.map((slot) => slot.param),
          stepped.slots.map((slot) => slot.m),
          stepped.slots.map((slot) => slot.v),
          options.amsgrad ? stepped.slots.map((slot) => slot.vmax!) : [],
        ];
        return { state: parts.flat(), outputs: { total, decoder, encoder, gradNorm } };
      }),
  };
}
