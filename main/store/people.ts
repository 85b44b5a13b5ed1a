import { UserError } from '../../shared/errors.ts';
import type { Role } from '../../shared/station/domain.ts';
import { type Database, isConstraintError } from './database.ts';
import { newId } from './files.ts';
import type { Notice, NoticeLevel, StoredUser } from './types.ts';

type UserRow = Omit<StoredUser, 'disabled'> & { disabled: number };

const userColumns = 'id, name, role, language, disabled, secret, failures, blocked_until AS blockedUntil';

/** Accounts. Secrets are hashed by the service; here they are opaque. */
export class UserStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  list(): StoredUser[] {
    return this.#database.all<UserRow>(`SELECT ${userColumns} FROM users ORDER BY name`).map(userOf);
  }

  /** @throws UserError `userUnknown` */
  get(userId: string): StoredUser {
    const row = this.#database.get<UserRow>(`SELECT ${userColumns} FROM users WHERE id = ?`, userId);
    if (row === undefined) throw new UserError('userUnknown', 'There is no such account.', 'Choose one of the list.');
    return userOf(row);
  }

  /** @throws UserError `userExists` */
  create(user: { name: string; role: Role; secret: string; createdAt: string }): StoredUser {
    const id = newId();
    this.#withFreeName(user.name, () =>
      this.#database.run(
        'INSERT INTO users(id, name, role, secret, created_at) VALUES (?, ?, ?, ?, ?)',
        id,
        user.name,
        user.role,
        user.secret,
        user.createdAt,
      ),
    );
    return this.get(id);
  }

  /** `secret` null leaves it as it is. @throws UserError `userExists`, `userUnknown` */
  update(userId: string, change: { name: string; role: Role; disabled: boolean; secret: string | null }): StoredUser {
    this.get(userId);
    this.#withFreeName(change.name, () =>
      this.#database.run(
        'UPDATE users SET name = ?, role = ?, disabled = ?, secret = coalesce(?, secret) WHERE id = ?',
        change.name,
        change.role,
        change.disabled ? 1 : 0,
        change.secret,
        userId,
      ),
    );
    return this.get(userId);
  }

  setLanguage(userId: string, language: string | null): void {
    this.#database.run('UPDATE users SET language = ? WHERE id = ?', language, userId);
  }

  /** Counts wrong secrets; they outlive a restart, so that restarting doesn't buy attempts. */
  setFailures(userId: string, failures: number, blockedUntil: number): void {
    this.#database.run('UPDATE users SET failures = ?, blocked_until = ? WHERE id = ?', failures, blockedUntil, userId);
  }

  #withFreeName(name: string, write: () => void): void {
    try {
      write();
    } catch (error) {
      if (!isConstraintError(error)) throw error;
      throw new UserError('userExists', `There is an account "${name}" already.`, 'Choose another name.', {
        cause: error,
      });
    }
  }
}

function userOf(row: UserRow): StoredUser {
  return { ...row, disabled: row.disabled === 1 };
}

/** Key-value pairs, JSON. Who reads them parses them: a value of an older program may have another shape. */
export class SettingsStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  get(key: string): unknown {
    const value = this.#database.value<string>('SELECT value FROM settings WHERE key = ?', key);
    return value === undefined ? undefined : (JSON.parse(value) as unknown);
  }

  set(key: string, value: unknown): void {
    this.#database.run(
      'INSERT INTO settings(key, value) VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value',
      key,
      JSON.stringify(value),
    );
  }
}

/** What a person should know, until it's settled. */
export class NoticeStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  list(): Notice[] {
    return this.#database.all<Notice>('SELECT id, message, level FROM notices ORDER BY at, id');
  }

  /** A notice of the same id is replaced. */
  set(notice: { id: string; level: NoticeLevel; message: string; at: string }): void {
    this.#database.run(
      'INSERT OR REPLACE INTO notices(id, level, message, at) VALUES (?, ?, ?, ?)',
      notice.id,
      notice.level,
      notice.message,
      notice.at,
    );
  }

  clear(id: string): void {
    this.#database.run('DELETE FROM notices WHERE id = ?', id);
  }
}
