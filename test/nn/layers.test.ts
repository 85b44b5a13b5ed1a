import { describe, expect, it } from 'vitest';
import {
  decoderBlock,
  eluPlusOne,
  encoderBlock,
  gelu,
  layerNorm,
  linear,
  linearAttention,
  softmaxAttention,
  type Params,
} from '../../main/nn/layers.ts';
import { tf, type Tensor } from '../../main/nn/tf.ts';
import { preciseErf } from './cpu-backend.ts';
import { Golden, goldenJson, largestDifference } from './golden.ts';

const ops = new Golden('cases/ops.safetensors');

/** Runs `layer` on a golden operation's inputs and checks the output and every input's gradient. */
function checkOperation(tag: string, layer: (x: Tensor, params: Params) => Tensor): void {
  const names = Object.keys(ops.params(`${tag}.in.`));
  const inputs = names.map((name) => ops.tensor(`${tag}.in.${name}`));
  const run = (...tensors: Tensor[]) => {
    const params = Object.fromEntries(names.map((name, i) => [name, tensors[i]!]));
    return layer(params['x']!, params);
  };
  ops.check(`${tag}.out`, run(...inputs));
  tf.grads(run)(inputs, ops.tensor(`${tag}.dy`)).forEach((gradient, i) => {
    // The gradient of a softmax's key bias is zero analytically, so its reference is rounding noise.
    const name = `${tag}.grad.${names[i]!}`;
    ops.check(name, gradient, undefined, Math.max(ops.atol(name), 1e-6));
  });
}

describe('layers against the golden operations', () => {
  const layers: [string, (x: Tensor, params: Params) => Tensor][] = [
    ['linear', (x, p) => linear(x, p, 'l')],
    ['layer_norm_eps1e-06', (x, p) => layerNorm(x, p, 'n', 1e-6)],
    ['layer_norm_eps1e-08', (x, p) => layerNorm(x, p, 'n', 1e-8)],
    ['gelu', (x) => gelu(x)],
    ['softmax_attention', (x, p) => softmaxAttention(x, p, 'a', 2)],
    ['linear_attention', (x, p) => linearAttention(x, p, 'a', 2)],
    ['encoder_block', (x, p) => encoderBlock(x, p, 'b', { heads: 2, layerNormEps: 1e-6 })],
    ['decoder_block', (x, p) => decoderBlock(x, p, 'b', { heads: 2, layerNormEps: 1e-8 })],
  ];
  it.each(layers)('%s: value and gradients', (tag, layer) => checkOperation(tag, layer));
});

describe('gelu', () => {
  const { rows } = goldenJson<{ rows: [number, number, number, number][] }>('cases/gelu.json');

  it('matches the 40-digit table in value and derivative', () => {
    const x = tf.tensor1d(rows.map((row) => row[0]));
    rows.forEach((row) => expect(Math.abs(preciseErf(row[0]) - row[1])).toBeLessThan(1e-14));
    const value = gelu(x).dataSync();
    const slope = tf.grad(gelu)(x).dataSync();
    // One float32 rounding of x itself moves the value by |x| 2^-24.
    rows.forEach((row, i) => {
      const bound = 4e-7 * Math.max(1, Math.abs(row[0]));
      expect(Math.abs(value[i]! - row[2])).toBeLessThan(bound);
      expect(Math.abs(slope[i]! - row[3])).toBeLessThan(bound);
    });
  });
});

describe('closed-form gradients against central differences', () => {
  /** Largest gap between `tf.grads` and central differences with step `h`, relative to the largest gradient. */
  function gap(f: (...inputs: Tensor[]) => Tensor, inputs: Tensor[], h: number): number {
    const analytic = tf.grads((...x) => tf.sum(f(...x)))(inputs);
    let worst = 0;
    inputs.forEach((input, which) => {
      const values = input.dataSync();
      const numeric = Array.from(values, (value, i) => {
        const [up, down] = [value + h, value - h].map((moved) => {
          const shifted = tf.tensor(Float32Array.from(values).fill(moved, i, i + 1), input.shape);
          return tf.sum(f(...inputs.map((x, k) => (k === which ? shifted : x)))).dataSync()[0]!;
        }) as [number, number];
        return (up - down) / (2 * h);
      });
      const scale = Math.max(...numeric.map(Math.abs), 1e-3);
      worst = Math.max(worst, largestDifference(analytic[which]!.dataSync(), numeric) / scale);
    });
    return worst;
  }
  const wave = (shape: number[], phase: number) =>
    tf.tensor(
      Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => Math.sin(1.7 * i + phase) + 0.1 * i),
      shape,
    );

  it('layerNorm', () => {
    const target = wave([3, 5], 4);
    const f = (x: Tensor, weight: Tensor, bias: Tensor) =>
      tf.mul(layerNorm(x, { 'n.weight': weight, 'n.bias': bias }, 'n', 1e-6), target);
    expect(gap(f, [wave([3, 5], 0), wave([5], 1), wave([5], 2)], 2e-2)).toBeLessThan(5e-3);
  });

  it('gelu and eluPlusOne', () => {
    const x = tf.tensor1d([-4, -1.5, -0.3, 0.2, 1, 3.5]);
    expect(gap(gelu, [x], 2e-2)).toBeLessThan(2e-3);
    expect(gap(eluPlusOne, [x], 2e-2)).toBeLessThan(2e-3);
  });
});
