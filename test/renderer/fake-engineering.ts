/** What the fake station answers engineers, quality people and administrators. */
import type { ChannelInput, ChannelName, ChannelOutput, StationEvent } from '../../shared/ipc/contract.ts';
import { sentence, type Sentence } from '../../shared/calibration/sentences.ts';
import type { GateResult, TrainingState } from '../../shared/ipc/training.ts';
import type { StationEventRow } from '../../shared/station/domain.ts';
import { chance, type FakeData } from './fake-data.ts';

export type Answers = { [N in ChannelName]?: (input: ChannelInput<N>) => ChannelOutput<N> | Promise<ChannelOutput<N>> };

const now = (): string => new Date().toISOString();
const digest = (seed: string): string =>
  Array.from({ length: 8 }, (_, i) =>
    Math.floor(chance(`${seed}${i}`) * 2 ** 32)
      .toString(16)
      .padStart(8, '0'),
  ).join('');

/** Events of a week at a station, newest first. */
function makeEvents(data: FakeData, count: number): StationEventRow[] {
  const samples = [
    ['Ada Berger', 'administrator', 'session.login', 'u1', {}],
    [
      'Ada Berger',
      'administrator',
      'settings.changed',
      'settings',
      { stationName: { before: 'S3', after: 'Station 3' } },
    ],
    [
      '김서연',
      'quality',
      'threshold.changed',
      digest('m2'),
      { after: { review: 0.52, fail: 0.74 }, reason: 'Audit 12.' },
    ],
    ['Minh Trần', 'operator', 'verdict.overridden', 'part 2381', { model: 'fail', person: 'pass', why: 'Lint.' }],
    ['Minh Trần', 'operator', 'label.set', data.pictures[0]?.sha256 ?? digest('p'), { gtLabel: 'fail' }],
    ['system', 'system', 'training.finished', digest('m2'), { version: 2, pictures: 96 }],
    ['system', 'system', 'data.deleted', 'pictures', { what: 'retention', removedPictures: 412, freedBytes: 3.1e8 }],
  ] as const;
  return Array.from({ length: count }, (_, i) => {
    const [actor, role, action, subject, details] = samples[Math.floor(chance(`e${i}`) * samples.length)]!;
    return {
      seq: count - i,
      at: new Date(Date.UTC(2026, 10, 20, 14, 30) - i * 420_000).toISOString(),
      actor,
      role,
      action,
      subject,
      details: JSON.stringify(details),
      hash: digest(`h${i}`),
    };
  });
}

const noPictures = { normalPictures: 0, calibrationPictures: 0, goldenPictures: 0, goldenDefects: 0 };

