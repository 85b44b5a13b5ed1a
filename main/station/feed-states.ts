import type { FeedState } from '../../shared/ipc/inspection.ts';
import type { StationContext } from './context.ts';
import { FaultBook } from './fault-book.ts';
import { lotOf } from './kept-lot.ts';
import { RunState } from './run-state.ts';

/** Between two words about a feed, unless its state changes. */
const tellEveryMs = 200;
/** A judging feed is looked at again after this: it may be waiting by then. */
const settleMs = 1500;

/** How all feeds are, told to the windows when something changes, and not more often than people can read. */
export class FeedStates {
  readonly #context: StationContext;
  readonly #runs = new Map<string, RunState>();
  readonly #pending = new Map<string, { timer: NodeJS.Timeout; dueMs: number }>();

  readonly #book: FaultBook;

  constructor(context: StationContext) {
    this.#context = context;
    this.#book = new FaultBook(context);
    for (const [projectId, { fault, since }] of this.#book.takeOver()) {
      if (context.store.projects.find(projectId) !== null) this.of(projectId).restore(fault, since);
    }
  }

  all(): Iterable<RunState> {
    return this.#runs.values();
  }

  of(projectId: string): RunState {
    let run = this.#runs.get(projectId);
    if (run === undefined) {
      run = new RunState(projectId, this.#context.now(), lotOf(this.#context, projectId, null));
      this.#runs.set(projectId, run);
    }
    return run;
  }

  show(projectId: string): FeedState {
    return this.of(projectId).show(this.#context.now());
  }

  tellNow(projectId: string): FeedState {
    clearTimeout(this.#pending.get(projectId)?.timer);
    this.#pending.delete(projectId);
    const run = this.of(projectId);
    this.#book.note(projectId, run.recipeId ?? projectId, run.faults);
    const feed = this.show(projectId);
    this.#context.emit({ type: 'feed', feed });
    if (run.isSettling) this.tellSoon(projectId, settleMs);
    return feed;
  }

  /** What went wrong before is done with: a new run begins. */
  forget(projectId: string): void {
    this.#book.forget(projectId);
  }

  seen(projectId: string): void {
    this.#book.seen(projectId);
  }

  tellSoon(projectId: string, afterMs = tellEveryMs): void {
    const dueMs = Date.now() + afterMs;
    const pending = this.#pending.get(projectId);
    if (pending !== undefined && pending.dueMs <= dueMs) return;
    clearTimeout(pending?.timer);
    const timer = setTimeout(() => this.tellNow(projectId), afterMs);
    timer.unref();
    this.#pending.set(projectId, { timer, dueMs });
  }

  close(): void {
    for (const { timer } of this.#pending.values()) clearTimeout(timer);
    this.#pending.clear();
    for (const run of this.#runs.values()) run.wanted = false;
  }
}
