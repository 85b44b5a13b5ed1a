/**
 * Named sets of settings. Each switch of the method that the paper leaves open is one field here, with its source:
 * P the paper, D Dinomaly's code, E worked out from the paper's tables, A an assumption (method-spec sections 0 and 10).
 */
import type { DecoderOrder } from './decoder-student.ts';
import { embeddedStudentDefaults, type EmbeddedStudentOptions } from './embedded-students.ts';
import type { EncoderEmbeddings } from './encoder-student.ts';
import type { ErrorReduction } from './losses.ts';
import type { OptimizerOptions } from './optimizer.ts';
import type { Objective, PaperModelOptions } from './paper-model.ts';
import type { PositionMode } from './resample.ts';
import type { AblationRow } from './scores.ts';

/** Which L_SD enters the score: the scalar of eq. 1, or Dinomaly's mean of the map's top 1 %. */
export type DecoderScore = 'global' | 'map-top1pct';

export interface PaperPreset {
  readonly kind: 'paper';
  /** Registry id of the backbone. P, tables 4 and 5. */
  readonly backbone: string;
  readonly embedDim: number;
  readonly heads: number;
  readonly depth: number;
  readonly patch: number;
  readonly registers: number;
  readonly storedGrid: number;
  /** Pixels. D. */
  readonly resize: number;
  readonly crop: number;
  readonly resizeFilter: 'bilinear' | 'bicubic' | 'lanczos';
  /** D; the checkpoints themselves were trained with `size_antialias`. */
  readonly posEmbed: PositionMode;
  /** 1-based teacher layers of both groups. P eq. 1, and D. */
  readonly groups: readonly [readonly number[], readonly number[]];
  /** D; `forward` reads eq. 1 literally. */
  readonly decoderOrder: DecoderOrder;
  /** D. Dropout 0.4 for Real-IAD multi-class. */
  readonly decoder: { readonly depth: number; readonly layerNormEps: number; readonly dropout: number };
  /** Embeddings E (5.3), the rest A (5.5). */
  readonly encoderStudent: {
    readonly embeddings: EncoderEmbeddings;
    readonly layerNormEps: number;
    readonly layerScaleInit: number;
    readonly linearStd: number;
  };
  /** E (5.4). */
  readonly seReduction: ErrorReduction;
  /** D; null is eq. 1 literally. */
  readonly sdHardMining: { readonly pFinal: number; readonly ramp: number; readonly factor: number } | null;
  /** P. */
  readonly objective: Objective;
  /** Where a labelled defect stops driving the encoder student; the decoder's error ends at 2 too. A. */
  readonly defectErrorCap: number | null;
  /** Row of the ablation that scores; 6 is the method. P. */
  readonly scoreRow: AblationRow;
  /** P; `map-top1pct` is D. */
  readonly sdScore: DecoderScore;
  /** D. */
  readonly optimizer: OptimizerOptions;
  /** D. 5,000 steps single-class, 50,000 Real-IAD multi-class. */
  readonly schedule: {
    readonly base: number;
    readonly final: number;
    readonly warmup: number;
    readonly total: number;
  };
  readonly batch: number;
  /**
   * Whether the students learn from every normal picture, as the paper's do. Otherwise a tenth of each class is held out for
   * the thresholds, which are assumed without it.
   */
  readonly learnFromAll: boolean;
  /**
   * How the finished model holds the teacher's weights. The students always learn from the exact teacher; what a lower
   * precision changes is measured before the model is written.
   */
  readonly teacherPrecision: 'float32' | 'float16-storage' | 'int8';
}

export interface EmbeddedPreset {
  readonly kind: 'embedded';
  readonly backbone: string;
  readonly students: EmbeddedStudentOptions;
  /** Side of the square network input, pixels; a multiple of 32. Finer than the backbone's own 256: small defects show. */
  readonly inputSize: number;
  /** How a finished model searches its memory: `coded` finds what `exact` finds, in two passes and a third of the time. */
  readonly search: 'exact' | 'coded';
}

export type Preset = PaperPreset | EmbeddedPreset;

const paperBase = {
  kind: 'paper',
  backbone: 'dinov2-with-registers-base',
  embedDim: 768,
  heads: 12,
  depth: 12,
  patch: 14,
  registers: 4,
  storedGrid: 37,
  resize: 448,
  crop: 392,
  resizeFilter: 'bilinear',
  posEmbed: 'scale_offset',
  groups: [
    [3, 4, 5, 6],
    [7, 8, 9, 10],
  ],
  decoderOrder: 'mirrored',
  decoder: { depth: 8, layerNormEps: 1e-8, dropout: 0.2 },
  encoderStudent: { embeddings: 'shared', layerNormEps: 1e-6, layerScaleInit: 1, linearStd: 0.02 },
  seReduction: 'mean',
  sdHardMining: { pFinal: 0.9, ramp: 1000, factor: 0.1 },
  objective: 'noisy-or',
  defectErrorCap: 2,
  scoreRow: 6,
  sdScore: 'global',
  optimizer: {
    amsgrad: true,
    betas: [0.9, 0.999],
    eps: 1e-10,
    weightDecay: 1e-4,
    clipThreshold: 1,
    gradClip: 0.1,
  },
  schedule: { base: 2e-3, final: 2e-4, warmup: 100, total: 10000 },
  batch: 16,
  learnFromAll: false,
  teacherPrecision: 'float32',
} as const satisfies PaperPreset;

/** All presets by name. */
export const presets = {
  embedded: {
    kind: 'embedded',
    backbone: 'efficientnet-lite2',
    students: embeddedStudentDefaults,
    inputSize: 320,
    search: 'coded',
  },
  'paper-small': { ...paperBase, backbone: 'dinov2-with-registers-small', embedDim: 384, heads: 6 },
  'paper-base': paperBase,
  'paper-large': {
    ...paperBase,
    backbone: 'dinov2-with-registers-large',
    embedDim: 1024,
    heads: 16,
    depth: 24,
    // Dinomaly's 0-based blocks 4, 6, ..., 18 (section 2.3).
    groups: [
      [5, 7, 9, 11],
      [13, 15, 17, 19],
    ],
  },
} as const satisfies Readonly<Record<string, Preset>>;

export type PresetName = keyof typeof presets;

/** The students' options that a paper preset stands for. */
export function paperModelOptions(preset: PaperPreset): PaperModelOptions {
  return {
    embedDim: preset.embedDim,
    heads: preset.heads,
    patch: preset.patch,
    registers: preset.registers,
    storedGrid: preset.storedGrid,
    positionMode: preset.posEmbed,
    decoder: { ...preset.decoder, order: preset.decoderOrder },
    encoder: { ...preset.encoderStudent, depth: preset.depth },
    reduction: preset.seReduction,
    objective: preset.objective,
    miningFactor: preset.sdHardMining?.factor ?? null,
    defectErrorCap: preset.defectErrorCap,
  };
}
