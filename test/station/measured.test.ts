import { expect, test } from 'vitest';
import { lotReport } from '../../renderer/report/pdf/lot-report.ts';
import { reportWords } from '../../renderer/report/pdf/words.ts';
import { measureAgain } from '../../main/station/golden.ts';
import { cardData, heldOf, readParts } from '../../main/station/report-data.ts';
import { freezeNormalSet } from '../../main/station/training-data.ts';
import { thresholdHandlers } from '../../main/station/thresholds.ts';
import { at, judged, newModel, noFilter } from '../store/helpers.ts';
import { ann, testStation, type TestStation } from './station-context.ts';

/** A project with one class more than its model knows, and four golden pictures with known scores. */
async function measured(): Promise<{ station: TestStation; projectId: string }> {
  const station = await testStation();
  const { store } = station;
  const { id: projectId } = store.projects.create({ name: 'Cups', note: '', createdAt: at });
  const classes = ['cup', 'plate'].map((name) => store.projects.createClass(projectId, name));
  store.models.add({ ...newModel(projectId, 'm1'), thresholds: { review: 1, fail: 2 } });
  const golden = [
    { name: 'good', gtLabel: 'pass', predScore: 0.5, class: 0 },
    { name: 'odd', gtLabel: 'pass', predScore: 2.5, class: 0 },
    { name: 'crack', gtLabel: 'fail', predScore: 3, class: 0 },
    { name: 'faint', gtLabel: 'fail', predScore: 0.8, class: 0 },
    { name: 'plate', gtLabel: 'fail', predScore: 9, class: 1 },
  ] as const;
  for (const one of golden) {
    const bytes = new TextEncoder().encode(one.name);
    const file = { bytes, extension: 'png', widthPx: 1, heightPx: 1 } as const;
    const sha256 = await store.pictures.addFile(file, at);
    const classId = classes[one.class]!.id;
    store.pictures.place({ projectId, sha256, classId, use: 'golden', fileName: one.name, group: null, addedAt: at });
    const { gtLabel } = one;
    store.labels.set({ projectId, sha256, gtLabel, defectClass: null, regions: [], by: 'Ann', at, why: null });
    const verdict = one.predScore >= 2 ? 'fail' : one.predScore >= 1 ? 'review' : 'pass';
    const known = { className: classes[one.class]!.name, classDistance: 0.1 };
    if (one.class === 0) store.pictures.setScores('m1', [{ sha256, predScore: one.predScore, verdict, ...known }]);
  }
  return { station, projectId };
}

test('a model is measured on golden pictures that came after it, by the thresholds that hold, on its own classes', async () => {
  const { station } = await measured();
  const { store, context } = station;
  expect(store.models.get('m1').metrics).toEqual([]);
  measureAgain(context, 'm1');
  const [cup, ...others] = store.models.get('m1').metrics;
  expect(others).toEqual([]);
  expect(cup).toEqual({
    className: 'cup',
    pictures: 4,
    defects: 2,
    imageAuroc: 0.75,
    falseRejectRate: 0.5,
    escapeRate: 0.5,
  });
  // The figures follow the thresholds: the odd one passes now, and the faint one is looked at.
  const feeds = { score: () => Promise.resolve([]), modelChanged: () => Promise.resolve() };
  await thresholdHandlers(context, { feeds })['thresholds.apply'](
    { modelId: 'm1', thresholds: { review: 0.7, fail: 2.8 }, basis: 'by hand', reason: 'Dust.', secret: null },
    ann,
  );
  expect(store.models.get('m1').metrics[0]).toMatchObject({ falseRejectRate: 0, escapeRate: 0 });
});

test('figures heed the limit of unknown classes, also one found after the pictures were scored', async () => {
  const { station } = await measured();
  const { store, context } = station;
  const limit = { value: 0.05, falseAlarmRate: 0.01, confidence: 0.95, normals: 299 };
  store.models.setUnknownClass('m1', { limit, statement: '' });
  measureAgain(context, 'm1');
  // Farther from its class than the limit: a person looks at what would have passed.
  expect(store.models.get('m1').metrics[0]).toMatchObject({ falseRejectRate: 0.5, escapeRate: 0 });
});

test('figures stay as they are while a golden picture has no score', async () => {
  const { station } = await measured();
  const { store, context } = station;
  store.models.add({ ...newModel(store.projects.list()[0]!.id, 'm2'), modelHash: 'd'.repeat(64) });
  measureAgain(context, 'm2');
  expect(store.models.get('m2').metrics).toEqual([]);
});

