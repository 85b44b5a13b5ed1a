/**
 * DINOv2-style vision transformer (method-spec section 2): the paper's teacher and its encoder student.
 * Token order is `[class, registers..., patches...]`, patches row-major; names are those of DINOv2's `.pth` files.
 */
import {
  encoderBlock,
  encoderBlockFirstToken,
  firstToken,
  layerNorm,
  linear,
  param,
  repeated,
  type Params,
} from './layers.ts';
import type { Grid, Matrix } from './resample.ts';
import { tf, type Tensor } from './tf.ts';

export interface VitOptions {
  readonly depth: number;
  readonly heads: number;
  /** Side of a patch in pixels, 14 for DINOv2. */
  readonly patch: number;
  /** 1e-6 for DINOv2. */
  readonly layerNormEps: number;
}

/** What one pass through the transformer gives; every tensor is `[B, T, C]`. */
export interface VitOutput {
  readonly tokens0: Tensor;
  /** Raw outputs of all blocks, before the final LayerNorm. */
  readonly blocks: readonly Tensor[];
  /** Final LayerNorm of the last block's output. */
  readonly normed: Tensor;
}

/** Grid of patches of a picture. Sides must be multiples of the patch. */
export function patchGrid(height: number, width: number, patch: number): Grid {
  if (height % patch !== 0 || width % patch !== 0) throw new RangeError(`${height} x ${width} isn't made of patches`);
  return { rows: height / patch, columns: width / patch };
}

/** Pixels of every patch in the order of the projection's weights: `[B, 3, H, W]` -> `[B, N, 3*patch*patch]`. */
export function patchify(images: Tensor, patch: number): Tensor {
  const [batch, channels, height, width] = images.shape as [number, number, number, number];
  const { rows, columns } = patchGrid(height, width, patch);
  const cut = tf.reshape(images, [batch, channels, rows, patch, columns, patch]);
  return tf.reshape(tf.transpose(cut, [0, 2, 4, 1, 3, 5]), [batch, rows * columns, channels * patch * patch]);
}

/**
 * Position table on the patches' grid, `[1, 1 + stored^2, C]` -> `[1, 1 + N, C]`, as a product with a constant matrix
 * so that a trainable table keeps its gradient.
 * @param matrix from `positionMatrix`; undefined uses the table as it is
 */
export function resampledPositions(table: Tensor, matrix: Matrix | undefined): Tensor {
  if (matrix === undefined) return table;
  const channels = table.shape[2]!;
  const [first, rest] = tf.split(tf.reshape(table, [-1, channels]), [1, matrix.columns], 0) as [Tensor, Tensor];
  const resize = tf.tensor2d(matrix.data, [matrix.rows, matrix.columns]);
  return tf.reshape(tf.concat([first, tf.matMul(resize, rest)], 0), [1, 1 + matrix.rows, channels]);
}

/**
 * Patches -> tokens `[B, 1 + R + N, C]`. Positions are added before the registers go in: registers carry none.
 * @param patches   `[B, N, 3*patch*patch]` from {@link patchify}
 * @param positions from `positionMatrix` for the patches' grid and the stored table
 */
export function embedTokens(patches: Tensor, params: Params, positions: Matrix | undefined): Tensor {
  const kernel = param(params, 'patch_embed.proj.weight');
  const projection: Params = {
    'proj.weight': tf.reshape(kernel, [kernel.shape[0]!, -1]),
    'proj.bias': param(params, 'patch_embed.proj.bias'),
  };
  const embedded = linear(patches, projection, 'proj');
  const table = resampledPositions(param(params, 'pos_embed'), positions);
  const count = embedded.shape[1]!;
  if (table.shape[1] !== count + 1) throw new RangeError(`${table.shape[1]! - 1} positions for ${count} patches`);
  const [classPosition, patchPositions] = tf.split(table, [1, count], 1) as [Tensor, Tensor];
  const parts = [repeated(tf.add(param(params, 'cls_token'), classPosition), embedded)];
  const registers = params['register_tokens'];
  if (registers !== undefined) parts.push(repeated(registers, embedded));
  return tf.concat([...parts, tf.add(embedded, patchPositions)], 1);
}

/** All blocks and the final LayerNorm on embedded tokens `[B, T, C]`. */
export function runVit(tokens: Tensor, params: Params, options: VitOptions): VitOutput {
  const blocks: Tensor[] = [];
  let x = tokens;
  for (let i = 0; i < options.depth; i += 1) {
    x = encoderBlock(x, params, `blocks.${i}`, options);
    blocks.push(x);
  }
  return { tokens0: tokens, blocks, normed: layerNorm(x, params, 'norm', options.layerNormEps) };
}

/** `[m, B, C]`, m = depth + 1: the raw class token after every block, then the final normed one (section 5.2). */
export function classTokens({ blocks, normed }: VitOutput): Tensor {
  return stackTokens([...blocks, normed].map(firstToken));
}

/**
 * Class tokens alone, `[m, B, C]` as from {@link classTokens}: the last block and the final LayerNorm are computed for
 * one token only, which gives the same numbers with less work.
 */
export function runVitClassTokens(tokens: Tensor, params: Params, options: VitOptions): Tensor {
  const collected: Tensor[] = [];
  let x = tokens;
  for (let i = 0; i < options.depth - 1; i += 1) {
    x = encoderBlock(x, params, `blocks.${i}`, options);
    collected.push(firstToken(x));
  }
  const last = encoderBlockFirstToken(x, params, `blocks.${options.depth - 1}`, options);
  return stackTokens([...collected, last, layerNorm(last, params, 'norm', options.layerNormEps)]);
}

/** `m` tensors `[B, 1, C]` -> `[m, B, C]`. */
function stackTokens(tokens: readonly Tensor[]): Tensor {
  return tf.stack(tokens.map((token) => tf.squeeze(token, [1])));
}

/** Mean of tensors of one shape. */
export function meanOf(tensors: readonly Tensor[]): Tensor {
  return tf.mul(tf.addN([...tensors]), 1 / tensors.length);
}

/** Patch tokens only, `[B, 1 + R + N, C]` -> `[B, N, C]`. */
export function patchTokens(tokens: Tensor, registers: number): Tensor {
  return tf.slice(tokens, [0, 1 + registers, 0], [-1, -1, -1]);
}

/**
 * Means of the teacher's layers in two groups, all tokens (method-spec section 3.1): `[B, T, C]` each.
 * @param layers 1-based layer numbers of each group, e.g. `[[3,4,5,6],[7,8,9,10]]`
 */
export function teacherGroups(
  output: VitOutput,
  layers: readonly [readonly number[], readonly number[]],
): [Tensor, Tensor] {
  const mean = (numbers: readonly number[]) => meanOf(numbers.map((number) => output.blocks[number - 1]!));
  return [mean(layers[0]), mean(layers[1])];
}
