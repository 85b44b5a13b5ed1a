import type { FeedState } from '../../shared/ipc/inspection.ts';
import type { StationCounters } from '../../shared/station/domain.ts';
import type { FeedFault, OpenedModel } from '../processes/inference-protocol.ts';

/** Latencies that median and percentile are taken of. */
const mostLatencies = 200;
/** After a verdict the feed still counts as judging for this long. */
const judgingTailMs = 1200;

export function noCounters(): StationCounters {
  return { presented: 0, pass: 0, fail: 0, review: 0, noDecision: 0, waitingForReview: 0 };
}

/** How a project's feed is, as the screens show it. */
export class RunState {
  readonly projectId: string;
  recipeId: string | null = null;
  modelId: string | null = null;
  counters: StationCounters = noCounters();
  skippedFrames = 0;
  /** Whether a person wants it to run. */
  wanted = false;
  lot: string;
  #up = false;
  #engine = '';
  #faults = new Map<string, FeedFault & { acknowledged: boolean }>();
  #inJudgement = new Set<number>();
  #lastVerdictMs = -Infinity;
  #latencies: number[] = [];
  #shown: FeedState['state'] = 'stopped';
  #since: string;

  /** @param lot that holds until a run begins */
  constructor(projectId: string, now: string, lot: string) {
    this.projectId = projectId;
    this.lot = lot;
    this.#since = now;
  }

  /** Forgets the run before. */
  begin(recipeId: string | null, modelId: string, lot: string): void {
    this.recipeId = recipeId;
    this.modelId = modelId;
    this.lot = lot;
    this.counters = noCounters();
    this.skippedFrames = 0;
    this.wanted = true;
    this.#up = false;
    this.#faults.clear();
    this.#inJudgement.clear();
    this.#latencies = [];
  }

  up(opened: OpenedModel): void {
    this.#up = true;
    this.#engine = opened.provider;
    this.modelId = opened.modelId;
  }

  down(): void {
    this.#up = false;
    this.#inJudgement.clear();
  }

  /** The run is over. @param forget also what went wrong */
  end(forget: boolean): void {
    this.wanted = false;
    this.down();
    if (forget) this.#faults.clear();
  }

  presented(partId: number, isNew: boolean): void {
    this.#inJudgement.add(partId);
    if (isNew) this.counters.presented += 1;
  }

  decided(partId: number, verdict: 'pass' | 'fail' | 'review' | 'noDecision', latencyMs: number): void {
    this.#inJudgement.delete(partId);
    this.counters[verdict] += 1;
    // Parts that a run before presented count where they are decided.
    const { pass, fail, review, noDecision } = this.counters;
    const known = pass + fail + review + noDecision + this.#inJudgement.size;
    this.counters.presented = Math.max(this.counters.presented, known);
    if (verdict === 'review') this.counters.waitingForReview += 1;
    this.#lastVerdictMs = Date.now();
    this.#latencies.push(latencyMs);
    if (this.#latencies.length > mostLatencies) this.#latencies.shift();
  }

  raise(fault: FeedFault): void {
    if (!this.#faults.has(fault.code)) this.#faults.set(fault.code, { ...fault, acknowledged: false });
  }

  clear(code: string): void {
    this.#faults.delete(code);
  }

  /** The process tells of one fault at a time. @param own codes that are the station's to clear */
  tell(fault: FeedFault | null, own: readonly string[]): void {
    for (const code of [...this.#faults.keys()]) {
      if (!own.includes(code) && code !== fault?.code) this.#faults.delete(code);
    }
    if (fault !== null) this.raise(fault);
  }

  acknowledge(): void {
    for (const fault of this.#faults.values()) fault.acknowledged = true;
  }

  get faults(): FeedFault[] {
    return [...this.#faults.values()].map(({ code, message, remedy }) => ({ code, message, remedy }));
  }

  /** Whether a process judges for it. */
  get isUp(): boolean {
    return this.#up;
  }

  /** Shows what had failed when the station ended. */
  restore(fault: FeedFault, since: string): void {
    this.raise(fault);
    this.#shown = 'fault';
    this.#since = since;
  }

  get inJudgement(): number {
    return this.#inJudgement.size;
  }

  show(now: string): FeedState {
    const state = this.#stateNow();
    if (state !== this.#shown) {
      this.#shown = state;
      this.#since = now;
    }
    const fault = [...this.#faults.values()].at(-1);
    return {
      projectId: this.projectId,
      recipeId: this.recipeId,
      state,
      wanted: this.wanted,
      since: this.#since,
      fault: fault ?? null,
      counters: { ...this.counters },
      lot: this.lot,
      skippedFrames: this.skippedFrames,
      modelId: this.modelId,
      engine: this.#engine,
      latencyMs: latencyOf(this.#latencies),
    };
  }

  /** Whether `show` will say something else by itself, soon. */
  get isSettling(): boolean {
    return this.#shown === 'judging';
  }

  #stateNow(): FeedState['state'] {
    if (this.#faults.size > 0) return 'fault';
    if (!this.wanted) return 'stopped';
    if (!this.#up) return 'starting';
    return this.#inJudgement.size > 0 || Date.now() - this.#lastVerdictMs < judgingTailMs ? 'judging' : 'waiting';
  }
}

function latencyOf(latencies: readonly number[]): FeedState['latencyMs'] {
  if (latencies.length === 0) return null;
  const sorted = [...latencies].sort((a, b) => a - b);
  const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!;
  return { median: at(0.5), p95: at(0.95) };
}
