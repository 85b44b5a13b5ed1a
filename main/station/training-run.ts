import type { TrainingEvent, TrainingPhase } from '../../shared/training-events.ts';
import type { TrainingState, WatchedCurve } from '../../shared/ipc/training.ts';
import { placeOf } from './training-rates.ts';

/** Points of the loss curves that are kept; beyond, every second one goes. */
const mostLosses = 600;
const mostLog = 400;

/** A training run as the screens show it, fed by the events of the process. */
export class TrainingRun {
  readonly state: TrainingState;
  readonly #estimate: ReadonlyMap<TrainingPhase, number>;
  readonly #now: () => string;
  #phase: TrainingPhase = 'snapshot';
  #lossEvery = 1;
  #lossCount = 0;

  constructor(state: TrainingState, estimate: ReadonlyMap<TrainingPhase, number>, now: () => string) {
    this.state = state;
    this.#estimate = estimate;
    this.#now = now;
  }

  log(level: 'info' | 'warning' | 'error', message: string): void {
    this.state.log.push({ at: this.#now(), level, message: message.slice(0, 4000) });
    if (this.state.log.length > mostLog) this.state.log.splice(1, this.state.log.length - mostLog);
  }

  /** What the finished model makes of the labelled pictures. */
  finished(found: WatchedCurve['finished']): void {
    if (this.state.watched !== null) this.state.watched = { ...this.state.watched, finished: found };
  }

  hear(event: TrainingEvent): void {
    const { state } = this;
    switch (event.type) {
      case 'phase': {
        this.#phase = event.phase;
        state.phase = event.phase;
        state.message = event.message;
        const { beforeMs, ownMs, afterMs } = placeOf(this.#estimate, event.phase);
        this.#share(beforeMs, ownMs + afterMs);
        state.remainingMs = ownMs + afterMs;
        this.log('info', event.message);
        break;
      }
      case 'progress':
        this.#progress(event);
        break;
      case 'notice':
        this.log('info', event.message);
        break;
      case 'warning':
        this.log('warning', event.message);
        break;
      case 'watched': {
        const { part, step, auroc, good, defects } = event;
        state.watched ??= { off: null, good, defects, points: [], finished: null };
        // A run that goes on from a checkpoint looks at some steps again.
        const points = state.watched.points.filter((point) => point.part !== part || point.step < step);
        state.watched = { ...state.watched, good, defects, points: [...points, { part, step, auroc }] };
        break;
      }
      case 'phaseDone':
        break;
    }
  }

  #progress(event: Extract<TrainingEvent, { type: 'progress' }>): void {
    const { state } = this;
    const { beforeMs, ownMs, afterMs } = placeOf(this.#estimate, this.#phase);
    const done = event.total === 0 ? 1 : event.done / event.total;
    const ownLeftMs = event.remainingMs ?? ownMs * (1 - done);
    state.remainingMs = ownLeftMs + afterMs;
    this.#share(beforeMs + ownMs * done, ownMs * (1 - done) + afterMs);
    if (event.imagesPerSecond !== undefined) state.imagesPerSecond = event.imagesPerSecond;
    if (event.losses === undefined) return;
    this.#lossCount += 1;
    if (this.#lossCount % this.#lossEvery !== 0) return;
    state.losses.push({ step: event.done, ...event.losses });
    if (state.losses.length <= mostLosses) return;
    state.losses = state.losses.filter((_, i) => i % 2 === 0);
    this.#lossEvery *= 2;
  }

  /** Never goes back: an estimate that was wrong only makes it slower. */
  #share(doneMs: number, leftMs: number): void {
    const share = doneMs + leftMs === 0 ? 0 : doneMs / (doneMs + leftMs);
    this.state.share = Math.min(1, Math.max(this.state.share, share));
  }
}
