/**
 * One training step as a pure function of tensors.
 *
 * An engine (`main/runtime`) either runs `apply` eagerly or traces it once and runs the trace. Everything that
 * changes from step to step (learning rate, bias corrections, mining rank, dropout masks, batch) is an input.
 */
import type { Tensor } from './tf.ts';

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
