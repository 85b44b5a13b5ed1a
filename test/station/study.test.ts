import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { analyseStudy } from '../../shared/msa/analyse.ts';
import { UserError } from '../../shared/errors.ts';
import { contract, type ChannelInput, type ChannelOutput } from '../../shared/ipc/contract.ts';
import type { StudyPartFile } from '../../main/msa/study-tables.ts';
import { readAnswers, readParts } from '../../main/msa/study-tables.ts';
import type { Caller } from '../../main/ipc/handler.ts';
import type { StationContext } from '../../main/station/context.ts';
import { StudyService } from '../../main/station/msa.ts';
import { reportHandlers, type ReportSources } from '../../main/station/reports.ts';
import { settingsHandlers } from '../../main/station/settings.ts';
import { openStore, type Store } from '../../main/store/store.ts';
import { newModel } from '../store/helpers.ts';

const ann: Caller = { userId: null, name: 'Ann', role: 'quality' };
type StudyChannel = Extract<keyof typeof contract, `study.${string}`>;

let folder: string;
let store: Store;
let context: StationContext;
let studies: StudyService;
let projectId: string;
let refusal: Error | null;
let scored: string[][];

/** The model knows the truth. */
const score = (_: unknown, pictures: readonly { sha256: string }[]) => {
  if (refusal !== null) return Promise.reject(refusal);
  scored.push(pictures.map(({ sha256 }) => sha256));
  return Promise.resolve(
    pictures.map(({ sha256 }) => {
      const isDefect = store.labels.of(projectId, sha256)[0]!.gtLabel === 'fail';
      const verdict = isDefect ? ('fail' as const) : ('pass' as const);
      return { sha256, predScore: 1, verdict, className: 'tile', classDistance: 1, partMs: 1 };
    }),
  );
};

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'twinspect-study-'));
  await open();
  projectId = store.projects.create({ name: 'Tiles', note: '', createdAt: now() }).id;
  const classIds = ['tile', 'brick'].map((name) => store.projects.createClass(projectId, name).id);
  for (let i = 0; i < 40; i++) {
    const bytes = Buffer.from(`picture ${String(i)}`);
    const sha256 = await store.files.addPicture(bytes, 'png');
    const facts = { sha256, extension: 'png', widthPx: 8, heightPx: 8, byteCount: bytes.length };
    store.pictures.register(facts, now());
    const place = { projectId, sha256, fileName: `${i < 20 ? 'good' : 'bad'}_${String(i)}.png`, group: null };
    const use = i % 4 === 3 ? ('inspected' as const) : ('golden' as const);
    store.pictures.place({ ...place, classId: classIds[i % 2]!, use, addedAt: now() });
    const label = { projectId, sha256, defectClass: null, regions: [], at: now(), why: null };
    store.labels.set({ ...label, gtLabel: i < 20 ? 'pass' : 'fail', by: i === 0 ? 'Ben' : 'Eve' });
  }
  refusal = null;
  scored = [];
});
afterEach(() => {
  store.close();
  rmSync(folder, { recursive: true, force: true });
});

function now(): string {
  return new Date().toISOString();
}

/** Opens the station, as after a start. */
async function open(): Promise<void> {
  store = await openStore(join(folder, 'station'));
  context = { folder: store.folder, store, emit: () => undefined, now };
  studies = new StudyService(context, { score });
}

async function ask<N extends StudyChannel>(
  name: N,
  input: ChannelInput<N>,
  caller: Caller = ann,
): Promise<ChannelOutput<N>> {
  const handler = studies.handlers[name] as (given: unknown, by: Caller) => unknown;
  return contract[name].output.parse(await handler(contract[name].input.parse(input), caller)) as ChannelOutput<N>;
}

function plan(more: Partial<ChannelInput<'study.start'>> = {}): ChannelInput<'study.start'> {
  const appraisers = ['Ann', 'Ben'].map((name) => ({ name, userId: null }));
  return {
    ...{ projectId, name: 'Spring', source: 'golden', good: 6, defects: 6, repeats: 2, appraisers, modelId: null },
    ...more,
  };
}

