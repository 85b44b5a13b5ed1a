import { select } from './arithmetic.ts';
import type { KernelCall, KernelTable } from './kernel.ts';
import { tf } from './tf.ts';
import { broadcastShape, padShape, positiveAxis, sameShape, type Lazy, type TfDtype, type Trace } from './trace.ts';

/** Largest index ONNX takes as "to the end". */
const toTheEnd = Number.MAX_SAFE_INTEGER;

/** Part of a tensor: `begin[i] .. begin[i] + size[i]`. Broadcast dimensions stay lazy. */
function slice(trace: Trace, x: Lazy, begin: readonly number[], size: readonly number[]): Lazy {
  if (sameShape(x.shape, size)) return x;
  if (x.source.kind === 'uniform') return { ...x, shape: size };
  const from = trace.ranked(x);
  const axes = [...x.shape.keys()].filter((axis) => size[axis] !== x.shape[axis] && from.shape[axis] !== 1);
  if (axes.length === 0) return trace.recorded(from.value, from.shape, x.dtype, size);
  const ends = axes.map((axis) => begin[axis]! + size[axis]!);
  trace.assertStatic(
    [...axes.map((axis) => begin[axis]!), ...axes.map((axis) => size[axis]!)],
    'a slice along the batch',
  );
  const reachesEnd = axes.map((axis, i) => ends[i] === x.shape[axis]);
  if (axes.some((axis) => trace.isDynamic(x.shape[axis]!)) && reachesEnd.some((reaches) => reaches)) {
    throw new Error('a slice up to the end of the batch cannot be traced');
  }
  const [value] = trace.emit('Slice', [
    from.value,
    trace.graph.ints(axes.map((axis) => begin[axis]!)),
    trace.graph.ints(ends.map((end, i) => (reachesEnd[i] === true ? toTheEnd : end))),
    trace.graph.ints(axes),
  ]);
  const actual = from.shape.map((length, axis) => (axes.includes(axis) ? size[axis]! : length));
  return trace.recorded(value, actual, x.dtype, size);
}

function stridedSlice({ trace, input, attrs }: KernelCall): Lazy {
  const x = input('x');
  const strides = attrs.numbers('strides');
  const masks = (['beginMask', 'endMask', 'ellipsisMask', 'newAxisMask', 'shrinkAxisMask'] as const).map((name) =>
    attrs.number(name),
  );
  const [beginMask, endMask, ellipsisMask, newAxisMask, shrinkAxisMask] = masks;
  const info = tf.slice_util.sliceInfo(
    [...x.shape],
    attrs.numbers('begin'),
    attrs.numbers('end'),
    strides,
    beginMask!,
    endMask!,
    ellipsisMask!,
    newAxisMask!,
    shrinkAxisMask!,
  );
  const axes = [...x.shape.keys()].filter(
    (axis) => !(info.begin[axis] === 0 && info.end[axis] === x.shape[axis] && info.strides[axis] === 1),
  );
  if (axes.length === 0) return trace.reshape(x, info.finalShape);
  trace.assertStatic(
    axes.map((axis) => x.shape[axis]!),
    'a strided slice along the batch',
  );
  // Going backwards past the first element, ONNX wants an end far below zero.
  const end = (axis: number): number => (info.strides[axis]! < 0 && info.end[axis]! < 0 ? -toTheEnd : info.end[axis]!);
  const [value] = trace.emit('Slice', [
    trace.exact(x),
    trace.graph.ints(axes.map((axis) => info.begin[axis]!)),
    trace.graph.ints(axes.map(end)),
    trace.graph.ints(axes),
    trace.graph.ints(axes.map((axis) => info.strides[axis]!)),
  ]);
  const sliced = x.shape.map((length, axis) =>
    axes.includes(axis) ? Math.max(0, Math.ceil((info.end[axis]! - info.begin[axis]!) / info.strides[axis]!)) : length,
  );
  return trace.reshape(trace.recorded(value, sliced, x.dtype), info.finalShape);
}

