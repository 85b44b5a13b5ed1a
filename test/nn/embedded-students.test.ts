import { describe, expect, it } from 'vitest';
import {
  decoderTargets,
  embeddedStudentDefaults,
  embeddedStudentSpecs,
  encoderLevels,
  encoderTargets,
  encoderTargetSize,
  initEmbeddedStudents,
  levelError,
  makeEmbeddedModel,
  residualSize,
  runEmbeddedDecoder,
  runEmbeddedEncoder,
  type EmbeddedStudentDims,
} from '../../main/nn/embedded-students.ts';
import { decoderScore, studentErrors, type PositionStatistics } from '../../main/nn/embedded-scores.ts';
import { fillDropoutMask, sizeOf } from '../../main/nn/init.ts';
import { paramsOf } from '../../main/nn/layers.ts';
import { pointDistance } from '../../main/nn/losses.ts';
import { optimizerNumbers } from '../../main/nn/optimizer.ts';
import { paperModelOptions, presets } from '../../main/nn/presets.ts';
import { decoderStudentSpecs, encoderStudentSpecs } from '../../main/nn/paper-model.ts';
import { learningRate, miningRank, miningShare } from '../../main/nn/schedule.ts';
import { tf, type Tensor } from '../../main/nn/tf.ts';
import { makeTrainingStep } from '../../main/nn/training-step.ts';
import { createRandom } from '../../shared/random.ts';
import './cpu-backend.ts';
import { largestDifference } from './golden.ts';

/** EfficientNet-Lite2 at 256 px. */
const lite2: EmbeddedStudentDims = {
  groups: [120, 208],
  encoderTokens: 64,
  encoderDims: 192,
  stages: [16, 24, 48, 88, 120, 208, 352],
  head: 1280,
};
/** The same structure, small enough for the plain CPU backend. */
const tiny: EmbeddedStudentDims = {
  groups: [5, 7],
  encoderTokens: 4,
  encoderDims: 6,
  stages: [2, 3, 2, 3, 5, 7, 4],
  head: 9,
};
const small = {
  ...embeddedStudentDefaults,
  decoderHidden: 24,
  decoderWidth: 20,
  encoderWidth: 20,
  tokensPerStep: 8,
  batch: 4,
};

const countOf = (specs: readonly { name: string; shape: readonly number[] }[], prefix = '') =>
  specs.filter(({ name }) => name.startsWith(prefix)).reduce((total, { shape }) => total + sizeOf(shape), 0);

const asTensors = (seed: number): Record<string, Tensor> =>
  Object.fromEntries(
    [...initEmbeddedStudents(seed, tiny, small)].map(([name, { data, shape }]) => [name, tf.tensor(data, [...shape])]),
  );

const noise = (seed: number, shape: number[]) => {
  const random = createRandom(seed);
  return tf.tensor(
    new Float32Array(sizeOf(shape)).map(() => random.normal()),
    shape,
  );
};

describe('sizes', () => {
  it('are those of the recipe: 0.83 M and 1.68 M parameters, 2464 targets, 656 residuals', () => {
    const specs = embeddedStudentSpecs(lite2);
    expect(countOf(specs, 'decoder/')).toBe(828_008);
    expect(countOf(specs, 'encoder/')).toBe(1_675_424);
    expect(encoderTargetSize(lite2)).toBe(2464);
    expect(residualSize(lite2)).toBe(656);
    expect(new Set(specs.map(({ name }) => name)).size).toBe(specs.length);
  });

  it('of the paper presets match the published counts', () => {
    const decoder = (name: 'paper-small' | 'paper-base') =>
      countOf(decoderStudentSpecs(paperModelOptions(presets[name])));
    expect(decoder('paper-small')).toBe(15_377_280);
    expect(decoder('paper-base')).toBe(61_425_408);
    // Table 5: 58.7 M and 233.1 M in all, with the teachers' 22.06 M and 86.58 M.
    const all = (name: 'paper-small' | 'paper-base') =>
      decoder(name) + countOf(encoderStudentSpecs(paperModelOptions(presets[name])));
    expect((all('paper-small') + 22_058_112) / 1e6).toBeCloseTo(58.7, 1);
    expect((all('paper-base') + 86_583_552) / 1e6).toBeCloseTo(233.1, 1);
  });
});

describe('initEmbeddedStudents', () => {
  it('is the same for the same seed', () => {
    expect(initEmbeddedStudents(5, tiny, small)).toEqual(initEmbeddedStudents(5, tiny, small));
    expect(initEmbeddedStudents(5, tiny, small)).not.toEqual(initEmbeddedStudents(6, tiny, small));
  });
});

