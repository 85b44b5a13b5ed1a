import { z } from 'zod';
import type { FeedFault } from '../processes/inference-protocol.ts';
import { systemCaller } from '../store/types.ts';
import { record } from './audit-trail.ts';
import type { StationContext } from './context.ts';

/** A fault that is open, and since when. */
export interface OpenFault {
  fault: FeedFault;
  /** ISO 8601, UTC. */
  since: string;
}

const storedFaults = z.record(
  z.string(),
  z.object({
    fault: z.object({ code: z.string(), message: z.string(), remedy: z.string().nullable() }),
    since: z.string(),
  }),
);
const settingsKey = 'openFeedFaults';

/**
 * Writes down when something fails at a feed and when it's well again: in the log, for whoever asks later why parts are
 * missing, and as the open fault of a project, so that it's still shown when the station was closed in its midst.
 */
export class FaultBook {
  readonly #context: StationContext;
  readonly #open = new Map<string, Map<string, OpenFault>>();

  constructor(context: StationContext) {
    this.#context = context;
  }

  /** Faults that were open when the station ended. */
  #left(): Map<string, OpenFault> {
    const stored = storedFaults.safeParse(this.#context.store.settings.get(settingsKey) ?? {});
    return new Map(stored.success ? Object.entries(stored.data) : []);
  }

  /** They are known, and in the log already. */
  takeOver(): Map<string, OpenFault> {
    const left = this.#left();
    for (const [projectId, open] of left) this.#open.set(projectId, new Map([[open.fault.code, open]]));
    return left;
  }

  /** To be called with a feed's faults whenever they may have changed. @param subject what the log calls the feed */
  note(projectId: string, subject: string, faults: readonly FeedFault[]): void {
    const open = this.#open.get(projectId) ?? new Map<string, OpenFault>();
    const codes = new Set(faults.map(({ code }) => code));
    const raised = faults.filter(({ code }) => !open.has(code));
    const over = [...open].filter(([code]) => !codes.has(code));
    if (raised.length === 0 && over.length === 0) return;
    const { store, now } = this.#context;
    const at = now();
    const next = new Map(open);
    for (const [code] of over) next.delete(code);
    for (const fault of raised) next.set(fault.code, { fault, since: at });
    try {
      store.transaction(() => {
        for (const [code, { since }] of over) {
          record(this.#context, systemCaller, 'feed.recovered', subject, { projectId, code, since });
        }
        for (const { code, message } of raised) {
          record(this.#context, systemCaller, 'feed.fault', subject, { projectId, code, message });
        }
        this.#store(projectId, [...next.values()].at(-1));
      });
      this.#open.set(projectId, next);
    } catch {
      // A full disk is a fault itself; what happened is written down when there is room again.
    }
  }

  /** Whatever was wrong is done with: a new run begins. */
  forget(projectId: string): void {
    this.#open.delete(projectId);
    this.seen(projectId);
  }

  /** A person has seen it: it needn't be shown after the next start. */
  seen(projectId: string): void {
    try {
      this.#store(projectId, undefined);
    } catch {
      // It will be shown once more.
    }
  }

  #store(projectId: string, open: OpenFault | undefined): void {
    const all = this.#left();
    if (open === undefined && !all.has(projectId)) return;
    if (open === undefined) all.delete(projectId);
    else all.set(projectId, open);
    this.#context.store.settings.set(settingsKey, Object.fromEntries(all));
  }
}
