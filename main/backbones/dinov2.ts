/**
 * DINOv2 weight files of any public form, opened without reading their numbers (method-spec section 2.2).
 * Names are those of the original `.pth` files from here on, whatever the file calls them.
 */
import { UserError } from '../../shared/errors.ts';
import {
  blockCount,
  dinov2Shapes,
  storedNames,
  withClassPosition,
  withoutPrefix,
  type Dinov2Layout,
  type Dinov2Naming,
} from './dinov2-names.ts';
import { elementCount, type FloatDtype, type StoredTensor, type WeightTensor } from './weight-tensor.ts';
import { hashFiles, openWeightFile, type WeightFile } from './weight-file.ts';

export type { Dinov2Naming } from './dinov2-names.ts';

/** Public sizes with patches of 14 pixels (method-spec section 2). */
export const dinov2Sizes = {
  small: { letter: 'S', embedDim: 384, depth: 12, heads: 6 },
  base: { letter: 'B', embedDim: 768, depth: 12, heads: 12 },
  large: { letter: 'L', embedDim: 1024, depth: 24, heads: 16 },
} as const;
export type Dinov2Size = keyof typeof dinov2Sizes;

/** A DINOv2 encoder's weights; the numbers stay in the file, see `readWeight`. */
export interface Dinov2Weights {
  readonly naming: Dinov2Naming;
  /** `custom` for small networks as tests use them, only where the caller allows it. */
  readonly size: Dinov2Size | 'custom';
  /** Register tokens, 4 for the public models that have them. */
  readonly registers: number;
  readonly embedDim: number;
  readonly depth: number;
  readonly heads: number;
  /** Side of a patch in pixels: 14. */
  readonly patch: number;
  /** Side of the stored square table of positions, 37 for the public models. */
  readonly storedGrid: number;
  /** The file to open them by: the only one, or the index of the shards. */
  readonly path: string;
  /** Files that hold the weights: one, or all shards. */
  readonly files: readonly string[];
  /** Bytes of these files together. */
  readonly bytes: number;
  /** sha256 of the file; of several shards, sha256 of their hashes in order of name. */
  readonly hash: string;
  /** By original name, qkv fused; without `mask_token`, which nothing uses. */
  readonly tensors: ReadonlyMap<string, WeightTensor>;
  /** What the file is, for the person: "DINOv2 ViT-S/14 with 4 registers, float32, Hugging Face names, 88.2 MB". */
  readonly statement: string;
}

/** What a graph needs of an encoder's weights, wherever they come from. */
export type EncoderWeights = Pick<
  Dinov2Weights,
  'registers' | 'embedDim' | 'depth' | 'heads' | 'patch' | 'storedGrid' | 'tensors'
>;

/** What a preset needs; a file that is something else is refused, saying what it is. */
export interface ExpectedDinov2 {
  readonly size?: Dinov2Size;
  readonly registers?: number;
  /** Which backbone of the registry they are expected for; without it, it's a preset that expects them. */
  readonly id?: string;
  /** Accept networks of other sizes, with this many heads. For tests: the public files have the public sizes. */
  readonly customHeads?: number;
}

const namingWords: Readonly<Record<Dinov2Naming, string>> = {
  huggingface: 'Hugging Face names',
  original: "Meta's original names",
  timm: 'timm names',
};

const dtypeWords: Readonly<Record<FloatDtype, string>> = {
  F32: 'float32',
  F16: 'float16',
  BF16: 'bfloat16',
  F64: 'float64',
};

const publicNames =
  'Give the file of a DINOv2 ViT-S/14, B/14 or L/14 as published by Meta, on Hugging Face or by timm.';

function unknown(path: string, what: string): UserError {
  return new UserError('backboneUnknown', `${path} can't serve as teacher: ${what}.`, publicNames);
}

/** What networks that are often mistaken for DINOv2 have in their files. */
const otherFamilies: readonly (readonly [RegExp, string])[] = [
  [/(^|\.)mlp\.(w12|w3|weights_in|weights_out)\./, 'it is a DINOv2 ViT-g, whose gated MLP is not supported'],
  [
    /(^|\.)(rope_embed|rope_embeddings)\b|\.k_proj\.weight$/,
    'it looks like DINOv3 or another network with rotary positions',
  ],
  [/(^|\.)vision_model\.|(^|\.)visual\./, 'it looks like CLIP or SigLIP'],
  [/(^|\.)layer[1-4]\.0\.conv1\./, 'it looks like a ResNet'],
  [/(^|\.)blocks\.\d+\.\d+\.(norm1|attn)\./, 'its blocks are in chunks, as in training checkpoints of DINOv2'],
  [/(^|\.)(stages|blocks\.\d+\.\d+|features)\./, 'it looks like a convolutional network'],
  [/(^|\.)(decoder\.\d+|bottleneck\.0)\./, 'it holds students, not the teacher'],
];

