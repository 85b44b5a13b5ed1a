/**
 * Layers as pure functions of a tensor and a record of named parameters.
 *
 * Everything here must survive being traced into a static graph: no reading of values, no branching on values, no
 * random numbers. Weights keep PyTorch's layout `[out, in]`, so published checkpoints load without transposing.
 * Dense layers are flattened to two dimensions: the gradient of TensorFlow.js's batched matmul doesn't sum over
 * broadcast batch dimensions.
 */
import { tf, type Tensor } from './tf.ts';

/** Named parameters of one network. */
export type Params = Readonly<Record<string, Tensor>>;

/**
 * One operation with a gradient of its own.
 * @param inputs   tensors the result depends on
 * @param forward  gives the value and what the gradient needs
 * @param backward gives one gradient for every input, in their order
 */
export function withGradient(
  inputs: readonly Tensor[],
  forward: () => { value: Tensor; saved: Tensor[] },
  backward: (dy: Tensor, saved: readonly Tensor[]) => Tensor[],
): Tensor {
  const operation = tf.customGrad((...args) => {
    const save = args.at(-1) as (tensors: Tensor[]) => void;
    const { value, saved } = forward();
    save(saved);
    return { value, gradFunc: (dy: Tensor, kept: Tensor[]) => backward(dy, kept) };
  });
  return operation(...inputs);
}

/** The parameter, or a clear error: a misspelt name is a defect of the program. */
export function param(params: Params, name: string): Tensor {
  const tensor = params[name];
  if (tensor === undefined) throw new Error(`parameter '${name}' is missing`);
  return tensor;
}

/** The parameters whose name starts with `prefix`, without it. */
export function paramsOf(prefix: string, params: Params): Params {
  const mine = Object.entries(params).filter(([name]) => name.startsWith(prefix));
  return Object.fromEntries(mine.map(([name, tensor]) => [name.slice(prefix.length), tensor]));
}

/** Last size of a tensor's shape. */
function width(x: Tensor): number {
  return x.shape[x.shape.length - 1]!;
}

/** `x W^T + b`: `[..., in]` -> `[..., out]`, from `{name}.weight` `[out, in]` and `{name}.bias` `[out]`. */
export function linear(x: Tensor, params: Params, name: string): Tensor {
  const weight = param(params, `${name}.weight`);
  const flat = tf.matMul(tf.reshape(x, [-1, width(x)]), weight, false, true);
  const y = tf.add(flat, param(params, `${name}.bias`));
  return tf.reshape(y, [...x.shape.slice(0, -1), weight.shape[0]!]);
}

/**
 * LayerNorm over the last axis with biased variance: `(x - mean) / sqrt(var + eps) * weight + bias`.
 *
 * Gradient in closed form: with `h` the normalised input and `g = dy * weight`,
 * `dx = (g - mean(g) - h mean(g h)) / sd`.
 */
export function layerNorm(x: Tensor, params: Params, name: string, eps: number): Tensor {
  const weight = param(params, `${name}.weight`);
  const bias = param(params, `${name}.bias`);
  const rows = tf.reshape(x, [-1, width(x)]);
  const y = withGradient(
    [rows, weight, bias],
    () => {
      const centred = tf.sub(rows, tf.mean(rows, 1, true));
      const inverse = tf.rsqrt(tf.add(tf.mean(tf.square(centred), 1, true), eps));
      const normal = tf.mul(centred, inverse);
      return { value: tf.add(tf.mul(normal, weight), bias), saved: [normal, inverse, weight] };
    },
    (dy, saved) => {
      const [normal, inverse, scale] = saved as [Tensor, Tensor, Tensor];
      const product = tf.mul(dy, normal);
      const g = tf.mul(dy, scale);
      // The mean of g*h is a product with the weights: one pass less than forming g*h.
      const alongH = tf.mean(tf.mul(product, scale), 1, true);
      const dx = tf.mul(tf.sub(tf.sub(g, tf.mean(g, 1, true)), tf.mul(normal, alongH)), inverse);
      return [dx, tf.sum(product, 0), tf.sum(dy, 0)];
    },
  );
  return tf.reshape(y, x.shape);
}

/**
 * Exact GELU `x Phi(x)` (erf, not the tanh approximation), gradient `Phi(x) + x phi(x)` in closed form.
 *
 * The operation is `tf.erf`, which a trace maps to the engine's own Erf (accurate to float32). TensorFlow.js's CPU
 * kernel has an error of 1.5e-7; the tests that need more register a finer one.
 */
export function gelu(x: Tensor): Tensor {
  return withGradient(
    [x],
    () => {
      const cdf = tf.add(tf.mul(tf.erf(tf.mul(x, Math.SQRT1_2)), 0.5), 0.5);
      return { value: tf.mul(x, cdf), saved: [x, cdf] };
    },
    (dy, saved) => {
      const [input, cdf] = saved as [Tensor, Tensor];
      const density = tf.mul(tf.exp(tf.mul(tf.square(input), -0.5)), 1 / Math.sqrt(2 * Math.PI));
      return [tf.mul(dy, tf.add(cdf, tf.mul(input, density)))];
    },
  );
}

