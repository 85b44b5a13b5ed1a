import { canonicalJson, type JsonValue } from '../../shared/audit/event.ts';
import {
  meaningWords,
  type ElectronicSignature,
  type SignatureMeaning,
  type SignedAction,
} from '../../shared/audit/signature.ts';
import { UserError } from '../../shared/errors.ts';
import { sha256 } from './hash.ts';

/** A change that somebody must sign for. */
export interface SignedChange {
  actor: string;
  role: string;
  action: SignedAction;
  subject: string;
  /** What changes, e.g. `{ before, after, reason }`. */
  change: JsonValue;
  meaning: SignatureMeaning;
  /** The secret as entered again; only handed to the check, kept nowhere. */
  secret: string;
}

/** Checks the secret of the actor. */
export type SecretCheck = (actor: string, secret: string) => boolean | Promise<boolean>;

/** Hash of exactly what is signed: action, subject and change. */
export function changeHashOf({ action, subject, change }: Pick<SignedChange, 'action' | 'subject' | 'change'>): string {
  return sha256(canonicalJson({ action, subject, change }));
}

/**
 * Signs a change: for whoever writes events inside a transaction of their own.
 * @returns the details of the event to be written (`{ change, signature }`)
 * @throws UserError `signatureRefused`; the caller records `signature.refused`
 */
export async function signChange(change: SignedChange, isSecretOf: SecretCheck, at: string): Promise<JsonValue> {
  const { actor, role, meaning, secret } = change;
  if (!(await isSecretOf(actor, secret))) {
    throw new UserError('signatureRefused', `The secret is not ${actor}'s.`, 'Nothing was changed. Enter it again.');
  }
  const signature: ElectronicSignature = {
    signer: actor,
    role,
    meaning,
    statement: meaningWords[meaning],
    signedAt: at,
    method: 'reenteredSecret',
    changeHash: changeHashOf(change),
  };
  return { change: change.change, signature: { ...signature } };
}
