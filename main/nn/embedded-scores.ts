/** What the two small students say of a part (embedded-recipe section 7, scores), for the fused inference graph. */
import type { StudentErrors } from './embedded-detector.ts';
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
import { deviationMap, mapMaximum, smooth3 } from './normal-memory.ts';
import { tf, type Tensor } from './tf.ts';

const total = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0);

/** Mean and what to divide by (standard deviation plus its floor) of one kind of numbers, both `[width]`. */
export interface Standardiser {
  readonly mean: Tensor;
  readonly divisor: Tensor;
}

/** How the features of one trained model are standardised. */
export interface StudentStandardisers {
  /** Of the decoder student's tokens, per class: `[C, 328]` each. Classes differ more than parts of one class do. */
  readonly decoderTokens: Standardiser;
  /** Of the encoder student's tokens `[192]` and its targets `[2464]`. */
  readonly encoderTokens: Standardiser;
  readonly encoderTargets: Standardiser;
}

/** `(x - mean) / divisor` over the last axis. */
export function standardiseBy(x: Tensor, { mean, divisor }: Standardiser): Tensor {
  return tf.div(tf.sub(x, mean), divisor);
}

/** What is normal for the decoder student's errors, per class and place on the grid: `[C, P]` each. */
export interface PositionStatistics {
  readonly mean: Tensor;
  /** `1 / sd` */
  readonly scale: Tensor;
}

/** Floor under `1 - cos` before the logarithm. */
export const minPointDistance = 1e-6;

/** Index of the stages whose channels the decoder's groups are: stage 5 and stage 6. */
const groupStages = [4, 5] as const;

/**
 * What both students get wrong, from a teacher's raw features.
 * @param tokens        `[B, P, 328]`
 * @param encoderTokens `[B, 64, 192]`
 * @param vector        `[B, 2792]`, see {@link encoderTargets}
 * @param classIndex    `[B]` int32
 * @returns errors: two times `[B, P]`, ln of `1 - cos` of either group; residual `[B, 656]`: standardised target minus
 *   prediction of [group means, group deviations]
 */
export function studentErrors(
  features: { readonly tokens: Tensor; readonly encoderTokens: Tensor; readonly vector: Tensor },
  classIndex: Tensor,
  params: Params,
  standardisers: StudentStandardisers,
  dims: EmbeddedStudentDims,
  options: EmbeddedStudentOptions = embeddedStudentDefaults,
): StudentErrors {
  const ofClass = (value: Tensor): Tensor => tf.expandDims(tf.gather(value, classIndex), 1);
  const { mean, divisor } = standardisers.decoderTokens;
  const tokens = standardiseBy(features.tokens, { mean: ofClass(mean), divisor: ofClass(divisor) });
  const targets = decoderTargets(tokens, dims);
  const rebuilt = runEmbeddedDecoder(tokens, paramsOf('decoder/', params), undefined, options);
  const [a, b] = targets.map((target, group) =>
    tf.log(tf.maximum(pointDistance(target, rebuilt[group]!), minPointDistance)),
  ) as [Tensor, Tensor];

  const wanted = standardiseBy(encoderTargets(features.vector, dims), standardisers.encoderTargets);
  const seen = standardiseBy(features.encoderTokens, standardisers.encoderTokens);
  const predicted = runEmbeddedEncoder(seen, paramsOf('encoder/', params), dims, options);
  const difference = tf.sub(wanted, predicted);
  const meansAt = groupStages.map((stage) => total(dims.stages.slice(0, stage)));
  const deviationsAt = total(dims.stages) + dims.head;
  const residual = tf.concat(
    [
      ...dims.groups.map((size, i) => tf.slice(difference, [0, meansAt[i]!], [-1, size])),
      tf.slice(difference, [0, deviationsAt], [-1, total(dims.groups)]),
    ],
    1,
  );
  return { errors: [a, b], residual };
}

/**
 * Decoder student's score: both groups' errors in standard deviations of what is normal at that place for that class,
 * summed, smoothed, the largest.
 * @param errors two times `[B, P]`
 * @returns `[B]`
 */
export function decoderScore(
  errors: readonly [Tensor, Tensor],
  classIndex: Tensor,
  statistics: readonly [PositionStatistics, PositionStatistics],
): Tensor {
  const [a, b] = errors.map((error, group) => {
    const { mean, scale } = statistics[group]!;
    return tf.mul(tf.sub(error, tf.gather(mean, classIndex)), tf.gather(scale, classIndex));
  }) as [Tensor, Tensor];
  return mapMaximum(smooth3(deviationMap(tf.add(a, b))));
}
