/**
 * What travels over the MessagePort between the process that judges and the window, both ways. Everything is cloned,
 * never transferred: a transferred buffer arrives empty in another process.
 */
import type { FrameColours } from '../frame/i420.ts';
import type { StationCounters, StationPart } from '../station/domain.ts';

/** One judged part, sent after its record is durable. */
export interface LivePart {
  type: 'part';
  part: StationPart;
  /** JPEG for the screen, longest side at most 960 px; absent when there is no picture. */
  jpeg?: Uint8Array;
  /**
   * Anomaly map as bytes, `[mapHeight, mapWidth]` row-major: 0 at or below the review threshold's level, 255 at or
   * above the fail threshold's, so that a good part stays calm.
   */
  heat?: { width: number; height: number; bytes: Uint8Array };
  /** Shares of the score, 0..1; null where the model has no such expert. */
  shares: { local: number | null; semantic: number | null; memory: number | null };
  /** Most suspicious place, 0..1 of width and height. */
  hottest: { x: number; y: number; areaPx: number } | null;
  counters: StationCounters;
}

/** The judging process waits when two parts are on their way unacknowledged; the live view then skips, never the line. */
export interface LiveAck {
  type: 'ack';
}

/** A frame the camera took, native I420 (Y, then U and V at half size); every triggered one is judged. */
export interface CameraFrame {
  type: 'frame';
  triggered: boolean;
  width: number;
  height: number;
  /** `1.5 * width * height` bytes. */
  i420: Uint8Array;
  /** Range and matrix of the samples, as the camera says them. */
  colours: FrameColours;
  /** Milliseconds since the epoch. */
  takenAt: number;
  serial: string | null;
}

/** Why a camera gives no frames; `noWindow`: no window reads it. */
export const cameraFaults = ['noCamera', 'unplugged', 'inUse', 'denied', 'noFrames', 'failed', 'noWindow'] as const;
export type CameraFault = (typeof cameraFaults)[number];

/**
 * How the camera of a feed does, said by the window that reads it: at least every other second while frames come, at
 * once and again and again while none do. A window that says nothing counts as gone.
 */
export interface CameraWord {
  type: 'camera';
  /** Null: frames come. */
  fault: Exclude<CameraFault, 'noWindow'> | null;
}

/** Answer to a frame: the part it became, or why none. */
export interface FrameTaken {
  type: 'frameTaken';
  partId: number | null;
  reason?: string;
}

export type LiveFromJudge = LivePart | FrameTaken;
export type LiveToJudge = LiveAck | CameraFrame | CameraWord;

/** At most this many unacknowledged messages either way. */
export const mostInFlight = 2;
