import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { packagedUnknownClass, unknownClassOf } from '../../shared/calibration/unknown-limit.ts';
import type { StationEvent } from '../../shared/ipc/contract.ts';
import type { StationModel, StationPart } from '../../shared/station/domain.ts';
import type { StationContext } from '../../main/station/context.ts';
import { FeedService } from '../../main/station/feed.ts';
import { ModelService } from '../../main/station/models.ts';
import { newId } from '../../main/store/files.ts';
import { openStore, type Store } from '../../main/store/store.ts';
import { greyPng } from '../cli/pictures.ts';
import { newModel } from '../store/new-model.ts';
import { LocalHost } from './local-host.ts';

let root: string;
let store: Store;
let feeds: FeedService;
let models: ModelService;
let host: LocalHost;
let projectId: string;
let events: StationEvent[];

beforeEach(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'twinspect guards ä '));
  store = await openStore(path.join(root, 'station'));
  events = [];
  const context: StationContext = {
    folder: store.folder,
    store,
    emit: (event) => void events.push(event),
    now: () => new Date().toISOString(),
  };
  host = new LocalHost();
  feeds = new FeedService(context, { host, times: { heartbeatMs: 1000, firstWaitMs: 1 } });
  models = new ModelService(context, { feeds });
  projectId = store.projects.create({ name: 'Tiles', note: '', createdAt: new Date().toISOString() }).id;
});
afterEach(async () => {
  await feeds.close();
  store.close();
  await rm(root, { recursive: true, force: true });
});

function addModel(more: Partial<StationModel> = {}): string {
  const id = newId();
  store.models.add({
    ...newModel(projectId, id),
    modelHash: id.charCodeAt(0).toString(16).padStart(64, '0'),
    classes: ['tile'],
    thresholds: { review: 1.5, fail: 2.5 },
    ...more,
  });
  return id;
}

/** Judges grey pictures of these brightnesses; scores are brightness / 64. */
function judge(brightnesses: readonly number[]): Promise<StationPart[]> {
  return judgePictures(brightnesses.map((brightness, i) => greyPng(brightness, 16, i)));
}

async function judgePictures(pictures: readonly Uint8Array[]): Promise<StationPart[]> {
  const folder = path.join(root, newId());
  await mkdir(folder);
  for (const [i, bytes] of pictures.entries()) {
    await writeFile(path.join(folder, `${String(i).padStart(4, '0')}.png`), bytes);
  }
  const first = store.parts.counters(projectId).presented;
  await feeds.handlers['feed.judgeFiles'](
    { projectId, paths: [folder] },
    { userId: null, name: 'A', role: 'operator' },
  );
  const ids = pictures.map((_, i) => first + i + 1);
  await vi.waitFor(() => expect(store.parts.get(ids.at(-1)!)?.verdict).toBeTruthy(), { timeout: 120_000 });
  return ids.map((id) => store.parts.get(id)!).sort((a, b) => (a.source < b.source ? -1 : 1));
}

const limit = { value: 2, falseAlarmRate: 0.01, confidence: 0.95, normals: 300 };

test('a part of no known class never passes, and the record says why', async () => {
  host.distanceOf = (predScore) => (predScore > 0.5 ? 3 : 1);
  store.models.activate(addModel({ unknownClass: { limit, statement: '' } }));
  const [known, unknown, failed] = await judge([10, 60, 250]);
  expect(known).toMatchObject({ verdict: 'pass', reason: null });
  expect(unknown).toMatchObject({ verdict: 'review', reason: expect.stringContaining('none of the known classes') });
  expect(failed).toMatchObject({ verdict: 'fail', reason: expect.stringContaining('none of the known classes') });
});

test('the limit comes from the package, or from good parts that are enough, with its false-alarm rate', () => {
  const found = { ok: true, ...limit, statement: { key: 'x', params: {}, text: 'At most 1 %.' } };
  expect(packagedUnknownClass({ unknownClass: found })).toEqual({ limit, statement: 'At most 1 %.' });
  expect(packagedUnknownClass({ unknownClass: { ...found, ok: false } })).toBeUndefined();
  expect(packagedUnknownClass({ unknownClass: { ...found, value: 'NaN' } })).toBeUndefined();
  expect(packagedUnknownClass(undefined)).toBeUndefined();
  const parts = (count: number) =>
    Array.from({ length: count }, (_, i) => ({ className: 'tile', classDistance: 1 + i / count }));
  const few = unknownClassOf(parts(20));
  expect(few.limit).toBeNull();
  expect(few.statement).toContain('279');
  const some = unknownClassOf(parts(60));
  expect(some.limit?.falseAlarmRate).toBeCloseTo(1 - 0.05 ** (1 / 60), 9);
  expect(some.limit?.value).toBeGreaterThan(1 + 59 / 60);
  expect(unknownClassOf(parts(300)).limit?.falseAlarmRate).toBeLessThanOrEqual(0.01);
});

test('a model that a person let through says so in every record, until its gates hold', async () => {
  store.models.activate(addModel());
  const id = addModel({ parity: { maxAbsDifference: 1, verdictFlips: 3, pictures: 5 } });
  const caller = { userId: null, name: 'Ann', role: 'quality' as const };
  expect((await models.activate(id, caller, null, null)).activated).toBe(false);
  expect((await models.activate(id, caller, { reason: 'The line waits for it.' }, null)).activated).toBe(true);
  const model = store.models.get(id);
  expect(model.override).toMatchObject({ by: 'Ann', role: 'quality', reason: 'The line waits for it.' });
  expect(model.override?.gates).toContain('parity');
  for (const part of await judge([10, 250])) {
    expect(part.reason).toMatch(/Model v2 was let through .*parity.*Ann \(quality\).*The line waits for it\./);
  }
  await models.handlers['models.rollback']({ projectId, reason: 'Too strict.', secret: null }, caller);
  expect((await judge([20]))[0]).toMatchObject({ verdict: 'pass', reason: null });
});
