import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openDinov2Weights, parameterCount, type ExpectedDinov2 } from '../../main/backbones/dinov2.ts';
import { readSafetensors, writeSafetensors, type Safetensor } from '../../main/backbones/safetensors.ts';
import { seededTensors, writeSeededWeights, type SeededWeightsOptions } from '../../main/backbones/seeded-weights.ts';
import { readRows, readWeight, Scratch, tensorInMemory } from '../../main/backbones/weight-tensor.ts';

const golden = (name: string) => new URL(`../fixtures/golden/weights/${name}`, import.meta.url).pathname;
const tiny: ExpectedDinov2 = { customHeads: 2 };
const size = { embedDim: 32, depth: 3, storedGrid: 5 };

let folder: string;
let count = 0;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'twinspect-weights-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function seeded(options: Partial<SeededWeightsOptions> = {}, name = 'weights.safetensors'): Promise<string> {
  const inner = path.join(folder, String((count += 1)));
  await mkdir(inner);
  return (await writeSeededWeights(path.join(inner, name), { size, ...options }))[0]!;
}

/** A golden file with its tensors changed. */
async function changed(change: (tensors: Map<string, Safetensor>) => void, from = 'teacher.hf.safetensors') {
  const { tensors } = await readSafetensors(golden(from));
  change(tensors);
  const file = path.join(folder, `changed-${(count += 1)}.safetensors`);
  await writeFile(file, writeSafetensors(tensors));
  return file;
}

/** All numbers under the original names. */
async function numbersOf(file: string, expected = tiny): Promise<Map<string, Float32Array>> {
  const { tensors } = await openDinov2Weights(file, expected);
  const out = new Map<string, Float32Array>();
  for (const [key, tensor] of tensors) out.set(key, await readWeight(tensor, key));
  return out;
}

