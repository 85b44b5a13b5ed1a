import { createRandom, type Random } from '../../shared/random.ts';
import { fillDropoutMask } from '../nn/init.ts';
import type { EmbeddedStudentDims, EmbeddedStudentOptions } from '../nn/embedded-students.ts';
import { optimizerNumbers } from '../nn/optimizer.ts';
import { learningRate, miningRank, miningShare } from '../nn/schedule.ts';
import { defectShare } from './defects.ts';
import type { FeatureStore } from './feature-store.ts';
import type { RunClass } from './snapshot.ts';

/** Mean and what to divide by, per channel. */
export interface Standardisers {
  /** Per class, `[C, width]` row-major: what a class's tokens have in common says nothing about its defects. */
  decoderTokens: { mean: Float32Array; divisor: Float32Array };
  encoderTokens: { mean: Float32Array; divisor: Float32Array };
  encoderTargets: { mean: Float32Array; divisor: Float32Array };
}

/** Positions of the training pictures with their class. */
export interface TrainingPicture {
  picture: number;
  classIndex: number;
}

export function trainingPictures(classes: readonly RunClass[]): TrainingPicture[] {
  return classes.flatMap(({ pictures, split }, classIndex) =>
    split.training.map((position) => ({ picture: pictures[position]!, classIndex })),
  );
}

/**
 * Cuts the encoder student's target out of a feature vector, as `encoderTargets` does on tensors: everything but the
 * group means.
 */
export function targetOf(vector: Float32Array, dims: EmbeddedStudentDims): Float32Array {
  const levels = dims.stages.reduce((sum, size) => sum + size, 0) + dims.head;
  const means = dims.groups[0] + dims.groups[1];
  const out = new Float32Array(levels + means);
  out.set(vector.subarray(0, levels));
  out.set(vector.subarray(levels + means), levels);
  return out;
}

/** Mean and standard deviation of tokens and targets over the training pictures (embedded-recipe section 7). */
export async function fitStandardisers(
  pictures: readonly TrainingPicture[],
  store: Pick<FeatureStore, 'get'>,
  dims: EmbeddedStudentDims,
  options: EmbeddedStudentOptions,
): Promise<Standardisers> {
  const width = dims.groups[0] + dims.groups[1];
  const classCount = 1 + Math.max(...pictures.map(({ classIndex }) => classIndex));
  const all = new ChannelMoments(width);
  const own = Array.from({ length: classCount }, () => new ChannelMoments(width));
  const encoder = new ChannelMoments(dims.encoderDims);
  const targets = new ChannelMoments(
    dims.stages.reduce((sum, size) => sum + size, 0) + dims.head + dims.groups[0] + dims.groups[1],
  );
  for (const { picture, classIndex } of pictures) {
    const features = await store.get(picture);
    all.add(features.tokens);
    own[classIndex]!.add(features.tokens);
    encoder.add(features.encoderTokens);
    targets.add(targetOf(features.vector, dims));
  }
  const deviations = all.standardiser(0).divisor;
  const floor = options.tokenSdShare * (deviations.reduce((sum, sd) => sum + sd, 0) / width) + options.tokenSdFloor;
  const perClass = own.map((moments) => moments.standardiser(floor));
  return {
    decoderTokens: {
      mean: joined(perClass.map(({ mean }) => mean)),
      divisor: joined(perClass.map(({ divisor }) => divisor)),
    },
    encoderTokens: encoder.standardiser(options.tokenSdFloor),
    encoderTargets: targets.standardiser(options.targetSdFloor),
  };
}

function joined(rows: readonly Float32Array[]): Float32Array {
  const width = rows[0]!.length;
  const out = new Float32Array(rows.length * width);
  rows.forEach((row, i) => out.set(row, i * width));
  return out;
}

/** Makes the inputs of any step on its own: the same seed and step give the same numbers, resumed or not. */
export class BatchMaker {
  readonly #pictures: readonly TrainingPicture[];
  readonly #defects: readonly TrainingPicture[];
  /** Running sum of the sampling weights. */
  readonly #cumulative: Float64Array;
  readonly #store: Pick<FeatureStore, 'get'>;
  readonly #dims: EmbeddedStudentDims;
  readonly #options: EmbeddedStudentOptions;
  readonly #standardisers: Standardisers;
  readonly #seed: number;

  /** @param defects labelled 0; without any, no random number is drawn for them */
  constructor(
    pictures: readonly TrainingPicture[],
    defects: readonly TrainingPicture[],
    store: Pick<FeatureStore, 'get'>,
    dims: EmbeddedStudentDims,
    options: EmbeddedStudentOptions,
    standardisers: Standardisers,
    seed: number,
  ) {
    this.#pictures = pictures;
    this.#defects = defects;
    this.#store = store;
    this.#dims = dims;
    this.#options = options;
    this.#standardisers = standardisers;
    this.#seed = seed;
    const counts = new Map<number, number>();
    for (const { classIndex } of pictures) counts.set(classIndex, (counts.get(classIndex) ?? 0) + 1);
    this.#cumulative = new Float64Array(pictures.length);
    let sum = 0;
    pictures.forEach(({ classIndex }, i) => {
      sum += counts.get(classIndex)! ** options.samplingPower;
      this.#cumulative[i] = sum;
    });
  }

