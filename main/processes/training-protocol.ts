/** What the station and the process that trains say to each other. */
import type { TrainingEvent } from '../../shared/training-events.ts';
import type { EngineName } from '../detector/detector.ts';
import type { TrainingRequest, TrainingSummary } from '../training/request.ts';

export interface EngineReport {
  name: Exclude<EngineName, 'auto'>;
  available: boolean;
  /** Why not, and what helps. */
  reason: string | null;
}

export interface TrainingMethods {
  ping(argument: object): { rssMb: number };
  shutDown(argument: object): Promise<object>;
  /** Tries every execution provider once: here, because a driver that crashes must not take inspection with it. */
  engines(argument: object): Promise<EngineReport[]>;
  /** Runs to the end. @throws UserError as `trainModel`; `cancelled` */
  train(request: TrainingRequest): Promise<TrainingSummary>;
  /** Holds the students' training at the next step, or lets it go on. */
  pause(argument: { paused: boolean }): object;
  cancel(argument: object): object;
}

/** What the station answers to it. */
export interface TrainerNews {
  event(event: TrainingEvent): void;
}
