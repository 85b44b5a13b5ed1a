/**
 * The names DINOv2's tensors have in the public files (method-spec section 2.2): Meta's original `.pth` (torch hub), the
 * Hugging Face safetensors, and timm. All are brought to the original names here, from names and shapes alone.
 */
import type { StoredTensor, WeightTensor } from './weight-tensor.ts';

/** Whose names a file uses. */
export type Dinov2Naming = 'huggingface' | 'original' | 'timm';

/** What shapes and names say about an encoder. */
export interface Dinov2Layout {
  readonly embedDim: number;
  readonly depth: number;
  readonly registers: number;
  readonly patch: number;
  /** Side of the stored square table of positions. */
  readonly storedGrid: number;
}

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

/** The same inside a block, except for the fused projection of queries, keys and values. */
const blockNames: Readonly<Record<string, string>> = Object.fromEntries([
  ...['norm1', 'norm2', 'mlp.fc1', 'mlp.fc2'].flatMap((name) =>
    ['weight', 'bias'].map((leaf) => [`${name}.${leaf}`, `${name}.${leaf}`]),
  ),
  ...['weight', 'bias'].map((leaf) => [`attn.proj.${leaf}`, `attention.output.dense.${leaf}`]),
  ...[1, 2].map((i) => [`ls${i}.gamma`, `layer_scale${i}.lambda1`]),
]) as Record<string, string>;

/** Shapes of all tensors of an encoder by original name, in a fixed order. */
export function dinov2Shapes({
  embedDim: c,
  depth,
  registers,
  patch,
  storedGrid,
}: Dinov2Layout): Map<string, number[]> {
  const block: Record<string, number[]> = {
    'norm1.weight': [c],
    'norm1.bias': [c],
    'attn.qkv.weight': [3 * c, c],
    'attn.qkv.bias': [3 * c],
    'attn.proj.weight': [c, c],
    'attn.proj.bias': [c],
    'ls1.gamma': [c],
    'norm2.weight': [c],
    'norm2.bias': [c],
    'mlp.fc1.weight': [4 * c, c],
    'mlp.fc1.bias': [4 * c],
    'mlp.fc2.weight': [c, 4 * c],
    'mlp.fc2.bias': [c],
    'ls2.gamma': [c],
  };
  const shapes = new Map<string, number[]>();
  shapes.set('cls_token', [1, 1, c]);
  shapes.set('pos_embed', [1, 1 + storedGrid ** 2, c]);
  if (registers > 0) shapes.set('register_tokens', [1, registers, c]);
  shapes.set('patch_embed.proj.weight', [c, 3, patch, patch]);
  shapes.set('patch_embed.proj.bias', [c]);
  for (let i = 0; i < depth; i += 1) {
    for (const [key, shape] of Object.entries(block)) shapes.set(`blocks.${i}.${key}`, shape);
  }
  shapes.set('norm.weight', [c]);
  shapes.set('norm.bias', [c]);
  return shapes;
}

/** Names under which a file of a naming holds a tensor: three for the projections Hugging Face keeps apart, else one. */
export function storedNames(key: string, naming: Dinov2Naming): string[] {
  if (naming === 'timm') return [key === 'register_tokens' ? 'reg_token' : key];
  if (naming === 'original') return [key];
  const inBlock = /^blocks\.(\d+)\.(.+)$/.exec(key);
  if (inBlock === null) return [topNames[key] ?? key];
  const [, index, name] = inBlock as unknown as [string, string, string];
  const start = `encoder.layer.${index}.`;
  const qkv = /^attn\.qkv\.(\w+)$/.exec(name);
  if (qkv === null) return [start + (blockNames[name] ?? name)];
  return ['query', 'key', 'value'].map((part) => `${start}attention.attention.${part}.${qkv[1]}`);
}

/** Tensors of a file without a prefix that all of an encoder's names share, e.g. `dinov2.` or `teacher.backbone.`. */
export function withoutPrefix(tensors: ReadonlyMap<string, StoredTensor>):
  | {
      naming: 'huggingface' | 'original';
      tensors: Map<string, StoredTensor>;
      /** What doesn't start with the prefix: a classifier's head, for example. */
      rest: string[];
      /** More than one encoder is in the file. */
      isAmbiguous: boolean;
    }
  | undefined {
  const anchors = [...tensors.keys()].flatMap((key) => {
    for (const [naming, anchor] of [
      ['huggingface', 'embeddings.cls_token'],
      ['original', 'cls_token'],
    ] as const) {
      if (key === anchor || key.endsWith(`.${anchor}`)) return [{ naming, prefix: key.slice(0, -anchor.length) }];
    }
    return [];
  });
  const [found] = anchors;
  if (found === undefined) return undefined;
  const inside = new Map<string, StoredTensor>();
  const rest: string[] = [];
  for (const [key, tensor] of tensors) {
    if (key.startsWith(found.prefix)) inside.set(key.slice(found.prefix.length), tensor);
    else rest.push(key);
  }
  return { naming: found.naming, tensors: inside, rest, isAmbiguous: anchors.length > 1 };
}

/** Number of blocks by the highest index, 0 where there are none. */
export function blockCount(tensors: ReadonlyMap<string, StoredTensor>, naming: 'huggingface' | 'original'): number {
  const pattern = naming === 'original' ? /^blocks\.(\d{1,3})\./ : /^encoder\.layer\.(\d{1,3})\./;
  let highest = -1;
  for (const key of tensors.keys()) {
    const index = pattern.exec(key)?.[1];
    if (index !== undefined) highest = Math.max(highest, Number(index));
  }
  return highest + 1;
}

/**
 * timm adds the class position into the class token when it converts a model with registers, and drops it from the table
 * (`[1, M^2, C]`). The sum is all that the network ever uses, so nothing needs to be undone: the class position becomes
 * zero. timm rounds the sum to float32 just as the graph here does, so the tokens are the same to the last bit.
 */
export function withClassPosition(stored: StoredTensor, shape: readonly number[]): WeightTensor {
  return { shape, pieces: [{ zeros: shape[2]! }, stored] };
}