/** `ViT-B/14 without registers` */
function describeKind(layout: Pick<Dinov2Layout, 'embedDim' | 'depth' | 'registers' | 'patch'>): string {
  const { registers, patch } = layout;
  const size = sizeOf(layout);
  const name =
    size === 'custom' ? `a ViT of width ${layout.embedDim} and ${layout.depth} blocks` : vitName(size, patch);
  return `${name} ${registers > 0 ? `with ${registers} registers` : 'without registers'}`;
}

function vitName(size: Dinov2Size, patch = 14): string {
  return `ViT-${dinov2Sizes[size].letter}/${patch}`;
}

function sizeOf({ embedDim, depth }: Pick<Dinov2Layout, 'embedDim' | 'depth'>): Dinov2Size | 'custom' {
  const found = Object.entries(dinov2Sizes).find(([, size]) => size.embedDim === embedDim && size.depth === depth);
  return found === undefined ? 'custom' : (found[0] as Dinov2Size);
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

/** @throws UserError `backboneUnknown` */
function readLayout(
  path: string,
  tensors: ReadonlyMap<string, StoredTensor>,
  family: 'huggingface' | 'original',
): Dinov2Layout & { naming: Dinov2Naming; hasClassPosition: boolean } {
  const shapeOf = (key: string): readonly number[] | undefined => tensors.get(storedNames(key, family)[0]!)?.shape;
  const kernel = shapeOf('patch_embed.proj.weight');
  const table = shapeOf('pos_embed');
  const embedDim = shapeOf('cls_token')?.at(-1) ?? 0;
  const depth = blockCount(tensors, family);
  if (kernel?.length !== 4 || table?.length !== 3 || embedDim < 1 || depth < 1) {
    throw unknown(path, 'it has no patch embedding, table of positions or transformer blocks');
  }
  const patch = kernel[3]!;
  if (patch !== 14 || kernel[2] !== 14)
    throw unknown(path, `its patches have ${kernel[2]} x ${patch} pixels, not 14 x 14`);
  const isTimm = tensors.has('reg_token') || Math.sqrt(table[1]!) % 1 === 0;
  const hasClassPosition = Math.sqrt(table[1]! - 1) % 1 === 0;
  const storedGrid = Math.sqrt(table[1]! - Number(hasClassPosition));
  if (storedGrid % 1 !== 0 || storedGrid < 1) throw unknown(path, `its table of positions has ${table[1]} rows`);
  const naming = family === 'original' && isTimm ? 'timm' : family;
  const registers = tensors.get(storedNames('register_tokens', naming)[0]!)?.shape[1] ?? 0;
  return { embedDim, depth, registers, patch, storedGrid, naming, hasClassPosition };
}

/** Maps every tensor of the layout to its place in the file. @throws UserError `backboneUnknown` */
function mapTensors(
  path: string,
  tensors: ReadonlyMap<string, StoredTensor>,
  layout: ReturnType<typeof readLayout>,
): Map<string, WeightTensor> {
  const kind = describeKind(layout);
  const mapped = new Map<string, WeightTensor>();
  const used = new Set<string>();
  for (const [key, shape] of dinov2Shapes(layout)) {
    const names = storedNames(key, layout.naming);
    const isTable = key === 'pos_embed' && !layout.hasClassPosition;
    const wanted = isTable ? [1, shape[1]! - 1, shape[2]!] : [shape[0]! / names.length, ...shape.slice(1)];
    const pieces = names.map((name) => {
      const stored = tensors.get(name);
      if (stored === undefined) throw unknown(path, `${kind} needs the tensor '${name}', which is missing`);
      if (stored.shape.length !== wanted.length || stored.shape.some((n, axis) => n !== wanted[axis])) {
        const found = `[${stored.shape.join(', ')}] instead of [${wanted.join(', ')}]`;
        throw unknown(path, `${kind} needs another shape of '${name}': ${found}`);
      }
      used.add(name);
      return stored;
    });
    mapped.set(key, isTable ? withClassPosition(pieces[0]!, shape) : { shape, pieces });
  }
  // A tensor within the blocks that DINOv2 doesn't have means another network, however well the rest fits.
  const blocks = /^(blocks|encoder)\./;
  const strange = [...tensors.keys()].find((key) => blocks.test(key) && !used.has(key));
  if (strange !== undefined) throw unknown(path, `it has the tensor '${strange.slice(0, 120)}', which no DINOv2 has`);
  return mapped;
}

/** @throws UserError `backboneMismatch` */
function checkExpected(path: string, layout: Dinov2Layout, expected: ExpectedDinov2): void {
  const { size, registers } = expected;
  const found = sizeOf(layout);
  if (found === 'custom' && expected.customHeads === undefined) {
    const near = Object.entries(dinov2Sizes).find(([, { embedDim }]) => embedDim === layout.embedDim);
    if (near === undefined) throw unknown(path, `this is ${describeKind(layout)}, which is no public size`);
    const [name, { depth }] = near as [Dinov2Size, { depth: number }];
    throw unknown(path, `it has the width of ${vitName(name)} but ${layout.depth} blocks instead of ${depth}`);
  }
  const isOther = (size !== undefined && size !== found) || (registers !== undefined && registers !== layout.registers);
  if (!isOther) return;
  const wanted = [
    ...(size === undefined ? [] : [vitName(size)]),
    ...(registers === undefined ? [] : [registers > 0 ? `with ${registers} registers` : 'without registers']),
  ].join(' ');
  const what = `${path} is ${describeKind(layout)};`;
  throw expected.id === undefined
    ? new UserError(
        'backboneMismatch',
        `${what} the preset expects ${wanted}.`,
        'Give the weights the preset names, or choose the preset that fits these.',
      )
    : new UserError(
        'backboneMismatch',
        `${what} "${expected.id}" is ${wanted}.`,
        'Give the weights of that backbone, or name the backbone that these are ("twinspect backbone list").',
      );
}

function describeTypes({ tensors }: Pick<WeightFile, 'tensors'>): string {
  const types = new Set([...tensors.values()].map(({ dtype }) => dtypeWords[dtype]));
  return [...types].sort().join(' and ');
}

/**
 * Opens a weight file: `.safetensors`, `model.safetensors.index.json` of a sharded file, or an original `.pth`; or the
 * folder that holds one. The form is told from the content. The file is read once for its hash; numbers are checked for
 * NaN when they are read.
 *
 * @throws UserError `fileUnreadable` | `safetensorsInvalid` | `torchFileInvalid` | `weightsDamaged` for a broken file,
 *   `backboneUnknown` for something that is no DINOv2 ViT-S/B/L, `backboneMismatch` for one that isn't as expected
 */
export async function openDinov2Weights(path: string, expected: ExpectedDinov2 = {}): Promise<Dinov2Weights> {
  const file = await openWeightFile(path);
  const keys = [...file.tensors.keys()];
  const encoder = withoutPrefix(file.tensors);
  const family = otherFamilies.find(([pattern]) => keys.some((key) => pattern.test(key)))?.[1];
  if (encoder === undefined) throw unknown(path, family ?? 'it holds no vision transformer');
  if (encoder.isAmbiguous) throw unknown(path, 'it holds several networks, as training checkpoints do');
  let tensors: Map<string, WeightTensor>;
  let layout: ReturnType<typeof readLayout>;
  try {
    layout = readLayout(path, encoder.tensors, encoder.naming);
    tensors = mapTensors(path, encoder.tensors, layout);
  } catch (error) {
    throw family === undefined ? error : unknown(path, family);
  }
  checkExpected(path, layout, expected);

  const size = sizeOf(layout);
  const heads = size === 'custom' ? expected.customHeads! : dinov2Sizes[size].heads;
  const { naming, registers, embedDim, depth, patch, storedGrid } = layout;
  const parts = [
    `DINOv2 ${describeKind(layout).replace(/^a /, '')}`,
    describeTypes(file),
    namingWords[naming],
    `${megabytes(file.bytes)}${file.files.length > 1 ? ` in ${file.files.length} files` : ''}`,
  ];
  return {
    naming,
    size,
    registers,
    embedDim,
    depth,
    heads,
    patch,
    storedGrid,
    path: file.path,
    files: file.files,
    bytes: file.bytes,
    hash: await hashFiles(file.files),
    tensors,
    statement: parts.join(', '),
  };
}

/** Numbers of an encoder: 22,058,112 for ViT-S with registers. */
export function parameterCount(weights: Dinov2Weights): number {
  const layout = { ...weights };
  // The mask token counts in the published figures, though nothing uses it.
  return [...dinov2Shapes(layout).values()].reduce((sum, shape) => sum + elementCount(shape), weights.embedDim);
}
