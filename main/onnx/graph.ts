import { DataFile } from './data-file.ts';
import {
  onnxDtypeBytes,
  tensorBytes,
  writeExternalTensor,
  writeNode,
  writeTensor,
  writeValueInfo,
  type GraphNode,
  type ValueInfo,
} from './graph-writer.ts';
import { ProtoWriter, type LazyBytes } from './protobuf.ts';

/** Element types of ONNX tensors that Twinspect writes. */
export type OnnxDtype = 'float32' | 'int64' | 'int32' | 'bool' | 'uint8' | 'int8' | 'float16';

/** A dimension: a fixed size, or the name of a dynamic one such as `'batch'`. */
export type OnnxDim = number | string;

/** Constant data. Plain number lists are converted; `float16` takes the raw bits as `Uint16Array`. */
export type OnnxData =
  | Float32Array
  | Int32Array
  | Uint8Array
  | Int8Array
  | Uint16Array
  | BigInt64Array
  | readonly number[]
  | readonly bigint[];

/** A node attribute. ONNX tells ints from floats, so each kind is named: `{ int: 1 }`, `{ float: 1e-6 }`. */
export type OnnxAttribute =
  | { int: number | bigint }
  | { ints: readonly (number | bigint)[] }
  | { float: number }
  | { floats: readonly number[] }
  | { string: string }
  | { strings: readonly string[] }
  | { tensor: OnnxTensor }
  | { graph: OnnxGraph };

/** A constant tensor, row-major. */
export interface OnnxTensor {
  dtype: OnnxDtype;
  shape: readonly number[];
  data: OnnxData;
}

/** ONNX operator set written into every model. */
export const onnxOpset = 20;
/** ONNX file format version that belongs to opset 20. */
export const onnxIrVersion = 9;

/** Largest model in one file: protobuf counts in 32-bit integers. */
export const onnxFileLimitBytes = 2 ** 31 - 1;
/** Constants up to this size are merged when they are equal. */
const dedupeLimitBytes = 4096;

/**
 * Builds one ONNX graph (opset 20) node by node. Values are plain strings, as in ONNX itself.
 *
 * @example
 * const graph = new OnnxGraph('double');
 * const x = graph.input('x', 'float32', ['batch', 3]);
 * const [y] = graph.node('Add', [x, x]);
 * graph.output('y', y, 'float32', ['batch', 3]);
 * const bytes = graph.toBytes();
 */
export class OnnxGraph {
  readonly name: string;
  readonly #parent: OnnxGraph | undefined;
  readonly #counter: { next: number };
  readonly #names: Set<string>;
  readonly #nodes: GraphNode[] = [];
  readonly #inputs: ValueInfo[] = [];
  readonly #outputs: (ValueInfo & { value: string })[] = [];
  readonly #initializers = new Map<
    string,
    { dtype: OnnxDtype; shape: readonly number[]; bytes: Uint8Array | LazyBytes }
  >();
  readonly #constants = new Map<string, string>();

  constructor(name = 'main', parent?: OnnxGraph) {
    this.name = name;
    this.#parent = parent;
    this.#counter = parent === undefined ? { next: 0 } : parent.#counter;
    this.#names = parent === undefined ? new Set() : parent.#names;
  }

  /** Starts the body of a control-flow node. It may use this graph's values; names stay unique across both. */
  subgraph(name: string): OnnxGraph {
    return new OnnxGraph(name, this);
  }

