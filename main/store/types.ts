/** Words of the store that are no words of the screens: what is handed in, and what only services read. */
import type { Thresholds, Verdict } from '../../shared/detection.ts';
import type {
  ClassMetrics,
  GtLabel,
  HottestPlace,
  PartDrift,
  PartGeometry,
  PartShares,
  PictureUse,
  Region,
  Role,
  StationModel,
} from '../../shared/station/domain.ts';
import type { Caller } from '../ipc/handler.ts';

/** Who does it; `systemCaller` for what happens by itself. */
export type Actor = Pick<Caller, 'name' | 'role'> & { userId?: string | null };

/** A part that has come: written before anything is done with it, so that a crash can't lose it. */
export interface NewPart {
  projectId: string;
  /** File or camera it came from. */
  source: string;
  serial: string | null;
  lot: string | null;
  station: string;
  shift: string | null;
  /** ISO 8601; the order of parts is that of their ids, whatever the clock does. */
  presentedAt: string;
  /** Unique within the project where given, e.g. `recordId(path, contentHash)`: a repeated delivery is recognised. */
  recordKey?: string | null;
  /** File that can be judged again after a crash; null: there is none (camera). */
  path?: string | null;
  /** State of the file (path, size, time), so that it isn't read again after a restart. */
  fileState?: string | null;
}

/** A part without a verdict: what the process before, or the station, ended in the midst of. */
export interface UndecidedPart {
  partId: number;
  projectId: string;
  source: string;
  recordKey: string | null;
  path: string | null;
}

/** A person's answer about a part. */
export interface NewAnswer {
  partId: number;
  verdict: 'pass' | 'fail';
  defectClass: string | null;
  why: string | null;
  by: string;
  at: string;
}

/** What was decided about a part. Scores are null where there are none (NaN and infinity count as none). */
export interface NewDecision {
  verdict: Verdict;
  decidedAt: string;
  className: string | null;
  /** Why there is no decision, or why a person shall look. */
  reason: string | null;
  predScore: number | null;
  localScore: number | null;
  semanticScore: number | null;
  memoryScore: number | null;
  shares: PartShares | null;
  hottest: HottestPlace | null;
  thresholds: Thresholds | null;
  displayScore: number | null;
  latencyMs: number | null;
  modelId: string | null;
  modelHash: string | null;
  /** A picture that `pictures.addFile` or `pictures.register` took before; it becomes an `inspected` one of the project. */
  pictureSha256: string | null;
  /** Whether `files.saveHeatMap` was called for the part. */
  hasHeatMap: boolean;
  similarSha256: string | null;
  /** Alarm of the drift guard that stands; null: the calibration covers the part. */
  drift?: PartDrift | null;
  classDistance?: number | null;
  /** Class distance from which the part was taken for one of no known class; null: not checked. */
  classLimit?: number | null;
  /** What of the picture was looked at; null: all of it. */
  geometry?: PartGeometry | null;
}

/** A picture's bytes on their way into the store, with what decoding told. */
export type NewPictureFile = PictureFileFacts & { bytes: Uint8Array };

/** A picture that lies in the store's folder already. */
export type StoredPictureFile = PictureFileFacts & { sha256: string; byteCount: number };

export interface PictureFileFacts {
  /** Without the dot, lower case: `png`, `jpg`, ... */
  extension: string;
  widthPx: number;
  heightPx: number;
  /** Variance of the Laplacian, see `main/station/picture-facts.ts`; null: not measured. */
  sharpness?: number | null;
  /** 64-bit perceptual hash, 16 hex digits; null: not measured. */
  perceptualHash?: string | null;
  /** Small descriptor for the odd-one-out search; null: not measured. */
  descriptor?: Float32Array | null;
}

/** A picture's place in a project. */
export interface NewProjectPicture {
  projectId: string;
  sha256: string;
  classId: string | null;
  use: PictureUse;
  fileName: string;
  group: string | null;
  addedAt: string;
}

/** A picture of a project as training and gates want it. */
export interface TrainingPicture {
  sha256: string;
  /** Absolute path of the stored file. */
  path: string;
  fileName: string;
  className: string;
  use: PictureUse;
  group: string | null;
  gtLabel: GtLabel | null;
  defectClass: string | null;
}

/** A frozen set of pictures; a model names the one it was trained on. */
export interface StoredSnapshot {
  id: string;
  projectId: string;
  createdAt: string;
  createdBy: string;
  /** sha256 over class and content hash of every picture. */
  hash: string;
  pictures: { sha256: string; className: string; use: PictureUse }[];
}

/** A finished model; version and state are the store's. */
export type NewModel = Omit<StationModel, 'version' | 'state'> & {
  /** Name of the package file inside the station's `models` folder. */
  fileName: string;
};

/** A model's score of a picture. */
export interface PictureScore {
  sha256: string;
  /** Null: none could be had. */
  predScore: number | null;
  verdict: Verdict | null;
  /** Class the model took it for, and how far it is from it; null: none could be had. */
  className: string | null;
  classDistance: number | null;
}

export interface ThresholdChange {
  at: string;
  by: string;
  thresholds: Thresholds;
  basis: string;
  reason: string;
}

/** What a person said of a part; `withdrawnAt` when they took it back. */
export interface PersonAnswer {
  verdict: 'pass' | 'fail';
  defectClass: string | null;
  why: string | null;
  by: string;
  at: string;
  withdrawnAt: string | null;
}

export interface NewLabel {
  projectId: string;
  sha256: string;
  gtLabel: GtLabel;
  defectClass: string | null;
  regions: Region[];
  by: string;
  at: string;
  why: string | null;
}

/** An account as the sign-in needs it. */
export interface StoredUser {
  id: string;
  name: string;
  role: Role;
  language: string | null;
  disabled: boolean;
  /** `scrypt$N$r$p$salt$hash`, base64. */
  secret: string;
  /** Wrong secrets in a row. */
  failures: number;
  /** Milliseconds since the epoch; sign-in is refused until then. */
  blockedUntil: number;
}

export type NoticeLevel = 'info' | 'warning' | 'fault';
export interface Notice {
  id: string;
  message: string;
  level: NoticeLevel;
}

export type { ClassMetrics };

/** For what the station does by itself. */
export const systemCaller: Caller = { userId: null, name: 'system', role: 'administrator' };
