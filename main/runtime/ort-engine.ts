import type { SessionOptions } from './ort-session.ts';
import { OrtTrainer, type TrainerPlan } from './ort-trainer.ts';
import { PartwiseTrainer, type PartwisePlan } from './partwise-trainer.ts';
import { chooseProvider } from './providers.ts';
import { WorkerClient } from './rpc.ts';
import {
  checkState,
  elementCount,
  largeStateBytes,
  stackInputs,
  type EngineDescription,
  type EngineStep,
  type StepInputs,
  type TrainingEngine,
} from './training-engine.ts';
import { loopGraph, partwisePlan, stepwiseGraph } from './training-graph.ts';

export interface OrtEngineOptions extends SessionOptions {
  /**
   * `auto` (default): a large model on the processor runs `partwise`. For any other the first steps run both `stepwise`
   * and as a `loop`, and the faster one stays; both give the same bits on the CPU, so the choice never shows in the
   * weights.
   */
  readonly mode?: 'auto' | 'stepwise' | 'loop' | 'partwise';
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
  const { mode: asked = 'auto', inline = false, takeInitial = false, ...session } = options;
  checkState(step.state, initial);
  const own = new Map(
    step.state.map(({ name }) => [name, takeInitial ? initial.get(name)! : initial.get(name)!.slice()]),
  );
  const { parts } = step;
  const mode = asked === 'auto' && parts !== undefined && (await isLarge(step, session)) ? 'partwise' : asked;
  if (mode === 'partwise') {
    if (parts === undefined) throw new Error('a training step without parts');
    const plan = partwisePlan({ ...step, parts }, own, session);
    return inline ? inlineEngine(plan, await PartwiseTrainer.open(plan)) : workerEngine(plan);
  }
  const specs = (list: EngineStep['state']): EngineStep['state'] =>
    list.map(({ name, shape }) => ({ name, shape: [...shape] }));
  const plan: TrainerPlan = {
    stepwise: mode === 'loop' ? undefined : stepwiseGraph(step),
    loop: mode === 'stepwise' ? undefined : loopGraph(step),
    state: specs(step.state),
    inputs: specs(step.inputs),
    outputs: specs(step.outputs),
    initial: own,
    session,
  };
  return inline ? inlineEngine(plan, await OrtTrainer.open(plan)) : workerEngine(plan);
}

/** Whether the state is large and lies in the processor's memory, where it can be changed in place. */
async function isLarge({ state }: EngineStep, { provider = 'cpu' }: SessionOptions): Promise<boolean> {
  const bytes = state.reduce((sum, { shape }) => sum + 4 * elementCount(shape), 0);
  return bytes >= largeStateBytes && (await chooseProvider(provider)).provider === 'cpu';
}

function inlineEngine(plan: TrainerPlan | PartwisePlan, trainer: OrtTrainer | PartwiseTrainer): TrainingEngine {
  return {
    describe: () => trainer.describe(),
    runSteps: async (inputs) => (await trainer.runSteps(inputs.length, stackInputs(plan.inputs, inputs))).scalars,
    readState: (names) => Promise.resolve(trainer.readState(names)),
    writeState: (state) => Promise.resolve(trainer.writeState(new Map([...state].map(([n, d]) => [n, d.slice()])))),
    close: () => trainer.close(),
  };
}

async function workerEngine(plan: TrainerPlan | PartwisePlan): Promise<TrainingEngine> {
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
      readState: (names) => client.call('readState', { trainer, names }),
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
