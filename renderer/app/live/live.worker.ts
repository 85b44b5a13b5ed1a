/**
 * Owns the live port: judged parts come in here and go on to the window without a copy, camera frames go out from here
 * without the window's main thread ever touching their bytes.
 */
import {
  mostInFlight,
  type CameraFrame,
  type CameraWord,
  type LiveAck,
  type LiveFromJudge,
} from '../../../shared/ipc/live.ts';
import { coloursFromI420 } from '../../../shared/frame/i420.ts';
import { coarseOf, lookAt, type FrameLook } from '../camera/look.ts';
import { readFrame, type ReadFrame } from '../camera/read-frame.ts';
import { seenCells } from '../camera/seen-cells.ts';
import { StillTrigger, type StillState } from '../camera/still-trigger.ts';
import type { CameraTrigger, FromWorker, ToWorker } from './messages.ts';

/** Triggered frames that may wait here while two are on their way; beyond, a trigger is refused aloud. */
const mostWaiting = 24;
const statsMs = 500;

let port: MessagePort | null = null;
let inFlight = 0;
const waiting: CameraFrame[] = [];

/** The process that judges hears how the camera does, and the feed's state says it. */
const tellCamera = (fault: CameraWord['fault']): void =>
  port?.postMessage({ type: 'camera', fault } satisfies CameraWord);

const say = (message: FromWorker, transfer: Transferable[] = []): void => self.postMessage(message, { transfer });

function connect(next: MessagePort): void {
  port?.close();
  port = next;
  // Whatever was on its way over the old port gets no answer any more.
  inFlight = 0;
  next.onmessage = ({ data }: MessageEvent<LiveFromJudge>) => {
    if (data.type === 'frameTaken') {
      inFlight = Math.max(0, inFlight - 1);
      say(data);
      sendWaiting();
      return;
    }
    say(
      data,
      [data.jpeg, data.heat?.bytes].flatMap((bytes) => (bytes === undefined ? [] : [bytes.buffer])),
    );
  };
  next.start();
  sendWaiting();
}

function sendWaiting(): void {
  while (port !== null && inFlight < mostInFlight) {
    const frame = waiting.shift();
    if (frame === undefined) return;
    inFlight++;
    // Cloned, not transferred: a transferred buffer arrives empty in another process.
    port.postMessage(frame);
  }
}

/** Outlives a cable that is pulled: a part that lies there when the camera comes back must not become the empty view. */
let still: { trigger: StillTrigger; cells: Uint8Array | null } = { trigger: new StillTrigger(), cells: null };

function lookForParts({ view }: CameraTrigger): void {
  const cells = seenCells(view);
  still = { trigger: new StillTrigger(cells?.reduce((sum, seen) => sum + seen, 0)), cells };
}

/** One run of a camera: reads its frames until it ends or another one starts. */
class CameraRun {
  readonly #reader: ReadableStreamDefaultReader<VideoFrame>;
  readonly #trigger: CameraTrigger;
  readonly #grabs: number[] = [];
  /** Serials of triggers that wait for the next frame. */
  readonly #asked: (string | null)[] = [];
  #timer: ReturnType<typeof setInterval> | undefined;
  #stopped = false;
  #frames = 0;
  #statsAt = performance.now();
  #look: FrameLook | null = null;
  #state: StillState | null = null;

  constructor(frames: ReadableStream<VideoFrame>, trigger: CameraTrigger) {
    this.#reader = frames.getReader();
    this.#trigger = trigger;
    if (trigger.kind === 'timer') this.#timer = setInterval(() => this.trigger(null), trigger.timerMs);
    void this.#run();
  }

