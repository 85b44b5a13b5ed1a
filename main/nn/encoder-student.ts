/** The paper's encoder student (method-spec section 5): fresh transformer blocks on embedded tokens. */
import type { Params } from './layers.ts';
import type { Matrix } from './resample.ts';
import type { Tensor } from './tf.ts';
import { embedTokens, runVitClassTokens, type VitOptions } from './vit.ts';

/**
 * What the encoder student looks at. `shared`: the teacher's embedded tokens, so it has no embedding of its own (this
 * fits the paper's parameter counts); `own`: its own patch embedding, class, register and position tokens.
 */
export type EncoderEmbeddings = 'shared' | 'own';

export type EncoderInput =
  | { readonly embeddings: 'shared'; /** Teacher's tokens `[B, T, C]`. */ readonly tokens0: Tensor }
  | {
      readonly embeddings: 'own';
      /** `[B, N, 3*patch*patch]` from `patchify`. */
      readonly patches: Tensor;
      /** From `positionMatrix`, undefined where the table has the patches' grid. */
      readonly positions: Matrix | undefined;
    };

/** Class tokens `[depth + 1, B, C]`: raw after every block, then the final normed one. */
export function runEncoderStudent(input: EncoderInput, params: Params, options: VitOptions): Tensor {
  const tokens = input.embeddings === 'shared' ? input.tokens0 : embedTokens(input.patches, params, input.positions);
  return runVitClassTokens(tokens, params, options);
}
