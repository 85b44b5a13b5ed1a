import { describe, expect, it } from 'vitest';
import { createRandom } from '../../shared/random.ts';
import { fillDropoutMask, initialise, sizeOf, truncNormal } from '../../main/nn/init.ts';
import { clipFactor, globalNorm, optimizerNumbers, stableAdamW, type OptimizerSlot } from '../../main/nn/optimizer.ts';
import { makePaperModel, type PaperModelOptions } from '../../main/nn/paper-model.ts';
import { positionMatrix } from '../../main/nn/resample.ts';
import { learningRate, miningRank, miningShare } from '../../main/nn/schedule.ts';
import { ablationScore, errorWithoutLast, lastError } from '../../main/nn/scores.ts';
import { classTokenErrors } from '../../main/nn/losses.ts';
import { runEncoderStudent } from '../../main/nn/encoder-student.ts';
import { paramsOf } from '../../main/nn/layers.ts';
import { tf, type Tensor } from '../../main/nn/tf.ts';
import { makeTrainingStep } from '../../main/nn/training-step.ts';
import { classTokens, embedTokens, patchify, runVit, teacherGroups } from '../../main/nn/vit.ts';
import { Golden, largestDifference, manifest } from './golden.ts';

const optimizer = {
  amsgrad: true,
  betas: [0.9, 0.999],
  eps: 1e-10,
  weightDecay: 1e-4,
  clipThreshold: 1,
  gradClip: 0.1,
} as const;

const scalars = (numbers: Record<string, number>) =>
  Object.fromEntries(Object.entries(numbers).map(([name, value]) => [name, tf.scalar(value)]));

describe('StableAdamW on the golden toy set', () => {
  const golden = new Golden('cases/optimiser.safetensors');
  const names = ['matrix', 'bias', 'single'];

  it.each([
    ['amsgrad', {}],
    ['plain', { amsgrad: false }],
    ['decay', { weightDecay: 0.1 }],
  ])('%s', (tag, changes) => {
    const options = { ...optimizer, ...changes };
    let slots = names.map((name): OptimizerSlot => {
      const param = golden.tensor(`start.${name}`);
      const slot = { param, m: tf.zerosLike(param), v: tf.zerosLike(param) };
      return options.amsgrad ? { ...slot, vmax: tf.zerosLike(param) } : slot;
    });
    for (let step = 0; step < 5; step += 1) {
      const gradients = names.map((name) => golden.tensor(`grad${step + 1}.${name}`));
      const numbers = optimizerNumbers(options, 2e-3, step);
      const { lr, decay, biasCorrection1, biasCorrection2 } = scalars(numbers) as Record<keyof typeof numbers, Tensor>;
      const inputs = { lr, decay, biasCorrection1, biasCorrection2 };
      const stepped = stableAdamW(slots, gradients, inputs, options, tf.scalar(1));
      slots = stepped.slots;
      names.forEach((name, i) => {
        golden.check(`${tag}.step${step + 1}.${name}`, slots[i]!.param, undefined, 1e-6);
        const scale = golden.values(`${tag}.step${step + 1}.${name}.scale`)[0]!;
        expect(stepped.updateClip[i]!.dataSync()[0]! / scale).toBeCloseTo(1, 5);
      });
    }
    names.forEach((name, i) => {
      const { m, v, vmax } = slots[i]!;
      golden.check(`${tag}.state.${name}.m`, m, undefined, 2e-6);
      golden.check(`${tag}.state.${name}.v`, v, undefined, 2e-6);
      if (vmax !== undefined) golden.check(`${tag}.state.${name}.vmax`, vmax, undefined, 2e-6);
    });
  });

  it('clips by the global norm', () => {
    const gradients = names.map((name) => golden.tensor(`grad1.${name}`));
    const norm = globalNorm(gradients);
    expect(norm.dataSync()[0]).toBeCloseTo(golden.values('clip.norm')[0]!, 6);
    const factor = clipFactor(norm, 0.1);
    names.forEach((name, i) => golden.check(`clip.${name}`, tf.mul(gradients[i]!, factor), undefined, 1e-7));
    expect(clipFactor(tf.scalar(0.05), 0.1).dataSync()[0]).toBe(1);
  });
});

