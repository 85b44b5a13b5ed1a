import { mkdir, readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TrainingPhase } from '../../shared/training-events.ts';
import type { TrainingRequest } from '../../main/training/request.ts';
import { trainModel } from '../../main/training/run.ts';
import { bundleWorker, type Worker } from '../killing.ts';
import { killedAfterCheckpoint } from './killed-training.ts';
import { ignore, never, openPackage, twoParts, Workplace } from './small-data.ts';
import { tinyPaper, tinySettings, writeTinyTeacher } from './tiny-paper.ts';

const steps = 8;
const checkpointEvery = 2;
// Two parts of two pictures: the Loop over parts and what lies between steps are both cut short.
const settings = { ...tinySettings, microBatch: 2 };
let place: Workplace;
let teacher: string;
let worker: Worker;
/** The graph of a training that nobody disturbed. */
let undisturbed: Uint8Array;

beforeAll(async () => {
  place = await Workplace.make('killed paper');
  for (const part of twoParts) await place.part(part, { 'train/good': 3 });
  teacher = await writeTinyTeacher(place);
  const request = tinyPaper(place, teacher, { steps, settings });
  await trainModel(request, ignore, never);
  undisturbed = (await openPackage(request.out)).graph;
  worker = await bundleWorker(path.join(import.meta.dirname, 'train-worker.ts'));
}, 300_000);

afterAll(async () => {
  await place.remove();
  await worker.remove();
});

/** Resumes and expects the undisturbed graph, bit by bit, and a clean folder. */
async function expectSameAfterResume(request: TrainingRequest): Promise<void> {
  const notices: string[] = [];
  await trainModel(
    { ...request, resume: true },
    (event) => event.type === 'notice' && void notices.push(event.message),
    never,
  );
  expect(notices.join('\n')).toMatch(/Going on after step [246] of 8\./);
  expect(Buffer.compare((await openPackage(request.out)).graph, undisturbed)).toBe(0);
  expect(await place.written(request)).toEqual(['model.twin']);
}

describe("a training of the paper's students", () => {
  it('that is killed goes on from its checkpoint and ends in exactly the same graph', async () => {
    const request = tinyPaper(place, teacher, { steps, settings });
    await mkdir(path.dirname(request.out));
    const { signal, err } = await killedAfterCheckpoint(worker, request, checkpointEvery);
    expect(signal, err).toBe('SIGKILL');
    expect(await place.written(request)).toContain('model.twin.checkpoint');
    for (const name of await place.written(request)) {
      if (name.startsWith('.tmp-')) await rm(path.join(path.dirname(request.out), name));
    }
    await expectSameAfterResume(request);
  }, 300_000);

  it('that is cancelled among the steps keeps its checkpoint, which no other settings may go on from', async () => {
    const request = tinyPaper(place, teacher, { steps, settings });
    const cancel = new AbortController();
    const reason = new Error('cancelled');
    const training = trainModel(
      request,
      (event) => {
        if (event.type === 'progress' && event.phase === 'students' && event.done > checkpointEvery)
          cancel.abort(reason);
      },
      cancel.signal,
      { checkpointEvery },
    );
    await expect(training).rejects.toBe(reason);
    expect(await place.written(request)).toEqual(['model.twin.checkpoint']);
    for (const changed of [{ 'decoder.dropout': 0.4 }, { 'optimizer.eps': 1e-8 }, { crop: 70 }]) {
      const other = { ...request, resume: true, settings: { ...settings, ...changed } };
      await expect(trainModel(other, ignore, never)).rejects.toMatchObject({ code: 'checkpointForeign' });
    }
    await expectSameAfterResume(request);
  }, 300_000);

  it.each<[TrainingPhase, 'phase' | 'progress']>([
    ['features', 'progress'],
    ['students', 'phase'],
    ['calibrate', 'phase'],
    ['fuse', 'phase'],
    ['package', 'phase'],
  ])(
    'that is cancelled in %s (%s) stops there and leaves nothing',
    async (phase, type) => {
      const request = tinyPaper(place, teacher, {
        steps: 2,
        settings,
        cacheDir: path.join(place.root, `cache ${phase}`),
      });
      const before = new Set(await temporaryFolders());
      const cancel = new AbortController();
      const reason = new Error(`cancelled in ${phase}`);
      const later: string[] = [];
      const training = trainModel(
        request,
        (event) => {
          if (cancel.signal.aborted) later.push(event.type);
          else if (event.type === type && event.phase === phase) cancel.abort(reason);
        },
        cancel.signal,
      );
      await expect(training).rejects.toBe(reason);
      expect(later).not.toContain('phase');
      expect(await place.written(request)).toEqual([]);
      expect((await temporaryFolders()).filter((name) => !before.has(name))).toEqual([]);
    },
    300_000,
  );
});

/** What runs keep beside the system's other temporary files, of this process. */
async function temporaryFolders(): Promise<string[]> {
  const names = await readdir(path.dirname(place.root));
  return names.filter((name) => name.startsWith(`twinspect-run-${String(process.pid)}-`));
}
