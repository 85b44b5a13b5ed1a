import * as nodeFs from 'node:fs/promises';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openDinov2Weights, type Dinov2Weights } from '../../main/backbones/dinov2.ts';
import { readSafetensors, writeSafetensors } from '../../main/backbones/safetensors.ts';
import {
  fittingSide,
  writeGraph,
  writeTeacherGraph,
  type TeacherGraphOptions,
} from '../../main/backbones/teacher-graph.ts';
import { OnnxGraph } from '../../main/onnx/graph.ts';
import { patchify } from '../../main/nn/vit.ts';
import { openSessionInline, type TensorData } from '../../main/runtime/session.ts';
import { writeFileAtomic } from '../../main/system/atomic-file.ts';
import { Golden, largestDifference } from '../nn/golden.ts';

const weightFile = (name: string) => new URL(`../fixtures/golden/weights/${name}`, import.meta.url).pathname;
const images = new Golden('inputs.safetensors');
const golden = new Golden('cases/teacher.safetensors');
const allLayers = Array.from({ length: 12 }, (_, i) => i + 1);

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'twinspect-teacher-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Runs a teacher's graph on a golden picture that is already normalised. */
async function run(
  weights: Dinov2Weights,
  size: string,
  options: Partial<TeacherGraphOptions> = {},
): Promise<Record<string, TensorData>> {
  const image = images.tensor(`image_${size}`);
  const [, , height, width] = image.shape as [number, number, number, number];
  const file = path.join(folder, 'teacher.onnx');
  const written = await writeTeacherGraph(
    weights,
    { width, height, positionMode: 'scale_offset', input: 'image', ...options },
    file,
  );
  const session = await openSessionInline(file, { threads: 1 });
  try {
    expect(session.description.outputNames).toEqual(written.outputs.map(({ name }) => name));
    const feed = { dtype: 'float32' as const, dims: image.shape, data: image.dataSync() as Float32Array };
    const results = await session.run({ image: feed });
    for (const { name, shape } of written.outputs) {
      expect(results[name]!.dims, name).toEqual(shape.map((n) => (n === 'batch' ? image.shape[0] : n)));
    }
    return results;
  } finally {
    await session.close();
  }
}

const dataOf = (tensor: TensorData | undefined) => tensor!.data as Float32Array;

/** `[B, m, C]` -> `[m, B, C]`, the order of the golden class tokens. */
function layersFirst({ dims, data }: TensorData): Float32Array {
  const [batch, count, width] = dims as [number, number, number];
  const out = new Float32Array(data.length);
  for (let b = 0; b < batch; b += 1) {
    for (let j = 0; j < count; j += 1) {
      const from = (b * count + j) * width;
      out.set((data as Float32Array).subarray(from, from + width), (j * batch + b) * width);
    }
  }
  return out;
}

/** Tokens `[from, to)` of all layers as `[layers, B, to - from, C]`. */
function tokensOf(results: Record<string, TensorData>, from: number, to: number): number[] {
  return allLayers.flatMap((number) => {
    const { dims, data } = results[`layer${number}`]!;
    const [batch, tokens, width] = dims as [number, number, number];
    return Array.from({ length: batch }, (_, b) =>
      Array.from((data as Float32Array).subarray((b * tokens + from) * width, (b * tokens + to) * width)),
    ).flat();
  });
}

function check(name: string, actual: ArrayLike<number>): void {
  expect(largestDifference(actual, golden.values(name)), name).toBeLessThanOrEqual(golden.atol(name));
}

