/** What the two small students say of a part (embedded-recipe section 7, scores), for the fused inference graph. */
import type { StudentScores } from './embedded-detector.ts';
import {
  decoderTargets,
  embeddedStudentDefaults,
  encoderTargets,
  runEmbeddedDecoder,
  runEmbeddedEncoder,
  type EmbeddedStudentDims,
  type EmbeddedStudentOptions,
} from './embedded-students.ts';
import { paramsOf, type Params } from './layers.ts';
import { pointDistance } from './losses.ts';
import { mapMaximum, minDistance, smooth3 } from './normal-memory.ts';
import { tf, type Tensor } from './tf.ts';

const total = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0);

/** Mean and what to divide by (standard deviation plus its floor) of one kind of numbers, both `[width]`. */
export interface Standardiser {
  readonly mean: Tensor;
  readonly divisor: Tensor;
}

/** How the features of one trained model are standardised. */
export interface StudentStandardisers {
  /** Of the decoder student's tokens `[328]`, the encoder student's `[192]` and its targets `[2464]`. */
  readonly decoderTokens: Standardiser;
  readonly encoderTokens: Standardiser;
  readonly encoderTargets: Standardiser;
}

/** `(x - mean) / divisor` over the last axis. */
export function standardiseBy(x: Tensor, { mean, divisor }: Standardiser): Tensor {
  return tf.div(tf.sub(x, mean), divisor);
}

/** Both students' scores of a batch, for the fused inference graph: keeps the batch size open. */
export interface EmbeddedStudentScores extends StudentScores {
  /** `[B, g, g]` decoder student's smoothed map of group B, range [0, 2]. */
  readonly decoderMap: Tensor;
}

/** Index of the stages whose channels the decoder's groups are: stage 5 and stage 6. */
const groupStages = [4, 5] as const;

/**
 * Scores of both students from a teacher's raw features.
 * @param tokens        `[B, g*g, 328]`
 * @param encoderTokens `[B, 64, 192]`
 * @param vector        `[B, 2792]`, see {@link encoderTargets}
 * @returns decoder `[B]`: ln of the maximum of the smoothed `1 - cos` map of group B; residual `[B, 656]`: standardised
 *   target minus prediction of [group means, group deviations]
 */
export function scoreEmbeddedStudents(
  features: { readonly tokens: Tensor; readonly encoderTokens: Tensor; readonly vector: Tensor },
  params: Params,
  standardisers: StudentStandardisers,
  dims: EmbeddedStudentDims,
  options: EmbeddedStudentOptions = embeddedStudentDefaults,
): EmbeddedStudentScores {
  const tokens = standardiseBy(features.tokens, standardisers.decoderTokens);
  const [, target] = decoderTargets(tokens, dims);
  const [, rebuilt] = runEmbeddedDecoder(tokens, paramsOf('decoder/', params), undefined, options);
  const side = Math.round(Math.sqrt(tokens.shape[1]!));
  const decoderMap = smooth3(tf.reshape(pointDistance(target, rebuilt), [-1, side, side]));
  const decoder = tf.log(tf.maximum(mapMaximum(decoderMap), minDistance));

  const targets = standardiseBy(encoderTargets(features.vector, dims), standardisers.encoderTargets);
  const seen = standardiseBy(features.encoderTokens, standardisers.encoderTokens);
  const predicted = runEmbeddedEncoder(seen, paramsOf('encoder/', params), dims, options);
  const difference = tf.sub(targets, predicted);
  const meansAt = groupStages.map((stage) => total(dims.stages.slice(0, stage)));
  const deviationsAt = total(dims.stages) + dims.head;
  const residual = tf.concat(
    [
      ...dims.groups.map((size, i) => tf.slice(difference, [0, meansAt[i]!], [-1, size])),
      tf.slice(difference, [0, deviationsAt], [-1, total(dims.groups)]),
    ],
    1,
  );
  return { decoder, residual, decoderMap };
}
