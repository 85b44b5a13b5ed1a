import { add } from './arithmetic.ts';
import type { KernelTable } from './kernel.ts';
import { activate } from './kernels-elementwise.ts';
import { broadcastShape, sameShape, sizeOf, type ConstantData, type Lazy, type Recorded, type Trace } from './trace.ts';

interface Operand extends Recorded {
  readonly transposed: boolean;
}

/**
 * A matrix operand with transposes of its last two axes folded into a flag. Leading axes may stay broadcast, the
 * last two must be really there.
 */
function operand(trace: Trace, x: Lazy, transposed: boolean): Operand {
  const loose = trace.loose(x);
  const isWhole = loose.shape.length >= 2 && sameShape(loose.shape.slice(-2), x.shape.slice(-2));
  const whole = isWhole ? loose : { value: trace.exact(x), shape: x.shape };
  const origin = trace.transposeOf(whole.value);
  const rank = whole.shape.length;
  const swapsLastTwo =
    origin?.perm.every((axis, i) => axis === (i < rank - 2 ? i : i === rank - 2 ? rank - 1 : rank - 2)) === true;
  return swapsLastTwo ? { ...origin!.of, transposed: !transposed } : { ...whole, transposed };
}

/** `[..., n, k] x [..., k, m]`, as one Gemm where both are matrices, else as (batched) MatMul. */
export function matMul(trace: Trace, a: Lazy, b: Lazy, transposeA: boolean, transposeB: boolean): Lazy {
  const rows = a.shape.at(transposeA ? -1 : -2)!;
  const columns = b.shape.at(transposeB ? -2 : -1)!;
  const leading = broadcastShape(a.shape.slice(0, -2), b.shape.slice(0, -2));
  const shape = [...leading, rows, columns];
  if (a.dtype === 'int32') {
    if (transposeA || transposeB) throw new Error('a product of transposed codes cannot be traced');
    return codeProduct(trace, a, b, shape);
  }
  if (sizeOf(leading) === 1) {
    const left = operand(trace, trace.reshape(a, a.shape.slice(-2)), transposeA);
    const right = operand(trace, trace.reshape(b, b.shape.slice(-2)), transposeB);
    return trace.reshape(trace.recorded(product(trace, left, right), [rows, columns], 'float32'), shape);
  }
  const [left, right] = [operand(trace, a, transposeA), operand(trace, b, transposeB)];
  const [value] = trace.emit('MatMul', [straight(trace, left), straight(trace, right)]);
  const actual = [...broadcastShape(left.shape.slice(0, -2), right.shape.slice(0, -2)), rows, columns];
  return trace.recorded(value, actual, 'float32', shape);
}

/** Element types of the two operands of a product of codes, and what is added to the first to be unsigned. */
const uint8 = 2;
const codeOffset = 128;

/**
 * `[..., n, k] x [..., k, m]` of integers that fit 8 bits, as MatMulInteger. The first operand was rounded from floats
 * within -128..127, the second is a constant or rows of one: it is stored in 8 bits.
 */
function codeProduct(trace: Trace, a: Lazy, b: Lazy, shape: readonly number[]): Lazy {
  const left = trace.loose(a);
  const float = trace.roundedFrom(left.value);
  if (float === undefined) throw new Error('the first operand of an integer product is not rounded from floats');
  const offset = trace.graph.scalar(codeOffset);
  const [queries] = trace.emit('Cast', [trace.emit('Add', [float, offset])[0]], { to: { int: uint8 } });
  const zero = trace.graph.initializer(undefined, 'uint8', [], [codeOffset]);
  const [value] = trace.emit('MatMulInteger', [queries, codes(trace, b), zero]);
  const leading = broadcastShape(left.shape.slice(0, -2), b.shape.slice(0, -2));
  return trace.recorded(value, [...leading, ...shape.slice(-2)], 'int32', shape);
}

function codes(trace: Trace, x: Lazy): string {
  const { source } = x;
  if (source.kind === 'constant') return codeConstant(trace, source.data, x.shape);
  const rows = source.kind === 'recorded' ? trace.constantRowsOf(source.value) : undefined;
  if (rows === undefined) throw new Error('the second operand of an integer product is no constant');
  const { constant, indices, axis } = rows;
  const table = codeConstant(trace, constant.source.data, constant.shape);
  return trace.emit('Gather', [table, indices], { axis: { int: axis } })[0];
}

