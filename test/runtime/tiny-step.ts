import { tf, type Tensor } from '../../main/nn/tf.ts';
import type { EngineStep, StepInputs, StepTensor } from '../../main/runtime/training-engine.ts';

/** A seeded generator of numbers in `-1 .. 1`. */
export function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (2 * state) / 2 ** 32 - 1;
  };
}

export const batch = 6;

const params: StepTensor[] = [
  { name: 'fc1/weight', shape: [5, 12] },
  { name: 'fc1/bias', shape: [12] },
  { name: 'norm/scale', shape: [12] },
  { name: 'fc2/weight', shape: [12, 3] },
  { name: 'fc2/bias', shape: [3] },
];

function loss(weights: readonly Tensor[], x: Tensor, y: Tensor, mask: Tensor): tf.Scalar {
  const [w1, b1, scale, w2, b2] = weights as [Tensor, Tensor, Tensor, Tensor, Tensor];
  const hidden = tf.mul(tf.tanh(tf.add(tf.matMul(x, w1), b1)), mask);
  const centred = tf.sub(hidden, tf.mean(hidden, 1, true));
  const deviation = tf.sqrt(tf.add(tf.mean(tf.square(centred), 1, true), 1e-3));
  const out = tf.add(tf.matMul(tf.mul(tf.div(centred, deviation), scale), w2), b2);
  return tf.mean(tf.squaredDifference(tf.softmax(out), y)) as tf.Scalar;
}

/** A small perceptron with layer norm, dropout mask and an optimizer like Adam. */
export const tinyStep: EngineStep = {
  state: [
    ...params,
    ...['m', 'v'].flatMap((kind) => params.map(({ name, shape }) => ({ name: `${kind}/${name}`, shape }))),
  ],
  inputs: [
    { name: 'x', shape: [batch, 5] },
    { name: 'y', shape: [batch, 3] },
    { name: 'mask', shape: [batch, 12] },
    { name: 'lr', shape: [] },
  ],
  outputs: [
    { name: 'loss', shape: [] },
    { name: 'gradientNorm', shape: [] },
  ],
  apply(state, { x, y, mask, lr }) {
    const n = params.length;
    const [weights, m, v] = [0, 1, 2].map((i) => state.slice(i * n, (i + 1) * n)) as [Tensor[], Tensor[], Tensor[]];
    const { value, grads } = tf.valueAndGrads((...ws: Tensor[]) => loss(ws, x!, y!, mask!))(weights);
    const nextM = m.map((old, i) => tf.add(tf.mul(old, 0.9), tf.mul(grads[i]!, 0.1)));
    const nextV = v.map((old, i) => tf.add(tf.mul(old, 0.99), tf.mul(tf.square(grads[i]!), 0.01)));
    const next = weights.map((old, i) => tf.sub(old, tf.mul(lr!, tf.div(nextM[i]!, tf.add(tf.sqrt(nextV[i]!), 1e-3)))));
    const norm = tf.sqrt(tf.addN(grads.map((grad) => tf.sum(tf.square(grad)))));
    return { state: [...next, ...nextM, ...nextV], outputs: { loss: value, gradientNorm: norm } };
  },
};

export function initialState(step: EngineStep = tinyStep, seed = 1): Map<string, Float32Array> {
  const next = random(seed);
  return new Map(
    step.state.map(({ name, shape }) => {
      const count = shape.reduce((a, b) => a * b, 1);
      return [name, Float32Array.from({ length: count }, () => (/^[mv]\//.test(name) ? 0 : next()))];
    }),
  );
}

export function stepData(count: number, step: EngineStep = tinyStep, seed = 2): StepInputs[] {
  const next = random(seed);
  return Array.from({ length: count }, () =>
    Object.fromEntries(
      step.inputs.map(({ name, shape }) => {
        const size = shape.reduce((a, b) => a * b, 1);
        const draw = (): number => (name === 'lr' ? 0.01 : name === 'mask' ? Number(next() > -0.6) : next());
        return [name, Float32Array.from({ length: size }, draw)];
      }),
    ),
  );
}

export function largestStateDifference(
  a: ReadonlyMap<string, Float32Array>,
  b: ReadonlyMap<string, Float32Array>,
): number {
  let worst = 0;
  for (const [name, data] of a)
    data.forEach((value, i) => (worst = Math.max(worst, Math.abs(value - b.get(name)![i]!))));
  return worst;
}
