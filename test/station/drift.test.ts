import { encode } from 'fast-png';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { contract } from '../../shared/ipc/contract.ts';
import { createRandom } from '../../shared/random.ts';
import type { StationEvent } from '../../shared/ipc/contract.ts';
import type { StationPart } from '../../shared/station/domain.ts';
import type { Caller } from '../../main/ipc/handler.ts';
import type { StationContext } from '../../main/station/context.ts';
import { FeedService } from '../../main/station/feed.ts';
import { exportHistory } from '../../main/station/history-export.ts';
import { newId } from '../../main/store/files.ts';
import { openStore, type Store } from '../../main/store/store.ts';
import { newModel } from '../store/new-model.ts';
import { LocalHost } from './local-host.ts';

const engineer: Caller = { userId: null, name: 'Eve', role: 'engineer' };
const times = { heartbeatMs: 1000, firstWaitMs: 1 };

let root: string;
let store: Store;
let feeds: FeedService;
let host: LocalHost;
let projectId: string;
let events: StationEvent[];
let context: StationContext;

beforeEach(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'twinspect drift ü '));
  store = await openStore(path.join(root, 'station'));
  events = [];
  context = {
    folder: store.folder,
    store,
    emit: (event) => void events.push(event),
    now: () => new Date().toISOString(),
  };
  host = new LocalHost();
  feeds = new FeedService(context, { host, times });
  projectId = store.projects.create({ name: 'Tiles', note: '', createdAt: new Date().toISOString() }).id;
});
afterEach(async () => {
  await feeds.close();
  store.close();
  await rm(root, { recursive: true, force: true });
});

/** The station ends and starts again; only what lies on the disk is left. */
async function restart(): Promise<void> {
  await feeds.close();
  store.close();
  store = await openStore(path.join(root, 'station'));
  context = { ...context, store };
  feeds = new FeedService(context, { host, times });
}

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

async function placePictures(pictures: readonly Uint8Array[], use: 'normal' | 'calibration', classId: string) {
  const placed = [];
  for (const bytes of pictures) {
    const sha256 = await store.files.addPicture(bytes, 'png');
    const addedAt = new Date().toISOString();
    store.pictures.register({ sha256, extension: 'png', widthPx: 64, heightPx: 64, byteCount: bytes.length }, addedAt);
    store.pictures.place({ projectId, sha256, classId, use, fileName: 'good.png', group: null, addedAt });
    placed.push({ sha256, className: 'tile', use });
  }
  return placed;
}

/** An active model with 80 good pictures that it learned from, and its baseline. */
async function activeModel(calibration: readonly Uint8Array[] = []): Promise<string> {
  const { id: classId } = store.projects.createClass(projectId, 'tile');
  const pictures = await placePictures(steadyParts(80, 1), 'normal', classId);
  await placePictures(calibration, 'calibration', classId);
  const createdAt = new Date().toISOString();
  const { id } = store.pictures.takeSnapshot({ projectId, createdAt, createdBy: 'test', hash: 'h', pictures });
  const modelId = addModel(id);
  store.models.activate(modelId);
  await judge(steadyParts(1, 99));
  await baselineOf(modelId);
  return modelId;
}

function addModel(snapshotId: string): string {
  const id = newId();
  store.models.add({
    ...newModel(projectId, id),
    snapshotId,
    modelHash: Buffer.from(id).toString('hex').padStart(64, '0').slice(-64),
    classes: ['tile'],
    thresholds: { review: 3, fail: 3.5 },
  });
  return id;
}

async function baselineOf(modelId: string): Promise<void> {
  const file = `${store.models.path(modelId)}.drift.json`;
  await vi.waitFor(() => expect(existsSync(file)).toBe(true), { timeout: 120_000 });
  await vi.waitFor(async () => expect((await drift('drift.state')).watching).toBe(true), { timeout: 120_000 });
}

