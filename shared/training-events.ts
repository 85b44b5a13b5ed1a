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

/** How well labelled pictures that nothing learns from are told apart at some point of a run. */
export interface WatchedEvent {
  /** What scored them: the memory alone, the students alone (not calibrated yet), or the model as it will be. */
  part: 'memory' | 'students' | 'model';
  /** Steps of the students that were done. */
  step: number;
  /** 0.5 is chance, 1 is perfect. */
  auroc: number;
  good: number;
  defects: number;
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
  | ({ type: 'watched' } & WatchedEvent)
  | { type: 'notice'; message: string }
  | { type: 'warning'; message: string }
  | { type: 'phaseDone'; phase: TrainingPhase; elapsedMs: number };