const truth = (sha256: string): 'pass' | 'fail' => store.labels.of(projectId, sha256)[0]!.gtLabel as 'pass' | 'fail';

/** Judges until `count` are judged, or all. @param isWrong which showings get the wrong answer */
async function judge(
  studyId: string,
  appraiser: string,
  isWrong: (position: number, sha256: string) => boolean = () => false,
  count = Infinity,
): Promise<string[]> {
  const seen: string[] = [];
  let showing = await ask('study.next', { studyId, appraiser });
  while (showing.sha256 !== null && seen.length < count) {
    const { sha256, position } = showing;
    seen.push(sha256);
    const right = truth(sha256);
    const answer = isWrong(position, sha256) ? (right === 'pass' ? 'fail' : 'pass') : right;
    showing = await ask('study.answer', { studyId, appraiser, position, answer });
  }
  return seen;
}

test('material: labelled parts by label; in dispute, or learnt by the model, they are no reference', async () => {
  expect(await ask('study.material', { projectId, modelId: null })).toEqual({
    golden: { good: 15, defects: 15 },
    labelled: { good: 20, defects: 20 },
  });
  const [first, second] = store.pictures.forTraining(projectId, ['golden']);
  const label = { projectId, defectClass: null, regions: [], at: now(), why: null };
  store.labels.set({ ...label, sha256: first!.sha256, gtLabel: 'fail', by: 'Zoe' });
  const { id: snapshotId } = store.pictures.takeSnapshot({
    ...{ projectId, createdAt: now(), createdBy: 'test', hash: 'h' },
    pictures: [{ sha256: second!.sha256, className: 'tile', use: 'normal' }],
  });
  store.models.add({ ...newModel(projectId, 'm1'), snapshotId });
  expect((await ask('study.material', { projectId, modelId: null })).golden).toEqual({ good: 14, defects: 15 });
  expect((await ask('study.material', { projectId, modelId: 'm1' })).golden).toEqual({ good: 13, defects: 15 });
});

test('people judge blind, each in an order of their own; it ends when everybody has judged, and the figures are right', async () => {
  const { id: studyId, appraisers } = await ask('study.start', plan());
  expect(appraisers.map(({ name, done, total }) => [name, done, total])).toEqual([
    ['Ann', 0, 24],
    ['Ben', 0, 24],
  ]);
  // Nothing but a picture and how far it is.
  expect(Object.keys(await ask('study.next', { studyId, appraiser: 'Ann' })).sort()).toEqual([
    'position',
    'sha256',
    'total',
  ]);
  const byAnn = await judge(studyId, 'Ann');
  await expect(ask('study.results', { studyId })).rejects.toMatchObject({ code: 'studyRunning' });
  const defect = byAnn.find((sha256) => truth(sha256) === 'fail')!;
  const byBen = await judge(studyId, 'Ben', (_, sha256) => sha256 === defect);
  expect(new Set(byAnn).size).toBe(12);
  expect([...byAnn].sort()).toEqual([...byBen].sort());
  expect(byAnn.slice(0, 12)).not.toEqual(byBen.slice(0, 12));
  expect(byAnn.slice(0, 12)).not.toEqual(byAnn.slice(12));

  const { study, result, disagreements } = await ask('study.results', { studyId });
  expect(study.state).toBe('finished');
  expect(result.appraisers).toMatchObject([
    { appraiser: 'Ann', effectiveness: { count: 12, total: 12 }, misses: { count: 0, total: 12 } },
    { appraiser: 'Ben', effectiveness: { count: 11 }, misses: { count: 2, total: 12 }, falseAlarms: { count: 0 } },
  ]);
  expect(disagreements).toHaveLength(1);
  expect(disagreements[0]).toMatchObject({
    sha256: defect,
    reference: 'fail',
    wrong: 2,
    answers: [
      { appraiser: 'Ann', given: ['fail', 'fail'] },
      { appraiser: 'Ben', given: ['pass', 'pass'] },
    ],
  });
  const actions = store.events.page(null, 20, null).map(({ action }) => action);
  expect(actions.filter((action) => action.startsWith('study.'))).toEqual(['study.finished', 'study.started']);
  expect(await ask('study.mine', { projectId })).toEqual([]);
});

