import { describe, expect, it } from 'vitest';
import { tracedKernels } from '../../main/onnx/tracing-backend.ts';
import { tf, type Tensor } from '../../main/nn/tf.ts';
import { largestDifference, numbers, onCpu, onOrt, traced, type TensorFunction, type TestInput } from './tracing.ts';

const float = (seed: number, shape: number[], low = -1, high = 1): TestInput => ({
  shape,
  data: numbers(
    seed,
    shape.reduce((a, b) => a * b, 1),
    low,
    high,
  ),
});
const whole = (seed: number, shape: number[], low: number, high: number): TestInput => ({
  shape,
  dtype: 'int32',
  data: float(seed, shape, low, high).data.map(Math.floor),
});
const truth = (seed: number, shape: number[]): TestInput => ({
  shape,
  dtype: 'bool',
  data: float(seed, shape).data.map((x) => Number(x > 0)),
});

const pair = [float(1, [3, 4]), float(2, [1, 4])];
const positive = [float(3, [3, 4], 0.2, 3)];
const image = float(4, [2, 7, 6, 4]);

/** Name, inputs, function. */
const cases: [string, TestInput[], TensorFunction][] = [
  [
    'unary',
    [float(5, [4, 5], -2, 2)],
    (x) => [
      tf.abs(x!),
      tf.atan(x!),
      tf.ceil(x!),
      tf.cos(x!),
      tf.cosh(x!),
      tf.sin(x!),
      tf.sinh(x!),
      tf.tan(x!),
      tf.tanh(x!),
      tf.asinh(x!),
      tf.elu(x!),
      tf.erf(x!),
      tf.exp(x!),
      tf.floor(x!),
      tf.neg(x!),
      tf.relu(x!),
      tf.relu6(x!),
      tf.round(tf.mul(x!, 3)),
      tf.selu(x!),
      tf.sigmoid(x!),
      tf.sign(x!),
      tf.softplus(x!),
      tf.square(x!),
      tf.step(x!, 0.25),
      tf.leakyRelu(x!, 0.1),
      tf.clipByValue(x!, -0.5, 0.75),
      tf.expm1(x!),
      tf.prelu(x!, tf.scalar(0.3)),
      tf.isNaN(x!),
      tf.isInf(x!),
      tf.isFinite(x!),
      tf.zerosLike(x!),
      tf.onesLike(x!),
      tf.clone(x!),
    ],
  ],
  [
    'unary, positive',
    positive,
    (x) => [tf.sqrt(x!), tf.rsqrt(x!), tf.log(x!), tf.log1p(x!), tf.reciprocal(x!), tf.acosh(tf.add(x!, 1))],
  ],
  ['unary, inside one', [float(6, [9], -0.9, 0.9)], (x) => [tf.acos(x!), tf.asin(x!), tf.atanh(x!), tf.log1p(x!)]],
  [
    'small numbers keep their digits',
    [float(7, [9], -1e-4, 1e-4)],
    (x) => [tf.mul(tf.expm1(x!), 1e4), tf.mul(tf.log1p(x!), 1e4)],
  ],
  [
    'binary',
    pair,
    (a, b) => [
      tf.add(a!, b!),
      tf.sub(a!, b!),
      tf.mul(a!, b!),
      tf.div(a!, b!),
      tf.maximum(a!, b!),
      tf.minimum(a!, b!),
      tf.squaredDifference(a!, b!),
      tf.mod(a!, b!),
      tf.floorDiv(a!, b!),
      tf.addN([a!, a!, a!]),
      tf.pow(tf.abs(a!), b!),
      tf.pow(a!, 2),
      tf.pow(a!, 3),
      tf.pow(tf.abs(a!), 0.5),
    ],
  ],
  [
    'compare',
    [whole(8, [3, 4], 0, 3), whole(9, [4], 0, 3)],
    (a, b) => [
      tf.equal(a!, b!),
      tf.notEqual(a!, b!),
      tf.greater(a!, b!),
      tf.greaterEqual(a!, b!),
      tf.less(a!, b!),
      tf.lessEqual(a!, b!),
      tf.floorDiv(a!, tf.add(b!, tf.scalar(1, 'int32'))),
      tf.add(a!, b!),
    ],
  ],
  [
    'logic',
    [truth(10, [3, 4]), truth(11, [3, 4])],
    (a, b) => [
      tf.logicalAnd(a!, b!),
      tf.logicalOr(a!, b!),
      tf.logicalNot(a!),
      tf.logicalXor(a!, b!),
      tf.all(a!, 1),
      tf.any(a!, 0),
      tf.where(a!, a!, b!),
      tf.sum(a!, 1),
    ],
  ],
  [
    'constants',
    [float(12, [2, 3])],
    (x) => [
      tf.add(x!, tf.zeros([2, 3])),
      tf.mul(x!, tf.ones([4, 2, 3])),
      tf.mul(x!, tf.tensor2d([[1, 2, 3]])),
      tf.add(tf.scalar(2), tf.mul(tf.scalar(3), tf.fill([2, 2], 4))),
      tf.sub(0, x!),
      tf.div(tf.mul(x!, 3), 3),
      tf.sum(tf.ones([3, 4]), 1),
      tf.sum(tf.broadcastTo(x!, [4, 2, 3]), [0, 2]),
      tf.mean(tf.tile(tf.expandDims(x!, 1), [1, 5, 1]), 1),
      tf.range(0, 5),
      tf.range(4, 0, -2, 'int32'),
      tf.linspace(-1, 1, 5),
      tf.add(x!, tf.neg(x!)),
      tf.sub(x!, tf.neg(x!)),
    ],
  ],
  [
    'cast',
    [float(13, [6], -3, 3)],
    (x) => [tf.cast(x!, 'int32'), tf.cast(x!, 'bool'), tf.cast(tf.cast(x!, 'int32'), 'float32')],
  ],
  [
    'select',
    [truth(14, [3, 1]), float(15, [3, 4]), float(16, [3, 4])],
    (c, t, e) => [
      tf.where(c!, t!, e!),
      tf.where(tf.greater(t!, e!), t!, e!),
      tf.where(tf.greater(t!, e!), tf.scalar(1), e!),
    ],
  ],
  [
    'reduce',
    [float(17, [3, 4, 5])],
    (x) => [
      tf.sum(x!),
      tf.sum(x!, 1),
      tf.sum(x!, [0, -1], true),
      tf.mean(x!, [1, 2]),
      tf.max(x!, 0),
      tf.min(x!, 2, true),
      tf.prod(x!, 1),
      tf.argMax(x!, 1),
      tf.argMin(x!, -1),
      tf.cumsum(x!, 1),
      tf.cumsum(x!, 0, true, true),
      tf.softmax(x!),
      tf.logSoftmax(x!),
      tf.logSumExp(x!, 1),
      ...tf.unstack(tf.moments(x!, 2).variance),
    ],
  ],
  [
    'top k',
    [float(18, [4, 9])],
    (x) => {
      const { values, indices } = tf.topk(x!, 3);
      return [values, indices];
    },
  ],
  [
    'shape',
    [float(19, [2, 3, 4])],
    (x) => [
      tf.reshape(x!, [4, 6]),
      tf.reshape(tf.reshape(x!, [24]), [3, 8]),
      tf.expandDims(x!, 1),
      tf.squeeze(tf.slice(x!, [1], [1])),
      tf.transpose(x!, [2, 0, 1]),
      tf.transpose(tf.transpose(x!, [2, 0, 1]), [1, 2, 0]),
      tf.slice(x!, [0, 1, 1], [2, 2, 3]),
      tf.stridedSlice(x!, [0, 2, 0], [2, 0, 4], [1, -1, 2]),
      tf.reverse(x!, [0, 2]),
      tf.pad(
        x!,
        [
          [0, 1],
          [2, 0],
          [1, 1],
        ],
        0.5,
      ),
      tf.mirrorPad(
        x!,
        [
          [0, 1],
          [1, 0],
          [2, 1],
        ],
        'reflect',
      ),
      tf.tile(x!, [1, 2, 3]),
      tf.broadcastTo(tf.slice(x!, [0, 1, 0], [2, 1, 4]), [2, 5, 4]),
      tf.concat([x!, tf.ones([2, 2, 4])], 1),
      tf.stack([x!, tf.zerosLike(x!)], 1),
      ...tf.unstack(x!, 1),
      ...tf.split(x!, 2, 2),
      ...tf.split(x!, [1, 2], 1),
    ],
  ],
  [
    'broadcast views',
    [float(20, [3, 1])],
    (x) => {
      const wide = tf.broadcastTo(x!, [3, 4]);
      return [
        tf.reshape(wide, [1, 3, 4, 1]),
        tf.transpose(wide),
        tf.slice(wide, [1, 1], [2, 2]),
        tf.concat([wide, wide], 0),
        tf.reshape(wide, [12]),
        tf.matMul(wide, tf.transpose(wide)),
        tf.sum(wide, 1),
        tf.prod(wide, 1),
        tf.mean(wide, 0),
        wide,
      ];
    },
  ],
  [
    'gather and scatter',
    [float(21, [4, 5, 3]), whole(22, [2, 3], 0, 4)],
    (x, index) => [
      tf.gather(x!, index!),
      tf.gather(x!, index!, 1),
      tf.gather(tf.slice(x!, [0], [2]), index!, 1, 1),
      tf.gatherND(x!, tf.transpose(index!)),
      tf.oneHot(index!, 4),
      tf.oneHot(index!, 4, 2, -1),
      tf.scatterND(tf.tensor2d([[0], [2]], [2, 1], 'int32'), tf.slice(x!, [0], [2]), [4, 5, 3]),
      tf.tensorScatterUpdate(tf.mul(x!, 2), tf.tensor2d([[0], [2]], [2, 1], 'int32'), tf.slice(x!, [1], [2])),
      tf.unsortedSegmentSum(tf.slice(x!, [0], [2]), tf.tensor1d([1, 1], 'int32'), 3),
    ],
  ],
  [
    'matrix products',
    [float(23, [6, 4]), float(24, [6, 5]), float(25, [5])],
    (a, b, bias) => [
      tf.matMul(a!, b!, true),
      tf.matMul(b!, a!, true, false),
      tf.matMul(tf.transpose(a!), b!),
      tf.matMul(b!, tf.transpose(a!), true, true),
      tf.add(tf.matMul(a!, b!, true), bias!),
      tf.matMul(tf.reshape(tf.transpose(a!), [1, 4, 6]), tf.expandDims(b!, 0)),
      tf.fused.matMul({ a: a!, b: b!, transposeA: true, bias: bias!, activation: 'relu' }),
      tf.einsum('nk,nm->mk', a!, b!),
    ],
  ],
  [
    'batched products',
    [float(26, [2, 3, 4, 5]), float(27, [2, 3, 6, 5])],
    (a, b) => [
      tf.matMul(a!, tf.transpose(b!, [0, 1, 3, 2])),
      tf.matMul(a!, b!, false, true),
      tf.matMul(tf.transpose(a!, [0, 2, 1, 3]), tf.reshape(a!, [2, 4, 5, 3])),
      tf.matMul(tf.reshape(a!, [6, 4, 5]), tf.reshape(a!, [6, 4, 5]), true, false),
      tf.matMul(a!, tf.ones([2, 3, 5, 2])),
    ],
  ],
  [
    'convolution',
    [image, float(28, [3, 3, 4, 5]), float(29, [3, 3, 4, 2]), float(30, [5])],
    (x, w, d, bias) => [
      tf.conv2d(x as never, w as never, 1, 'same'),
      tf.conv2d(x as never, w as never, [2, 1], 'valid'),
      tf.conv2d(x as never, w as never, 1, 1),
      tf.conv2d(x as never, w as never, 1, 'same', 'NHWC', 2),
      tf.depthwiseConv2d(x as never, d as never, 2, 'same'),
      tf.fused.conv2d({ x: x as never, filter: w as never, strides: 1, pad: 'same', bias: bias!, activation: 'relu6' }),
      tf.fused.depthwiseConv2d({ x: x as never, filter: d as never, strides: 1, pad: 'valid', activation: 'elu' }),
    ],
  ],
  [
    'pooling and resizing',
    [image],
    (x) => [
      tf.avgPool(x as never, 2, 2, 'valid'),
      tf.avgPool(x as never, 3, 2, 'same'),
      tf.maxPool(x as never, 3, 2, 'same'),
      tf.image.resizeBilinear(x as never, [14, 15]),
      tf.image.resizeBilinear(x as never, [14, 15], true),
      tf.image.resizeBilinear(x as never, [14, 15], false, true),
      tf.image.resizeBilinear(x as never, [3, 4], false, true),
      tf.image.resizeNearestNeighbor(x as never, [14, 12]),
      tf.batchNorm(x!, tf.scalar(0.1), tf.scalar(2), tf.scalar(0.3), tf.scalar(1.5), 1e-3),
    ],
  ],
];