/** The golden `mini` model: teacher outputs on `image_56` and the students' golden weights. */
const teacher = new Golden('weights/teacher.original.safetensors').params();
const image = new Golden('inputs.safetensors').tensor('image_56');
const grid = { rows: 4, columns: 4 };
const vit = { depth: 12, heads: 2, patch: 14, layerNormEps: 1e-6 };
const patches = patchify(image, 14);
const positions = positionMatrix(grid, 5, 'scale_offset');
const output = runVit(embedTokens(patches, teacher, positions), teacher, vit);
const [teacherGroup1, teacherGroup2] = teacherGroups(output, [
  [3, 4, 5, 6],
  [7, 8, 9, 10],
]);
const teacherTokens = classTokens(output);
const students = {
  ...prefixNames('encoder/', new Golden('weights/encoder_student.safetensors').params()),
  ...prefixNames('decoder/', new Golden('weights/decoder_student.safetensors').params()),
};

function prefixNames(prefix: string, params: Record<string, Tensor>): Record<string, Tensor> {
  return Object.fromEntries(Object.entries(params).map(([name, tensor]) => [prefix + name, tensor]));
}

interface Case {
  options: PaperModelOptions;
  label: number[];
  /** Share p of easy points in the joint case. */
  share?: number;
}

const literal: PaperModelOptions = {
  embedDim: 32,
  heads: 2,
  patch: 14,
  registers: 4,
  storedGrid: 5,
  positionMode: 'scale_offset',
  decoder: { depth: 8, layerNormEps: 1e-8, order: 'mirrored' },
  encoder: { depth: 12, layerNormEps: 1e-6, embeddings: 'own', layerScaleInit: 1, linearStd: 0.02 },
  reduction: 'sum',
  objective: 'noisy-or',
  miningFactor: null,
};
const cases: Record<string, Case> = {
  literal: { options: literal, label: [1, 1, 1, 1] },
  dinomaly_like: {
    options: {
      ...literal,
      encoder: { ...literal.encoder, embeddings: 'shared' },
      reduction: 'mean',
      miningFactor: 0.1,
    },
    label: [1, 1, 1, 1],
    share: 0.5,
  },
  supervised: { options: literal, label: [1, 0, 1, 0] },
  forward_order: { options: { ...literal, decoder: { ...literal.decoder, order: 'forward' } }, label: [1, 1, 1, 1] },
};

function inputsOf({ label }: Case, share: number): Record<string, Tensor> {
  return {
    teacherGroup1,
    teacherGroup2,
    teacherClassTokens: tf.transpose(teacherTokens, [1, 0, 2]),
    tokens0: output.tokens0,
    patches,
    label: tf.tensor1d(label),
    'mask.input': tf.ones([4, 21, 32]),
    'mask.hidden': tf.ones([4, 21, 128]),
    'mask.output': tf.ones([4, 21, 32]),
    miningRank: tf.scalar(miningRank(64, share)),
  };
}

/** Order of the parameters in `grad_norms` and `norms_after_step`. */
const orderOf = ({ options }: Case) =>
  options.encoder.embeddings === 'own' ? manifest.notes.parameter_order.own : manifest.notes.parameter_order.shared;

/** Without the key third of the encoder's qkv bias, whose gradient is zero analytically. */
function comparable(name: string, tensor: Tensor): Tensor {
  if (!(name.startsWith('encoder/') && name.endsWith('qkv.bias'))) return tensor;
  return tf.concat([tf.slice(tensor, 0, 32), tf.slice(tensor, 64, 32)]);
}

