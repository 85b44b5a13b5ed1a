/**
 * The two small students of the embedded preset (embedded-recipe section 7): networks and training loss.
 * They receive tokens and targets, never pictures, so any teacher with such features can stand behind them.
 * What they say at inspection is in `embedded-scores.ts`.
 */
import { createRandom } from '../../shared/random.ts';
import {
  blockSpecs,
  initialise,
  linearSpecs,
  normSpecs,
  prefixed,
  truncNormal,
  type NamedArray,
  type ParamSpec,
} from './init.ts';
import {
  decoderBlock,
  encoderBlock,
  encoderBlockFirstToken,
  firstToken,
  layerNorm,
  linear,
  mlp,
  param,
  paramsOf,
  repeated,
  type Params,
} from './layers.ts';
import { decoderError } from './losses.ts';
import { noisyOrLoss } from './noisy-or.ts';
import type { OptimizerOptions } from './optimizer.ts';
import { tf, type Tensor } from './tf.ts';
import { stepInput, type BatchLosses, type TrainableModel } from './training-step.ts';

/** Every constant of the two students, their training and their scores. */
export const embeddedStudentDefaults = {
  /** Decoder student: bottleneck widths, blocks and heads of attention. */
  decoderHidden: 320,
  decoderWidth: 160,
  decoderDepth: 2,
  decoderHeads: 5,
  decoderLayerNormEps: 1e-8,
  /** Share of values dropped at each of the bottleneck's three places. */
  dropout: 0.4,
  /** Random tokens of each picture that the decoder student trains on. */
  tokensPerStep: 128,
  /** Encoder student. */
  encoderWidth: 160,
  encoderDepth: 4,
  encoderHeads: 5,
  encoderLayerNormEps: 1e-6,
  /** Fresh weights: normal with this standard deviation. */
  linearStd: 0.02,
  /** Added to the standard deviation of tokens and of targets when they are standardised. */
  tokenSdFloor: 1e-3,
  /** Added per class too: this share of the mean deviation of all channels, for channels that never move in a class. */
  tokenSdShare: 0.01,
  targetSdFloor: 1e-4,
  batch: 16,
  steps: 300,
  /** Pictures of a class of n are drawn with weight n to this power. */
  samplingPower: -0.5,
  /** Hard mining: final share of easy points, ramp as a share of all steps, factor on their gradients. */
  miningShare: 0.9,
  miningRampShare: 0.2,
  miningFactor: 0.1,
  /** Where a labelled defect stops driving the encoder student: the decoder's error ends at 2 too. */
  defectErrorCap: 2,
  lr: 2e-3,
  warmup: 30,
  /** The cosine ends at this share of `lr`. */
  finalLrShare: 0.05,
  optimizer: {
    amsgrad: true,
    betas: [0.9, 0.999],
    eps: 1e-10,
    weightDecay: 1e-4,
    clipThreshold: 1,
    gradClip: 0.1,
  },
} as const;

type Widened<T> = T extends number ? number : T;

/** The constants' names with other values than the defaults. */
export type EmbeddedStudentOptions = Omit<
  { readonly [K in keyof typeof embeddedStudentDefaults]: Widened<(typeof embeddedStudentDefaults)[K]> },
  'optimizer'
> & { readonly optimizer: OptimizerOptions };

/** What the teacher's features look like; the numbers are EfficientNet-Lite2's at 256 px. */
export interface EmbeddedStudentDims {
  /** Decoder student's two groups of channels: stage 5 (120) and upsampled stage 6 (208). */
  readonly groups: readonly [number, number];
  /** Encoder student's tokens and their width (64 x 192). */
  readonly encoderTokens: number;
  readonly encoderDims: number;
  /** Channels of stages 1 to 7 (16, 24, 48, 88, 120, 208, 352). */
  readonly stages: readonly number[];
  /** Channels of the head (1280). */
  readonly head: number;
}

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);

/** Widths of the encoder student's targets in their order: stage means, head mean, deviations of both groups. */
export function encoderLevels(dims: EmbeddedStudentDims): number[] {
  return [...dims.stages, dims.head, ...dims.groups];
}

/** Length of the encoder student's target vector (2464). */
export function encoderTargetSize(dims: EmbeddedStudentDims): number {
  return sum(encoderLevels(dims));
}

/** Length of the residual that scores (656): means and deviations of both groups. */
export function residualSize(dims: EmbeddedStudentDims): number {
  return 2 * sum(dims.groups);
}

