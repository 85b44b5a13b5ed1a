import { accessSync, constants, existsSync, rmSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { UserError } from '../../shared/errors.ts';
import {
  backUp,
  checkFolder,
  extentOf,
  keepBackup,
  listBackups,
  restoreMessage,
  restoreNewest,
  type Restored,
} from './backup.ts';
import { Database, suspectMark } from './database.ts';
import { EventStore } from './events.ts';
import { StationFiles } from './files.ts';
import { HistoryStore } from './history.ts';
import { DriftStore } from './drift.ts';
import { LabelStore } from './labels.ts';
import { holdStation } from './lock.ts';
import { migrate, needsMigration, schemaVersion } from './migrate.ts';
import { ModelStore } from './models.ts';
import { NoticeStore, SettingsStore, UserStore } from './people.ts';
import { PartStore } from './parts.ts';
import { PictureStore } from './pictures.ts';
import { beingImported, ProjectStore, RecipeStore } from './projects.ts';
import { migrations } from './schema.ts';
import { StudyStore } from './studies.ts';

/**
 * The station's database and its content-addressed files. All calls are synchronous and atomic, each is durable
 * (`synchronous=FULL`) when it returns; several become one with `transaction`.
 */
export interface Store {
  /** The station's folder. */
  readonly folder: string;
  readonly projects: ProjectStore;
  readonly recipes: RecipeStore;
  readonly pictures: PictureStore;
  readonly labels: LabelStore;
  readonly models: ModelStore;
  readonly studies: StudyStore;
  readonly parts: PartStore;
  readonly history: HistoryStore;
  readonly users: UserStore;
  readonly settings: SettingsStore;
  readonly events: EventStore;
  readonly notices: NoticeStore;
  readonly drift: DriftStore;
  readonly files: StationFiles;
  /** The connection, for what has no method: storage figures, retention, export. */
  readonly database: Database;
  /** All or nothing; may be nested. The work must not wait for anything. */
  transaction<T>(work: () => T): T;
  /** Writes a consistent copy of the database while it is in use. @returns its bytes */
  backup(path: string): Promise<number>;
  /** Backup into the station's `backups` folder when the newest is older than a day; the last ones are kept. */
  backupIfDue(now: string): Promise<boolean>;
  /** ISO 8601; null: never. */
  lastBackupAt(): string | null;
  close(): void;
}

export interface StoreOptions {
  /** Now, ISO 8601 UTC. */
  now?: () => string;
  /** How many backups are kept; default 7. */
  keepBackups?: number;
  /**
   * Up to this size the whole database is checked at every start; default 128 MiB. Of larger ones the beginning is, and
   * all of it when damage has shown.
   */
  wholeCheckBytes?: number;
  /** For tests of migrations. */
  migrations?: readonly string[];
}

const dayMs = 86_400_000;

/**
 * Opens the station in a folder, or makes one. A damaged database is replaced by its newest backup, and a notice says
 * what is missing; an older one is backed up and migrated.
 * @throws UserError `stationOpen` (by another program), `storeNewer`, `notWritable`, `diskFull`
 */
export async function openStore(folder: string, options: StoreOptions = {}): Promise<Store> {
  const root = resolve(folder);
  const now = options.now ?? (() => new Date().toISOString());
  const keep = options.keepBackups ?? 7;
  const steps = options.migrations ?? migrations;
  checkFolder(root);
  checkWritable(root);
  const release = holdStation(root);
  let database: Database | undefined;
  try {
    const path = join(root, 'station.db');
    let restored: Restored | null = null;
    const isLost = isEmptyFile(path) && wasThere(root, path);
    if (!isLost) database = openSound(path, options.wholeCheckBytes ?? 128 * 2 ** 20);
    if (database === undefined) {
      restored = await restoreNewest(root, path, now());
      rmSync(suspectMark(path), { force: true });
      database = openSound(path, 0);
      if (database === undefined)
        throw new UserError('storeDamaged', `"${path}" can't be restored.`, 'Restore the folder from a copy.');
    }
    if (needsMigration(database, steps)) {
      const version = schemaVersion(database);
      if (version > 0) await keepBackup(database, root, now(), keep + 1, `-v${version}`);
      migrate(database, steps);
    }
    // Projects whose import never ended: they are in no list, and cleaning may take their pictures.
    database.run("UPDATE projects SET removed_at = '1970-01-01T00:00:00.000Z' WHERE removed_at = ?", beingImported);
    const store = storeOf(root, database, release, keep);
    if (restored !== null) tell(store, restored, now());
    return store;
  } catch (error) {
    database?.close();
    release();
    throw error;
  }
}

/** The pragma settings of every connection that writes. */
const connectionPragmas = `PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;
  PRAGMA cache_size = -65536; PRAGMA mmap_size = 268435456; PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = OFF;`;

/** Undefined when the database is damaged. */
function openSound(path: string, wholeCheckBytes: number): Database | undefined {
  let database: Database | undefined;
  try {
    database = new Database(path);
    database.exec(connectionPragmas);
    // Reads the schema's pages, whatever the size.
    database.value('SELECT count(*) FROM sqlite_schema');
    const unchecked = statSync(path).size > wholeCheckBytes && !existsSync(suspectMark(path));
    if (unchecked || database.value('PRAGMA quick_check(1)') === 'ok') {
      rmSync(suspectMark(path), { force: true });
      return database;
    }
  } catch (error) {
    if (!(error instanceof UserError) || error.code !== 'storeDamaged') {
      database?.close();
      throw error;
    }
  }
  database?.close();
  return undefined;
}

/** A database that is not there, or of which nothing is left. */
function isEmptyFile(path: string): boolean {
  return (statSync(path, { throwIfNoEntry: false })?.size ?? 0) === 0;
}

/** Whether the folder has had a database: an empty one in its place would hide that records are missing. */
function wasThere(folder: string, path: string): boolean {
  return listBackups(folder).length > 0 || !isEmptyFile(`${path}-wal`);
}

function checkWritable(folder: string): void {
  try {
    accessSync(folder, constants.W_OK);
  } catch (cause) {
    throw new UserError(
      'notWritable',
      `The station's folder "${folder}" can't be written.`,
      'Choose another folder, or change the permissions of this one.',
      { cause },
    );
  }
}

function tell(store: Store, restored: Restored, at: string): void {
  const message = restoreMessage(restored, extentOf(store.database));
  store.transaction(() => {
    store.notices.set({ id: 'storeRestored', level: restored.from === null ? 'fault' : 'warning', message, at });
    store.events.add({
      at,
      actor: 'system',
      role: 'system',
      action: 'store.restored',
      subject: 'station.db',
      details: { from: restored.from?.at ?? null, message },
    });
  });
}

function storeOf(folder: string, database: Database, release: () => void, keep: number): Store {
  const files = new StationFiles(folder);
  const pictures = new PictureStore(database, files);
  const labels = new LabelStore(database, pictures);
  let backingUp: Promise<unknown> | null = null;
  const lastBackupAt = (): string | null => listBackups(folder)[0]?.at ?? null;
  return {
    folder,
    database,
    files,
    pictures,
    labels,
    projects: new ProjectStore(database),
    recipes: new RecipeStore(database),
    models: new ModelStore(database, files),
    studies: new StudyStore(database),
    parts: new PartStore(database, pictures, labels),
    history: new HistoryStore(database),
    users: new UserStore(database),
    settings: new SettingsStore(database),
    events: new EventStore(database),
    notices: new NoticeStore(database),
    drift: new DriftStore(database),
    transaction: (work) => database.transaction(work),
    backup: (path) => backUp(database, path),
    lastBackupAt,
    async backupIfDue(now) {
      const last = lastBackupAt();
      // A clock that was set back must not stop backups for as long.
      if (backingUp !== null || (last !== null && Math.abs(Date.parse(now) - Date.parse(last)) < dayMs)) return false;
      backingUp = keepBackup(database, folder, now, keep);
      try {
        await backingUp;
        return true;
      } finally {
        backingUp = null;
      }
    },
    close() {
      try {
        // Everything into the one file: whoever copies it takes all of it along.
        database.exec('PRAGMA wal_checkpoint(TRUNCATE)');
      } catch {
        // A full disk, a folder that is gone: what is in the log beside it is read at the next start.
      }
      database.close();
      release();
    },
  };
}