  /** @param step counted from 0 */
  async make(step: number): Promise<Record<string, Float32Array>> {
    const options = this.#options;
    const dims = this.#dims;
    const random = createRandom(this.#seed * 1_000_003 + step);
    const width = dims.groups[0] + dims.groups[1];
    const { batch, tokensPerStep } = options;
    const targetWidth = this.#standardisers.encoderTargets.mean.length;
    const decoderTokens = new Float32Array(batch * tokensPerStep * width);
    const encoderTokens = new Float32Array(batch * dims.encoderTokens * dims.encoderDims);
    const encoderTargets = new Float32Array(batch * targetWidth);
    const defects = this.#defects.length === 0 ? 0 : Math.max(1, Math.round(batch * defectShare));
    const label = new Float32Array(batch);
    for (let b = 0; b < batch; b++) {
      const isDefect = b >= batch - defects;
      const { picture, classIndex } = isDefect
        ? this.#defects[random.int(this.#defects.length)]!
        : this.#pictures[this.#draw(random)]!;
      label[b] = isDefect ? 0 : 1;
      const features = await this.#store.get(picture);
      const chosen = drawWithout(features.tokens.length / width, tokensPerStep, random);
      const { mean, divisor } = this.#standardisers.decoderTokens;
      const ofClass = {
        mean: mean.subarray(classIndex * width, (classIndex + 1) * width),
        divisor: divisor.subarray(classIndex * width, (classIndex + 1) * width),
      };
      chosen.forEach((token, i) => {
        const row = features.tokens.subarray(token * width, (token + 1) * width);
        standardiseInto(decoderTokens, (b * tokensPerStep + i) * width, row, ofClass);
      });
      for (let at = 0; at < features.encoderTokens.length; at += dims.encoderDims) {
        const row = features.encoderTokens.subarray(at, at + dims.encoderDims);
        standardiseInto(encoderTokens, b * features.encoderTokens.length + at, row, this.#standardisers.encoderTokens);
      }
      const target = targetOf(features.vector, dims);
      standardiseInto(encoderTargets, b * targetWidth, target, this.#standardisers.encoderTargets);
    }
    const mask = (length: number): Float32Array => {
      const out = new Float32Array(length);
      fillDropoutMask(out, options.dropout, random);
      return out;
    };
    const points = batch * tokensPerStep;
    const ramp = Math.max(1, options.miningRampShare * options.steps);
    const share = miningShare({ pFinal: options.miningShare, ramp, factor: options.miningFactor }, step);
    const schedule = {
      base: options.lr,
      final: options.lr * options.finalLrShare,
      warmup: Math.min(options.warmup, Math.floor(options.steps / 2)),
      total: options.steps,
    };
    const numbers = optimizerNumbers(options.optimizer, learningRate(schedule, step), step);
    return {
      decoderTokens,
      encoderTokens,
      encoderTargets,
      label,
      'mask.input': mask(points * width),
      'mask.hidden': mask(points * options.decoderHidden),
      'mask.output': mask(points * options.decoderWidth),
      miningRank: Float32Array.of(miningRank(points, share)),
      ...Object.fromEntries(Object.entries(numbers).map(([name, value]) => [name, Float32Array.of(value)])),
    };
  }

  #draw(random: Random): number {
    const at = random.next() * this.#cumulative.at(-1)!;
    let low = 0;
    let high = this.#cumulative.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#cumulative[middle]! > at) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}

/** `count` different numbers below `n` (with repetition only where `n` is too small). */
function drawWithout(n: number, count: number, random: Random): Int32Array {
  const all = Int32Array.from({ length: Math.max(n, count) }, (_, i) => i % n);
  for (let i = 0; i < count; i++) {
    const other = i + random.int(all.length - i);
    const value = all[i]!;
    all[i] = all[other]!;
    all[other] = value;
  }
  return all.subarray(0, count);
}

function standardiseInto(
  out: Float32Array,
  at: number,
  row: Float32Array,
  { mean, divisor }: { mean: Float32Array; divisor: Float32Array },
): void {
  for (let k = 0; k < row.length; k++) out[at + k] = (row[k]! - mean[k]!) / divisor[k]!;
}

/** Mean and deviation per channel, one pass, in double precision. */
class ChannelMoments {
  readonly #width: number;
  readonly #sum: Float64Array;
  readonly #squares: Float64Array;
  #count = 0;

  constructor(width: number) {
    this.#width = width;
    this.#sum = new Float64Array(width);
    this.#squares = new Float64Array(width);
  }

  add(rows: Float32Array): void {
    const width = this.#width;
    for (let at = 0; at < rows.length; at += width) {
      for (let k = 0; k < width; k++) {
        const value = rows[at + k]!;
        this.#sum[k]! += value;
        this.#squares[k]! += value * value;
      }
    }
    this.#count += rows.length / width;
  }

  standardiser(floor: number): { mean: Float32Array; divisor: Float32Array } {
    const mean = Float32Array.from(this.#sum, (sum) => sum / this.#count);
    const divisor = Float32Array.from(this.#squares, (squares, k) => {
      const centre = this.#sum[k]! / this.#count;
      return Math.sqrt(Math.max(0, squares / this.#count - centre * centre)) + floor;
    });
    return { mean, divisor };
  }
}
