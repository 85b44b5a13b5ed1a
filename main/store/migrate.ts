import { UserError } from '../../shared/errors.ts';
import type { Database } from './database.ts';
import { migrations } from './schema.ts';

/** Version of the schema of an open database; 0 for an empty one. */
export function schemaVersion(database: Database): number {
  return database.value<number>('PRAGMA user_version') ?? 0;
}

/**
 * Whether the database has to be migrated.
 * @throws UserError `storeNewer` when a newer program made it: nothing is touched then
 */
export function needsMigration(database: Database, steps: readonly string[] = migrations): boolean {
  const version = schemaVersion(database);
  if (version > steps.length) {
    throw new UserError(
      'storeNewer',
      `The station's database "${database.path}" was made by a newer version of Twinspect (schema ${version}, this one knows ${steps.length}).`,
      'Start the newer version, or restore a backup that was made before it; nothing was changed.',
    );
  }
  return version < steps.length;
}

/** Brings the schema up to date, each step whole or not at all. */
export function migrate(database: Database, steps: readonly string[] = migrations): void {
  for (let version = schemaVersion(database); version < steps.length; version++) {
    database.transaction(() => {
      database.exec(steps[version]!);
      database.exec(`PRAGMA user_version = ${version + 1}`);
    });
  }
}
