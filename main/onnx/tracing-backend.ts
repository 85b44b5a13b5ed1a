import type { Tensor } from '@tensorflow/tfjs-core';
import type { OnnxGraph } from './graph.ts';
import { KernelAttributes, type Kernel, type KernelCall } from './kernel.ts';
import { elementwiseKernels } from './kernels-elementwise.ts';
import { imageKernels } from './kernels-image.ts';
import { matMulKernels } from './kernels-matmul.ts';
import { reduceKernels } from './kernels-reduce.ts';
import { shapeKernels } from './kernels-shape.ts';
import { tf } from './tf.ts';
import { sizeOf, Trace, type ConstantData, type Lazy, type TfDtype } from './trace.ts';

/** A graph value that enters a traced function. */
export interface TraceInput {
  readonly value: string;
  readonly shape: readonly number[];
  readonly dtype: TfDtype;
}

/** A graph value that a traced function returned. */
export interface TraceOutput {
  readonly value: string;
  readonly shape: number[];
  readonly dtype: TfDtype;
}

export interface TraceOptions {
  /**
   * Sentinel for a dynamic batch, best a large prime such as 251: inputs are given this size, and every dimension
   * that is a multiple of it becomes that multiple of the real batch. Numbers computed in JavaScript from such a
   * size (a mean as `sum / n`) would be frozen: use the operations that know their size at run time.
   */
  readonly batch?: number;
  /** Normalisations over the last axis become LayerNormalization nodes: for graphs without gradients. */
  readonly fuseNorms?: boolean;
}

export const tracingBackendName = 'onnxTracing';

/** Every TensorFlow.js kernel that can be traced. */
export const tracedKernels: Readonly<Record<string, Kernel>> = {
  ...elementwiseKernels,
  ...reduceKernels,
  ...shapeKernels,
  ...matMulKernels,
  ...imageKernels,
};

/** A TensorFlow.js backend that computes nothing: its tensors are values of the graph that is being traced. */
class TracingBackend extends tf.KernelBackend {
  readonly #tensors = new tf.DataStorage<Lazy>(this, tf.engine());
  current: Trace | undefined;

  lazy(dataId: object): Lazy {
    return this.#tensors.get(dataId);
  }

  store(tensor: Lazy): { dataId: object; shape: number[]; dtype: TfDtype } {
    const dataId = {};
    this.#tensors.set(dataId, tensor);
    return { dataId, shape: [...tensor.shape], dtype: tensor.dtype };
  }

  override write(values: tf.BackendValues | null, shape: number[], dtype: tf.DataType): object {
    return this.store(constantTensor(values, shape, dtype)).dataId;
  }

  override move(dataId: object, values: tf.BackendValues, shape: number[], dtype: tf.DataType): void {
    this.#tensors.set(dataId, constantTensor(values, shape, dtype));
  }

  override readSync(dataId: object): tf.BackendValues {
    const { source, shape, dtype } = this.lazy(dataId);
    if (source.kind === 'recorded') {
      throw new Error('a traced tensor has no numbers yet: its value must not be read while tracing');
    }
    if (source.kind === 'constant') return source.data;
    const size = sizeOf(shape);
    if (dtype === 'float32') return new Float32Array(size).fill(source.number);
    return dtype === 'int32' ? new Int32Array(size).fill(source.number) : new Uint8Array(size).fill(source.number);
  }

  override read(dataId: object): Promise<tf.BackendValues> {
    return Promise.resolve(this.readSync(dataId));
  }

  override disposeData(dataId: object): boolean {
    this.#tensors.delete(dataId);
    return true;
  }

  override incRef(): void {
    // Every kernel result has a record of its own, so nothing is counted.
  }

  override refCount(): number {
    return 1;
  }

  override numDataIds(): number {
    return this.#tensors.numDataIds();
  }

  override memory(): { unreliable: boolean } {
    return { unreliable: true };
  }

  override floatPrecision(): 32 {
    return 32;
  }

  override epsilon(): number {
    return 1e-7;
  }

  override dispose(): void {
    this.current = undefined;
  }
}

/** Constants from JavaScript. Equal numbers throughout become one lazy number instead of an array. */
function constantTensor(values: tf.BackendValues | null, shape: readonly number[], dtype: tf.DataType): Lazy {
  if (dtype !== 'float32' && dtype !== 'int32' && dtype !== 'bool') {
    throw new Error(`${dtype} tensors cannot be traced`);
  }
  if (values === null) return { shape, dtype, source: { kind: 'uniform', number: 0 } };
  const numbers = values as ArrayLike<number>;
  const first = Number(numbers[0] ?? 0);
  let isUniform = true;
  for (let i = 1; i < numbers.length && isUniform; i++) isUniform = Number(numbers[i]) === first;
  if (isUniform) {
    const number = dtype === 'float32' ? Math.fround(first) : first;
    return { shape, dtype, source: { kind: 'uniform', number } };
  }
  return { shape, dtype, source: { kind: 'constant', data: typedData(values as ConstantData | number[], dtype) } };
}