/** Scalar losses whose gradients are traced with them. */
const gradients: [string, TestInput[], (...tensors: Tensor[]) => Tensor][] = [
  [
    'dense layers',
    [float(31, [6, 4]), float(32, [4, 5]), float(33, [5])],
    (x, w, b) => tf.mean(tf.square(tf.tanh(tf.add(tf.matMul(x!, w!), b!)))),
  ],
  [
    'attention',
    [float(34, [2, 3, 8]), float(35, [8, 24])],
    (x, w) => {
      const mixed = tf.reshape(tf.matMul(tf.reshape(x!, [6, 8]), w!), [2, 3, 3, 2, 4]);
      const [q, k, v] = tf.unstack(tf.transpose(mixed, [2, 0, 3, 1, 4]));
      const weights = tf.softmax(tf.mul(tf.matMul(q!, k!, false, true), 0.5));
      return tf.sum(tf.square(tf.matMul(weights, v!)));
    },
  ],
  [
    'activations',
    [float(36, [3, 7], -2, 2)],
    (x) =>
      tf.addN(
        [
          tf.elu(x!),
          tf.erf(x!),
          tf.relu(x!),
          tf.sigmoid(x!),
          tf.softplus(x!),
          tf.leakyRelu(x!, 0.2),
          tf.relu6(x!),
          tf.clipByValue(x!, -1, 1),
          tf.abs(x!),
          tf.exp(x!),
          tf.step(x!),
          tf.selu(x!),
        ].map((y) => tf.sum(y)),
      ),
  ],
  [
    'powers',
    positive,
    (x) =>
      tf.addN(
        [
          tf.log(x!),
          tf.sqrt(x!),
          tf.rsqrt(x!),
          tf.pow(x!, 1.5),
          tf.reciprocal(x!),
          tf.log1p(x!),
          tf.expm1(x!),
          tf.div(1, x!),
        ].map((y) => tf.sum(y)),
      ),
  ],
  [
    'broadcasts',
    pair,
    (a, b) => tf.sum(tf.mul(tf.add(a!, b!), tf.squaredDifference(tf.sub(b!, a!), tf.div(a!, tf.add(tf.exp(b!), 1))))),
  ],
  [
    'reductions',
    [float(37, [3, 4, 5])],
    (x) =>
      tf.addN([
        tf.mean(tf.max(x!, 1)),
        tf.sum(tf.min(x!, 2)),
        tf.sum(tf.mean(tf.square(x!), 0)),
        tf.sum(tf.logSoftmax(x!)),
        tf.mean(tf.cumsum(x!, 2)),
        tf.norm(x!),
      ]),
  ],
  [
    'shapes',
    [float(38, [2, 3, 4]), whole(39, [2], 0, 3)],
    (x, index) =>
      tf.addN(
        [
          tf.tile(tf.slice(x!, [0, 0, 0], [1, 1, 4]), [3, 5, 2]),
          tf.concat([x!, tf.mul(x!, 2)], 1),
          tf.pad(x!, [
            [1, 1],
            [0, 2],
            [0, 0],
          ]),
          tf.stack(tf.split(x!, 2, 2)),
          tf.gather(x!, index!, 1),
          tf.reverse(x!, 1),
          tf.where(tf.tensor3d([[[1]], [[0]]], undefined, 'bool'), x!, tf.zerosLike(x!)),
          tf.broadcastTo(tf.expandDims(tf.unstack(x!)[0]!, 0), [4, 3, 4]),
        ].map((y) => tf.sum(tf.square(y))),
      ),
  ],
  [
    'extremes',
    [float(45, [3, 4]), float(46, [3, 4])],
    (a, b) => tf.sum(tf.mul(tf.maximum(a!, b!), tf.minimum(a!, tf.square(b!)))),
  ],
];

