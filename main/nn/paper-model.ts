/** The paper's two students as a model to train, from cached teacher outputs (method-spec sections 3 to 6). */
import { runDecoderStudent, type DecoderOrder } from './decoder-student.ts';
import { runEncoderStudent, type EncoderEmbeddings } from './encoder-student.ts';
import { blockSpecs, linearSpecs, normSpecs, prefixed, truncNormal, zeros, type ParamSpec } from './init.ts';
import { paramsOf, type Params } from './layers.ts';
import { classTokenErrors, decoderError, encoderError, type ErrorReduction, type HardMining } from './losses.ts';
import { noisyOrLoss } from './noisy-or.ts';
import { positionMatrix, type Grid, type PositionMode } from './resample.ts';
import { tf, type Tensor } from './tf.ts';
import { stepInput, type BatchLosses, type TensorSpec, type TrainableModel } from './training-step.ts';
import { patchTokens } from './vit.ts';

/** `noisy-or` is the method (eq. 3); `sum` is ablation row 5; the others train one student (rows 1 to 3). */
export type Objective = 'noisy-or' | 'sum' | 'encoder' | 'decoder';

/** Everything that shapes the two students and their loss. Sizes follow the teacher. */
export interface PaperModelOptions {
  readonly embedDim: number;
  readonly heads: number;
  readonly patch: number;
  readonly registers: number;
  /** Side of the teacher's stored position table. */
  readonly storedGrid: number;
  readonly positionMode: PositionMode;
  readonly decoder: { readonly depth: number; readonly layerNormEps: number; readonly order: DecoderOrder };
  readonly encoder: {
    readonly depth: number;
    readonly layerNormEps: number;
    readonly embeddings: EncoderEmbeddings;
    /** Start of LayerScale. */
    readonly layerScaleInit: number;
    /** Standard deviation of fresh dense weights. */
    readonly linearStd: number;
  };
  readonly reduction: ErrorReduction;
  readonly objective: Objective;
  /** Factor on the gradients of easy points, null for no hard mining. */
  readonly miningFactor: number | null;
  /** Where a labelled defect stops driving the encoder student, see `noisyOrLoss`; null or left out: nowhere. */
  readonly defectErrorCap?: number | null;
}

/** Parameters of the decoder student; Linear weights start at trunc-normal(0.01) cut at +-0.03 (section 3). */
export function decoderStudentSpecs(options: PaperModelOptions): ParamSpec[] {
  const c = options.embedDim;
  const init = truncNormal(0.01, 0.03);
  return [
    ...linearSpecs('bottleneck.0.fc1', c, 4 * c, init),
    ...linearSpecs('bottleneck.0.fc2', 4 * c, c, init),
    ...Array.from({ length: options.decoder.depth }, (_, i) => blockSpecs(`decoder.${i}`, c, init)).flat(),
  ];
}

/** Parameters of the encoder student (section 5.5), with an embedding of its own where the options say so. */
export function encoderStudentSpecs(options: PaperModelOptions): ParamSpec[] {
  const c = options.embedDim;
  const { encoder, patch, registers, storedGrid } = options;
  const pixels = { kind: 'uniform', bound: 1 / Math.sqrt(3 * patch * patch) } as const;
  const own: ParamSpec[] = [
    { name: 'cls_token', shape: [1, 1, c], init: truncNormal(1e-6) },
    { name: 'pos_embed', shape: [1, 1 + storedGrid ** 2, c], init: truncNormal(0.02) },
    ...(registers > 0 ? [{ name: 'register_tokens', shape: [1, registers, c], init: truncNormal(1e-6) }] : []),
    { name: 'patch_embed.proj.weight', shape: [c, 3, patch, patch], init: pixels },
    { name: 'patch_embed.proj.bias', shape: [c], init: pixels },
  ];
  const init = encoder.linearStd > 0 ? truncNormal(encoder.linearStd) : zeros;
  return [
    ...(encoder.embeddings === 'own' ? own : []),
    ...Array.from({ length: encoder.depth }, (_, i) =>
      blockSpecs(`blocks.${i}`, c, init, encoder.layerScaleInit),
    ).flat(),
    ...normSpecs('norm', c),
  ];
}

/** Loss of each picture from both students' errors, all `[B]`. */
export function combine(
  objective: Objective,
  encoder: Tensor,
  decoder: Tensor,
  label: Tensor,
  defectErrorCap: number | null = null,
): Tensor {
  if (objective === 'noisy-or') return noisyOrLoss(encoder, decoder, label, defectErrorCap);
  // The other objectives exist for the ablation, which knows normal pictures only.
  if (objective === 'sum') return tf.add(encoder, decoder);
  return objective === 'encoder' ? encoder : decoder;
}

