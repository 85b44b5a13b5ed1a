import { encode } from 'fast-png';
import { existsSync } from 'node:fs';
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
import { createRandom } from '../../shared/random.ts';
import { greyPng } from '../cli/pictures.ts';
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
    id,
    projectId,
    fileName: `${id}.twin`,
    modelHash: id.charCodeAt(0).toString(16).padStart(64, '0'),
    preset: 'instant',
    classes: ['tile'],
    snapshotId: 'none',
    pictures: 1,
    createdAt: new Date().toISOString(),
    createdBy: 'test',
    engine: 'cpu',
    trainingMs: 1,
    thresholds: { review: 1.5, fail: 2.5 },
    basis: '',
    metrics: [],
    parity: { maxAbsDifference: 0, verdictFlips: 0, pictures: 1 },
    note: '',
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
  await vi.waitFor(() => expect(store.parts.get(ids.at(-1)!)?.verdict).toBeTruthy(), { timeout: 30_000 });
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

/** Pictures of one part in a fixture: the same pattern, a little noise, light that varies by some percent. */
function steadyParts(count: number, seed: number, light = 1): Uint8Array[] {
  const random = createRandom(seed);
  return Array.from({ length: count }, () => {
    const level = light * (1 + 0.02 * (random.next() - 0.5));
    const data = Uint8Array.from({ length: 64 * 64 }, (_, i) => {
      const pattern = 60 + 20 * Math.sin((i % 64) / 5) + 20 * Math.cos(Math.floor(i / 64) / 9);
      return Math.round(level * (pattern + 6 * random.next()));
    });
    return encode({ width: 64, height: 64, channels: 1, depth: 8, data });
  });
}

const driftNotices = () => store.notices.list().filter(({ id }) => id === `drift-${projectId}`);

test('light that changes is said with its time, in a notice and in the audit log; the line goes on', async () => {
  const { id: classId } = store.projects.createClass(projectId, 'tile');
  const snapshotPictures = [];
  for (const bytes of steadyParts(80, 1)) {
    const sha256 = await store.files.addPicture(bytes, 'png');
    const addedAt = new Date().toISOString();
    store.pictures.register({ sha256, extension: 'png', widthPx: 64, heightPx: 64, byteCount: bytes.length }, addedAt);
    store.pictures.place({ projectId, sha256, classId, use: 'normal', fileName: 'good.png', group: null, addedAt });
    snapshotPictures.push({ sha256, className: 'tile', use: 'normal' as const });
  }
  const { id: snapshotId } = store.pictures.takeSnapshot({
    projectId,
    createdAt: new Date().toISOString(),
    createdBy: 'test',
    hash: 'h',
    pictures: snapshotPictures,
  });
  const id = addModel({ snapshotId });
  store.models.activate(id);
  await judge([10]);
  await vi.waitFor(() => expect(existsSync(`${store.models.path(id)}.drift.json`)).toBe(true), { timeout: 30_000 });
  await judgePictures(steadyParts(60, 2));
  expect(driftNotices()).toEqual([]);
  await judgePictures(steadyParts(50, 3, 0.8));
  const notice = events.find((event) => event.type === 'notice' && event.id === `drift-${projectId}`);
  expect(notice).toMatchObject({ level: 'fault' });
  expect(notice?.type === 'notice' && notice.message).toMatch(
    /^Tiles: The light has changed \(brightness -\d+ %\), since part \d+, \d\d:\d\d\. The calibration no longer covers/,
  );
  expect(driftNotices()).toHaveLength(1);
  const [event] = store.events.page(null, 10, 'drift.alarm');
  expect(event).toMatchObject({ actor: 'system', details: { projectId, cause: 'light' } });
  expect(feeds.state(projectId).fault).toBeNull();
  await feeds.stop(projectId);
  await judge([30]);
  expect(driftNotices()).toEqual([]);
});

test('a candidate judges beside the active model, its disagreements are listed, the line sees none of it', async () => {
  const caller = { userId: null, name: 'Ann', role: 'engineer' as const };
  const ann = { ...caller, role: 'quality' as const };
  const { 'models.shadowStart': start, 'models.shadowState': state } = feeds.shadow.handlers;
  const active = addModel();
  const candidate = addModel();
  await expect(start({ modelId: candidate, parts: 4 }, caller)).rejects.toMatchObject({ code: 'shadowNotBeside' });
  store.models.activate(active);
  store.models.applyThresholds(candidate, {
    at: new Date().toISOString(),
    by: 'Ann',
    thresholds: { review: 0.4, fail: 0.6 },
    basis: '',
    reason: 'Stricter',
  });
  await judge([10]);
  expect(await start({ modelId: candidate, parts: 4 }, caller)).toMatchObject({ state: 'running', judged: 0 });
  // One by one: what comes while the candidate is busy goes by.
  for (const [i, brightness] of [10, 60, 10, 250].entries()) {
    const [part] = await judge([brightness]);
    expect(part?.verdict).toBe(brightness === 250 ? 'fail' : 'pass');
    expect(part?.modelId).toBe(active);
    await vi.waitFor(async () => expect((await state({ projectId }, caller))?.judged).toBe(i + 1), { timeout: 30_000 });
    if (i === 1) await restartRun(candidate);
  }
  const compared = await state({ projectId }, caller);
  expect(compared).toMatchObject({ state: 'complete', agreeing: 3, newlyRejected: 1, newlyAccepted: 0, skipped: 0 });
  expect(compared?.disagreements).toMatchObject([{ active: { verdict: 'pass' }, candidate: { verdict: 'fail' } }]);
  expect(compared?.disagreementRate.high).toBeCloseTo(0.8059, 3);
  await judge([60]);
  expect((await state({ projectId }, caller))?.judged).toBe(4);
  const actions = store.events.page(null, 10, null).map(({ action }) => action);
  expect(actions).toEqual(expect.arrayContaining(['model.shadowStarted', 'model.shadowEnded']));
  // It's on the disk.
  const context = { folder: store.folder, store, emit: () => undefined, now: () => '' };
  const after = new FeedService(context, { host });
  expect(await after.shadow.handlers['models.shadowState']({ projectId }, caller)).toEqual(compared);
  await after.close();
  const promoted = await models.activate(candidate, ann, { reason: 'It judged as we wanted.' }, null);
  expect(promoted.activated).toBe(true);
  expect((await judge([61]))[0]).toMatchObject({ verdict: 'fail', modelId: candidate });
});

/** Ends the run and begins it again, without a part, and waits for the candidate beside it. */
async function restartRun(candidate: string): Promise<void> {
  await feeds.stop(projectId);
  const opened = () => host.opened.filter(({ modelId }) => modelId === candidate).length;
  const before = opened();
  const empty = path.join(root, newId());
  await mkdir(empty);
  const recipe = store.recipes.save({
    id: null,
    projectId,
    name: 'r',
    source: { kind: 'folder', path: empty, originals: 'keep', subFolder: 'none', namePattern: '' },
    region: null,
    ignore: [],
    outputFolder: null,
    cycleTimeMs: null,
    lot: '',
    updatedAt: new Date().toISOString(),
  });
  await feeds.start(recipe);
  await vi.waitFor(() => expect(opened()).toBe(before + 1), { timeout: 30_000 });
}