const hit = new Set<string>();

describe('traced kernels against the TensorFlow.js CPU backend', () => {
  it.each(cases)('%s', async (_name, inputs, fn) => {
    const { outputs, kernels } = onCpu(fn, inputs);
    kernels.forEach((kernel) => hit.add(kernel));
    const results = await onOrt(traced(fn, inputs), inputs);
    outputs.forEach((expected, i) => {
      expect(results[i]!.shape, `shape of output ${i}`).toEqual(expected.shape);
      expect(largestDifference(results[i]!.data, expected.data), `output ${i}`).toBeLessThan(2e-6);
    });
  });

  it.each(gradients)('gradients of %s', async (_name, inputs, loss) => {
    const isFloat = inputs.map(({ dtype = 'float32' }) => dtype === 'float32');
    const fn: TensorFunction = (...tensors) => {
      const floats = tensors.filter((_, i) => isFloat[i]);
      const { value, grads } = tf.valueAndGrads((...xs: Tensor[]) => {
        const queue = [...xs];
        return loss(...tensors.map((tensor, i) => (isFloat[i] === true ? queue.shift()! : tensor))) as never;
      })(floats as never);
      return [value, ...grads];
    };
    const { outputs, kernels } = onCpu(fn, inputs);
    kernels.forEach((kernel) => hit.add(kernel));
    const results = await onOrt(traced(fn, inputs), inputs);
    outputs.forEach((expected, i) => {
      expect(results[i]!.shape, `shape of output ${i}`).toEqual(expected.shape);
      expect(largestDifference(results[i]!.data, expected.data), `output ${i}`).toBeLessThan(5e-6);
    });
  });

  it('covers every kernel that can be traced', () => {
    // TensorFlow.js builds these operations from other kernels.
    const unreachable = ['LogSoftmax', 'BroadcastTo', 'LogicalXor'];
    expect(Object.keys(tracedKernels).filter((name) => !hit.has(name) && !unreachable.includes(name))).toEqual([]);
  });
});

