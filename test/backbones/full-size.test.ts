/** ViT-S/14 with 4 registers at its real size, with seeded numbers: the whole way from weight file to results. */
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openDinov2Weights, parameterCount } from '../../main/backbones/dinov2.ts';
import { importBackbone } from '../../main/backbones/import.ts';
import { readRegistry } from '../../main/backbones/registry.ts';
import { writeSeededWeights, type SeededWeightsOptions } from '../../main/backbones/seeded-weights.ts';
import { locateBackbone, readStored } from '../../main/backbones/store.ts';
import { writeTeacherGraph, type TeacherPrecision } from '../../main/backbones/teacher-graph.ts';
import { modelsDir } from '../../main/system/project-root.ts';
import { openSessionInline, type TensorData } from '../../main/runtime/session.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'twinspect-small-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const [width, height] = [112, 84];
const pixels = Uint8Array.from({ length: width * height * 3 }, (_, i) => 128 + 100 * Math.sin(i / 37));
const groups = [
  [3, 4, 5, 6],
  [7, 8, 9, 10],
];

/** Writes a file, runs the teacher built from it, and clears both away. */
async function teacherOf(
  name: string,
  options: Partial<SeededWeightsOptions>,
  precision: TeacherPrecision = 'float32',
): Promise<{ results: Record<string, TensorData>; bytes: number; hash: string }> {
  const files = await writeSeededWeights(path.join(folder, name), { size: 'small', ...options });
  const weights = await openDinov2Weights(files[0]!, { size: 'small', registers: 4 });
  expect(parameterCount(weights)).toBe(22_058_112);
  const graph = path.join(folder, 'teacher.onnx');
  const graphOptions = { width, height, positionMode: 'scale_offset', groups, precision } as const;
  const { bytes, graphHash } = await writeTeacherGraph(weights, graphOptions, graph);
  for (const file of files) await rm(file);
  // The weight file is gone: the graph holds everything.
  const session = await openSessionInline(graph, { threads: 1 });
  const results = await session.run({ pixels: { dtype: 'uint8', dims: [1, height, width, 3], data: pixels } });
  await session.close();
  return { results, bytes, hash: graphHash };
}

describe('ViT-S/14 at its real size', () => {
  it('gives equal bits from every form of its file', async () => {
    const expected = await teacherOf('model.safetensors', {});
    const tokens = 1 + 4 + (width / 14) * (height / 14);
    expect(expected.results['tokens0']!.dims).toEqual([1, tokens, 384]);
    expect(expected.results['teacherGroup2']!.dims).toEqual([1, tokens, 384]);
    expect(expected.results['teacherClassTokens']!.dims).toEqual([1, 13, 384]);
    for (const { data } of Object.values(expected.results)) {
      expect((data as Float32Array).every(Number.isFinite)).toBe(true);
    }
    const forms: [string, Partial<SeededWeightsOptions>][] = [
      ['weights.pth', { naming: 'original' }],
      ['timm.safetensors', { naming: 'timm' }],
      ['model.safetensors.index.json', { form: 'sharded', prefix: 'dinov2_with_registers.' }],
    ];
    for (const [name, options] of forms) {
      const { results, hash } = await teacherOf(name, options);
      expect(hash, name).toBe(expected.hash);
      expect(results, name).toEqual(expected.results);
    }
  }, 300_000);

  it('is half as large in float16 and a quarter in int8, and hardly moves', async () => {
    const exact = await teacherOf('model.safetensors', {});
    for (const [precision, share, least] of [
      ['float16-storage', 0.52, 0.99999],
      ['int8', 0.27, 0.999],
    ] as const) {
      const near = await teacherOf('model.safetensors', {}, precision);
      expect(near.bytes / exact.bytes, precision).toBeLessThan(share);
      const [a, b] = [exact, near].map(({ results }) => results['teacherGroup2']!.data as Float32Array) as [
        Float32Array,
        Float32Array,
      ];
      const dot = (x: Float32Array, y: Float32Array) => x.reduce((sum, value, i) => sum + value * y[i]!, 0);
      expect(dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b)), precision).toBeGreaterThan(least);
    }
  }, 300_000);

  it('leaves no graph behind where the weights turn out to be damaged', async () => {
    const file = path.join(folder, 'damaged.safetensors');
    await writeSeededWeights(file, { size: 'small' });
    const weights = await openDinov2Weights(file);
    const [piece] = weights.tensors.get('blocks.7.mlp.fc1.weight')!.pieces;
    const handle = await open(file, 'r+');
    await handle.write(
      new Uint8Array(Float32Array.of(NaN).buffer),
      0,
      4,
      'byteOffset' in piece! ? piece.byteOffset : 0,
    );
    await handle.close();
    const graph = path.join(folder, 'never.onnx');
    await expect(writeTeacherGraph(weights, { width, height, positionMode: 'size' }, graph)).rejects.toThrow(
      /'blocks\.7\.mlp\.fc1\.weight' holds NaN/,
    );
    expect(existsSync(graph)).toBe(false);
    // Import finds it before it takes the place of a good one.
    const options = { store: path.join(folder, 'store'), registry: await readRegistry(modelsDir()) };
    await expect(importBackbone(file, options)).rejects.toThrow(/'blocks\.7\.mlp\.fc1\.weight' holds NaN/);
    expect(await readStored(options.store, 'dinov2-with-registers-small')).toBeNull();
  }, 300_000);

  it('is imported from a folder of parts, and found and opened again', async () => {
    const parts = path.join(folder, 'parts');
    await mkdir(parts);
    await writeSeededWeights(path.join(parts, 'model.safetensors.index.json'), { size: 'small', form: 'sharded' });
    const [store, registry] = [path.join(folder, 'store'), await readRegistry(modelsDir())];
    const { record } = await importBackbone(parts, { store, registry });
    expect(record.main).toBe('model.safetensors.index.json');
    await rm(parts, { recursive: true });
    const { path: found } = await locateBackbone(record.id, { store });
    expect((await openDinov2Weights(found, { size: 'small', registers: 4 })).files).toHaveLength(2);

    const wrong = importBackbone(found, { store, registry, id: 'dinov2-base' });
    await expect(wrong).rejects.toThrow('is ViT-S/14 with 4 registers; "dinov2-base" is ViT-B/14 without registers.');
  }, 300_000);
});
