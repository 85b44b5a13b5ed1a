import { compareShadow } from '../../shared/calibration/shadow.ts';
import { UserError } from '../../shared/errors.ts';
import type { ChannelInput } from '../../shared/ipc/contract.ts';
import type { ShadowState } from '../../shared/ipc/training.ts';
import type { Caller, HandlersOf } from '../ipc/handler.ts';
import type { InferenceMethods, ModelUse, ShadowNews } from '../processes/inference-protocol.ts';
import type { Peer } from '../processes/rpc.ts';
import { systemCaller } from '../store/types.ts';
import type { StationModel } from '../../shared/station/domain.ts';
import { record } from './audit-trail.ts';
import type { StationContext } from './context.ts';
import { add, type Shadow, ShadowFile, type ShadowLine } from './shadow-file.ts';
import { endsAt, isOver, type LineTimes, showShadow, spreadOf } from './shadow-state.ts';

/** Between two words to the windows about a comparison. */
const tellEveryMs = 1000;
/** A timer may not be set for longer; it's set again then. */
const longestTimerMs = 3_600_000;
/** Parts of the line whose times say something about its 95th percentile. */
const fewestTimes = 40;
const mostTimes = 500;

export type ShadowHandlers = Pick<
  HandlersOf<'models'>,
  'models.shadowStart' | 'models.shadowState' | 'models.shadowStop'
>;

export interface ShadowParts {
  use: (model: StationModel) => ModelUse;
  /** The process that judges, while it's up. */
  peer: () => Peer<InferenceMethods> | undefined;
  /** How a project's line runs now. */
  line: (projectId: string) => LineTimes;
}

/**
 * Lets a candidate judge beside the active model, part by part, and says where they differ. One comparison per project; it
 * lies in a file of its own, so it outlives a crash of the process that judges and of the station. Nothing of it reaches
 * the line.
 */
export class ShadowMode {
  readonly #context: StationContext;
  readonly #parts: ShadowParts;
  readonly #file: ShadowFile;
  readonly #shadows = new Map<string, Shadow | null>();
  /** Latencies of the line while a candidate judges beside it, newest last. */
  readonly #lineMs = new Map<string, number[]>();
  readonly #endTimers = new Map<string, NodeJS.Timeout>();
  readonly #tellTimers = new Map<string, NodeJS.Timeout>();

  constructor(context: StationContext, parts: ShadowParts) {
    this.#context = context;
    this.#parts = parts;
    this.#file = new ShadowFile(context.folder);
  }

  readonly handlers: ShadowHandlers = {
    'models.shadowStart': (plan, caller) => this.#start(plan, caller),
    'models.shadowState': ({ projectId }) => this.#show(projectId),
    'models.shadowStop': async ({ projectId }, caller) => {
      const shadow = this.#of(projectId);
      if (shadow?.state === 'running') await this.#end(projectId, shadow, 'stopped', caller);
      return this.#show(projectId);
    },
  };

