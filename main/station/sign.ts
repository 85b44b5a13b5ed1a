import type { JsonValue } from '../../shared/audit/event.ts';
import { UserError } from '../../shared/errors.ts';
import { signChange, type SignedChange } from '../audit/electronic-signature.ts';
import type { Caller } from '../ipc/handler.ts';
import { record } from './audit-trail.ts';
import type { StationContext } from './context.ts';

/** Whether a secret is the caller's own. */
export type IsSecretOf = (caller: Caller, secret: string | null) => Promise<boolean>;

/**
 * Has the caller prove again who it is. Where there are no accounts, nobody has to.
 * @throws UserError `signatureRefused`, which is recorded
 */
export async function checkSecret(
  context: StationContext,
  caller: Caller,
  secret: string | null,
  isSecretOf: IsSecretOf | undefined,
  what: string,
): Promise<void> {
  if (isSecretOf === undefined || caller.userId === null || (await isSecretOf(caller, secret))) return;
  record(context, caller, 'signature.refused', caller.name, { what });
  throw new UserError('signatureRefused', 'The PIN or password is not yours.', 'Enter it again.');
}

/**
 * Details of an event that somebody signs for whose secret has been checked (`checkSecret`): the change, and who signed
 * exactly it, when, and what that means. Where there are no accounts: the change alone.
 */
export function signedDetails(
  { now }: StationContext,
  { userId, name: actor, role }: Caller,
  change: Pick<SignedChange, 'action' | 'subject' | 'change' | 'meaning'>,
): Promise<JsonValue> {
  if (userId === null) return Promise.resolve(change.change);
  return signChange({ ...change, actor, role, secret: '' }, () => true, now());
}