/**
 * The model for one batch size and grid of patches.
 *
 * Inputs, with T = 1 + registers + rows*columns tokens and m = encoder depth + 1:
 * `teacherGroup1`, `teacherGroup2` `[B, T, C]` (means of the teacher's layers, all tokens), `teacherClassTokens`
 * `[B, m, C]`, `tokens0` `[B, T, C]` or, with embeddings of its own, `patches` `[B, N, 3*patch^2]`, `label` `[B]`
 * (1 normal), `mask.input` `[B, T, C]`, `mask.hidden` `[B, T, 4C]`, `mask.output` `[B, T, C]`, `miningRank` scalar.
 */
export function makePaperModel(options: PaperModelOptions, batch: number, grid: Grid): TrainableModel {
  const { embedDim: c, registers, patch, objective } = options;
  const patches = grid.rows * grid.columns;
  const tokens = 1 + registers + patches;
  const withDecoder = objective !== 'encoder';
  const withEncoder = objective !== 'decoder';
  const own = options.encoder.embeddings === 'own';
  const inputs: TensorSpec[] = [{ name: 'label', shape: [batch] }];
  if (withDecoder) {
    inputs.push(
      { name: 'teacherGroup1', shape: [batch, tokens, c] },
      { name: 'teacherGroup2', shape: [batch, tokens, c] },
      { name: 'mask.input', shape: [batch, tokens, c] },
      { name: 'mask.hidden', shape: [batch, tokens, 4 * c] },
      { name: 'mask.output', shape: [batch, tokens, c] },
    );
    if (options.miningFactor !== null) inputs.push({ name: 'miningRank', shape: [] });
  }
  if (withEncoder) {
    inputs.push(
      { name: 'teacherClassTokens', shape: [batch, options.encoder.depth + 1, c] },
      own
        ? { name: 'patches', shape: [batch, patches, 3 * patch * patch] }
        : { name: 'tokens0', shape: [batch, tokens, c] },
    );
  }

  const decoderErrors = (params: Params, given: Readonly<Record<string, Tensor>>): Tensor => {
    const groups = [stepInput(given, 'teacherGroup1'), stepInput(given, 'teacherGroup2')] as const;
    const masks = {
      input: stepInput(given, 'mask.input'),
      hidden: stepInput(given, 'mask.hidden'),
      output: stepInput(given, 'mask.output'),
    };
    const student = runDecoderStudent(groups, params, { ...options.decoder, heads: options.heads }, masks);
    const mining: HardMining | undefined =
      options.miningFactor === null
        ? undefined
        : { rank: stepInput(given, 'miningRank'), factor: options.miningFactor, label: stepInput(given, 'label') };
    const [targets, rebuilt] = [groups, student].map((pair) => pair.map((x) => patchTokens(x, registers)));
    return decoderError(targets!, rebuilt!, mining);
  };
  const encoderErrors = (params: Params, given: Readonly<Record<string, Tensor>>): Tensor => {
    const vit = { ...options.encoder, heads: options.heads, patch };
    const positions = positionMatrix(grid, options.storedGrid, options.positionMode);
    const student = own
      ? runEncoderStudent({ embeddings: 'own', patches: stepInput(given, 'patches'), positions }, params, vit)
      : runEncoderStudent({ embeddings: 'shared', tokens0: stepInput(given, 'tokens0') }, params, vit);
    const target = tf.transpose(stepInput(given, 'teacherClassTokens'), [1, 0, 2]);
    return encoderError(classTokenErrors(target, student, options.reduction));
  };

  return {
    params: [
      ...(withEncoder ? prefixed('encoder/', encoderStudentSpecs(options)) : []),
      ...(withDecoder ? prefixed('decoder/', decoderStudentSpecs(options)) : []),
    ],
    inputs,
    losses: (params, given): BatchLosses => {
      const label = stepInput(given, 'label');
      const absent = () => tf.zerosLike(label);
      const encoder = withEncoder ? encoderErrors(paramsOf('encoder/', params), given) : absent();
      const decoder = withDecoder ? decoderErrors(paramsOf('decoder/', params), given) : absent();
      return { loss: combine(objective, encoder, decoder, label, options.defectErrorCap), encoder, decoder };
    },
  };
}