  /** Takes up what was going on when the station stopped. Call once, at start. */
  recover(): void {
    for (const { id } of this.#context.store.projects.list()) this.#of(id);
  }

  /** A run began or its model changed: the candidate goes on beside it, unless the model it's compared with is gone. */
  async resume(projectId: string, peer: Peer<InferenceMethods>): Promise<void> {
    const shadow = this.#of(projectId);
    if (shadow?.state !== 'running') return;
    const { store } = this.#context;
    const candidate = store.models.find(shadow.head.modelId);
    if (candidate === null || store.models.active(projectId)?.id !== shadow.head.activeModelId) {
      await this.#end(projectId, shadow, 'stopped', systemCaller);
      return;
    }
    await peer.call('startShadow', { projectId, model: { ...this.#parts.use(candidate), threads: 1 } });
  }

  take({ projectId, modelId, activeModelId, partId, className, at, ...news }: ShadowNews): void {
    const shadow = this.#of(projectId);
    if (shadow?.state !== 'running') return;
    if (shadow.head.modelId !== modelId || shadow.head.activeModelId !== activeModelId) return;
    const scored = ({ predScore, verdict }: ShadowNews['active']) => ({ predScore: predScore ?? NaN, verdict });
    const part = { id: String(partId), className, at, active: scored(news.active), candidate: scored(news.candidate) };
    const { skipped, candidateMs } = news;
    this.#add(projectId, shadow, { part, skipped: shadow.skipped + skipped, candidateMs });
    if (isOver(shadow, this.#context.now())) this.#complete(projectId, shadow);
    else this.#tellSoon(projectId, shadow.parts.length);
  }

  /** A part of the line has its verdict: whether the candidate slows it is looked at. @param latencyMs the line's own */
  timed(projectId: string, latencyMs: number): void {
    const shadow = this.#of(projectId);
    if (shadow?.state !== 'running') return;
    const times = [...(this.#lineMs.get(projectId) ?? []), latencyMs].slice(-mostTimes);
    this.#lineMs.set(projectId, times);
    if (shadow.isSlow || times.length < fewestTimes || times.length % 10 !== 0) return;
    const { cycleTimeMs } = this.#parts.line(projectId);
    const { p95 } = spreadOf(times)!;
    if (cycleTimeMs === null || p95 <= cycleTimeMs) return;
    this.#add(projectId, shadow, { slow: true });
    const ms = (value: number): string => String(Math.round(value));
    const message =
      `While a candidate judges beside the active model, the line takes ${ms(p95)} ms for 95 % of parts, ` +
      `longer than its cycle time of ${ms(cycleTimeMs)} ms. Stop the comparison where parts wait.`;
    this.#context.emit({ type: 'notice', id: `shadow-slow-${projectId}`, message, level: 'warning' });
    this.#tell(projectId);
  }

  close(): void {
    for (const timer of [...this.#endTimers.values(), ...this.#tellTimers.values()]) clearTimeout(timer);
    this.#endTimers.clear();
    this.#tellTimers.clear();
  }

  async #start({ modelId, parts, hours }: ChannelInput<'models.shadowStart'>, caller: Caller): Promise<ShadowState> {
    const { store, now } = this.#context;
    const candidate = store.models.get(modelId);
    const { projectId } = candidate;
    const active = store.models.active(projectId);
    if (active === null || active.id === modelId) {
      throw new UserError('shadowNotBeside', 'There is no other model that judges.', 'Activate one, or take another.');
    }
    if (parts === null && hours === null) {
      throw new UserError('shadowEndless', 'The comparison has no end.', 'Say after how many parts or hours it ends.');
    }
    const before = this.#of(projectId);
    if (before?.state === 'running') await this.#end(projectId, before, 'stopped', caller);
    const lineBefore = this.#parts.line(projectId).latencyMs;
    const head = { modelId, activeModelId: active.id, parts, hours, startedAt: now(), lineBefore };
    const shadow = this.#file.begin(projectId, head);
    this.#shadows.set(projectId, shadow);
    this.#lineMs.delete(projectId);
    this.#arm(projectId, shadow);
    const details = { projectId, version: candidate.version, beside: active.modelHash, parts, hours };
    record(this.#context, caller, 'model.shadowStarted', candidate.modelHash, details);
    try {
      const model = { ...this.#parts.use(candidate), threads: 1 };
      await this.#parts.peer()?.call('startShadow', { projectId, model });
    } catch (error) {
      // Without a run it begins with the next one.
      if (!(error instanceof UserError && ['feedStopped', 'processStopped'].includes(error.code))) {
        await this.#end(projectId, shadow, 'stopped', systemCaller);
        throw error;
      }
    }
    this.#tell(projectId);
    return this.#state(projectId, shadow);
  }

  #complete(projectId: string, shadow: Shadow): void {
    void this.#end(projectId, shadow, 'complete', systemCaller).catch(() => undefined);
  }

  async #end(projectId: string, shadow: Shadow, state: Shadow['state'], caller: Caller): Promise<void> {
    clearTimeout(this.#endTimers.get(projectId));
    this.#add(projectId, shadow, { state });
    const { store, emit } = this.#context;
    const { n, disagreement, statements } = compareShadow(shadow.parts);
    const model = store.models.find(shadow.head.modelId);
    record(this.#context, caller, 'model.shadowEnded', model?.modelHash ?? shadow.head.modelId, {
      projectId,
      state,
      parts: n,
      disagreements: disagreement.count,
    });
    emit({ type: 'models', projectId });
    this.#tell(projectId);
    if (state === 'complete') {
      const message = [`Model v${String(model?.version ?? '?')} has judged beside the active one.`]
        .concat(statements.map(({ text }) => text))
        .join(' ');
      emit({ type: 'notice', id: `shadow-${projectId}`, message, level: 'info' });
    }
    await this.#parts
      .peer()
      ?.call('stopShadow', { projectId })
      .catch(() => undefined);
  }

  #show(projectId: string): ShadowState | null {
    const shadow = this.#of(projectId);
    return shadow === null ? null : this.#state(projectId, shadow);
  }

  #state(projectId: string, shadow: Shadow): ShadowState {
    const during = this.#lineMs.get(projectId) ?? [];
    return showShadow(this.#context.store, projectId, shadow, { now: this.#parts.line(projectId), during });
  }

  #of(projectId: string): Shadow | null {
    const known = this.#shadows.get(projectId);
    if (known !== undefined) return known;
    const shadow = this.#file.read(projectId);
    this.#shadows.set(projectId, shadow);
    if (shadow?.state === 'running') this.#arm(projectId, shadow);
    return shadow;
  }

  #add(projectId: string, shadow: Shadow, line: ShadowLine): void {
    add(shadow, line);
    this.#file.append(projectId, line);
  }

  /** The hours end also while no part comes, and while the station was off. */
  #arm(projectId: string, shadow: Shadow): void {
    clearTimeout(this.#endTimers.get(projectId));
    const end = endsAt(shadow);
    if (end === null) return;
    const leftMs = Date.parse(end) - Date.parse(this.#context.now());
    const timer = setTimeout(
      () => {
        if (shadow.state !== 'running') return;
        if (isOver(shadow, this.#context.now())) this.#complete(projectId, shadow);
        else this.#arm(projectId, shadow);
      },
      Math.min(longestTimerMs, Math.max(0, leftMs)),
    );
    timer.unref();
    this.#endTimers.set(projectId, timer);
  }

  #tell(projectId: string): void {
    clearTimeout(this.#tellTimers.get(projectId));
    this.#tellTimers.delete(projectId);
    this.#context.emit({ type: 'shadow', projectId });
  }

  /** @param parts the more there are, the longer it takes to put them together, and the less one more of them says */
  #tellSoon(projectId: string, parts: number): void {
    if (this.#tellTimers.has(projectId)) return;
    const timer = setTimeout(() => this.#tell(projectId), Math.max(tellEveryMs, parts / 10));
    timer.unref();
    this.#tellTimers.set(projectId, timer);
  }
}
