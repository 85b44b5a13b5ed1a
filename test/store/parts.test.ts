import { describe, expect, it } from 'vitest';
import { UserError } from '../../shared/errors.ts';
import { at, judged, newModel, noFilter, passed, temporaryFolder, temporaryStore } from './helpers.ts';

describe('parts', () => {
  it('get exactly one verdict', async () => {
    const store = await temporaryStore();
    const { id: projectId } = store.projects.create({ name: 'Cups', note: '', createdAt: at });
    const partId = judged(store, projectId, { serial: 'A1' });
    expect(() => store.parts.decide(partId, { ...passed, verdict: 'fail' })).toThrow(UserError);
    // Not even past the code: the database itself refuses.
    for (const change of ["verdict = 'fail'", 'pred_score = 0', 'fail = 9', "model_hash = 'x'", "serial = 'B'"])
      expect(() => store.database.exec(`UPDATE parts SET ${change} WHERE id = ${partId}`)).toThrow(/has its verdict/);
    expect(store.parts.get(partId)).toMatchObject({
      verdict: 'pass',
      serial: 'A1',
      thresholds: { review: 1, fail: 2 },
    });
  });

  it('keep with their verdict what the score is made of and where it is worst', async () => {
    const store = await temporaryStore();
    const { id: projectId } = store.projects.create({ name: 'Cups', note: '', createdAt: at });
    const shares = { local: 0.75, semantic: null, memory: 0.25 };
    const hottest = { x: 0.125, y: 0.875, areaPx: 640 };
    const partId = judged(store, projectId, {}, { shares, hottest });
    expect(store.parts.get(partId)).toMatchObject({ shares, hottest });
    expect(store.history.page(noFilter(projectId), null, 1).parts[0]).toMatchObject({ shares, hottest });
    for (const change of ['local_share = 0', 'hot_x = 0', 'hot_area_px = 1'])
      expect(() => store.database.exec(`UPDATE parts SET ${change} WHERE id = ${partId}`)).toThrow(/has its verdict/);
    expect(store.parts.get(judged(store, projectId, {}))).toMatchObject({ shares: null, hottest: null });
  });

  it('never pass without a score', async () => {
    const store = await temporaryStore();
    const { id: projectId } = store.projects.create({ name: 'Cups', note: '', createdAt: at });
    const noScore = store.parts.get(judged(store, projectId, {}, { verdict: 'pass', predScore: NaN }));
    expect(noScore).toMatchObject({ verdict: 'noDecision', predScore: null });
    for (const thresholds of [null, { review: NaN, fail: 2 }, { review: 1, fail: Infinity }])
      expect(store.parts.get(judged(store, projectId, {}, { thresholds }))?.verdict).toBe('noDecision');
  });

  it('are recognised when they come again, and survive a restart half-way', async () => {
    const folder = temporaryFolder();
    const before = await temporaryStore(folder);
    const { id: projectId } = before.projects.create({ name: 'Cups', note: '', createdAt: at });
    const part = {
      projectId,
      source: 'a.png',
      serial: ' ',
      lot: null,
      station: 'Line 1',
      shift: null,
      presentedAt: at,
      recordKey: 'k1',
      path: '/in/a.png',
      fileState: 'a.png|12|1',
    };
    const first = before.parts.present(part);
    expect(first).toMatchObject({ known: false, verdict: null });
    before.close();

    const store = await temporaryStore(folder);
    expect(store.parts.undecided(projectId)).toEqual([
      { partId: first.partId, projectId, source: 'a.png', recordKey: 'k1', path: '/in/a.png' },
    ]);
    expect(store.parts.present(part)).toEqual({ partId: first.partId, verdict: null, known: true });
    expect(store.parts.seenFiles(projectId)).toEqual(['a.png|12|1']);
    const decided = store.parts.decideNothing(first.partId, 'The station stopped.', at);
    expect(decided).toMatchObject({ verdict: 'noDecision', reason: 'The station stopped.', serial: null });
    expect(store.parts.present(part)).toEqual({ partId: first.partId, verdict: 'noDecision', known: true });
    expect(store.parts.undecided()).toEqual([]);
    expect(store.parts.untold(projectId).map(({ id }) => id)).toEqual([first.partId]);
    store.parts.told(first.partId);
    expect(store.parts.untold(projectId)).toEqual([]);
  });

  it('count up', async () => {
    const store = await temporaryStore();
    const { id: projectId } = store.projects.create({ name: 'Cups', note: '', createdAt: at });
    judged(store, projectId, {});
    const start = store.parts.newestId();
    judged(store, projectId, {}, { verdict: 'fail', predScore: 3 });
    const review = judged(store, projectId, {}, { verdict: 'review', predScore: 1.5 });
    judged(store, projectId, {}, { verdict: 'noDecision', predScore: null });
    store.parts.present({
      projectId,
      source: 'b',
      serial: null,
      lot: null,
      station: 's',
      shift: null,
      presentedAt: at,
    });
    const counters = { presented: 5, pass: 1, fail: 1, review: 1, noDecision: 1, waitingForReview: 1 };
    expect(store.parts.counters(projectId)).toEqual(counters);
    expect(store.parts.counters(projectId, start)).toEqual({ ...counters, presented: 4, pass: 0 });
    expect(store.history.reviewQueue(projectId, 10)).toMatchObject({ total: 1, parts: [{ id: review }] });
    store.parts.answer({ partId: review, verdict: 'pass', defectClass: null, why: null, by: 'Ann', at });
    expect(store.parts.counters(projectId).waitingForReview).toBe(0);
    expect(store.history.reviewQueue(projectId, 10)).toEqual({ total: 0, parts: [] });
    expect(store.history.statistics(noFilter(projectId), 'hour').counters).toEqual({
      ...counters,
      waitingForReview: 0,
    });
  });

  it('keep every answer; undo brings back the one before', async () => {
    const store = await temporaryStore();
    const { id: projectId } = store.projects.create({ name: 'Cups', note: '', createdAt: at });
    const model = store.models.add(newModel(projectId, 'm1'));
    store.models.activate('m1');
    const sha256 = await store.pictures.addFile(
      { bytes: new Uint8Array([1, 2, 3]), extension: 'png', widthPx: 1, heightPx: 1 },
      at,
    );
    const partId = judged(store, projectId, {}, { pictureSha256: sha256, modelId: model.id });
    expect(store.pictures.find(projectId, sha256)).toMatchObject({ use: 'inspected', predScore: 0.2, gtLabel: null });
    const answer = { partId, defectClass: 'crack', why: null, at };
    store.parts.answer({ ...answer, verdict: 'fail', by: 'Ann' });
    store.parts.answer({ ...answer, verdict: 'pass', defectClass: null, by: 'Bob' });
    expect(store.parts.get(partId)).toMatchObject({ personVerdict: 'pass', personName: 'Bob', defectClass: null });
    expect(store.labels.conflicts(projectId).map(({ labels }) => labels.map(({ by }) => by))).toEqual([['Bob', 'Ann']]);
    expect(store.parts.undo(projectId, 'Cem', at)).toBeNull();
    expect(store.parts.undo(projectId, 'Bob', at)).toMatchObject({ personVerdict: 'fail', defectClass: 'crack' });
    expect(store.pictures.find(projectId, sha256)).toMatchObject({ gtLabel: 'fail', defectClass: 'crack' });
    expect(store.labels.conflicts(projectId)).toEqual([]);
    expect(store.parts.undo(projectId, 'Ann', at)).toMatchObject({ personVerdict: null, personName: null });
    expect(store.parts.undo(projectId, 'Ann', at)).toBeNull();
    expect(store.database.value('SELECT count(*) FROM person_answers')).toBe(2);
    expect(store.database.value('SELECT count(*) FROM labels')).toBe(2);
    expect(() => store.database.exec('UPDATE person_answers SET verdict = verdict')).toThrow(/never changed/);
    expect(() => store.database.exec('DELETE FROM labels')).toThrow(/never deleted/);
  });

  it('take any text', async () => {
    const store = await temporaryStore();
    const { id: projectId } = store.projects.create({ name: '컵 杯子 🫖', note: '', createdAt: at });
    const serial = '\u202Eشماره-١\u0000x\uD800 👩‍🏭';
    const part = store.parts.get(judged(store, projectId, { serial, lot: "o'Neill; DROP TABLE parts" }))!;
    expect(part.serial).toBe('\u202Eشماره-١\uFFFDx\uFFFD 👩‍🏭');
    expect(
      store.history.page({ ...noFilter(projectId), lot: "o'Neill; DROP TABLE parts" }, null, 5).parts,
    ).toHaveLength(1);
    expect(store.history.page({ ...noFilter(projectId), serial: '\u202Eشماره' }, null, 5).parts).toHaveLength(1);
  });
});