function codeConstant(trace: Trace, data: ConstantData, shape: readonly number[]): string {
  const bytes = Int8Array.from(data);
  if (data.some((value, i) => value !== bytes[i])) throw new Error('an operand of an integer product exceeds 8 bits');
  return trace.graph.initializer(undefined, 'int8', shape, bytes);
}

/** Rows from which on a real transpose of the smaller operand is cheaper than Gemm's transA, which copies again and again. */
const longSum = 512;

function product(trace: Trace, a: Operand, b: Operand): string {
  if (a.transposed && !b.transposed && a.shape[0]! >= longSum && !trace.isDynamic(a.shape[0]!)) {
    return weightGradient(trace, a, b);
  }
  const flags = { transA: { int: Number(a.transposed) }, transB: { int: Number(b.transposed) } };
  const isPlain = !a.transposed && !b.transposed;
  const [value] = isPlain ? trace.emit('MatMul', [a.value, b.value]) : trace.emit('Gemm', [a.value, b.value], flags);
  trace.noteProduct(value, { a: a.value, b: b.value, transA: a.transposed, transB: b.transposed });
  return value;
}

/**
 * `a^T b` of `[K, M]` and `[K, N]` with long columns, the shape of every weight's gradient: 8 to 15 % faster than Gemm
 * with transA on ONNX Runtime's CPU provider.
 */
function weightGradient(trace: Trace, a: Recorded, b: Recorded): string {
  const [rows, columns] = [a.shape[1]!, b.shape[1]!];
  if (rows <= columns) return trace.emit('MatMul', [transposedCopy(trace, a), b.value])[0];
  const [value] = trace.emit('MatMul', [transposedCopy(trace, b), a.value]);
  return transposedCopy(trace, { value, shape: [columns, rows] });
}

/** A transpose that ONNX Runtime can't fold back into the product: it hides between two reshapes, which cost nothing. */
function transposedCopy(trace: Trace, { value, shape }: Recorded): string {
  const [rows, columns] = shape as [number, number];
  const [wide] = trace.emit('Reshape', [value, trace.graph.ints([1, rows, columns])]);
  const [turned] = trace.emit('Transpose', [wide], { perm: { ints: [2, 0, 1] } });
  return trace.emit('Reshape', [turned, trace.graph.ints([columns, rows])])[0];
}

/** A batched operand the right way round: ONNX Runtime fuses this transpose into the product by itself. */
function straight(trace: Trace, x: Operand): string {
  if (!x.transposed) return x.value;
  const rank = x.shape.length;
  const perm = [...x.shape.keys()].map((axis) => (axis < rank - 2 ? axis : 2 * rank - 3 - axis));
  const tensor = trace.transpose(trace.recorded(x.value, x.shape, 'float32'), perm);
  return trace.exact(tensor);
}

export const matMulKernels: KernelTable = {
  BatchMatMul: ({ trace, input, attrs }) =>
    matMul(trace, input('a'), input('b'), attrs.flag('transposeA'), attrs.flag('transposeB')),
  _FusedMatMul: (call) => {
    const { trace, input, optional, attrs } = call;
    const sum = matMul(trace, input('a'), input('b'), attrs.flag('transposeA'), attrs.flag('transposeB'));
    const bias = optional('bias');
    return activate(call, bias === undefined ? sum : add(trace, sum, bias), attrs.text('activation'));
  },
  Einsum: ({ trace, list, attrs }) => {
    const equation = attrs.text('equation');
    const [terms, result] = equation.replaceAll(' ', '').split('->');
    const sizes = new Map<string, number>();
    terms!.split(',').forEach((term, i) => {
      [...term].forEach((letter, axis) => sizes.set(letter, list[i]!.shape[axis]!));
    });
    const [value] = trace.emit(
      'Einsum',
      list.map((x) => trace.exact(x)),
      { equation: { string: equation } },
    );
    const shape = [...result!].map((letter) => sizes.get(letter)!);
    return trace.recorded(value, shape, list[0]!.dtype);
  },
};
