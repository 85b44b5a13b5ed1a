import * as ort from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { studentErrors } from '../../main/nn/embedded-scores.ts';
import {
  embeddedStudentDefaults,
  initEmbeddedStudents,
  makeEmbeddedModel,
  type EmbeddedStudentDims,
} from '../../main/nn/embedded-students.ts';
import { fillDropoutMask, initialise, sizeOf } from '../../main/nn/init.ts';
import { optimizerNumbers } from '../../main/nn/optimizer.ts';
import { makePaperModel } from '../../main/nn/paper-model.ts';
import { paperModelOptions, presets } from '../../main/nn/presets.ts';
import { miningRank } from '../../main/nn/schedule.ts';
import { tf, type Tensor } from '../../main/nn/tf.ts';
import { makeTrainingStep, type TrainableModel } from '../../main/nn/training-step.ts';
import { OnnxGraph } from '../../main/onnx/graph.ts';
import { traceInto } from '../../main/onnx/tracing-backend.ts';
import { openOrtEngine } from '../../main/runtime/ort-engine.ts';
import { createRandom } from '../../shared/random.ts';
import './cpu-backend.ts';
import { largestDifference } from './golden.ts';

const dims: EmbeddedStudentDims = {
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
const paper = {
  ...paperModelOptions(presets['paper-small']),
  embedDim: 16,
  heads: 2,
  registers: 1,
  storedGrid: 3,
  decoder: { depth: 2, layerNormEps: 1e-8, order: 'mirrored' },
  encoder: { ...presets['paper-small'].encoderStudent, depth: 2, embeddings: 'own' },
} as const;

const twoPictures = makePaperModel(paper, 2, { rows: 2, columns: 4 });
const models: [string, TrainableModel, number, number, 'stepwise' | 'loop' | 'partwise'][] = [
  ['embedded', makeEmbeddedModel(dims, small.batch, small), 32, 1, 'stepwise'],
  ['paper, own embeddings on another grid', twoPictures, 16, 1, 'stepwise'],
  ['paper, gradients of three parts added up', twoPictures, 16, 3, 'stepwise'],
  ['paper, the same in the Loop form', twoPictures, 16, 3, 'loop'],
  ['paper, the same part by part in place', twoPictures, 16, 3, 'partwise'],
  ['paper, one part in place', twoPictures, 16, 1, 'partwise'],
  ['embedded, in place', makeEmbeddedModel(dims, small.batch, small), 32, 1, 'partwise'],
];

it('a batch in parts moves like the whole one, where nothing looks at the batch as a whole', () => {
  const plain = { ...paper, miningFactor: null };
  const whole = makeTrainingStep(makePaperModel(plain, 4, { rows: 2, columns: 4 }), small.optimizer);
  const cut = makeTrainingStep(makePaperModel(plain, 2, { rows: 2, columns: 4 }), small.optimizer, 2);
  expect(cut.inputs).toEqual(whole.inputs);
  expect(cut.state).toEqual(whole.state);
  const random = createRandom(3);
  const draw = (shape: readonly number[]): Tensor =>
    tf.tensor(
      Float32Array.from({ length: sizeOf(shape) }, () => random.normal()),
      [...shape],
    );
  const numbers: Record<string, number> = { ...optimizerNumbers(small.optimizer, 1e-3, 3) };
  const state = whole.state.map(({ name, shape }) => (/^v/.test(name) ? tf.abs(draw(shape)) : draw(shape)));
  const inputs = Object.fromEntries(
    whole.inputs.map(({ name, shape }) => [
      name,
      name in numbers ? tf.scalar(numbers[name]!) : name === 'label' ? tf.tensor([1, 0, 1, 1]) : draw(shape),
    ]),
  );
  const [a, b] = [whole.apply(state, inputs), cut.apply(state, inputs)];
  for (const name of Object.keys(a.outputs)) {
    expect(b.outputs[name]!.dataSync()[0], name).toBeCloseTo(a.outputs[name]!.dataSync()[0]!, 4);
  }
  a.state.forEach((tensor, i) => {
    expect(largestDifference(b.state[i]!.dataSync(), tensor.dataSync()), whole.state[i]!.name).toBeLessThan(2e-5);
  });
});

describe.each(models)('a traced training step: %s', (_, model, points, parts, mode) => {
  it('moves like the eager one over five steps', async () => {
    const step = makeTrainingStep(model, small.optimizer, parts);
    const fresh = initialise(model.params, createRandom(1));
    const initial = new Map(
      step.state.map(({ name, shape }) => [name, fresh.get(name)?.data ?? new Float32Array(sizeOf(shape))]),
    );
    const engine = await openOrtEngine(step, initial, { mode, inline: true, threads: 1 });
    let state: Tensor[] = step.state.map(({ name, shape }) => tf.tensor(initial.get(name)!.slice(), [...shape]));
    const random = createRandom(2);
    try {
      for (let i = 0; i < 5; i += 1) {
        const numbers: Record<string, number> = {
          ...optimizerNumbers(small.optimizer, 2e-3, i),
          miningRank: miningRank(points, 0.2 * i),
        };
        const inputs = Object.fromEntries(
          step.inputs.map(({ name, shape }) => {
            const data = new Float32Array(sizeOf(shape));
            if (name in numbers) data[0] = numbers[name]!;
            else if (name === 'label') data.fill(1).fill(0, 1, 2);
            else if (name.startsWith('mask')) fillDropoutMask(data, 0.4, random);
            else data.forEach((_value, k) => (data[k] = random.normal()));
            return [name, data];
          }),
        );
        const [traced] = await engine.runSteps([inputs]);
        const tensors = Object.fromEntries(
          step.inputs.map(({ name, shape }) => [name, tf.tensor(inputs[name]!, [...shape])]),
        );
        const next = step.apply(state, tensors);
        state = next.state;
        for (const { name } of step.outputs) {
          expect(traced![name], name).toBeCloseTo(next.outputs[name]!.dataSync()[0]!, 4);
        }
      }
      const moved = await engine.readState();
      step.state.forEach(({ name }, i) => {
        const [actual, expected] = [moved.get(name)!, state[i]!.dataSync()];
        const c = actual.length / 3;
        // The key third of a softmax's bias has no gradient but rounding noise, which AMSGrad turns into steps.
        const isKeyBias = name.includes('encoder/') && name.endsWith('qkv.bias');
        const ranges = isKeyBias ? [0, c, 2 * c, 3 * c] : [0, actual.length];
        for (let r = 0; r < ranges.length; r += 2) {
          const gap = largestDifference(
            actual.slice(ranges[r], ranges[r + 1]),
            expected.slice(ranges[r], ranges[r + 1]),
          );
          expect(gap, name).toBeLessThan(2e-5);
        }
      });
    } finally {
      await engine.close();
    }
  });
});

describe('traced scores', () => {
  it('are those of the eager function for any batch size', async () => {
    const params = [...initEmbeddedStudents(1, dims, small)];
    const unit = (...shape: number[]) => ({ mean: tf.fill(shape, 0.1), divisor: tf.fill(shape, 1.5) });
    const score = (tokens: Tensor, encoderTokens: Tensor, vector: Tensor) => {
      const tensors = Object.fromEntries(params.map(([name, { data, shape }]) => [name, tf.tensor(data, [...shape])]));
      const standardisers = { decoderTokens: unit(59, 12), encoderTokens: unit(6), encoderTargets: unit(47) };
      const classIndex = tf.argMin(tf.abs(vector), 1);
      return studentErrors({ tokens, encoderTokens, vector }, classIndex, tensors, standardisers, dims, small);
    };
    const shapes = { tokens: [9, 12], encoderTokens: [4, 6], vector: [59] };
    const batch = 1_000_003;
    const graph = new OnnxGraph('scores');
    const traced = traceInto(
      graph,
      Object.entries(shapes).map(([name, shape]) => ({
        value: graph.input(name, 'float32', ['batch', ...shape]),
        shape: [batch, ...shape],
        dtype: 'float32',
      })),
      (...inputs) => {
        const { errors, residual } = score(...(inputs as [Tensor, Tensor, Tensor]));
        return [...errors, residual];
      },
      { batch },
    );
    const names = ['errorsA', 'errorsB', 'residual'] as const;
    names.forEach((name, i) => {
      const rest = traced[i]!.shape.slice(1);
      graph.output(name, traced[i]!.value, 'float32', ['batch', ...rest]);
    });
    const session = await ort.InferenceSession.create(graph.toBytes(), { intraOpNumThreads: 1 });
    const random = createRandom(4);
    for (const size of [1, 3]) {
      const data = Object.entries(shapes).map(([name, shape]) => {
        const values = new Float32Array(size * sizeOf(shape)).map(() => random.normal());
        return { name, values, shape: [size, ...shape] };
      });
      const feeds = data.map(({ name, values, shape }) => [name, new ort.Tensor('float32', values, shape)] as const);
      const out = await session.run(Object.fromEntries(feeds));
      const eager = score(...(data.map(({ values, shape }) => tf.tensor(values, shape)) as [Tensor, Tensor, Tensor]));
      [...eager.errors, eager.residual].forEach((expected, i) => {
        const found = out[names[i]!]!;
        expect(found.dims).toEqual(expected.shape);
        // A logarithm near a perfect match magnifies rounding.
        expect(largestDifference(found.data as Float32Array, expected.dataSync())).toBeLessThan(1e-4);
      });
    }
    await session.release();
  });
});
