import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TrainingPhase } from '../../shared/training-events.ts';
import { parseSafetensorsFile } from '../../main/backbones/safetensors.ts';
import type { TrainingRequest } from '../../main/training/request.ts';
import { trainModel } from '../../main/training/run.ts';
import { bundleWorker, type Worker } from '../killing.ts';
import { killedAfterCheckpoint } from './killed-training.ts';
import { ignore, never, openPackage, twoParts, Workplace } from './small-data.ts';

const steps = 6;
const checkpointEvery = 2;
let place: Workplace;
let worker: Worker;
/** The graph of a training that nobody disturbed. */
let undisturbed: Uint8Array;

beforeAll(async () => {
  place = await Workplace.make('killed');
  for (const part of twoParts) await place.part(part, { 'train/good': 3 });
  const request = place.request({ instant: false, steps });
  await trainModel(request, ignore, never);
  undisturbed = (await openPackage(request.out)).graph;
  worker = await bundleWorker(path.join(import.meta.dirname, 'train-worker.ts'));
}, 300_000);

afterAll(async () => {
  await place.remove();
  await worker.remove();
});

/** Resumes a disturbed training and expects the graph of the undisturbed one, and a clean folder. */
async function expectSameAfterResume(request: TrainingRequest): Promise<void> {
  const notices: string[] = [];
  const note = (message: string): void => void notices.push(message);
  await trainModel({ ...request, resume: true }, (event) => event.type === 'notice' && note(event.message), never);
  expect(notices.join('\n')).toMatch(/Going on after step [24] of 6\./);
  expect(Buffer.compare((await openPackage(request.out)).graph, undisturbed)).toBe(0);
  expect(await place.written(request)).toEqual(['model.twin']);
}

async function savedStep({ out }: TrainingRequest): Promise<number> {
  const file = `${out}.checkpoint`;
  return Number(parseSafetensorsFile(await readFile(file), file, { rejectNonFinite: true }).metadata.get('step'));
}

describe('a training that is killed', () => {
  it('goes on from its checkpoint and ends in exactly the same graph', async () => {
    const request = place.request({ instant: false, steps });
    await mkdir(path.dirname(request.out));
    const { signal, err } = await killedAfterCheckpoint(worker, request, checkpointEvery);
    expect(signal, err).toBe('SIGKILL');
    expect(await place.written(request)).toContain('model.twin.checkpoint');
    expect(await place.written(request)).not.toContain('model.twin');
    expect(await savedStep(request)).toBeGreaterThanOrEqual(checkpointEvery);
    // What the kill left half-written has a name of its own and is no model; a later start clears it away.
    for (const name of await place.written(request)) {
      if (name.startsWith('.tmp-')) await rm(path.join(path.dirname(request.out), name));
    }
    await expectSameAfterResume(request);
  }, 300_000);
});

describe('a training that is cancelled', () => {
  const when: { phase: TrainingPhase; event: 'phase' | 'progress' }[] = [
    { phase: 'snapshot', event: 'phase' },
    { phase: 'features', event: 'progress' },
    { phase: 'memory', event: 'phase' },
    { phase: 'memory', event: 'progress' },
    { phase: 'calibrate', event: 'phase' },
    { phase: 'package', event: 'phase' },
  ];
  it.each(when)(
    'in $phase ($event) stops there, for the reason given, and leaves nothing',
    async ({ phase, event }) => {
      const request = place.request({ cacheDir: path.join(place.root, `cache ${phase} ${event}`) });
      const cancel = new AbortController();
      const reason = new Error(`cancelled in ${phase}`);
      const later: string[] = [];
      const training = trainModel(
        request,
        (told) => {
          if (cancel.signal.aborted) later.push(told.type);
          else if (told.type === event && told.phase === phase) cancel.abort(reason);
        },
        cancel.signal,
      );
      await expect(training).rejects.toBe(reason);
      // At most the work in hand is still told of; no other phase begins.
      expect(later).not.toContain('phase');
      expect(await place.written(request)).toEqual([]);
      const { cacheDir } = request;
      const before = await readdir(cacheDir!, { recursive: true }).catch(() => []);
      await new Promise((done) => setTimeout(done, 300));
      expect(await readdir(cacheDir!, { recursive: true }).catch(() => [])).toEqual(before);
    },
    300_000,
  );

  it('in the students keeps the checkpoint, also from an instant training meanwhile', async () => {
    const request = place.request({ instant: false, steps });
    const cancel = new AbortController();
    const reason = new Error('cancelled in the students');
    const training = trainModel(
      request,
      (told) => {
        if (told.type === 'progress' && told.phase === 'students' && told.done > checkpointEvery) cancel.abort(reason);
      },
      cancel.signal,
      { checkpointEvery },
    );
    await expect(training).rejects.toBe(reason);
    expect(await place.written(request)).toEqual(['model.twin.checkpoint']);

    await trainModel({ ...request, instant: true }, ignore, never);
    expect((await place.written(request)).sort()).toEqual(['model.twin', 'model.twin.checkpoint']);
    expect(await savedStep(request)).toBe(checkpointEvery);
  }, 300_000);

  it('before it starts does nothing at all', async () => {
    const request = place.request();
    const reason = new Error('cancelled before');
    await expect(trainModel(request, ignore, AbortSignal.abort(reason))).rejects.toBe(reason);
    expect(await readdir(path.dirname(request.out)).catch(() => 'no folder')).toBe('no folder');
  });
});
