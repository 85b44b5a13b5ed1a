import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { FeedService } from '../../main/station/feed.ts';
import { openStore, type Store } from '../../main/store/store.ts';
import { systemCaller } from '../../main/store/types.ts';
import { greyPng } from '../cli/pictures.ts';
import { newModel } from '../store/helpers.ts';
import { LocalHost } from './local-host.ts';

const many = 1000;
let root: string;
let folder: string;
let store: Store;
let feeds: FeedService;
let host: LocalHost;
let projectId: string;

async function openStation(): Promise<void> {
  store = await openStore(path.join(root, 'station'));
  const context = { folder: store.folder, store, emit: () => undefined, now: () => new Date().toISOString() };
  host = new LocalHost();
  feeds = new FeedService(context, { host, times: { heartbeatMs: 5000, firstWaitMs: 1 } });
}

beforeEach(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'twinspect drop ä 한 '));
  folder = path.join(root, 'pictures');
  await mkdir(folder);
  for (let i = 0; i < many; i++) await writeFile(path.join(folder, `${String(i)}.png`), greyPng(i % 256, 16, i));
  await openStation();
  projectId = store.projects.create({ name: 'Tiles', note: '', createdAt: new Date().toISOString() }).id;
  store.models.add(newModel(projectId, 'm1'));
  store.models.activate('m1');
});
afterEach(async () => {
  await feeds.close();
  store.close();
  await rm(root, { recursive: true, force: true });
});

const until = (isSo: () => boolean): Promise<void> =>
  vi.waitFor(() => expect(isSo()).toBe(true), { timeout: 120_000, interval: 50 });
const counters = () => store.parts.counters(projectId);
const decided = (): number => {
  const { pass, fail, review, noDecision } = counters();
  return pass + fail + review + noDecision;
};
const drop = () =>
  feeds.handlers['feed.judgeFiles'](
    { projectId, paths: Array.from({ length: many }, (_, i) => path.join(folder, `${String(i)}.png`)) },
    systemCaller,
  );

test('a thousand files dropped at once are durable parts at once; a crash in their midst loses none', async () => {
  const dropped = drop();
  await until(() => decided() > 20);
  host.crash();
  expect(await dropped).toEqual({ presented: many });
  // Known for good, however few have been looked at.
  expect(counters().presented).toBe(many);
  await until(() => decided() > 200);
  host.crash();
  await until(() => decided() === many);
  expect(counters()).toMatchObject({ presented: many, noDecision: 0 });
  const shown = feeds.state(projectId).counters;
  expect(shown.pass + shown.fail + shown.review + shown.noDecision).toBe(shown.presented);
  const sources = Array.from({ length: many }, (_, i) => store.parts.get(i + 1)!.source);
  expect(new Set(sources).size).toBe(many);
}, 240_000);

test('stopped in the midst, the rest gets its record; the end of the station leaves it in the queue', async () => {
  void (await drop());
  await until(() => decided() > 50);
  await feeds.stop(projectId);
  expect(counters().presented).toBe(many);
  expect(store.parts.undecided()).toEqual([]);
  expect(counters().noDecision).toBeGreaterThan(0);
  const last = store.parts.get(many)!;
  expect(last).toMatchObject({ verdict: 'noDecision', reason: 'The feed was stopped before it was judged.' });

  void (await drop());
  await until(() => decided() > many + 50);
  await feeds.close();
  store.close();
  await openStation();
  expect(store.parts.undecided().length).toBeGreaterThan(0);
  feeds.recover();
  await until(() => decided() === 2 * many);
  expect(store.parts.get(2 * many)!.verdict).not.toBe('noDecision');
  await until(() => feeds.state(projectId).state === 'stopped');
}, 240_000);

test('a disk that is full while files are dropped: as many parts as are written, told as many, all judged when there is room', async () => {
  const pages = store.database.value<number>('PRAGMA page_count')!;
  // SQLite's own limit gives the very error of a full disk.
  store.database.exec(`PRAGMA max_page_count = ${String(pages + 60)}`);
  await expect(drop()).rejects.toMatchObject({ code: 'diskFull' });
  store.database.exec('PRAGMA max_page_count = 1000000');
  const written = counters().presented;
  expect(written).toBeLessThan(many);
  await until(() => decided() === written && feeds.state(projectId).fault === null);
  const { presented, pass, fail, review, noDecision } = feeds.state(projectId).counters;
  expect({ presented, decided: pass + fail + review + noDecision }).toEqual({ presented: written, decided: written });
}, 240_000);

test('a thousand files that are in a watched folder at once: each is judged once', async () => {
  const at = new Date().toISOString();
  const recipe = store.recipes.save({
    id: null,
    projectId,
    name: 'r',
    source: { kind: 'folder', path: folder, originals: 'keep', subFolder: 'none', namePattern: '' },
    region: null,
    ignore: [],
    outputFolder: null,
    cycleTimeMs: null,
    lot: '',
    updatedAt: at,
  });
  await feeds.start(recipe);
  await until(() => decided() === many);
  const { counters: shown } = await feeds.stop(projectId);
  expect(shown).toMatchObject({ presented: many, noDecision: 0 });
  expect(shown).toEqual(counters());
}, 240_000);
