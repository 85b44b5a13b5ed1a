import { firstPrevHash, hashedText, type AuditEntry, type AuditEvent } from '../../shared/audit/event.ts';
import { UserError } from '../../shared/errors.ts';
import { changeHashOf, signChange, type SecretCheck, type SignedChange } from './electronic-signature.ts';
import { sha256 } from './hash.ts';
import type { AuditKey } from './keys.ts';
import type { AuditStorage, CheckpointStorage } from './storage.ts';

/** What a log is put together from. */
export interface AuditLogParts {
  storage: AuditStorage;
  /** Absent: nothing is signed, and a rewritten or shortened log can't be told from a true one. */
  signing?: {
    key: AuditKey;
    checkpoints: CheckpointStorage;
    /** Events from one checkpoint to the next; default 1, so that every event is covered at once. */
    every?: number;
  };
  now?: () => Date;
}

/** The hash-chained log: adds events, one at a time, each tied to the one before it. */
export class AuditLog {
  readonly #storage: AuditStorage;
  readonly #signing: AuditLogParts['signing'];
  readonly #now: () => Date;
  #last: AuditEvent | undefined;
  #queue: Promise<unknown> = Promise.resolve();

  private constructor({ storage, signing, now }: AuditLogParts, last: AuditEvent | undefined) {
    this.#storage = storage;
    this.#signing = signing;
    this.#now = now ?? (() => new Date());
    this.#last = last;
  }

  /**
   * Goes on with a log. What a stop left between an event and its checkpoint (one event at most) is made up for, and
   * said so by an `audit.recovered` event; a log that is shorter than its last checkpoint is refused.
   * @throws UserError `auditDamaged` when the newest event doesn't hold, or isn't the one that was signed
   */
  static async open(parts: AuditLogParts): Promise<AuditLog> {
    const last = await parts.storage.last();
    if (last !== undefined && sha256(hashedText(last)) !== last.hash) throw damaged('its newest event was changed');
    const log = new AuditLog(parts, last);
    const { signing } = parts;
    if (signing === undefined) return log;
    const signed = await signing.checkpoints.last();
    const seq = last?.seq ?? 0;
    if (signed !== undefined) {
      if (signed.seq > seq)
        throw damaged(`event ${String(signed.seq)} was signed, but the log ends with ${String(seq)}`);
      if (signed.seq === seq && signed.hash !== last?.hash) throw damaged('its newest event is not the one signed');
    }
    const unsigned = seq - (signed?.seq ?? 0);
    if (unsigned >= (signing.every ?? 1)) {
      await log.append({
        actor: 'system',
        role: 'system',
        action: 'audit.recovered',
        subject: 'audit',
        details: { unsignedEvents: unsigned, lastSigned: signed?.seq ?? 0 },
      });
    }
    return log;
  }

  /** Newest event. */
  get last(): AuditEvent | undefined {
    return this.#last;
  }

  /**
   * Adds an event; calls made meanwhile wait their turn.
   * @returns the event as stored, once it's durable and, where it's due, signed
   * @throws UserError `auditEntryInvalid` for a field that is empty or has no form in JSON
   */
  append(entry: AuditEntry): Promise<AuditEvent> {
    const adding = this.#queue.then(() => this.#add(entry));
    this.#queue = adding.catch(() => undefined);
    return adding;
  }

  async #add(entry: AuditEntry): Promise<AuditEvent> {
    const event = this.#link(entry);
    await this.#storage.append(event);
    this.#last = event;
    const signing = this.#signing;
    if (signing !== undefined && event.seq % (signing.every ?? 1) === 0) await this.#sign(event, signing);
    return event;
  }

  /** Signs the newest event now, e.g. at the end of a shift when not every event is signed. */
  checkpoint(): Promise<void> {
    const signing = this.#queue.then(async () => {
      if (this.#signing !== undefined && this.#last !== undefined) await this.#sign(this.#last, this.#signing);
    });
    this.#queue = signing.catch(() => undefined);
    return signing;
  }

  /**
   * Records a change that its maker signs by entering the secret again. A wrong secret changes nothing and is recorded
   * as `signature.refused`.
   * @param isSecretOf checks the secret of the actor
   * @throws UserError `signatureRefused`
   */
  async appendSigned(change: SignedChange, isSecretOf: SecretCheck): Promise<AuditEvent> {
    const { actor, role, action, subject, meaning } = change;
    const at = this.#now().toISOString();
    try {
      return await this.append({ at, actor, role, action, subject, details: await signChange(change, isSecretOf, at) });
    } catch (error) {
      if (error instanceof UserError && error.code === 'signatureRefused') {
        const details = { action, meaning, changeHash: changeHashOf(change) };
        await this.append({ actor, role, action: 'signature.refused', subject, details });
      }
      throw error;
    }
  }

  #link({ at, actor, role, action, subject, details }: AuditEntry): AuditEvent {
    for (const [field, text] of Object.entries({ actor, role, action, subject })) {
      if (text === '') throw new UserError('auditEntryInvalid', `An event needs its ${field}.`);
    }
    if (!/^[a-z][\w]*\.[a-z][\w]*$/.test(action)) {
      throw new UserError('auditEntryInvalid', `"${action}" is no action.`, 'It looks like "threshold.changed".');
    }
    const link = {
      seq: (this.#last?.seq ?? 0) + 1,
      at: at ?? this.#now().toISOString(),
      actor,
      role,
      action,
      subject,
      details: details ?? {},
      prevHash: this.#last?.hash ?? firstPrevHash,
    };
    try {
      return { ...link, hash: sha256(hashedText(link)) };
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new UserError('auditEntryInvalid', `The event "${action}" can't be recorded: ${why}.`, undefined, {
        cause,
      });
    }
  }

  async #sign({ seq, hash }: AuditEvent, { key, checkpoints }: NonNullable<AuditLogParts['signing']>): Promise<void> {
    await checkpoints.append(key.signCheckpoint(seq, hash, this.#now().toISOString()));
  }
}

function damaged(why: string): UserError {
  return new UserError(
    'auditDamaged',
    `The audit log can't be continued: ${why}.`,
    'Run "twinspect audit verify" on it, keep it as evidence, and restore it from a copy.',
  );
}
