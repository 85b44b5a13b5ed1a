import type { Kernel, KernelCall, KernelTable } from './kernel.ts';
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
  return trace.recorded(trace.emit('Cast', [value], { to: { int: onnxType[dtype] } })[0], shape, dtype, x.shape);
}

/** A uniform number of the given type that broadcasts to anything. */
function number(trace: Trace, value: number, dtype: TfDtype = 'float32'): Lazy {
  return trace.uniform(value, [], dtype);
}

function uniformOf(x: Lazy): number | undefined {
  return x.source.kind === 'uniform' ? x.source.number : undefined;
}

/** The same tensor, broadcast lazily to a larger shape. */
export function broadcastTo(x: Lazy, shape: readonly number[]): Lazy | undefined {
  if (sameShape(x.shape, shape)) return x;
  return x.source.kind === 'constant' ? undefined : { ...x, shape };
}

/** One ONNX node for one TensorFlow.js kernel; uniform constants are computed here and now. */
function unary(op: string, fold: (x: number) => number, dtype?: TfDtype): Kernel {
  return ({ trace, input }) => {
    const x = input('x');
    const known = uniformOf(x);
    if (known !== undefined) return trace.uniform(Math.fround(fold(known)), x.shape, dtype ?? x.dtype);
    return elementwise(trace, op, [x], dtype ?? x.dtype);
  };
}

type BinaryRule = (trace: Trace, a: Lazy, b: Lazy) => Lazy;

function binary(rule: BinaryRule): Kernel {
  return ({ trace, input }) => rule(trace, input('a'), input('b'));
}

/** Computes two uniform constants, else adds one node. */
function plain(op: string, fold: (a: number, b: number) => number, dtype?: TfDtype): BinaryRule {
  return (trace, a, b) => {
    const left = uniformOf(a);
    const right = uniformOf(b);
    if (left !== undefined && right !== undefined) {
      return trace.uniform(Math.fround(fold(left, right)), broadcastShape(a.shape, b.shape), dtype ?? a.dtype);
    }
    return elementwise(trace, op, [a, b], dtype ?? a.dtype);
  };
}

const addPlain = plain('Add', (a, b) => a + b);
const subPlain = plain('Sub', (a, b) => a - b);
const mulPlain = plain('Mul', (a, b) => a * b);
const divPlain = plain('Div', (a, b) => a / b);
const equalPlain = plain('Equal', (a, b) => Number(a === b), 'bool');

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

const sub: BinaryRule = (trace, a, b) => {
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
  return mulPlain(trace, a, b);
};

const divide: BinaryRule = (trace, a, b) => {
  const divisor = uniformOf(b);
  if (divisor !== undefined && a.source.kind !== 'constant' && a.dtype === 'float32') {
    return { ...trace.scale(a, 1 / divisor), shape: broadcastShape(a.shape, b.shape) };
  }
  return divPlain(trace, a, b);
};