describe('networks', () => {
  const params = asTensors(1);

  it('decoder student gives both groups; its blocks see all tokens', () => {
    const tokens = noise(2, [3, 8, 12]);
    const [a, b] = runEmbeddedDecoder(tokens, paramsOf('decoder/', params), undefined, small);
    expect([a.shape, b.shape]).toEqual([
      [3, 8, 5],
      [3, 8, 7],
    ]);
    expect(decoderTargets(tokens, tiny).map(({ shape }) => shape)).toEqual([a.shape, b.shape]);
    // Linear attention has no positions: another order of tokens gives the same outputs in that order.
    const turned = runEmbeddedDecoder(tf.reverse(tokens, 1), paramsOf('decoder/', params), undefined, small);
    expect(largestDifference(tf.reverse(turned[1], 1).dataSync(), b.dataSync())).toBeLessThan(1e-6);
  });

  it('encoder student takes each level from its block', () => {
    const tokens = noise(3, [2, 4, 6]);
    const predicted = runEmbeddedEncoder(tokens, paramsOf('encoder/', params), tiny, small);
    expect(predicted.shape).toEqual([2, encoderTargetSize(tiny)]);
    // Changing block i changes the levels from stage i on and leaves those before alone.
    const starts = encoderLevels(tiny).reduce<number[]>((at, size) => [...at, at.at(-1)! + size], [0]);
    for (let block = 0; block < 4; block += 1) {
      const name = `encoder/blocks.${block}.mlp.fc2.bias`;
      const changed = { ...params, [name]: tf.add(params[name]!, noise(9, [20])) };
      const moved = runEmbeddedEncoder(tokens, paramsOf('encoder/', changed), tiny, small);
      const gaps = tf.abs(tf.sub(moved, predicted)).dataSync().subarray(0, encoderTargetSize(tiny));
      encoderLevels(tiny).forEach((_, level) => {
        const gap = Math.max(...gaps.subarray(starts[level], starts[level + 1]));
        if (level < Math.min(block, tiny.stages.length)) expect(gap).toBe(0);
        else expect(gap).toBeGreaterThan(0);
      });
    }
  });

  it('level error weighs levels alike, whatever their width', () => {
    const target = tf.zeros([1, encoderTargetSize(tiny)]);
    const levels = encoderLevels(tiny);
    const ones = levels.flatMap((size, i) => new Array<number>(size).fill(i === 2 ? 3 : 1));
    const error = levelError(target, tf.tensor2d([ones]), tiny).dataSync()[0];
    expect(error).toBeCloseTo((9 + levels.length - 1) / levels.length, 5);
  });

  it('targets leave the repeated group means out', () => {
    // 26 stage means, 9 head, 12 group means, 12 deviations.
    const vector = tf.expandDims(tf.range(0, 26 + 9 + 12 + 12), 0);
    const picked = [...encoderTargets(vector, tiny).dataSync()];
    expect(picked.slice(0, 35)).toEqual(Array.from({ length: 35 }, (_, i) => i));
    expect(picked.slice(35)).toEqual(Array.from({ length: 12 }, (_, i) => 47 + i));
  });

  it('errors come from both groups, standardised per class, and from the residual of means and deviations', () => {
    const unit = (...shape: number[]) => ({ mean: tf.zeros(shape), divisor: tf.ones(shape) });
    // The second class's tokens are shown doubled and moved, so standardising gives the first class's back.
    const decoderTokens = {
      mean: tf.concat([tf.zeros([1, 12]), tf.fill([1, 12], 3)], 0),
      divisor: tf.concat([tf.ones([1, 12]), tf.fill([1, 12], 2)], 0),
    };
    const standardisers = { decoderTokens, encoderTokens: unit(6), encoderTargets: unit(47) };
    const features = { tokens: noise(4, [2, 9, 12]), encoderTokens: noise(5, [2, 4, 6]), vector: noise(6, [2, 59]) };
    const classIndex = tf.tensor1d([0, 1], 'int32');
    const shown = tf.concat(
      [tf.slice(features.tokens, [0], [1]), tf.add(tf.mul(tf.slice(features.tokens, [1], [1]), 2), 3)],
      0,
    );
    const { errors, residual } = studentErrors(
      { ...features, tokens: shown },
      classIndex,
      params,
      standardisers,
      tiny,
      small,
    );
    expect([errors[0].shape, errors[1].shape, residual.shape]).toEqual([
      [2, 9],
      [2, 9],
      [2, 24],
    ]);
    const targets = decoderTargets(features.tokens, tiny);
    const rebuilt = runEmbeddedDecoder(features.tokens, paramsOf('decoder/', params), undefined, small);
    targets.forEach((target, group) => {
      const distance = pointDistance(target, rebuilt[group]!).dataSync().map(Math.log);
      expect(largestDifference(errors[group]!.dataSync(), distance)).toBeLessThan(1e-4);
    });
    const predicted = runEmbeddedEncoder(features.encoderTokens, paramsOf('encoder/', params), tiny, small);
    const difference = (tf.sub(encoderTargets(features.vector, tiny), predicted).arraySync() as number[][])[0]!;
    // Means of stages 5 and 6 start after 2 + 3 + 2 + 3 channels, deviations after all stages and the head.
    const expected = [...difference.slice(10, 22), ...difference.slice(35, 47)];
    expect(largestDifference(residual.dataSync().subarray(0, 24), expected)).toBeLessThan(1e-6);
  });

  it("the decoder's score is the largest smoothed sum of deviations from what is normal at that place", () => {
    const errors = [noise(21, [1, 9]), noise(22, [1, 9])] as const;
    const statistics = [0, 1].map((group) => ({
      mean: tf.stack([tf.zeros([9]), tf.fill([9], group)]),
      scale: tf.stack([tf.ones([9]), tf.fill([9], 2 + group)]),
    })) as [PositionStatistics, PositionStatistics];
    const [a, b] = errors.map((error) => [...error.dataSync()]);
    const sums = a!.map((value, i) => 2 * value + 3 * (b![i]! - 1));
    const smoothed = sums.map((_, i) => {
      const cells = sums.filter(
        (_, j) => Math.abs((i % 3) - (j % 3)) <= 1 && Math.abs(Math.floor(i / 3) - Math.floor(j / 3)) <= 1,
      );
      return cells.reduce((total, value) => total + value, 0) / cells.length;
    });
    const score = decoderScore(errors, tf.tensor1d([1], 'int32'), statistics).dataSync()[0]!;
    expect(score).toBeCloseTo(Math.max(...smoothed), 4);
  });
});

