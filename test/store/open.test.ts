import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { UserError } from '../../shared/errors.ts';
import { isSound, listBackups } from '../../main/store/backup.ts';
import { Database } from '../../main/store/database.ts';
import { migrations } from '../../main/store/schema.ts';
import { openStore } from '../../main/store/store.ts';
import { at, judged, noFilter, temporaryFolder, temporaryStore } from './helpers.ts';
import { newModel } from './new-model.ts';

async function refusal(work: Promise<unknown>): Promise<UserError> {
  try {
    await work;
  } catch (error) {
    if (error instanceof UserError) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}

/** A station with a backup of three parts and two labels, and two parts and a label after it. */
async function stationWithBackup(folder: string): Promise<string> {
  const store = await temporaryStore(folder);
  const { id: projectId } = store.projects.create({ name: 'Cups', note: '', createdAt: at });
  const label = (n: number): unknown =>
    store.labels.set({
      projectId,
      sha256: String(n).repeat(64),
      gtLabel: 'pass',
      defectClass: null,
      regions: [],
      by: 'Ann',
      at,
      why: null,
    });
  for (let i = 0; i < 3; i++) judged(store, projectId, {});
  label(1);
  label(2);
  expect(await store.backupIfDue('2026-03-02T09:00:00.000Z')).toBe(true);
  for (let i = 0; i < 2; i++) judged(store, projectId, {});
  label(3);
  store.database.exec('PRAGMA wal_checkpoint(TRUNCATE)');
  store.close();
  return projectId;
}

describe('opening a station', () => {
  const undo: (() => void)[] = [];
  afterEach(() => {
    for (const step of undo.splice(0)) step();
  });

  it('makes one where there is none and finds it again', async () => {
    const folder = join(temporaryFolder(), 'Werk Süd 工厂', 'station');
    const first = await temporaryStore(folder);
    first.projects.create({ name: 'Cups', note: '', createdAt: at });
    expect(first.database.value('PRAGMA journal_mode')).toBe('wal');
    expect(first.database.value('PRAGMA synchronous')).toBe(2);
    expect(first.database.value('PRAGMA foreign_keys')).toBe(1);
    first.close();
    const second = await temporaryStore(folder);
    expect(second.projects.list().map(({ name }) => name)).toEqual(['Cups']);
    expect(second.notices.list()).toEqual([]);
    expect(
      second.database.all(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%' AND sql NOT LIKE '%STRICT%'",
      ),
    ).toEqual([]);
  });

  it('is refused while another program has it open', async () => {
    const folder = temporaryFolder();
    const first = await temporaryStore(folder);
    expect(await refusal(openStore(folder))).toMatchObject({ code: 'stationOpen' });
    first.close();
    (await openStore(folder)).close();
  });

  it.each([
    ['its beginning', (bytes: Buffer) => bytes.fill(0x5a, 0, 4096)],
    ['pages in its middle', (bytes: Buffer) => bytes.fill(0xff, 4096 * 3, bytes.length - 4096)],
    ['its end', (bytes: Buffer) => bytes.subarray(0, 4096 * 4 + 100)],
  ])('restores the newest backup when %s is damaged, and says what is missing', async (_, damage) => {
    const folder = temporaryFolder();
    const projectId = await stationWithBackup(folder);
    const path = join(folder, 'station.db');
    writeFileSync(path, damage(readFileSync(path)));
    const store = await temporaryStore(folder, { now: () => '2026-03-05T00:00:00.000Z' });
    expect(store.history.page(noFilter(projectId), null, 50).parts).toHaveLength(3);
    const [notice] = store.notices.list();
    expect(notice).toMatchObject({ id: 'storeRestored', level: 'warning' });
    expect(notice?.message).toContain('the backup of 2026-03-02T09:00:00.000Z was restored');
    expect(notice?.message).toMatch(/Missing since then: 2 parts, 1 labels|Everything recorded after that is missing/);
    expect(store.events.last()).toMatchObject({ action: 'store.restored', actor: 'system' });
    // The damaged file is evidence: it's kept.
    expect(existsSync(join(folder, 'damaged', '2026-03-05T00-00-00-000Z', 'station.db'))).toBe(true);
    judged(store, projectId, {});
    expect(store.database.value('PRAGMA integrity_check')).toBe('ok');
  });

  it('checks a large database when damage has shown while it ran', async () => {
    const folder = temporaryFolder();
    const projectId = await stationWithBackup(folder);
    const path = join(folder, 'station.db');
    const large = { wholeCheckBytes: 0 };
    const look = new Database(path, { readOnly: true });
    const page = look.value<number>("SELECT rootpage FROM sqlite_schema WHERE name = 'labels'")!;
    const pageBytes = look.value<number>('PRAGMA page_size')!;
    look.close();
    const bytes = readFileSync(path);
    writeFileSync(path, bytes.fill(0x33, (page - 1) * pageBytes, page * pageBytes));
    const running = await temporaryStore(folder, large);
    expect(running.notices.list()).toEqual([]);
    expect(() => running.labels.of(projectId, '1'.repeat(64))).toThrow(/damaged/);
    running.close();
    const store = await temporaryStore(folder, large);
    expect(store.notices.list()).toMatchObject([{ id: 'storeRestored' }]);
    expect(store.history.page(noFilter(projectId), null, 50).parts).toHaveLength(3);
    store.close();
    expect((await temporaryStore(folder, large)).notices.list()).toHaveLength(1);
  });

  it('passes over a backup that is damaged itself', async () => {
    const folder = temporaryFolder();
    const projectId = await stationWithBackup(folder);
    const again = await temporaryStore(folder);
    expect(await again.backupIfDue('2026-03-04T09:00:00.000Z')).toBe(true);
    again.close();
    writeFileSync(listBackups(folder)[0]!.path, Buffer.alloc(50_000, 7));
    writeFileSync(join(folder, 'station.db'), Buffer.alloc(50_000, 7));
    const store = await temporaryStore(folder);
    expect(store.history.page(noFilter(projectId), null, 50).parts).toHaveLength(3);
    expect(store.notices.list()[0]?.message).toContain('how much can no longer be told');
  });

  it.each([
    ['gone', (path: string) => rmSync(path)],
    ['empty', (path: string) => writeFileSync(path, '')],
  ])(
    'restores the newest backup when the database is %s: an empty station in its place would be a lie',
    async (what, lose) => {
      const folder = temporaryFolder();
      const projectId = await stationWithBackup(folder);
      lose(join(folder, 'station.db'));
      const store = await temporaryStore(folder);
      expect(store.history.page(noFilter(projectId), null, 50).parts).toHaveLength(3);
      const [notice] = store.notices.list();
      expect(notice).toMatchObject({ id: 'storeRestored', level: 'warning' });
      expect(notice!.message).toContain(what === 'gone' ? 'database was gone; the backup' : 'was damaged; the backup');
      store.close();
      expect((await temporaryStore(folder)).notices.list()).toHaveLength(1);
    },
  );

  it('says in words that a backup can not be written', async () => {
    const store = await temporaryStore();
    // SQLite makes its own words of it: there is a folder where it wants to write.
    const path = join(temporaryFolder(), 'mine.db');
    mkdirSync(`${path}.unfinished-journal`);
    store.projects.create({ name: 'Cups', note: '', createdAt: at });
    expect(await refusal(store.backup(path))).toMatchObject({ code: 'notWritable' });
  });

  it('makes a new one of what a start that was cut short left, and of a lock that is none', async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'station.db'), '');
    writeFileSync(join(folder, 'station.lock'), 'not a database at all '.repeat(100));
    const store = await temporaryStore(folder);
    expect(store.notices.list()).toEqual([]);
    expect(await refusal(openStore(folder))).toMatchObject({ code: 'stationOpen' });
  });

  it('is one file when it was closed in good order: a copy of it is whole', async () => {
    const folder = temporaryFolder();
    const store = await temporaryStore(folder);
    const { id: projectId } = store.projects.create({ name: 'Cups', note: '', createdAt: at });
    for (let i = 0; i < 3; i++) judged(store, projectId, {});
    store.close();
    const copy = temporaryFolder();
    writeFileSync(join(copy, 'station.db'), readFileSync(join(folder, 'station.db')));
    expect((await temporaryStore(copy)).parts.counters(projectId).presented).toBe(3);
  });

  it('starts empty, and says so loudly, when there is no backup', async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'station.db'), 'this is no database, whatever it is called'.repeat(100));
    const store = await temporaryStore(folder);
    expect(store.projects.list()).toEqual([]);
    expect(store.notices.list()).toMatchObject([{ id: 'storeRestored', level: 'fault' }]);
  });

  it('leaves a database of a newer program as it is', async () => {
    const folder = temporaryFolder();
    (await openStore(folder)).close();
    const path = join(folder, 'station.db');
    const newer = new Database(path);
    newer.exec('PRAGMA user_version = 99; CREATE TABLE hologram (x)');
    newer.close();
    const before = readFileSync(path);
    const names = readdirSync(folder);
    const error = await refusal(openStore(folder));
    expect(error).toMatchObject({ code: 'storeNewer' });
    expect(error.message).toContain('schema 99');
    expect(readFileSync(path).equals(before)).toBe(true);
    expect(readdirSync(folder)).toEqual(names);
  });

  it('is backed up before it is migrated; a migration that fails leaves the old version whole', async () => {
    const folder = temporaryFolder();
    const projectId = await stationWithBackup(folder);
    const bad = [...migrations, 'CREATE TABLE shelves (id TEXT PRIMARY KEY) STRICT; INSERT INTO nowhere VALUES (1)'];
    await expect(openStore(folder, { migrations: bad })).rejects.toThrow(/nowhere/);
    const good = [...migrations, 'CREATE TABLE shelves (id TEXT PRIMARY KEY) STRICT'];
    const store = await temporaryStore(folder, { migrations: good, now: () => '2026-03-06T00:00:00.000Z' });
    expect(store.database.value('PRAGMA user_version')).toBe(migrations.length + 1);
    expect(store.database.value('SELECT count(*) FROM shelves')).toBe(0);
    expect(store.history.page(noFilter(projectId), null, 50).parts).toHaveLength(5);
    const backup = listBackups(folder)[0]!;
    expect(backup.path).toMatch(/station-000003-2026-03-06T00-00-00-v2\.db$/);
    const old = new Database(backup.path, { readOnly: true });
    expect(old.value('PRAGMA user_version')).toBe(migrations.length);
    expect(old.value('SELECT count(*) FROM parts')).toBe(5);
    old.close();
  });

  it('of the first version keeps its scores; its models look where their project looked', async () => {
    const folder = temporaryFolder();
    const first = await temporaryStore(folder, { migrations: migrations.slice(0, 1) });
    const { id: projectId } = first.projects.create({ name: 'Cups', note: '', createdAt: at });
    const region = { shape: 'rectangle', x: 0.1, y: 0.1, width: 0.5, height: 0.5 };
    const body = { ...newModel(projectId, 'm1'), geometry: undefined };
    first.database.run(
      `INSERT INTO models(id, project_id, version, state, file_name, model_hash, snapshot_id, created_at, created_by,
         review, fail, basis, body) VALUES ('m1', ?, 1, 'candidate', 'm1.twin', ?, 's', ?, 'Ann', 1, 2, '', ?)`,
      projectId,
      body.modelHash,
      at,
      JSON.stringify(body),
    );
    first.database.run(
      "INSERT INTO picture_scores(model_id, sha256, pred_score, verdict) VALUES ('m1', 'x', 3, 'fail')",
    );
    first.database.run(
      "INSERT INTO recipes(id, project_id, body, updated_at) VALUES ('r1', ?, ?, ?)",
      projectId,
      JSON.stringify({ region, ignore: [] }),
      at,
    );
    first.close();
    const store = await temporaryStore(folder, { now: () => '2026-03-06T00:00:00.000Z' });
    expect(store.models.get('m1').geometry).toEqual({ region, ignore: [] });
    const score = { sha256: 'x', predScore: 3, verdict: 'fail', className: null, classDistance: null };
    expect([...store.pictures.scores('m1').values()]).toEqual([score]);
  });

  it('is refused in a folder that cannot be written', async () => {
    const file = join(temporaryFolder(), 'file');
    writeFileSync(file, '');
    expect(await refusal(openStore(join(file, 'station')))).toMatchObject({ code: 'notWritable' });
    if (process.getuid?.() === 0) return;
    const folder = temporaryFolder();
    chmodSync(folder, 0o555);
    undo.push(() => chmodSync(folder, 0o755));
    expect(await refusal(openStore(folder))).toMatchObject({ code: 'notWritable' });
  });

  it('says so when its folder is taken away while it runs', async () => {
    const folder = join(temporaryFolder(), 'station');
    const store = await temporaryStore(folder);
    const { id: projectId } = store.projects.create({ name: 'Cups', note: '', createdAt: at });
    rmSync(folder, { recursive: true, force: true });
    const part = { projectId, source: 'a', serial: null, lot: null, station: 's', shift: null, presentedAt: at };
    expect(() => store.parts.present(part)).toThrow(/moved or removed/);
    expect(() => store.labels.undo(projectId, 'Ann', at)).not.toThrow();
    expect(store.pictures.path('a'.repeat(64))).toBeNull();
    expect(store.projects.get(projectId).name).toBe('Cups');
  });

  it('keeps the last backups, daily, whatever the clock does', async () => {
    const folder = temporaryFolder();
    const store = await temporaryStore(folder, { keepBackups: 3 });
    const days = ['01', '02', '03', '04', '05'];
    for (const day of days) expect(await store.backupIfDue(`2026-03-${day}T00:00:00.000Z`)).toBe(true);
    expect(await store.backupIfDue('2026-03-05T12:00:00.000Z')).toBe(false);
    expect(listBackups(folder).map((backup) => backup.at)).toEqual(
      ['05', '04', '03'].map((day) => `2026-03-${day}T00:00:00.000Z`),
    );
    expect(store.lastBackupAt()).toBe('2026-03-05T00:00:00.000Z');
    expect(listBackups(folder).every(({ path }) => isSound(path))).toBe(true);
    // Set back by a year: backups go on, and the newest is still the one made last.
    expect(await store.backupIfDue('2025-03-05T00:00:00.000Z')).toBe(true);
    expect(listBackups(folder).map((backup) => backup.number)).toEqual([6, 5, 4]);
    expect(store.lastBackupAt()).toBe('2025-03-05T00:00:00.000Z');
    mkdirSync(join(folder, 'out'));
    expect(await store.backup(join(folder, 'out', 'mine.db'))).toBeGreaterThan(10_000);
    expect(readdirSync(join(folder, 'out'))).toEqual(['mine.db']);
  });

  it('says that the disk is full and goes on when there is room again', async () => {
    const store = await temporaryStore();
    const { id: projectId } = store.projects.create({ name: 'Cups', note: '', createdAt: at });
    const pages = store.database.value<number>('PRAGMA page_count')!;
    // SQLite's own limit gives the very error of a full disk.
    store.database.exec(`PRAGMA max_page_count = ${pages + 1}`);
    let written = 0;
    const fill = (): void => {
      for (;;) {
        store.parts.present({
          projectId,
          source: 'x'.repeat(3000),
          serial: null,
          lot: null,
          station: 's',
          shift: null,
          presentedAt: at,
        });
        written++;
      }
    };
    expect(fill).toThrow(UserError);
    expect(fill).toThrow(/no space left/);
    store.database.exec('PRAGMA max_page_count = 1000000');
    expect(store.parts.undecided(projectId)).toHaveLength(written);
    judged(store, projectId, {});
    expect(store.parts.counters(projectId).presented).toBe(written + 1);
    expect(store.database.value('PRAGMA integrity_check')).toBe('ok');
  });
});
