import {
  type AuditEntry,
  type AuditEvent,
  canonicalJson,
  firstPrevHash,
  hashedText,
  type JsonValue,
} from '../../shared/audit/event.ts';
import { sha256 } from '../audit/hash.ts';
import type { AuditStorage } from '../audit/storage.ts';
import { cleanText, type Database } from './database.ts';

type EventRow = Omit<AuditEvent, 'details' | 'prevHash'> & { details: string; prevHash: string };

const columns = 'seq, at, actor, role, action, subject, details, prev_hash AS prevHash, hash';

/**
 * The audit log in the database: each event is tied to the one before by its hash, and the table's triggers refuse to
 * change or remove one. `add` is for events that must stand or fall with a change in the same transaction; the rest of
 * the interface is what `AuditLog` builds on.
 */
export class EventStore implements AuditStorage {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** Adds an event to the chain. Texts are cleaned of what has no form in JSON. */
  add(entry: AuditEntry & { at: string }): AuditEvent {
    return this.#database.transaction(() => {
      const last = this.last();
      const link = {
        seq: (last?.seq ?? 0) + 1,
        at: entry.at,
        actor: cleanText(entry.actor),
        role: entry.role,
        action: entry.action,
        subject: cleanText(entry.subject),
        details: cleanJson(entry.details ?? {}),
        prevHash: last?.hash ?? firstPrevHash,
      };
      const event: AuditEvent = { ...link, hash: sha256(hashedText(link)) };
      this.append(event);
      return event;
    });
  }

  append(event: AuditEvent): void {
    this.#database.run(
      `INSERT INTO events(seq, at, actor, role, action, subject, details, prev_hash, hash)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      event.seq,
      event.at,
      event.actor,
      event.role,
      event.action,
      event.subject,
      canonicalJson(event.details),
      event.prevHash,
      event.hash,
    );
  }

  last(): AuditEvent | undefined {
    const row = this.#database.get<EventRow>(`SELECT ${columns} FROM events ORDER BY seq DESC LIMIT 1`);
    return row && eventOf(row);
  }

  *iterate(): Generator<AuditEvent> {
    for (const row of this.#database.iterate<EventRow>(`SELECT ${columns} FROM events ORDER BY seq`))
      yield eventOf(row);
  }

  /** Newest first. `before` is a sequence number. */
  page(before: number | null, limit: number, action: string | null): AuditEvent[] {
    return this.#database
      .all<EventRow>(
        `SELECT ${columns} FROM events WHERE seq < ? ${action === null ? '' : 'AND action = ?'}
         ORDER BY seq DESC LIMIT ?`,
        before ?? Number.MAX_SAFE_INTEGER,
        ...(action === null ? [] : [action]),
        limit,
      )
      .map(eventOf);
  }
}

function eventOf({ details, ...row }: EventRow): AuditEvent {
  return { ...row, details: JSON.parse(details) as JsonValue };
}

function cleanJson(value: JsonValue): JsonValue {
  if (typeof value === 'string') return cleanText(value);
  if (typeof value === 'number') return Number.isFinite(value) ? value : null;
  if (value === null || typeof value !== 'object') return value;
  if (Array.isArray(value)) return (value as readonly JsonValue[]).map(cleanJson);
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, item]) => item !== undefined)
      .map(([key, item]) => [cleanText(key), cleanJson(item as JsonValue)]),
  );
}
