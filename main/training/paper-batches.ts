import { createRandom } from '../../shared/random.ts';
import { fillDropoutMask } from '../nn/init.ts';
import { optimizerNumbers } from '../nn/optimizer.ts';
import { learningRate, miningRank, miningShare } from '../nn/schedule.ts';
import type { StepInputs } from '../runtime/training-engine.ts';
import { defectShare } from './defects.ts';
import { paperShapes, type PaperFeatures } from './paper-teacher.ts';
import type { PaperSettings } from './paper-settings.ts';
import type { BatchSource } from './student-loop.ts';

/**
 * Makes the inputs of any step of the paper's students on its own: the same seed and step give the same numbers, resumed
 * or not. Pictures come in epochs, each picture once in a shuffled order, what doesn't fill a batch left out (method-spec
 * section 7); a data set smaller than one batch is gone through several times in it.
 */
export class PaperBatchMaker implements BatchSource {
  readonly #pictures: readonly number[];
  readonly #defects: readonly number[];
  readonly #store: { get(index: number): Promise<PaperFeatures> };
  readonly #settings: PaperSettings;
  readonly #seed: number;
  /** The newest epochs' orders by epoch. */
  readonly #orders = new Map<number, Int32Array>();

  /**
   * @param pictures positions of the normal pictures to learn from
   * @param defects  positions of labelled defects, label 0; without any, no random number is drawn for them
   */
  constructor(
    pictures: readonly number[],
    defects: readonly number[],
    store: { get(index: number): Promise<PaperFeatures> },
    settings: PaperSettings,
    seed: number,
  ) {
    this.#pictures = pictures;
    this.#defects = defects;
    this.#store = store;
    this.#settings = settings;
    this.#seed = seed;
  }

  /** Positions of the pictures of a step, in order. */
  picturesOf(step: number): number[] {
    const { batch } = this.#settings;
    const count = this.#pictures.length;
    const perEpoch = Math.floor(count / batch);
    return Array.from({ length: batch }, (_, i) => {
      if (perEpoch > 0)
        return this.#pictures[this.#order(Math.floor(step / perEpoch))[(step % perEpoch) * batch + i]!]!;
      const at = step * batch + i;
      return this.#pictures[this.#order(Math.floor(at / count))[at % count]!]!;
    });
  }

  /** @param step counted from 0 */
  async make(step: number): Promise<StepInputs> {
    const settings = this.#settings;
    const { batch, microBatch, objective, sdHardMining, schedule } = settings;
    const random = createRandom(this.#seed * 1_000_003 + step);
    const shown = this.picturesOf(step);
    const label = new Float32Array(batch).fill(1);
    const defects = this.#defects.length === 0 ? 0 : Math.max(1, Math.round(batch * defectShare));
    for (let b = batch - defects; b < batch; b++) {
      shown[b] = this.#defects[random.int(this.#defects.length)]!;
      label[b] = 0;
    }
    const features = await Promise.all(shown.map((picture) => this.#store.get(picture)));
    const joined = (name: keyof PaperFeatures): Float32Array => {
      const length = features[0]![name].length;
      const out = new Float32Array(batch * length);
      features.forEach((each, b) => out.set(each[name], b * length));
      return out;
    };
    const [tokens, width] = paperShapes(settings).tokens;
    const mask = (channels: number): Float32Array => {
      const out = new Float32Array(batch * tokens * channels);
      fillDropoutMask(out, settings.decoder.dropout, random);
      return out;
    };
    const points = microBatch * (tokens - 1 - settings.registers);
    const share = sdHardMining === null ? 0 : miningShare(sdHardMining, step);
    const warmup = Math.min(schedule.warmup, Math.floor(schedule.total / 2));
    const numbers = optimizerNumbers(settings.optimizer, learningRate({ ...schedule, warmup }, step), step);
    return {
      label,
      ...(objective !== 'encoder' && {
        teacherGroup1: joined('group1'),
        teacherGroup2: joined('group2'),
        'mask.input': mask(width),
        'mask.hidden': mask(4 * width),
        'mask.output': mask(width),
        ...(sdHardMining !== null && { miningRank: Float32Array.of(miningRank(points, share)) }),
      }),
      ...(objective !== 'decoder' && {
        teacherClassTokens: joined('classTokens'),
        [settings.encoderStudent.embeddings === 'own' ? 'patches' : 'tokens0']: joined('seen'),
      }),
      ...Object.fromEntries(Object.entries(numbers).map(([name, value]) => [name, Float32Array.of(value)])),
    };
  }

  #order(epoch: number): Int32Array {
    let order = this.#orders.get(epoch);
    if (order === undefined) {
      const all = this.#pictures.map((_, i) => i);
      order = Int32Array.from(createRandom(((this.#seed ^ 0x5bd1e995) >>> 0) * 1_000_003 + epoch).shuffle(all));
      // A step may look one epoch ahead of the one before it.
      if (this.#orders.size > 1) this.#orders.delete(Math.min(...this.#orders.keys()));
      this.#orders.set(epoch, order);
    }
    return order;
  }
}
