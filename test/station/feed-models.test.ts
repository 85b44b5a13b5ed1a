import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { UserError } from '../../shared/errors.ts';
import type { Recipe } from '../../shared/station/domain.ts';
import type { StationContext } from '../../main/station/context.ts';
import { FeedService } from '../../main/station/feed.ts';
import { ModelService } from '../../main/station/models.ts';
import { ModelWatch } from '../../main/station/model-watch.ts';
import { openStore, type Store } from '../../main/store/store.ts';
import { systemCaller } from '../../main/store/types.ts';
import { greyPng } from '../cli/pictures.ts';
import { seededRandom } from '../inspection/watch-process.ts';
import { newModel } from '../store/helpers.ts';
import { LocalHost } from './local-host.ts';

const factors: Readonly<Record<string, number>> = { m1: 1, m2: 3 };
const hashOf = (id: string): string => id.replace('m', '').repeat(64);

let root: string;
let store: Store;
let feeds: FeedService;
let models: ModelService;
let host: LocalHost;
let context: StationContext;
let projectId: string;
let recipe: Recipe;

beforeEach(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'twinspect models ä '));
  store = await openStore(path.join(root, 'station'));
  context = { folder: store.folder, store, emit: () => undefined, now: () => new Date().toISOString() };
  host = new LocalHost();
  host.factorOf = (hash) => (hash === hashOf('m2') ? factors['m2']! : 1);
  feeds = new FeedService(context, { host, times: { heartbeatMs: 1000, firstWaitMs: 1 } });
  models = new ModelService(context, { feeds });
  projectId = store.projects.create({ name: 'Tiles', note: '', createdAt: context.now() }).id;
  for (const id of ['m1', 'm2']) {
    store.models.add({ ...newModel(projectId, id), modelHash: hashOf(id) });
    await mkdir(path.dirname(store.models.path(id)), { recursive: true });
    await writeFile(store.models.path(id), id);
    store.models.activate(id);
  }
  const source = { kind: 'folder', path: path.join(root, 'in'), originals: 'keep', subFolder: 'none' } as const;
  await mkdir(source.path);
  recipe = store.recipes.save({
    id: null,
    projectId,
    name: 'r',
    source: { ...source, namePattern: '' },
    region: null,
    ignore: [],
    outputFolder: null,
    cycleTimeMs: null,
    lot: '',
    updatedAt: context.now(),
  });
});
afterEach(async () => {
  await feeds.close();
  store.close();
  await rm(root, { recursive: true, force: true });
});

const until = (isSo: () => boolean): Promise<void> => vi.waitFor(() => expect(isSo()).toBe(true), { timeout: 120_000 });
const put = (name: string, brightness: number): Promise<void> =>
  writeFile(path.join(root, 'in', name), greyPng(brightness, 16, name.length));
const decidedCount = (): number => {
  const { pass, fail, review, noDecision } = feeds.state(projectId).counters;
  return pass + fail + review + noDecision;
};

test('models are swapped back and forth under a running feed: no part lost, each judged by one model and wholly', async () => {
  const random = seededRandom(5);
  // Some open slowly, others at once: the one asked for last must judge in the end all the same.
  host.openMs = () => (random() < 0.5 ? 0 : 40 * random());
  await feeds.start(recipe);
  const total = 240;
  const swaps: Promise<void>[] = [];
  let active = 'm2';
  for (let n = 0; n < total; n++) {
    await put(`p${String(n)}-${String(n % 250)}.png`, n % 250);
    if (n % 8 === 3) {
      active = active === 'm1' ? 'm2' : 'm1';
      store.models.activate(active);
      // Now and then another change comes before this one is through.
      const swap = feeds.modelChanged(projectId);
      swaps.push(swap);
      if (n % 3 === 0) await swap;
    }
    if (n % 8 === 7) await pause(15);
  }
  await Promise.all(swaps);
  await until(() => decidedCount() === total);
  await put('last.png', 100);
  await until(() => decidedCount() === total + 1);
  const { counters, fault } = await feeds.stop(projectId);
  expect(fault).toBeNull();
  expect(counters).toMatchObject({ presented: total + 1, noDecision: 0 });
  const used = new Set<string>();
  for (let id = 1; id <= total + 1; id++) {
    const part = store.parts.get(id)!;
    const brightness = part.source.endsWith('last.png') ? 100 : Number(/-(\d+)\.png$/.exec(part.source)![1]);
    const { modelId, modelHash, predScore } = part;
    used.add(modelId!);
    expect(modelHash).toBe(hashOf(modelId!));
    // The detector's own score: brightness over 64, times what this very model makes of it.
    expect(Math.abs(predScore! / factors[modelId!]! - brightness / 64)).toBeLessThan(0.05);
  }
  expect(used.size).toBe(2);
  expect(store.parts.get(total + 1)!.modelId).toBe(active);
  expect(feeds.state(projectId).modelId).toBe(active);
}, 120_000);

test('a package deleted under a running feed: it goes on, loud; when it can not be opened again, the way back is offered and works', async () => {
  await feeds.start(recipe);
  await put('a.png', 10);
  await until(() => decidedCount() === 1);
  await rename(store.models.path('m2'), path.join(root, 'taken-away'));
  const watch = new ModelWatch(context, () => ['m2']);
  watch.look('m2');
  watch.close();
  expect(store.notices.list()).toMatchObject([{ level: 'fault' }]);
  expect(store.notices.list()[0]!.message).toMatch(/was deleted.*goes on judging.*roll back to model v1/);
  await put('b.png', 10);
  await until(() => decidedCount() === 2);
  expect(store.parts.get(2)).toMatchObject({ verdict: 'pass', modelId: 'm2' });

  // The process ends and comes up again: now the file is needed.
  host.refusal = new UserError('packageMissing', 'There is no model package.', 'Import it again.');
  host.crash();
  await put('c.png', 10);
  await until(() => feeds.state(projectId).fault?.code === 'modelUnusable');
  const { fault, wanted } = feeds.state(projectId);
  expect(fault!.message).toBe("The file of the active model v2 was deleted: it can't be opened.");
  expect(fault!.remedy).toContain('Roll back to model v1');
  expect(wanted).toBe(true);
  expect(store.parts.newestId()).toBe(2);

  host.refusal = undefined;
  await models.handlers['models.rollback']({ projectId, reason: 'The file is gone.', secret: null }, systemCaller);
  await until(() => decidedCount() === 3);
  expect(store.parts.get(3)).toMatchObject({ verdict: 'pass', modelId: 'm1', modelHash: hashOf('m1') });
  expect(feeds.state(projectId).fault).toBeNull();
  expect((await feeds.stop(projectId)).counters).toMatchObject({ presented: 3, pass: 3 });
});

test('a package deleted before the start: nothing is presented, the way back is offered and works', async () => {
  await rm(store.models.path('m2'));
  host.refusal = new UserError('packageMissing', 'There is no model package.', 'Import it again.');
  await put('a.png', 10);
  await expect(feeds.start(recipe)).rejects.toMatchObject({
    code: 'packageMissing',
    message: expect.stringMatching(/v2 was deleted.*Roll back to model v1/),
  });
  expect(feeds.state(projectId)).toMatchObject({ state: 'fault', wanted: false, fault: { code: 'modelUnusable' } });
  host.refusal = undefined;
  await models.handlers['models.rollback']({ projectId, reason: 'The file is gone.', secret: null }, systemCaller);
  await feeds.start(recipe);
  await until(() => decidedCount() === 1);
  expect(store.parts.get(1)).toMatchObject({ modelId: 'm1' });
});