describe.each(Object.keys(cases))('joint objective: %s', (tag) => {
  const golden = new Golden(`cases/joint_${tag}.safetensors`);
  const spec = cases[tag]!;
  const model = makePaperModel(spec.options, 4, grid);
  const inputs = inputsOf(spec, spec.share ?? 0);

  it('has the parameters of the golden model, in their order and shapes', () => {
    expect(model.params.map(({ name }) => name)).toEqual(orderOf(spec));
    for (const { name, shape } of model.params) expect(students[name]?.shape, name).toEqual(shape);
    expect(Object.keys(inputs)).toEqual(expect.arrayContaining(model.inputs.map(({ name }) => name)));
    for (const { name, shape } of model.inputs) expect(inputs[name]?.shape, name).toEqual(shape);
  });

  it('losses and scores', () => {
    const { loss, encoder, decoder } = model.losses(students, inputs);
    golden.check('L_SD', decoder);
    golden.check('L_SE', encoder);
    golden.check('loss_per_sample', loss);
    golden.check('L_total', tf.mean(loss));
    const own = spec.options.encoder.embeddings === 'own';
    const student = runEncoderStudent(
      own ? { embeddings: 'own', patches, positions } : { embeddings: 'shared', tokens0: output.tokens0 },
      paramsOf('encoder/', students),
      vit,
    );
    const errors = classTokenErrors(teacherTokens, student, spec.options.reduction);
    golden.check('class_token_errors', errors);
    golden.check('L_SE_last', lastError(errors));
    golden.check('L_SE_without_last', errorWithoutLast(errors));
    golden.check('log_AC', ablationScore(6, errors, decoder));
    golden.check('log_AC_without_CLS', ablationScore(4, errors, decoder));
    golden.check('SUM', ablationScore(5, errors, decoder));
  });

  it('gradients of every parameter', () => {
    const names = model.params.map(({ name }) => name);
    const gradients = tf.grads((...tensors: Tensor[]) => {
      const params = Object.fromEntries(names.map((name, i) => [name, tensors[i]!]));
      return tf.mean(model.losses(params, inputs).loss);
    })(names.map((name) => students[name]!));
    const norms = gradients.map((gradient) => tf.norm(gradient).dataSync()[0]!);
    expect(largestDifference(norms, golden.values('grad_norms'))).toBeLessThanOrEqual(golden.atol('grad_norms'));
    let compared = 0;
    names.forEach((name, i) => {
      if (!golden.stored.has(`grad/${name}`)) return;
      compared += 1;
      golden.check(`grad/${name}`, gradients[i]!);
    });
    expect(compared).toBe(golden.names().filter((name) => name.startsWith('grad/')).length);
  });
});

describe.each(['literal', 'dinomaly_like'])('five training steps: %s', (tag) => {
  it('parameters, norms and log', () => {
    const golden = new Golden(`cases/train_${tag}.safetensors`);
    const spec = cases[tag]!;
    const model = makePaperModel(spec.options, 4, grid);
    const step = makeTrainingStep(model, optimizer);
    const names = model.params.map(({ name }) => name);
    const zerosOf = () => names.map((name) => tf.zerosLike(students[name]!));
    let state = [...names.map((name) => students[name]!), ...zerosOf(), ...zerosOf(), ...zerosOf()];
    expect(state.map((tensor) => tensor.shape)).toEqual(step.state.map(({ shape }) => shape));
    expect(step.state[names.length * 3]!.name).toBe(`vmax/${names[0]}`);

    const log = golden.values('log');
    const logBound = golden.atol('log');
    const rates = golden.values('lr');
    const schedule = { base: 2e-3, final: 2e-4, total: 10, warmup: 3 };
    for (let i = 0; i < 5; i += 1) {
      if (tag === 'dinomaly_like') expect(learningRate(schedule, i)).toBeCloseTo(rates[i]!, 15);
      const share = tag === 'dinomaly_like' ? miningShare({ pFinal: 0.9, ramp: 4, factor: 0.1 }, i) : 0;
      const inputs = { ...inputsOf(spec, share), ...scalars(optimizerNumbers(optimizer, rates[i]!, i)) };
      const before = tf.memory().numTensors;
      const next = step.apply(state, inputs);
      // Nothing but the new state and the reported scalars may stay behind.
      expect(tf.memory().numTensors - before).toBe(state.length + 4);
      const { total, decoder, encoder, gradNorm } = next.outputs;
      const reported = [total!, decoder!, encoder!, gradNorm!].map((x) => x.dataSync()[0]!);
      expect(largestDifference(reported, log.slice(5 * i, 5 * i + 4))).toBeLessThanOrEqual(logBound);
      state = next.state;
      if (i === 0) {
        for (const name of golden.names().filter((key) => key.startsWith('step1/'))) {
          golden.check(name, state[names.indexOf(name.slice(6))]!);
        }
      }
      const norms = names.map((name, k) => tf.norm(comparable(name, state[k]!)).dataSync()[0]!);
      const expected = golden.values('norms_after_step').slice(i * names.length, (i + 1) * names.length);
      expect(largestDifference(norms, expected)).toBeLessThanOrEqual(golden.atol('norms_after_step'));
    }
    for (const name of golden.names().filter((key) => key.startsWith('final/'))) {
      golden.check(name, state[names.indexOf(name.slice(6))]!);
    }
    const params = Object.fromEntries(names.map((name, i) => [name, state[i]!]));
    const last = model.losses(params, inputsOf(spec, 0));
    const means = [last.loss, last.decoder, last.encoder].map((x) => tf.mean(x).dataSync()[0]!);
    expect(largestDifference(means, log.slice(25, 28))).toBeLessThanOrEqual(logBound);
  });
});

