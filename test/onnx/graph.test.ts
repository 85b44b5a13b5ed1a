import * as ort from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { OnnxGraph } from '../../main/onnx/graph.ts';

async function run(graph: OnnxGraph, feeds: Record<string, ort.Tensor>): Promise<ort.InferenceSession.ReturnType> {
  const session = await ort.InferenceSession.create(graph.toBytes(), { intraOpNumThreads: 1 });
  return session.run(feeds);
}

describe('OnnxGraph', () => {
  it('writes a model that ONNX Runtime runs, with a dynamic batch', async () => {
    const graph = new OnnxGraph();
    const x = graph.input('x', 'float32', ['batch', 3]);
    const weights = graph.initializer('weights', 'float32', [3, 2], Float32Array.of(1, 2, 3, 4, 5, 6));
    const [product] = graph.node('Gemm', [x, weights, graph.initializer(undefined, 'float32', [2], [10, 20])], {
      alpha: { float: 0.5 },
      transB: { int: 0 },
    });
    graph.output('y', product, 'float32', ['batch', 2]);
    const { y } = await run(graph, { x: new ort.Tensor('float32', Float32Array.of(1, 1, 1, 0, 0, 2), [2, 3]) });
    expect(y?.dims).toEqual([2, 2]);
    expect([...(y?.data as Float32Array)]).toEqual([14.5, 26, 15, 26]);
  });

  it('runs a Loop whose body uses values of the outer graph', async () => {
    const graph = new OnnxGraph();
    const x = graph.input('x', 'float32', [2]);
    const [step] = graph.node('Mul', [x, graph.scalar(2)]);
    const body = graph.subgraph('body');
    body.input('iteration', 'int64', []);
    body.input('continueIn', 'bool', []);
    const state = body.input('stateIn', 'float32', [2]);
    const [next] = body.node('Add', [state, step]);
    body.output('continueOut', 'continueIn', 'bool', []);
    body.output('stateOut', next, 'float32', [2]);
    const count = graph.initializer(undefined, 'int64', [], [5]);
    const [last] = graph.node('Loop', [count, '', x], { body: { graph: body } });
    graph.output('last', last, 'float32', [2]);
    graph.output('step', step, 'float32', [2]);
    const out = await run(graph, { x: new ort.Tensor('float32', Float32Array.of(1, 2), [2]) });
    expect([...(out['last']?.data as Float32Array)]).toEqual([11, 22]);
    expect([...(out['step']?.data as Float32Array)]).toEqual([2, 4]);
  });

  it('binds inputs, constants and one value twice to outputs', async () => {
    const graph = new OnnxGraph();
    const x = graph.input('x', 'int32', [1]);
    const [sum] = graph.node('Add', [x, graph.initializer(undefined, 'int32', [1], [-7])]);
    graph.output('same', x, 'int32', [1]);
    graph.output('a', sum, 'int32', [1]);
    graph.output('b', sum, 'int32', [1]);
    graph.output('shape', graph.ints([-1, 2 ** 40]), 'int64', [2]);
    const out = await run(graph, { x: new ort.Tensor('int32', Int32Array.of(3), [1]) });
    expect(out['same']?.data[0]).toBe(3);
    expect(out['a']?.data[0]).toBe(-4);
    expect(out['b']?.data[0]).toBe(-4);
    expect([...(out['shape']?.data as BigInt64Array)]).toEqual([-1n, 2n ** 40n]);
  });

  it('leaves out what no output needs and merges equal constants', () => {
    const graph = new OnnxGraph();
    const x = graph.input('x', 'float32', [4]);
    expect(graph.scalar(3)).toBe(graph.scalar(3));
    const [y] = graph.node('Neg', [x]);
    graph.output('y', y, 'float32', [4]);
    const before = graph.toBytes().length;
    graph.node('Add', [x, graph.initializer(undefined, 'float32', [4], new Float32Array(4))]);
    expect(graph.toBytes().length).toBe(before);
  });

  it('refuses constants that do not fill their shape and names that are taken', () => {
    const graph = new OnnxGraph();
    graph.input('x', 'float32', [4]);
    expect(() => graph.initializer(undefined, 'float32', [3], [1, 2])).toThrow(/do not fill/);
    expect(() => graph.input('x', 'float32', [4])).toThrow(/taken/);
  });
});
