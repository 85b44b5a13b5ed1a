import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { FrameTaken, LiveFromJudge, LiveToJudge } from '../../shared/ipc/live.ts';
import type { Recipe } from '../../shared/station/domain.ts';
import { CameraFeed } from '../../main/feeds/camera.ts';
import type { FeedNews } from '../../main/feeds/feed.ts';
import { SeenSet } from '../../main/inspection/seen-set.ts';
import type { PortLike } from '../../main/processes/child.ts';
import { FeedService } from '../../main/station/feed.ts';
import { openStore, type Store } from '../../main/store/store.ts';
import { systemCaller } from '../../main/store/types.ts';
import { newModel } from '../store/helpers.ts';
import { LocalHost } from './local-host.ts';

const camera = {
  kind: 'camera',
  deviceLabel: 'Kamera über Tisch 3',
  widthPx: 32,
  heightPx: 32,
  frameRate: 30,
  trigger: 'key',
  timerMs: 1000,
  locked: {},
} as const;

let root: string;
let store: Store;
let feeds: FeedService;
let projectId: string;
let recipe: Recipe;
/** The window's end of the live channel. */
let send: (message: LiveToJudge) => void;
let answers: FrameTaken[];

async function openStation(): Promise<void> {
  store = await openStore(path.join(root, 'station'));
  const context = { folder: store.folder, store, emit: () => undefined, now: () => new Date().toISOString() };
  answers = [];
  const openLivePort = (): PortLike => ({
    postMessage: (message) => {
      const live = message as LiveFromJudge;
      if (live.type === 'frameTaken') answers.push(live);
      else queueMicrotask(() => send({ type: 'ack' }));
    },
    onMessage: (listener) => (send = listener),
    onClose: () => undefined,
    close: () => undefined,
  });
  feeds = new FeedService(context, { host: new LocalHost(), times: { firstWaitMs: 1 }, openLivePort });
}

beforeEach(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'twinspect camera ä '));
  await openStation();
  projectId = store.projects.create({ name: 'Tiles', note: '', createdAt: new Date().toISOString() }).id;
  store.models.add(newModel(projectId, 'm1'));
  store.models.activate('m1');
  const at = new Date().toISOString();
  const more = { region: null, ignore: [], outputFolder: null, cycleTimeMs: null, lot: 'L', updatedAt: at };
  recipe = store.recipes.save({ id: null, projectId, name: 'c', source: camera, ...more });
});
afterEach(async () => {
  await feeds.close();
  store.close();
  await rm(root, { recursive: true, force: true });
});

const until = (isSo: () => boolean): Promise<void> => vi.waitFor(() => expect(isSo()).toBe(true), { timeout: 120_000 });
const state = () => feeds.state(projectId);
const logged = (): string[] =>
  [...store.events.iterate()].filter(({ action }) => action.startsWith('feed.')).map(({ action }) => action);

function trigger(): void {
  const i420 = new Uint8Array(32 * 32 * 1.5).fill(60 + answers.length);
  const colours = { range: 'limited', matrix: 'bt601' } as const;
  send({ type: 'frame', triggered: true, width: 32, height: 32, i420, colours, takenAt: Date.now(), serial: null });
}

test('a lost camera is a fault of the feed, in the log, until frames come again; every part has one verdict', async () => {
  await feeds.start(recipe);
  await feeds.handlers['feed.openLive']({ projectId }, systemCaller);
  send({ type: 'camera', fault: null });
  trigger();
  await until(() => answers.length === 1);
  expect(state()).toMatchObject({ fault: null, wanted: true });

  send({ type: 'camera', fault: 'unplugged' });
  await until(() => state().state === 'fault');
  expect(state()).toMatchObject({ wanted: true, fault: { code: 'camera.unplugged', acknowledged: false } });
  expect(state().fault!.message).toContain('parts that pass it are not judged');
  // Said again with every attempt: no second fault. Another reason takes its place.
  send({ type: 'camera', fault: 'unplugged' });
  send({ type: 'camera', fault: 'inUse' });
  await until(() => state().fault?.code === 'camera.inUse');

  send({ type: 'camera', fault: null });
  await until(() => state().fault === null);
  send({ type: 'camera', fault: 'noFrames' });
  await until(() => state().fault?.code === 'camera.noFrames');
  // A frame says better than a word that the camera is back.
  trigger();
  await until(() => state().fault === null && answers.length === 2);
  expect(logged()).toEqual([
    'feed.fault',
    'feed.recovered',
    'feed.fault',
    'feed.recovered',
    'feed.fault',
    'feed.recovered',
  ]);
  const { counters } = await feeds.stop(projectId);
  expect(counters).toMatchObject({ presented: 2, noDecision: 0 });
  expect(counters).toEqual(store.parts.counters(projectId));
  expect(store.parts.undecided()).toEqual([]);
});

test('a camera that was lost when the station ended is still shown after its start, until somebody has seen it', async () => {
  await feeds.start(recipe);
  await feeds.handlers['feed.openLive']({ projectId }, systemCaller);
  send({ type: 'camera', fault: 'unplugged' });
  await until(() => state().state === 'fault');
  const { since } = state();
  await feeds.close();
  store.close();

  await openStation();
  expect(state()).toMatchObject({ state: 'fault', wanted: false, fault: { code: 'camera.unplugged' } });
  expect(Math.abs(Date.parse(state().since) - Date.parse(since))).toBeLessThan(60_000);
  await feeds.handlers['feed.acknowledge']({ projectId }, systemCaller);
  await feeds.close();
  store.close();

  await openStation();
  expect(state()).toMatchObject({ state: 'stopped', fault: null });
  // A new run begins without it.
  await feeds.start(recipe);
  expect(state().fault).toBeNull();
});

test('a window that says nothing doesn’t read the camera; one that comes back is heard', async () => {
  const news: FeedNews[] = [];
  const stop = new AbortController();
  const options = { lot: () => '', knownFiles: new SeenSet(), outputFolder: null, signal: stop.signal };
  const feed = new CameraFeed(camera, { ...options, onNews: (one) => news.push(one) }, 40);
  const next = feed[Symbol.asyncIterator]().next();
  await until(() => news.some((one) => one.type === 'lost'));
  expect(news.filter(({ type }) => type !== 'idle')).toMatchObject([{ type: 'lost', code: 'camera.noWindow' }]);
  feed.hear({ type: 'camera', fault: null });
  expect(news.at(-1)).toEqual({ type: 'back' });
  await until(() => news.filter(({ type }) => type === 'lost').length === 2);
  stop.abort();
  expect(await next).toMatchObject({ done: true });
});