  stop(): void {
    this.#stopped = true;
    clearInterval(this.#timer);
    void this.#reader.cancel().catch(() => undefined);
  }

  trigger(serial: string | null): void {
    // A timer faster than the camera must not pile up.
    if (this.#asked.length < 2) this.#asked.push(serial);
  }

  learnEmpty(): void {
    still.trigger.learnEmpty();
  }

  grab(id: number): void {
    this.#grabs.push(id);
  }

  async #run(): Promise<void> {
    try {
      while (!this.#stopped) {
        const { done, value: frame } = await this.#reader.read();
        if (done) break;
        try {
          await this.#take(frame);
        } finally {
          frame.close();
        }
      }
    } catch {
      // A camera that is pulled out ends its stream with an error: the same as its end.
    }
    clearInterval(this.#timer);
    for (const id of this.#grabs.splice(0)) say({ type: 'grabbed', id, png: null });
    if (!this.#stopped) say({ type: 'cameraEnded' });
  }

  async #take(frame: VideoFrame): Promise<void> {
    this.#frames++;
    const now = performance.now();
    const due = now - this.#statsAt >= statsMs;
    const watching = this.#trigger.kind === 'still';
    const wanted = this.#asked.length > 0 || this.#grabs.length > 0;
    if (!due && !watching && !wanted) return;
    const read = await readFrame(frame);
    const luma = read.i420.subarray(0, read.width * read.height);
    if (watching) {
      this.#state = still.trigger.next(coarseOf(luma, read.width, read.height, still.cells));
      if (this.#state === 'take') this.#asked.push(null);
    }
    if (due) {
      this.#look = lookAt(luma, read.width, read.height, read.colours.range);
      this.#tellStats(read, now);
    }
    for (const id of this.#grabs.splice(0)) await grabbed(id, read);
    const serial = this.#asked.shift();
    if (serial !== undefined) judge(read, serial);
  }

  #tellStats({ width, height }: ReadFrame, now: number): void {
    const framesPerSecond = (1_000 * this.#frames) / (now - this.#statsAt);
    this.#frames = 0;
    this.#statsAt = now;
    if (this.#trigger.kind !== 'none') tellCamera(null);
    say({
      type: 'stats',
      width,
      height,
      framesPerSecond,
      look: this.#look!,
      still: this.#state,
      waiting: waiting.length + inFlight,
    });
  }
}

function judge({ width, height, i420, colours }: ReadFrame, serial: string | null): void {
  if (port === null) {
    say({ type: 'refused', reason: 'notConnected' });
    return;
  }
  if (waiting.length >= mostWaiting) {
    say({ type: 'refused', reason: 'tooFast' });
    return;
  }
  waiting.push({ type: 'frame', triggered: true, width, height, i420, colours, takenAt: Date.now(), serial });
  say({ type: 'triggered' });
  sendWaiting();
}

/** The same pixels that the judging process would see, as PNG. */
async function grabbed(id: number, { width, height, i420, colours }: ReadFrame): Promise<void> {
  const canvas = new OffscreenCanvas(width, height);
  const image = new ImageData(coloursFromI420(i420, width, height, colours, 4), width, height);
  canvas.getContext('2d')!.putImageData(image, 0, 0);
  const png = new Uint8Array(await (await canvas.convertToBlob({ type: 'image/png' })).arrayBuffer());
  say({ type: 'grabbed', id, png }, [png.buffer]);
}

let camera: CameraRun | null = null;
self.onmessage = ({ data }: MessageEvent<ToWorker>) => {
  if (data.type === 'port') connect(data.port);
  else if (data.type === 'ack') port?.postMessage({ type: 'ack' } satisfies LiveAck);
  else if (data.type === 'cameraFault') tellCamera(data.fault);
  else if (data.type === 'camera') {
    camera?.stop();
    if (data.again) still.trigger.goOn();
    else lookForParts(data.trigger);
    camera = new CameraRun(data.frames, data.trigger);
  } else if (data.type === 'stopCamera') {
    camera?.stop();
    camera = null;
  } else if (data.type === 'learnEmpty') camera?.learnEmpty();
  else if (data.type === 'grab') {
    if (camera === null) say({ type: 'grabbed', id: data.id, png: null });
    else camera.grab(data.id);
  } else if (camera === null) say({ type: 'refused', reason: 'noFrame' });
  else camera.trigger(data.serial);
};
