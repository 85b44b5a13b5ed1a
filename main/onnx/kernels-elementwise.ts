import {
  add,
  addPlain,
  cast,
  divide,
  divPlain,
  elementwise,
  equalPlain,
  floorDivide,
  modulo,
  mulPlain,
  multiply,
  number,
  plain,
  power,
  select,
  sub,
  uniformOf,
  type BinaryRule,
} from './arithmetic.ts';
import type { Kernel, KernelCall, KernelTable } from './kernel.ts';
import type { Lazy, TfDtype, Trace } from './trace.ts';

/** One ONNX node for one TensorFlow.js kernel; uniform constants are computed here and now. */
function unary(op: string, fold: (x: number) => number, dtype?: TfDtype): Kernel {
  return ({ trace, input }) => {
    const x = input('x');
    const known = uniformOf(x);
    if (known !== undefined) return trace.uniform(Math.fround(fold(known)), x.shape, dtype ?? x.dtype);
    return elementwise(trace, op, [x], dtype ?? x.dtype);
  };
}

function binary(rule: BinaryRule): Kernel {
  return ({ trace, input }) => rule(trace, input('a'), input('b'));
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

function leakyRelu({ trace, input, attrs }: KernelCall): Lazy {
  const x = input('x');
  const { value, shape } = trace.loose(x);
  const [result] = trace.emit('LeakyRelu', [value], { alpha: { float: attrs.number('alpha') } });
  return trace.recorded(result, shape, x.dtype, x.shape);
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
  LeakyRelu: leakyRelu,
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
