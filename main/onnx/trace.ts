import type { OnnxAttribute, OnnxDtype, OnnxGraph } from './graph.ts';

/** Element types of TensorFlow.js tensors that can be traced. */
export type TfDtype = 'float32' | 'int32' | 'bool';

/** Constant data as TensorFlow.js holds it: bool as bytes. */
export type ConstantData = Float32Array | Int32Array | Uint8Array;

/**
 * A tensor while it is traced. Uniform constants and broadcasts stay lazy: `recorded.shape` is the shape the value
 * really has in the graph, and it broadcasts to `shape`.
 */
export interface Lazy {
  readonly shape: readonly number[];
  readonly dtype: TfDtype;
  readonly source:
    | { readonly kind: 'uniform'; readonly number: number }
    | { readonly kind: 'constant'; readonly data: ConstantData }
    | { readonly kind: 'recorded'; readonly trace: Trace; readonly value: string; readonly shape: readonly number[] };
}

/** A value in the graph with the shape it has there. */
export interface Recorded {
  readonly value: string;
  readonly shape: readonly number[];
}

/** `axis` counted from the front. */
export function positiveAxis(axis: number, rank: number): number {
  return axis < 0 ? axis + rank : axis;
}

/** Number of elements of a shape. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

export function sameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((size, i) => size === b[i]);
}

/** `shape` with leading ones up to `rank`. */
export function padShape(shape: readonly number[], rank: number): number[] {
  return [...new Array<number>(rank - shape.length).fill(1), ...shape];
}

/** NumPy broadcasting of two shapes. */
export function broadcastShape(a: readonly number[], b: readonly number[]): number[] {
  const rank = Math.max(a.length, b.length);
  const left = padShape(a, rank);
  const right = padShape(b, rank);
  return left.map((size, i) => {
    const other = right[i]!;
    if (size !== other && size !== 1 && other !== 1) {
      throw new Error(`shapes [${a.join(', ')}] and [${b.join(', ')}] do not broadcast`);
    }
    return size === 1 ? other : size;
  });
}

/** A product of two matrices that Gemm can compute together with a bias. */
export interface MatrixProduct {
  readonly a: string;
  readonly b: string;
  readonly transA: boolean;
  readonly transB: boolean;
}

/** Rows taken out of a constant. */
export interface ConstantRows {
  readonly constant: Lazy & { readonly source: { readonly kind: 'constant' } };
  readonly indices: string;
  readonly axis: number;
}

/** What one trace knows: the graph it writes to, which values are views of others, and the dynamic batch. */
export class Trace {
  readonly graph: OnnxGraph;
  /** Whether normalisations become one node each: for graphs without gradients. */
  readonly fusesNorms: boolean;
  readonly #batch: number | undefined;
  #batchSource: { value: string; axis: number } | undefined;
  readonly #known = new Map<string, [string, ...string[]]>();
  readonly #made = new Map<string, { readonly op: string; readonly inputs: readonly string[] }>();
  readonly #numbers = new Map<string, number>();
  readonly #constants = new Map<ConstantData, Map<string, string>>();
  readonly #transposes = new Map<string, { of: Recorded; perm: readonly number[] }>();
  readonly #reshapes = new Map<string, Recorded>();
  readonly #scaled = new Map<string, { of: Recorded; by: number }>();
  readonly #negated = new Map<string, Recorded>();
  readonly #products = new Map<string, MatrixProduct>();
  readonly #rounded = new Map<string, string>();
  readonly #constantRows = new Map<string, ConstantRows>();

  /** @param batch sentinel: any dimension that is a multiple of it stands for that multiple of the dynamic batch */
  constructor(graph: OnnxGraph, batch: number | undefined, fusesNorms = false) {
    this.graph = graph;
    this.fusesNorms = fusesNorms;
    this.#batch = batch;
  }