  /** A value name that nothing else uses. */
  freshName(prefix = 'v'): string {
    let name;
    do name = `${prefix}${this.#counter.next++}`;
    while (this.#names.has(name));
    this.#names.add(name);
    return name;
  }

  /** Declares a graph input and returns its value. */
  input(name: string, dtype: OnnxDtype, shape: readonly OnnxDim[]): string {
    this.#claim(name);
    this.#inputs.push({ name, dtype, shape: [...shape] });
    return name;
  }

  /**
   * Adds a constant. Without a name, equal small constants share one value. Data of matching type is kept by
   * reference until `toBytes`.
   *
   * @throws Error if the number of elements does not fit the shape
   */
  initializer(name: string | undefined, dtype: OnnxDtype, shape: readonly number[], data: OnnxData): string {
    const bytes = tensorBytes(dtype, data);
    const count = shape.reduce((product, size) => product * size, 1);
    if (data.length !== count) {
      throw new Error(`initializer ${name ?? ''}: ${data.length} elements do not fill [${shape.join(', ')}]`);
    }
    let key: string | undefined;
    if (name === undefined && bytes.length <= dedupeLimitBytes) {
      key = `${dtype}|${shape.join(',')}|${Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1')}`;
      const known = this.#findConstant(key);
      if (known !== undefined) return known;
    }
    if (name !== undefined) this.#claim(name);
    const value = name ?? this.freshName('c');
    this.#initializers.set(value, { dtype, shape: [...shape], bytes });
    if (key !== undefined) this.#constants.set(key, value);
    return value;
  }

  /**
   * Adds a constant whose data are made only when the model is written, one constant at a time; such a model is written
   * with {@link chunks} or {@link external}.
   *
   * @param load gives the little-endian bytes, as many as dtype and shape say
   */
  lazyInitializer(
    name: string | undefined,
    dtype: OnnxDtype,
    shape: readonly number[],
    load: () => Promise<Uint8Array>,
  ): string {
    if (name !== undefined) this.#claim(name);
    const value = name ?? this.freshName('c');
    const length = shape.reduce((product, size) => product * size, onnxDtypeBytes[dtype]);
    this.#initializers.set(value, { dtype, shape: [...shape], bytes: { length, load } });
    return value;
  }

  /** An int64 list constant `[n]`: shapes, axes, pads. */
  ints(values: readonly number[]): string {
    return this.initializer(undefined, 'int64', [values.length], values);
  }

  /** A float32 scalar constant. */
  scalar(value: number): string {
    return this.initializer(undefined, 'float32', [], [value]);
  }

  /**
   * Adds a node and returns its outputs. An empty string stands for an input that is left out.
   *
   * @param outputs number of outputs, or their names
   */
  node(
    op: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, OnnxAttribute>> = {},
    outputs: number | readonly string[] = 1,
  ): [string, ...string[]] {
    const names = typeof outputs === 'number' ? Array.from({ length: outputs }, () => this.freshName()) : [...outputs];
    if (typeof outputs !== 'number') for (const name of outputs) if (name !== '') this.#claim(name);
    this.#nodes.push({ op, inputs: [...inputs], outputs: names, attributes });
    const [first, ...rest] = names;
    if (first === undefined) throw new Error(`node ${op} without outputs`);
    return [first, ...rest];
  }

  /**
   * Binds a value to a graph output. The value is renamed to the output's name where it is made; an `Identity` is
   * added only where renaming cannot work (an input, a constant, or a value bound to two outputs).
   */
  output(name: string, value: string, dtype: OnnxDtype, shape: readonly OnnxDim[]): void {
    if (this.#outputs.some((output) => output.name === name)) throw new Error(`output ${name} is there twice`);
    this.#outputs.push({ name, value, dtype, shape: [...shape] });
  }

  /** Number of nodes recorded so far, dead ones included. */
  get nodeCount(): number {
    return this.#nodes.length;
  }

  /** The whole model as bytes. Nodes and constants that no output needs are left out. */
  toBytes(): Uint8Array {
    return this.#model().finish();
  }

  /** Size of the model in one file, in bytes. */
  get fileBytes(): number {
    return this.#model().length;
  }

  /**
   * The same as {@link toBytes} in pieces, for models too large to be held in memory.
   *
   * @throws Error for a model larger than {@link onnxFileLimitBytes}
   */
  chunks(): AsyncGenerator<Uint8Array> {
    const model = this.#model();
    if (model.length > onnxFileLimitBytes) throw new Error(`a model of ${model.length} bytes needs a data file`);
    return model.chunks();
  }

  /**
   * The model with its large constants in a data file beside it.
   *
   * @param location name of the data file, as the model refers to it
   */
  external(location: string): { model: Uint8Array; data: AsyncGenerator<Uint8Array>; dataBytes: number } {
    const file = new DataFile(location);
    const model = this.#model((bytes) => file.place(bytes)).finish();
    return { model, data: file.content(), dataBytes: file.bytes };
  }

  #model(place?: DataFile['place']): ProtoWriter {
    const model = new ProtoWriter();
    model.int(1, onnxIrVersion);
    model.string(2, 'twinspect');
    model.message(7, this.#write(new Map(), place));
    const opset = new ProtoWriter();
    opset.string(1, '');
    opset.int(2, onnxOpset);
    model.message(8, opset);
    return model;
  }

  #claim(name: string): void {
    if (this.#names.has(name)) throw new Error(`value name ${name} is taken`);
    this.#names.add(name);
  }

  #findConstant(key: string): string | undefined {
    const known = this.#constants.get(key);
    return known ?? (this.#parent === undefined ? undefined : this.#parent.#findConstant(key));
  }

  /** Live nodes in order, and every value they or the outputs use. */
  #live(): { nodes: GraphNode[]; used: Set<string> } {
    const used = new Set(this.#outputs.map((output) => output.value));
    const nodes: GraphNode[] = [];
    for (let i = this.#nodes.length - 1; i >= 0; i--) {
      const node = this.#nodes[i]!;
      if (!node.outputs.some((output) => used.has(output))) continue;
      nodes.push(node);
      for (const input of node.inputs) used.add(input);
      for (const attribute of Object.values(node.attributes)) {
        if ('graph' in attribute) for (const value of attribute.graph.#live().used) used.add(value);
      }
    }
    return { nodes: nodes.reverse(), used };
  }

  #write(outerNames: ReadonlyMap<string, string>, place?: DataFile['place']): ProtoWriter {
    const { nodes, used } = this.#live();
    const made = new Set(nodes.flatMap((node) => node.outputs));
    const renamed = new Map(outerNames);
    const identities: GraphNode[] = [];
    for (const { name, value } of this.#outputs) {
      if (value === name) continue;
      const nameIsFree = !used.has(name) && !made.has(name);
      if (!nameIsFree) throw new Error(`output name ${name} is also the name of another value`);
      if (made.has(value) && !renamed.has(value) && !this.#outputs.some((output) => output.name === value)) {
        renamed.set(value, name);
      } else {
        identities.push({ op: 'Identity', inputs: [value], outputs: [name], attributes: {} });
      }
    }
    const writer = new ProtoWriter();
    for (const node of [...nodes, ...identities]) writer.message(1, writeNode(node, renamed));
    writer.string(2, this.name);
    for (const [name, tensor] of this.#initializers) {
      if (!used.has(name)) continue;
      const { dtype, shape, bytes } = tensor;
      const elsewhere = place?.(bytes);
      writer.message(
        5,
        elsewhere === undefined
          ? writeTensor(name, dtype, shape, bytes)
          : writeExternalTensor(name, dtype, shape, { ...elsewhere, length: bytes.length }),
      );
    }
    for (const info of this.#inputs) writer.message(11, writeValueInfo(info));
    for (const info of this.#outputs) writer.message(12, writeValueInfo(info));
    return writer;
  }

  /** This graph as the body of a node of another graph, with the outer graph's renamed values. */
  body(outerNames: ReadonlyMap<string, string>): ProtoWriter {
    return this.#write(outerNames);
  }
}