async function judge(pictures: readonly Uint8Array[]): Promise<StationPart[]> {
  const folder = path.join(root, newId());
  await mkdir(folder);
  for (const [i, bytes] of pictures.entries()) {
    await writeFile(path.join(folder, `${String(i).padStart(4, '0')}.png`), bytes);
  }
  const first = store.parts.newestId();
  await feeds.handlers['feed.judgeFiles']({ projectId, paths: [folder] }, engineer);
  const ids = pictures.map((_, i) => first + i + 1);
  await vi.waitFor(() => expect(store.parts.get(ids.at(-1)!)?.verdict).toBeTruthy(), { timeout: 120_000 });
  return ids.map((id) => store.parts.get(id)!);
}

/** The numbers of judged parts come after their verdicts. */
async function taken(parts: number): Promise<void> {
  await vi.waitFor(async () => expect((await drift('drift.state')).parts).toBe(parts), { timeout: 120_000 });
}

async function drift(channel: 'drift.state') {
  return contract[channel].output.parse(await feeds.drift.handlers[channel]({ projectId }, engineer));
}

const driftNotices = () => store.notices.list().filter(({ id }) => id === `drift-${projectId}`);

test('light that changes: said with its time, noted with the parts, kept over restarts, ended by a person', async () => {
  const modelId = await activeModel();
  await judge(steadyParts(60, 2));
  await taken(60);
  expect(driftNotices()).toEqual([]);
  // Some parts before the station ends, some after: the guard goes on where it was.
  await judge(steadyParts(5, 3, 0.8));
  await taken(65);
  expect((await drift('drift.state')).alarm).toBeNull();
  await restart();
  await judge(steadyParts(1, 5, 0.8));
  await baselineOf(modelId);
  expect((await drift('drift.state')).parts).toBeGreaterThanOrEqual(65);
  await judge(steadyParts(40, 4, 0.8));
  await vi.waitFor(async () => expect((await drift('drift.state')).alarm).not.toBeNull(), { timeout: 120_000 });
  const { alarm } = await drift('drift.state');
  expect(alarm).toMatchObject({ cause: 'light', modelId, ended: null });
  expect(alarm!.change).toBeLessThan(-15);
  const notice = events.find((event) => event.type === 'notice' && event.id === `drift-${projectId}`);
  expect(notice?.type === 'notice' && notice.message).toMatch(
    /^Tiles: The light has changed \(brightness -\d+ %\), since part \d+, \d\d:\d\d\. The calibration no longer covers/,
  );
  const [event] = store.events.page(null, 10, 'drift.alarm');
  expect(event).toMatchObject({ actor: 'system', details: { projectId, cause: 'light' } });
  // It never stops the line, and every part from then on says so.
  expect(feeds.state(projectId).fault).toBeNull();
  const [marked] = await judge(steadyParts(1, 6));
  expect(marked).toMatchObject({ verdict: 'pass', drift: { alarmId: alarm!.id, cause: 'light' } });
  await restart();
  expect((await drift('drift.state')).alarm).toMatchObject({ id: alarm!.id });
  expect((await judge(steadyParts(1, 7)))[0]).toMatchObject({ drift: { cause: 'light' } });
  expect(driftNotices()).toHaveLength(1);
  const table = path.join(root, 'all.csv');
  const filter = { projectId, from: null, to: null, className: null, lot: null, serial: null, station: null };
  await exportHistory(store, { ...filter, verdict: null, person: 'any' }, 'csv', table);
  expect(await readFile(table, 'utf8')).toContain('notCoveredBecause');

  const acknowledge = feeds.drift.handlers['drift.acknowledge'];
  expect(contract['drift.acknowledge'].role).toBe('engineer');
  const wrong = async () => acknowledge({ projectId, alarmId: 999, reason: 'A new lamp.' }, engineer);
  await expect(wrong()).rejects.toMatchObject({ code: 'driftAlarmOver' });
  const after = await acknowledge({ projectId, alarmId: alarm!.id, reason: 'A new lamp.' }, engineer);
  expect(after).toMatchObject({ alarm: null, parts: 0, begunBecause: 'acknowledged' });
  expect(driftNotices()).toEqual([]);
  expect(store.events.page(null, 10, 'drift.acknowledged')[0]).toMatchObject({
    actor: 'Eve',
    role: 'engineer',
    details: { reason: 'A new lamp.', alarmId: alarm!.id },
  });
  const [kept] = await feeds.drift.handlers['drift.history']({ projectId }, engineer);
  expect(kept).toMatchObject({ cause: 'light', ended: { how: 'acknowledged', by: 'Eve', reason: 'A new lamp.' } });
  expect(kept!.parts).toBeGreaterThanOrEqual(2);
  expect((await judge(steadyParts(1, 8)))[0]!.drift).toBeNull();
  // A verdict's note is part of it: it stays.
  expect(store.parts.get(marked!.id)).toMatchObject({ drift: { cause: 'light' } });
});

