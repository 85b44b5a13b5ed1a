import { spawn } from 'node:child_process';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { contract } from '../../shared/ipc/contract.ts';
import { FeedService } from '../../main/station/feed.ts';
import { openStore, type Store } from '../../main/store/store.ts';
import { projectRoot } from '../../main/system/project-root.ts';
import { greyPng } from '../cli/pictures.ts';
import { newModel, noFilter } from '../store/helpers.ts';
import { LocalHost } from './local-host.ts';

let root: string;
let store: Store;
let feeds: FeedService;
let projectId: string;
let recipeId: string;
/** Added to the station's clock. */
let clockOffMs: number;

beforeEach(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'twinspect bad ä 한 '));
  store = await openStore(path.join(root, 'station'));
  clockOffMs = 0;
  const now = (): string => new Date(Date.now() + clockOffMs).toISOString();
  const context = { folder: store.folder, store, emit: () => undefined, now };
  feeds = new FeedService(context, { host: new LocalHost(), times: { heartbeatMs: 1000, firstWaitMs: 1 } });
  projectId = store.projects.create({ name: 'Tiles 🧱', note: '', createdAt: now() }).id;
  store.models.add(newModel(projectId, 'm1'));
  store.models.activate('m1');
  await mkdir(path.join(root, 'in'));
  recipeId = store.recipes.save({
    id: null,
    projectId,
    name: 'r',
    source: {
      kind: 'folder',
      path: path.join(root, 'in'),
      originals: 'keep',
      subFolder: 'lot',
      namePattern: '{serial}',
    },
    region: null,
    ignore: [],
    outputFolder: path.join(root, 'out'),
    cycleTimeMs: null,
    lot: '',
    updatedAt: now(),
  }).id;
});
afterEach(async () => {
  await feeds.close();
  store.close();
  await rm(root, { recursive: true, force: true });
});

const until = (isSo: () => boolean): Promise<void> => vi.waitFor(() => expect(isSo()).toBe(true), { timeout: 60_000 });
const decided = (): number => {
  const { pass, fail, review, noDecision } = store.parts.counters(projectId);
  return pass + fail + review + noDecision;
};
async function put(name: string, brightness: number): Promise<string> {
  const file = path.join(root, 'in', name);
  await mkdir(path.dirname(file), { recursive: true });
  await writeFile(file, greyPng(brightness, 16, name.length));
  return file;
}
const start = () => feeds.start(store.recipes.get(recipeId));

test('names of every script, with everything a file system takes, stay as they are', async () => {
  const names = [
    '부품 1',
    '零件②',
    'Teil größer',
    'e\u0301 combining',
    '🧱👩‍🏭',
    'مرحبا',
    '\u202Eright to left',
    'new\nline',
    'tab\there',
    'quote\'"; DROP TABLE parts;--',
    '%s {serial} $1 \\d',
    '-rf',
    '=1+1',
    'x'.repeat(250),
    '\u{1F9F1}'.repeat(60),
    ' leading and trailing ',
  ];
  const folders = ['Losgröße 한', 'L'.repeat(250), '🧱'.repeat(60)];
  const files = await Promise.all(names.map((name, i) => put(`${folders[i % 3]!}/${name}.png`, 10)));
  await start();
  await until(() => decided() === names.length);
  await until(() => store.parts.untold(projectId).length === 0);
  const { counters } = await feeds.stop(projectId);
  expect(counters).toMatchObject({ presented: names.length, pass: names.length });
  // As the window gets them.
  const { parts } = contract['history.page'].output.parse(store.history.page(noFilter(projectId), null, 50));
  expect(new Set(parts.map(({ source }) => source))).toEqual(new Set(files));
  expect(new Set(parts.map(({ lot }) => lot))).toEqual(new Set(folders));
  // A serial has one form, however the name's characters are put together.
  const serials = names.map((name) => name.trim().normalize('NFC'));
  expect(parts.map(({ serial }) => serial?.trim()).sort()).toEqual(serials.sort());
  // What a person looks for is found again by its serial.
  for (const serial of ['🧱', '零件', '\u00e9', "quote'"])
    expect(store.history.page({ ...noFilter(projectId), serial }, null, 5).parts.length).toBeGreaterThan(0);
});

