/** DINOv2 weights under one set of names, whichever of the two public namings a file uses (method-spec section 2.2). */
import { UserError } from '../../shared/errors.ts';
import type { NamedArray } from '../nn/init.ts';
import { floatTensor, type Safetensor } from './safetensors.ts';

/** A DINOv2 encoder's weights under the names of the original `.pth` files, and what its shapes say about it. */
export interface Dinov2Weights {
  readonly params: Map<string, NamedArray>;
  readonly embedDim: number;
  readonly depth: number;
  /** Number of register tokens, 0 for the models without. */
  readonly registers: number;
  /** Side of the stored square table of positions, 37 for the public models. */
  readonly storedGrid: number;
  /** Side of a patch in pixels. */
  readonly patch: number;
}

const prefixes = ['dinov2_with_registers.', 'dinov2.'];

/** Original name -> Hugging Face name of the tensors outside the blocks. */
const topNames: Readonly<Record<string, string>> = {
  cls_token: 'embeddings.cls_token',
  pos_embed: 'embeddings.position_embeddings',
  register_tokens: 'embeddings.register_tokens',
  'patch_embed.proj.weight': 'embeddings.patch_embeddings.projection.weight',
  'patch_embed.proj.bias': 'embeddings.patch_embeddings.projection.bias',
  'norm.weight': 'layernorm.weight',
  'norm.bias': 'layernorm.bias',
};

/** The same inside block `i`, except for the fused projection of queries, keys and values. */
const blockNames: Readonly<Record<string, string>> = Object.fromEntries([
  ...['norm1', 'norm2', 'mlp.fc1', 'mlp.fc2'].flatMap((name) =>
    ['weight', 'bias'].map((leaf) => [`${name}.${leaf}`, `${name}.${leaf}`]),
  ),
  ...['weight', 'bias'].map((leaf) => [`attn.proj.${leaf}`, `attention.output.dense.${leaf}`]),
  ...[1, 2].map((i) => [`ls${i}.gamma`, `layer_scale${i}.lambda1`]),
]) as Record<string, string>;

/**
 * Brings a DINOv2 file (original or Hugging Face names, with or without their prefixes) to the original names and
 * checks every shape. `mask_token`, which nothing uses, is left out.
 * @param name what to call the file in messages
 * @throws UserError `safetensorsInvalid` for a tensor missing or misshapen, `backboneUnknown` when it is no DINOv2 ViT
 */
export function dinov2Weights(file: ReadonlyMap<string, Safetensor>, name: string): Dinov2Weights {
  const tensors = new Map(
    [...file].map(([key, tensor]) => {
      const prefix = prefixes.find((start) => key.startsWith(start)) ?? '';
      return [key.slice(prefix.length), tensor];
    }),
  );
  const original = tensors.has('cls_token');
  const classToken = tensors.get(original ? 'cls_token' : topNames['cls_token']!);
  const kernel = tensors.get(original ? 'patch_embed.proj.weight' : topNames['patch_embed.proj.weight']!);
  const table = tensors.get(original ? 'pos_embed' : topNames['pos_embed']!);
  const embedDim = classToken?.shape.at(-1) ?? 0;
  const patch = kernel?.shape.at(-1) ?? 0;
  const storedGrid = Math.round(Math.sqrt((table?.shape[1] ?? 1) - 1));
  const blockStart = original ? 'blocks.' : 'encoder.layer.';
  const indices = [...tensors.keys()]
    .filter((key) => key.startsWith(blockStart))
    .map((key) => blockIndex(key, original));
  const depth = Math.max(-1, ...indices) + 1;
  if (embedDim === 0 || patch === 0 || storedGrid === 0 || !(depth > 0 && depth <= 64)) {
    throw new UserError(
      'backboneUnknown',
      `${name} holds no DINOv2 vision transformer.`,
      'Give a file of a DINOv2 model with names as published by Meta or by Hugging Face.',
    );
  }
  const registers = tensors.get(original ? 'register_tokens' : topNames['register_tokens']!)?.shape[1] ?? 0;

  const c = embedDim;
  const params = new Map<string, NamedArray>();
  const take = (key: string, stored: string, shape: number[]) => {
    params.set(key, { shape, data: floatTensor(tensors, stored, name, shape) });
  };
  const topShapes: Record<string, number[]> = {
    cls_token: [1, 1, c],
    pos_embed: [1, 1 + storedGrid ** 2, c],
    ...(registers > 0 ? { register_tokens: [1, registers, c] } : {}),
    'patch_embed.proj.weight': [c, 3, patch, patch],
    'patch_embed.proj.bias': [c],
    'norm.weight': [c],
    'norm.bias': [c],
  };
  for (const [key, shape] of Object.entries(topShapes)) take(key, original ? key : topNames[key]!, shape);
  const hidden = 4 * c;
  const blockShapes: Record<string, number[]> = {
    'attn.proj.weight': [c, c],
    'mlp.fc1.weight': [hidden, c],
    'mlp.fc1.bias': [hidden],
    'mlp.fc2.weight': [c, hidden],
  };
  for (let i = 0; i < depth; i += 1) {
    for (const [key, other] of Object.entries(blockNames)) {
      const stored = original ? `blocks.${i}.${key}` : `encoder.layer.${i}.${other}`;
      take(`blocks.${i}.${key}`, stored, blockShapes[key] ?? [c]);
    }
    for (const [leaf, tail] of [
      ['weight', [c]],
      ['bias', []],
    ] as const) {
      const key = `blocks.${i}.attn.qkv.${leaf}`;
      if (original) {
        take(key, key, [3 * c, ...tail]);
        continue;
      }
      const parts = ['query', 'key', 'value'].map((part) =>
        floatTensor(tensors, `encoder.layer.${i}.attention.attention.${part}.${leaf}`, name, [c, ...tail]),
      );
      const data = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
      parts.forEach((part, row) => data.set(part, row * part.length));
      params.set(key, { shape: [3 * c, ...tail], data });
    }
  }
  return { params, embedDim, depth, registers, storedGrid, patch };
}

function blockIndex(key: string, original: boolean): number {
  const index = key.split('.')[original ? 1 : 2] ?? '';
  return /^\d{1,3}$/.test(index) ? Number(index) : -1;
}