describe('dynamic batch', () => {
  const sentinel = 251;
  const fn: TensorFunction = (x, w) => {
    const [batch] = x!.shape as [number, number, number];
    const flat = tf.matMul(tf.reshape(x!, [batch * 3, 4]), w!);
    const tokens = tf.reshape(flat, [batch, 3, 5]);
    const first = tf.tile(tf.reshape(tf.slice(w!, [0], [1]), [1, 1, 5]), [batch, 1, 1]);
    const all = tf.concat([first, tokens], 1);
    return [
      tf.softmax(tf.matMul(all, all, false, true)),
      tf.reshape(tf.max(tf.transpose(all, [0, 2, 1]), 2), [batch, 5, 1]),
      tf.mean(tf.sub(all, tf.ones([batch, 4, 5])), 0),
      tf.reshape(tf.add(tf.zeros([batch, 2]), tf.sum(tokens)), [2, batch]),
      tf.sum(tf.broadcastTo(tf.slice(w!, [0], [1]), [batch, 5])),
    ];
  };
  const weights = float(40, [4, 5]);

  it.each([1, 2, 5])('one graph serves a batch of %i', async (batch) => {
    const graph = traced(fn, [{ shape: [sentinel, 3, 4], data: [] }, weights], sentinel);
    const inputs = [float(41, [batch, 3, 4]), weights];
    const { outputs } = onCpu(fn, inputs);
    const results = await onOrt(graph, inputs);
    outputs.forEach((expected, i) => {
      expect(results[i]!.shape, `shape of output ${i}`).toEqual(expected.shape);
      expect(largestDifference(results[i]!.data, expected.data), `output ${i}`).toBeLessThan(2e-6);
    });
  });

  it('refuses constants that would freeze the batch', () => {
    const inputs = [{ shape: [sentinel, 2], data: [] }];
    const ramp = tf.util.makeZerosTypedArray(sentinel * 2, 'float32').map((_, i) => i);
    expect(() => traced((x) => [tf.add(x!, tf.tensor(ramp, [sentinel, 2]))], inputs, sentinel)).toThrow(/frozen/);
  });
});