/**
 * Picks the encoder student's targets out of the teacher's feature vector
 * `[stage means | head mean | group means | group deviations]`: everything but the group means, which would repeat
 * stage means. `[B, 2792]` -> `[B, 2464]`.
 */
export function encoderTargets(vector: Tensor, dims: EmbeddedStudentDims): Tensor {
  const levels = sum(dims.stages) + dims.head;
  const means = sum(dims.groups);
  return tf.concat([tf.slice(vector, [0, 0], [-1, levels]), tf.slice(vector, [0, levels + means], [-1, means])], 1);
}

/** Parameters of both students, names prefixed `decoder/` and `encoder/`. */
export function embeddedStudentSpecs(
  dims: EmbeddedStudentDims,
  options: EmbeddedStudentOptions = embeddedStudentDefaults,
): ParamSpec[] {
  const init = truncNormal(options.linearStd);
  const [a, b] = dims.groups;
  const { decoderWidth, decoderHidden, encoderWidth, encoderDepth } = options;
  const decoder = [
    ...linearSpecs('bottleneck.fc1', a + b, decoderHidden, init),
    ...linearSpecs('bottleneck.fc2', decoderHidden, decoderWidth, init),
    ...Array.from({ length: options.decoderDepth }, (_, i) => blockSpecs(`blocks.${i}`, decoderWidth, init)).flat(),
    ...linearSpecs('heads.0', decoderWidth, a, init),
    ...linearSpecs('heads.1', decoderWidth, b, init),
  ];
  const encoder = [
    ...linearSpecs('embed', dims.encoderDims, encoderWidth, init),
    { name: 'cls_token', shape: [1, 1, encoderWidth], init },
    { name: 'pos_embed', shape: [1, dims.encoderTokens, encoderWidth], init },
    ...Array.from({ length: encoderDepth }, (_, i) => blockSpecs(`blocks.${i}`, encoderWidth, init)).flat(),
    ...normSpecs('norm', encoderWidth),
    ...encoderLevels(dims).flatMap((size, i) => linearSpecs(`heads.${i}`, encoderWidth, size, init)),
  ];
  return [...prefixed('decoder/', decoder), ...prefixed('encoder/', encoder)];
}

/** Fresh values of both students, the same for the same seed. */
export function initEmbeddedStudents(
  seed: number,
  dims: EmbeddedStudentDims,
  options: EmbeddedStudentOptions = embeddedStudentDefaults,
): Map<string, NamedArray> {
  return initialise(embeddedStudentSpecs(dims, options), createRandom(seed));
}

/** Dropout masks of the decoder student's bottleneck, already divided by the share kept. */
export interface DecoderMasks {
  readonly input: Tensor;
  readonly hidden: Tensor;
  readonly output: Tensor;
}

/**
 * Decoder student: rebuilds both groups of the standardised tokens it is shown.
 * @param tokens `[B, N, groups A + B]` standardised
 * @param masks  leave out for inspection
 * @returns group A `[B, N, 120]` from the last block, group B `[B, N, 208]` from the one before (mirrored)
 */
export function runEmbeddedDecoder(
  tokens: Tensor,
  params: Params,
  masks?: DecoderMasks,
  options: EmbeddedStudentOptions = embeddedStudentDefaults,
): [Tensor, Tensor] {
  const drop = (x: Tensor, mask: Tensor | undefined) => (mask === undefined ? x : tf.mul(x, mask));
  let x = drop(mlp(drop(tokens, masks?.input), params, 'bottleneck', { mask: masks?.hidden }), masks?.output);
  const outputs: Tensor[] = [];
  for (let i = 0; i < options.decoderDepth; i += 1) {
    const block = { heads: options.decoderHeads, layerNormEps: options.decoderLayerNormEps };
    x = decoderBlock(x, params, `blocks.${i}`, block);
    outputs.push(x);
  }
  const [last, before] = [outputs.at(-1)!, outputs.at(-2)!];
  return [linear(last, params, 'heads.0'), linear(before, params, 'heads.1')];
}

/** Standardised tokens as the two groups the decoder student is compared with. */
export function decoderTargets(tokens: Tensor, dims: EmbeddedStudentDims): [Tensor, Tensor] {
  return tf.split(tokens, [...dims.groups], 2) as [Tensor, Tensor];
}

/**
 * Encoder student: predicts the picture's standardised target vector from its class token.
 *
 * Stage j (counted from 0) comes from the raw class token after block `min(j, depth - 1)`; head mean and deviations
 * from the final normalised one.
 * @param tokens `[B, 64, 192]` standardised
 * @returns `[B, 2464]`
 */
