/** What a trace writes more tightly than it was said: 8-bit products, and normalisations as one node. */
import { describe, expect, it } from 'vitest';
import { OnnxGraph } from '../../main/onnx/graph.ts';
import { readModel } from '../../main/onnx/read.ts';
import { traceInto } from '../../main/onnx/tracing-backend.ts';
import { layerNorm } from '../../main/nn/layers.ts';
import { tf, type Tensor } from '../../main/nn/tf.ts';
import { largestDifference, numbers, onCpu, onOrt, type TensorFunction, type TestInput } from './tracing.ts';

const float = (seed: number, shape: number[], low: number, high: number): TestInput => ({
  shape,
  data: numbers(
    seed,
    shape.reduce((a, b) => a * b, 1),
    low,
    high,
  ),
});

/** Traces for fixed shapes and runs both ways. */
async function compare(fn: TensorFunction, inputs: readonly TestInput[], fuseNorms = false) {
  const graph = new OnnxGraph();
  const declared = inputs.map(({ shape, dtype = 'float32' }, i) => ({
    value: graph.input(`x${i}`, dtype, shape),
    shape,
    dtype,
  }));
  const [output] = traceInto(graph, declared, fn, { fuseNorms });
  graph.output('y0', output!.value, output!.dtype, output!.shape);
  const [inGraph] = await onOrt(graph, inputs);
  const [plain] = onCpu(fn, inputs).outputs;
  expect(inGraph!.shape).toEqual(plain!.shape);
  return {
    difference: largestDifference(inGraph!.data, plain!.data),
    operators: readModel(graph.toBytes()).operators,
    constants: readModel(graph.toBytes()).constants,
  };
}

describe('integer products', () => {
  const table = Int32Array.from(numbers(1, 4 * 6 * 8, -63, 63), Math.round);
  const codes = (x: Tensor) => tf.cast(tf.floor(tf.clipByValue(x, -127, 127)), 'int32');

  it('of codes with rows of a constant are exact and store it in 8 bits', async () => {
    const product: TensorFunction = (x, rows) => {
      const own = tf.gather(tf.tensor3d(table, [4, 6, 8], 'int32'), rows!);
      return [tf.matMul(codes(x!), own)];
    };
    const rows: TestInput = { shape: [3], dtype: 'int32', data: [3, 0, 3] };
    const { difference, operators, constants } = await compare(product, [float(2, [3, 5, 6], -200, 200), rows]);
    expect(difference).toBe(0);
    expect(operators.get('MatMulInteger')).toBe(1);
    expect(constants.find(({ dtype }) => dtype === 'int8')).toMatchObject({ shape: [4, 6, 8], bytes: table.length });
    expect(constants.some(({ shape, dtype }) => dtype === 'int32' && shape.length === 3)).toBe(false);
  });

  it('broadcast over the constant and take a constant as it is', async () => {
    const product: TensorFunction = (x) => [
      tf.matMul(codes(tf.tile(x!, [4, 1, 1])), tf.tensor3d(table, [4, 6, 8], 'int32')),
    ];
    const { difference, operators } = await compare(product, [float(3, [1, 5, 6], -127, 127)]);
    expect(difference).toBe(0);
    expect(operators.get('Tile')).toBeUndefined();
  });

  it.each<[string, TensorFunction, RegExp]>([
    ['more than 8 bits', (x) => [tf.matMul(codes(x!), tf.tensor2d([[1], [300]], [2, 1], 'int32'))], /exceeds 8 bits/],
    ['no constant', (x) => [tf.matMul(codes(x!), codes(x!))], /no constant/],
    [
      'not rounded',
      (x) => [tf.matMul(tf.add(codes(x!), codes(x!)), tf.tensor2d([1, 2, 3, 4], [2, 2], 'int32'))],
      /rounded/,
    ],
  ])('%s: cannot be traced', (_, fn, message) => {
    const graph = new OnnxGraph();
    const x = { value: graph.input('x', 'float32', [2, 2]), shape: [2, 2], dtype: 'float32' } as const;
    expect(() => traceInto(graph, [x], fn)).toThrow(message);
  });
});

describe('normalisations', () => {
  const params = () => ({ 'n.weight': tf.tensor1d([1, 2, -1, 0.5]), 'n.bias': tf.tensor1d([0.1, 0, 0.3, -2]) });
  const norm: TensorFunction = (x) => [layerNorm(x!, params(), 'n', 1e-6)];
  const inputs = [float(4, [2, 3, 4], -2, 5)];

  it('become one node where asked for, with the same numbers', async () => {
    const { difference, operators } = await compare(norm, inputs, true);
    expect(difference).toBeLessThan(2e-6);
    expect(operators.get('LayerNormalization')).toBe(1);
    expect(operators.get('ReduceMean')).toBeUndefined();
  });

  it('stay as they are otherwise', async () => {
    const { difference, operators } = await compare(norm, inputs);
    expect(difference).toBeLessThan(2e-6);
    expect(operators.get('LayerNormalization')).toBeUndefined();
  });

  it('other products of the same parts do not', async () => {
    const other: TensorFunction = (x) => {
      const centred = tf.sub(x!, tf.mean(x!, -1, true));
      const inverse = tf.rsqrt(tf.add(tf.mean(tf.square(x!), -1, true), 1e-6));
      return [tf.mul(centred, inverse)];
    };
    const { difference, operators } = await compare(other, inputs, true);
    expect(difference).toBeLessThan(2e-6);
    expect(operators.get('LayerNormalization')).toBeUndefined();
  });
});