/** `elu(x) + 1`, the positive feature map of linear attention; its derivative is `min(value, 1)`. */
export function eluPlusOne(x: Tensor): Tensor {
  return withGradient(
    [x],
    () => {
      const value = tf.add(tf.elu(x), 1);
      return { value, saved: [value] };
    },
    (dy, saved) => [tf.mul(dy, tf.minimum(saved[0]!, 1))],
  );
}

/** One projection for queries, keys and values: `[B, N, C]` -> `[3, B, heads, N, d]`. */
function projectHeads(x: Tensor, params: Params, name: string, heads: number): Tensor {
  const [batch, count, channels] = x.shape as [number, number, number];
  const qkv = tf.reshape(linear(x, params, `${name}.qkv`), [batch, count, 3, heads, channels / heads]);
  return tf.transpose(qkv, [2, 0, 3, 1, 4]);
}

/** `[B, heads, N, d]` -> projected `[B, N, C]`. */
function mergeHeads(x: Tensor, params: Params, name: string): Tensor {
  const [batch, heads, count, d] = x.shape as [number, number, number, number];
  return linear(tf.reshape(tf.transpose(x, [0, 2, 1, 3]), [batch, count, heads * d]), params, `${name}.proj`);
}

/** Multi-head attention `softmax(q k^T / sqrt(d)) v`, `[B, N, C]` -> `[B, N, C]` (method-spec section 2). */
export function softmaxAttention(x: Tensor, params: Params, name: string, heads: number): Tensor {
  const d = width(x) / heads;
  const [q, k, v] = tf.unstack(projectHeads(x, params, name, heads)) as [Tensor, Tensor, Tensor];
  // Scaling the queries touches N*d numbers a head, scaling the scores N*N.
  const weights = tf.softmax(tf.matMul(tf.mul(q, d ** -0.5), k, false, true));
  return mergeHeads(tf.matMul(weights, v), params, name);
}

/**
 * Linear attention with the feature map `elu + 1` (method-spec section 3.4): no `1/sqrt(d)`, no epsilon.
 * `out_n = phi(q_n)^T (sum_s phi(k_s) v_s^T) / (phi(q_n)^T sum_s phi(k_s))`, `[B, N, C]` -> `[B, N, C]`.
 */
export function linearAttention(x: Tensor, params: Params, name: string, heads: number): Tensor {
  const [queriesKeys, values] = tf.split(projectHeads(x, params, name, heads), [2, 1], 0) as [Tensor, Tensor];
  const [q, k] = tf.unstack(eluPlusOne(queriesKeys)) as [Tensor, Tensor];
  const v = tf.squeeze(values, [0]);
  const normaliser = tf.matMul(q, tf.sum(k, 2, true), false, true);
  const mixed = tf.matMul(q, tf.matMul(k, v, true, false));
  return mergeHeads(tf.mul(mixed, tf.reciprocal(normaliser)), params, name);
}

/** `fc2(gelu(fc1(x)))`. */
export function mlp(x: Tensor, params: Params, name: string): Tensor {
  return linear(gelu(linear(x, params, `${name}.fc1`)), params, `${name}.fc2`);
}

/** Shape of one transformer block. */
export interface BlockOptions {
  readonly heads: number;
  readonly layerNormEps: number;
}

/**
 * Pre-norm block with softmax attention (method-spec section 2). LayerScale is applied where `{name}.ls1.gamma` and
 * `{name}.ls2.gamma` exist.
 */
export function encoderBlock(x: Tensor, params: Params, name: string, options: BlockOptions): Tensor {
  const scaled = (y: Tensor, key: string) => {
    const gamma = params[`${name}.${key}.gamma`];
    return gamma === undefined ? y : tf.mul(y, gamma);
  };
  const normed = layerNorm(x, params, `${name}.norm1`, options.layerNormEps);
  const attended = tf.add(x, scaled(softmaxAttention(normed, params, `${name}.attn`, options.heads), 'ls1'));
  const normedAgain = layerNorm(attended, params, `${name}.norm2`, options.layerNormEps);
  return tf.add(attended, scaled(mlp(normedAgain, params, `${name}.mlp`), 'ls2'));
}

/** Pre-norm block with linear attention, without LayerScale (method-spec section 3.3). */
export function decoderBlock(x: Tensor, params: Params, name: string, options: BlockOptions): Tensor {
  const normed = layerNorm(x, params, `${name}.norm1`, options.layerNormEps);
  const attended = tf.add(x, linearAttention(normed, params, `${name}.attn`, options.heads));
  const normedAgain = layerNorm(attended, params, `${name}.norm2`, options.layerNormEps);
  return tf.add(attended, mlp(normedAgain, params, `${name}.mlp`));
}