export function runEmbeddedEncoder(
  tokens: Tensor,
  params: Params,
  dims: EmbeddedStudentDims,
  options: EmbeddedStudentOptions = embeddedStudentDefaults,
): Tensor {
  const embedded = tf.add(linear(tokens, params, 'embed'), param(params, 'pos_embed'));
  let x: Tensor = tf.concat([repeated(param(params, 'cls_token'), embedded), embedded], 1);
  const raw: Tensor[] = [];
  for (let i = 0; i < options.encoderDepth; i += 1) {
    const block = { heads: options.encoderHeads, layerNormEps: options.encoderLayerNormEps };
    const run = i === options.encoderDepth - 1 ? encoderBlockFirstToken : encoderBlock;
    x = run(x, params, `blocks.${i}`, block);
    raw.push(tf.reshape(firstToken(x), [-1, options.encoderWidth]));
  }
  const normed = layerNorm(raw.at(-1)!, params, 'norm', options.encoderLayerNormEps);
  const predictions = encoderLevels(dims).map((_, level) => {
    const source = level < dims.stages.length ? raw[Math.min(level, options.encoderDepth - 1)]! : normed;
    return linear(source, params, `heads.${level}`);
  });
  return tf.concat(predictions, 1);
}

/** Mean over levels of the mean squared error: each value weighs `1 / (levels * width of its level)`. `[B]`. */
export function levelError(target: Tensor, prediction: Tensor, dims: EmbeddedStudentDims): Tensor {
  const levels = encoderLevels(dims);
  const weights = Float32Array.from(levels.flatMap((size) => new Array<number>(size).fill(1 / (levels.length * size))));
  const squares = tf.squaredDifference(prediction, target);
  return tf.reshape(tf.matMul(squares as tf.Tensor2D, tf.tensor2d(weights, [weights.length, 1])), [-1]);
}

/**
 * Both students as a model to train.
 *
 * Inputs, all float32: `decoderTokens` `[batch, N, 328]` and `encoderTokens` `[batch, 64, 192]` standardised,
 * `encoderTargets` `[batch, 2464]` standardised, `label` `[batch]` (1 normal, 0 anomalous), `mask.input`
 * `[batch, N, 328]`, `mask.hidden` `[batch, N, 320]`, `mask.output` `[batch, N, 160]` (from `fillDropoutMask`),
 * `miningRank` scalar (from `miningRank(batch * N, share)`).
 */
export function makeEmbeddedModel(
  dims: EmbeddedStudentDims,
  batch: number = embeddedStudentDefaults.batch,
  options: EmbeddedStudentOptions = embeddedStudentDefaults,
): TrainableModel {
  const count = options.tokensPerStep;
  const width = sum(dims.groups);
  return {
    params: embeddedStudentSpecs(dims, options),
    inputs: [
      { name: 'decoderTokens', shape: [batch, count, width] },
      { name: 'encoderTokens', shape: [batch, dims.encoderTokens, dims.encoderDims] },
      { name: 'encoderTargets', shape: [batch, encoderTargetSize(dims)] },
      { name: 'label', shape: [batch] },
      { name: 'mask.input', shape: [batch, count, width] },
      { name: 'mask.hidden', shape: [batch, count, options.decoderHidden] },
      { name: 'mask.output', shape: [batch, count, options.decoderWidth] },
      { name: 'miningRank', shape: [] },
    ],
    losses: (params, inputs): BatchLosses => {
      const label = stepInput(inputs, 'label');
      const tokens = stepInput(inputs, 'decoderTokens');
      const masks = {
        input: stepInput(inputs, 'mask.input'),
        hidden: stepInput(inputs, 'mask.hidden'),
        output: stepInput(inputs, 'mask.output'),
      };
      const rebuilt = runEmbeddedDecoder(tokens, paramsOf('decoder/', params), masks, options);
      const mining = { rank: stepInput(inputs, 'miningRank'), factor: options.miningFactor, label };
      const decoder = decoderError(decoderTargets(tokens, dims), rebuilt, mining);
      const predicted = runEmbeddedEncoder(
        stepInput(inputs, 'encoderTokens'),
        paramsOf('encoder/', params),
        dims,
        options,
      );
      const encoder = levelError(stepInput(inputs, 'encoderTargets'), predicted, dims);
      const loss = noisyOrLoss(encoder, decoder, label, options.defectErrorCap);
      return { loss, decoder, encoder };
    },
  };
}