describe('teacher graph against the golden vectors', () => {
  it.each(['original', 'hf'])('every tensor of every size, %s names', async (naming) => {
    const weights = await openDinov2Weights(weightFile(`teacher.${naming}.safetensors`), { customHeads: 2 });
    for (const size of ['56', '70', '84', '56x84']) {
      const all = await run(weights, size, { taps: allLayers, normed: true });
      check(`size${size}.tokens0`, dataOf(all['tokens0']));
      check(`size${size}.class_tokens`, layersFirst(all['teacherClassTokens']!));
      check(`size${size}.final_normed`, dataOf(all['normed']));
      if (golden.stored.has(`size${size}.patch_tokens`)) {
        check(`size${size}.patch_tokens`, tokensOf(all, 5, all['tokens0']!.dims[1]!));
        check(`size${size}.register_tokens`, tokensOf(all, 1, 5));
      }
      // The last block for the class token alone.
      const few = await run(weights, size, { tokens0: false });
      check(`size${size}.class_tokens`, layersFirst(few['teacherClassTokens']!));
    }
  });

  it.each(['size_antialias', 'size'] as const)('position mode %s', async (positionMode) => {
    const weights = await openDinov2Weights(weightFile('teacher.hf.safetensors'), { customHeads: 2 });
    const results = await run(weights, '56', { positionMode });
    check(`size56.${positionMode}.tokens0`, dataOf(results['tokens0']));
    check(`size56.${positionMode}.class_tokens`, layersFirst(results['teacherClassTokens']!));
  });

  it('without registers', async () => {
    const { tensors } = await readSafetensors(weightFile('teacher.original.safetensors'));
    tensors.delete('register_tokens');
    const file = path.join(folder, 'bare.safetensors');
    await writeFileAtomic(file, writeSafetensors(tensors));
    const weights = await openDinov2Weights(file, { customHeads: 2, registers: 0 });
    const results = await run(weights, '56', { positionMode: 'size', normed: true });
    check('size56.no_registers.size.class_tokens', layersFirst(results['teacherClassTokens']!));
    check('size56.no_registers.size.final_normed', dataOf(results['normed']));
  });

  it('gives group means, patches and, from pixels, the same numbers as from a normalised picture', async () => {
    const weights = await openDinov2Weights(weightFile('teacher.hf.safetensors'), { customHeads: 2 });
    const options = { taps: [3, 4, 5, 6], groups: [[3, 4, 5, 6]], patches: true } as const;
    const results = await run(weights, '56x84', options);
    const mean = Float32Array.from(
      dataOf(results['layer3']),
      (value, i) => [4, 5, 6].reduce((sum, layer) => sum + dataOf(results[`layer${layer}`])[i]!, value) / 4,
    );
    expect(largestDifference(dataOf(results['teacherGroup1']), mean)).toBeLessThan(1e-6);
    expect(dataOf(results['patches'])).toEqual(patchify(images.tensor('image_56x84'), 14).dataSync());

    const [height, width] = [56, 84];
    const pixels = Uint8Array.from({ length: height * width * 3 }, (_, i) => (i * 7919) % 256);
    const file = path.join(folder, 'pixels.onnx');
    await writeTeacherGraph(weights, { width, height, positionMode: 'size', patches: true }, file);
    const session = await openSessionInline(file, { threads: 1 });
    const out = await session.run({ pixels: { dtype: 'uint8', dims: [1, height, width, 3], data: pixels } });
    await session.close();
    // Patch 7 is in row 1, column 1; its green value of row 2, column 3.
    const at = ((14 + 2) * width + 14 + 3) * 3 + 1;
    const expected = (pixels[at]! / 255 - 0.456) / 0.224;
    expect(dataOf(out['patches'])[7 * 588 + 196 + 2 * 14 + 3]).toBeCloseTo(expected, 5);
  });

  it('keeps numbers beside the graph where asked, with equal results', async () => {
    const weights = await openDinov2Weights(weightFile('teacher.hf.safetensors'), { customHeads: 2 });
    const inline = await run(weights, '84', { storage: 'inline' });
    const external = await run(weights, '84', { storage: 'external' });
    expect(external).toEqual(inline);
  });

  it.each([
    ['float16-storage', 0.02],
    ['int8', 0.5],
  ] as const)('%s stays near float32', async (precision, within) => {
    const weights = await openDinov2Weights(weightFile('teacher.hf.safetensors'), { customHeads: 2 });
    const exact = await run(weights, '56');
    const near = await run(weights, '56', { precision });
    const difference = largestDifference(dataOf(near['teacherClassTokens']), dataOf(exact['teacherClassTokens']));
    expect(difference).toBeGreaterThan(0);
    expect(difference).toBeLessThan(within);
  });

  it.each(['inline', 'external'] as const)(
    'disk full at 90 %%, %s: a message, nothing left behind',
    async (storage) => {
      const inner = await mkdtemp(path.join(folder, 'full-'));
      const graph = () => {
        const made = new OnnxGraph();
        const load = () => Promise.resolve(new Uint8Array(40_000));
        const parts = ['a', 'b', 'c'].map((name) => made.lazyInitializer(name, 'float32', [10_000], load));
        made.output('sum', made.node('Sum', parts)[0], 'float32', [10_000]);
        return made;
      };
      const { bytes } = await writeGraph(graph(), path.join(inner, 'whole.onnx'), storage);
      for (const name of await readdir(inner)) await rm(path.join(inner, name));
      let room = bytes * 0.9;
      /** A disk with that much room. */
      const full = Object.assign(Object.create(nodeFs) as typeof nodeFs, {
        open: async (...args: Parameters<typeof nodeFs.open>) => {
          const handle = await nodeFs.open(...args);
          const write = handle.writeFile.bind(handle);
          handle.writeFile = async (content) => {
            room -= (content as Uint8Array).length;
            if (room < 0) throw Object.assign(new Error('ENOSPC: no space left'), { code: 'ENOSPC' });
            await write(content);
          };
          return handle;
        },
      });
      const failed = writeGraph(graph(), path.join(inner, 'graph.onnx'), storage, full);
      await expect(failed).rejects.toMatchObject({ code: 'diskFull' });
      expect(await readdir(inner)).toEqual([]);
    },
  );

  it('refuses sizes that are not made of patches, saying which fits', async () => {
    const weights = await openDinov2Weights(weightFile('teacher.hf.safetensors'), { customHeads: 2 });
    const write = writeTeacherGraph(weights, { width: 60, height: 400, positionMode: 'size' }, path.join(folder, 'x'));
    await expect(write).rejects.toThrow(/60 x 400 pixels are not made of whole ones\. Take 56 x 406: .*resized/);
    expect([1, 20, 21, 392, 400].map((side) => fittingSide(side))).toEqual([14, 14, 28, 392, 406]);
  });
});
