import { createRandom } from '../../shared/random.ts';
import { fillDropoutMask, initialise, sizeOf } from '../nn/init.ts';
import { optimizerNumbers } from '../nn/optimizer.ts';
import { makePaperModel, type PaperModelOptions } from '../nn/paper-model.ts';
import { paperModelOptions, presets } from '../nn/presets.ts';
import { miningRank } from '../nn/schedule.ts';
import { makeTrainingStep, type TrainingStep } from '../nn/training-step.ts';
import { openOrtEngine, type OrtEngineOptions } from '../runtime/ort-engine.ts';
import { openTfjsEngine } from '../runtime/tfjs-engine.ts';
import type { EngineDescription, StepInputs, TrainingEngine } from '../runtime/training-engine.ts';

/** Largest difference from the processor's results that counts as rounding. */
export const engineTolerance = 1e-3;

/** What an engine makes of the training step, held against another one. */
export interface EngineCheck {
  engine: EngineDescription;
  /** What it is held against: ONNX Runtime on the processor, and for that one itself TensorFlow.js. */
  reference: EngineDescription;
  /** Largest difference of a reported number (loss, both errors, gradient norm) over all steps, either form. */
  lossDifference: number;
  /** Largest difference of a weight after the last step, either form. */
  weightDifference: number;
  /** Whether both are within {@link engineTolerance}. */
  agrees: boolean;
  /** Median time of one step of a middle-sized model, milliseconds, by form; on the processor beside it, unless it is that. */
  stepMs: { stepwise: number; loop: number; cpu: number | null };
}

/** Steps that the results are compared over. */
const comparedSteps = 5;
/** Steps of one run of the Loop. */
const loopSteps = 4;

interface Subject {
  step: TrainingStep;
  initial: Map<string, Float32Array>;
  inputs: StepInputs[];
}

/**
 * Trains a tiny pair of the paper's students for a few steps on an execution provider, step by step and in the Loop form,
 * compares every number with the processor's (the processor's with TensorFlow.js), then times a middle-sized pair.
 * @param provider execution provider by name
 * @param options.rounds timed runs of each form
 * @throws UserError `providerAbsent` when it doesn't work here; Error when the provider can't run the step
 */
export async function checkTrainingEngine(
  provider: string,
  { threads, rounds = 4 }: { threads?: number; rounds?: number } = {},
): Promise<EngineCheck> {
  const session = { inline: false, ...(threads !== undefined && { threads }) };
  const tiny = subject({ width: 32, heads: 2, blocks: 2, side: 4, batch: 4, steps: comparedSteps });
  const { engine, scalars, state } = await train(tiny, { ...session, provider, mode: 'stepwise' });
  const looped = await train(tiny, { ...session, provider, mode: 'loop' });
  const isProcessor = engine.provider === 'cpu';
  const reference = isProcessor
    ? await use(await openTfjsEngine(tiny.step, tiny.initial), tiny.inputs)
    : await train(tiny, { ...session, provider: 'cpu', mode: 'stepwise' });
  let lossDifference = 0;
  let weightDifference = 0;
  for (const found of [{ scalars, state }, looped]) {
    reference.scalars.forEach((expected, i) => {
      for (const [name, value] of Object.entries(expected)) {
        lossDifference = worst(lossDifference, found.scalars[i]![name]! - value);
      }
    });
    for (const [name, expected] of reference.state) {
      // The key third of a softmax's bias has no gradient but rounding noise, which AMSGrad turns into steps.
      if (/^(m|v|vmax)\//.test(name) || /encoder\/.*qkv\.bias$/.test(name)) continue;
      const values = found.state.get(name)!;
      expected.forEach((value, k) => (weightDifference = worst(weightDifference, values[k]! - value)));
    }
  }
  const middle = subject({ width: 192, heads: 3, blocks: 4, side: 14, batch: 4, steps: loopSteps });
  return {
    engine,
    reference: reference.engine,
    lossDifference,
    weightDifference,
    agrees: lossDifference <= engineTolerance && weightDifference <= engineTolerance,
    stepMs: {
      stepwise: await time(middle, { ...session, provider, mode: 'stepwise' }, rounds),
      loop: await time(middle, { ...session, provider, mode: 'loop' }, rounds),
      cpu: isProcessor ? null : await time(middle, { ...session, provider: 'cpu', mode: 'stepwise' }, rounds),
    },
  };
}

/** A NaN is a difference, not a pass. */
function worst(before: number, difference: number): number {
  return Number.isNaN(difference) ? Infinity : Math.max(before, Math.abs(difference));
}

interface Trained {
  engine: EngineDescription;
  scalars: Record<string, number>[];
  state: Map<string, Float32Array>;
}

async function train({ step, initial, inputs }: Subject, options: OrtEngineOptions): Promise<Trained> {
  return use(await openOrtEngine(step, initial, options), inputs);
}

async function use(engine: TrainingEngine, inputs: readonly StepInputs[]): Promise<Trained> {
  try {
    const scalars = await engine.runSteps(inputs);
    return { engine: engine.describe(), scalars, state: await engine.readState() };
  } finally {
    await engine.close();
  }
}

/** Median milliseconds of one step. */
async function time({ step, initial, inputs }: Subject, options: OrtEngineOptions, rounds: number): Promise<number> {
  const engine = await openOrtEngine(step, initial, options);
  try {
    const perRun = options.mode === 'loop' ? loopSteps : 1;
    const times: number[] = [];
    for (let run = 0; run <= rounds; run++) {
      const started = performance.now();
      await engine.runSteps(inputs.slice(0, perRun));
      // The first run prepares kernels and memory.
      if (run > 0) times.push((performance.now() - started) / perRun);
    }
    return times.sort((a, b) => a - b)[Math.floor(times.length / 2)]!;
  } finally {
    await engine.close();
  }
}

/** Seeded students with seeded batches. */
function subject(sizes: {
  width: number;
  heads: number;
  blocks: number;
  side: number;
  batch: number;
  steps: number;
}): Subject {
  const { width, heads, blocks, side, batch } = sizes;
  const paper = paperModelOptions(presets['paper-small']);
  const options: PaperModelOptions = {
    ...paper,
    embedDim: width,
    heads,
    decoder: { ...paper.decoder, depth: blocks },
    encoder: { ...paper.encoder, depth: blocks },
  };
  const model = makePaperModel(options, batch, { rows: side, columns: side });
  const { optimizer } = presets['paper-small'];
  const step = makeTrainingStep(model, optimizer);
  const random = createRandom(1);
  const fresh = initialise(model.params, random);
  const inputs = Array.from({ length: sizes.steps }, (_, i): StepInputs => {
    const numbers: Record<string, number> = {
      ...optimizerNumbers(optimizer, 1e-3, i),
      miningRank: miningRank(batch * side * side, 0.1 * i),
    };
    return Object.fromEntries(
      step.inputs.map(({ name, shape }) => {
        const data = new Float32Array(sizeOf(shape));
        if (name in numbers) data[0] = numbers[name]!;
        else if (name === 'label') data.fill(1);
        else if (name.startsWith('mask')) fillDropoutMask(data, 0.2, random);
        else data.forEach((_value, k) => (data[k] = random.normal()));
        return [name, data];
      }),
    );
  });
  const initial = new Map(
    step.state.map(({ name, shape }) => [name, fresh.get(name)?.data ?? new Float32Array(sizeOf(shape))]),
  );
  return { step, initial, inputs };
}
