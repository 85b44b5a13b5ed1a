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

/** `x W^T + b` with the given weight `[out, in]` and bias `[out]`: `[..., in]` -> `[..., out]`. */
function affine(x: Tensor, weight: Tensor, bias: Tensor): Tensor {
  const flat = tf.matMul(tf.reshape(x, [-1, width(x)]), weight as tf.Tensor2D, false, true);
  return tf.reshape(tf.add(flat, bias), [...x.shape.slice(0, -1), weight.shape[0]!]);
}

/** `x W^T + b`: `[..., in]` -> `[..., out]`, from `{name}.weight` `[out, in]` and `{name}.bias` `[out]`. */
export function linear(x: Tensor, params: Params, name: string): Tensor {
  return affine(x, param(params, `${name}.weight`), param(params, `${name}.bias`));
}

/**
 * `(x - mean) / sqrt(var + eps)` over the last axis with biased variance: LayerNorm without its weights.
 *
 * Gradient in closed form: with `h` the result, `dx = (dy - mean(dy) - h mean(dy h)) / sd`.
 */
function normalise(x: Tensor, eps: number): Tensor {
  return withGradient(
    [x],
    () => {
      const centred = tf.sub(x, tf.mean(x, -1, true));
      const inverse = tf.rsqrt(tf.add(tf.mean(tf.square(centred), -1, true), eps));
      const value = tf.mul(centred, inverse);
      return { value, saved: [value, inverse] };
    },
    (dy, saved) => {
      const [h, inverse] = saved as [Tensor, Tensor];
      const along = tf.mean(tf.mul(dy, h), -1, true);
      return [tf.mul(tf.sub(tf.sub(dy, tf.mean(dy, -1, true)), tf.mul(h, along)), inverse)];
    },
  );
}

/** LayerNorm over the last axis with biased variance: `(x - mean) / sqrt(var + eps) * weight + bias`. */
export function layerNorm(x: Tensor, params: Params, name: string, eps: number): Tensor {
  return tf.add(tf.mul(normalise(x, eps), param(params, `${name}.weight`)), param(params, `${name}.bias`));
}

/**
 * Weight and bias of a dense layer with the LayerNorm before it folded in, times `scale`: `W (h g + b') + b` is
 * `(W g) h + (W b' + b)`. The fold touches the weights once, where LayerNorm's own weights would touch every token.
 */
function foldedNorm(params: Params, norm: string, name: string, scale = 1): { weight: Tensor; bias: Tensor } {
  const weight = param(params, `${name}.weight`);
  const scaled = (x: Tensor) => (scale === 1 ? x : tf.mul(x, scale));
  const shift = tf.matMul(
    tf.expandDims(param(params, `${norm}.bias`), 0) as tf.Tensor2D,
    weight as tf.Tensor2D,
    false,
    true,
  );
  return {
    weight: tf.mul(weight, scaled(param(params, `${norm}.weight`))),
    bias: scaled(tf.add(tf.squeeze(shift, [0]), param(params, `${name}.bias`))),
  };
}

/**
 * `u (1 + erf(u))`, which is `sqrt(2) gelu(sqrt(2) u)`: the exact GELU (erf, not the tanh approximation) for a layer
 * whose neighbours carry the factors. Gradient `1 + erf(u) + 2 u exp(-u^2) / sqrt(pi)` in closed form.
 *
 * The operation is `tf.erf`, which a trace maps to the engine's own Erf (accurate to float32). TensorFlow.js's CPU
 * kernel has an error of 1.5e-7; the tests that need more register a finer one.
 */
function scaledGelu(u: Tensor): Tensor {
  return withGradient(
    [u],
    () => {
      const twiceCdf = tf.add(tf.erf(u), 1);
      return { value: tf.mul(u, twiceCdf), saved: [u, twiceCdf] };
    },
    (dy, saved) => {
      const [input, twiceCdf] = saved as [Tensor, Tensor];
      // The factor 2 / sqrt(pi) rides in the exponent.
      const density = tf.exp(tf.sub(Math.log(2 / Math.sqrt(Math.PI)), tf.square(input)));
      return [tf.mul(dy, tf.add(twiceCdf, tf.mul(input, density)))];
    },
  );
}

/** Exact GELU `x Phi(x)`. */
export function gelu(x: Tensor): Tensor {
  return tf.mul(scaledGelu(tf.mul(x, Math.SQRT1_2)), Math.SQRT1_2);
}

