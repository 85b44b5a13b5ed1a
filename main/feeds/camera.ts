import { randomUUID } from 'node:crypto';
import type { CameraFault, CameraFrame, CameraWord } from '../../shared/ipc/live.ts';
import type { FeedSource } from '../../shared/station/domain.ts';
import type { FedPart, FeedOptions } from './feed.ts';
import { pictureFromFrame } from './frame-picture.ts';

type CameraSource = Extract<FeedSource, { kind: 'camera' }>;

/** What became of a frame. */
export interface FrameAnswer {
  partId: number | null;
  reason?: string;
}

/** A window that says nothing of its camera for this long doesn't read it. */
const silenceMs = 8000;

/** In words, for the log and whoever has no screen of ours; the window says it in the person's language. */
const losses: Record<CameraFault, [message: string, remedy: string]> = {
  noCamera: ['No camera was found', 'Plug a camera in.'],
  unplugged: ['The camera was unplugged', 'Plug it in again.'],
  inUse: ['Another program uses the camera', 'Close the other program.'],
  denied: ['The system does not allow the camera', 'Allow it in the settings of the system.'],
  noFrames: ['The camera sends no pictures', 'Unplug the camera and plug it in again.'],
  failed: ['The camera could not be started', 'Unplug the camera and plug it in again.'],
  noWindow: ['No window reads the camera', "Open this project in the station's window."],
};

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
  #fault: CameraFault | null = null;
  #silence: NodeJS.Timeout | undefined;
  readonly #silenceMs: number;

  /** @param patienceMs how long the window may be silent */
  constructor(source: CameraSource, options: FeedOptions, patienceMs = silenceMs) {
    this.#silenceMs = patienceMs;
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
    // A frame says better than any word that they come.
    this.hear({ type: 'camera', fault: null });
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

  /** Takes the window's word of its camera. */
  hear({ fault }: CameraWord): void {
    if (this.#options.signal.aborted) return;
    this.#listen();
    this.#set(fault);
  }

  #listen(): void {
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => {
      if (!this.#options.signal.aborted) this.#set('noWindow');
    }, this.#silenceMs);
    this.#silence.unref();
  }

  #set(fault: CameraFault | null): void {
    if (fault === this.#fault) return;
    this.#fault = fault;
    if (fault === null) {
      this.#options.onNews({ type: 'back' });
      return;
    }
    const [what, remedy] = losses[fault];
    const code = `camera.${fault}`;
    this.#options.onNews({ type: 'lost', code, message: `${what}: parts that pass it are not judged.`, remedy });
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<FedPart> {
    const { signal } = this.#options;
    this.#listen();
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
    clearTimeout(this.#silence);
    for (const part of this.#waiting.splice(0)) part.onTaken?.(null, 'The feed was stopped.');
  }
}
