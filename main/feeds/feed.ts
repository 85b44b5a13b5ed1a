import type { PresentedPart } from '../inspection/pipeline.ts';
import type { SeenSet } from '../inspection/seen-set.ts';
import type { Picture } from '../pictures/picture.ts';

/** A part as any feed presents it. */
export interface FedPart extends PresentedPart {
  serial: string | null;
  lot: string | null;
  /** What the feed says it is; the model infers the class on its own. */
  className: string | null;
  /** Names this presentation, where it isn't path and content that do (cameras, replay). */
  recordKey?: string;
  /** The picture itself, where it isn't read from `path`. */
  content?: { bytes: Uint8Array; extension: string } | { picture: Picture };
  /** State of the file when it was found complete: one that has changed since is another part. */
  found?: { relative: string; size: number; mtimeMs: number };
  /** Presented before and not judged yet. */
  partId?: number;
  /** Told once: the part's number when it's durable, or null and why it is no part. */
  onTaken?: (partId: number | null, reason?: string) => void;
}

export type FeedNews =
  /**
   * Nothing can come: what should is not judged. Told once, until it's `back`; with another code it's another reason.
   */
  | { type: 'lost'; message: string; remedy: string; code?: string }
  | { type: 'back' }
  /** Nothing is waiting. */
  | { type: 'idle' }
  /** Free-running frames that nobody looked at. */
  | { type: 'skipped'; frames: number };

export interface FeedOptions {
  /** Lot that is running, for feeds that don't know better. */
  lot: () => string;
  /** Files that need no second look; the feed adds what it presents. */
  knownFiles: SeenSet;
  /** Folder left out when it lies inside a watched one. */
  outputFolder: string | null;
  onNews: (news: FeedNews) => void;
  signal: AbortSignal;
}

/** Waits, unless the signal comes first. Never rejects. */
export function pauseUntil(ms: number, signal: AbortSignal): Promise<void> {
  if (ms <= 0 || signal.aborted) return Promise.resolve();
  return new Promise((done) => {
    const finish = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', finish);
      done();
    };
    const timer = setTimeout(finish, ms);
    signal.addEventListener('abort', finish);
  });
}
