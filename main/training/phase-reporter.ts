import type { StepLosses, TrainingEvent, TrainingPhase, WatchedEvent } from '../../shared/training-events.ts';

/** Shortest time between two progress events, so that a fast phase doesn't flood its listener. */
const progressEveryMs = 200;

/** Turns a run's course into training events, with times and an estimate of what is left. */
export class PhaseReporter {
  readonly #onEvent: (event: TrainingEvent) => void;
  readonly #finished: { phase: TrainingPhase; elapsedMs: number }[] = [];
  #phase: TrainingPhase | undefined;
  #startedAtMs = 0;
  #reportedAtMs = 0;

  constructor(onEvent: (event: TrainingEvent) => void) {
    this.#onEvent = onEvent;
  }

  /** Ends the phase before and starts the next. */
  begin(phase: TrainingPhase, message: string): void {
    this.#finish();
    this.#phase = phase;
    this.#startedAtMs = performance.now();
    this.#reportedAtMs = 0;
    this.#onEvent({ type: 'phase', phase, message });
  }

  /** @param perStep pictures that one unit of `done` stands for */
  progress(done: number, total: number, losses?: StepLosses, perStep = 1): void {
    const now = performance.now();
    if (this.#phase === undefined || (done < total && now - this.#reportedAtMs < progressEveryMs)) return;
    this.#reportedAtMs = now;
    const elapsedMs = now - this.#startedAtMs;
    const event: TrainingEvent = { type: 'progress', phase: this.#phase, done, total };
    if (losses !== undefined) event.losses = losses;
    if (done > 0 && elapsedMs > 0) {
      if (this.#phase !== 'memory') event.imagesPerSecond = (done * perStep * 1000) / elapsedMs;
      event.remainingMs = (elapsedMs / done) * (total - done);
    }
    this.#onEvent(event);
  }

  watched(found: WatchedEvent): void {
    this.#onEvent({ type: 'watched', ...found });
  }

  notice(message: string): void {
    this.#onEvent({ type: 'notice', message });
  }

  warn(message: string): void {
    this.#onEvent({ type: 'warning', message });
  }

  /** Ends the last phase. @returns all phases with their times */
  end(): { phase: TrainingPhase; elapsedMs: number }[] {
    this.#finish();
    this.#phase = undefined;
    return this.#finished;
  }

  #finish(): void {
    if (this.#phase === undefined) return;
    const elapsedMs = performance.now() - this.#startedAtMs;
    this.#finished.push({ phase: this.#phase, elapsedMs });
    this.#onEvent({ type: 'phaseDone', phase: this.#phase, elapsedMs });
  }
}
