import { cast, multiply } from './arithmetic.ts';
import type { Kernel, KernelTable } from './kernel.ts';
import { padShape, positiveAxis, sizeOf, type Lazy, type Trace } from './trace.ts';

type ReduceOp = 'ReduceSum' | 'ReduceMean' | 'ReduceMax' | 'ReduceMin' | 'ReduceProd';

/**
 * Reduces over axes. Axes along which the tensor is only broadcast cost nothing: a sum becomes a factor, the others
 * drop out.
 */
export function reduce(trace: Trace, op: ReduceOp, x: Lazy, axes: readonly number[], keepDims: boolean): Lazy {
  const kept = x.shape.map((size, axis) => (axes.includes(axis) ? 1 : size));
  const shape = keepDims ? kept : x.shape.filter((_, axis) => !axes.includes(axis));
  if (axes.length === 0) return x;
  const actual = x.source.kind === 'uniform' ? x.shape.map(() => 1) : padShape(trace.loose(x).shape, x.shape.length);
  const free = axes.filter((axis) => actual[axis] === 1 && x.shape[axis] !== 1);
  const counted = free.map((axis) => x.shape[axis]!);
  const isCounting = op === 'ReduceSum' || op === 'ReduceProd';
  if (counted.length > 0 && isCounting && (op === 'ReduceProd' || counted.some((size) => trace.isDynamic(size)))) {
    const whole = trace.recorded(trace.exact(x), x.shape, x.dtype);
    return reduceRecorded(trace, op, whole, axes, keepDims, shape);
  }
  const real = axes.filter((axis) => actual[axis] !== 1);
  const narrowed: Lazy = { ...x, shape: x.shape.map((size, axis) => (free.includes(axis) ? 1 : size)) };
  const times = isCounting ? sizeOf(counted) : 1;
  const scaled = times === 1 ? narrowed : multiply(trace, narrowed, trace.uniform(times, [], x.dtype));
  if (real.length === 0) return trace.reshape(scaled, shape);
  return trace.reshape(reduceRecorded(trace, op, scaled, real, true, kept), shape);
}

function reduceRecorded(
  trace: Trace,
  op: ReduceOp,
  x: Lazy,
  axes: readonly number[],
  keepDims: boolean,
  shape: readonly number[],
): Lazy {
  const from = trace.ranked(x);
  const actual = from.shape.map((size, axis) => (axes.includes(axis) ? 1 : size));
  const [value] = trace.emit(op, [from.value, trace.graph.ints(axes)], { keepdims: { int: keepDims ? 1 : 0 } });
  const keptShape = keepDims ? actual : actual.filter((_, axis) => !axes.includes(axis));
  return trace.recorded(value, keptShape, x.dtype, shape);
}

function reduction(op: ReduceOp, axisName: string): Kernel {
  return ({ trace, input, attrs }) => {
    const x = input('x');
    return reduce(trace, op, x, attrs.axes(axisName, x.shape.length), attrs.flag('keepDims'));
  };
}

/** All / Any as minimum / maximum of integers. */
function logical(op: ReduceOp): Kernel {
  return ({ trace, input, attrs }) => {
    const x = cast(trace, input('x'), 'int32');
    return cast(trace, reduce(trace, op, x, attrs.axes('axis', x.shape.length), attrs.flag('keepDims')), 'bool');
  };
}

function argument(op: 'ArgMax' | 'ArgMin'): Kernel {
  return ({ trace, input, attrs }) => {
    const x = input('x');
    const [axis] = attrs.axes('axis', x.shape.length);
    const [index] = trace.emit(op, [trace.exact(x)], { axis: { int: axis! }, keepdims: { int: 0 } });
    const shape = x.shape.filter((_, i) => i !== axis);
    return trace.recorded(trace.emit('Cast', [index], { to: { int: 6 } })[0], shape, 'int32');
  };
}

function softmax(op: 'Softmax' | 'LogSoftmax', axisName: string): Kernel {
  return ({ trace, input, attrs }) => {
    const x = input('logits');
    const axis = positiveAxis(attrs.number(axisName), x.shape.length);
    const [value] = trace.emit(op, [trace.exact(x)], { axis: { int: axis } });
    return trace.recorded(value, x.shape, x.dtype);
  };
}

export const reduceKernels: KernelTable = {
  Sum: reduction('ReduceSum', 'axis'),
  Mean: reduction('ReduceMean', 'axis'),
  Max: reduction('ReduceMax', 'reductionIndices'),
  Min: reduction('ReduceMin', 'axis'),
  Prod: reduction('ReduceProd', 'axis'),
  All: logical('ReduceMin'),
  Any: logical('ReduceMax'),
  ArgMax: argument('ArgMax'),
  ArgMin: argument('ArgMin'),
  Softmax: softmax('Softmax', 'dim'),
  LogSoftmax: softmax('LogSoftmax', 'axis'),
  Cumsum: ({ trace, input, attrs }) => {
    const x = input('x');
    const axis = trace.graph.initializer(undefined, 'int64', [], [attrs.number('axis')]);
    const [value] = trace.emit('CumSum', [trace.exact(x), axis], {
      exclusive: { int: Number(attrs.flag('exclusive')) },
      reverse: { int: Number(attrs.flag('reverse')) },
    });
    return trace.recorded(value, x.shape, x.dtype);
  },
  TopK: ({ trace, input, attrs }) => {
    const x = input('x');
    const k = attrs.number('k');
    trace.assertStatic([k], 'TopK: k');
    const [values, indices] = trace.emit(
      'TopK',
      [trace.exact(x), trace.graph.ints([k])],
      { axis: { int: -1 }, sorted: { int: Number(attrs.flag('sorted')) } },
      2,
    );
    const shape = [...x.shape.slice(0, -1), k];
    const [index32] = trace.emit('Cast', [indices!], { to: { int: 6 } });
    return [trace.recorded(values, shape, x.dtype), trace.recorded(index32, shape, 'int32')];
  },
};
