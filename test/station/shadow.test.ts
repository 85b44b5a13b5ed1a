import { appendFileSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { ChannelInput, StationEvent } from '../../shared/ipc/contract.ts';
import { say } from '../../shared/phrases/say.ts';
import type { ShadowState } from '../../shared/ipc/training.ts';
import type { StationPart } from '../../shared/station/domain.ts';
import type { StationContext } from '../../main/station/context.ts';
import { FeedService } from '../../main/station/feed.ts';
import { ModelService } from '../../main/station/models.ts';
import { newId } from '../../main/store/files.ts';
import { openStore, type Store } from '../../main/store/store.ts';
import { greyPng } from '../cli/pictures.ts';
import { newModel } from '../store/helpers.ts';
import { LocalHost } from './local-host.ts';

const ann = { userId: null, name: 'Ann', role: 'quality' as const };
const patience = { timeout: 120_000 };

let root: string;
let store: Store;
let feeds: FeedService;
let host: LocalHost;
let context: StationContext;
let projectId: string;
let events: StationEvent[];
let clockMs: number;

beforeEach(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'twinspect shadow ä '));
  clockMs = Date.now();
  await open();
  projectId = store.projects.create({ name: 'Tiles', note: '', createdAt: context.now() }).id;
  store.models.add({ ...newModel(projectId, 'active'), modelHash: 'a'.repeat(64) });
  store.models.activate('active');
  store.models.add({ ...newModel(projectId, 'candidate'), modelHash: 'c'.repeat(64) });
  // Fails from brightness 38 on; the active one from 160.
  store.models.applyThresholds('candidate', {
    ...{ at: context.now(), by: 'Ann', basis: '', reason: 'Stricter' },
    thresholds: { review: 0.4, fail: 0.6 },
  });
});
afterEach(async () => {
  await feeds.close();
  store.close();
  await rm(root, { recursive: true, force: true });
});

/** Opens the station, as after a start. */
async function open(): Promise<void> {
  store = await openStore(path.join(root, 'station'));
  events = [];
  const now = () => new Date(clockMs).toISOString();
  context = { folder: store.folder, store, emit: (event) => void events.push(event), now };
  host = new LocalHost();
  feeds = new FeedService(context, { host, times: { heartbeatMs: 1000, firstWaitMs: 1 } });
  feeds.shadow.recover();
}

async function restart(): Promise<void> {
  await feeds.close();
  store.close();
  await open();
}

const start = (plan: Partial<ChannelInput<'models.shadowStart'>>) =>
  feeds.shadow.handlers['models.shadowStart']({ modelId: 'candidate', parts: null, hours: null, ...plan }, ann);
const state = async (): Promise<ShadowState> =>
  (await feeds.shadow.handlers['models.shadowState']({ projectId }, ann))!;

/** Judges grey pictures of these brightnesses; scores are brightness / 64. */
async function judge(...brightnesses: number[]): Promise<StationPart[]> {
  const folder = path.join(root, newId());
  await mkdir(folder);
  for (const [i, brightness] of brightnesses.entries()) {
    await writeFile(path.join(folder, `${String(i).padStart(4, '0')}.png`), greyPng(brightness, 16, i));
  }
  const first = store.parts.counters(projectId).presented;
  await feeds.handlers['feed.judgeFiles']({ projectId, paths: [folder] }, ann);
  const ids = brightnesses.map((_, i) => first + i + 1);
  await vi.waitFor(() => expect(store.parts.get(ids.at(-1)!)?.verdict).toBeTruthy(), patience);
  return ids.map((id) => store.parts.get(id)!);
}

/** The comparison's file. */
const file = () => path.join(store.folder, 'shadow', `${projectId}.jsonl`);
const kept = () => readFileSync(file(), 'utf8');

/** One by one: what comes while the candidate is busy goes by. */
async function judgeBoth(...brightnesses: number[]): Promise<void> {
  for (const brightness of brightnesses) {
    const [part] = await judge(brightness);
    await vi.waitFor(() => expect(kept()).toContain(`"id":"${String(part!.id)}"`), patience);
  }
}

/** The candidate is open beside the run. */
async function isBeside(times: number): Promise<void> {
  await vi.waitFor(
    () => expect(host.opened.filter(({ modelId }) => modelId === 'candidate')).toHaveLength(times),
    patience,
  );
  // Opened, and put beside the run by the same call.
  await new Promise((resolve) => setTimeout(resolve, 50));
}

test('a candidate judges beside the active model, its disagreements are listed, the line sees none of it', async () => {
  await expect(start({ modelId: 'active', parts: 4 })).rejects.toMatchObject({ code: 'shadowNotBeside' });
  await expect(start({})).rejects.toMatchObject({ code: 'shadowEndless' });
  await judge(10);
  expect(await start({ parts: 4 })).toMatchObject({ state: 'running', judged: 0, parts: 4, endsAt: null });
  await judgeBoth(10, 60, 10, 250);
  const compared = await state();
  expect(compared).toMatchObject({ state: 'complete', agreeing: 3, newlyRejected: 1, newlyAccepted: 0, skipped: 0 });
  expect(compared.disagreements).toMatchObject([{ active: { verdict: 'pass' }, candidate: { verdict: 'fail' } }]);
  const disputed = compared.disagreements[0]!;
  expect(disputed.pictureSha256).toBe(store.parts.get(disputed.partId)!.pictureSha256);
  expect(compared.disagreementRate.high).toBeCloseTo(0.8059, 3);
  expect(compared.candidateMs!.p95).toBeGreaterThan(0);
  expect(compared.line.during!.p95).toBeGreaterThan(0);
  const [seen] = await judge(60);
  expect(seen).toMatchObject({ verdict: 'pass', modelId: 'active' });
  expect((await state()).judged).toBe(4);
  expect(events.filter(({ type }) => type === 'shadow').length).toBeGreaterThan(1);
  const actions = store.events.page(null, 10, null).map(({ action }) => action);
  expect(actions).toEqual(expect.arrayContaining(['model.shadowStarted', 'model.shadowEnded']));
  // Promoted as any model is.
  const models = new ModelService(context, { feeds });
  const promoted = await models.activate('candidate', ann, { reason: 'It judged as we wanted.' }, null);
  expect(promoted.activated).toBe(true);
  expect((await judge(61))[0]).toMatchObject({ verdict: 'fail', modelId: 'candidate' });
});

