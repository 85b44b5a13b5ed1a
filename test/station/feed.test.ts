import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { UserError } from '../../shared/errors.ts';
import type { StationEvent } from '../../shared/ipc/contract.ts';
import type { FeedSource, Recipe } from '../../shared/station/domain.ts';
import type { StationContext } from '../../main/station/context.ts';
import { recipeHandlers } from '../../main/station/history.ts';
import { FeedService } from '../../main/station/feed.ts';
import { newId, StationFiles } from '../../main/store/files.ts';
import { openStore, type Store } from '../../main/store/store.ts';
import { recordId } from '../../main/inspection/record.ts';
import { greyPng } from '../cli/pictures.ts';
import { newModel } from '../store/new-model.ts';
import { LocalHost } from './local-host.ts';

let root: string;
let store: Store;
let feeds: FeedService;
let host: LocalHost;
let projectId: string;
let events: StationEvent[];
let context: StationContext;
/** Added to the station's clock. */
let clockOffMs: number;

async function openStation(): Promise<void> {
  store = await openStore(path.join(root, 'station'));
  events = [];
  clockOffMs = 0;
  context = {
    folder: store.folder,
    store,
    emit: (event) => void events.push(event),
    now: () => new Date(Date.now() + clockOffMs).toISOString(),
  };
  host = new LocalHost();
  feeds = new FeedService(context, { host, times: { heartbeatMs: 1000, firstWaitMs: 1 } });
}

beforeEach(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'twinspect feeds ä '));
  await openStation();
  projectId = store.projects.create({ name: 'Tiles', note: '', createdAt: new Date().toISOString() }).id;
  addModel();
});
afterEach(async () => {
  vi.restoreAllMocks();
  await feeds.close();
  store.close();
  await rm(root, { recursive: true, force: true });
});

function addModel(): string {
  const id = newId();
  store.models.add({ ...newModel(projectId, id), classes: ['tile'], thresholds: { review: 1.5, fail: 2.5 } });
  store.models.activate(id);
  return id;
}

function recipe(source: Partial<Extract<FeedSource, { kind: 'folder' }>>, more: Partial<Recipe> = {}): Recipe {
  return store.recipes.save({
    id: null,
    projectId,
    name: 'r',
    source: {
      kind: 'folder',
      path: path.join(root, 'in'),
      originals: 'keep',
      subFolder: 'none',
      namePattern: '',
      ...source,
    },
    region: null,
    ignore: [],
    outputFolder: null,
    cycleTimeMs: null,
    lot: 'L0',
    updatedAt: new Date().toISOString(),
    ...more,
  });
}

async function put(name: string, brightness: number): Promise<string> {
  const file = path.join(root, 'in', name);
  await mkdir(path.dirname(file), { recursive: true });
  await writeFile(file, greyPng(brightness, 16, name.length));
  return file;
}

const until = (isSo: () => boolean): Promise<void> => vi.waitFor(() => expect(isSo()).toBe(true), { timeout: 120_000 });
const decided = (count: number) => () => {
  const { pass, fail, review, noDecision } = feeds.state(projectId).counters;
  return pass + fail + review + noDecision === count;
};

test('name, place and lot of a file go into its record; judged files are moved out of the way', async () => {
  await put('A7/tile_000123.png', 10);
  await put('A7/nonsense.png', 200);
  await feeds.start(recipe({ subFolder: 'lot', namePattern: '{class}_{serial}', originals: 'move' }));
  await until(decided(2));
  await until(() => existsSync(path.join(root, 'in-judged', 'fail')));
  await until(() => !existsSync(path.join(root, 'in', 'A7', 'nonsense.png')));
  const { counters } = await feeds.stop(projectId);
  expect(counters).toMatchObject({ presented: 2, pass: 1, fail: 1 });
  const parts = [1, 2].map((id) => store.parts.get(id)!);
  const named = parts.find(({ source }) => source.endsWith('tile_000123.png'))!;
  expect(named).toMatchObject({ serial: '000123', lot: 'A7', verdict: 'pass', className: 'tile' });
  expect(parts.find(({ verdict }) => verdict === 'fail')).toMatchObject({ serial: null, lot: 'A7', hasHeatMap: true });
  expect(await readdir(path.join(root, 'in', 'A7'))).toEqual([]);
  expect(await readdir(path.join(root, 'in-judged', 'pass', 'A7'))).toMatchObject([/tile_000123\.png$/]);
});