const power: BinaryRule = (trace, a, b) => {
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

const floorDivide: BinaryRule = (trace, a, b) => {
  const quotient = divPlain(trace, cast(trace, a, 'float32'), cast(trace, b, 'float32'));
  return cast(trace, elementwise(trace, 'Floor', [quotient], 'float32'), a.dtype);
};

/** Remainder with the sign of the divisor. */
const modulo: BinaryRule = (trace, a, b) => {
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

function clip({ trace }: KernelCall, x: Lazy, low: number, high: number): Lazy {
  const known = uniformOf(x);
  if (known !== undefined) return trace.uniform(Math.min(high, Math.max(low, known)), x.shape, x.dtype);
  const { value, shape } = trace.loose(x);
  const bound = (limit: number): string =>
    Number.isFinite(limit) ? trace.graph.initializer(undefined, x.dtype, [], [limit]) : '';
  return trace.recorded(trace.emit('Clip', [value, bound(low), bound(high)])[0], shape, x.dtype, x.shape);
}

/** log(1 + x) that keeps its digits near zero: 2 atanh(x / (x + 2)) there. */
function log1p(trace: Trace, x: Lazy): Lazy {
  const ratio = divPlain(trace, x, addPlain(trace, x, number(trace, 2)));
  const near = trace.scale(elementwise(trace, 'Atanh', [ratio], 'float32'), 2);
  const far = elementwise(trace, 'Log', [addPlain(trace, x, number(trace, 1))], 'float32');
  const isNear = elementwise(trace, 'Less', [elementwise(trace, 'Abs', [x], 'float32'), number(trace, 0.5)], 'bool');
  return select(trace, isNear, near, far);
}

/** exp(x) - 1 that keeps its digits near zero: tanh(x / 2) (exp(x) + 1). */
function expm1(trace: Trace, x: Lazy): Lazy {
  const tanh = elementwise(trace, 'Tanh', [trace.scale(x, 0.5)], 'float32');
  const sum = addPlain(trace, elementwise(trace, 'Exp', [x], 'float32'), number(trace, 1));
  return mulPlain(trace, tanh, sum);
}

function rsqrt(trace: Trace, x: Lazy): Lazy {
  return elementwise(trace, 'Reciprocal', [elementwise(trace, 'Sqrt', [x], 'float32')], 'float32');
}

function withAlpha(op: string, attribute: 'alpha', attrName = 'alpha'): Kernel {
  return ({ trace, input, attrs }) => {
    const x = input('x');
    const { value, shape } = trace.loose(x);
    const [result] = trace.emit(op, [value], { [attribute]: { float: attrs.number(attrName) } });
    return trace.recorded(result, shape, x.dtype, x.shape);
  };
}

/** An activation of the fused kernels by its TensorFlow.js name. */
export function activate(call: KernelCall, x: Lazy, name: string): Lazy {
  switch (name) {
    case 'linear':
      return x;
    case 'relu':
      return elementwise(call.trace, 'Relu', [x], 'float32');
    case 'relu6':
      return clip(call, x, 0, 6);
    case 'sigmoid':
      return elementwise(call.trace, 'Sigmoid', [x], 'float32');
    case 'elu':
      return elementwise(call.trace, 'Elu', [x], 'float32');
    default:
      throw new Error(`activation ${name} cannot be traced`);
  }
}

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

export const elementwiseKernels: KernelTable = {
  Abs: unary('Abs', Math.abs),
  Acos: unary('Acos', Math.acos),
  Acosh: unary('Acosh', Math.acosh),
  Asin: unary('Asin', Math.asin),
  Asinh: unary('Asinh', Math.asinh),
  Atan: unary('Atan', Math.atan),
  Atanh: unary('Atanh', Math.atanh),
  Ceil: unary('Ceil', Math.ceil),
  Cos: unary('Cos', Math.cos),
  Cosh: unary('Cosh', Math.cosh),
  Exp: unary('Exp', Math.exp),
  Floor: unary('Floor', Math.floor),
  IsInf: unary('IsInf', (x) => Number(Math.abs(x) === Infinity), 'bool'),
  IsNan: unary('IsNaN', (x) => Number(Number.isNaN(x)), 'bool'),
  Log: unary('Log', Math.log),
  LogicalNot: unary('Not', (x) => Number(x === 0)),
  Reciprocal: unary('Reciprocal', (x) => 1 / x),
  Relu: unary('Relu', (x) => Math.max(0, x)),
  Sigmoid: unary('Sigmoid', sigmoid),
  Sign: unary('Sign', Math.sign),
  Sin: unary('Sin', Math.sin),
  Sinh: unary('Sinh', Math.sinh),
  Softplus: unary('Softplus', (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)))),
  Sqrt: unary('Sqrt', Math.sqrt),
  Tan: unary('Tan', Math.tan),
  Tanh: unary('Tanh', Math.tanh),
  Elu: unary('Elu', (x) => (x >= 0 ? x : Math.expm1(x))),
  Selu: ({ trace, input }) => elementwise(trace, 'Selu', [input('x')], 'float32'),
  Erf: ({ trace, input }) => elementwise(trace, 'Erf', [input('x')], 'float32'),
  Round: ({ trace, input }) => elementwise(trace, 'Round', [input('x')], 'float32'),
  Neg: ({ trace, input }) => trace.scale(input('x'), -1),
  Square: ({ trace, input }) => mulPlain(trace, input('x'), input('x')),
  Rsqrt: ({ trace, input }) => rsqrt(trace, input('x')),
  Expm1: ({ trace, input }) => expm1(trace, input('x')),
  Log1p: ({ trace, input }) => log1p(trace, input('x')),
  LeakyRelu: withAlpha('LeakyRelu', 'alpha'),
  Relu6: (call) => clip(call, call.input('x'), 0, 6),
  ClipByValue: (call) =>
    clip(call, call.input('x'), call.attrs.number('clipValueMin'), call.attrs.number('clipValueMax')),
  IsFinite: ({ trace, input }) => {
    const bad = ['IsInf', 'IsNaN'].map((op) => elementwise(trace, op, [input('x')], 'bool'));
    return elementwise(trace, 'Not', [elementwise(trace, 'Or', bad, 'bool')], 'bool');
  },
  Step: ({ trace, input, attrs }) => {
    const x = input('x');
    const isPositive = elementwise(trace, 'Greater', [x, number(trace, 0, x.dtype)], 'bool');
    return select(trace, isPositive, number(trace, 1, x.dtype), number(trace, attrs.number('alpha'), x.dtype));
  },
  // dy * (y >= 0 ? 1 : y + 1), without the comparison.
  EluGrad: (call) => {
    const slope = addPlain(call.trace, clip(call, call.input('y'), -Infinity, 0), number(call.trace, 1));
    return mulPlain(call.trace, call.input('dy'), slope);
  },
  Prelu: ({ trace, input }) => {
    const x = input('x');
    const isPositive = elementwise(trace, 'GreaterOrEqual', [x, number(trace, 0)], 'bool');
    return select(trace, isPositive, x, multiply(trace, input('alpha'), x));
  },
  Cast: ({ trace, input, attrs }) => cast(trace, input('x'), attrs.text('dtype') as TfDtype),
  Identity: ({ input }) => input('x'),

  Add: binary(add),
  Sub: binary(sub),
  Multiply: binary(multiply),
  RealDiv: binary(divide),
  FloorDiv: binary(floorDivide),
  Mod: binary(modulo),
  Pow: binary(power),
  Maximum: binary(plain('Max', Math.max)),
  Minimum: binary(plain('Min', Math.min)),
  SquaredDifference: binary((trace, a, b) => {
    const difference = sub(trace, a, b);
    return mulPlain(trace, difference, difference);
  }),
  AddN: ({ trace, list }) => list.reduce((sum, x) => add(trace, sum, x)),
  Equal: binary(equalPlain),
  NotEqual: binary((trace, a, b) => elementwise(trace, 'Not', [equalPlain(trace, a, b)], 'bool')),
  Greater: binary(plain('Greater', (a, b) => Number(a > b), 'bool')),
  GreaterEqual: binary(plain('GreaterOrEqual', (a, b) => Number(a >= b), 'bool')),
  Less: binary(plain('Less', (a, b) => Number(a < b), 'bool')),
  LessEqual: binary(plain('LessOrEqual', (a, b) => Number(a <= b), 'bool')),
  LogicalAnd: binary(plain('And', (a, b) => a * b, 'bool')),
  LogicalOr: binary(plain('Or', Math.max, 'bool')),
  LogicalXor: binary(plain('Xor', (a, b) => Number(a !== b), 'bool')),
  // TensorFlow.js lets a condition of rank one choose whole rows.
  Select: ({ trace, input }) => {
    const condition = input('condition');
    const t = input('t');
    const rows = condition.shape.length === 1 && t.shape.length > 1;
    const shape = rows ? [condition.shape[0]!, ...t.shape.slice(1).map(() => 1)] : condition.shape;
    return select(trace, trace.reshape(condition, shape), t, input('e'));
  },
};
