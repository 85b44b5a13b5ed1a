/**
 * DINOv2 weight files of any public form, opened without reading their numbers (method-spec section 2.2).
 * Names are those of the original `.pth` files from here on, whatever the file calls them.
 */
import { UserError } from '../../shared/errors.ts';
import type { WeightTensor } from './weight-tensor.ts';

/** Public sizes with patches of 14 pixels (method-spec section 2). */
export const dinov2Sizes = {
  small: { letter: 'S', embedDim: 384, depth: 12, heads: 6 },
  base: { letter: 'B', embedDim: 768, depth: 12, heads: 12 },
  large: { letter: 'L', embedDim: 1024, depth: 24, heads: 16 },
} as const;
export type Dinov2Size = keyof typeof dinov2Sizes;

/** Whose names a file uses. */
export type Dinov2Naming = 'huggingface' | 'original' | 'timm';

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

/** What a preset needs; a file that is something else is refused, saying what it is. */
export interface ExpectedDinov2 {
  readonly size?: Dinov2Size;
  readonly registers?: number;
  /** Accept networks of other sizes, with this many heads. For tests: the public files have the public sizes. */
  readonly customHeads?: number;
}

/**
 * Opens a weight file: `.safetensors`, `model.safetensors.index.json` of a sharded file, or an original `.pth`; or the
 * folder that holds one. The form is told from the content. The file is read once for its hash; numbers are checked for
 * NaN when they are read.
 *
 * @throws UserError `fileUnreadable` | `safetensorsInvalid` | `torchFileInvalid` | `weightsDamaged` for a broken file,
 *   `backboneUnknown` for something that is no DINOv2 ViT-S/B/L, `backboneMismatch` for one that isn't as expected
 */
export function openDinov2Weights(path: string, expected: ExpectedDinov2 = {}): Promise<Dinov2Weights> {
  void expected;
  return Promise.reject(new UserError('backboneUnknown', `${path} can't be opened yet.`));
}