describe('traceInto', () => {
  it('refuses to read a traced tensor, names kernels it lacks, and restores the backend', () => {
    const inputs = [float(42, [2, 2])];
    void tf.setBackend('cpu');
    expect(() => traced((x) => [tf.scalar(x!.dataSync()[0]!)], inputs)).toThrow(/no numbers yet/);
    expect(() => traced((x) => [tf.image.flipLeftRight(tf.reshape(x!, [1, 2, 2, 1]) as never)], inputs)).toThrow(
      /FlipLeftRight/,
    );
    expect(tf.getBackend()).toBe('cpu');
  });

  it('merges equal nodes, folds transposes, and makes nothing of neutral operations', () => {
    const inputs = [float(43, [4, 4])];
    const count = (fn: TensorFunction): number => traced(fn, inputs).nodeCount;
    expect(count((x) => [tf.add(tf.mul(x!, 1), 0)])).toBe(0);
    expect(count((x) => [tf.add(tf.exp(x!), tf.exp(x!))])).toBe(2);
    expect(count((x) => [tf.div(tf.mul(tf.mul(x!, 2), 3), 6)])).toBeLessThanOrEqual(2);
    expect(count((x) => [tf.transpose(tf.transpose(x!))])).toBe(1);
  });

  it('leaves constants of the surrounding program usable', async () => {
    void tf.setBackend('cpu');
    const weights = tf.tensor2d([
      [1, 2],
      [3, 4],
    ]);
    const inputs = [float(44, [2, 2])];
    const results = await onOrt(
      traced((x) => [tf.matMul(x!, weights)], inputs),
      inputs,
    );
    expect(results[0]!.data).toHaveLength(4);
    expect(Array.from(tf.add(weights, 1).dataSync())).toEqual([2, 3, 4, 5]);
    weights.dispose();
  });
});