describe('openDinov2Weights', () => {
  it('reads both golden namings, prefixed or not, into the same numbers', async () => {
    const original = await openDinov2Weights(golden('teacher.original.safetensors'), tiny);
    expect(original).toMatchObject({ naming: 'original', size: 'custom', embedDim: 32, depth: 12, registers: 4 });
    expect(original).toMatchObject({ storedGrid: 5, patch: 14, heads: 2 });
    expect(original.tensors.has('mask_token')).toBe(false);
    expect(original.statement).toMatch(/^DINOv2 ViT of width 32 .* with 4 registers, float32, Meta's original names/);
    const bytes = await readFile(golden('teacher.original.safetensors'));
    expect(original.hash).toBe(createHash('sha256').update(bytes).digest('hex'));

    const expected = await numbersOf(golden('teacher.original.safetensors'));
    expect(await numbersOf(golden('teacher.hf.safetensors'))).toEqual(expected);
    for (const prefix of ['dinov2.', 'dinov2_with_registers.', 'teacher.backbone.']) {
      const renamed = await changed((tensors) => {
        for (const [key, tensor] of [...tensors]) {
          tensors.delete(key);
          tensors.set(prefix + key, tensor);
        }
        tensors.set('classifier.weight', [...tensors.values()][0]!);
      });
      expect(await numbersOf(renamed), prefix).toEqual(expected);
    }
  });

  it('reads every form with equal numbers', async () => {
    const expected = await numbersOf(await seeded());
    expect(expected.size).toBe(7 + 3 * 14);
    const forms: [string, string][] = [
      ['original', 'weights.safetensors'],
      ['original', 'weights.pth'],
      ['huggingface', 'pytorch_model.bin'],
    ];
    for (const [naming, name] of forms) {
      const file = await seeded({ naming: naming as 'original' }, name);
      expect(await numbersOf(file), `${naming} ${name}`).toEqual(expected);
      expect((await openDinov2Weights(file, tiny)).naming).toBe(naming);
    }
    const index = await seeded({ form: 'sharded' }, 'model.safetensors.index.json');
    expect(await numbersOf(index)).toEqual(expected);
    const sharded = await openDinov2Weights(path.dirname(index), tiny);
    expect(sharded.files).toHaveLength(2);
    expect(sharded.statement).toContain('in 2 files');
  });

  it('reads timm files, whose class position is already added', async () => {
    const plain = await numbersOf(await seeded());
    const file = await seeded({ naming: 'timm' });
    const weights = await openDinov2Weights(file, tiny);
    expect(weights).toMatchObject({ naming: 'timm', registers: 4, storedGrid: 5 });
    const timm = await numbersOf(file);
    const sum = (numbers: Map<string, Float32Array>) =>
      numbers.get('cls_token')!.map((value, c) => value + numbers.get('pos_embed')![c]!);
    expect(sum(timm)).toEqual(sum(plain));
    expect(timm.get('pos_embed')!.subarray(32)).toEqual(plain.get('pos_embed')!.subarray(32));
    expect(timm.get('register_tokens')).toEqual(plain.get('register_tokens'));
    // Without registers timm keeps the table whole.
    const bare = await numbersOf(await seeded({ naming: 'timm', registers: 0 }));
    expect(bare.get('pos_embed')).toEqual(plain.get('pos_embed'));
  });

  it('reads half precision', async () => {
    const plain = await numbersOf(await seeded());
    for (const [dtype, within] of [
      ['F16', 2 ** -11],
      ['BF16', 2 ** -7],
    ] as const) {
      for (const name of ['half.safetensors', 'half.pth']) {
        const half = await numbersOf(await seeded({ dtype }, name));
        for (const [key, data] of half) {
          const exact = plain.get(key)!;
          const isNear = data.every((value, i) => Math.abs(value - exact[i]!) <= Math.abs(exact[i]!) * within + 1e-7);
          expect(isNear, `${dtype} ${key}`).toBe(true);
        }
      }
    }
  });

  it('reads rows of a tensor across the pieces of its file', async () => {
    for (const naming of ['huggingface', 'original'] as const) {
      const { tensors } = await openDinov2Weights(await seeded({ naming }), tiny);
      const tensor = tensors.get('blocks.1.attn.qkv.weight')!;
      const all = await readWeight(tensor, 'qkv');
      expect(await readRows(tensor, 20, 50, 'qkv')).toEqual(all.slice(20 * 32, 70 * 32));
      expect(await readRows(tensor, 32, 32, 'qkv')).toEqual(all.slice(32 * 32, 64 * 32));
    }
    const { tensors } = await openDinov2Weights(await seeded({ naming: 'timm' }), tiny);
    const table = await readWeight(tensors.get('pos_embed')!, 'table');
    expect(table.subarray(0, 32)).toEqual(new Float32Array(32));
  });

  it('takes numbers that are in memory, into memory that is used again, and leaves them as they are', async () => {
    const all = Float32Array.from({ length: 96 * 32 }, (_, i) => i);
    const kept = tensorInMemory([96, 32], all);
    const scratch = new Scratch();
    const rows = await readRows(kept, 20, 50, 'qkv', scratch.take);
    expect(rows).toEqual(all.slice(20 * 32, 70 * 32));
    rows.fill(0);
    scratch.reset();
    const again = await readRows(kept, 20, 50, 'qkv', scratch.take);
    expect(again.buffer).toBe(rows.buffer);
    expect(again).toEqual(all.slice(20 * 32, 70 * 32));
  });

  it('has the published sizes', () => {
    const counts = (['small', 'base', 'large'] as const).map((name) => {
      const tensors = seededTensors({ size: name });
      return tensors.reduce((sum, { byteLength }) => sum + byteLength / 4, 0);
    });
    expect(counts).toEqual([22_058_112, 86_583_552, 304_372_736]);
  });
});

describe('files that are not what is needed', () => {
  const small = (file: string, expected: ExpectedDinov2 = {}) => openDinov2Weights(file, expected);

  it('names size and registers found and expected', async () => {
    const bare = await seeded({ registers: 0 });
    await expect(small(bare, { ...tiny, registers: 4 })).rejects.toThrow(
      /is a ViT of width 32 and 3 blocks without registers; the preset expects with 4 registers/,
    );
    const layout = { embedDim: 384, depth: 12, storedGrid: 1 };
    const vit = await seeded({ size: layout, registers: 0 });
    await expect(small(vit, { size: 'base', registers: 4 })).rejects.toThrow(
      /is ViT-S\/14 without registers; the preset expects ViT-B\/14 with 4 registers\. Give the weights the preset names/,
    );
    const opened = await small(vit, { size: 'small', registers: 0 });
    expect(opened).toMatchObject({ size: 'small', heads: 6 });
    expect(parameterCount(opened)).toBe(22_056_576 - 1368 * 384);
    const short = await seeded({ size: { ...layout, depth: 11 } });
    await expect(small(short)).rejects.toThrow(/width of ViT-S\/14 but 11 blocks instead of 12/);
    await expect(small(await seeded())).rejects.toThrow(/width 32 and 3 blocks .* no public size/);
  });

  it('explains other networks', async () => {
    const gated = await changed((tensors) => {
      const weight = tensors.get('encoder.layer.0.mlp.fc1.weight')!;
      tensors.delete('encoder.layer.0.mlp.fc1.weight');
      tensors.set('encoder.layer.0.mlp.weights_in.weight', weight);
    });
    await expect(small(gated, tiny)).rejects.toThrow(/ViT-g, whose gated MLP is not supported/);
    const one: Safetensor = { dtype: 'F32', shape: [1], data: new Float32Array(1) };
    const cases: [string, RegExp][] = [
      ['layer1.0.conv1.weight', /looks like a ResNet/],
      ['vision_model.encoder.weight', /looks like CLIP/],
      ['decoder.0.attn.qkv.weight', /holds students/],
      ['blocks.0.3.attn.qkv.weight', /blocks are in chunks, as in training checkpoints/],
      ['something', /holds no vision transformer/],
    ];
    for (const [key, message] of cases) {
      const file = await changed((tensors) => {
        tensors.clear();
        tensors.set(key, one);
      });
      await expect(small(file)).rejects.toThrow(message);
    }
    const sixteen = await changed((tensors) => {
      tensors.set('embeddings.patch_embeddings.projection.weight', {
        dtype: 'F32',
        shape: [1, 3, 16, 16],
        data: new Float32Array(768),
      });
    });
    await expect(small(sixteen, tiny)).rejects.toThrow(/patches have 16 x 16 pixels, not 14 x 14/);
    const two = await changed((tensors) => tensors.set('teacher.cls_token', one));
    await expect(small(two, tiny)).rejects.toThrow(/several networks/);
  });

  it('names what is missing, misshapen or unknown', async () => {
    const original = 'teacher.original.safetensors';
    const missing = await changed((tensors) => tensors.delete('blocks.3.attn.qkv.bias'), original);
    await expect(small(missing, tiny)).rejects.toThrow(
      /needs the tensor 'blocks\.3\.attn\.qkv\.bias', which is missing/,
    );
    const misshapen = await changed((tensors) => {
      tensors.set('blocks.3.attn.qkv.bias', tensors.get('norm.weight')!);
    }, original);
    await expect(small(misshapen, tiny)).rejects.toThrow(/'blocks\.3\.attn\.qkv\.bias': \[32\] instead of \[96\]/);
    const strange = await changed((tensors) => {
      tensors.set('blocks.3.attn.q_norm.weight', tensors.get('norm.weight')!);
    }, original);
    await expect(small(strange, tiny)).rejects.toThrow(/'blocks\.3\.attn\.q_norm\.weight', which no DINOv2 has/);
    const hole = await changed((tensors) => {
      for (const key of [...tensors.keys()]) if (key.startsWith('blocks.5.')) tensors.delete(key);
    }, original);
    await expect(small(hole, tiny)).rejects.toThrow(/'blocks\.5\.norm1\.weight', which is missing/);
  });

  it('finds numbers that are none when it reads them', async () => {
    const file = await changed((tensors) => {
      (tensors.get('encoder.layer.2.mlp.fc2.bias')!.data as Float32Array)[7] = NaN;
      (tensors.get('layernorm.bias')!.data as Float32Array)[0] = -Infinity;
    });
    const { tensors } = await openDinov2Weights(file, tiny);
    await expect(readWeight(tensors.get('blocks.2.mlp.fc2.bias')!, 'blocks.2.mlp.fc2.bias')).rejects.toThrow(
      /tensor 'blocks\.2\.mlp\.fc2\.bias' holds NaN, which is not a finite number/,
    );
    await expect(readWeight(tensors.get('norm.bias')!, 'norm.bias')).rejects.toThrow(/holds -Infinity/);
  });

  it('tells half-downloaded files and stand-ins for files', async () => {
    for (const [name, message] of [
      ['weights.safetensors', /incomplete.*bytes of data are there/],
      ['weights.pth', /its end is missing, the download may be incomplete/],
    ] as const) {
      const file = await seeded({}, name);
      const { size: bytes } = await readFile(file).then(({ length }) => ({ size: length }));
      await truncate(file, Math.floor(bytes / 2));
      await expect(openDinov2Weights(file, tiny), name).rejects.toThrow(message);
    }
    const stand: [string, string | Uint8Array, RegExp][] = [
      ['a.safetensors', '', /it is empty/],
      ['b.safetensors', 'version https://git-lfs.github.com/spec/v1\noid sha256:00\n', /pointer of Git LFS/],
      ['c.pth', '<!DOCTYPE html><html>', /it is a web page/],
      ['d.pth', Uint8Array.from([0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46]), /before version 1\.6.*torch\.save/],
      ['e.index.json', '{"weight_map":{"a":"../../x.safetensors"}}', /names an odd file "\.\.\/\.\.\/x/],
      ['f.index.json', '{"weight_map":{"a":"gone.safetensors"}}', /gone\.safetensors is missing, one of 1 parts/],
      ['g.index.json', '{}', /its index names no tensors/],
      ['h.index.json', '{', /its index is not valid JSON/],
    ];
    for (const [name, content, message] of stand) {
      const file = path.join(folder, name);
      await writeFile(file, content);
      await expect(openDinov2Weights(file), name).rejects.toThrow(message);
    }
    await expect(openDinov2Weights(path.join(folder, 'nothing'))).rejects.toThrow(/can't be read/);
    const empty = path.join(folder, 'empty');
    await mkdir(empty);
    await expect(openDinov2Weights(empty)).rejects.toThrow(/holds no weight file/);
    const two = path.join(folder, 'two');
    await mkdir(two);
    for (const name of ['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors']) {
      await writeFile(path.join(two, name), Buffer.alloc(16));
    }
    await expect(openDinov2Weights(two)).rejects.toThrow(/holds 2 weight files .* no index of theirs/);
    const shard = path.join(two, 'model-00002-of-00002.safetensors');
    await expect(openDinov2Weights(shard)).rejects.toThrow(/only part 2 of 2 of a weight file\. Give the index/);
  });

  it('finds an index that places tensors where they are not', async () => {
    const index = await seeded({ form: 'sharded' }, 'model.safetensors.index.json');
    const json = JSON.parse(await readFile(index, 'utf8')) as { weight_map: Record<string, string> };
    json.weight_map['embeddings.cls_token'] = 'model-00002-of-00002.safetensors';
    await writeFile(index, JSON.stringify(json));
    await expect(openDinov2Weights(index, tiny)).rejects.toThrow(
      /places the tensor 'embeddings\.cls_token' where it is not/,
    );
  });
});