function concat(trace: Trace, list: readonly Lazy[], axis: number): Lazy {
  const parts = list.filter((part) => part.shape[axis] !== 0);
  const first = parts[0]!;
  if (parts.length === 1) return first;
  const shape = first.shape.map((size, i) =>
    i === axis ? parts.reduce((sum, part) => sum + part.shape[axis]!, 0) : size,
  );
  const [value] = trace.emit(
    'Concat',
    parts.map((part) => trace.exact(part)),
    { axis: { int: axis } },
  );
  return trace.recorded(value, shape, first.dtype);
}

function split(trace: Trace, x: Lazy, sizes: readonly number[], axis: number): Lazy[] {
  const shapes = sizes.map((size) => x.shape.map((length, i) => (i === axis ? size : length)));
  if (x.source.kind === 'uniform') return shapes.map((shape) => ({ ...x, shape }));
  const equal = sizes.every((size) => size === sizes[0]);
  if (!equal) trace.assertStatic(sizes, 'an uneven split along the batch');
  const values = equal
    ? trace.emit('Split', [trace.exact(x)], { axis: { int: axis }, num_outputs: { int: sizes.length } }, sizes.length)
    : trace.emit('Split', [trace.exact(x), trace.graph.ints(sizes)], { axis: { int: axis } }, sizes.length);
  return values.map((value, i) => trace.recorded(value, shapes[i]!, x.dtype));
}

/** Repeats a tensor. Dimensions of size one only broadcast, which costs nothing. */
function tile(trace: Trace, x: Lazy, reps: readonly number[]): Lazy {
  const shape = x.shape.map((size, axis) => size * reps[axis]!);
  if (x.source.kind === 'uniform') return { ...x, shape };
  const from = trace.ranked(x);
  const real = reps.map((rep, axis) => (x.shape[axis] === 1 || from.shape[axis] === 1 ? 1 : rep));
  if (real.every((rep) => rep === 1)) return trace.recorded(from.value, from.shape, x.dtype, shape);
  const [value] = trace.emit('Tile', [from.value, trace.shapeValue(real)]);
  const actual = from.shape.map((size, axis) => size * real[axis]!);
  return trace.recorded(value, actual, x.dtype, shape);
}

function pad({ trace, input, attrs }: KernelCall, mode: 'constant' | 'reflect'): Lazy {
  const x = input('x');
  const paddings = attrs.raw('paddings') as [number, number][];
  const shape = x.shape.map((size, axis) => size + paddings[axis]![0] + paddings[axis]![1]);
  const pads = trace.graph.ints([...paddings.map(([before]) => before), ...paddings.map(([, after]) => after)]);
  const inputs = [trace.exact(x), pads];
  if (mode === 'constant') {
    inputs.push(trace.graph.initializer(undefined, x.dtype, [], [attrs.number('constantValue')]));
  }
  const [value] = trace.emit('Pad', inputs, { mode: { string: mode } });
  return trace.recorded(value, shape, x.dtype);
}

function reverse({ trace, input, attrs }: KernelCall): Lazy {
  const x = input('x');
  const axes = attrs.axes('dims', x.shape.length);
  const list = (value: number): string => trace.graph.ints(axes.map(() => value));
  const [value] = trace.emit('Slice', [trace.exact(x), list(-1), list(-toTheEnd), trace.graph.ints(axes), list(-1)]);
  return trace.recorded(value, x.shape, x.dtype);
}

function gather({ trace, input, attrs }: KernelCall): Lazy {
  const x = input('x');
  const indices = input('indices');
  const batchDims = attrs.raw('batchDims') === undefined ? 0 : attrs.number('batchDims');
  const axis = positiveAxis(attrs.number('axis'), x.shape.length);
  const shape = [...x.shape.slice(0, axis), ...indices.shape.slice(batchDims), ...x.shape.slice(axis + 1)];
  if (batchDims === 0) {
    const rows = trace.exact(indices);
    const [value] = trace.emit('Gather', [trace.exact(x), rows], { axis: { int: axis } });
    const { source } = x;
    if (source.kind === 'constant') trace.noteConstantRows(value, { constant: { ...x, source }, indices: rows, axis });
    return trace.recorded(value, shape, x.dtype);
  }
  if (axis !== batchDims) throw new Error(`a gather along axis ${axis} with ${batchDims} batch axes cannot be traced`);
  const columns = trace.exact(trace.reshape(indices, [...indices.shape, 1]));
  const [columns64] = trace.emit('Cast', [columns], { to: { int: 7 } });
  const [value] = trace.emit('GatherND', [trace.exact(x), columns64], { batch_dims: { int: batchDims } });
  return trace.recorded(value, shape, x.dtype);
}