test('a file is judged once, also by the next run; with a new content it is another part', async () => {
  await put('a.png', 10);
  await feeds.start(recipe({}));
  await until(decided(1));
  await feeds.stop(projectId);
  await feeds.start(recipe({}));
  await put('b.png', 120);
  await until(decided(1));
  await put('a.png', 250);
  await until(decided(2));
  await feeds.stop(projectId);
  expect(store.parts.counters(projectId)).toMatchObject({ presented: 3, pass: 1, review: 1, fail: 1 });
});

test('a folder that goes away is a loud fault until it is back', async () => {
  await put('a.png', 10);
  await feeds.start(recipe({}));
  await until(decided(1));
  await rename(path.join(root, 'in'), path.join(root, 'away'));
  await until(() => feeds.state(projectId).state === 'fault');
  expect(feeds.state(projectId).fault).toMatchObject({ code: 'feedLost', acknowledged: false });
  await rename(path.join(root, 'away'), path.join(root, 'in'));
  await until(() => feeds.state(projectId).state === 'waiting');
  await put('b.png', 10);
  await until(decided(2));
});

test('a full disk stops the line loud and loses nothing; it goes on by itself', async () => {
  let isFull = true;
  const full = (): never => {
    throw new UserError('diskFull', 'There is no space left.', 'Free some.');
  };
  const decide = store.parts.decide.bind(store.parts);
  vi.spyOn(store.parts, 'decide').mockImplementation((...given) => (isFull ? full() : decide(...given)));
  await put('a.png', 10);
  await put('b.png', 10);
  await feeds.start(recipe({}));
  await until(() => feeds.state(projectId).state === 'fault');
  expect(feeds.state(projectId).fault).toMatchObject({ code: 'diskFull', remedy: 'Free some.' });
  isFull = false;
  await until(decided(2));
  await until(() => feeds.state(projectId).fault === null);
  expect(store.parts.counters(projectId)).toMatchObject({ presented: 2, pass: 2 });
});

test('a picture that there is no room for has no decision, with the reason', async () => {
  const add = vi.spyOn(StationFiles.prototype, 'addPicture').mockImplementation(() => {
    return Promise.reject(new UserError('diskFull', 'There is no space left.', 'Free some.'));
  });
  await put('a.png', 10);
  await feeds.start(recipe({}));
  await until(decided(1));
  expect(store.parts.get(1)).toMatchObject({ verdict: 'noDecision', pictureSha256: null });
  expect(store.parts.get(1)!.reason).toContain('no space left');
  add.mockRestore();
  await put('b.png', 10);
  await until(decided(2));
  expect(store.parts.get(2)).toMatchObject({ verdict: 'pass' });
  await until(() => feeds.state(projectId).fault === null);
});

test('what the end of the whole station left is judged from its file, or gets its record without a decision', async () => {
  const there = await put('there.png', 200);
  const bytes = greyPng(200, 16, 'there.png'.length);
  const { createHash } = await import('node:crypto');
  const hash = createHash('sha256').update(bytes).digest('hex');
  const present = (source: string, file: string | null, recordKey: string): number =>
    store.parts.present({
      projectId,
      source,
      serial: null,
      lot: null,
      station: 's',
      shift: null,
      presentedAt: new Date().toISOString(),
      recordKey,
      path: file,
    }).partId;
  const again = present(there, there, recordId(there, hash));
  const changed = await put('changed.png', 10);
  const other = present(changed, changed, recordId(changed, 'e'.repeat(64)));
  const gone = present('gone.png', path.join(root, 'gone.png'), 'f'.repeat(32));
  const camera = present('camera #1', null, 'camera:x:1');
  await feeds.close();
  store.close();

  await openStation();
  feeds.recover();
  await until(() => store.parts.undecided().length === 0);
  expect(store.parts.get(again)).toMatchObject({ verdict: 'fail' });
  expect(store.parts.get(other)).toMatchObject({ verdict: 'noDecision' });
  expect(store.parts.get(other)!.reason).toContain('changed before');
  for (const id of [gone, camera]) {
    expect(store.parts.get(id)).toMatchObject({ verdict: 'noDecision' });
    expect(store.parts.get(id)!.reason).toContain('station stopped');
  }
  await until(() => feeds.state(projectId).state === 'stopped');
});