  /** Wraps a graph value. Values that carry the batch alone in one dimension also tell its size at run time. */
  input(value: string, shape: readonly number[], dtype: TfDtype): Lazy {
    const axis = shape.findIndex((size) => size === this.#batch);
    if (axis >= 0) this.#batchSource ??= { value, axis };
    return this.recorded(value, shape, dtype);
  }

  /** A traced tensor whose value has exactly its own shape, or (`broadcastTo`) broadcasts lazily to it. */
  recorded(value: string, shape: readonly number[], dtype: TfDtype, broadcastTo = shape): Lazy {
    return { shape: broadcastTo, dtype, source: { kind: 'recorded', trace: this, value, shape } };
  }

  uniform(number: number, shape: readonly number[], dtype: TfDtype): Lazy {
    return { shape, dtype, source: { kind: 'uniform', number } };
  }

  /** Whether a dimension depends on the dynamic batch. */
  isDynamic(size: number): boolean {
    return this.#batch !== undefined && size > 0 && size % this.#batch === 0;
  }

  /** Adds a node, or returns the outputs of an equal one that is already there. */
  emit(
    op: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, OnnxAttribute>> = {},
    outputs = 1,
  ): [string, ...string[]] {
    const key = `${op}|${inputs.join()}|${JSON.stringify(attributes)}|${outputs}`;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const made = this.graph.node(op, inputs, attributes, outputs);
    this.#known.set(key, made);
    for (const output of made) this.#made.set(output, { op, inputs });
    return made;
  }

  /** The node that a value came from, if it was traced. */
  madeBy(value: string): { readonly op: string; readonly inputs: readonly string[] } | undefined {
    return this.#made.get(value);
  }

  /** The number that a value stands for, if it is one throughout. */
  numberOf(value: string): number | undefined {
    return this.#numbers.get(value);
  }

  /** The tensor as a graph value that broadcasts to its shape: the cheapest form for elementwise nodes. */
  loose(tensor: Lazy): Recorded {
    const { source } = tensor;
    if (source.kind === 'uniform') {
      const value = this.graph.initializer(undefined, tensor.dtype, [], [source.number]);
      this.#numbers.set(value, source.number);
      return { value, shape: [] };
    }
    if (source.kind === 'constant') return { value: this.#constant(tensor, source.data), shape: tensor.shape };
    if (source.trace !== this) throw new Error('a tensor of another trace was used; return it from that trace instead');
    return source;
  }

  /** The tensor as a graph value of exactly its own shape. */
  exact(tensor: Lazy): string {
    const { value, shape } = this.loose(tensor);
    if (sameShape(shape, tensor.shape)) return value;
    if (sizeOf(shape) === sizeOf(tensor.shape)) return this.reshapeValue({ value, shape }, tensor.shape);
    return this.emit('Expand', [value, this.shapeValue(tensor.shape)])[0];
  }

  /** The tensor's value with the rank of its shape, ones where it broadcasts. */
  ranked(tensor: Lazy): Recorded {
    const loose = this.loose(tensor);
    const shape = padShape(loose.shape, tensor.shape.length);
    return { value: this.reshapeValue(loose, shape), shape };
  }

  /** A shape as an int64 value; dynamic dimensions are computed from an input's shape at run time. */
  shapeValue(shape: readonly number[]): string {
    if (!shape.some((size) => this.isDynamic(size))) return this.graph.ints(shape);
    const parts: string[] = [];
    let fixed: number[] = [];
    for (const size of shape) {
      if (!this.isDynamic(size)) {
        fixed.push(size);
        continue;
      }
      if (fixed.length > 0) parts.push(this.graph.ints(fixed));
      fixed = [];
      parts.push(this.#batchTimes(size / this.#batch!));
    }
    if (fixed.length > 0) parts.push(this.graph.ints(fixed));
    return parts.length === 1 ? parts[0]! : this.emit('Concat', parts, { axis: { int: 0 } })[0];
  }

  /** Throws if the size depends on the batch, which must then not become a constant of the graph. */
  assertStatic(sizes: readonly number[], what: string): void {
    if (sizes.some((size) => this.isDynamic(size))) {
      throw new Error(
        `${what} depends on the batch (sentinel ${this.#batch}): [${sizes.join(', ')}] would be frozen into the graph`,
      );
    }
  }

  /** Reshapes a graph value, looking through reshapes that came before. */
  reshapeValue(from: Recorded, shape: readonly number[]): string {
    if (sameShape(from.shape, shape)) return from.value;
    const base = this.#reshapes.get(from.value) ?? from;
    if (sameShape(base.shape, shape)) return base.value;
    const dynamic = shape.filter((size) => this.isDynamic(size)).length;
    const target =
      dynamic === 1 ? this.graph.ints(shape.map((size) => (this.isDynamic(size) ? -1 : size))) : this.shapeValue(shape);
    const [value] = this.emit('Reshape', [base.value, target]);
    this.#reshapes.set(value, base);
    return value;
  }

  reshape(tensor: Lazy, shape: readonly number[]): Lazy {
    const { source } = tensor;
    if (sameShape(tensor.shape, shape)) return tensor;
    if (source.kind !== 'recorded') return { ...tensor, shape };
    const squeezed = sameShape(source.shape, tensor.shape) ? undefined : this.#reshapeOnes(tensor, shape);
    if (squeezed !== undefined) return squeezed;
    const from = { value: this.exact(tensor), shape: tensor.shape };
    return this.recorded(this.reshapeValue(from, shape), shape, tensor.dtype);
  }

  transpose(tensor: Lazy, perm: readonly number[]): Lazy {
    const shape = perm.map((axis) => tensor.shape[axis]!);
    if (perm.every((axis, i) => axis === i)) return tensor;
    if (tensor.source.kind === 'uniform') return { ...tensor, shape };
    const from = this.ranked(tensor);
    const actual = perm.map((axis) => from.shape[axis]!);
    return this.recorded(this.#transposeValue(from, perm, actual), actual, tensor.dtype, shape);
  }

  /** What a value is the transpose of, if it is one. */
  transposeOf(value: string): { of: Recorded; perm: readonly number[] } | undefined {
    return this.#transposes.get(value);
  }

  /** What a value is a reshape of, if it is one. */
  reshapeOf(value: string): Recorded | undefined {
    return this.#reshapes.get(value);
  }

  /** `tensor * factor`, with chains of factors merged. */
  scale(tensor: Lazy, factor: number): Lazy {
    if (factor === 1) return tensor;
    if (tensor.source.kind === 'uniform') {
      return this.uniform(Math.fround(tensor.source.number * factor), tensor.shape, tensor.dtype);
    }
    const loose = this.loose(tensor);
    const { of, by } = this.#scaled.get(loose.value) ?? { of: loose, by: 1 };
    const total = Math.fround(by * factor);
    if (total === 1) return this.recorded(of.value, of.shape, tensor.dtype, tensor.shape);
    const value =
      total === -1
        ? this.emit('Neg', [of.value])[0]
        : this.emit('Mul', [of.value, this.graph.initializer(undefined, tensor.dtype, [], [total])])[0];
    if (total === -1) this.#negated.set(value, of);
    this.#scaled.set(value, { of, by: total });
    return this.recorded(value, of.shape, tensor.dtype, tensor.shape);
  }

  /** What a value is the negative of, if it is one. */
  negativeOf(value: string): Recorded | undefined {
    return this.#negated.get(value);
  }

  /** Remembers that a value is a product to which a bias may still be added. */
  noteProduct(value: string, product: MatrixProduct): void {
    this.#products.set(value, product);
  }

  /** How a value was made, if it is a product of two matrices. */
  productOf(value: string): MatrixProduct | undefined {
    return this.#products.get(value);
  }

  /** Remembers which float value an integer value was made from. */
  noteRounded(value: string, float: string): void {
    this.#rounded.set(value, float);
  }

  roundedFrom(value: string): string | undefined {
    return this.#rounded.get(value);
  }

  /** Remembers that a value is rows of a constant. */
  noteConstantRows(value: string, rows: ConstantRows): void {
    this.#constantRows.set(value, rows);
  }

  constantRowsOf(value: string): ConstantRows | undefined {
    return this.#constantRows.get(value);
  }

  #batchTimes(factor: number): string {
    if (this.#batchSource === undefined) {
      throw new Error('the size of the dynamic batch is needed, but no input has it alone in one dimension');
    }
    const { value, axis } = this.#batchSource;
    const [batch] = this.emit('Shape', [value], { start: { int: axis }, end: { int: axis + 1 } });
    return factor === 1 ? batch : this.emit('Mul', [batch, this.graph.ints([factor])])[0];
  }

  #constant(tensor: Lazy, data: ConstantData): string {
    this.assertStatic(tensor.shape, 'a constant');
    const byShape = this.#constants.get(data) ?? new Map<string, string>();
    this.#constants.set(data, byShape);
    const key = `${tensor.dtype}|${tensor.shape.join()}`;
    const known = byShape.get(key);
    if (known !== undefined) return known;
    const dtype: OnnxDtype = tensor.dtype;
    const value = this.graph.initializer(undefined, dtype, tensor.shape, data);
    byShape.set(key, value);
    return value;
  }

  #transposeValue(from: Recorded, perm: readonly number[], shape: readonly number[]): string {
    const moved = perm.filter((axis) => from.shape[axis] !== 1);
    if (moved.every((axis, i) => i === 0 || axis > moved[i - 1]!)) return this.reshapeValue(from, shape);
    const earlier = this.#transposes.get(from.value);
    if (earlier !== undefined) {
      return this.#transposeValueOnce(
        earlier.of,
        perm.map((axis) => earlier.perm[axis]!),
      );
    }
    return this.#transposeValueOnce(from, perm);
  }

  #transposeValueOnce(from: Recorded, perm: readonly number[]): string {
    if (perm.every((axis, i) => axis === i)) return from.value;
    const [value] = this.emit('Transpose', [from.value], { perm: { ints: perm } });
    this.#transposes.set(value, { of: from, perm });
    return value;
  }

  /** Keeps a broadcast lazy through a reshape that only adds or removes dimensions of size one. */
  #reshapeOnes(tensor: Lazy, shape: readonly number[]): Lazy | undefined {
    const big = (sizes: readonly number[]): number[] => sizes.filter((size) => size !== 1);
    if (!sameShape(big(tensor.shape), big(shape))) return undefined;
    const from = this.ranked(tensor);
    const kept = from.shape.filter((_, axis) => tensor.shape[axis] !== 1);
    let next = 0;
    const actual = shape.map((size) => (size === 1 ? 1 : kept[next++]!));
    return this.recorded(this.reshapeValue(from, actual), actual, tensor.dtype, shape);
  }
}
