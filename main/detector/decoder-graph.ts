/** The paper's decoder student in ONNX operators, for inspection (method-spec section 3). */
import type { EncoderWeights } from '../backbones/dinov2.ts';
import { TeacherWeights } from '../backbones/teacher-weights.ts';
import type { DecoderOrder } from '../nn/decoder-student.ts';
import type { OnnxGraph } from '../onnx/graph.ts';

export interface DecoderGraphOptions {
  readonly depth: number;
  readonly layerNormEps: number;
  readonly order: DecoderOrder;
  /** T */
  readonly tokens: number;
}

/**
 * Adds the decoder student: the same numbers as `runDecoderStudent` without dropout, in the operators that ONNX Runtime has
 * whole kernels for (LayerNormalization, Gelu, Gemm) where a trace writes their parts.
 * @param groups  the teacher's two group means, all tokens, `[B, T, C]` each
 * @param weights by the names of section 3: `bottleneck.0.*`, `decoder.{i}.*`
 * @param prefix  of the constants' names
 * @returns the decoder's two group means, all tokens, `[B, T, C]` each
 */
export function addDecoderStudent(
  graph: OnnxGraph,
  groups: readonly [string, string],
  weights: EncoderWeights,
  options: DecoderGraphOptions,
  prefix: string,
): [string, string] {
  const { embedDim: c, heads } = weights;
  const { tokens, depth, layerNormEps, order } = options;
  const constants = new TeacherWeights(graph, weights, 'float32', prefix);
  const one = (op: string, inputs: readonly string[], attributes: Parameters<OnnxGraph['node']>[2] = {}): string =>
    graph.node(op, inputs, attributes)[0];
  const reshape = (x: string, shape: readonly number[]): string => one('Reshape', [x, graph.ints(shape)]);
  const meanOf = (values: readonly string[]): string =>
    one('Mul', [values.reduce((sum, x) => one('Add', [sum, x])), graph.scalar(1 / values.length)]);
  const mlp = (x: string, name: string): string =>
    constants.dense(one('Gelu', [constants.dense(x, `${name}.fc1`)]), `${name}.fc2`);
  const norm = (x: string, name: string): string =>
    one('LayerNormalization', [x, constants.plain(`${name}.weight`), constants.plain(`${name}.bias`)], {
      axis: { int: -1 },
      epsilon: { float: layerNormEps },
    });
  /** `elu(x) + 1 = max(x, 0) + exp(min(x, 0))`. */
  const positive = (x: string): string =>
    one('Add', [one('Relu', [x]), one('Exp', [one('Min', [x, graph.scalar(0)])])]);
  const spread = (x: string, perm: readonly number[]): string =>
    one('Transpose', [reshape(x, [-1, tokens, heads, c / heads])], { perm: { ints: perm } });

  const attend = (normed: string, name: string): string => {
    const part = (index: number): string =>
      constants.dense(normed, `${name}.qkv`, { rows: { from: index * c, count: c } });
    const q = spread(positive(part(0)), [0, 2, 1, 3]);
    const k = spread(positive(part(1)), [0, 2, 3, 1]);
    const v = spread(part(2), [0, 2, 1, 3]);
    const mixed = one('MatMul', [q, one('MatMul', [k, v])]);
    const sums = one('ReduceSum', [k, graph.ints([-1])], { keepdims: { int: 1 } });
    const weighted = one('Div', [mixed, one('MatMul', [q, sums])]);
    const merged = reshape(one('Transpose', [weighted], { perm: { ints: [0, 2, 1, 3] } }), [-1, c]);
    return constants.dense(merged, `${name}.proj`);
  };

  let x = mlp(reshape(meanOf(groups), [-1, c]), 'bottleneck.0');
  const layers: string[] = [];
  for (let i = 0; i < depth; i += 1) {
    const name = `decoder.${i}`;
    x = one('Add', [x, attend(norm(x, `${name}.norm1`), `${name}.attn`)]);
    x = one('Add', [x, mlp(norm(x, `${name}.norm2`), `${name}.mlp`)]);
    layers.push(x);
  }
  if (order === 'mirrored') layers.reverse();
  const half = depth / 2;
  const group = (from: number): string => reshape(meanOf(layers.slice(from, from + half)), [-1, tokens, c]);
  return [group(0), group(half)];
}
