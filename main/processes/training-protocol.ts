/** What the station and the process that trains say to each other. */
import type { TrainingEvent } from '../../shared/training-events.ts';
import type { TrainingRequest, TrainingSummary } from '../training/request.ts';

export interface TrainingMethods {
  ping(argument: object): { rssMb: number };
  shutDown(argument: object): Promise<object>;
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
