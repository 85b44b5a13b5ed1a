import { UserError } from '../../shared/errors.ts';
import type { StepLosses } from '../../shared/training-events.ts';
import type { TrainingStep } from '../nn/training-step.ts';
import type { EngineDescription, StepInputs, TrainingEngine } from '../runtime/training-engine.ts';
import type { Checkpoint } from './checkpoint.ts';

/** Steps between two checkpoints of a real run. */
export const defaultCheckpointEvery = 50;

/** Makes the inputs of any step on its own: the same step gives the same numbers, resumed or not. */
export interface BatchSource {
  /** @param step counted from 0 */
  make(step: number): Promise<StepInputs>;
}

export interface StudentLoopOptions {
  /** Opens the engine that runs the step; given the step and its initial state. */
  openEngine: (step: TrainingStep, initial: ReadonlyMap<string, Float32Array>) => Promise<TrainingEngine>;
  checkpoint: Checkpoint;
  /** Steps between two checkpoints. */
  checkpointEvery: number;
  signal: AbortSignal;
  /** Looks at the state on the way, when it is due; changes nothing of it. */
  watch?:
    | {
        begin(): Promise<void>;
        isDue(done: number, steps: number): boolean;
        look(done: number, parameters: ReadonlyMap<string, Float32Array>): Promise<void>;
      }
    | undefined;
  onStep: (done: number, total: number, losses: StepLosses) => void;
  onNotice: (message: string) => void;
  onWarning: (message: string) => void;
}

export interface LoopResult {
  /** By name; without the optimizer's moments. */
  parameters: Map<string, Float32Array>;
  engine: EngineDescription;
  /** Share of the loop's time, 0 to 1, that the engine stood still because its next batch was not ready. */
  waitedShare: number;
}

/**
 * Runs all steps of a training: batches are made while the engine works, checkpoints are written in between.
 * @param makeInitial the state before the first step; not asked for when a checkpoint is gone on from
 * @throws UserError `lossNotFinite`; the signal's reason when aborted
 */
export async function runStudentLoop(
  step: TrainingStep,
  makeInitial: () => ReadonlyMap<string, Float32Array>,
  batches: BatchSource,
  steps: number,
  { openEngine, checkpoint, checkpointEvery, signal, watch, onStep, onNotice, onWarning }: StudentLoopOptions,
): Promise<LoopResult> {
  const saved = await checkpoint.read(step.state);
  let done = saved?.step ?? 0;
  if (saved !== undefined) onNotice(`Going on after step ${saved.step} of ${steps}.`);
  else if (checkpoint.resume) onNotice(`There is no checkpoint ${checkpoint.path} to go on from: starting anew.`);
  const engine = await openEngine(step, saved?.state ?? makeInitial());
  try {
    let lastSaved = done;
    let nextSave = done + checkpointEvery;
    // A step can have a finite loss and leave weights that are not: those must never replace a good checkpoint.
    const finiteTensor = async (name: string): Promise<Float32Array> => {
      const data = (await engine.readState([name])).get(name)!;
      if (data.every(Number.isFinite)) return data;
      throw lossNotFinite(done, `the weights "${name}" are no longer numbers`, checkpoint, lastSaved);
    };
    const parameterNames = step.state.slice(0, step.parts.params).map(({ name }) => name);
    const chunk = (from: number): Promise<StepInputs[]> => {
      const count = Math.min(engine.describe().stepsPerRun, steps - from);
      return Promise.all(Array.from({ length: count }, (_, i) => batches.make(from + i)));
    };
    await watch?.begin();
    const startedMs = performance.now();
    let waitedMs = 0;
    let next = chunk(done);
    while (done < steps) {
      signal.throwIfAborted();
      const asked = performance.now();
      const inputs = await next;
      waitedMs += performance.now() - asked;
      const running = engine.runSteps(inputs);
      if (done + inputs.length < steps) next = chunk(done + inputs.length);
      next.catch(() => undefined);
      const results = await running;
      for (const [i, { total, decoder, encoder }] of results.entries()) {
        if (!Number.isFinite(total)) throw lossNotFinite(done + i + 1, `the loss is ${total}`, checkpoint, lastSaved);
        onStep(done + i + 1, steps, { total: total!, decoder: decoder!, encoder: encoder! });
      }
      done += inputs.length;
      if (watch?.isDue(done, steps) === true) await watch.look(done, await engine.readState(parameterNames));
      if (done < nextSave || done === steps) continue;
      nextSave = done + checkpointEvery;
      try {
        await checkpoint.write(done, step.state, finiteTensor);
        lastSaved = done;
      } catch (error) {
        // A full disk may have room again by the time the model is written; hours of work mustn't depend on it now.
        if (!(error instanceof UserError) || error.code === 'lossNotFinite') throw error;
        onWarning(`The checkpoint of step ${done} was not written: ${error.message}`);
      }
    }
    const waitedShare = waitedMs / Math.max(1, performance.now() - startedMs);
    const parameters = new Map<string, Float32Array>();
    for (const name of parameterNames) parameters.set(name, await finiteTensor(name));
    return { parameters, engine: engine.describe(), waitedShare };
  } finally {
    await engine.close();
  }
}

function lossNotFinite(step: number, why: string, checkpoint: Checkpoint, lastSaved: number): UserError {
  const kept = lastSaved > 0 ? `The checkpoint of step ${lastSaved} is kept in ${checkpoint.path}.` : '';
  return new UserError(
    'lossNotFinite',
    `Training stopped at step ${step}: ${why}. ${kept}`.trim(),
    'Train with another --seed, or look for damaged pictures with: twinspect doctor.',
  );
}
