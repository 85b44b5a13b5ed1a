import path from 'node:path';
import { inspect } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { channelNames } from '../../shared/ipc/channel-names.ts';
import type { Result } from '../../shared/ipc/channel.ts';
import { contract, type ChannelInput, type ChannelName, type ChannelOutput } from '../../shared/ipc/contract.ts';
import { calledStation, picture, type CalledStation } from './station-calls.ts';

let station: CalledStation;
let studyId = 'none';
let labelledSha: string;
beforeAll(async () => {
  station = await calledStation();
  labelledSha = station.pictures[2]!;
}, 120_000);
afterAll(() => station.close());

interface GoodCall<N extends ChannelName> {
  input: () => ChannelInput<N>;
  /** What a person is told where this little station can't do it; absent: it must be done. */
  refused?: string;
  then?: (output: ChannelOutput<N>) => void;
}

const inProject = () => ({ projectId: station.projectId });
const file = (name: string): string => path.join(station.root, name);
const filter = () => ({
  ...{ projectId: station.projectId, from: null, to: null, className: null, lot: 'L1', serial: null },
  ...{ station: null, verdict: null, person: 'any' as const },
});
const firstRecipe = (): ChannelInput<'recipes.save'> => ({
  ...{ id: null, projectId: station.projectId, name: 'Other', lot: '', outputFolder: null, cycleTimeMs: 100 },
  source: { kind: 'replay', path: file('in'), intervalMs: 1000 },
  region: { shape: 'rectangle', x: 0, y: 0, width: 0.5, height: 0.5 },
  ignore: [
    {
      shape: 'polygon',
      points: [
        { x: 0, y: 0 },
        { x: 1, y: 0 },
        { x: 1, y: 1 },
      ],
    },
  ],
});
const judging = () => ({ studyId, appraiser: 'Ann' });