test('an answer counts once, in its turn; nobody changes or removes it; after a crash it goes on at the same part', async () => {
  const { id: studyId } = await ask('study.start', plan());
  await judge(studyId, 'Ann', undefined, 5);
  const next = await ask('study.next', { studyId, appraiser: 'Ann' });
  expect(next.position).toBe(6);
  for (const position of [5, 7]) {
    const answer = ask('study.answer', { studyId, appraiser: 'Ann', position, answer: 'pass' });
    await expect(answer).rejects.toMatchObject({ code: 'studyOutOfTurn' });
  }
  expect(() => store.database.run("UPDATE study_answers SET answer = 'pass'")).toThrow('never changed');
  expect(() => store.database.run('DELETE FROM study_answers')).toThrow('never deleted');
  store.close();
  await open();
  expect(await ask('study.next', { studyId, appraiser: 'Ann' })).toEqual(next);
  expect(await ask('study.mine', { projectId })).toMatchObject([
    { appraiser: 'Ann', done: 5, total: 24 },
    { appraiser: 'Ben', done: 0, total: 24 },
  ]);
  expect((await ask('study.cancel', { studyId })).state).toBe('cancelled');
  await expect(ask('study.next', { studyId, appraiser: 'Ann' })).rejects.toMatchObject({ code: 'studyEnded' });
});

test('with accounts only the person that is signed in judges, and people without an account can not be asked', async () => {
  const create = (name: string) => store.users.create({ name, role: 'operator', secret: 'x', createdAt: now() });
  const [kim, lee] = [create('Kim'), create('Lee')];
  await expect(ask('study.start', plan())).rejects.toMatchObject({ code: 'studyPeople' });
  const appraisers = [kim, lee].map(({ id, name }) => ({ name, userId: id }));
  const { id: studyId } = await ask('study.start', plan({ appraisers }));
  const asKim: Caller = { userId: kim.id, name: 'Kim', role: 'operator' };
  expect((await ask('study.mine', { projectId }, asKim)).map(({ appraiser }) => appraiser)).toEqual(['Kim']);
  expect((await ask('study.next', { studyId, appraiser: 'Kim' }, asKim)).position).toBe(1);
  const asOther = ask('study.next', { studyId, appraiser: 'Lee' }, asKim);
  await expect(asOther).rejects.toMatchObject({ code: 'studyNotYours' });
  const answer = ask('study.answer', { studyId, appraiser: 'Lee', position: 1, answer: 'pass' }, asKim);
  await expect(answer).rejects.toMatchObject({ code: 'studyNotYours' });
});

describe('the model as an appraiser', () => {
  const withModel = () => plan({ modelId: 'm1', appraisers: [{ name: 'Ann', userId: null }] });
  beforeEach(() => void store.models.add(newModel(projectId, 'm1')));

  test('judges every round in an order of its own', async () => {
    const { id: studyId } = await ask('study.start', withModel());
    await vi.waitFor(() => expect(scored).toHaveLength(2), { timeout: 120_000 });
    expect([...scored[0]!].sort()).toEqual([...scored[1]!].sort());
    expect(scored[0]).not.toEqual(scored[1]);
    expect(await ask('study.mine', { projectId })).toMatchObject([{ appraiser: 'Ann' }]);
    await judge(studyId, 'Ann');
    const { result, study } = await ask('study.results', { studyId });
    expect(study.state).toBe('finished');
    expect(result.appraisers[1]).toMatchObject({ appraiser: 'Model v1', effectiveness: { count: 12 } });
    expect(result.notes.map(({ key }) => key)).toEqual(['fewParts', 'modelReview', 'samePicture']);
  });

  test('that can not be opened says so, and judges later: by hand, or at the next start', async () => {
    refusal = new UserError('modelUnusable', 'The package is damaged.', 'Import it again.');
    const { id: studyId } = await ask('study.start', withModel());
    await judge(studyId, 'Ann');
    const problem = async () => (await ask('study.list', { projectId }))[0]!.modelProblem;
    await vi.waitFor(async () => expect(await problem()).toContain('damaged'), { timeout: 120_000 });
    refusal = null;
    store.close();
    await open();
    studies.recover();
    const state = async () => (await ask('study.list', { projectId }))[0]!.state;
    await vi.waitFor(async () => expect(await state()).toBe('finished'), { timeout: 120_000 });
    expect((await ask('study.results', { studyId })).study.modelProblem).toBeNull();
  });
});