/** What may stand around the two dense layers of an MLP. */
export interface MlpOptions {
  /** LayerNorm before the first layer: its name and epsilon. */
  readonly norm?: { readonly name: string; readonly eps: number };
  /** Dropout mask on the hidden values, already divided by the share kept. */
  readonly mask?: Tensor | undefined;
}

/**
 * `fc2(gelu(fc1(x)))` with `{name}.fc1` and `{name}.fc2`. GELU's factors sqrt(1/2) are folded into both layers'
 * weights, which saves three passes over the hidden values in each direction.
 */
export function mlp(x: Tensor, params: Params, name: string, options: MlpOptions = {}): Tensor {
  const { norm, mask } = options;
  const first = `${name}.fc1`;
  const { weight, bias } =
    norm === undefined
      ? {
          weight: tf.mul(param(params, `${first}.weight`), Math.SQRT1_2),
          bias: tf.mul(param(params, `${first}.bias`), Math.SQRT1_2),
        }
      : foldedNorm(params, norm.name, first, Math.SQRT1_2);
  const hidden = scaledGelu(affine(norm === undefined ? x : normalise(x, norm.eps), weight, bias));
  const second = tf.mul(param(params, `${name}.fc2.weight`), Math.SQRT1_2);
  return affine(mask === undefined ? hidden : tf.mul(hidden, mask), second, param(params, `${name}.fc2.bias`));
}

/** `elu(x) + 1`, the positive feature map of linear attention; its derivative is `min(value, 1)`. */
export function eluPlusOne(x: Tensor): Tensor {
  return withGradient(
    [x],
    () => {
      // Three plain operations: ONNX Runtime's Elu takes one number at a time.
      const value = tf.add(tf.exp(tf.minimum(x, 0)), tf.relu(x));
      return { value, saved: [value] };
    },
    (dy, saved) => [tf.mul(dy, tf.minimum(saved[0]!, 1))],
  );
}

/** Weight `[3C, C]` and bias `[3C]` that give queries, keys and values of a block at once. */
interface Projection {
  readonly weight: Tensor;
  readonly bias: Tensor;
}

/** `[B, N, parts * C]` -> `[parts, B, heads, N, d]`. */
function splitHeads(x: Tensor, parts: number, heads: number): Tensor {
  const [, count, channels] = x.shape as [number, number, number];
  return tf.transpose(tf.reshape(x, [-1, count, parts, heads, channels / parts / heads]), [2, 0, 3, 1, 4]);
}

/** `[B, heads, N, d]` -> projected `[B, N, C]`. */
function mergeHeads(x: Tensor, params: Params, name: string): Tensor {
  const [, heads, count, d] = x.shape as [number, number, number, number];
  return linear(tf.reshape(tf.transpose(x, [0, 2, 1, 3]), [-1, count, heads * d]), params, `${name}.proj`);
}

/** `softmax(q k^T / sqrt(d)) v`; scaling the queries touches N*d numbers a head, scaling the scores N*N. */
function attend(q: Tensor, k: Tensor, v: Tensor): Tensor {
  return tf.matMul(tf.softmax(tf.matMul(tf.mul(q, width(q) ** -0.5), k, false, true)), v);
}

function softmaxMix(x: Tensor, projection: Projection, heads: number): Tensor {
  const qkv = splitHeads(affine(x, projection.weight, projection.bias), 3, heads);
  return attend(...(tf.unstack(qkv) as [Tensor, Tensor, Tensor]));
}

function linearMix(x: Tensor, projection: Projection, heads: number): Tensor {
  const qkv = splitHeads(affine(x, projection.weight, projection.bias), 3, heads);
  const [queriesKeys, values] = tf.split(qkv, [2, 1], 0) as [Tensor, Tensor];
  const [q, k] = tf.unstack(eluPlusOne(queriesKeys)) as [Tensor, Tensor];
  const v = tf.squeeze(values, [0]);
  const normaliser = tf.matMul(q, tf.sum(k, 2, true), false, true);
  return tf.mul(tf.matMul(q, tf.matMul(k, v, true, false)), tf.reciprocal(normaliser));
}

function plainProjection(params: Params, name: string): Projection {
  return { weight: param(params, `${name}.qkv.weight`), bias: param(params, `${name}.qkv.bias`) };
}

/** Multi-head attention `softmax(q k^T / sqrt(d)) v`, `[B, N, C]` -> `[B, N, C]` (method-spec section 2). */
export function softmaxAttention(x: Tensor, params: Params, name: string, heads: number): Tensor {
  return mergeHeads(softmaxMix(x, plainProjection(params, name), heads), params, name);
}