test('it goes on after a crash of the process that judges, and after a restart of the station, with all it had', async () => {
  await judge(10);
  await start({ parts: 50 });
  await judgeBoth(10, 60);
  host.crash();
  await isBeside(2);
  await judgeBoth(61);
  expect(await state()).toMatchObject({ state: 'running', judged: 3, newlyRejected: 2 });
  // A line that the stop tore counts for nothing, and spoils nothing.
  appendFileSync(file(), '{"part":{"id":"9","class');
  await restart();
  expect(await state()).toMatchObject({ state: 'running', judged: 3, newlyRejected: 2 });
  await judge(10);
  await isBeside(1);
  const { judged } = await state();
  await judgeBoth(62);
  await restart();
  expect(await state()).toMatchObject({ judged: judged + 1, newlyRejected: 3 });
  expect(await feeds.shadow.handlers['models.shadowStop']({ projectId }, ann)).toMatchObject({ state: 'stopped' });
});

test('by hours it ends while no part comes, with whichever of both is first, and while the station was off', async () => {
  await judge(10);
  const begun = await start({ parts: 3, hours: 8 });
  expect(Date.parse(begun.endsAt!) - clockMs).toBe(8 * 3_600_000);
  await judgeBoth(10, 11, 12);
  expect((await state()).state).toBe('complete');

  await start({ parts: 3, hours: 8 });
  await judgeBoth(10);
  clockMs += 8 * 3_600_000;
  await judge(11);
  await vi.waitFor(async () => expect((await state()).state).toBe('complete'), patience);
  expect((await state()).judged).toBe(2);

  await start({ hours: 8 });
  clockMs += 7 * 3_600_000;
  await restart();
  expect((await state()).state).toBe('running');
  clockMs += 2 * 3_600_000;
  await restart();
  await vi.waitFor(async () => expect((await state()).state).toBe('complete'), patience);
  const [ended] = store.events.page(null, 1, 'model.shadowEnded');
  expect(ended).toMatchObject({ actor: 'system', details: { state: 'complete', parts: 0 } });
});

test('where people said what the parts are, it says which model was right', async () => {
  await judge(10);
  await start({ parts: 50 });
  await judgeBoth(60, 61, 62, 10, 250);
  const ids = (await state()).disagreements.map(({ partId }) => partId);
  expect(ids).toHaveLength(3);
  const answer = (partId: number, verdict: 'pass' | 'fail') =>
    store.parts.answer({ partId, verdict, defectClass: null, why: null, by: 'Eve', at: context.now() });
  answer(ids[0]!, 'fail');
  answer(ids[1]!, 'fail');
  answer(ids[2]!, 'pass');
  answer(Math.max(...ids) + 1, 'pass');
  const { labelled, disagreements } = await state();
  expect(labelled).toEqual({
    good: 2,
    defects: 2,
    escapes: { active: 2, candidate: 0 },
    falseRejects: { active: 0, candidate: 1 },
    onlyActiveRight: 1,
    onlyCandidateRight: 2,
    p: 1,
  });
  expect(disagreements.map(({ truth }) => truth)).toEqual(['fail', 'fail', 'pass']);
});

test('a line that takes longer than its cycle time beside a candidate is said, once, and on record in the comparison', async () => {
  const folder = path.join(root, 'inbox');
  await mkdir(folder);
  const recipe = store.recipes.save({
    ...{ id: null, projectId, name: 'r', region: null, ignore: [], outputFolder: null, lot: '' },
    source: { kind: 'folder', path: folder, originals: 'keep', subFolder: 'none', namePattern: '' },
    cycleTimeMs: 1e-6,
    updatedAt: context.now(),
  });
  await feeds.start(recipe);
  await start({ parts: 1000 });
  for (let i = 0; i < 50; i++) await writeFile(path.join(folder, `${String(i)}.png`), greyPng(10 + i, 16, i));
  const warnings = () => events.filter((event) => event.type === 'notice' && event.id.startsWith('shadow-slow'));
  await vi.waitFor(() => expect(warnings()).toHaveLength(1), patience);
  await vi.waitFor(() => expect(store.parts.counters(projectId).pass).toBe(50), patience);
  expect(warnings()).toHaveLength(1);
  const [warning] = warnings();
  // In the person's language, too.
  expect(warning?.type === 'notice' && say(warning.message, 'de')).toMatch(
    /^Solange ein Kandidat .*Den Vergleich beenden/,
  );
  const { line, judged, skipped } = await state();
  expect(line).toMatchObject({ isSlow: true, cycleTimeMs: 1e-6 });
  expect(judged + skipped).toBeLessThanOrEqual(50);
  expect(kept()).toContain('"slow":true');
});
