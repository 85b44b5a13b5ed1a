import { afterEach, describe, expect, it } from 'vitest';
import { openOrtEngine, type OrtEngineOptions } from '../../main/runtime/ort-engine.ts';
import { openTfjsEngine } from '../../main/runtime/tfjs-engine.ts';
import type { TrainingEngine } from '../../main/runtime/training-engine.ts';
import { initialState, largestStateDifference, stepData, tinyStep } from './tiny-step.ts';

const open: TrainingEngine[] = [];
afterEach(async () => {
  for (const engine of open.splice(0)) await engine.close();
});

async function ortEngine(options: OrtEngineOptions = {}): Promise<TrainingEngine> {
  const engine = await openOrtEngine(tinyStep, initialState(), { threads: 1, ...options });
  open.push(engine);
  return engine;
}

async function tfjsEngine(): Promise<TrainingEngine> {
  const engine = await openTfjsEngine(tinyStep, initialState());
  open.push(engine);
  return engine;
}

describe('training engines', () => {
  it('ONNX Runtime and TensorFlow.js agree after five steps', async () => {
    const [compiled, eager] = [await ortEngine({ mode: 'stepwise' }), await tfjsEngine()];
    const data = stepData(5);
    const [a, b] = [await compiled.runSteps(data), await eager.runSteps(data)];
    a.forEach((scalars, i) => {
      expect(Math.abs(scalars['loss']! - b[i]!['loss']!)).toBeLessThan(1e-6);
      expect(Math.abs(scalars['gradientNorm']! - b[i]!['gradientNorm']!)).toBeLessThan(1e-6);
    });
    expect(largestStateDifference(await compiled.readState(), await eager.readState())).toBeLessThan(1e-5);
    expect(a[4]!['loss']).not.toBe(a[0]!['loss']);
  });

  it('the Loop form gives the bits of the stepwise form', async () => {
    const [stepwise, loop] = [await ortEngine({ mode: 'stepwise' }), await ortEngine({ mode: 'loop' })];
    const data = stepData(24);
    expect(await loop.runSteps(data)).toEqual(await stepwise.runSteps(data));
    expect(await loop.readState()).toEqual(await stepwise.readState());
    expect(loop.describe().mode).toBe('loop');
    expect(loop.describe().stepsPerRun).toBeGreaterThan(1);
  });

  it('chooses a form by measuring, without a trace in the weights', async () => {
    const [auto, stepwise] = [await ortEngine(), await ortEngine({ mode: 'stepwise', inline: true })];
    const data = stepData(60);
    expect(auto.describe().mode).toBe('measuring');
    expect(await auto.runSteps(data)).toEqual(await stepwise.runSteps(data));
    expect(await auto.readState()).toEqual(await stepwise.readState());
    expect(['stepwise', 'loop']).toContain(auto.describe().mode);
    expect(auto.describe()).toMatchObject({ provider: 'cpu', threads: 1 });
    expect(auto.describe().engine).toMatch(/^onnxruntime \d/);
  });

  it('gives the same bits again, and goes on from a saved state as if never interrupted', async () => {
    const data = stepData(6);
    const whole = await ortEngine({ threads: 2 });
    await whole.runSteps(data);
    const first = await ortEngine({ threads: 2 });
    await first.runSteps(data.slice(0, 3));
    const saved = await first.readState();
    await first.runSteps(data.slice(3));
    expect(await first.readState()).toEqual(await whole.readState());
    const resumed = await ortEngine({ threads: 2 });
    await resumed.writeState(saved);
    await resumed.runSteps(data.slice(3));
    expect(await resumed.readState()).toEqual(await whole.readState());
  });

  it('keeps what it is given: neither inputs nor states are taken away or aliased', async () => {
    const engine = await ortEngine({ mode: 'stepwise' });
    const data = stepData(1);
    const state = await engine.readState();
    await engine.writeState(state);
    await engine.runSteps(data);
    expect(data[0]!['x']).toHaveLength(30);
    expect(state).toEqual(initialState());
  });

  it('names inputs and state tensors that do not fit', async () => {
    for (const engine of [await ortEngine(), await tfjsEngine()]) {
      await expect(engine.runSteps([{}])).rejects.toThrow(/lacks its input "x"/);
      const short = { ...stepData(1)[0], mask: new Float32Array(3) };
      await expect(engine.runSteps([short])).rejects.toThrow(/"mask" has 3 numbers/);
    }
    await expect(openOrtEngine(tinyStep, new Map())).rejects.toThrow(/lacks the tensor "fc1\/weight"/);
  });

  it('explains an engine that is not installed', async () => {
    const opening = openTfjsEngine(tinyStep, initialState(), { backend: 'tfjs-node-gpu' });
    await expect(opening).rejects.toMatchObject({
      name: 'UserError',
      code: 'tfjsNodeAbsent',
      message: expect.stringContaining('npm install @tensorflow/tfjs-node-gpu@4.22.0') as string,
    });
  });
});
