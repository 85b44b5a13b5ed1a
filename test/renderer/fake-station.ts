/**
 * Stands in for the preload in a plain browser: every call is parsed through the contract both ways and answered from
 * memory. Runs in the page, before the window's own code.
 */
import './zod-without-eval.ts';
import { contract, type ChannelName, type StationEvent } from '../../shared/ipc/contract.ts';
import type { FeedState } from '../../shared/ipc/inspection.ts';
import type { Session } from '../../shared/ipc/settings.ts';
import type { Label, StationPart, StationPicture } from '../../shared/station/domain.ts';
import { makeData, thresholds, type SamplePicture } from './fake-data.ts';
import { engineeringAnswers, type Answers } from './fake-engineering.ts';
import { FakeDrift } from './fake-drift.ts';
import { FakeLive } from './fake-live.ts';
import { studyAnswers } from './fake-study.ts';

export interface FakeOptions {
  language?: 'en' | 'de' | 'ko' | 'zh-CN';
  theme?: 'system' | 'light' | 'dark' | 'contrast';
  /** Accounts exist and nobody is signed in. */
  locked?: boolean;
  /** Nothing there yet. */
  empty?: boolean;
  /** Feed state at the start. */
  feed?: FeedState['state'];
  intervalMs?: number;
  /** The drift guard's alarm stands. */
  drift?: boolean;
  /** Channels that refuse. */
  failing?: ChannelName[];
  role?: 'operator' | 'engineer' | 'quality' | 'administrator';
}

type Fake = Window & { fakeSample: SamplePicture[]; fakeOptions: FakeOptions; fakeLog: string[] };

const page = window as unknown as Fake;
const options = page.fakeOptions;
page.fakeLog = [];
const data = makeData(page.fakeSample);
if (options.empty === true)
  Object.assign(data, { projects: [], classes: [], models: [], recipes: [], pictures: [], parts: [] });
data.settings = { ...data.settings, language: options.language ?? 'en', theme: options.theme ?? 'light' };

let session: Session = {
  accounts: options.locked === true || options.role !== undefined,
  user:
    options.locked === true
      ? null
      : { id: 'u1', name: 'Ada Berger', role: options.role ?? 'administrator', language: null, disabled: false },
};
const listeners = new Set<(event: StationEvent) => void>();
const tell = (event: StationEvent): void => listeners.forEach((listener) => listener(event));
const now = (): string => new Date().toISOString();

const drift = new FakeDrift(options.drift === true);
const live = new FakeLive(page.fakeSample, data, (feed) => tell({ type: 'feed', feed }), options);

class Refused extends Error {}

const pictureOf = (sha256: string): StationPicture => {
  const found = data.pictures.find((one) => one.sha256 === sha256);
  if (found === undefined) throw new Refused('There is no such picture.');
  return found;
};

function setLabel(sha256: string, given: Pick<Label, 'gtLabel' | 'defectClass' | 'regions' | 'why'>): Label {
  const before = data.labels.findLast((one) => one.sha256 === sha256);
  const made: Label = {
    id: data.labels.length + 1,
    sha256,
    projectId: 'papers',
    ...given,
    by: session.user?.name ?? '?',
    at: now(),
    replaces: before?.id ?? null,
  };
  data.labels.push(made);
  Object.assign(pictureOf(sha256), { gtLabel: given.gtLabel, defectClass: given.defectClass });
  return made;
}

const uncertainty = (one: StationPicture): number =>
  one.predScore === null ? -1 : -Math.abs(one.predScore - (thresholds.review + thresholds.fail) / 2);
const disagreement = (one: StationPicture): number => {
  if (one.predScore === null || one.gtLabel === null) return -1;
  return one.gtLabel === 'pass' ? one.predScore - thresholds.fail : thresholds.review - one.predScore;
};

function answerPart(partId: number, change: Partial<StationPart>): StationPart {
  const part = data.parts.find((one) => one.id === partId);
  if (part === undefined) throw new Refused('There is no such part.');
  Object.assign(part, change);
  return { ...part };
}
const answered: number[] = [];

