import { layerNormOf } from './norms.ts';
import { broadcastShape, sameShape, sizeOf, type Lazy, type TfDtype, type Trace } from './trace.ts';

const onnxType: Readonly<Record<TfDtype, number>> = { float32: 1, int32: 6, bool: 9 };

/** Adds an elementwise node over operands that broadcast; the result stays as small as its operands. */
export function elementwise(trace: Trace, op: string, operands: readonly Lazy[], dtype: TfDtype): Lazy {
  const loose = operands.map((operand) => trace.loose(operand));
  const shape = operands.map((operand) => operand.shape).reduce(broadcastShape);
  const actual = loose.map((operand) => operand.shape).reduce(broadcastShape);
  const [value] = trace.emit(
    op,
    loose.map((operand) => operand.value),
  );
  return trace.recorded(value, actual, dtype, shape);
}

/** Converts as TensorFlow.js does: to int by truncation, to bool by "not zero". */
export function cast(trace: Trace, x: Lazy, dtype: TfDtype): Lazy {
  if (x.dtype === dtype) return x;
  if (x.source.kind === 'uniform') {
    const number = x.source.number;
    const converted = dtype === 'int32' ? Math.trunc(number) : dtype === 'bool' ? Number(number !== 0) : number;
    return trace.uniform(converted, x.shape, dtype);
  }
  const { value, shape } = trace.loose(x);
  const [converted] = trace.emit('Cast', [value], { to: { int: onnxType[dtype] } });
  if (x.dtype === 'float32' && dtype === 'int32') trace.noteRounded(converted, value);
  return trace.recorded(converted, shape, dtype, x.shape);
}

/** A uniform number of the given type that broadcasts to anything. */
export function number(trace: Trace, value: number, dtype: TfDtype = 'float32'): Lazy {
  return trace.uniform(value, [], dtype);
}

export function uniformOf(x: Lazy): number | undefined {
  return x.source.kind === 'uniform' ? x.source.number : undefined;
}

/** The same tensor, broadcast lazily to a larger shape. */
export function broadcastTo(x: Lazy, shape: readonly number[]): Lazy | undefined {
  if (sameShape(x.shape, shape)) return x;
  return x.source.kind === 'constant' ? undefined : { ...x, shape };
}

export type BinaryRule = (trace: Trace, a: Lazy, b: Lazy) => Lazy;

/** Computes two uniform constants, else adds one node. */
export function plain(op: string, fold: (a: number, b: number) => number, dtype?: TfDtype): BinaryRule {
  return (trace, a, b) => {
    const left = uniformOf(a);
    const right = uniformOf(b);
    if (left !== undefined && right !== undefined) {
      return trace.uniform(Math.fround(fold(left, right)), broadcastShape(a.shape, b.shape), dtype ?? a.dtype);
    }
    return elementwise(trace, op, [a, b], dtype ?? a.dtype);
  };
}

export const addPlain = plain('Add', (a, b) => a + b);
export const subPlain = plain('Sub', (a, b) => a - b);
export const mulPlain = plain('Mul', (a, b) => a * b);
export const divPlain = plain('Div', (a, b) => a / b);
export const equalPlain = plain('Equal', (a, b) => Number(a === b), 'bool');

/** What a lazy tensor is the negative of, if it is one. */
function negativeOf(trace: Trace, x: Lazy): Lazy | undefined {
  if (x.source.kind !== 'recorded') return undefined;
  const of = trace.negativeOf(x.source.value);
  return of === undefined ? undefined : trace.recorded(of.value, of.shape, x.dtype, x.shape);
}

/** A dense layer: product and bias in one Gemm. The bare product goes when nothing else needs it. */
function withBias(trace: Trace, x: Lazy, bias: Lazy): Lazy | undefined {
  const columns = x.shape[1];
  if (x.source.kind !== 'recorded' || x.shape.length !== 2 || x.shape[0] === 1) return undefined;
  const product = trace.productOf(x.source.value);
  if (product === undefined || bias.source.kind === 'uniform') return undefined;
  const { value, shape } = trace.loose(bias);
  if (shape.at(-1) !== columns || sizeOf(shape) !== columns) return undefined;
  const flags = { transA: { int: Number(product.transA) }, transB: { int: Number(product.transB) } };
  const row = trace.reshapeValue({ value, shape }, [columns]);
  return trace.recorded(trace.emit('Gemm', [product.a, product.b, row], flags)[0], x.shape, x.dtype);
}