test('reports name the thresholds by which each part was judged, also after they were changed', async () => {
  const { station, projectId } = await measured();
  const { store } = station;
  const of = { modelId: 'm1', predScore: 2.5, displayScore: 60 };
  const early = judged(store, projectId, { lot: 'L1' }, { ...of, verdict: 'fail' });
  const change = { at: '2026-03-03T08:00:00.000Z', by: 'Ben', basis: 'by hand', reason: 'Too strict.' };
  store.models.applyThresholds('m1', { ...change, thresholds: { review: 1, fail: 3 } });
  const later = { ...of, decidedAt: '2026-03-04T08:00:00.000Z', thresholds: { review: 1, fail: 3 } };
  judged(store, projectId, { lot: 'L1', presentedAt: later.decidedAt }, { ...later, verdict: 'review' });
  judged(store, projectId, { lot: 'L2' }, of);

  const model = store.models.get('m1');
  expect(heldOf(store, model, store.parts.get(early)!)).toMatchObject({ by: 'Ann', basis: 'normals only', reason: '' });
  const filter = { ...noFilter(projectId), lot: 'L1' };
  const read = await readParts(store, filter);
  expect(read).toMatchObject({
    more: false,
    span: { first: at, last: later.decidedAt },
    models: [
      {
        version: 1,
        thresholds: [
          { held: { by: 'Ben', reason: 'Too strict.' }, parts: 1 },
          { held: { basis: 'normals only' }, parts: 1 },
        ],
      },
    ],
  });
  expect(read.notPassed.map(({ verdict }) => verdict)).toEqual(['review', 'fail']);
  expect(await readParts(store, filter, 1)).toMatchObject({ more: true, models: [{ thresholds: [{ parts: 1 }] }] });
  // The scores it was measured on go onto its card, those of pictures it doesn't know do not.
  expect(cardData(store, model).scores).toEqual({ good: [0.5, 2.5], bad: [3, 0.8] });
  const page = lotReport(
    {
      station: 's',
      project: 'p',
      filter,
      printedAt: at,
      printedBy: 'Quinn',
      statistics: store.history.statistics(filter, 'day'),
      bucket: 'day',
      onlyNewest: null,
      ...read,
    },
    reportWords('en'),
  );
  expect(page).toMatch(/Too strict\.[^]*as trained/);
});

test('everything people said of a part is kept for its certificate, also what they took back', async () => {
  const { station, projectId } = await measured();
  const { store } = station;
  const partId = judged(store, projectId, {}, { verdict: 'fail' });
  const answer = { partId, defectClass: null, by: 'Ann', at };
  store.parts.answer({ ...answer, verdict: 'fail', why: null });
  store.parts.undo(projectId, 'Ann', at);
  store.parts.answer({ ...answer, verdict: 'pass', why: 'Only dust.' });
  expect(store.parts.answers(partId)).toMatchObject([
    { verdict: 'fail', withdrawnAt: at },
    { verdict: 'pass', why: 'Only dust.', withdrawnAt: null },
  ]);
});

test('snapshots say what models learned from, and how the normal set differs by now', async () => {
  const { station, projectId } = await measured();
  const { store, ask } = station;
  const [cup] = store.projects.classes(projectId);
  const add = async (name: string): Promise<string> => {
    const sha256 = await store.pictures.addFile(
      { bytes: new TextEncoder().encode(name), extension: 'png', widthPx: 1, heightPx: 1 },
      at,
    );
    const use = name === 'c' ? 'calibration' : 'normal';
    store.pictures.place({ projectId, sha256, classId: cup!.id, use, fileName: name, group: null, addedAt: at });
    return sha256;
  };
  const [first] = [await add('a'), await add('b'), await add('c')];
  const { snapshot } = freezeNormalSet(station.context, projectId, 'Ann');
  store.models.add({ ...newModel(projectId, 'm2'), snapshotId: snapshot.id });
  const list = () => ask('pictures.snapshots', { projectId });
  expect(await list()).toMatchObject([
    {
      createdBy: 'Ann',
      classes: [{ name: 'cup', normal: 2, calibration: 1 }],
      models: [2],
      addedSince: 0,
      removedSince: 0,
    },
  ]);
  await add('d');
  store.pictures.remove(projectId, [first!]);
  expect(await list()).toMatchObject([{ addedSince: 1, removedSince: 1 }]);
  expect(await ask('classes.list', { projectId })).toMatchObject([
    { name: 'cup', normalPictures: 2, calibrationPictures: 1, goldenPictures: 4, goldenDefects: 2 },
    { name: 'plate', goldenPictures: 1, goldenDefects: 1 },
  ]);
});