/** @param refuse throws what a handler throws when it says no */
export function engineeringAnswers(
  data: FakeData,
  tell: (event: StationEvent) => void,
  refuse: (message: string) => never,
): Answers {
  const events = makeEvents(data, data.parts.length === 0 ? 0 : 640);
  let training: TrainingState | null = null;
  const projectOf = (projectId: string) =>
    data.projects.find(({ id }) => id === projectId) ?? refuse('There is no such project.');
  const modelOf = (modelId: string) =>
    data.models.find(({ id }) => id === modelId) ?? refuse('There is no such model.');
  const gatesOf = (modelId: string): GateResult[] => {
    const changed = data.pictures.slice(-2).map(({ sha256 }) => ({
      sha256,
      className: data.classes[0]?.name ?? '',
      gtLabel: 'fail' as const,
      before: 'fail' as const,
      after: 'pass' as const,
    }));
    const lost = modelId === 'm1';
    const said = (...sentences: Sentence[]) => ({ statement: sentences.map(({ text }) => text).join(' '), sentences });
    const counts = { what: 'Defects found', className: 'all classes', n: 48 };
    return [
      {
        gate: 'golden',
        passed: true,
        ...said(sentence('gateUnchanged', { ...counts, lost: 0, gained: 1, p: 1 })),
        changed: [],
      },
      {
        gate: 'oldProducts',
        passed: !lost,
        ...said(
          lost
            ? sentence('gateLossSeen', { ...counts, lost: 2, gained: 0, loss: 2 / 48, margin: 0.01 })
            : sentence('gateUnchanged', { ...counts, lost: 0, gained: 0, p: 1 }),
        ),
        changed: lost ? changed : [],
      },
      {
        gate: 'parity',
        passed: true,
        ...said(sentence('parityKept', { difference: 3e-6, tolerance: 1e-4, pictures: 96 })),
        changed: [],
      },
      {
        gate: 'latency',
        passed: true,
        ...said(sentence('latencyWithin', { confidence: 0.95, high: 61, p95: 57.4, cycle: 700 })),
        changed: [],
      },
    ];
  };
  const activate = (modelId: string, projectId: string): void => {
    const project = projectOf(projectId);
    project.previousModelId = project.activeModelId;
    project.activeModelId = modelId;
    for (const model of data.models)
      model.state = model.id === modelId ? 'active' : model.id === project.previousModelId ? 'previous' : 'retired';
    tell({ type: 'models', projectId });
  };

  return {
    'users.create': ({ name, role }) => {
      const made = { id: `u${data.users.length + 1}`, name, role, language: null, disabled: false };
      data.users.push(made);
      return made;
    },
    'users.update': ({ userId, name, role, disabled }) => {
      const user = data.users.find(({ id }) => id === userId) ?? refuse('There is no such account.');
      const others = data.users.filter((one) => one !== user && one.role === 'administrator' && !one.disabled);
      if (others.length === 0 && (role !== 'administrator' || disabled))
        refuse(`${user.name} is the only administrator.`);
      return Object.assign(user, { name, role, disabled });
    },
    'storage.clean': () => ({ removedPictures: 412, freedBytes: 3.1e8 }),
    'storage.backup': () => ({ bytes: 5.2e7 }),
    'audit.page': ({ before, limit, action }) => {
      const found = events.filter(
        (one) => (before === null || one.seq < before) && (action === null || one.action === action),
      );
      return { events: found.slice(0, limit), more: found.length > limit };
    },
    'audit.verify': () => ({ events: events.length, problems: [] }),
    'system.diagnostics': ({ path, withPictures }) => ({ path, bytes: withPictures ? 31_400_000 : 412_000 }),
    'system.useCamera': () => ({}),
    'dialog.chooseFiles': ({ kind }) => ({
      paths: {
        pictures: ['/home/station/a1.png', '/home/station/a2.png', '/home/station/notes.png'],
        model: ['/home/station/file.twin'],
        project: ['/home/station/file.twinproject'],
      }[kind],
    }),

    'projects.update': ({ projectId, name, note, pxPerMm }) =>
      Object.assign(projectOf(projectId), { name, note, pxPerMm }),
    'projects.remove': ({ projectId }) => {
      data.projects = data.projects.filter(({ id }) => id !== projectId);
      return {};
    },
    'projects.export': () => ({ bytes: 412_000_000 }),
    'projects.import': () => data.projects[0] ?? refuse('This is no project.'),
    'classes.rename': ({ classId, name }) =>
      Object.assign(
        data.classes.find(({ id }) => id === classId)!,
        { name },
      ),
    'classes.remove': ({ classId }) => {
      data.classes.splice(
        data.classes.findIndex(({ id }) => id === classId),
        1,
      );
      return {};
    },
    'pictures.snapshots': () => [
      {
        id: 's1',
        createdAt: data.projects[0]?.createdAt ?? new Date(0).toISOString(),
        createdBy: 'Ada Berger',
        hash: 'c0ffee'.padEnd(64, '0'),
        classes: data.classes.map(({ name, normalPictures }) => ({ name, normal: normalPictures, calibration: 0 })),
        models: [1, 2],
        addedSince: 3,
        removedSince: 0,
      },
    ],
    'classes.create': ({ projectId, name }) => {
      const made = { id: `c${data.classes.length}`, projectId, name, ...noPictures };
      data.classes.push(made);
      return made;
    },
    'pictures.lookAtFolder': () => ({
      classes: [
        { name: 'cookie', normal: 214, good: 40, defects: 31, defectClasses: ['burnt', 'broken', 'foreign body'] },
        { name: 'wafer', normal: 180, good: 32, defects: 0, defectClasses: [] },
      ],
      warnings: ['"/pictures/cookie": the folders inside it (old) are left out.'],
    }),
    'pictures.importFolder': ({ projectId }) => {
      tell({ type: 'importing', projectId, done: 120, total: 497 });
      return {
        added: 494,
        known: 0,
        refused: [
          {
            file: 'cookie/017.png',
            reason: '"017.png" ends too early: the PNG has no end chunk. Copy or record the picture again.',
          },
        ],
      };
    },
    'pictures.importFiles': ({ projectId, classId, use, paths }) => {
      const like = data.pictures[0] ?? refuse('There is no picture.');
      const good = paths.filter((path) => !path.endsWith('notes.png'));
      tell({ type: 'importing', projectId, done: 1, total: paths.length });
      for (const path of good) {
        const fileName = path.split('/').at(-1)!;
        const addedAt = now();
        data.pictures.push({
          ...like,
          sha256: digest(path),
          projectId,
          classId,
          use,
          fileName,
          addedAt,
          gtLabel: null,
        });
      }
      const refused = paths.filter((path) => !good.includes(path));
      return {
        added: good.length,
        known: 0,
        refused: refused.map((file) => ({ file, reason: `"${file}" is no picture that can be read.` })),
      };
    },
    'pictures.capture': ({ classId, use, fileName }) => {
      const like = data.pictures[0] ?? refuse('There is no picture.');
      const made = { ...like, sha256: digest(fileName), classId, use, fileName, addedAt: now() };
      data.pictures.push(made);
      return { picture: made, blurred: false, duplicateOf: null };
    },
    'pictures.setUse': ({ sha256s, use }) => {
      for (const one of data.pictures) if (sha256s.includes(one.sha256)) one.use = use;
      return {};
    },
    'pictures.remove': ({ sha256s }) => {
      data.pictures = data.pictures.filter(({ sha256 }) => !sha256s.includes(sha256));
      return { removed: sha256s.length };
    },
    'recipes.remove': ({ recipeId }) => {
      data.recipes = data.recipes.filter(({ id }) => id !== recipeId);
      return {};
    },
    'recipes.tryPattern': ({ names, path }) =>
      [...(path === null ? [] : ['L2291_0001.png', 'L2291_0002.png']), ...names].map((name) => {
        const [, lot, serial] = /^(\w+)_(\w+)\.png$/.exec(name) ?? [];
        return {
          name,
          matched: lot !== undefined,
          serial: serial ?? null,
          lot: lot ?? null,
          className: null,
        };
      }),

    'training.current': () => training,
    'training.start': (request) =>
      (training = {
        id: 't1',
        projectId: request.projectId,
        state: 'running',
        request,
        startedAt: now(),
        phase: 'training',
        message: 'Training the two students, 600 steps',
        share: 0.42,
        remainingMs: 92_000,
        imagesPerSecond: 18.5,
        losses: Array.from({ length: 60 }, (_, i) => {
          const decoder = 0.8 * Math.exp(-i / 18) + 0.04 * chance(`l${i}`);
          return { step: i * 10, total: decoder * 1.6, decoder, encoder: decoder * 0.6 };
        }),
        watched: {
          off: null,
          good: 16,
          defects: 16,
          points: [
            { part: 'memory', step: 0, auroc: 0.91 },
            ...Array.from({ length: 10 }, (_, i) => ({
              part: 'students' as const,
              step: 20 + i * 60,
              auroc: 0.97 - 0.4 * Math.exp(-i / 2.5) - 0.02 * chance(`w${i}`),
            })),
          ],
          finished: null,
        },
        log: [
          { at: now(), level: 'info', message: 'Building the memory of normal parts' },
          {
            at: now(),
            level: 'warning',
            message: 'Class "envelope" has one normal picture only: expect weak results; 20 or more are better.',
          },
          { at: now(), level: 'info', message: 'Training the two students, 600 steps' },
        ],
        modelId: null,
        error: null,
      }),
    'training.pause': ({ paused }) => {
      if (training === null) return refuse('This training is not running (any more).');
      return (training = { ...training, state: paused ? 'paused' : 'running' });
    },
    'training.cancel': () => {
      if (training === null) return refuse('This training is not running (any more).');
      training = { ...training, state: 'cancelled', remainingMs: null, imagesPerSecond: null };
      tell({ type: 'training', training });
      return {};
    },
    'models.import': ({ projectId }) => {
      const like = data.models[0] ?? refuse('There is no model.');
      const version = Math.max(...data.models.map((one) => one.version)) + 1;
      const made = { ...like, id: `m${version}`, projectId, version, createdAt: now(), createdBy: 'Ada Berger' };
      const model = { ...made, state: 'candidate' as const, trainingMs: 0, override: null };
      data.models.push(model);
      tell({ type: 'models', projectId });
      return model;
    },
    'models.export': () => ({}),
    'models.remove': ({ modelId }) => {
      const { state, version, projectId } = modelOf(modelId);
      if (state === 'active') refuse(`Model v${version} is judging.`);
      data.models = data.models.filter(({ id }) => id !== modelId);
      tell({ type: 'models', projectId });
      return {};
    },
    'models.gates': ({ modelId }) => gatesOf(modelId),
    'models.activate': ({ modelId, override }) => {
      const gates = gatesOf(modelId);
      const activated = override !== null || gates.every(({ passed }) => passed);
      if (activated) activate(modelId, modelOf(modelId).projectId);
      return { activated, gates };
    },
    'models.rollback': ({ projectId }) => {
      const before = projectOf(projectId).previousModelId ?? refuse('No model judged before this one.');
      activate(before, projectId);
      return modelOf(before);
    },
    'thresholds.apply': ({ modelId, thresholds, basis }) => Object.assign(modelOf(modelId), { thresholds, basis }),
    'history.export': ({ path }) => ({ parts: data.parts.length, path }),
    'reports.lot': ({ path }) => ({ path, pages: 6 }),
    'reports.part': ({ path }) => ({ path, pages: 1 }),
    'reports.model': ({ path }) => ({ path, pages: 2 }),
  };
}
