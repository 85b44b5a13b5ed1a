/** Actions that a person must sign for by entering the secret again. */
export type SignedAction = 'threshold.changed' | 'model.activated' | 'model.rolledBack' | 'model.gateOverridden';

/** What a signature says. */
export type SignatureMeaning = 'author' | 'reviewer' | 'approver' | 'responsible';

/** Words for a meaning, shown beside the field for the secret and in the record. */
export const meaningWords: Record<SignatureMeaning, string> = {
  author: 'I made this change.',
  reviewer: 'I have reviewed this change.',
  approver: 'I approve this change.',
  responsible: 'I take responsibility for this change.',
};

/**
 * An electronic signature as it stands in the details of an event (`details.signature`). The chain ties it to the event;
 * what is signed is named by its hash, so that it can't be moved to another change.
 */
export interface ElectronicSignature {
  /** The signer's printed name. */
  readonly signer: string;
  readonly role: string;
  readonly meaning: SignatureMeaning;
  /** The meaning in words, as the signer saw it. */
  readonly statement: string;
  /** ISO 8601, UTC. */
  readonly signedAt: string;
  readonly method: 'reenteredSecret';
  /** sha256 of the canonical JSON of `{ action, subject, change }`. */
  readonly changeHash: string;
}