describe('training', () => {
  it('brings both errors down on structured tokens, with dropout and hard mining', () => {
    const model = makeEmbeddedModel(tiny, small.batch, small);
    const step = makeTrainingStep(model, small.optimizer);
    const fresh = asTensors(7);
    let state = step.state.map(({ name, shape }) => fresh[name] ?? tf.zeros([...shape]));
    const random = createRandom(11);
    // Tokens on a plane, targets that follow from four pictures: both can be learnt.
    const [basis, mixing] = [noise(12, [2, 12]), noise(13, [6, 47])];
    const schedule = { base: 1e-2, final: 5e-4, warmup: 5, total: 40 };
    const history: { decoder: number; encoder: number; total: number }[] = [];
    for (let i = 0; i < schedule.total; i += 1) {
      const encoderTokens = noise(1000, [4, 4, 6]);
      const mask = (name: string) => {
        const { shape } = model.inputs.find((input) => input.name === name)!;
        const data = new Float32Array(sizeOf(shape));
        fillDropoutMask(data, 0.1, random);
        return tf.tensor(data, [...shape]);
      };
      const share = miningShare({ pFinal: 0.9, ramp: 8, factor: 0.1 }, i);
      const numbers = optimizerNumbers(small.optimizer, learningRate(schedule, i), i);
      const inputs: Record<string, Tensor> = {
        decoderTokens: tf.reshape(tf.matMul(noise(2000 + i, [32, 2]) as tf.Tensor2D, basis as tf.Tensor2D), [4, 8, 12]),
        encoderTokens,
        encoderTargets: tf.matMul(tf.mean(encoderTokens, 1) as tf.Tensor2D, mixing as tf.Tensor2D),
        label: tf.ones([4]),
        'mask.input': mask('mask.input'),
        'mask.hidden': mask('mask.hidden'),
        'mask.output': mask('mask.output'),
        miningRank: tf.scalar(miningRank(32, share)),
        ...Object.fromEntries(Object.entries(numbers).map(([name, value]) => [name, tf.scalar(value)])),
      };
      const next = step.apply(state, inputs);
      const read = (name: string) => next.outputs[name]!.dataSync()[0]!;
      history.push({ decoder: read('decoder'), encoder: read('encoder'), total: read('total') });
      tf.dispose(state);
      state = next.state;
    }
    const mean = (key: 'decoder' | 'encoder' | 'total', from: number) =>
      history.slice(from, from + 5).reduce((total, entry) => total + entry[key], 0) / 5;
    expect(mean('decoder', 35)).toBeLessThan(0.5 * mean('decoder', 0));
    expect(mean('encoder', 35)).toBeLessThan(0.7 * mean('encoder', 0));
    // -log(3/4) is the least the objective can reach (method-spec section 6.1).
    expect(history.every(({ total }) => total > Math.log(4 / 3))).toBe(true);
  });
});
