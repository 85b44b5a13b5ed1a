import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { cleanStorage } from '../../main/station/retention.ts';
import { judged, newModel, temporaryFolder } from '../store/helpers.ts';
import { partPicture, type TestStation, testStation } from './station-context.ts';

const day = 86_400_000;
const rules = { limitGb: 100, keepFailsDays: 100, keepPassesDays: 10, keepEveryNthPass: 4 };

/** A judged part with a picture and a heat map of its own. */
async function shown(
  station: TestStation,
  projectId: string,
  n: number,
  verdict: 'pass' | 'fail',
): Promise<{ partId: number; sha256: string }> {
  const bytes = Buffer.alloc(1000, n);
  const sha256 = await station.store.pictures.addFile(
    { bytes, extension: 'png', widthPx: 9, heightPx: 9 },
    station.context.now(),
  );
  const partId = judged(
    station.store,
    projectId,
    { serial: `S${n}`, presentedAt: station.context.now() },
    { verdict, predScore: 1, pictureSha256: sha256, hasHeatMap: true },
  );
  await station.store.files.saveHeatMap(partId, Buffer.alloc(100));
  return { partId, sha256 };
}

describe('storage', () => {
  it('tells what there is and how long it lasts', async () => {
    const station = await testStation();
    expect(await station.ask('storage.state', {})).toMatchObject({
      pictures: 0,
      parts: 0,
      daysLeft: null,
      lastBackupAt: null,
    });
    const { id: projectId } = await station.ask('projects.create', { name: 'Cups', note: '' });
    await shown(station, projectId, 1, 'pass');
    station.wait(2 * day);
    await shown(station, projectId, 2, 'pass');
    const state = await station.ask('storage.state', {});
    expect(state).toMatchObject({ folder: station.context.folder, pictures: 2, parts: 2 });
    expect(state.usedBytes).toBeGreaterThan(2000);
    // 2,000 bytes in two days.
    const room = Math.min(state.freeBytes, 100e9 - state.usedBytes);
    expect(state.daysLeft! / (room / 1000)).toBeCloseTo(1, 3);
    const path = join(temporaryFolder(), 'copy.db');
    expect((await station.ask('storage.backup', { path })).bytes).toBeGreaterThan(10_000);
    expect(existsSync(path)).toBe(true);
  });

  it('keeps what came while the clock was set back, although it says it is old', async () => {
    const station = await testStation();
    const { store } = station;
    const { id: projectId } = await station.ask('projects.create', { name: 'Cups', note: '' });
    const old = await shown(station, projectId, 1, 'fail');
    station.wait(200 * day);
    const recent = await shown(station, projectId, 2, 'fail');
    // An empty battery: the computer starts in the past, until somebody sees it.
    station.wait(-20_000 * day);
    const astray = await shown(station, projectId, 3, 'fail');
    const passed = await shown(station, projectId, 5, 'pass');
    station.wait(20_000 * day);
    const last = await shown(station, projectId, 6, 'fail');
    expect((await cleanStorage(station.context, rules)).removedPictures).toBe(1);
    const kept = [old, recent, astray, passed, last].map(({ sha256 }) => store.pictures.path(sha256) !== null);
    expect(kept).toEqual([false, true, true, true, true]);
    // As the records after them grow old, so do they.
    station.wait(200 * day);
    expect((await cleanStorage(station.context, rules)).removedPictures).toBe(4);
  });

  it('is cleaned of old passed parts’ pictures, all but a sample, and never of what people or models need', async () => {
    const station = await testStation();
    const { store } = station;
    const { id: projectId } = await station.ask('projects.create', { name: 'Cups', note: '' });
    const passes: { partId: number; sha256: string }[] = [];
    for (let n = 1; n <= 12; n++) passes.push(await shown(station, projectId, n, 'pass'));
    const fail = await shown(station, projectId, 50, 'fail');
    // The same picture came twice: once it passed, once it failed.
    const twice = judged(
      store,
      projectId,
      { presentedAt: station.context.now() },
      { verdict: 'fail', predScore: 9, pictureSha256: passes[1]!.sha256 },
    );
    await station.ask('labels.set', {
      projectId,
      sha256: passes[2]!.sha256,
      gtLabel: 'pass',
      defectClass: null,
      regions: [],
      why: null,
    });
    await station.ask('pictures.setUse', { projectId, sha256s: [passes[4]!.sha256], use: 'normal', classId: null });
    await station.ask('parts.answer', { partId: passes[5]!.partId, verdict: 'pass', defectClass: null, why: null });
    store.pictures.takeSnapshot({
      projectId,
      createdAt: station.context.now(),
      createdBy: 'Ann',
      hash: 'a'.repeat(64),
      pictures: [{ sha256: passes[6]!.sha256, className: 'cup', use: 'inspected' }],
    });
    store.models.add(newModel(projectId, 'm1'));

    expect(await cleanStorage(station.context, rules)).toEqual({ removedPictures: 0, freedBytes: 0 });
    station.wait(11 * day);
    const young = await shown(station, projectId, 60, 'pass');
    const cleaned = await station.ask('storage.clean', {});
    expect(cleaned).toEqual({ removedPictures: 0, freedBytes: 0 });
    const result = await cleanStorage(station.context, rules);
    const kept = passes.flatMap(({ sha256 }, i) => (store.pictures.path(sha256) === null ? [] : [i]));
    // By number: the 4th, 8th, 12th are the sample; 1 failed once; 2 labelled; 4 normal; 5 answered; 6 in a snapshot.
    expect(kept).toEqual([1, 2, 3, 4, 5, 6, 7, 11]);
    expect(result.removedPictures).toBe(4);
    expect(store.pictures.path(fail.sha256)).not.toBeNull();
    expect(store.pictures.path(young.sha256)).not.toBeNull();
    // Records stay: what was seen is still known by its hash.
    expect(store.parts.get(passes[0]!.partId)).toMatchObject({
      pictureSha256: passes[0]!.sha256,
      hasHeatMap: false,
      verdict: 'pass',
    });
    expect(existsSync(store.files.heatMapPath(passes[0]!.partId))).toBe(false);
    expect(store.parts.counters(projectId).presented).toBe(15);

    station.wait(100 * day);
    await cleanStorage(station.context, rules);
    expect(store.pictures.path(fail.sha256)).toBeNull();
    expect(store.parts.get(twice)).toMatchObject({ verdict: 'fail' });
    expect([2, 4, 5, 6].every((i) => store.pictures.path(passes[i]!.sha256) !== null)).toBe(true);
    expect(await cleanStorage(station.context, rules)).toEqual({ removedPictures: 0, freedBytes: 0 });
  });

  it('over its limit gives up the oldest passed parts’ pictures first', async () => {
    const station = await testStation();
    const { id: projectId } = await station.ask('projects.create', { name: 'Cups', note: '' });
    const all: { partId: number; sha256: string }[] = [];
    for (let n = 1; n <= 6; n++) all.push(await shown(station, projectId, n, n === 2 ? 'fail' : 'pass'));
    // 6,000 bytes of pictures, room for 4,000.
    const { removedPictures } = await cleanStorage(station.context, { ...rules, limitGb: 4000 / 1e9 });
    expect(removedPictures).toBe(2);
    expect(all.map(({ sha256 }) => station.store.pictures.path(sha256) !== null)).toEqual([
      false,
      true,
      false,
      true,
      true,
      true,
    ]);
  });

  it('gives up pictures that no project names any more', async () => {
    const station = await testStation();
    const { id: projectId } = await station.ask('projects.create', { name: 'Cups', note: '' });
    const { id: classId } = await station.ask('classes.create', { projectId, name: 'cup' });
    const bytes = new Uint8Array(partPicture());
    const { picture } = await station.ask('pictures.capture', {
      projectId,
      classId,
      use: 'normal',
      bytes,
      fileName: 'a.png',
    });
    await station.ask('pictures.remove', { projectId, sha256s: [picture.sha256] });
    expect((await cleanStorage(station.context, rules)).removedPictures).toBe(1);
    await station.ask('pictures.capture', { projectId, classId, use: 'normal', bytes, fileName: 'a.png' });
    expect(station.store.pictures.path(picture.sha256)).not.toBeNull();
    await station.ask('projects.remove', { projectId });
    expect((await cleanStorage(station.context, rules)).removedPictures).toBe(0);
    station.wait(101 * day);
    expect((await cleanStorage(station.context, rules)).removedPictures).toBe(1);
  });
});