/** One good call of every channel, in an order in which they build on each other. */
const calls: { readonly [N in ChannelName]: GoodCall<N> } = {
  'projects.list': { input: () => ({}), then: (projects) => expect(projects).toHaveLength(1) },
  'projects.create': { input: () => ({ name: 'Tiles 타일', note: 'new' }) },
  'projects.update': { input: () => ({ ...inProject(), name: 'Cups', note: 'old', pxPerMm: 4 }) },
  'classes.list': { input: inProject },
  'classes.create': { input: () => ({ ...inProject(), name: 'saucer' }) },
  'classes.rename': { input: () => ({ classId: station.classId, name: 'mug' }) },
  'pictures.lookAtFolder': { input: () => ({ path: file('in') }) },
  'pictures.importFolder': {
    input: () => ({ ...inProject(), path: file('in'), classId: station.classId, withGolden: false }),
  },
  'pictures.importFiles': {
    input: () => ({ ...inProject(), classId: station.classId, use: 'normal', paths: [file('in/0.png')] }),
  },
  'pictures.capture': {
    input: () => ({
      ...inProject(),
      classId: station.classId,
      use: 'normal',
      bytes: picture(77),
      fileName: 'camera.png',
    }),
    then: ({ picture: taken }) => expect(taken.use).toBe('normal'),
  },
  'pictures.list': {
    input: () => ({
      ...{ ...inProject(), classId: null, use: null, label: 'any', sort: 'uncertainty', offset: 0, limit: 50 },
    }),
    then: ({ total }) => expect(total).toBeGreaterThanOrEqual(5),
  },
  'pictures.setUse': {
    input: () => ({ ...inProject(), sha256s: [station.pictures[0]!], use: 'calibration', classId: null }),
  },
  'pictures.snapshots': { input: inProject },
  'pictures.suggestions': { input: inProject },
  'labels.set': {
    input: () => ({
      ...{ ...inProject(), sha256: labelledSha, gtLabel: 'fail', defectClass: 'crack', why: 'seen' },
      regions: [{ shape: 'rectangle', x: 0, y: 0, width: 1, height: 1 }],
    }),
  },
  'labels.of': {
    input: () => ({ ...inProject(), sha256: labelledSha }),
    then: (labels) => expect(labels).toHaveLength(2),
  },
  'labels.undo': { input: inProject, then: ({ sha256 }) => expect(sha256).toBe(labelledSha) },
  'labels.conflicts': { input: inProject },
  'labels.progress': { input: inProject },
  'training.plan': { input: inProject },
  'training.start': {
    input: () => ({ ...inProject(), preset: 'paper-large', engine: 'cpu', seed: 0, activate: false }),
  },
  'training.pause': { input: () => ({ id: 'none', paused: true }), refused: 'trainingOver' },
  'training.cancel': { input: () => ({ id: 'none' }), refused: 'trainingOver' },
  'training.current': { input: inProject },
  'models.list': { input: inProject },
  'models.import': { input: () => ({ ...inProject(), path: file('in/0.png') }), refused: 'packageForeign' },
  'models.export': { input: () => ({ modelId: 'm1', path: file('model.twin') }) },
  'models.gates': { input: () => ({ modelId: 'm1' }) },
  'models.activate': { input: () => ({ modelId: 'm2', override: null, secret: null }) },
  'models.rollback': { input: () => ({ ...inProject(), reason: 'tried', secret: null }) },
  'models.cancelScoring': { input: () => ({ modelId: 'm1' }) },
  'recipes.list': { input: inProject },
  'recipes.save': { input: firstRecipe },
  'recipes.tryPattern': { input: () => ({ pattern: '{lot}_{serial}.png', names: ['L1_S1.png', 'other'], path: null }) },
  'feed.start': { input: () => ({ recipeId: station.recipeId }) },
  'feed.state': { input: inProject, then: ({ wanted }) => expect(wanted).toBe(true) },
  'feed.setLot': { input: () => ({ ...inProject(), lot: 'L2' }), then: ({ lot }) => expect(lot).toBe('L2') },
  'feed.openLive': { input: inProject },
  'feed.judgeFiles': {
    input: () => ({ ...inProject(), paths: [file('in/1.png')] }),
    then: ({ presented }) => expect(presented).toBe(1),
  },
  'feed.acknowledge': { input: inProject },
  'models.shadowStart': { input: () => ({ modelId: 'm2', parts: 5, hours: null }) },
  'models.shadowState': { input: inProject },
  'models.shadowStop': { input: inProject },
  'drift.state': { input: inProject },
  'drift.history': { input: inProject },
  'drift.acknowledge': { input: () => ({ ...inProject(), alarmId: 1, reason: 'lamp' }), refused: 'driftAlarmOver' },
  'drift.cameraSettings': { input: () => ({ ...inProject(), settings: { exposureTime: 100, focusMode: 'manual' } }) },
  'feed.stop': { input: inProject, then: ({ wanted }) => expect(wanted).toBe(false) },
  'explain.heat': { input: () => ({ modelId: 'm1', sha256: labelledSha }) },
  'explain.part': { input: () => ({ partId: station.partId }), refused: 'explainNoScore' },
  'parts.answer': {
    input: () => ({ partId: station.partId, verdict: 'fail', defectClass: 'crack', why: 'seen' }),
    then: ({ personVerdict }) => expect(personVerdict).toBe('fail'),
  },
  'parts.undo': { input: inProject },
  'parts.reviewQueue': { input: () => ({ ...inProject(), limit: 10 }) },
  'thresholds.evidence': { input: () => ({ modelId: 'm1' }) },
  'thresholds.apply': {
    input: () => ({
      ...{ modelId: 'm1', thresholds: { review: 1, fail: 2 }, basis: 'tried', reason: 'tried', secret: null },
    }),
  },
  'thresholds.history': {
    input: () => ({ modelId: 'm1' }),
    then: ([change]) => expect(change).toMatchObject({ reason: 'tried' }),
  },
  'history.page': {
    input: () => ({ filter: filter(), before: null, limit: 50 }),
    then: ({ parts }) => expect(parts).toHaveLength(1),
  },
  'history.part': { input: () => ({ partId: station.partId }) },
  'history.statistics': { input: () => ({ filter: filter(), bucket: 'day' }) },
  'history.lots': { input: inProject },
  'history.export': { input: () => ({ filter: filter(), format: 'json', path: file('history.json') }) },
  'reports.lot': { input: () => ({ filter: filter(), path: file('lot.pdf') }) },
  'reports.part': { input: () => ({ partId: station.partId, path: file('part.pdf') }) },
  'reports.model': { input: () => ({ modelId: 'm1', path: file('model.pdf') }) },
  'study.material': { input: () => ({ ...inProject(), modelId: 'm1' }) },
  'study.start': {
    input: () => ({
      ...{ ...inProject(), name: 'Look', source: 'golden', good: 1, defects: 1, repeats: 1, modelId: null },
      appraisers: [{ name: 'Ann', userId: null }],
    }),
    then: ({ id }) => (studyId = id),
  },
  'study.list': { input: inProject },
  'study.mine': { input: inProject },
  'study.next': { input: judging },
  'study.answer': { input: () => ({ ...judging(), position: 1, answer: 'pass' }) },
  'study.modelJudges': { input: () => ({ studyId }) },
  'study.results': { input: () => ({ studyId }), refused: 'studyRunning' },
  'study.export': { input: () => ({ studyId, path: file('study.csv') }), refused: 'studyRunning' },
  'reports.study': { input: () => ({ studyId, path: file('study.pdf') }), refused: 'studyRunning' },
  'study.cancel': { input: () => ({ studyId }) },
  'session.current': { input: () => ({}) },
  'session.people': { input: () => ({}) },
  'session.signIn': { input: () => ({ userId: 'nobody', secret: '0000' }), refused: 'signInRefused' },
  'session.signOut': { input: () => ({}) },
  'users.list': { input: () => ({}) },
  'users.create': { input: () => ({ name: 'Ada', role: 'administrator', secret: '482915' }) },
  'users.update': {
    input: () => ({ userId: 'nobody', name: 'Ada', role: 'administrator', disabled: false, secret: null }),
    refused: 'userUnknown',
  },
  'settings.get': { input: () => ({}) },
  'settings.set': {
    input: () => ({
      ...{ stationName: 'Line 1', language: 'ko', theme: 'dark', engine: 'cpu', sound: true, lockAfterMin: 0 },
      shifts: [{ name: 'early', start: '06:00' }],
      storage: { limitGb: 100, keepFailsDays: 365, keepPassesDays: 30, keepEveryNthPass: 10 },
    }),
  },
  'settings.setAppearance': { input: () => ({ language: 'en', theme: 'light', sound: false }) },
  'storage.state': { input: () => ({}) },
  'storage.clean': { input: () => ({}) },
  'storage.backup': { input: () => ({ path: file('backup.db') }) },
  'audit.page': { input: () => ({ before: null, limit: 50, action: null }) },
  'audit.verify': { input: () => ({}), then: ({ problems }) => expect(problems).toEqual([]) },
  'system.status': { input: () => ({}) },
  'system.diagnostics': { input: () => ({ path: file('diagnostics.zip'), withPictures: true }) },
  'system.useCamera': { input: () => ({ wanted: false }) },
  'dialog.chooseFolder': { input: () => ({ title: 'Folder' }) },
  'dialog.chooseFiles': { input: () => ({ title: 'Files', kind: 'model' }) },
  'dialog.chooseSave': { input: () => ({ title: 'Save', suggested: 'a.pdf' }) },
  'dialog.show': { input: () => ({ path: file('lot.pdf') }) },
  'projects.export': { input: () => ({ ...inProject(), path: file('cups.twinproject') }) },
  'projects.import': { input: () => ({ path: file('cups.twinproject') }) },
  'pictures.remove': {
    input: () => ({ ...inProject(), sha256s: [station.pictures[1]!] }),
    then: ({ removed }) => expect(removed).toBe(1),
  },
  'classes.remove': { input: () => ({ classId: station.classId }) },
  'models.remove': { input: () => ({ modelId: 'm2' }) },
  'recipes.remove': { input: () => ({ recipeId: station.recipeId }) },
  'projects.remove': { input: inProject },
};
const names = Object.keys(calls) as ChannelName[];
const codeOf = (result: Result<unknown>): string => (result.ok ? 'done' : result.error.code);