const answers: Answers = {
  ...engineeringAnswers(data, tell, (message) => {
    throw new Refused(message);
  }),
  ...studyAnswers(data, tell, (message) => {
    throw new Refused(message);
  }),
  'session.current': () => session,
  'session.people': () => data.users.map(({ id, name, role }) => ({ id, name, role })),
  'session.signIn': ({ userId, secret }) => {
    if (secret !== '1234') throw new Refused('Name and secret do not match.');
    session = { accounts: true, user: data.users.find((one) => one.id === userId)! };
    return session;
  },
  'session.signOut': () => (session = { ...session, user: null }),
  'settings.get': () => data.settings,
  'settings.set': (settings) => (data.settings = settings),
  'settings.setAppearance': (change) => (data.settings = { ...data.settings, ...change }),
  'users.list': () => data.users,
  'storage.state': () => ({
    folder: '/home/station/Twinspect',
    usedBytes: 8.4e9,
    freeBytes: 212e9,
    pictures: 18_204,
    parts: 412_300,
    daysLeft: 143,
    lastBackupAt: now(),
  }),
  'system.status': () => ({
    version: '0.1.0',
    platform: 'Linux x64',
    electron: '33.2.1',
    engines: [
      { name: 'cpu', available: true, reason: null },
      { name: 'cuda', available: false, reason: 'this build of ONNX Runtime (linux x64) does not contain it' },
    ],
    inference: { state: 'running', restarts: 0, engine: 'cpu', threads: 2 },
    training: { state: 'idle', restarts: 0 },
    memoryMb: 612,
    cores: 4,
    notices: [],
  }),
  'system.useCamera': () => ({}),

  'projects.list': () => data.projects,
  'projects.create': ({ name, note }) => {
    const made = {
      ...data.projects[0]!,
      id: `p${data.projects.length}`,
      name,
      note,
      activeModelId: null,
      previousModelId: null,
      sample: false,
    };
    data.projects.push(made);
    return made;
  },
  'classes.list': ({ projectId }) => data.classes.filter((one) => one.projectId === projectId),
  'models.list': ({ projectId }) => data.models.filter((one) => one.projectId === projectId),
  'recipes.list': ({ projectId }) =>
    data.recipes.filter((one) => one.projectId === projectId).map((one) => ({ ...one, nextLot: one.lot })),
  'recipes.save': (recipe) => {
    const saved = { ...recipe, id: recipe.id ?? `r${data.recipes.length + 1}`, updatedAt: now() };
    data.recipes = [...data.recipes.filter((one) => one.id !== saved.id), saved];
    return saved;
  },
  'pictures.list': ({ projectId, classId, use, label, sort, offset, limit }) => {
    const found = data.pictures.filter(
      (one) =>
        one.projectId === projectId &&
        (classId === null || one.classId === classId) &&
        (use === null || one.use === use) &&
        (label === 'any' || (label === 'none' ? one.gtLabel === null : one.gtLabel === label)),
    );
    const key = {
      newest: (one: StationPicture) => Date.parse(one.addedAt),
      score: (one: StationPicture) => one.predScore ?? -1,
      uncertainty,
      disagreement,
    }[sort];
    found.sort((a, b) => key(b) - key(a));
    return { total: found.length, pictures: found.slice(offset, offset + limit) };
  },
  'pictures.suggestions': () =>
    data.pictures
      .slice(0, 4)
      .map((one) => ({ kind: 'odd' as const, sha256: one.sha256, otherSha256: null, amount: 3 })),
  'labels.set': ({ sha256, gtLabel, defectClass, regions, why }) =>
    setLabel(sha256, { gtLabel, defectClass, regions, why }),
  'labels.undo': () => {
    const last = data.labels.pop();
    if (last === undefined) return { sha256: null };
    const before = data.labels.findLast((one) => one.sha256 === last.sha256);
    Object.assign(pictureOf(last.sha256), {
      gtLabel: before?.gtLabel ?? null,
      defectClass: before?.defectClass ?? null,
    });
    return { sha256: last.sha256 };
  },
  'labels.of': ({ sha256 }) => data.labels.filter((one) => one.sha256 === sha256),
  'labels.conflicts': ({ projectId }) =>
    data.pictures
      .filter((one) => one.projectId === projectId)
      .slice(-2)
      .map((picture) => ({
        picture,
        labels: (['pass', 'fail'] as const).map((gtLabel, i) => ({
          id: 900 + i,
          sha256: picture.sha256,
          projectId,
          gtLabel,
          defectClass: i === 0 ? null : 'impurity',
          regions: [],
          by: i === 0 ? 'Ada Berger' : 'Minh Trần',
          at: now(),
          why: null,
          replaces: i === 0 ? null : 900,
        })),
      })),
  'labels.progress': () => ({
    labelled: data.pictures.filter((one) => one.gtLabel !== null).length,
    total: data.pictures.length,
    conflicts: data.pictures.length > 0 ? 2 : 0,
    defectClasses: ['impurity', 'scratch', 'print missing'],
  }),

  'feed.state': ({ projectId }) => live.stateOf(projectId),
  'feed.start': ({ recipeId }) => live.start(recipeId),
  'feed.stop': () => live.stop(),
  'feed.acknowledge': () => live.acknowledge(),
  'explain.heat': ({ modelId }) => ({
    predScore: modelId === data.models[0]?.id ? 3.1 : 0.4,
    verdict: modelId === data.models[0]?.id ? 'fail' : 'pass',
    heat: { width: 4, height: 4, bytes: Uint8Array.from({ length: 16 }, (_, i) => (i === 5 ? 255 : 0)) },
  }),
  'explain.part': ({ partId }) => ({
    partId,
    predScore: 4.21,
    isRepeated: true,
    regions: [{ box: { x: 120, y: 88, width: 64, height: 40 }, areaPx: 1890, areaMm2: null, peakScore: 4.21 }],
    nearestNormalSha256: null,
    counterfactuals: [
      { replacedBy: 'surroundings', region: 0, predScore: 1.12, verdict: 'pass' },
      { replacedBy: 'nearestNormal', region: 0, predScore: 0.94, verdict: 'pass' },
    ],
  }),
  'drift.state': () => drift.state,
  'drift.history': () => (drift.state.alarm === null ? drift.ended : [drift.state.alarm, ...drift.ended]),
  'drift.acknowledge': ({ reason }) => drift.end(reason, session.user?.name ?? '?'),
  'drift.cameraSettings': () => ({}),
  'feed.setLot': ({ lot }) => {
    data.recipes.forEach((one) => (one.lot = lot));
    return live.setLot(lot);
  },
  'feed.openLive': ({ projectId }) => {
    live.open(projectId);
    return {};
  },
  'feed.judgeFiles': ({ paths }) => {
    paths.forEach(() => void live.judgeNext());
    return { presented: paths.length };
  },
  'parts.answer': ({ partId, verdict, defectClass }) => {
    answered.push(partId);
    return answerPart(partId, { personVerdict: verdict, personName: session.user?.name ?? '?', defectClass });
  },
  'parts.undo': () => {
    const partId = answered.pop();
    if (partId === undefined) return { part: null };
    return { part: answerPart(partId, { personVerdict: null, personName: null, defectClass: null }) };
  },
  'parts.reviewQueue': ({ projectId, limit }) => {
    const waiting = data.parts.filter(
      (one) =>
        one.projectId === projectId &&
        one.personVerdict === null &&
        (one.verdict === 'review' || one.verdict === 'noDecision'),
    );
    return { total: waiting.length, parts: waiting.slice(0, limit) };
  },

  'history.page': ({ filter, before, limit }) => {
    const found = data.parts
      .filter(
        (one) =>
          one.projectId === filter.projectId &&
          (filter.verdict === null || one.verdict === filter.verdict) &&
          (before === null || one.id < before),
      )
      .sort((a, b) => b.id - a.id);
    return { parts: found.slice(0, limit), more: found.length > limit };
  },
  'history.part': ({ partId }) => data.parts.find((one) => one.id === partId) ?? null,
  'history.lots': () => ['2291', '2290', '2289'],
  'history.statistics': ({ filter, bucket }) => {
    const of = (verdict: string, parts: StationPart[]) => parts.filter((one) => one.verdict === verdict).length;
    const count = (parts: StationPart[]) => ({
      presented: parts.length,
      pass: of('pass', parts),
      fail: of('fail', parts),
      review: of('review', parts),
      noDecision: of('noDecision', parts),
      waitingForReview: of('review', parts),
    });
    const parts = data.parts.filter((one) => one.projectId === filter.projectId);
    const bucketOf = (one: StationPart) =>
      bucket === 'hour'
        ? `${one.presentedAt.slice(0, 13)}:00:00.000Z`
        : `${one.presentedAt.slice(0, 10)}T00:00:00.000Z`;
    const times = [...new Set(parts.map(bucketOf))].sort();
    return {
      counters: count(parts),
      yield: times.map((from) => ({
        from,
        counters: count(parts.filter((one) => bucketOf(one) === from)),
      })),
      pareto: [
        { defectClass: 'impurity', parts: 31 },
        { defectClass: 'scratch', parts: 12 },
        { defectClass: 'print missing', parts: 3 },
      ],
      falseRejects: 4,
      escapes: 1,
      answered: 60,
    };
  },

  'training.plan': () => ({
    classes: data.classes.map(({ name, normalPictures, goldenPictures }) => ({
      name,
      normal: normalPictures,
      golden: goldenPictures,
    })),
    presets: (['instant', 'embedded', 'paper-small', 'paper-base', 'paper-large'] as const).map((preset, i) => ({
      preset,
      estimateMs: [8_000, 190_000, 5_400_000, 2e7, 6e7][i]!,
      available: i < 3,
      reason:
        i < 3
          ? null
          : 'The weights of "dinov2-base" (DINOv2 ViT-B/14) are not on this machine; looked in "/home/station/weights". Run "twinspect backbone fetch dinov2-base" on a machine with a network, or carry the file here and run "twinspect backbone import FILE --id dinov2-base".',
    })),
    engines: [
      { name: 'auto', available: true, reason: null },
      { name: 'cpu', available: true, reason: null },
      { name: 'cuda', available: false, reason: 'this build of ONNX Runtime (linux x64) does not contain it' },
    ],
    problems: ['The class "PA_BDP01_TL" has only 8 pictures of good parts: 20 or more are better.'],
  }),
  'thresholds.evidence': () => ({
    evidence: data.evidence,
    thresholds,
    basis: data.models[1]?.basis ?? '',
    unlabelled: 12,
  }),
  'thresholds.history': () => [
    { at: now(), by: 'Ada Berger', thresholds, basis: data.models[1]?.basis ?? '', reason: 'First setting.' },
  ],
  'dialog.chooseFolder': () => ({ path: '/home/station/pictures/new parts' }),
  'dialog.chooseSave': ({ suggested }) => ({ path: `/home/station/${suggested}` }),
  'dialog.show': () => ({}),
};

async function answer(name: ChannelName, input: unknown): Promise<unknown> {
  page.fakeLog.push(name);
  try {
    if (options.failing?.includes(name))
      throw new Refused('Another program is using the station\'s database "station.db".');
    const parsed = contract[name].input.parse(structuredClone(input));
    const handler = answers[name] as ((input: unknown) => unknown) | undefined;
    if (handler === undefined) throw new Refused(`The fake station can't do ${name}.`);
    const value = contract[name].output.parse(structuredClone(await handler(parsed)));
    return { ok: true, value };
  } catch (error) {
    const refused = error instanceof Refused;
    return { ok: false, error: { code: refused ? 'refused' : 'internal', message: String((error as Error).message) } };
  }
}

Object.defineProperty(window, 'station', {
  value: {
    ...Object.fromEntries(
      (Object.keys(contract) as ChannelName[]).map((name) => [name, (input: unknown) => answer(name, input)]),
    ),
    onEvent(listener: (event: StationEvent) => void) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    pathOf: (file: File) => `/dropped/${file.name}`,
  },
});
Object.defineProperty(window, 'fake', { value: { live, data, tell } });
