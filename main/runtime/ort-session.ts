import os from 'node:os';
import * as ort from 'onnxruntime-node';
import { UserError } from '../../shared/errors.ts';
import { chooseProvider, type ProviderName } from './providers.ts';

export type TensorDtype = 'float32' | 'int32' | 'int64' | 'uint8' | 'bool' | 'float16';

/** A tensor as it crosses the border of a session: row-major data, bool as bytes, float16 as raw bits. */
export interface TensorData {
  readonly dtype: TensorDtype;
  readonly dims: readonly number[];
  readonly data: Float32Array | Int32Array | BigInt64Array | Uint8Array | Uint16Array;
}

export interface SessionOptions {
  /** Execution provider by name, or `auto`. Default `cpu`. */
  readonly provider?: string;
  /** Threads within one operator. Default: all cores. Same count, same bits. */
  readonly threads?: number;
}

/** What a session runs on. */
export interface SessionDescription {
  readonly provider: ProviderName;
  /** Why this provider, in words, e.g. "auto took cpu; not available here: cuda, dml". */
  readonly reason: string;
  readonly threads: number;
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
}

/** An ONNX Runtime session in this thread: `run` blocks it. */
export interface OrtSession {
  readonly session: ort.InferenceSession;
  readonly description: SessionDescription;
}

/**
 * Opens a model in this thread.
 *
 * Fixed options: memory pattern off (neutral in time, saves memory), CPU arena on (11-25 % faster), all graph
 * optimisations, one operator after the other. Threads don't spin while they wait: on an idle machine that costs 3 to
 * 12 %, but where the cores are shared, as on a station with a camera and a window, a step takes half the time.
 *
 * @param model bytes of a model, or the path of one
 * @throws UserError for an absent provider or a model ONNX Runtime refuses
 */
export async function openOrtSession(model: Uint8Array | string, options: SessionOptions = {}): Promise<OrtSession> {
  const { provider, reason } = await chooseProvider(options.provider ?? 'cpu');
  const threads = options.threads ?? os.availableParallelism();
  const sessionOptions: ort.InferenceSession.SessionOptions = {
    executionProviders: [provider],
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    graphOptimizationLevel: 'all',
    enableMemPattern: false,
    enableCpuMemArena: true,
    logSeverityLevel: 4,
    extra: { session: { intra_op: { allow_spinning: '0' } } },
  };
  try {
    const session = await (typeof model === 'string'
      ? ort.InferenceSession.create(model, sessionOptions)
      : ort.InferenceSession.create(model, sessionOptions));
    const { inputNames, outputNames } = session;
    return { session, description: { provider, reason, threads, inputNames, outputNames } };
  } catch (error) {
    const what = typeof model === 'string' ? `The model ${model}` : 'The model';
    throw new UserError(
      'modelRefused',
      `${what} can't be opened on the execution provider "${provider}": ${(error as Error).message}.`,
      'Check the model with `twinspect model verify`, or choose another provider.',
      { cause: error },
    );
  }
}

export function toOrtTensor({ dtype, dims, data }: TensorData): ort.Tensor {
  return new ort.Tensor(dtype, data, dims);
}

export function fromOrtTensor(tensor: ort.Tensor): TensorData {
  return { dtype: tensor.type as TensorDtype, dims: tensor.dims, data: tensor.data as TensorData['data'] };
}

/** Runs a session of this thread once; without `fetches`, every output is returned. */
export async function runOrtSession(
  { session }: OrtSession,
  feeds: Readonly<Record<string, TensorData>>,
  fetches?: readonly string[],
): Promise<Record<string, TensorData>> {
  const tensors = Object.fromEntries(Object.entries(feeds).map(([name, data]) => [name, toOrtTensor(data)]));
  const results = await (fetches === undefined ? session.run(tensors) : session.run(tensors, fetches));
  return Object.fromEntries(Object.entries(results).map(([name, value]) => [name, fromOrtTensor(value as ort.Tensor)]));
}
