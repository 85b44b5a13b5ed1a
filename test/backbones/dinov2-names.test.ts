import { describe, expect, it } from 'vitest';
import { dinov2Weights } from '../../main/backbones/dinov2-names.ts';
import { readSafetensors } from '../../main/backbones/safetensors.ts';

const load = async (file: string) =>
  (await readSafetensors(new URL(`../fixtures/golden/weights/${file}`, import.meta.url).pathname)).tensors;

describe('dinov2Weights', () => {
  it('reads both namings, prefixed or not, into the same parameters', async () => {
    const original = dinov2Weights(await load('teacher.original.safetensors'), 'original');
    expect(original).toMatchObject({ embedDim: 32, depth: 12, registers: 4, storedGrid: 5, patch: 14 });
    expect(original.params.has('mask_token')).toBe(false);
    const hf = await load('teacher.hf.safetensors');
    for (const prefix of ['', 'dinov2_with_registers.']) {
      const renamed = new Map([...hf].map(([key, tensor]) => [prefix + key, tensor]));
      const mapped = dinov2Weights(renamed, 'hf');
      expect([...mapped.params.keys()].sort()).toEqual([...original.params.keys()].sort());
      for (const [key, { shape, data }] of mapped.params) {
        expect(shape, key).toEqual(original.params.get(key)?.shape);
        expect(data, key).toEqual(original.params.get(key)?.data);
      }
    }
  });

  it('does without registers', async () => {
    const tensors = await load('teacher.original.safetensors');
    tensors.delete('register_tokens');
    expect(dinov2Weights(tensors, 'bare').registers).toBe(0);
  });

  it('names what is missing or misshapen', async () => {
    const tensors = await load('teacher.original.safetensors');
    tensors.delete('blocks.3.attn.qkv.bias');
    expect(() => dinov2Weights(tensors, 'x.safetensors')).toThrow(/blocks\.3\.attn\.qkv\.bias' is missing/);
    tensors.set('blocks.3.attn.qkv.bias', tensors.get('norm.weight')!);
    expect(() => dinov2Weights(tensors, 'x.safetensors')).toThrow(/\[32\] instead of \[96\]/);
    expect(() => dinov2Weights(new Map(), 'x.safetensors')).toThrow(/no DINOv2/);
  });
});
