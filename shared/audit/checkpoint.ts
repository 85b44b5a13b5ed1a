import { canonicalJson } from './event.ts';

/** A signed statement that the log had this event as its newest at that time. Kept apart from the log. */
export interface AuditCheckpoint {
  readonly format: 'twinspect-audit-checkpoint-1';
  /** Newest event. */
  readonly seq: number;
  readonly hash: string;
  /** ISO 8601, UTC. */
  readonly at: string;
  /** First 16 hex digits of the sha256 of the public key (SPKI, DER). */
  readonly keyId: string;
  /** Ed25519 over {@link signedText}, base64. */
  readonly signature: string;
}

/** The text whose UTF-8 bytes are signed. */
export function signedText({ format, seq, hash, at, keyId }: Omit<AuditCheckpoint, 'signature'>): string {
  return canonicalJson({ format, seq, hash, at, keyId });
}
