import { randomUUID } from 'node:crypto';
import type { CameraFrame } from '../../shared/ipc/live.ts';
import type { FeedSource } from '../../shared/station/domain.ts';
import type { FedPart, FeedOptions } from './feed.ts';
import { pictureFromFrame } from './frame-picture.ts';

type CameraSource = Extract<FeedSource, { kind: 'camera' }>;

/** What became of a frame. */
export interface FrameAnswer {
  partId: number | null;
  reason?: string;
}

/** Frames that may wait; the window itself holds back when two are unanswered. */
const mostWaiting = 4;

/**
 * Frames of a camera that the window reads. Every triggered frame is a part; the others are for the eye only, and are
 * counted as skipped.
 */
export class CameraFeed {
  readonly #name: string;
  readonly #options: FeedOptions;
  readonly #run = randomUUID();
  readonly #waiting: FedPart[] = [];
  #wake: (() => void) | undefined;
  #count = 0;

  constructor(source: CameraSource, options: FeedOptions) {
    this.#name = source.deviceLabel === '' ? 'camera' : source.deviceLabel;
    this.#options = options;
  }

  /** Takes a frame from the window. @returns the part it became, once that is durable, or why it is none */
  take(frame: CameraFrame): Promise<FrameAnswer> {
    const refuse = (reason: string): Promise<FrameAnswer> => Promise.resolve({ partId: null, reason });
    if (!frame.triggered) {
      this.#options.onNews({ type: 'skipped', frames: 1 });
      return refuse('free-running');
    }
    if (this.#options.signal.aborted) return refuse('The feed is stopped.');
    if (this.#waiting.length >= mostWaiting) return refuse('Frames come faster than they can be judged.');
    let picture;
    try {
      picture = pictureFromFrame(frame);
    } catch (error) {
      return refuse(error instanceof Error ? error.message : String(error));
    }
    const count = ++this.#count;
    return new Promise((resolve) => {
      const file = `${this.#name} #${String(count)}`;
      this.#waiting.push({
        file,
        path: file,
        recordKey: `camera:${this.#run}:${String(count)}`,
        content: { picture },
        serial: frame.serial,
        lot: this.#options.lot(),
        className: null,
        onTaken: (partId, reason) => resolve({ partId, ...(reason !== undefined && { reason }) }),
      });
      this.#wake?.();
    });
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<FedPart> {
    const { signal } = this.#options;
    while (!signal.aborted) {
      const next = this.#waiting.shift();
      if (next !== undefined) {
        yield next;
        continue;
      }
      this.#options.onNews({ type: 'idle' });
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          signal.removeEventListener('abort', wake);
          this.#wake = undefined;
          resolve();
        };
        this.#wake = wake;
        signal.addEventListener('abort', wake);
      });
    }
    for (const part of this.#waiting.splice(0)) part.onTaken?.(null, 'The feed was stopped.');
  }
}
