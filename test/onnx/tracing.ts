import * as ort from 'onnxruntime-node';
import '@tensorflow/tfjs-backend-cpu';
import { OnnxGraph, type OnnxDim } from '../../main/onnx/graph.ts';
import { traceInto } from '../../main/onnx/tracing-backend.ts';
import { tf, type Tensor } from '../../main/nn/tf.ts';

export interface TestInput {
  shape: number[];
  dtype?: 'float32' | 'int32' | 'bool';
  data: number[];
}

export type TensorFunction = (...tensors: Tensor[]) => Tensor[];

export interface TestOutput {
  shape: number[];
  data: number[];
}

/** Reproducible numbers in `low .. high`. */
export function numbers(seed: number, count: number, low = -1, high = 1): number[] {
  let state = (seed * 2654435761 + 1) >>> 0;
  return Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return low + ((high - low) * state) / 2 ** 32;
  });
}

export function onCpu(
  fn: TensorFunction,
  inputs: readonly TestInput[],
): { outputs: TestOutput[]; kernels: Set<string> } {
  void tf.setBackend('cpu');
  const kernels = new Set<string>();
  const engine = tf.engine();
  const original = engine.runKernel.bind(engine);
  engine.runKernel = (name, ...rest) => {
    kernels.add(name);
    return original(name, ...rest);
  };
  try {
    const outputs = tf.tidy(() => {
      const tensors = inputs.map(({ data, shape, dtype }) => tf.tensor(data, shape, dtype ?? 'float32'));
      return fn(...tensors).map(
        (tensor) => ({ shape: tensor.shape, data: Array.from(tensor.dataSync()) as number[] }) as never,
      );
    }) as unknown as TestOutput[];
    return { outputs, kernels };
  } finally {
    Reflect.deleteProperty(engine, 'runKernel');
  }
}

/** Traces `fn` for `inputs`; with a sentinel, the first dimension of every input that has one is dynamic. */
export function traced(fn: TensorFunction, inputs: readonly TestInput[], batch?: number): OnnxGraph {
  const graph = new OnnxGraph();
  const declared = inputs.map(({ shape, dtype = 'float32' }, i) => {
    const dims: OnnxDim[] = shape.map((size) => (batch !== undefined && size === batch ? 'batch' : size));
    return { value: graph.input(`x${i}`, dtype, dims), shape, dtype };
  });
  const outputs = traceInto(graph, declared, fn, batch === undefined ? {} : { batch });
  outputs.forEach(({ value, shape, dtype }, i) => {
    const dims: OnnxDim[] = shape.map((size, axis) =>
      batch !== undefined && size % batch === 0 ? `out${i}_${axis}` : size,
    );
    graph.output(`y${i}`, value, dtype, dims);
  });
  return graph;
}

export async function onOrt(graph: OnnxGraph, inputs: readonly TestInput[]): Promise<TestOutput[]> {
  const session = await ort.InferenceSession.create(graph.toBytes(), { intraOpNumThreads: 1, logSeverityLevel: 3 });
  const feeds: Record<string, ort.Tensor> = {};
  inputs.forEach(({ data, shape, dtype = 'float32' }, i) => {
    if (!session.inputNames.includes(`x${i}`)) return;
    const typed =
      dtype === 'float32' ? Float32Array.from(data) : dtype === 'int32' ? Int32Array.from(data) : Uint8Array.from(data);
    feeds[`x${i}`] = new ort.Tensor(dtype, typed, shape);
  });
  const results = await session.run(feeds);
  await session.release();
  return session.outputNames.map((name) => {
    const tensor = results[name]!;
    return { shape: [...tensor.dims], data: Array.from(tensor.data as Float32Array, Number) };
  });
}

/** Largest difference, relative to the size of the numbers where they are above one. */
export function largestDifference(a: readonly number[], b: readonly number[]): number {
  let worst = 0;
  a.forEach((value, i) => {
    const other = b[i]!;
    if (Object.is(value, other) || value === other || (Number.isNaN(value) && Number.isNaN(other))) return;
    const difference = Math.abs(value - other) / Math.max(1, Math.abs(value), Math.abs(other));
    worst = Math.max(worst, Number.isNaN(difference) ? Infinity : difference);
  });
  return worst;
}