test('a clock that jumps back by a day and forth by a year while a feed runs: order, counts and verdicts stay', async () => {
  await start();
  const jumps = [0, -86_400_000, -86_400_000, 365 * 86_400_000, 0];
  for (const [i, jump] of jumps.entries()) {
    clockOffMs = jump;
    await put(`${String(i)}.png`, 10);
    await until(() => decided() === i + 1);
  }
  const { counters, state } = await feeds.stop(projectId);
  expect(state).toBe('stopped');
  expect(counters).toMatchObject({ presented: jumps.length, pass: jumps.length });
  const { parts } = store.history.page(noFilter(projectId), null, 50);
  expect(parts.map(({ serial }) => serial)).toEqual(['4', '3', '2', '1', '0']);
  expect(store.parts.undecided()).toEqual([]);
});

test('the folder of the pictures becomes unusable under a running feed: no decision, loud; it goes on by itself', async () => {
  await start();
  await put('a.png', 10);
  await until(() => decided() === 1);
  const pictures = path.join(store.folder, 'pictures');
  await rename(pictures, path.join(root, 'pictures away'));
  // A file in its place: nothing can be written there, whoever runs this.
  writeFileSync(pictures, '');
  await put('b.png', 20);
  await until(() => decided() === 2);
  expect(store.parts.get(2)).toMatchObject({ verdict: 'noDecision', pictureSha256: null });
  expect(store.parts.get(2)!.reason).toContain('could not be kept');
  rmSync(pictures);
  await rename(path.join(root, 'pictures away'), pictures);
  await put('c.png', 30);
  await until(() => decided() === 3);
  expect(store.parts.get(3)).toMatchObject({ verdict: 'pass' });
  expect(store.pictures.path(store.parts.get(3)!.pictureSha256!)).not.toBeNull();
  await until(() => feeds.state(projectId).fault === null);
});

test('the folder of results goes away under a running feed: the line waits, loud, and loses nothing', async () => {
  await start();
  await put('a.png', 10);
  await until(() => decided() === 1 && existsSync(path.join(root, 'out', 'pass')));
  await until(() => store.parts.untold(projectId).length === 0);
  await rename(path.join(root, 'out', 'pass'), path.join(root, 'pass away'));
  writeFileSync(path.join(root, 'out', 'pass'), '');
  await put('b.png', 20);
  await until(() => feeds.state(projectId).state === 'fault');
  // Its verdict stands; its outputs are what is waited for.
  expect(store.parts.get(2)).toMatchObject({ verdict: 'pass' });
  rmSync(path.join(root, 'out', 'pass'));
  await put('c.png', 30);
  await until(() => decided() === 3 && feeds.state(projectId).fault === null);
  const { counters } = await feeds.stop(projectId);
  expect(counters).toMatchObject({ presented: 3, pass: 3 });
});

test('files that are torn have no decision, with the reason', async () => {
  const torn = path.join(root, 'torn.png');
  await writeFile(torn, greyPng(10, 16, 1).subarray(0, 60));
  const whole = path.join(root, 'whole.png');
  await writeFile(whole, greyPng(10, 16, 2));
  const caller = { userId: null, name: 'Ann', role: 'operator' } as const;
  const judge = feeds.handlers['feed.judgeFiles'];
  expect(await judge({ projectId, paths: [torn, whole] }, caller)).toEqual({ presented: 2 });
  await until(() => decided() === 2);
  expect(store.parts.get(1)).toMatchObject({ verdict: 'noDecision', source: torn, hasHeatMap: false });
  expect(store.parts.get(1)!.reason).toContain('torn.png');
  expect(store.parts.get(2)).toMatchObject({ verdict: 'pass', source: whole });
  await expect(judge({ projectId, paths: [path.join(root, 'nowhere.png')] }, caller)).rejects.toMatchObject({
    code: 'pathMissing',
  });
});

test('a second program on the same station is refused as long as the first one lives, however that ends', async () => {
  const folder = path.join(root, 'shared station');
  // The very lock that a running station holds, in another process.
  const script = `import { DatabaseSync } from '@photostructure/sqlite';
    import { mkdirSync } from 'node:fs';
    mkdirSync(${JSON.stringify(folder)}, { recursive: true });
    const lock = new DatabaseSync(${JSON.stringify(path.join(folder, 'station.lock'))});
    lock.exec('PRAGMA busy_timeout = 0; BEGIN EXCLUSIVE');
    process.stdout.write('held');
    setInterval(() => lock.isOpen, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { cwd: projectRoot(), stdio: 'pipe' });
  await new Promise((done) => child.stdout.once('data', done));
  await expect(openStore(folder)).rejects.toMatchObject({ code: 'stationOpen' });
  child.kill('SIGKILL');
  await new Promise((done) => child.once('close', done));
  (await openStore(folder)).close();
});
