import type { OnnxAttribute } from './graph.ts';
import { add, elementwise, multiply } from './arithmetic.ts';
import type { KernelCall, KernelTable } from './kernel.ts';
import { activate } from './kernels-elementwise.ts';
import { tf } from './tf.ts';
import type { Lazy, Trace } from './trace.ts';

const toChannelsFirst = [0, 3, 1, 2];
const toChannelsLast = [0, 2, 3, 1];

/** Runs a node that wants `[B, C, H, W]` on a `[B, H, W, C]` tensor. */
function channelsFirst(
  trace: Trace,
  op: string,
  x: Lazy,
  further: readonly string[],
  attributes: Readonly<Record<string, OnnxAttribute>>,
  outShape: readonly number[],
): Lazy {
  const input = trace.exact(trace.transpose(x, toChannelsFirst));
  const [value] = trace.emit(op, [input, ...further], attributes);
  const shape = toChannelsFirst.map((axis) => outShape[axis]!);
  return trace.transpose(trace.recorded(value, shape, x.dtype), toChannelsLast);
}

function convolution(call: KernelCall, depthwise: boolean): Lazy {
  const { trace, input, attrs } = call;
  if (attrs.raw('dataFormat') === 'NCHW') throw new Error('convolutions are traced for [B, H, W, C] tensors only');
  const x = input('x');
  const filter = input('filter');
  const info = tf.backend_util.computeConv2DInfo(
    [...x.shape] as [number, number, number, number],
    [...filter.shape] as [number, number, number, number],
    attrs.pair('strides'),
    attrs.pair('dilations'),
    attrs.raw('pad') as 'same' | 'valid' | number,
    attrs.raw('dimRoundingMode') as 'floor' | undefined,
    depthwise,
  );
  const [height, width, inChannels, multiplier] = filter.shape as [number, number, number, number];
  // ONNX filters: [out, in / groups, h, w]. TensorFlow.js: [h, w, in, out], depthwise [h, w, in, multiplier].
  const weights = depthwise
    ? trace.reshape(trace.transpose(filter, [2, 3, 0, 1]), [inChannels * multiplier, 1, height, width])
    : trace.transpose(filter, [3, 2, 0, 1]);
  const { top, left, bottom, right } = info.padInfo;
  return channelsFirst(
    trace,
    'Conv',
    x,
    [trace.exact(weights)],
    {
      pads: { ints: [top, left, bottom, right] },
      strides: { ints: [info.strideHeight, info.strideWidth] },
      dilations: { ints: [info.dilationHeight, info.dilationWidth] },
      group: { int: depthwise ? inChannels : 1 },
    },
    info.outShape,
  );
}

/** A convolution with bias and activation in one kernel. */
function fusedConvolution(call: KernelCall, depthwise: boolean): Lazy {
  const sum = convolution(call, depthwise);
  const bias = call.optional('bias');
  return activate(call, bias === undefined ? sum : add(call.trace, sum, bias), call.attrs.text('activation'));
}

function pool({ trace, input, attrs }: KernelCall, op: 'AveragePool' | 'MaxPool'): Lazy {
  const x = input('x');
  const info = tf.backend_util.computePool2DInfo(
    [...x.shape] as [number, number, number, number],
    attrs.pair('filterSize'),
    attrs.pair('strides'),
    1,
    attrs.raw('pad') as 'same' | 'valid' | number,
    attrs.raw('dimRoundingMode') as 'floor' | undefined,
  );
  const { top, left, bottom, right } = info.padInfo;
  return channelsFirst(
    trace,
    op,
    x,
    [],
    {
      kernel_shape: { ints: [info.filterHeight, info.filterWidth] },
      strides: { ints: [info.strideHeight, info.strideWidth] },
      pads: { ints: [top, left, bottom, right] },
    },
    info.outShape,
  );
}

function resize({ trace, input, attrs }: KernelCall, mode: 'linear' | 'nearest'): Lazy {
  const x = input('images');
  const [height, width] = attrs.pair('size');
  const [batch, oldHeight, oldWidth, channels] = x.shape as [number, number, number, number];
  const alignCorners = attrs.flag('alignCorners');
  const halfPixel = attrs.flag('halfPixelCenters');
  const attributes: Record<string, OnnxAttribute> = {
    mode: { string: mode },
    coordinate_transformation_mode: {
      string: alignCorners ? 'align_corners' : halfPixel ? 'half_pixel' : 'asymmetric',
    },
  };
  if (mode === 'nearest') {
    attributes['nearest_mode'] = { string: alignCorners || halfPixel ? 'round_prefer_ceil' : 'floor' };
  }
  const scales = trace.graph.initializer(undefined, 'float32', [4], [1, 1, height / oldHeight, width / oldWidth]);
  return channelsFirst(trace, 'Resize', x, ['', scales], attributes, [batch, height, width, channels]);
}

export const imageKernels: KernelTable = {
  Conv2D: (call) => convolution(call, false),
  DepthwiseConv2dNative: (call) => convolution(call, true),
  FusedConv2D: (call) => fusedConvolution(call, false),
  FusedDepthwiseConv2D: (call) => fusedConvolution(call, true),
  AvgPool: (call) => pool(call, 'AveragePool'),
  MaxPool: (call) => pool(call, 'MaxPool'),
  ResizeBilinear: (call) => resize(call, 'linear'),
  ResizeNearestNeighbor: (call) => resize(call, 'nearest'),
  FusedBatchNorm: ({ trace, input, optional, attrs }) => {
    const variance = add(trace, input('variance'), trace.uniform(attrs.number('varianceEpsilon'), [], 'float32'));
    const inverse = elementwise(trace, 'Reciprocal', [elementwise(trace, 'Sqrt', [variance], 'float32')], 'float32');
    const scale = optional('scale');
    const factor = scale === undefined ? inverse : multiply(trace, inverse, scale);
    const centred = elementwise(trace, 'Sub', [input('x'), input('mean')], 'float32');
    const scaled = multiply(trace, centred, factor);
    const offset = optional('offset');
    return offset === undefined ? scaled : add(trace, scaled, offset);
  },
};