test('scores and class distances that move are found although the pictures look the same', async () => {
  host.distanceOf = (predScore) => 1 + predScore / 100;
  await activeModel(steadyParts(60, 11));
  expect(await drift('drift.state')).toMatchObject({ goodPictures: 140, scoredPictures: 60 });
  await judge(steadyParts(40, 12));
  await taken(40);
  expect((await drift('drift.state')).alarm).toBeNull();
  host.distanceOf = (predScore) => 4 + predScore / 100;
  await judge(steadyParts(40, 13));
  await vi.waitFor(async () => expect((await drift('drift.state')).alarm).not.toBeNull(), { timeout: 120_000 });
  expect((await drift('drift.state')).alarm).toMatchObject({ cause: 'product', streams: ['classDistance'] });
});

test('other camera settings are said at once; acknowledged, they are the reference', async () => {
  await activeModel();
  const tell = (settings: Record<string, string | number>) =>
    feeds.drift.handlers['drift.cameraSettings']({ projectId, settings }, engineer);
  const locked = { exposureMode: 'manual', exposureTime: 100, frameRate: 30, deviceId: 'x' };
  await tell(locked);
  await tell({ ...locked, frameRate: 25 });
  expect((await drift('drift.state')).alarm).toBeNull();
  await tell({ ...locked, exposureTime: 200 });
  const { alarm } = await drift('drift.state');
  expect(alarm).toMatchObject({ cause: 'camera', detail: 'exposureTime 100 -> 200' });
  expect((await judge(steadyParts(1, 14)))[0]).toMatchObject({ drift: { cause: 'camera' } });
  await feeds.drift.handlers['drift.acknowledge']({ projectId, alarmId: alarm!.id, reason: 'On purpose.' }, engineer);
  await tell({ ...locked, exposureTime: 200 });
  expect((await drift('drift.state')).alarm).toBeNull();
  await tell(locked);
  expect((await drift('drift.state')).alarm).toMatchObject({ cause: 'camera', detail: 'exposureTime 200 -> 100' });
});

test('another model begins afresh, and the history says why the alarm ended', async () => {
  const before = await activeModel();
  await judge(steadyParts(40, 21, 0.7));
  await vi.waitFor(async () => expect((await drift('drift.state')).alarm).not.toBeNull(), { timeout: 120_000 });
  const next = addModel(store.models.get(before).snapshotId);
  store.models.activate(next);
  await feeds.modelChanged(projectId);
  await baselineOf(next);
  expect(await drift('drift.state')).toMatchObject({ alarm: null, begunBecause: 'newModel', parts: 0 });
  const [kept] = await feeds.drift.handlers['drift.history']({ projectId }, engineer);
  expect(kept).toMatchObject({ modelId: before, ended: { how: 'newModel', by: 'system' } });
  expect(store.events.page(null, 10, 'drift.restarted')[0]).toMatchObject({ details: { because: 'newModel' } });
  expect(driftNotices()).toEqual([]);
});
