import { createRequire } from 'node:module';
import type { Tensor } from '@tensorflow/tfjs-core';
import { UserError } from '../../shared/errors.ts';
import { tf } from '../nn/tf.ts';
import {
  checkState,
  elementCount,
  type EngineDescription,
  type EngineStep,
  type StepInputs,
  type TrainingEngine,
} from './training-engine.ts';

/**
 * Who computes: TensorFlow's own library with CUDA or without, if a person has installed it, or plain JavaScript
 * (slow: for parity tests).
 */
export type TfjsBackend = 'tfjs-node-gpu' | 'tfjs-node' | 'cpu';

export interface TfjsEngineOptions {
  readonly backend?: TfjsBackend;
}

/** The version both TensorFlow.js packages must have: they share one engine. */
const expectedVersion = '4.22.0';

interface LoadedBackend {
  readonly name: string;
  readonly engine: string;
  readonly provider: string;
  readonly reason: string;
}

async function loadBackend(backend: TfjsBackend): Promise<LoadedBackend> {
  if (backend === 'cpu') {
    await import('@tensorflow/tfjs-backend-cpu');
    return {
      name: 'cpu',
      engine: `tfjs ${tf.version_core}`,
      provider: 'cpu',
      reason: 'plain JavaScript was asked for',
    };
  }
  const version = await loadNative(`@tensorflow/${backend}`);
  const provider = backend === 'tfjs-node-gpu' ? 'cuda' : 'cpu';
  return { name: 'tensorflow', engine: `${backend} ${version}`, provider, reason: `${backend} was asked for` };
}

/** Loads a native TensorFlow.js package, which registers its backend with the engine all versions share. */
async function loadNative(name: string): Promise<string> {
  const require = createRequire(import.meta.url);
  let version: string;
  try {
    ({ version } = require(`${name}/package.json`) as { version: string });
  } catch (error) {
    throw new UserError(
      'tfjsNodeAbsent',
      `The training engine ${name} is not installed.`,
      `Install it with \`npm install ${name}@${expectedVersion}\` (it downloads TensorFlow and needs Node 20 or 22` +
        `${name.endsWith('gpu') ? ', and CUDA 11 with cuDNN 8' : ''}), or leave \`--engine\` out to train with ONNX Runtime.`,
      { cause: error },
    );
  }
  if (version !== expectedVersion) {
    throw new UserError(
      'tfjsNodeVersion',
      `${name} ${version} is installed, but Twinspect is made for ${expectedVersion}.`,
      `Install the right one with \`npm install ${name}@${expectedVersion}\`.`,
    );
  }
  try {
    require(name);
  } catch (error) {
    throw new UserError(
      'tfjsNodeBroken',
      `${name} ${version} is installed but can't be loaded: ${(error as Error).message}.`,
      'Its native library must fit this Node version and, for the GPU, the CUDA libraries; reinstall it, or leave `--engine` out.',
      { cause: error },
    );
  }
  return version;
}

/**
 * Runs a training step eagerly with TensorFlow.js, operation by operation.
 *
 * @param initial a number for every element of the step's state, by name
 * @throws UserError when the native package asked for is absent, of another version, or can't be loaded
 */
export async function openTfjsEngine(
  step: EngineStep,
  initial: ReadonlyMap<string, Float32Array>,
  options: TfjsEngineOptions = {},
): Promise<TrainingEngine> {
  checkState(step.state, initial);
  const { name: backendName, ...loaded } = await loadBackend(options.backend ?? 'cpu');
  const description: EngineDescription = { ...loaded, threads: 1, mode: 'stepwise', stepsPerRun: 1 };
  let state: Tensor[] = [];

  const replaceState = (values: ReadonlyMap<string, Float32Array>): void => {
    tf.dispose(state);
    state = step.state.map(({ name, shape }) => tf.tensor(values.get(name)!.slice(), [...shape]));
  };

  const runStep = (inputs: StepInputs): Record<string, number> => {
    const result = tf.tidy(() => {
      const tensors = Object.fromEntries(
        step.inputs.map(({ name, shape }) => [name, inputTensor(name, shape, inputs[name])]),
      );
      const { state: next, outputs } = step.apply(state, tensors);
      return { next: next.map((tensor) => tensor.clone()), outputs } as unknown as tf.TensorContainer;
    }) as unknown as { next: Tensor[]; outputs: Record<string, Tensor> };
    tf.dispose(state);
    state = result.next;
    const scalars = step.outputs.map(({ name }) => [name, result.outputs[name]!.dataSync()[0]!] as const);
    tf.dispose(result.outputs);
    return Object.fromEntries(scalars);
  };

  await tf.setBackend(backendName);
  replaceState(initial);
  return {
    describe: () => description,
    async runSteps(inputs) {
      const scalars: Record<string, number>[] = [];
      for (const one of inputs) {
        await tf.setBackend(backendName);
        scalars.push(runStep(one));
        // Lets other work of this process through: a step here can take seconds.
        await new Promise((resolve) => setImmediate(resolve));
      }
      return scalars;
    },
    readState: (names) =>
      Promise.resolve(
        new Map(
          step.state.flatMap(({ name }, i) =>
            names === undefined || names.includes(name)
              ? [[name, Float32Array.from(state[i]!.dataSync() as Float32Array)] as const]
              : [],
          ),
        ),
      ),
    writeState(values) {
      checkState(step.state, values);
      replaceState(values);
      return Promise.resolve();
    },
    close() {
      tf.dispose(state);
      state = [];
      return Promise.resolve();
    },
  };
}

function inputTensor(name: string, shape: readonly number[], data: Float32Array | Int32Array | undefined): Tensor {
  if (data === undefined) throw new Error(`the training step lacks its input "${name}"`);
  if (data.length !== elementCount(shape)) {
    throw new Error(`the training input "${name}" has ${data.length} numbers instead of [${shape.join(', ')}]`);
  }
  return tf.tensor(Float32Array.from(data), [...shape], 'float32');
}