function typedData(values: ConstantData | number[], dtype: TfDtype): ConstantData {
  if (dtype === 'float32') return values instanceof Float32Array ? values : Float32Array.from(values);
  if (dtype === 'int32') return values instanceof Int32Array ? values : Int32Array.from(values);
  return values instanceof Uint8Array ? values : Uint8Array.from(values, Number);
}

function kernelFunction(name: string, kernel: Kernel): tf.KernelFunc {
  return ({ inputs, backend, attrs }) => {
    const tracing = backend as TracingBackend;
    const trace = tracing.current;
    if (trace === undefined) throw new Error(`${name} was called on the tracing backend outside a trace`);
    const lazy = (info: tf.TensorInfo): Lazy => ({
      ...tracing.lazy(info.dataId),
      shape: info.shape,
      dtype: info.dtype as TfDtype,
    });
    const call: KernelCall = {
      trace,
      list: Array.isArray(inputs) ? (inputs as tf.TensorInfo[]).map(lazy) : [],
      input: (key) => {
        const info = inputs[key];
        if (info === undefined) throw new Error(`${name} lacks its input ${key}`);
        return lazy(info);
      },
      optional: (key) => {
        const info = inputs[key];
        return info === undefined || info === null ? undefined : lazy(info);
      },
      attrs: new KernelAttributes(attrs ?? {}),
    };
    const result = kernel(call);
    return Array.isArray(result) ? result.map((tensor) => tracing.store(tensor)) : tracing.store(result);
  };
}

let tracingBackend: TracingBackend | undefined;

function theTracingBackend(): TracingBackend {
  if (tracingBackend !== undefined) return tracingBackend;
  const backend = new TracingBackend();
  tf.registerBackend(tracingBackendName, () => backend, 0);
  for (const [kernelName, kernel] of Object.entries(tracedKernels)) {
    tf.registerKernel({
      kernelName,
      backendName: tracingBackendName,
      kernelFunc: kernelFunction(kernelName, kernel),
    });
  }
  // TensorFlow.js sums a tile's gradient slice by slice, one node per repetition; this is one sum for all.
  tf.unregisterGradient('Tile');
  tf.registerGradient({ kernelName: 'Tile', inputsToSave: ['x'], gradFunc: tileGradient });
  tracingBackend = backend;
  return backend;
}

function tileGradient(dy: Tensor | Tensor[], saved: Tensor[], attrs: tf.NamedAttrMap): { x: () => Tensor } {
  const x = saved[0]!;
  const reps = attrs['reps'] as number[];
  const gradient = dy as Tensor;
  return {
    x: () => {
      const split = x.shape.flatMap((size, axis) => [reps[axis]!, size]);
      const repeated = [...x.shape.keys()].map((axis) => 2 * axis);
      return tf.reshape(tf.sum(tf.reshape(gradient, split), repeated), x.shape);
    },
  };
}

/**
 * Runs `fn` with tensors that record instead of computing, and writes what it does into `graph`. Gradients inside
 * `fn` (`tf.grads`, `tf.valueAndGrads`) are traced like everything else.
 *
 * Random numbers, branches and numbers read in JavaScript are frozen into the graph: whatever changes from run to
 * run must be an input.
 *
 * @param inputs graph values, one tensor for `fn` each
 * @returns graph values of the tensors that `fn` returned; bind them with `graph.output`
 * @throws Error for an operation that cannot be traced, for reading a traced tensor, and for constants that would
 *   freeze the dynamic batch
 */
export function traceInto(
  graph: OnnxGraph,
  inputs: readonly TraceInput[],
  fn: (...tensors: Tensor[]) => Tensor[],
  options: TraceOptions = {},
): TraceOutput[] {
  const backend = theTracingBackend();
  if (backend.current !== undefined) throw new Error('one trace cannot start inside another');
  const engine = tf.engine();
  const previous: string | undefined = engine.backendName;
  const trace = new Trace(graph, options.batch, options.fuseNorms);
  // Synchronous, as the backend is: the promise only reports what has already happened.
  void tf.setBackend(tracingBackendName);
  backend.current = trace;
  engine.startScope('trace');
  try {
    const tensors = inputs.map(({ value, shape, dtype }) =>
      engine.makeTensorFromTensorInfo(backend.store(trace.input(value, shape, dtype))),
    );
    return fn(...tensors).map((tensor) => {
      const dtype = tensor.dtype as TfDtype;
      const lazy: Lazy = { ...backend.lazy(tensor.dataId), shape: tensor.shape, dtype };
      return { value: trace.exact(lazy), shape: tensor.shape, dtype };
    });
  } finally {
    engine.endScope();
    backend.current = undefined;
    if (typeof previous === 'string') void tf.setBackend(previous);
  }
}