/**
 * Linear attention with the feature map `elu + 1` (method-spec section 3.4): no `1/sqrt(d)`, no epsilon.
 * `out_n = phi(q_n)^T (sum_s phi(k_s) v_s^T) / (phi(q_n)^T sum_s phi(k_s))`, `[B, N, C]` -> `[B, N, C]`.
 */
export function linearAttention(x: Tensor, params: Params, name: string, heads: number): Tensor {
  return mergeHeads(linearMix(x, plainProjection(params, name), heads), params, name);
}

/** Shape of one transformer block. */
export interface BlockOptions {
  readonly heads: number;
  readonly layerNormEps: number;
}

/** LayerScale, where `{name}.{key}.gamma` exists. */
function layerScaled(y: Tensor, params: Params, name: string, key: 'ls1' | 'ls2'): Tensor {
  const gamma = params[`${name}.${key}.gamma`];
  return gamma === undefined ? y : tf.mul(y, gamma);
}

/** Second half of a block: `x + ls2 mlp(norm2(x))`. */
function withMlp(x: Tensor, params: Params, name: string, eps: number): Tensor {
  const y = mlp(x, params, `${name}.mlp`, { norm: { name: `${name}.norm2`, eps } });
  return tf.add(x, layerScaled(y, params, name, 'ls2'));
}

/**
 * Pre-norm block with softmax attention (method-spec section 2). LayerScale is applied where `{name}.ls1.gamma` and
 * `{name}.ls2.gamma` exist.
 */
export function encoderBlock(x: Tensor, params: Params, name: string, options: BlockOptions): Tensor {
  const projection = foldedNorm(params, `${name}.norm1`, `${name}.attn.qkv`);
  const mixed = softmaxMix(normalise(x, options.layerNormEps), projection, options.heads);
  const y = layerScaled(mergeHeads(mixed, params, `${name}.attn`), params, name, 'ls1');
  return withMlp(tf.add(x, y), params, name, options.layerNormEps);
}

/** First token of every picture, `[B, T, C]` -> `[B, 1, C]`. */
export function firstToken(x: Tensor): Tensor {
  return tf.slice(x, [0, 0, 0], [-1, 1, -1]);
}

/**
 * The same block where only the first (class) token of its output is wanted: `[B, T, C]` -> `[B, 1, C]`. All tokens
 * still serve as keys and values, but queries, projection and MLP are computed for one token.
 */
export function encoderBlockFirstToken(x: Tensor, params: Params, name: string, options: BlockOptions): Tensor {
  const channels = width(x);
  const { weight, bias } = foldedNorm(params, `${name}.norm1`, `${name}.attn.qkv`);
  const [queryWeight, otherWeight] = tf.split(weight, [channels, 2 * channels], 0) as [Tensor, Tensor];
  const [queryBias, otherBias] = tf.split(bias, [channels, 2 * channels], 0) as [Tensor, Tensor];
  const h = normalise(x, options.layerNormEps);
  const q = tf.squeeze(splitHeads(affine(firstToken(h), queryWeight, queryBias), 1, options.heads), [0]);
  const [k, v] = tf.unstack(splitHeads(affine(h, otherWeight, otherBias), 2, options.heads)) as [Tensor, Tensor];
  const y = layerScaled(mergeHeads(attend(q, k, v), params, `${name}.attn`), params, name, 'ls1');
  return withMlp(tf.add(firstToken(x), y), params, name, options.layerNormEps);
}

/** Pre-norm block with linear attention, without LayerScale (method-spec section 3.3). */
export function decoderBlock(x: Tensor, params: Params, name: string, options: BlockOptions): Tensor {
  const projection = foldedNorm(params, `${name}.norm1`, `${name}.attn.qkv`);
  const mixed = linearMix(normalise(x, options.layerNormEps), projection, options.heads);
  return withMlp(tf.add(x, mergeHeads(mixed, params, `${name}.attn`)), params, name, options.layerNormEps);
}

/**
 * `[1, n, C]` repeated for every picture of `like` `[B, ?, C]`: `[B, n, C]`. An addition, because its gradient is one sum
 * where Tile's is a loop over the batch; zeros made from the batch itself keep its size open in a traced graph.
 */
export function repeated(rows: Tensor, like: Tensor): Tensor {
  return withGradient(
    [rows],
    () => ({ value: tf.add(tf.mul(firstToken(like), 0), rows), saved: [] }),
    (dy) => [tf.sum(dy, 0, true)],
  );
}