function indices64(trace: Trace, indices: Lazy): string {
  return trace.emit('Cast', [trace.exact(indices)], { to: { int: 7 } })[0];
}

function oneHot({ trace, input, attrs }: KernelCall): Lazy {
  const indices = input('indices');
  const depth = attrs.number('depth');
  const dtype = attrs.text('dtype') as TfDtype;
  const classes: Lazy = { shape: [depth], dtype: 'int32', source: { kind: 'constant', data: sequence(depth) } };
  const column = trace.loose(trace.reshape(indices, [...indices.shape, 1]));
  const shape = [...indices.shape, depth];
  const [hit] = trace.emit('Equal', [column.value, trace.loose(classes).value]);
  const isHit = trace.recorded(hit, broadcastShape(column.shape, [depth]), 'bool', shape);
  return select(
    trace,
    isHit,
    trace.uniform(attrs.number('onValue'), [], dtype),
    trace.uniform(attrs.number('offValue'), [], dtype),
  );
}

const sequence = (count: number): Int32Array => Int32Array.from({ length: count }, (_, i) => i);

/** Writes (`reduction: none`) or adds updates into a tensor at lists of indices. */
function scatter(trace: Trace, into: Lazy, indices: Lazy, updates: Lazy, reduction: 'none' | 'add'): Lazy {
  const [value] = trace.emit('ScatterND', [trace.exact(into), indices64(trace, indices), trace.exact(updates)], {
    reduction: { string: reduction },
  });
  return trace.recorded(value, into.shape, into.dtype);
}

function fill({ trace, attrs }: KernelCall): Lazy {
  const value = attrs.number('value');
  const dtype = typeof attrs.raw('dtype') === 'string' ? (attrs.text('dtype') as TfDtype) : 'float32';
  return trace.uniform(value, attrs.numbers('shape'), dtype);
}

function range({ attrs }: KernelCall): Lazy {
  const [start, stop, step] = ['start', 'stop', 'step'].map((name) => attrs.number(name));
  const dtype = attrs.text('dtype') as 'float32' | 'int32';
  const length = Math.max(0, Math.ceil((stop! - start!) / step!));
  const numbers = Array.from({ length }, (_, i) => start! + i * step!);
  const data = dtype === 'int32' ? Int32Array.from(numbers) : Float32Array.from(numbers);
  return { shape: [length], dtype, source: { kind: 'constant', data } };
}

function linSpace({ attrs }: KernelCall): Lazy {
  const [start, stop, count] = ['start', 'stop', 'num'].map((name) => attrs.number(name));
  const step = count === 1 ? 0 : (stop! - start!) / (count! - 1);
  const data = Float32Array.from({ length: count! }, (_, i) => start! + i * step);
  return { shape: [count!], dtype: 'float32', source: { kind: 'constant', data } };
}

function unsortedSegmentSum({ trace, input, attrs }: KernelCall): Lazy {
  const x = input('x');
  const shape = [attrs.number('numSegments'), ...x.shape.slice(1)];
  const ids = trace.reshape(input('segmentIds'), [x.shape[0]!, 1]);
  return scatter(trace, trace.uniform(0, shape, x.dtype), ids, x, 'add');
}

