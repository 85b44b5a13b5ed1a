import {
  mostInFlight,
  type CameraFrame,
  type CameraWord,
  type FrameTaken,
  type LivePart,
  type LiveToJudge,
} from '../../../shared/ipc/live.ts';
import type { FrameAnswer } from '../../feeds/camera.ts';
import type { PortLike } from '../child.ts';

/** Who takes what the window's camera gives. */
export interface CameraEars {
  onFrame(frame: CameraFrame): Promise<FrameAnswer>;
  onWord(word: CameraWord): void;
}

/**
 * The way of live results to the window, and of camera frames from it. At most two parts are on their way
 * unacknowledged: beyond that the newest one waits for its turn and those before it are skipped. The line never waits.
 */
export class LiveLink {
  readonly #port: PortLike;
  #inFlight = 0;
  #newest: (() => Promise<LivePart>) | undefined;
  #closed = false;

  constructor(port: PortLike, camera: CameraEars) {
    this.#port = port;
    port.onMessage((message) => this.#hear(message as LiveToJudge, camera));
    port.onClose(() => this.#end());
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Shows a part when there is room for it. @param make draws it; called only when it's sent */
  show(make: () => Promise<LivePart>): void {
    if (this.#closed) return;
    if (this.#inFlight >= mostInFlight) this.#newest = make;
    else void this.#send(make);
  }

  close(): void {
    if (this.#closed) return;
    this.#end();
    this.#port.close();
  }

  #hear(message: LiveToJudge, camera: CameraEars): void {
    if (message.type === 'camera') {
      camera.onWord(message);
      return;
    }
    if (message.type === 'frame') {
      void camera.onFrame(message).then((answer) => {
        if (!this.#closed) this.#port.postMessage({ type: 'frameTaken', ...answer } satisfies FrameTaken);
      });
      return;
    }
    this.#inFlight = Math.max(0, this.#inFlight - 1);
    const make = this.#newest;
    this.#newest = undefined;
    if (make !== undefined) void this.#send(make);
  }

  async #send(make: () => Promise<LivePart>): Promise<void> {
    this.#inFlight += 1;
    try {
      const part = await make();
      if (!this.#closed) this.#port.postMessage(part);
    } catch {
      // What can't be drawn isn't shown; its record stands.
      this.#inFlight = Math.max(0, this.#inFlight - 1);
    }
  }

  #end(): void {
    this.#closed = true;
    this.#newest = undefined;
  }
}