test('what is exported is what the command line reads, with the same figures; it is on record', async () => {
  const { id: studyId } = await ask('study.start', plan({ source: 'labelled', good: 10, defects: 10, repeats: 3 }));
  await judge(studyId, 'Ann', (position) => position % 7 === 0);
  await judge(studyId, 'Ben', (position) => position % 5 === 0);
  const { result } = await ask('study.results', { studyId });
  const { path, partsPath } = await ask('study.export', { studyId, path: join(folder, 'answers.csv') });
  const parts = await readParts(partsPath);
  const again = analyseStudy(
    parts.map(({ part, reference }: StudyPartFile) => ({ part, reference })),
    await readAnswers(path),
  );
  expect({ ...result, notes: [] }).toEqual({ ...again, notes: [] });
  expect(parts).toHaveLength(20);
  expect(parts.every(({ pictures }) => pictures[0]!.endsWith('.png'))).toBe(true);
  expect(store.events.page(null, 1, 'data.exported')[0]).toMatchObject({ actor: 'Ann', subject: studyId });
  // One of Ben's own labels may be among the parts.
  const own = result.notes.filter(({ key }) => key === 'ownReference');
  for (const note of own) expect(note.params).toEqual({ parts: 1, appraiser: 'Ben' });
});

test.each(['en', 'de', 'ko', 'zh-CN'] as const)('the report as a page, %s', async (language) => {
  const { id: studyId } = await ask('study.start', plan());
  await judge(studyId, 'Ann', (position) => position === 3);
  await judge(studyId, 'Ben');
  const { 'settings.get': get, 'settings.setAppearance': set } = settingsHandlers(context);
  await set({ language, theme: 'light', sound: false }, ann);
  const handlers = {
    'settings.get': get,
    'projects.list': () => store.projects.list(),
  } as Partial<ReportSources['handlers']> as ReportSources['handlers'];
  let footer = '';
  const reports = reportHandlers(context, {
    handlers,
    study: (id) => studies.results(id),
    picture: () => Promise.resolve(Uint8Array.of(1)),
    heatMap: () => Promise.resolve(undefined),
    print: (_, below) => {
      footer = below;
      return Promise.resolve(Buffer.from('%PDF /Type /Page '));
    },
  });
  const path = join(folder, 'study.html');
  await reports['reports.study']({ studyId, path }, ann);
  const page = readFileSync(path, 'utf8');
  for (const text of ['Ann', 'Ben', 'Spring', 'Tiles', 'data:image/jpeg;base64,AQ==']) expect(page).toContain(text);
  expect(page).not.toMatch(/undefined|NaN|\[object/);
  const pdf = await reports['reports.study']({ studyId, path: join(folder, 'study.pdf') }, ann);
  expect(pdf.pages).toBe(1);
  expect(footer).toContain('Spring');
});

test('what can not be a study is refused with what is missing', async () => {
  await expect(ask('study.start', plan({ good: 99 }))).rejects.toMatchObject({
    code: 'studyParts',
    message: expect.stringContaining('There are 15 pictures of good parts, not 99.'),
  });
  await expect(ask('study.start', plan({ appraisers: [] }))).rejects.toMatchObject({ code: 'studyPeople' });
  const twice = plan({ appraisers: ['A', 'A'].map((name) => ({ name, userId: null })) });
  await expect(ask('study.start', twice)).rejects.toMatchObject({ code: 'studyNamesTwice' });
  await expect(ask('study.start', plan({ good: 1, defects: 0 }))).rejects.toMatchObject({ code: 'studyTooSmall' });
  expect(await ask('study.list', { projectId })).toEqual([]);
});