export const shapeKernels: KernelTable = {
  Reshape: ({ trace, input, attrs }) => {
    const x = input('x');
    return trace.reshape(
      x,
      tf.util.inferFromImplicitShape(attrs.numbers('shape'), tf.util.sizeFromShape([...x.shape])),
    );
  },
  ExpandDims: ({ trace, input, attrs }) => {
    const x = input('input');
    const axis = positiveAxis(attrs.number('dim'), x.shape.length + 1);
    return trace.reshape(x, [...x.shape.slice(0, axis), 1, ...x.shape.slice(axis)]);
  },
  Transpose: ({ trace, input, attrs }) => trace.transpose(input('x'), attrs.numbers('perm')),
  Slice: ({ trace, input, attrs }) => {
    const x = input('x');
    const raw = (name: string): number | number[] => attrs.raw(name) as number | number[];
    const shaped = { shape: [...x.shape], dtype: x.dtype, dataId: {} };
    const [begin, size] = tf.slice_util.parseSliceParams(shaped, raw('begin'), raw('size'));
    return slice(trace, x, begin!, size!);
  },
  StridedSlice: stridedSlice,
  Concat: ({ trace, list, attrs }) => concat(trace, list, positiveAxis(attrs.number('axis'), list[0]!.shape.length)),
  Pack: ({ trace, list, attrs }) => {
    const axis = positiveAxis(attrs.number('axis'), list[0]!.shape.length + 1);
    const wide = (x: Lazy): number[] => [...x.shape.slice(0, axis), 1, ...x.shape.slice(axis)];
    return concat(
      trace,
      list.map((x) => trace.reshape(x, wide(x))),
      axis,
    );
  },
  Unpack: ({ trace, input, attrs }) => {
    const x = input('value');
    const axis = positiveAxis(attrs.number('axis'), x.shape.length);
    trace.assertStatic([x.shape[axis]!], 'unstacking');
    const parts = split(trace, x, new Array<number>(x.shape[axis]!).fill(1), axis);
    return parts.map((part) =>
      trace.reshape(
        part,
        x.shape.filter((_, i) => i !== axis),
      ),
    );
  },
  SplitV: ({ trace, input, attrs }) => {
    const x = input('x');
    const axis = positiveAxis(attrs.number('axis'), x.shape.length);
    const wanted = attrs.raw('numOrSizeSplits') as number | number[];
    const shaped = { shape: [...x.shape] } as Parameters<typeof tf.backend_util.prepareSplitSize>[0];
    return split(trace, x, tf.backend_util.prepareSplitSize(shaped, wanted, axis), axis);
  },
  Tile: ({ trace, input, attrs }) => tile(trace, input('x'), attrs.numbers('reps')),
  BroadcastTo: ({ trace, input, attrs }) => {
    const shape = attrs.numbers('shape');
    const x = trace.reshape(input('x'), padShape(input('x').shape, shape.length));
    return tile(
      trace,
      x,
      shape.map((size, axis) => (x.shape[axis] === size ? 1 : size)),
    );
  },
  PadV2: (call) => pad(call, 'constant'),
  MirrorPad: (call) => {
    if (call.attrs.text('mode') !== 'reflect') throw new Error('only the reflecting MirrorPad can be traced');
    return pad(call, 'reflect');
  },
  Reverse: reverse,
  GatherV2: gather,
  GatherNd: ({ trace, input }) => {
    const [params, indices] = [input('params'), input('indices')];
    const depth = indices.shape.at(-1)!;
    const [value] = trace.emit('GatherND', [trace.exact(params), indices64(trace, indices)]);
    return trace.recorded(value, [...indices.shape.slice(0, -1), ...params.shape.slice(depth)], params.dtype);
  },
  ScatterNd: ({ trace, input, attrs }) => {
    const updates = input('updates');
    const zeros = trace.uniform(0, attrs.numbers('shape'), updates.dtype);
    return scatter(trace, zeros, input('indices'), updates, 'add');
  },
  TensorScatterUpdate: ({ trace, input }) =>
    scatter(trace, input('tensor'), input('indices'), input('updates'), 'none'),
  UnsortedSegmentSum: unsortedSegmentSum,
  OneHot: oneHot,
  Fill: fill,
  Range: range,
  LinSpace: linSpace,
  ZerosLike: ({ trace, input }) => trace.uniform(0, input('x').shape, input('x').dtype),
  OnesLike: ({ trace, input }) => trace.uniform(1, input('x').shape, input('x').dtype),
};
