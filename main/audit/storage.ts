import type { AuditCheckpoint } from '../../shared/audit/checkpoint.ts';
import type { AuditEvent } from '../../shared/audit/event.ts';

/**
 * Where events are kept. Whatever it is, it only ever adds: there is no way to change or remove one. A database may
 * answer at once, a file later.
 */
export interface AuditStorage {
  /** Returns when the event would survive a power cut. */
  append(event: AuditEvent): void | Promise<void>;
  /** Newest event; undefined when there is none. */
  last(): AuditEvent | undefined | Promise<AuditEvent | undefined>;
  /** All events, oldest first. */
  iterate(): Iterable<AuditEvent> | AsyncIterable<AuditEvent>;
}

/** Where checkpoints are kept: best not where the events are, so that nobody changes both by accident. */
export interface CheckpointStorage {
  append(checkpoint: AuditCheckpoint): void | Promise<void>;
  last(): AuditCheckpoint | undefined | Promise<AuditCheckpoint | undefined>;
}

/** Keeps everything in memory: for tests and trials. */
export class MemoryAuditStorage implements AuditStorage {
  readonly events: AuditEvent[] = [];
  append(event: AuditEvent): void {
    this.events.push(event);
  }
  last(): AuditEvent | undefined {
    return this.events.at(-1);
  }
  iterate(): Iterable<AuditEvent> {
    return this.events;
  }
}

/** @see MemoryAuditStorage */
export class MemoryCheckpointStorage implements CheckpointStorage {
  readonly checkpoints: AuditCheckpoint[] = [];
  append(checkpoint: AuditCheckpoint): void {
    this.checkpoints.push(checkpoint);
  }
  last(): AuditCheckpoint | undefined {
    return this.checkpoints.at(-1);
  }
}
