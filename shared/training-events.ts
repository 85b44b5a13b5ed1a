/** What a training run tells the person who waits for it. One stream for the command line and the station. */

export const trainingPhases = [
  'snapshot',
  'features',
  'memory',
  'students',
  'calibrate',
  'fuse',
  'parity',
  'package',
] as const;
export type TrainingPhase = (typeof trainingPhases)[number];

/** Mean losses since the last event, as the training step reports them. */
export interface StepLosses {
  /** Noisy-OR objective (or the sum, by preset). */
  total: number;
  decoder: number;
  encoder: number;
}

export type TrainingEvent =
  | { type: 'phase'; phase: TrainingPhase; message: string }
  | {
      type: 'progress';
      phase: TrainingPhase;
      done: number;
      total: number;
      imagesPerSecond?: number;
      losses?: StepLosses;
      /** Estimate for this phase; absent until there is one. */
      remainingMs?: number;
    }
  | { type: 'notice'; message: string }
  | { type: 'warning'; message: string }
  | { type: 'phaseDone'; phase: TrainingPhase; elapsedMs: number };
