import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { buildEfficientNetLite, buildNormalisedImage } from '../../main/backbones/efficientnet-lite.ts';
import { findBackbone, readRegistry, verifyBackbone } from '../../main/backbones/registry.ts';
import { readSafetensors } from '../../main/backbones/safetensors.ts';
import { OnnxGraph } from '../../main/onnx/graph.ts';
import * as ort from 'onnxruntime-node';

const modelsDir = path.resolve(import.meta.dirname, '../../models');
const golden = path.resolve(import.meta.dirname, '../fixtures/golden/efficientnet-lite2/golden.safetensors');
/** Stated in the backbone's provenance: golden values come from float64 arithmetic. */
const toleranceAbsolute = 5e-4;

describe('the embedded backbone', () => {
  it('gives the golden activations', async () => {
    const registry = await readRegistry(modelsDir);
    const entry = findBackbone(registry, 'efficientnet-lite2');
    const [file] = await verifyBackbone(registry, entry);
    const { tensors: weights } = await readSafetensors(file!, { rejectNonFinite: true });
    if (entry.architecture.family !== 'efficientnet-lite') throw new Error('wrong family');
    const graph = new OnnxGraph('backbone');
    const pixels = graph.input('pixels', 'uint8', ['batch', 256, 256, 3]);
    const taps = buildEfficientNetLite(
      graph,
      buildNormalisedImage(graph, pixels, entry.input),
      weights,
      entry.architecture,
    );
    taps.stages.forEach((value, i) => graph.output(`stage${i + 1}`, value, 'float32', ['batch', 'c', 'h', 'w']));
    graph.output('head', taps.head, 'float32', ['batch', 1280, 8, 8]);
    const session = await ort.InferenceSession.create(graph.toBytes(), { intraOpNumThreads: 1 });
    const { tensors: expected } = await readSafetensors(golden);
    for (let i = 0; i < 3; i++) {
      const rgb = expected.get(`${i}.rgb`)!.data as Uint8Array;
      const out = await session.run({ pixels: new ort.Tensor('uint8', rgb, [1, 256, 256, 3]) });
      for (const name of Object.keys(out)) {
        const value = out[name]!.data as Float32Array;
        const full = expected.get(`${i}.${name}`);
        if (full !== undefined) expect(maxDifference(value, full.data as Float32Array)).toBeLessThan(toleranceAbsolute);
        const mean = expected.get(`${i}.${name}.mean`)!.data as Float32Array;
        expect(maxDifference(channelMeans(value, mean.length), mean)).toBeLessThan(toleranceAbsolute);
      }
    }
  });
});

function maxDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  expect(a.length).toBe(b.length);
  let max = 0;
  for (let i = 0; i < a.length; i++) max = Math.max(max, Math.abs(a[i]! - b[i]!));
  return max;
}

function channelMeans(values: Float32Array, channels: number): Float64Array {
  const means = new Float64Array(channels);
  const area = values.length / channels;
  for (let i = 0; i < values.length; i++) means[Math.floor(i / area)]! += values[i]! / area;
  return means;
}
