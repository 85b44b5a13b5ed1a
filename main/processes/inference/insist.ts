import { UserError } from '../../../shared/errors.ts';
import { pauseUntil } from '../../feeds/feed.ts';
import { faultOf } from '../fault.ts';
import type { FeedFault } from '../inference-protocol.ts';

/** What may pass by itself, or by a person's hand: no room, a drive that is gone. */
const passing = new Set(['diskFull', 'notWritable', 'writeFailed', 'storeBusy']);
const retryMs = 1000;

/** Says what is wrong with a feed; each kind of trouble is told once, and when it's over. */
export class Troubles {
  readonly #tell: (fault: FeedFault | null) => void;
  readonly #open = new Map<string, FeedFault>();

  constructor(tell: (fault: FeedFault | null) => void) {
    this.#tell = tell;
  }

  raise(fault: FeedFault): void {
    if (this.#open.has(fault.code)) return;
    this.#open.set(fault.code, fault);
    this.#tell(fault);
  }

  clear(code: string): void {
    if (!this.#open.delete(code)) return;
    this.#tell([...this.#open.values()].at(-1) ?? null);
  }

  /** @param codes clears every trouble that may pass */
  clearPassing(): void {
    for (const code of passing) this.clear(code);
  }
}

/** Whether trying again later can help. */
export function mayPass(error: unknown): boolean {
  return error instanceof UserError && passing.has(error.code);
}

/**
 * Does what must be done before the line goes on: again and again, loud, as long as the trouble may pass.
 * @throws what won't pass; the last error when the signal comes
 */
export async function insist<T>(work: () => Promise<T>, troubles: Troubles, signal: AbortSignal): Promise<T> {
  for (;;) {
    try {
      const done = await work();
      troubles.clearPassing();
      return done;
    } catch (error) {
      if (!mayPass(error) || signal.aborted) throw error;
      troubles.raise(faultOf(error));
      await pauseUntil(retryMs, signal);
    }
  }
}
