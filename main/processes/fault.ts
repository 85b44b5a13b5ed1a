import { UserError } from '../../shared/errors.ts';
import type { FeedFault } from './inference-protocol.ts';

/** An error in the form that screens show: what happened and what helps, apart. */
export function faultOf(error: unknown): FeedFault {
  if (!(error instanceof UserError)) {
    return { code: 'internal', message: error instanceof Error ? error.message : String(error), remedy: null };
  }
  const { code, message, remedy } = error;
  const what = remedy !== undefined && message.endsWith(remedy) ? message.slice(0, -remedy.length).trim() : message;
  return { code, message: what, remedy: remedy ?? null };
}
