/** What was found, and at which event. */
export interface AuditFinding {
  kind: 'changed' | 'missing' | 'reordered' | 'inserted' | 'unsigned' | 'torn' | 'checkpointInvalid';
  /** Event concerned; the first of several. */
  seq: number | undefined;
  /** Line of the file, from 1. */
  line: number | undefined;
  text: string;
}

export interface AuditVerification {
  ok: boolean;
  events: number;
  /** Checkpoints that hold. */
  signed: number;
  newest: { seq: number; hash: string; at: string } | null;
  findings: AuditFinding[];
  notes: string[];
}

/** Checks a log against itself and against its signed checkpoints. */
export function verifyAuditLog(given: {
  log: Buffer;
  checkpoints?: Buffer | undefined;
  publicKeyPem?: string | undefined;
  expect?: { seq: number; hash: string } | undefined;
}): AuditVerification;

/** The command line of the file: exit code. */
export function main(args: string[]): number;

/** A result as lines of text. */
export function inWords(result: AuditVerification): string;