test('a model that can not be opened is said when the feed starts; nothing is presented', async () => {
  host.refusal = new UserError('packageDamaged', 'The package is damaged.', 'Train again.');
  await put('a.png', 10);
  await expect(feeds.start(recipe({}))).rejects.toMatchObject({ code: 'packageDamaged' });
  expect(feeds.state(projectId)).toMatchObject({ state: 'fault', fault: { code: 'modelUnusable' } });
  expect(store.parts.newestId()).toBe(0);
});

test('a file that is handed over twice is judged twice; hundreds at once are all judged', async () => {
  const caller = { userId: null, name: 'Ann', role: 'operator' } as const;
  const judge = feeds.handlers['feed.judgeFiles'];
  const file = await put('a.png', 10);
  await judge({ projectId, paths: [file] }, caller);
  await until(decided(1));
  for (let i = 0; i < 200; i++) await put(`many/${String(i)}.png`, i);
  expect(await judge({ projectId, paths: [file, path.join(root, 'in', 'many')] }, caller)).toEqual({ presented: 201 });
  await until(decided(202));
  expect(store.parts.counters(projectId)).toMatchObject({ presented: 202 });
});

test('acknowledging a fault is kept with it; the lot of a running feed can be changed', async () => {
  await mkdir(path.join(root, 'in'));
  const line = recipe({});
  await feeds.start(line);
  const caller = { userId: null, name: 'Ann', role: 'operator' } as const;
  await feeds.handlers['feed.setLot']({ projectId, lot: 'L9' }, caller);
  await put('a.png', 10);
  await until(decided(1));
  expect(store.parts.get(1)).toMatchObject({ lot: 'L9' });
  // It holds from then on: when the line stops and starts, too, until the feed itself says another.
  await feeds.stop(projectId);
  await feeds.start(line);
  await put('b.png', 20);
  await until(() => (store.parts.get(2)?.verdict ?? null) !== null);
  expect(store.parts.get(2)).toMatchObject({ lot: 'L9' });
  await rm(path.join(root, 'in'), { recursive: true });
  await until(() => feeds.state(projectId).state === 'fault');
  await feeds.handlers['feed.acknowledge']({ projectId }, caller);
  expect(feeds.state(projectId).fault).toMatchObject({ acknowledged: true });
});

test('the lot set at the line is shown and holds after a restart, whatever the clock does, until its feed is changed', async () => {
  await mkdir(path.join(root, 'in'));
  const line = recipe({});
  const other = recipe({}, { name: 'other', lot: 'L5' });
  const caller = { userId: null, name: 'Ann', role: 'operator' } as const;
  /** What the line shows of each feed while it is stopped. */
  const shown = async () => {
    const list = await recipeHandlers(context)['recipes.list']({ projectId }, caller);
    return Object.fromEntries(list.map(({ id, nextLot }) => [id, nextLot]));
  };
  expect(await shown()).toEqual({ [line.id]: 'L0', [other.id]: 'L5' });
  await feeds.start(line);
  expect(feeds.state(projectId).lot).toBe('L0');
  clockOffMs = -86_400_000;
  expect(await feeds.handlers['feed.setLot']({ projectId, lot: 'L9' }, caller)).toMatchObject({ lot: 'L9' });
  await feeds.close();
  store.close();

  await openStation();
  expect(feeds.state(projectId).lot).toBe('L9');
  expect(await shown()).toEqual({ [line.id]: 'L9', [other.id]: 'L9' });
  expect(await feeds.start(store.recipes.get(line.id))).toMatchObject({ lot: 'L9' });
  await put('a.png', 10);
  await until(decided(1));
  expect(store.parts.get(1)).toMatchObject({ lot: 'L9' });
  await feeds.stop(projectId);

  clockOffMs = -2 * 86_400_000;
  const changed = store.recipes.save({ ...line, lot: 'L7', updatedAt: context.now() });
  const fresh = recipe({}, { name: 'new', lot: 'L8', updatedAt: context.now() });
  expect(await shown()).toEqual({ [changed.id]: 'L7', [other.id]: 'L9', [fresh.id]: 'L8' });
  expect(await feeds.start(changed)).toMatchObject({ lot: 'L7' });
});
