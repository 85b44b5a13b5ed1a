import { existsSync, writeFileSync } from 'node:fs';
import { DatabaseSync, type StatementSyncInstance } from '@photostructure/sqlite';
import { UserError } from '../../shared/errors.ts';

export type SqlValue = string | number | null | Uint8Array;
/** A row as SQLite gives it; its shape is what the statement says, so the caller names it. */
type Row = object;

/**
 * One connection. Statements are prepared once and kept; texts are cleaned of what SQLite cuts off at (NUL) or no JSON
 * can hold (half characters); errors of disk and file come as UserErrors.
 */
export class Database {
  readonly path: string;
  readonly #connection: InstanceType<typeof DatabaseSync>;
  readonly #statements = new Map<string, StatementSyncInstance>();
  #depth = 0;

  /** @throws UserError `storeDamaged`, `notWritable`, `storeInUse` */
  constructor(path: string, options: { readOnly?: boolean } = {}) {
    this.path = path;
    try {
      this.#connection = new DatabaseSync(path, { readOnly: options.readOnly ?? false, timeout: 5000 });
    } catch (error) {
      throw storeError(path, error);
    }
  }

  exec(sql: string): void {
    this.#guarded(() => this.#connection.exec(sql));
  }

  run(sql: string, ...values: SqlValue[]): { changes: number; lastId: number } {
    return this.#guarded(() => {
      const { changes, lastInsertRowid } = this.#prepared(sql).run(...values.map(clean));
      return { changes, lastId: Number(lastInsertRowid) };
    });
  }

  get<T extends Row>(sql: string, ...values: SqlValue[]): T | undefined {
    return this.#guarded(() => this.#prepared(sql).get(...values.map(clean)) as T | undefined);
  }

  all<T extends Row>(sql: string, ...values: SqlValue[]): T[] {
    return this.#guarded(() => this.#prepared(sql).all(...values.map(clean)) as T[]);
  }

  /** Rows one by one; the statement is its own, so that other calls may run meanwhile. */
  *iterate<T extends Row>(sql: string, ...values: SqlValue[]): Generator<T> {
    const rows = this.#guarded(() => this.#connection.prepare(sql).iterate(...values.map(clean)) as Iterator<T>);
    try {
      for (;;) {
        const { done, value } = this.#guarded(() => rows.next());
        if (done === true) return;
        yield value;
      }
    } finally {
      // Who stops early must not leave the statement, and with it an old view of the data, open.
      rows.return?.();
    }
  }

  /** One value of one row. */
  value<T extends SqlValue>(sql: string, ...values: SqlValue[]): T | undefined {
    const row = this.get<Record<string, T>>(sql, ...values);
    return row === undefined ? undefined : Object.values(row)[0];
  }

  /** All or nothing. Inside another transaction it's a part of that one. @throws UserError `storeMissing` */
  transaction<T>(work: () => T): T {
    if (this.#depth > 0) return this.#nested(work);
    // The system would go on writing into a file that nobody will ever find again.
    if (!existsSync(this.path))
      throw new UserError(
        'storeMissing',
        `The station's database "${this.path}" has been moved or removed.`,
        'Put the folder back, or start the station again.',
      );
    this.exec('BEGIN IMMEDIATE');
    this.#depth = 1;
    try {
      const result = work();
      this.exec('COMMIT');
      return result;
    } catch (error) {
      // A full disk may have ended the transaction already.
      if (this.#connection.isTransaction) this.#connection.exec('ROLLBACK');
      throw error;
    } finally {
      this.#depth = 0;
    }
  }

  #nested<T>(work: () => T): T {
    const name = `level${this.#depth}`;
    this.exec(`SAVEPOINT ${name}`);
    this.#depth++;
    try {
      const result = work();
      this.exec(`RELEASE ${name}`);
      return result;
    } catch (error) {
      if (this.#connection.isTransaction) this.#connection.exec(`ROLLBACK TO ${name}; RELEASE ${name}`);
      throw error;
    } finally {
      this.#depth--;
    }
  }

  /** The connection itself, for the backup interface. */
  get connection(): InstanceType<typeof DatabaseSync> {
    return this.#connection;
  }

  close(): void {
    this.#statements.clear();
    if (this.#connection.isOpen) this.#connection.close();
  }

  #prepared(sql: string): StatementSyncInstance {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#connection.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  #guarded<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      const said = storeError(this.path, error);
      if (said instanceof UserError && said.code === 'storeDamaged') markSuspect(this.path);
      throw said;
    }
  }
}

/** A file beside the database: the next start then checks all of it, however large it is. */
export function suspectMark(path: string): string {
  return `${path}.suspect`;
}

function markSuspect(path: string): void {
  try {
    writeFileSync(suspectMark(path), '');
  } catch {
    // A folder that can't be written: the damage will show again.
  }
}

function clean(value: SqlValue): SqlValue {
  return typeof value === 'string' ? cleanText(value) : value;
}

/** Without NUL characters and halves of surrogate pairs: both become the replacement character. */
export function cleanText(text: string): string {
  return text.replace(/\0|[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]/g, '\uFFFD');
}

/** SQLite's primary result codes that a person can do something about. */
const codes = {
  busy: 5,
  locked: 6,
  readOnly: 8,
  inputOutput: 10,
  corrupt: 11,
  full: 13,
  cantOpen: 14,
  notADatabase: 26,
};

/** Reading many rows loses the code of an error: these are SQLite's own words for it. */
const words: Readonly<Record<string, number>> = {
  'database disk image is malformed': codes.corrupt,
  'file is not a database': codes.notADatabase,
  'database or disk is full': codes.full,
  'disk I/O error': codes.inputOutput,
  'database is locked': codes.busy,
  'attempt to write a readonly database': codes.readOnly,
  'unable to open database file': codes.cantOpen,
};

/** The result code of an error of SQLite's, without its extension; undefined for other errors. */
export function sqliteCode(error: unknown): number | undefined {
  if (!(error instanceof Error)) return undefined;
  const code: unknown = 'errcode' in error ? error.errcode : words[error.message];
  return typeof code === 'number' ? code & 0xff : undefined;
}

/** Whether a statement was refused by a constraint or a trigger. */
export function isConstraintError(error: unknown): boolean {
  return sqliteCode(error) === 19;
}

/** Says in words what ails the database file; other errors come back unchanged. */
export function storeError(path: string, error: unknown): unknown {
  if (error instanceof UserError) return error;
  const cause = { cause: error };
  switch (sqliteCode(error)) {
    case codes.full:
      return new UserError(
        'diskFull',
        `There is no space left to write "${path}".`,
        'Free some space; nothing was changed.',
        cause,
      );
    case codes.readOnly:
    case codes.cantOpen:
      return new UserError(
        'notWritable',
        `The station's database "${path}" can't be written.`,
        'Check that the folder is there and may be written, or choose another station folder.',
        cause,
      );
    case codes.corrupt:
    case codes.notADatabase:
      return new UserError(
        'storeDamaged',
        `The station's database "${path}" is damaged.`,
        'Start the station again: it then restores the newest backup.',
        cause,
      );
    case codes.busy:
    case codes.locked:
      return new UserError(
        'storeInUse',
        `Another program is using the station's database "${path}".`,
        'Close it and try again.',
        cause,
      );
    case codes.inputOutput:
      return new UserError(
        'writeFailed',
        `The station's database "${path}" could not be read or written.`,
        'Check the drive.',
        cause,
      );
    default:
      return error;
  }
}
