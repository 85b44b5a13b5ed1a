import { createWriteStream, existsSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { describe, expect, it } from 'vitest';
import yauzl from 'yauzl';
import { ZipFile } from 'yazl';
import { UserError } from '../../shared/errors.ts';
import { judged, newModel, noFilter, temporaryFolder } from '../store/helpers.ts';
import { ann, bob, partPicture, type TestStation, testStation } from './station-context.ts';

/** A project with something in every table. */
async function fullProject(station: TestStation): Promise<string> {
  const { store } = station;
  const { id: projectId } = await station.ask('projects.create', { name: 'Tassen 杯', note: 'Line 3' });
  await station.ask('projects.update', { projectId, name: 'Tassen 杯', note: 'Line 3', pxPerMm: 12.5 });
  const { id: classId } = await station.ask('classes.create', { projectId, name: 'cup' });
  const shas: string[] = [];
  for (let seed = 0; seed < 4; seed++) {
    const bytes = new Uint8Array(partPicture({ seed }));
    const { picture } = await station.ask('pictures.capture', {
      projectId,
      classId,
      use: 'normal',
      bytes,
      fileName: `ü${seed}.png`,
    });
    shas.push(picture.sha256);
  }
  const label = { projectId, sha256: shas[0]!, defectClass: 'dent', regions: [], why: null };
  await station.ask('labels.set', { ...label, gtLabel: 'fail' });
  await station.ask('labels.set', { ...label, gtLabel: 'pass' }, bob);
  await station.ask('labels.set', { ...label, gtLabel: 'unsure' });
  await station.ask('labels.undo', { projectId });
  await station.ask('recipes.save', {
    id: null,
    projectId,
    name: 'Replay',
    source: { kind: 'replay', path: '/in', intervalMs: 100 },
    region: null,
    ignore: [],
    outputFolder: null,
    cycleTimeMs: null,
    lot: 'L1',
  });
  const snapshot = store.pictures.takeSnapshot({
    projectId,
    createdAt: station.context.now(),
    createdBy: 'Ann',
    hash: 'c'.repeat(64),
    pictures: shas.map((sha256) => ({ sha256, className: 'cup', use: 'normal' })),
  });
  for (const id of ['m1', 'm2']) {
    store.models.add({ ...newModel(projectId, id), snapshotId: snapshot.id });
    store.models.activate(id);
    await mkdir(dirname(store.models.path(id)), { recursive: true });
    await writeFile(store.models.path(id), `package ${id}`);
  }
  store.models.applyThresholds('m2', {
    at: station.context.now(),
    by: 'Ann',
    thresholds: { review: 0.5, fail: 0.9 },
    basis: 'b',
    reason: 'r',
  });
  const study = store.studies.add({
    ...{ projectId, name: 'Spring', createdAt: station.context.now(), createdBy: 'Ann', repeats: 1 },
    parts: shas.slice(0, 2).map((sha256, i) => ({
      ...{ part: `P${String(i)}`, sha256, className: 'cup', fileName: 'x.png', labelledBy: null },
      gtLabel: i === 0 ? ('pass' as const) : ('fail' as const),
    })),
    appraisers: [{ name: 'Ann', userId: null, isModel: false, order: [1, 0] }],
    model: { id: 'm2', version: 2, modelHash: 'b'.repeat(64) },
  });
  for (const position of [1, 2]) {
    const answer = { appraiser: 'Ann', position, answer: 'pass' as const, by: 'Ann', at: station.context.now() };
    store.studies.addAnswer(study.id, answer);
  }
  store.studies.end(study.id, 'finished', station.context.now());
  for (let i = 0; i < 5; i++) {
    const partId = judged(
      store,
      projectId,
      { serial: `S${i}`, lot: 'L1', presentedAt: station.context.now() },
      {
        verdict: i % 2 === 0 ? 'fail' : 'pass',
        predScore: i,
        modelId: 'm2',
        pictureSha256: shas[i % 4]!,
        hasHeatMap: i === 0,
      },
    );
    if (i === 0) await store.files.saveHeatMap(partId, Buffer.from('heat'));
  }
  await station.ask(
    'parts.answer',
    { partId: store.parts.newestId(), verdict: 'pass', defectClass: null, why: 'seen' },
    bob,
  );
  store.parts.present({
    projectId,
    source: 'x',
    serial: null,
    lot: null,
    station: 's',
    shift: null,
    presentedAt: station.context.now(),
  });
  return projectId;
}

/** What a person sees of a project, without the ids that are a station's own. */
async function seen(station: TestStation, projectId: string): Promise<unknown> {
  const { store } = station;
  const plain = (value: unknown): unknown =>
    JSON.parse(
      JSON.stringify(value, (key, item: unknown) => (/(^|[a-z])(id|Id)$|^replaces$/.test(key) ? undefined : item)),
    );
  const { pictures } = await station.ask('pictures.list', {
    projectId,
    classId: null,
    use: null,
    label: 'any',
    sort: 'newest',
    offset: 0,
    limit: 500,
  });
  const history = [...store.history.all(noFilter(projectId))].filter(({ verdict }) => verdict !== null);
  return plain({
    project: store.projects.get(projectId),
    classes: await station.ask('classes.list', { projectId }),
    pictures,
    studies: store.studies.list(projectId).map((study) => ({ study, answers: store.studies.answers(study.id) })),
    labels: pictures.map(({ sha256 }) => store.labels.of(projectId, sha256)),
    conflicts: await station.ask('labels.conflicts', { projectId }),
    recipes: await station.ask('recipes.list', { projectId }),
    models: store.models.list(projectId),
    packages: store.models.list(projectId).map(({ id }) => readFileSync(store.models.path(id), 'utf8')),
    thresholds: store.models.list(projectId).map(({ id }) => store.models.thresholdHistory(id)),
    scores: store.models.list(projectId).map(({ id }) => [...store.pictures.scores(id)]),
    history,
    heat: history.map(({ id }) => existsSync(store.files.heatMapPath(id))),
    files: pictures.map(({ sha256 }) => readFileSync(store.pictures.path(sha256)!).length),
    statistics: {
      ...(await station.ask('history.statistics', { filter: { ...noFilter(projectId), lot: 'L1' }, bucket: 'day' })),
    },
  });
}

describe('a project as one archive', () => {
  it('comes out of one station and into another as it was', async () => {
    const from = await testStation();
    const projectId = await fullProject(from);
    const path = join(temporaryFolder(), 'Tassen.zip');
    const { bytes } = await from.ask('projects.export', { projectId, path });
    expect(bytes).toBe(readFileSync(path).length);
    const expected = await seen(from, projectId);

    const to = await testStation();
    const project = await to.ask('projects.import', { path });
    expect(await seen(to, project.id)).toEqual(expected);
    expect(to.store.models.active(project.id)).toMatchObject({ version: 2, thresholds: { review: 0.5, fail: 0.9 } });
    expect(to.store.pictures.snapshot(to.store.models.active(project.id)!.snapshotId)?.pictures).toHaveLength(4);
    expect(to.store.database.all('PRAGMA foreign_key_check')).toEqual([]);
    expect(readdirSync(join(to.context.folder, 'importing'))).toEqual([]);
    // Beside its original, too, and nothing of the original changes.
    const copy = await from.ask('projects.import', { path });
    expect(copy.id).not.toBe(projectId);
    expect(await seen(from, copy.id)).toEqual(expected);
    expect(await seen(from, projectId)).toEqual(expected);
  });

  it(
    'is refused with its name and reason when it is not what it should be, and nothing is taken',
    { timeout: 300_000 },
    async () => {
      const from = await testStation();
      const projectId = await fullProject(from);
      const folder = temporaryFolder();
      const good = join(folder, 'good.zip');
      await from.ask('projects.export', { projectId, path: good });
      const members = await membersOf(good);
      const station = await testStation();
      const cases: [string, string, (members: Map<string, Buffer>) => Map<string, Buffer>][] = [
        ['archiveForeign', 'no manifest', (all) => without(all, 'twinspect-project.json')],
        [
          'archiveForeign',
          'a name with a path',
          (all) => new Map([...all, ['pictures/..%2f..%2fevil.png', Buffer.from('x')]]),
        ],
        ['archiveForeign', 'an unknown table', (all) => new Map([...all, ['tables/events.jsonl', Buffer.from('')]])],
        ['archiveForeign', 'a program', (all) => new Map([...all, ['models/run.exe', Buffer.from('MZ')]])],
        ['archiveDamaged', 'no project', (all) => without(all, 'tables/projects.jsonl')],
        [
          'archiveDamaged',
          'a picture that was changed',
          (all) =>
            new Map(
              [...all].map(([name, bytes]) => [
                name,
                name.startsWith('pictures/') ? Buffer.concat([bytes, Buffer.from('!')]) : bytes,
              ]),
            ),
        ],
        [
          'archiveDamaged',
          'a row that is no JSON',
          (all) => new Map([...all, ['tables/classes.jsonl', Buffer.from('{"id":\n')]]),
        ],
        [
          'archiveDamaged',
          'a row with a strange column',
          (all) =>
            new Map([
              ...all,
              ['tables/classes.jsonl', Buffer.from('{"id":"a","name":"b","removed_at":null,"x) VALUES (1); --":1}\n')],
            ]),
        ],
        [
          'archiveDamaged',
          'a row that names nothing',
          (all) =>
            new Map([
              ...all,
              [
                'tables/threshold_changes.jsonl',
                Buffer.from('{"model_id":"zz","at":"a","by":"b","review":1,"fail":2,"basis":"","reason":""}\n'),
              ],
            ]),
        ],
        [
          'archiveDamaged',
          'bytes that are no text',
          (all) => new Map([...all, ['tables/classes.jsonl', Buffer.from([0x7b, 0xff, 0xfe, 0x0a])]]),
        ],
        [
          'archiveDamaged',
          'two projects',
          (all) =>
            new Map([
              ...all,
              [
                'tables/projects.jsonl',
                Buffer.concat([all.get('tables/projects.jsonl')!, all.get('tables/projects.jsonl')!]),
              ],
            ]),
        ],
        [
          'archiveTooLarge',
          'a bomb',
          (all) => new Map([...all, ['tables/labels.jsonl', Buffer.alloc(60 << 20, 0x20)]]),
        ],
      ];
      for (const [code, what, change] of cases) {
        const path = join(folder, 'bad.zip');
        await writeZip(path, change(members));
        await expect(station.ask('projects.import', { path }), what).rejects.toMatchObject({ code });
      }
      writeFileSync(join(folder, 'text.zip'), 'not a zip');
      await expect(station.ask('projects.import', { path: join(folder, 'text.zip') })).rejects.toMatchObject({
        code: 'archiveForeign',
      });
      await expect(station.ask('projects.import', { path: join(folder, 'gone.zip') })).rejects.toMatchObject({
        code: 'archiveMissing',
      });
      truncateSync(good, readFileSync(good).length - 400);
      await expect(station.ask('projects.import', { path: good })).rejects.toBeInstanceOf(UserError);
      expect(await station.ask('projects.list', {})).toEqual([]);
      // What a refused import left half-way is no project's: cleaning takes it.
      await station.ask('storage.clean', {}, ann);
      expect(station.store.database.value('SELECT count(*) FROM pictures WHERE file_removed_at IS NULL')).toBe(0);
      const left = readdirSync(join(station.context.folder, 'pictures'), { recursive: true, withFileTypes: true });
      expect(left.filter((entry) => entry.isFile())).toEqual([]);
    },
  );
});

async function membersOf(path: string): Promise<Map<string, Buffer>> {
  const zip = await yauzl.openPromise(path, { autoClose: false });
  const members = new Map<string, Buffer>();
  for await (const entry of zip.eachEntry()) {
    const pieces: Buffer[] = [];
    for await (const piece of await zip.openReadStreamPromise(entry)) pieces.push(piece as Buffer);
    members.set(entry.fileName, Buffer.concat(pieces));
  }
  zip.close();
  return members;
}

function without(members: Map<string, Buffer>, name: string): Map<string, Buffer> {
  return new Map([...members].filter(([key]) => key !== name));
}

async function writeZip(path: string, members: Map<string, Buffer>): Promise<void> {
  const zip = new ZipFile();
  for (const [name, bytes] of members) zip.addBuffer(bytes, name);
  zip.end();
  await pipeline(zip.outputStream as Readable, createWriteStream(path));
}
