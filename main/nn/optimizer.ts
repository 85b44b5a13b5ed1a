/** StableAdamW with AMSGrad as Dinomaly implements it, and global gradient clipping (method-spec section 7). */
import { tf, type Tensor } from './tf.ts';

export interface OptimizerOptions {
  readonly amsgrad: boolean;
  readonly betas: readonly [number, number];
  readonly eps: number;
  /** Decoupled decay, on every parameter. */
  readonly weightDecay: number;
  /** Largest root mean square of one tensor's update before it is scaled down. */
  readonly clipThreshold: number;
  /** Largest global norm of all gradients together, null for no clipping. */
  readonly gradClip: number | null;
}

/** What changes from step to step, as scalar tensors (inputs of a traced step). */
export interface OptimizerScalars {
  readonly lr: Tensor;
  /** `1 - lr * weightDecay`. */
  readonly decay: Tensor;
  /** `1 - beta1^t`, t = 1 for the first step. */
  readonly biasCorrection1: Tensor;
  /** `1 - beta2^t`. */
  readonly biasCorrection2: Tensor;
}

/** The numbers for {@link OptimizerScalars} in step `step` = 0, 1, ... */
export function optimizerNumbers(
  options: OptimizerOptions,
  lr: number,
  step: number,
): Record<keyof OptimizerScalars, number> {
  return {
    lr,
    decay: 1 - lr * options.weightDecay,
    biasCorrection1: 1 - options.betas[0] ** (step + 1),
    biasCorrection2: 1 - options.betas[1] ** (step + 1),
  };
}

/** One parameter with its moments; `vmax` only with AMSGrad. All of one shape. */
export interface OptimizerSlot {
  readonly param: Tensor;
  readonly m: Tensor;
  readonly v: Tensor;
  readonly vmax?: Tensor;
}

/** L2 norm over all gradients together. */
export function globalNorm(gradients: readonly Tensor[]): Tensor {
  return tf.sqrt(tf.addN(gradients.map((gradient) => tf.sum(tf.square(gradient)))));
}

/** What every gradient is multiplied by so that their global norm is at most `limit` (PyTorch's rule). */
export function clipFactor(norm: Tensor, limit: number): Tensor {
  return tf.minimum(tf.div(limit, tf.add(norm, 1e-6)), 1);
}

/**
 * One step for all parameters.
 *
 * Written for few passes over each tensor: gradient clipping and bias corrections are folded into scalars, which
 * changes the result by rounding only. With `u = sqrt(vmax) + eps sqrt(c2)` the denominator is `u / sqrt(c2)`.
 * @param factor scalar that every gradient is multiplied by, from {@link clipFactor}
 * @returns new slots and, for each, the factor its update was divided by (at least 1)
 */
export function stableAdamW(
  slots: readonly OptimizerSlot[],
  gradients: readonly Tensor[],
  scalars: OptimizerScalars,
  options: OptimizerOptions,
  factor: Tensor,
): { slots: OptimizerSlot[]; updateClip: Tensor[] } {
  const [beta1, beta2] = options.betas;
  const share1 = tf.mul(factor, 1 - beta1);
  const share2 = tf.mul(tf.square(factor), 1 - beta2);
  const root = tf.sqrt(scalars.biasCorrection2);
  const floor = tf.mul(root, options.eps);
  const rate = tf.div(tf.mul(scalars.lr, root), scalars.biasCorrection1);
  const updateClip: Tensor[] = [];
  const stepped = slots.map((slot, i): OptimizerSlot => {
    const gradient = gradients[i]!;
    const m = tf.add(tf.mul(slot.m, beta1), tf.mul(gradient, share1));
    const v = tf.add(tf.mul(slot.v, beta2), tf.mul(tf.square(gradient), share2));
    const vmax = slot.vmax === undefined ? undefined : tf.maximum(slot.vmax, v);
    const u = tf.add(tf.sqrt(vmax ?? v), floor);
    const squares = tf.sum(tf.square(tf.div(gradient, u)));
    const perUpdate = 1 / (Math.sqrt(slot.param.size) * options.clipThreshold);
    const clip = tf.maximum(tf.mul(tf.mul(tf.sqrt(squares), perUpdate), tf.mul(factor, root)), 1);
    updateClip.push(clip);
    const param = tf.sub(tf.mul(slot.param, scalars.decay), tf.mul(tf.div(m, u), tf.div(rate, clip)));
    return vmax === undefined ? { param, m, v } : { param, m, v, vmax };
  });
  return { slots: stepped, updateClip };
}
