import { z } from 'zod';
import type { Result } from '../../shared/ipc/channel.ts';
import { contract, largestCallBytes, type ChannelName } from '../../shared/ipc/contract.ts';
import { UserError } from '../../shared/errors.ts';
import { roles } from '../../shared/station/domain.ts';
import type { Caller, Handlers } from './handler.ts';

/** What the shell knows of who sent a call. */
export interface Sender {
  /** Origin of the frame that called, e.g. `station://app`. */
  origin: string;
  /** Whether it's the top frame of a window that the station opened itself. */
  ownWindow: boolean;
}

/** The one origin that may call. */
export const ownOrigin = 'station://app';

/** What may be asked while nobody is signed in: what the lock screen needs. */
const withoutSignIn: ReadonlySet<string> = new Set<ChannelName>([
  'session.current',
  'session.people',
  'session.signIn',
  'settings.get',
]);

/** Characters of why a call is malformed: ten thousand wrong items have as many reasons. */
const longestReason = 500;

export interface DispatcherParts {
  handlers: Handlers;
  /** Who is signed in; null while the screen is locked. */
  caller(): Caller | null;
  /** Hears of defects of the program: errors that are not meant for people. */
  onDefect(channel: string, error: unknown): void;
}

/** The one way from a window into the station: checks the sender, the size, the form and the right, then answers. */
export class Dispatcher {
  readonly #parts: DispatcherParts;

  constructor(parts: DispatcherParts) {
    this.#parts = parts;
  }

  /** Never rejects: whatever goes wrong is an error value. */
  async call(channel: string, raw: unknown, sender: Sender): Promise<Result<unknown>> {
    try {
      return { ok: true, value: await this.#answer(channel, raw, sender) };
    } catch (error) {
      if (error instanceof UserError) {
        const { code, message, remedy } = error;
        return { ok: false, error: { code, message, ...(remedy !== undefined && { remedy }) } };
      }
      this.#parts.onDefect(channel, error);
      const why = error instanceof Error ? error.message : String(error);
      return {
        ok: false,
        error: { code: 'internal', message: `The station failed at "${channel}": ${why}.`, remedy: 'Try it again.' },
      };
    }
  }

  async #answer(channel: string, raw: unknown, sender: Sender): Promise<unknown> {
    if (!sender.ownWindow || sender.origin !== ownOrigin) {
      throw new UserError('senderRefused', `A call from "${sender.origin}" was refused.`);
    }
    if (!isChannel(channel)) throw new UserError('channelUnknown', `There is no call "${channel}".`);
    if (sizeOf(raw, largestCallBytes) > largestCallBytes) {
      throw new UserError('callTooLarge', `The call "${channel}" is larger than ${largestCallBytes / 2 ** 20} MB.`);
    }
    const spec = contract[channel];
    const caller = this.#authorise(channel, spec.role);
    const input = spec.input.safeParse(raw);
    if (!input.success) {
      const why = z.prettifyError(input.error).slice(0, longestReason);
      throw new UserError('callMalformed', `The call "${channel}" is malformed: ${why}`);
    }
    // The handler's own type is checked where it's written; here any of them is called with what its schema parsed.
    const handler = this.#parts.handlers[channel] as (input: unknown, caller: Caller) => unknown;
    const output = spec.output.safeParse(await handler(input.data, caller));
    if (!output.success) throw new Error(`the answer is malformed: ${z.prettifyError(output.error)}`);
    return output.data;
  }

  #authorise(channel: ChannelName, least: Caller['role']): Caller {
    const caller = this.#parts.caller();
    if (caller === null) {
      if (withoutSignIn.has(channel)) return { userId: null, name: '', role: 'operator' };
      throw new UserError('signInNeeded', 'Nobody is signed in.', 'Sign in first.');
    }
    if (roles.indexOf(caller.role) < roles.indexOf(least)) {
      throw new UserError('roleTooLow', `This needs the role "${least}"; ${caller.name} has "${caller.role}".`);
    }
    return caller;
  }
}

function isChannel(name: string): name is ChannelName {
  return Object.hasOwn(contract, name);
}

/** Rough bytes of a structured value, counted no further than just beyond `limit`. */
function sizeOf(value: unknown, limit: number): number {
  let bytes = 0;
  const open: unknown[] = [value];
  while (open.length > 0 && bytes <= limit) {
    const next = open.pop();
    bytes += 8;
    if (typeof next === 'string') bytes += 2 * next.length;
    else if (ArrayBuffer.isView(next)) bytes += next.byteLength;
    else if (next instanceof ArrayBuffer) bytes += next.byteLength;
    else if (typeof next === 'object' && next !== null) {
      // Holes count: whoever walks through the list walks through them.
      if (Array.isArray(next)) bytes += 8 * next.length;
      for (const [key, item] of Object.entries(next)) {
        bytes += key.length;
        open.push(item);
      }
    }
  }
  return bytes;
}
