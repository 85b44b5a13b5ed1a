import type { EngineName } from '../detector/detector.ts';
import type { DataKind } from './assignments.ts';
import type { CachePrecision } from './feature-cache.ts';
import type { EmbeddedPreset } from '../nn/presets.ts';

/** `head`: a head over frozen scores and descriptors; `students`: y = 0 in their training. */
export const defectWays = ['head', 'students'] as const;
export type DefectsBy = (typeof defectWays)[number];

/** What a training run is asked for, by the command line or the station. */
export interface TrainingRequest {
  /** Picture folders or lists, see `readDataset`. */
  dataDirs: readonly string[];
  /** The folders are in semantic layout and these classes are normal, see `readDataset`. */
  normalClasses?: readonly string[];
  /** Folders of known defects, off by default, see `findDefects`. */
  defectDirs?: readonly string[];
  /** What learns from them, see docs/defects.md. Default: `head` with the embedded preset, which alone has one. */
  defectsBy?: DefectsBy;
  preset: string;
  /** The same seed, pictures and thread count give the same model on the CPU. */
  seed: number;
  /** Model package to write. */
  out: string;
  /** Execution provider, or `tfjs` for the second engine. */
  engine: EngineName | 'tfjs';
  threads?: number;
  /** Learn from this many normal pictures per class only. */
  shots?: number;
  /** Training steps of the students instead of the preset's. */
  steps?: number;
  /** Go on from a checkpoint of the same request. */
  resume: boolean;
  /** Memory only: ready in seconds, no students. */
  instant: boolean;
  /** How the finished model searches its memory, instead of the preset's way. */
  search?: EmbeddedPreset['search'];
  /** Folder of the feature cache; default: the user's cache folder. */
  cacheDir?: string;
  /** How features are stored there; `half` takes half the space and rounds what the students learn from. Default `full`. */
  cachePrecision?: CachePrecision;
  /** Most that the folder may hold, bytes. */
  cacheLimitBytes?: number;
  /** Settings of a paper preset instead of its own, by dotted name: `schedule.total`, `decoder.dropout`, `crop`... */
  settings?: Readonly<Record<string, unknown>>;
  /** Data that the paper trains differently; default `general`. Paper presets only. */
  dataKind?: DataKind;
  /** Look at labelled pictures of split `test` while training, for a curve of their AUROC; nothing learns from them. */
  watch?: boolean;
  /** Weight file of the teacher instead of the stored one. Paper presets only. */
  backboneFile?: string;
}

export interface TrainingSummary {
  modelPath: string;
  /** sha256 of the package file. */
  modelHash: string;
  classes: string[];
  elapsedMs: number;
  phases: { phase: string; elapsedMs: number }[];
  engine: { engine: string; provider: string; threads: number; mode: string };
  parity: { maxAbsDifference: number; verdictFlips: number; pictures: number };
}
