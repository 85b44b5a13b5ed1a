import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { UserError } from '../../shared/errors.ts';
import { Database } from './database.ts';

/**
 * Makes this program the only one that works with the station's folder. The sign is a lock of the system on a small
 * file: it goes with the process, however that ends, so no stale one is ever left; and it holds across users.
 * @returns gives the folder free
 * @throws UserError `stationOpen`
 */
export function holdStation(folder: string, isAgain = false): () => void {
  const path = join(folder, 'station.lock');
  const lock = new Database(path);
  try {
    // Waiting would only delay the answer.
    lock.exec('PRAGMA busy_timeout = 0; BEGIN EXCLUSIVE');
  } catch (cause) {
    lock.close();
    if (!isAgain && cause instanceof UserError && cause.code === 'storeDamaged') {
      // It holds nothing worth keeping, and nobody can lock what is no database.
      rmSync(path);
      return holdStation(folder, true);
    }
    if (!(cause instanceof UserError) || cause.code !== 'storeInUse') throw cause;
    throw new UserError(
      'stationOpen',
      `The station in "${folder}" is open already.`,
      'Use the window that is open, or start with another station folder.',
      { cause },
    );
  }
  return () => lock.close();
}
