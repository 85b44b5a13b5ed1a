import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { copyFile, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { backup } from '@photostructure/sqlite';
import { UserError } from '../../shared/errors.ts';
import { writeError } from '../system/atomic-file.ts';
import { Database, sqliteCode } from './database.ts';

/** Backups are numbered: the order holds whatever the clock does. */
const pattern = /^station-(\d{6,})-(\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d)(-v\d+)?\.db$/;
/** Pages per step of a backup: between steps the station goes on writing. */
const pagesPerStep = 2000;
/** By SQLite's result codes: read-only, can't be opened, full. */
const systemCodes: Readonly<Record<number, string>> = { 8: 'EACCES', 14: 'EACCES', 13: 'ENOSPC' };

export interface BackupFile {
  path: string;
  number: number;
  /** ISO 8601, UTC. */
  at: string;
}

export function backupFolder(folder: string): string {
  return join(folder, 'backups');
}

/** Backups of a station, newest first. */
export function listBackups(folder: string): BackupFile[] {
  let names: string[];
  try {
    names = readdirSync(backupFolder(folder));
  } catch {
    return [];
  }
  return names
    .flatMap((name) => {
      const [, number, time] = pattern.exec(name) ?? [];
      if (number === undefined || time === undefined) return [];
      const at = `${time.slice(0, 11)}${time.slice(11).replaceAll('-', ':')}.000Z`;
      return [{ path: join(backupFolder(folder), name), number: Number(number), at }];
    })
    .sort((a, b) => b.number - a.number);
}

/**
 * Copies an open database, page by page, into one file that is complete or not there.
 * @returns its bytes
 * @throws UserError `diskFull`, `notWritable`
 */
export async function backUp(database: Database, path: string): Promise<number> {
  const unfinished = `${path}.unfinished`;
  try {
    mkdirSync(dirname(path), { recursive: true });
    rmSync(unfinished, { force: true });
    await backup(database.connection, unfinished, { rate: pagesPerStep });
    // One file that opens anywhere, read-only drives included.
    const copy = new Database(unfinished);
    copy.exec('PRAGMA journal_mode = DELETE');
    copy.close();
    renameSync(unfinished, path);
    return statSync(path).size;
  } catch (error) {
    await rm(unfinished, { force: true }).catch(() => undefined);
    throw writeError(path, systemError(error));
  }
}

/** What SQLite says of a file as the system would have said it. */
function systemError(error: unknown): unknown {
  const code = sqliteCode(error);
  if (code === undefined) return error;
  return Object.assign(new Error('SQLite could not write', { cause: error }), { code: systemCodes[code] ?? 'EIO' });
}

/** A backup into the station's own folder; the newest `keep` stay. @param note goes into the file's name */
export async function keepBackup(
  database: Database,
  folder: string,
  now: string,
  keep: number,
  note = '',
): Promise<void> {
  const time = new Date(now).toISOString().slice(0, 19).replaceAll(':', '-');
  const number = String((listBackups(folder)[0]?.number ?? 0) + 1).padStart(6, '0');
  await backUp(database, join(backupFolder(folder), `station-${number}-${time}${note}.db`));
  for (const { path } of listBackups(folder).slice(keep)) await rm(path, { force: true });
}

/** Whether a file is a database in which SQLite finds no fault. */
export function isSound(path: string): boolean {
  let database: Database | undefined;
  try {
    database = new Database(path, { readOnly: true });
    return database.value<string>('PRAGMA quick_check(1)') === 'ok';
  } catch {
    return false;
  } finally {
    database?.close();
  }
}

/** What was put in place of a damaged database. */
export interface Restored {
  /** Null: there was no sound backup, the station starts empty. */
  from: BackupFile | null;
  /** Where the damaged files are kept. */
  damagedFolder: string;
  /** Highest numbers in the damaged database, as far as it can be read; null: it can't. */
  damaged: StoreExtent | null;
  /** The database was not damaged: it was gone. */
  isGone: boolean;
}

/** How far a database reaches. */
export interface StoreExtent {
  parts: number;
  labels: number;
  events: number;
}

/** Highest part, label and event of a database; null when it can't be read. */
export function extentOf(database: Database): StoreExtent | null {
  try {
    const highest = (table: string, column: string): number =>
      database.value<number>(`SELECT coalesce(max(${column}), 0) FROM ${table}`) ?? 0;
    return { parts: highest('parts', 'id'), labels: highest('labels', 'id'), events: highest('events', 'seq') };
  } catch {
    return null;
  }
}

/** Puts the newest sound backup in the place of a damaged database; the damaged files are kept aside. */
export async function restoreNewest(folder: string, databasePath: string, now: string): Promise<Restored> {
  const damagedFolder = join(folder, 'damaged', new Date(now).toISOString().replaceAll(/[:.]/g, '-'));
  mkdirSync(damagedFolder, { recursive: true });
  let damaged: StoreExtent | null = null;
  const isGone = !existsSync(databasePath);
  try {
    // Read only: what is not there is not made.
    const database = new Database(databasePath, { readOnly: true });
    damaged = extentOf(database);
    database.close();
  } catch {
    // Too damaged to be opened at all.
  }
  for (const suffix of ['', '-wal', '-shm']) {
    try {
      renameSync(databasePath + suffix, join(damagedFolder, `station.db${suffix}`));
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT'))
        throw writeError(databasePath, error);
    }
  }
  rmSync(`${databasePath}.restoring`, { force: true });
  const from = listBackups(folder).find(({ path }) => isSound(path)) ?? null;
  if (from !== null) {
    await copyFile(from.path, `${databasePath}.restoring`);
    renameSync(`${databasePath}.restoring`, databasePath);
  }
  return { from, damagedFolder, damaged, isGone };
}

/** What a person should know of a restore. @param extent of the database as it's now */
export function restoreMessage({ from, damaged, damagedFolder, isGone }: Restored, extent: StoreExtent | null): string {
  const kept = `The damaged file is kept in "${damagedFolder}".`;
  if (from === null) {
    return isGone
      ? "The station's database was gone and there was no backup: it starts empty. Pictures and models are still on the disk."
      : `The station's database was damaged and there was no backup: it starts empty. Pictures and models are still on the disk. ${kept}`;
  }
  const lost = (name: keyof StoreExtent): number => Math.max(0, (damaged?.[name] ?? 0) - (extent?.[name] ?? 0));
  const missing =
    damaged === null
      ? 'Everything recorded after that is missing (how much can no longer be told)'
      : `Missing since then: ${lost('parts')} parts, ${lost('labels')} labels, ${lost('events')} log entries`;
  return isGone
    ? `The station's database was gone; the backup of ${from.at} was restored. ${missing}.`
    : `The station's database was damaged; the backup of ${from.at} was restored. ${missing}. ${kept}`;
}

/** @throws UserError `notWritable` when the station's folder can't be written */
export function checkFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true });
  } catch (error) {
    const said = writeError(folder, error);
    if (said instanceof UserError && said.code === 'notWritable')
      throw new UserError(
        'notWritable',
        `The station's folder "${folder}" can't be made or written.`,
        'Choose another folder, or change the permissions of this one.',
        { cause: error },
      );
    throw said;
  }
}
