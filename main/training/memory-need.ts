/** How much memory a training of the paper's students takes on the processor, known before it starts. */
import os from 'node:os';
import { UserError } from '../../shared/errors.ts';
import { sizeOf } from '../nn/init.ts';
import { makePaperModel } from '../nn/paper-model.ts';
import { paperModelOptions } from '../nn/presets.ts';
import { patchGrid } from '../nn/vit.ts';
import { largeStateBytes } from '../runtime/training-engine.ts';
import type { PaperSettings } from './paper-settings.ts';
import { paperShapes } from './paper-teacher.ts';

/**
 * What one block keeps of a picture for its gradients, fitted to measured runs (docs/gpu.md): so many times the tokens `[T, C]`,
 * and in a block with softmax attention so many times the attention `[heads, T, T]`.
 */
const tokenCopies = 25;
const attentionCopies = 3.5;
/** Node, ONNX Runtime, decoded pictures. */
const programBytes = 250e6;
/** The estimate has been up to a fifth too high: below that share of it, a training is refused. */
const refusedShare = 0.8;

/** Bytes. */
export interface MemoryNeed {
  /** Weights and moments of both students: a large state is changed where it lies, of a small one a step makes a second. */
  readonly state: number;
  /**
   * Of a large state sums, and up to two copies of them that ONNX Runtime hands out and nobody has collected yet; of a small
   * one gradients, with the sums that accumulation carries from part to part.
   */
  readonly gradients: number;
  /** What the pictures computed at once leave behind for the gradients. */
  readonly activations: number;
  /** The teacher's weights, once. */
  readonly teacher: number;
  readonly total: number;
}

/** Largest memory of a training, within about a fifth. @param teacherBytes of the weight file */
export function trainingMemory(settings: PaperSettings, teacherBytes: number): MemoryNeed {
  const { crop, patch, heads, depth, decoder, objective, optimizer, batch, microBatch } = settings;
  const { params } = makePaperModel(paperModelOptions(settings), 1, patchGrid(crop, crop, patch));
  const weights = 4 * params.reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  const [tokens, width] = paperShapes(settings).tokens;
  const encoderBlocks = objective === 'decoder' ? 0 : depth;
  const decoderBlocks = objective === 'encoder' ? 0 : decoder.depth;
  const perPicture =
    4 * tokens * width * tokenCopies * (encoderBlocks + decoderBlocks) +
    4 * heads * tokens ** 2 * attentionCopies * encoderBlocks;
  const held = weights * (optimizer.amsgrad ? 4 : 3);
  const isLarge = held >= largeStateBytes;
  const state = isLarge ? held : 2 * held;
  const gradients = weights * (isLarge ? 3 : microBatch < batch ? 4 : 1);
  const activations = microBatch * perPicture;
  const total = state + gradients + activations + teacherBytes + programBytes;
  return { state, gradients, activations, teacher: teacherBytes, total };
}

const gibibytes = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(1)} GiB`;

/**
 * Says what a training needs, and refuses one that would end with the system killing the program.
 * @param machine memory of the machine, bytes; for tests
 * @returns the sentence for the person
 * @throws UserError `memoryShort` with what would fit
 */
export function checkMemory(
  settings: PaperSettings,
  teacherBytes: number,
  machine: { free: number; total: number } = { free: os.freemem(), total: os.totalmem() },
): string {
  const need = trainingMemory(settings, teacherBytes);
  const statement =
    `Training these students needs about ${gibibytes(need.total)} of memory (weights and moments ` +
    `${gibibytes(need.state)}, gradients ${gibibytes(need.gradients)}, ${settings.microBatch} pictures at once ` +
    `${gibibytes(need.activations)}); ${gibibytes(machine.free)} of ${gibibytes(machine.total)} are free.`;
  if (need.total * refusedShare <= machine.free) return statement;
  throw new UserError('memoryShort', statement, remedy(settings, teacherBytes, machine));
}

/** The largest part of the batch that fits; where none does, what else helps. */
function remedy(
  settings: PaperSettings,
  teacherBytes: number,
  { free, total }: { free: number; total: number },
): string {
  const fits = (changes: Partial<PaperSettings>, memory: number): boolean =>
    trainingMemory({ ...settings, ...changes }, teacherBytes).total <= memory;
  const parts = Array.from({ length: settings.microBatch - 1 }, (_, i) => settings.microBatch - 1 - i).filter(
    (microBatch) => settings.batch % microBatch === 0,
  );
  const microBatch = parts.find((part) => fits({ microBatch: part }, free));
  if (microBatch !== undefined) {
    return `Add --set microBatch=${microBatch}: the same batch of ${settings.batch}, in parts whose gradients are added up.`;
  }
  if (fits({ microBatch: 1 }, total)) {
    return `Close other programs${settings.microBatch > 1 ? ' and add --set microBatch=1' : ''}.`;
  }
  const least = gibibytes(trainingMemory({ ...settings, microBatch: 1 }, teacherBytes).total);
  return `This machine has too little for this preset whatever the batch: take a smaller one (paper-base, paper-small), or a machine with more than ${least}.`;
}
