/** The paper's decoder student, Dinomaly's noisy bottleneck and linear-attention decoder (method-spec section 3). */
import { decoderBlock, mlp, type BlockOptions, type Params } from './layers.ts';
import { tf, type Tensor } from './tf.ts';
import { meanOf } from './vit.ts';

/** `mirrored` matches the last decoder blocks with the shallow group (Dinomaly), `forward` reads eq. 1 literally. */
export type DecoderOrder = 'mirrored' | 'forward';

export interface DecoderStudentOptions extends BlockOptions {
  readonly depth: number;
  readonly order: DecoderOrder;
}

/** Dropout masks, already divided by the share kept; each broadcasts to where it is multiplied in. */
export interface BottleneckMasks {
  readonly input: Tensor;
  readonly hidden: Tensor;
  readonly output: Tensor;
}

const masked = (x: Tensor, mask: Tensor | undefined) => (mask === undefined ? x : tf.mul(x, mask));

/**
 * Noisy bottleneck `drop -> fc1 -> gelu -> drop -> fc2 -> drop`, `[B, T, C]` -> `[B, T, C]`; names `bottleneck.0.*`.
 * @param masks leave out for inspection
 */
export function bottleneck(x: Tensor, params: Params, masks?: BottleneckMasks): Tensor {
  return masked(mlp(masked(x, masks?.input), params, 'bottleneck.0', { mask: masks?.hidden }), masks?.output);
}

/** Outputs of all decoder blocks in depth order, each `[B, T, C]`; names `decoder.{i}.*`. */
export function decoderLayers(x: Tensor, params: Params, options: DecoderStudentOptions): Tensor[] {
  const layers: Tensor[] = [];
  let y = x;
  for (let i = 0; i < options.depth; i += 1) {
    y = decoderBlock(y, params, `decoder.${i}`, options);
    layers.push(y);
  }
  return layers;
}

/** The decoder's two group means in the order of the teacher's groups, all tokens, each `[B, T, C]`. */
export function decoderGroups(layers: readonly Tensor[], order: DecoderOrder): [Tensor, Tensor] {
  const ordered = order === 'mirrored' ? [...layers].reverse() : layers;
  const half = ordered.length / 2;
  return [meanOf(ordered.slice(0, half)), meanOf(ordered.slice(half))];
}

/**
 * Whole decoder student.
 * @param groups the teacher's two group means, all tokens, `[B, T, C]` each; their mean is the input (section 3, step 1)
 * @returns the decoder's two group means, all tokens
 */
export function runDecoderStudent(
  groups: readonly [Tensor, Tensor],
  params: Params,
  options: DecoderStudentOptions,
  masks?: BottleneckMasks,
): [Tensor, Tensor] {
  const fused = bottleneck(meanOf(groups), params, masks);
  return decoderGroups(decoderLayers(fused, params, options), options.order);
}
