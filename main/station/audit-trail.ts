import type { AuditAction, JsonValue } from '../../shared/audit/event.ts';
import type { Caller } from '../ipc/handler.ts';
import type { StationContext } from './context.ts';

/**
 * Notes in the audit log what somebody did. Inside a transaction of the store, change and note stand or fall together.
 * @param subject what it was done to; never empty
 */
export function record(
  context: StationContext,
  caller: Caller,
  action: AuditAction,
  subject: string,
  details: JsonValue = {},
): void {
  const { store } = context;
  store.events.add({ at: context.now(), actor: caller.name, role: caller.role, action, subject, details });
}