export const add: BinaryRule = (trace, a, b) => {
  const shape = broadcastShape(a.shape, b.shape);
  if (uniformOf(a) === 0) return broadcastTo(b, shape) ?? addPlain(trace, a, b);
  if (uniformOf(b) === 0) return broadcastTo(a, shape) ?? addPlain(trace, a, b);
  const biased = withBias(trace, a, b) ?? withBias(trace, b, a);
  if (biased !== undefined) return biased;
  const minusB = negativeOf(trace, b);
  if (minusB !== undefined) return subPlain(trace, a, minusB);
  const minusA = negativeOf(trace, a);
  if (minusA !== undefined) return subPlain(trace, b, minusA);
  return addPlain(trace, a, b);
};

export const sub: BinaryRule = (trace, a, b) => {
  const shape = broadcastShape(a.shape, b.shape);
  if (uniformOf(b) === 0) return broadcastTo(a, shape) ?? subPlain(trace, a, b);
  const minusB = negativeOf(trace, b);
  if (minusB !== undefined) return addPlain(trace, a, minusB);
  if (uniformOf(a) === 0 && b.dtype === 'float32')
    return broadcastTo(trace.scale(b, -1), shape) ?? subPlain(trace, a, b);
  return subPlain(trace, a, b);
};

export const multiply: BinaryRule = (trace, a, b) => {
  const shape = broadcastShape(a.shape, b.shape);
  for (const [factor, other] of [
    [uniformOf(a), b],
    [uniformOf(b), a],
  ] as const) {
    if (factor === undefined || other.source.kind === 'constant') continue;
    if (factor === 0) return trace.uniform(0, shape, a.dtype);
    return { ...trace.scale(other, factor), shape };
  }
  return layerNormOf(trace, a, b) ?? mulPlain(trace, a, b);
};

export const divide: BinaryRule = (trace, a, b) => {
  const divisor = uniformOf(b);
  if (divisor !== undefined && a.source.kind !== 'constant' && a.dtype === 'float32') {
    return { ...trace.scale(a, 1 / divisor), shape: broadcastShape(a.shape, b.shape) };
  }
  return divPlain(trace, a, b);
};

export const power: BinaryRule = (trace, a, b) => {
  const exponent = uniformOf(b);
  const shape = broadcastShape(a.shape, b.shape);
  if (exponent === 0) return trace.uniform(1, shape, a.dtype);
  if (uniformOf(a) === undefined && a.source.kind !== 'constant') {
    if (exponent === 1) return { ...a, shape };
    if (exponent === 2) return { ...mulPlain(trace, a, a), shape };
    if (exponent === 0.5) return { ...elementwise(trace, 'Sqrt', [a], a.dtype), shape };
    if (exponent === -1) return { ...elementwise(trace, 'Reciprocal', [a], a.dtype), shape };
  }
  return plain('Pow', Math.pow)(trace, a, b);
};

export const floorDivide: BinaryRule = (trace, a, b) => {
  const quotient = divPlain(trace, cast(trace, a, 'float32'), cast(trace, b, 'float32'));
  return cast(trace, elementwise(trace, 'Floor', [quotient], 'float32'), a.dtype);
};

/** Remainder with the sign of the divisor. */
export const modulo: BinaryRule = (trace, a, b) => {
  const left = cast(trace, a, 'float32');
  const right = cast(trace, b, 'float32');
  const floor = elementwise(trace, 'Floor', [divPlain(trace, left, right)], 'float32');
  return cast(trace, subPlain(trace, left, mulPlain(trace, floor, right)), a.dtype);
};

/** `condition ? t : e`, all three broadcast. */
export function select(trace: Trace, condition: Lazy, t: Lazy, e: Lazy): Lazy {
  const known = uniformOf(condition);
  const shape = [condition.shape, t.shape, e.shape].reduce(broadcastShape);
  const chosen = known === undefined ? undefined : broadcastTo(known === 0 ? e : t, shape);
  if (chosen !== undefined) return chosen;
  if (t.dtype !== 'bool') return elementwise(trace, 'Where', [condition, t, e], t.dtype);
  const yes = elementwise(trace, 'And', [condition, t], 'bool');
  const no = elementwise(trace, 'And', [elementwise(trace, 'Not', [condition], 'bool'), e], 'bool');
  return elementwise(trace, 'Or', [yes, no], 'bool');
}
