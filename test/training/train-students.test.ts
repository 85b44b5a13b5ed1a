import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { parseSafetensorsFile } from '../../main/backbones/safetensors.ts';
import { openOrtEngine } from '../../main/runtime/ort-engine.ts';
import { Checkpoint } from '../../main/training/checkpoint.ts';
import {
  trainStudents,
  type StudentTrainingOptions,
  type TrainedStudents,
} from '../../main/training/train-students.ts';
import { FakeEngine, InventedFeatures, smallClasses, smallEntry, smallStudents } from './small-students.ts';

let features: InventedFeatures;
let folder: string;
let file: string;
let notices: string[];
let warnings: string[];

beforeAll(async () => {
  features = new InventedFeatures(await smallEntry());
});

beforeEach(async () => {
  await rm(folder ?? '', { recursive: true, force: true });
  folder = await mkdtemp(path.join(tmpdir(), 'twinspect students '));
  file = path.join(folder, 'model.twin.checkpoint');
  notices = [];
  warnings = [];
});

afterAll(() => rm(folder, { recursive: true, force: true }));

function train(changes: Partial<StudentTrainingOptions> & { resume?: boolean } = {}): Promise<TrainedStudents> {
  return trainStudents(smallClasses, features, features, {
    students: smallStudents,
    seed: 1,
    openEngine: (step, initial) => openOrtEngine(step, initial, { threads: 1, mode: 'stepwise', inline: true }),
    session: { threads: 1 },
    checkpoint: new Checkpoint(file, 'this training', changes.resume ?? false),
    checkpointEvery: 2,
    signal: new AbortController().signal,
    onStep: () => undefined,
    onNotice: (message) => notices.push(message),
    onWarning: (message) => warnings.push(message),
    ...changes,
  });
}

async function savedStep(): Promise<number> {
  const { metadata } = parseSafetensorsFile(await readFile(file), file, { rejectNonFinite: true });
  return Number(metadata.get('step'));
}

/** All numbers of the trained students, names included. */
function fingerprintOf({ parameters, decoder, residual }: TrainedStudents): [string, number[]][] {
  return [
    ...[...parameters].map(([name, { data }]): [string, number[]] => [name, [...data]]),
    ['decoder', [...decoder.mean, ...decoder.sd]],
    ['residual', [...residual.mean, ...residual.sd]],
  ];
}

describe('the same weights, however the training went', () => {
  it('goes on exactly where it was cancelled, and another seed gives other weights', async () => {
    const whole = fingerprintOf(await train());
    expect(whole.every(([, values]) => values.every(Number.isFinite))).toBe(true);

    const cancel = new AbortController();
    const reason = new Error('cancelled by the test');
    const steps: number[] = [];
    const cancelled = train({
      signal: cancel.signal,
      onStep: (done) => {
        steps.push(done);
        if (done === 3) cancel.abort(reason);
      },
    });
    await expect(cancelled).rejects.toBe(reason);
    expect(steps).toEqual([1, 2, 3]);
    expect(await savedStep()).toBe(2);
    expect(await readdir(folder)).toEqual([path.basename(file)]);

    steps.length = 0;
    const resumed = await train({ resume: true, onStep: (done) => steps.push(done) });
    expect(steps).toEqual([3, 4, 5, 6]);
    expect(notices).toEqual(['Going on after step 2 of 6.']);
    expect(fingerprintOf(resumed)).toEqual(whole);
    expect(fingerprintOf(await train({ seed: 2 }))).not.toEqual(whole);
  }, 300_000);

  it('starts anew without --resume, although a checkpoint lies there', async () => {
    await train({ openEngine: new FakeEngine({}).open });
    expect(await savedStep()).toBe(4);
    const steps: number[] = [];
    await train({ openEngine: new FakeEngine({}).open, onStep: (done) => steps.push(done) });
    expect(steps).toEqual([1, 2, 3, 4, 5, 6]);
  });
});

describe('a training that goes wrong', () => {
  it.each([NaN, Infinity])('stops at a loss of %d and keeps the last good checkpoint', async (value) => {
    const engine = new FakeEngine({ loss: (n) => (n < 5 ? 1 : value) });
    const error = await train({ openEngine: engine.open }).catch((e: unknown) => e);
    expect(error).toMatchObject({ name: 'UserError', code: 'lossNotFinite' });
    expect(String(error)).toContain(`step 5: the loss is ${String(value)}`);
    expect(String(error)).toContain(`checkpoint of step 4 is kept in ${file}`);
    expect(await savedStep()).toBe(4);
    expect(engine.closed).toEqual([true]);
  });

  it('never replaces a good checkpoint with weights that are no numbers', async () => {
    const engine = new FakeEngine({ state: (n) => (n < 3 ? 0 : NaN) });
    await expect(train({ openEngine: engine.open })).rejects.toMatchObject({ code: 'lossNotFinite' });
    expect(engine.fed).toHaveLength(4);
    expect(await savedStep()).toBe(2);
  });

  it('refuses weights that are no numbers after the last step too', async () => {
    const engine = new FakeEngine({ state: (n) => (n < 6 ? 0 : NaN) });
    await expect(train({ openEngine: engine.open })).rejects.toMatchObject({ code: 'lossNotFinite' });
  });

  it('goes on with a warning where checkpoints cannot be written', async () => {
    // The folder is a file: as impossible to write to as a full disk.
    await writeFile(path.join(folder, 'file'), '');
    const checkpoint = new Checkpoint(path.join(folder, 'file', 'checkpoint'), 'this training', false);
    const engine = new FakeEngine({});
    await train({ openEngine: engine.open, checkpoint });
    expect(engine.fed).toHaveLength(6);
    expect(warnings).toHaveLength(2);
    expect(warnings[0]).toContain('checkpoint of step 2 was not written');
  });
});

describe('--resume', () => {
  it('says so when there is no checkpoint', async () => {
    await train({ openEngine: new FakeEngine({}).open, resume: true });
    expect(notices).toEqual([`There is no checkpoint ${file} to go on from: starting anew.`]);
  });

  it('refuses the checkpoint of another training', async () => {
    await train({ openEngine: new FakeEngine({}).open, checkpoint: new Checkpoint(file, 'another training', false) });
    const engine = new FakeEngine({});
    const error = await train({ openEngine: engine.open, resume: true }).catch((e: unknown) => e);
    expect(error).toMatchObject({ code: 'checkpointForeign' });
    expect(String(error)).toContain(file);
    expect(String(error)).toContain('--resume');
    expect(engine.fed).toHaveLength(0);
  });

  it('refuses one that is cut off, empty, something else or a folder', async () => {
    await train({ openEngine: new FakeEngine({}).open });
    const bytes = await readFile(file);
    for (const content of [bytes.subarray(0, -8), '', 'a letter to Ms B.', 'folder']) {
      await rm(file, { recursive: true });
      if (content === 'folder') await mkdir(file);
      else await writeFile(file, content);
      const engine = new FakeEngine({});
      const error = await train({ openEngine: engine.open, resume: true }).catch((e: unknown) => e);
      expect(error).toMatchObject({ name: 'UserError' });
      expect(String(error)).toContain(file);
      expect(engine.fed).toHaveLength(0);
    }
  });
});
