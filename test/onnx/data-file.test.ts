import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { OnnxGraph } from '../../main/onnx/graph.ts';
import { checkInferenceGraph, readModel } from '../../main/onnx/read.ts';
import { openSessionInline } from '../../main/runtime/session.ts';

const numbers = Float32Array.from({ length: 600 }, (_, i) => Math.sin(i));
const bytes = new Uint8Array(numbers.buffer);

/** `y = x * large + small`, the large constant lazy; `made` counts how often it was asked for. */
function lazyGraph(content = bytes): { graph: OnnxGraph; made: () => number } {
  let made = 0;
  const graph = new OnnxGraph('lazy');
  const x = graph.input('x', 'float32', ['batch', 600]);
  const large = graph.lazyInitializer('large', 'float32', [600], () => {
    made += 1;
    return Promise.resolve(content);
  });
  graph.lazyInitializer('unused', 'float32', [1], () => Promise.reject(new Error('nobody needs it')));
  const [scaled] = graph.node('Mul', [x, large]);
  const [y] = graph.node('Add', [scaled, graph.scalar(2)]);
  graph.output('y', y, 'float32', ['batch', 600]);
  return { graph, made: () => made };
}

async function joined(pieces: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const all: Uint8Array[] = [];
  for await (const piece of pieces) all.push(piece);
  return new Uint8Array(Buffer.concat(all));
}

async function result(model: Uint8Array | string): Promise<Float32Array> {
  const session = await openSessionInline(model, { threads: 1 });
  const x = { dtype: 'float32' as const, dims: [1, 600], data: new Float32Array(600).fill(3) };
  const { y } = await session.run({ x });
  await session.close();
  return y!.data as Float32Array;
}

const expected = numbers.map((value) => Math.fround(3 * value) + 2);

describe('lazy constants', () => {
  it('are made once, while the model is written', async () => {
    const { graph, made } = lazyGraph();
    expect(() => graph.toBytes()).toThrow(/written in pieces/);
    expect(made()).toBe(0);
    const model = await joined(graph.chunks());
    expect(made()).toBe(1);
    expect(model).toHaveLength(graph.fileBytes);
    expect(readModel(model).constants.map(({ name }) => name)).toContain('large');
    expect(await result(model)).toEqual(expected);
  });

  it('must be as long as announced', async () => {
    const { graph } = lazyGraph(bytes.subarray(4));
    await expect(joined(graph.chunks())).rejects.toThrow(/2396 bytes where 2400/);
    await expect(joined(graph.external('x.data').data)).rejects.toThrow(/2396 bytes instead of 2400/);
  });

  it('go into a data file beside the model', async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'twinspect-onnx-'));
    try {
      const { graph } = lazyGraph();
      const { model, data, dataBytes } = graph.external('model.onnx.data');
      const content = await joined(data);
      expect(content).toHaveLength(dataBytes);
      expect(content.subarray(0, 2400)).toEqual(bytes);
      await writeFile(path.join(folder, 'model.onnx'), model);
      await writeFile(path.join(folder, 'model.onnx.data'), content);
      expect(await result(path.join(folder, 'model.onnx'))).toEqual(expected);
      // A package must hold its own numbers.
      const rules = { allowedOperators: ['Mul', 'Add'] };
      expect(() => checkInferenceGraph(model, rules)).toThrow(/"large" lies in another file/);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});
