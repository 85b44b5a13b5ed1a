import { describe, expect, it } from 'vitest';
import { OnnxGraph } from '../../main/onnx/graph.ts';
import { ProtoWriter } from '../../main/onnx/protobuf.ts';
import { checkInferenceGraph, readModel, type GraphRules } from '../../main/onnx/read.ts';
import { UserError } from '../../shared/errors.ts';
import fc from '../seeded-fast-check.ts';

function sample(): Uint8Array {
  const graph = new OnnxGraph('sample');
  const picture = graph.input('picture', 'uint8', ['batch', 4, 4, 3]);
  const [x] = graph.node('Cast', [picture], { to: { int: 1 } });
  const weights = graph.initializer('weights', 'float32', [3, 2], Float32Array.of(1, 2, 3, 4, 5, 6));
  const [y] = graph.node('MatMul', [x, weights]);
  const body = graph.subgraph('body');
  body.input('i', 'int64', []);
  body.input('go', 'bool', []);
  const inner = body.input('in', 'float32', ['batch', 4, 4, 2]);
  const [doubled] = body.node('Add', [inner, inner]);
  body.output('goOut', 'go', 'bool', []);
  body.output('out', doubled, 'float32', ['batch', 4, 4, 2]);
  const [last] = graph.node('Loop', [graph.initializer(undefined, 'int64', [], [3]), '', y], { body: { graph: body } });
  graph.output('scores', last, 'float32', ['batch', 4, 4, 2]);
  return graph.toBytes();
}

const rules: GraphRules = {
  allowedOperators: ['Cast', 'MatMul', 'Loop', 'Add', 'Identity'],
  inputs: [{ name: 'picture', dtype: 'uint8', shape: ['n', 4, 4, 3] }],
  outputs: [{ name: 'scores', dtype: 'float32', shape: ['n', 4, 4, 2] }],
};

/** A model message with the given main graph and operator set. */
function model(graph: ProtoWriter, fields: { ir?: number; opset?: number; domain?: string } = {}): Uint8Array {
  const writer = new ProtoWriter();
  writer.int(1, fields.ir ?? 9);
  writer.message(7, graph);
  const opset = new ProtoWriter();
  opset.string(1, fields.domain ?? '');
  opset.int(2, fields.opset ?? 20);
  writer.message(8, opset);
  return writer.finish();
}

function withConstant(shape: number[], bytes: number, external = false): Uint8Array {
  const tensor = new ProtoWriter();
  tensor.packedInts(1, shape);
  tensor.int(2, 1);
  tensor.string(8, 'w');
  tensor.bytes(9, new Uint8Array(bytes));
  if (external) tensor.int(14, 1);
  const graph = new ProtoWriter();
  graph.message(5, tensor);
  return model(graph);
}

describe('readModel', () => {
  it('lists what a model holds, subgraphs included', () => {
    const summary = readModel(sample());
    expect(summary.irVersion).toBe(9);
    expect([...summary.opsets]).toEqual([['', 20]]);
    expect(summary.producer).toBe('twinspect');
    expect(summary.inputs).toEqual([{ name: 'picture', dtype: 'uint8', shape: ['batch', 4, 4, 3] }]);
    expect(summary.outputs).toEqual([{ name: 'scores', dtype: 'float32', shape: ['batch', 4, 4, 2] }]);
    expect(summary.constants.find(({ name }) => name === 'weights')).toMatchObject({ shape: [3, 2], bytes: 24 });
    expect(Object.fromEntries(summary.operators)).toEqual({ Cast: 1, MatMul: 1, Loop: 1, Add: 1, Identity: 1 });
  });

  it('names what is wrong with bytes that are no model', () => {
    for (const bytes of [new Uint8Array(0), Uint8Array.of(1, 2, 3), new TextEncoder().encode('not a model at all')]) {
      expect(() => readModel(bytes)).toThrow(UserError);
    }
    const whole = sample();
    for (let end = 1; end < whole.length; end += 3) {
      expect(() => checkInferenceGraph(whole.subarray(0, end), rules)).toThrow(UserError);
    }
  });

  it('survives any change of a byte and any bytes at all', () => {
    const whole = sample();
    const attempt = (bytes: Uint8Array): void => {
      try {
        checkInferenceGraph(bytes, rules);
      } catch (error) {
        expect(error).toBeInstanceOf(UserError);
      }
    };
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { minLength: 1, maxLength: 8 }),
        (edits) => {
          const bytes = whole.slice();
          for (const [at, value] of edits) bytes[at] = value;
          attempt(bytes);
        },
      ),
      { numRuns: 2000 },
    );
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), attempt), { numRuns: 1000 });
  });

  it('stops at subgraphs nested without end and at endless dimensions', () => {
    let graph = new ProtoWriter();
    for (let depth = 0; depth < 2000; depth++) {
      const attribute = new ProtoWriter();
      attribute.message(6, graph);
      const node = new ProtoWriter();
      node.string(4, 'If');
      node.message(5, attribute);
      graph = new ProtoWriter();
      graph.message(1, node);
    }
    expect(() => readModel(model(graph))).toThrow(/nested deeper/);
    expect(() => readModel(withConstant(new Array<number>(1000).fill(1), 4))).toThrow(/more than 16/);
  });
});

describe('checkInferenceGraph', () => {
  it('accepts what is as expected', () => {
    expect(checkInferenceGraph(sample(), rules).inputs).toHaveLength(1);
  });

  it.each<[string, Uint8Array, Partial<GraphRules>, RegExp]>([
    ['an operator', sample(), { allowedOperators: ['Cast', 'MatMul', 'Loop'] }, /operator "Add" is not allowed/],
    ['a newer operator set', sample(), { maxOpset: 19 }, /operator set 20/],
    ['too many nodes', sample(), { maxNodes: 3 }, /5 nodes/],
    [
      'an input of another shape',
      sample(),
      { inputs: [{ name: 'picture', dtype: 'uint8', shape: ['n', 8, 4, 3] }] },
      /picture" is uint8 \[batch, 4, 4, 3\] instead/,
    ],
    [
      'a missing output',
      sample(),
      { outputs: [{ name: 'map', dtype: 'float32', shape: [1] }] },
      /output "map" is missing/,
    ],
    ['an extra output', sample(), { outputs: [] }, /unexpected output "scores"/],
    ['foreign operators', model(new ProtoWriter(), { domain: 'com.example' }), {}, /com\.example/],
    ['a newer file format', model(new ProtoWriter(), { ir: 99 }), {}, /version 99/],
    ['data in another file', withConstant([2], 8, true), {}, /another file/],
    ['data that do not fill their shape', withConstant([2 ** 31, 2 ** 31], 8), {}, /holds 8 bytes instead/],
    ['a negative size', withConstant([-1], 8), {}, /negative size/],
  ])('refuses %s', (_what, bytes, change, message) => {
    expect(() => checkInferenceGraph(bytes, { ...rules, ...change })).toThrow(message);
  });
});