it('every channel of the contract is called', () => {
  expect([...names].sort()).toEqual([...channelNames].sort());
});

/** Every value of an input, however deep, replaced by one that doesn't belong there. */
function* spoiled(value: unknown, key = ''): Generator<unknown> {
  const isPath = key === 'path' || key === 'paths' || key === 'outputFolder';
  if (typeof value === 'string' && isPath) {
    yield* [file('nul\0.png'), file('x'.repeat(5000)), file('no/such/folder/file'), station.root, '\ud800', ''];
  } else if (typeof value === 'string') {
    yield* [
      '',
      ' ',
      'x'.repeat(5000),
      'nul\0',
      '\ud800',
      '../../etc/passwd',
      '__proto__',
      "'; DROP TABLE parts;--",
      '🧱',
    ];
  } else if (typeof value === 'number') yield* [NaN, Infinity, -1, 0.5, 2 ** 53, 1e308, '7', 7n];
  else if (value instanceof Uint8Array) yield* [new Uint8Array(), value.subarray(0, 40), new Uint8Array(5000), 'text'];
  else if (Array.isArray(value)) {
    const items: readonly unknown[] = value;
    yield [];
    yield Array.from({ length: 20_000 }, () => items[0]);
    for (const one of spoiled(items[0], key)) yield [one];
  } else if (typeof value === 'object' && value !== null) {
    for (const [name, inside] of Object.entries(value)) {
      const rest = Object.fromEntries(Object.entries(value).filter(([other]) => other !== name));
      yield rest;
      for (const one of spoiled(inside, name)) yield { ...rest, [name]: one };
    }
  }
  yield* [undefined, null, {}, [], 42, 'text', new Array(2 ** 32 - 1), new Map([['projectId', 'x']]), new Date(NaN)];
}

it.each(names)(
  '%s: a good call is answered, spoiled ones with words for a person',
  { timeout: 120_000 },
  async (name) => {
    const { input, refused = 'done', then } = calls[name] as GoodCall<ChannelName>;
    const result = await station.call(name, input());
    expect(codeOf(result), result.ok ? '' : result.error.message).toBe(refused);
    if (result.ok) then?.(result.value as ChannelOutput<ChannelName>);
    expect(station.defects.splice(0)).toEqual([]);
  },
);

it.each(names)('%s: a spoiled call is refused with words for a person', { timeout: 120_000 }, async (name) => {
  const wrong: string[] = [];
  for (const bad of spoiled(calls[name].input())) {
    const answer = await station.call(name, bad);
    if (answer.ok) continue;
    const { code, message } = answer.error;
    // What never gets past the form must not reach a handler, whose failures would be defects.
    const isFormed = contract[name].input.safeParse(bad).success;
    if (
      code === 'internal' ||
      message.length > 4000 ||
      (!isFormed && !['callMalformed', 'callTooLarge'].includes(code))
    )
      wrong.push(`${inspect(bad, { breakLength: Infinity }).slice(0, 250)} -> ${code}: ${message}`);
  }
  expect(wrong).toEqual([]);
});
