import { watch, type FSWatcher } from 'node:fs';
import type { PresentedPart } from './pipeline.ts';
import { looksComplete } from './complete-file.ts';
import { scanFolder, stateKey, type FoundFile } from './folder-scan.ts';
import type { SeenSet } from './seen-set.ts';

/** A complete file of the watched folder. */
export interface WatchedPart extends PresentedPart {
  relative: string;
  size: number;
  mtimeMs: number;
}

export type FeedState =
  /** The folder, or something in it, can't be read: pictures that would have come are not judged. Said every minute. */
  | { type: 'folderGone'; reason: string; sinceMs: number }
  | { type: 'folderBack'; goneMs: number }
  /** A look into the folder found nothing new; `forMs`: as have all since that long before it. 0 the first time. */
  | { type: 'idle'; forMs: number };

export interface FeedOptions {
  folder: string;
  /** Left out when it lies inside the folder. */
  resultsDir: string;
  /** File states that need no second look; the feed adds those it presents. */
  states: SeenSet;
  /** A file counts as complete when size and time stay the same for this long. */
  settleMs: number;
  /** Longest pause between two looks into the folder. */
  scanIntervalMs: number;
  /** Files that are empty, can't be opened or lack their end are given this long. */
  emptyPatienceMs: number;
  onState(state: FeedState): void;
  signal: AbortSignal;
}

/** When a file was first seen in its present state. */
interface Sighting {
  key: string;
  sinceMs: number;
}

const goneReminderMs = 60_000;
/** After a notice of the system, more are gathered for this long. */
const gatherMs = 50;

/**
 * Watches a folder: presents every picture file once it's complete, in the order in which they came. It looks into the
 * folder again and again (which works on network drives too) and lets the system's notices only shorten the wait. It
 * looks no further while parts are waiting to be taken, so a slow line holds the feed back, not memory.
 * A folder that goes away is said loud and waited for.
 */
export async function* watchFolder(options: FeedOptions): AsyncGenerator<WatchedPart> {
  const { signal, states, onState } = options;
  const doorbell = new Doorbell(options.folder, signal);
  let waiting = new Map<string, Sighting>();
  let gone: { sinceMs: number; saidMs: number } | undefined;
  let idleSinceMs: number | undefined;
  try {
    while (!signal.aborted) {
      const start = Date.now();
      const { found, trouble } = await lookInto(options);
      if (trouble !== undefined) {
        gone ??= { sinceMs: start, saidMs: -Infinity };
        if (start - gone.saidMs >= goneReminderMs) {
          gone.saidMs = start;
          onState({ type: 'folderGone', reason: reasonOf(trouble), sinceMs: gone.sinceMs });
        }
      } else if (gone !== undefined) {
        onState({ type: 'folderBack', goneMs: start - gone.sinceMs });
        gone = undefined;
      }
      if (found === undefined) {
        doorbell.unhang();
        await doorbell.wait(options.scanIntervalMs, options.scanIntervalMs);
        continue;
      }
      doorbell.hang();
      const scanMs = Date.now() - start;

      const stillWaiting = new Map<string, Sighting>();
      for (const file of found) {
        const key = stateKey(file);
        const before = waiting.get(file.relative);
        const sighting = before?.key === key ? before : { key, sinceMs: start };
        const calmMs = start - sighting.sinceMs;
        const settled =
          calmMs >= options.emptyPatienceMs || (calmMs >= options.settleMs && (await looksComplete(file)));
        if (!settled) {
          stillWaiting.set(file.relative, sighting);
          continue;
        }
        states.add(key);
        yield { ...file, file: file.path };
        if (signal.aborted) return;
      }
      waiting = stillWaiting;
      if (found.length === 0) {
        idleSinceMs ??= start;
        onState({ type: 'idle', forMs: start - idleSinceMs });
      } else {
        idleSinceMs = undefined;
      }
      // A large folder is not scanned without end: at most a fifth of the time goes into looking.
      const shortestMs = Math.max(gatherMs, 4 * scanMs);
      await doorbell.wait(
        shortestMs,
        Math.max(waiting.size > 0 ? options.settleMs : options.scanIntervalMs, shortestMs),
      );
    }
  } finally {
    doorbell.unhang();
  }
}

/** New files; `trouble`: what could not be read, of the folder (then there are none) or of something in it. */
async function lookInto({
  folder,
  resultsDir,
  states,
}: FeedOptions): Promise<{ found?: FoundFile[]; trouble?: unknown }> {
  try {
    return await scanFolder(folder, resultsDir, (file) => states.has(stateKey(file)));
  } catch (trouble) {
    return { trouble };
  }
}

/** A pause that a change in the folder, or the end, cuts short. */
class Doorbell {
  readonly #folder: string;
  readonly #signal: AbortSignal;
  #watcher: FSWatcher | undefined;
  #ring: (() => void) | undefined;
  #rung = false;

  constructor(folder: string, signal: AbortSignal) {
    this.#folder = folder;
    this.#signal = signal;
  }

  /** Listens to the folder, if the system can; without it the interval has to do. */
  hang(): void {
    if (this.#watcher !== undefined) return;
    try {
      this.#watcher = watch(this.#folder, { persistent: false }, () => {
        this.#rung = true;
        this.#ring?.();
      });
      this.#watcher.on('error', () => {
        this.unhang();
      });
    } catch {
      this.#watcher = undefined;
    }
  }

  unhang(): void {
    this.#watcher?.close();
    this.#watcher = undefined;
  }

  /** Waits at most `longestMs`; a change in the folder shortens that to `shortestMs`, which gathers more of them. */
  async wait(shortestMs: number, longestMs: number): Promise<void> {
    const start = Date.now();
    if (!this.#rung) await this.#pause(longestMs, true);
    this.#rung = false;
    await this.#pause(Math.min(shortestMs, longestMs) - (Date.now() - start), false);
  }

  #pause(ms: number, untilRung: boolean): Promise<void> {
    if (ms <= 0 || this.#signal.aborted) return Promise.resolve();
    return new Promise((done) => {
      const finish = (): void => {
        clearTimeout(timer);
        this.#signal.removeEventListener('abort', finish);
        this.#ring = undefined;
        done();
      };
      const timer = setTimeout(finish, ms);
      this.#signal.addEventListener('abort', finish);
      if (untilRung) this.#ring = finish;
    });
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
