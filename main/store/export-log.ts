import { existsSync } from 'node:fs';
import { copyFile, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { eventLine } from '../../shared/audit/event.ts';
import { UserError } from '../../shared/errors.ts';
import { Database } from './database.ts';
import { EventStore } from './events.ts';
import { writeFileAtomic } from '../system/atomic-file.ts';

export interface ExportedLog {
  events: number;
  /** `SEQ:HASH` of the newest event, to be noted elsewhere; null for an empty log. */
  newest: string | null;
  log: string;
  /** Null: the station has signed nothing yet. */
  checkpoints: string | null;
  /** Null: the station never wrote its public key. */
  publicKey: string | null;
}

/** Where a station keeps what it signed, and the key that others check it with. */
export function sealFiles(folder: string): { checkpoints: string; publicKey: string } {
  return {
    checkpoints: join(folder, 'audit', 'checkpoints.jsonl'),
    publicKey: join(folder, 'audit', 'public-key.pem'),
  };
}

/**
 * Writes a station's audit log as JSON lines, with its checkpoints (`OUT.checkpoints`) and public key (`OUT.pem`), as the
 * verifier reads them. Reads only; the station may run meanwhile. Nothing is repaired: what was tampered with is exported
 * as it is.
 * @throws UserError `auditUnreadable` when the folder is no station's
 */
export async function exportStationLog(folder: string, out: string): Promise<ExportedLog> {
  const path = join(folder, 'station.db');
  if (!existsSync(path)) {
    throw new UserError(
      'auditUnreadable',
      `"${folder}" is no station's folder: it has no station.db.`,
      'Check the path.',
    );
  }
  const seals = sealFiles(folder);
  // Before the log: a checkpoint of an event that isn't in the log yet would look like a cut.
  const checkpoints = existsSync(seals.checkpoints) ? await readFile(seals.checkpoints) : null;
  const database = new Database(path, { readOnly: true });
  let events = 0;
  let newest: string | null = null;
  try {
    const store = new EventStore(database);
    await writeFileAtomic(
      out,
      (async function* () {
        for (const event of store.iterate()) {
          events += 1;
          newest = `${String(event.seq)}:${event.hash}`;
          yield Buffer.from(`${eventLine(event)}\n`);
        }
      })(),
    );
  } finally {
    database.close();
  }
  const files = { checkpoints: `${out}.checkpoints`, publicKey: `${out}.pem` };
  if (checkpoints === null) await rm(files.checkpoints, { force: true });
  else await writeFileAtomic(files.checkpoints, checkpoints);
  const hasKey = existsSync(seals.publicKey);
  if (hasKey) await copyFile(seals.publicKey, files.publicKey);
  return {
    events,
    newest,
    log: out,
    checkpoints: checkpoints === null ? null : files.checkpoints,
    publicKey: hasKey ? files.publicKey : null,
  };
}
