import type { ClassLimit } from '../../shared/calibration/unknown-limit.ts';
import type { DetectionResult, Thresholds } from '../../shared/detection.ts';
import type { PreparedPicture } from '../pictures/picture.ts';

/** Execution providers by the names people type. `auto` takes the best present and says which. */
export const engineNames = ['auto', 'cpu', 'cuda', 'dml', 'webgpu', 'coreml'] as const;
export type EngineName = (typeof engineNames)[number];

/** One trained model, ready to score pictures. Made by `openDetector` from a model package. */
export interface Detector {
  /** Model package's sha256, the model's identity in every record. */
  readonly modelHash: string;
  readonly classes: readonly string[];
  /** Side of the square network input in pixels. */
  readonly inputSize: number;
  /** Execution provider that does the work, e.g. `cpu`. */
  readonly provider: string;
  /** Thresholds of a class, the pooled ones where the class has none of its own. */
  thresholdsFor(className: string): Thresholds;
  /** Limit of the class distance beyond which a part belongs to no known class; absent: not checked. */
  readonly unknownClass?: ClassLimit;
  /** File name and class of a normal picture of the model's snapshot, for "most similar good part". */
  normalPicture(index: number): { className: string; fileName: string } | undefined;
  /**
   * Scores pictures in one run of the fused graph.
   * @throws UserError `detectorFailed` when the graph can't be run; no partial result is given.
   */
  inspect(pictures: readonly PreparedPicture[]): Promise<DetectionResult[]>;
  close(): Promise<void>;
}
