import type { SessionOptions } from './ort-session.ts';
import { OrtTrainer, type TrainerPlan } from './ort-trainer.ts';
import { WorkerClient } from './rpc.ts';
import {
  checkState,
  stackInputs,
  type EngineDescription,
  type EngineStep,
  type StepInputs,
  type TrainingEngine,
} from './training-engine.ts';
import { loopGraph, stepwiseGraph } from './training-graph.ts';

export interface OrtEngineOptions extends SessionOptions {
  /**
   * `auto` (default) runs the first steps both ways and keeps the faster one. Both give the same bits on the CPU, so
   * the choice never shows in the weights.
   */
  readonly mode?: 'auto' | 'stepwise' | 'loop';
  /** Runs in this thread and blocks it: for benchmarks. Default: a worker thread. */
  readonly inline?: boolean;
  /** The initial state's arrays may be taken away from the caller: at full size a copy is gigabytes. Default: a copy. */
  readonly takeInitial?: boolean;
}

/**
 * Compiles a training step to ONNX and runs it on ONNX Runtime in a worker thread, where the state stays.
 *
 * @param initial a number for every element of the step's state, by name
 * @throws UserError for an absent provider; Error for a state that does not fit or a step that can't be traced
 */
export async function openOrtEngine(
  step: EngineStep,
  initial: ReadonlyMap<string, Float32Array>,
  options: OrtEngineOptions = {},
): Promise<TrainingEngine> {
  const { mode = 'auto', inline = false, takeInitial = false, ...session } = options;
  checkState(step.state, initial);
  const specs = (list: EngineStep['state']): EngineStep['state'] =>
    list.map(({ name, shape }) => ({ name, shape: [...shape] }));
  const plan: TrainerPlan = {
    stepwise: mode === 'loop' ? undefined : stepwiseGraph(step),
    loop: mode === 'stepwise' ? undefined : loopGraph(step),
    state: specs(step.state),
    inputs: specs(step.inputs),
    outputs: specs(step.outputs),
    initial: new Map(
      step.state.map(({ name }) => [name, takeInitial ? initial.get(name)! : initial.get(name)!.slice()]),
    ),
    session,
  };
  return inline ? inlineEngine(plan, await OrtTrainer.open(plan)) : workerEngine(plan);
}

function inlineEngine(plan: TrainerPlan, trainer: OrtTrainer): TrainingEngine {
  return {
    describe: () => trainer.describe(),
    runSteps: async (inputs) => (await trainer.runSteps(inputs.length, stackInputs(plan.inputs, inputs))).scalars,
    readState: () => Promise.resolve(trainer.readState()),
    writeState: (state) => Promise.resolve(trainer.writeState(new Map([...state].map(([n, d]) => [n, d.slice()])))),
    close: () => trainer.close(),
  };
}

async function workerEngine(plan: TrainerPlan): Promise<TrainingEngine> {
  const client = await WorkerClient.start('session-worker');
  try {
    // The state moves to the worker: at full size it is gigabytes.
    const buffers = [...new Set([...plan.initial.values()].map(({ buffer }) => buffer as ArrayBuffer))];
    const opened = await client.call<{ trainer: number; description: EngineDescription }>('openTrainer', plan, buffers);
    const { trainer } = opened;
    let { description } = opened;
    const runSteps = async (inputs: readonly StepInputs[]): Promise<Record<string, number>[]> => {
      const stacked = stackInputs(plan.inputs, inputs);
      const call = { trainer, steps: inputs.length, inputs: stacked };
      // Copies made here move to the worker; data that are the caller's own are copied on the way.
      const own = new Set<ArrayBufferLike>(inputs.flatMap((step) => Object.values(step).map((data) => data.buffer)));
      const buffers = Object.values(stacked).flatMap(({ buffer }) => (own.has(buffer) ? [] : [buffer as ArrayBuffer]));
      const result = await client.call<Awaited<ReturnType<OrtTrainer['runSteps']>>>('train', call, buffers);
      description = result.description;
      return result.scalars;
    };
    return {
      describe: () => description,
      runSteps,
      readState: () => client.call('readState', { trainer }),
      writeState: (state) => {
        checkState(plan.state, state);
        return client.call('writeState', { trainer, state: new Map(state) });
      },
      close: () => client.close(),
    };
  } catch (error) {
    await client.close();
    throw error;
  }
}