describe('the ablation objectives', () => {
  it('train one student alone, with its inputs only', () => {
    const step = (objective: PaperModelOptions['objective']) =>
      makeTrainingStep(makePaperModel({ ...literal, objective }, 4, grid), { ...optimizer, gradClip: null });
    expect(step('decoder').state.every(({ name }) => name.includes('decoder/'))).toBe(true);
    expect(step('encoder').inputs.map(({ name }) => name)).not.toContain('teacherGroup1');
    for (const objective of ['decoder', 'encoder', 'sum'] as const) {
      const { state, apply } = step(objective);
      const start = state.map(({ name, shape }) => students[name] ?? tf.zeros([...shape]));
      const inputs = { ...inputsOf(cases['literal']!, 0), ...scalars(optimizerNumbers(optimizer, 1e-3, 0)) };
      const { outputs } = apply(start, inputs);
      const value = (name: string) => outputs[name]!.dataSync()[0]!;
      const expected = {
        decoder: value('decoder'),
        encoder: value('encoder'),
        sum: value('decoder') + value('encoder'),
      };
      expect(value('total')).toBeCloseTo(expected[objective], 5);
    }
  });
});

describe('initialise', () => {
  it('is seeded, truncated and of the stated spread', () => {
    const specs = [
      { name: 'w', shape: [100, 100], init: truncNormal(0.01, 0.03) },
      { name: 'b', shape: [7], init: { kind: 'constant', value: 0 } as const },
      { name: 'u', shape: [1000], init: { kind: 'uniform', bound: 0.5 } as const },
    ];
    const first = initialise(specs, createRandom(1));
    expect(initialise(specs, createRandom(1))).toEqual(first);
    expect(initialise(specs, createRandom(2)).get('w')!.data).not.toEqual(first.get('w')!.data);
    const { data, shape } = first.get('w')!;
    expect(data.length).toBe(sizeOf(shape));
    expect(Math.max(...data.map(Math.abs))).toBeLessThanOrEqual(0.03);
    const sd = Math.sqrt(data.reduce((sum, x) => sum + x * x, 0) / data.length);
    expect(sd).toBeCloseTo(0.00987, 3);
    expect([...first.get('b')!.data]).toEqual(new Array(7).fill(0));
    expect(Math.max(...first.get('u')!.data)).toBeLessThanOrEqual(0.5);
  });

  it('dropout masks keep the mean at 1', () => {
    const mask = new Float32Array(100001);
    fillDropoutMask(mask, 0.4, createRandom(3));
    expect([...new Set(mask)].sort()).toEqual([0, Math.fround(1 / 0.6)]);
    expect(mask.reduce((sum, x) => sum + x, 0) / mask.length).toBeCloseTo(1, 1);
  });
});
