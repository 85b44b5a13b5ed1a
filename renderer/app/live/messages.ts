/** Between the window and its worker, which owns the live port and the camera's frames. */
import type { CameraWord, FrameTaken, LivePart } from '../../../shared/ipc/live.ts';
import type { View } from '../camera/seen-cells.ts';
import type { FrameLook } from '../camera/look.ts';
import type { StillState } from '../camera/still-trigger.ts';

export interface CameraTrigger {
  kind: 'key' | 'timer' | 'still' | 'none';
  timerMs: number;
  /** Where `still` looks for motion and parts. */
  view: View;
}

/** Twice a second: how the camera does. */
export interface CameraStats {
  type: 'stats';
  width: number;
  height: number;
  framesPerSecond: number;
  look: FrameLook;
  still: StillState | null;
  /** Triggered frames that wait for an answer. */
  waiting: number;
}

export type ToWorker =
  | { type: 'port'; port: MessagePort }
  | { type: 'ack' }
  /** `again`: the one that was lost is back. */
  | { type: 'camera'; frames: ReadableStream<VideoFrame>; trigger: CameraTrigger; again: boolean }
  /** A feed's camera gives no frames. */
  | { type: 'cameraFault'; fault: NonNullable<CameraWord['fault']> }
  | { type: 'stopCamera' }
  | { type: 'trigger'; serial: string | null }
  | { type: 'learnEmpty' }
  | { type: 'grab'; id: number };

export type FromWorker =
  | LivePart
  | FrameTaken
  | CameraStats
  /** A triggered frame was taken for judging: the moment to give feedback. */
  | { type: 'triggered' }
  /** The trigger came while too many frames wait. */
  | { type: 'refused'; reason: 'tooFast' | 'noFrame' | 'notConnected' }
  | { type: 'cameraEnded' }
  | { type: 'grabbed'; id: number; png: Uint8Array | null };
