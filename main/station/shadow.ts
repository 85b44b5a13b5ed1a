import { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { compareShadow, type ShadowPart } from '../../shared/calibration/shadow.ts';
import { UserError } from '../../shared/errors.ts';
import { shadowState, type ShadowState } from '../../shared/ipc/training.ts';
import type { Caller, HandlersOf } from '../ipc/handler.ts';
import type { InferenceMethods, ModelUse, ShadowNews } from '../processes/inference-protocol.ts';
import type { Peer } from '../processes/rpc.ts';
import { systemCaller } from '../store/types.ts';
import type { StationModel } from '../../shared/station/domain.ts';
import { record } from './audit-trail.ts';
import type { StationContext } from './context.ts';

/** What a comparison is about; the first line of its file. */
interface ShadowHead {
  modelId: string;
  activeModelId: string;
  /** Parts after which it's over. */
  planned: number;
  startedAt: string;
}

interface Shadow {
  head: ShadowHead;
  state: ShadowState['state'];
  parts: ShadowPart[];
  skipped: number;
}

/** One line of its file after the first. */
type ShadowLine = { part: ShadowPart; skipped: number } | { state: ShadowState['state'] };

/** Disagreements that a window is told of. */
const mostShown = 200;

export type ShadowHandlers = Pick<
  HandlersOf<'models'>,
  'models.shadowStart' | 'models.shadowState' | 'models.shadowStop'
>;

/**
 * Lets a candidate judge beside the active model, part by part, and says where they differ. One comparison per project; it
 * lies in a file of its own (`shadow/PROJECT.jsonl`), so it outlives a crash. Nothing of it reaches the line.
 */
export class ShadowMode {
  readonly #context: StationContext;
  readonly #use: (model: StationModel) => ModelUse;
  readonly #peer: () => Peer<InferenceMethods> | undefined;
  readonly #shadows = new Map<string, Shadow | null>();

  /** @param peer the process that judges, while it's up */
  constructor(
    context: StationContext,
    use: (model: StationModel) => ModelUse,
    peer: () => Peer<InferenceMethods> | undefined,
  ) {
    this.#context = context;
    this.#use = use;
    this.#peer = peer;
  }

  readonly handlers: ShadowHandlers = {
    'models.shadowStart': ({ modelId, parts }, caller) => this.#start(modelId, parts, caller),
    'models.shadowState': ({ projectId }) => this.#show(projectId),
    'models.shadowStop': async ({ projectId }, caller) => {
      const shadow = this.#of(projectId);
      if (shadow?.state === 'running') await this.#end(projectId, shadow, 'stopped', caller);
      return this.#show(projectId);
    },
  };

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
    await peer.call('startShadow', { projectId, model: { ...this.#use(candidate), threads: 1 } });
  }

  take({ projectId, modelId, activeModelId, partId, candidate, active, className, at, skipped }: ShadowNews): void {
    const shadow = this.#of(projectId);
    if (shadow?.state !== 'running') return;
    if (shadow.head.modelId !== modelId || shadow.head.activeModelId !== activeModelId) return;
    const scored = ({ predScore, verdict }: ShadowNews['active']) => ({ predScore: predScore ?? NaN, verdict });
    const part = { id: String(partId), className, at, active: scored(active), candidate: scored(candidate) };
    shadow.parts.push(part);
    shadow.skipped = skipped;
    this.#append(projectId, { part, skipped });
    if (shadow.parts.length >= shadow.head.planned) {
      void this.#end(projectId, shadow, 'complete', systemCaller).catch(() => undefined);
    }
  }

  async #start(modelId: string, planned: number, caller: Caller): Promise<ShadowState> {
    const { store, folder, now } = this.#context;
    const candidate = store.models.get(modelId);
    const { projectId } = candidate;
    const active = store.models.active(projectId);
    if (active === null || active.id === modelId) {
      throw new UserError('shadowNotBeside', 'There is no other model that judges.', 'Activate one, or take another.');
    }
    const before = this.#of(projectId);
    if (before?.state === 'running') await this.#end(projectId, before, 'stopped', caller);
    const head = { modelId, activeModelId: active.id, planned, startedAt: now() };
    mkdirSync(path.join(folder, 'shadow'), { recursive: true });
    writeFileSync(this.#file(projectId), `${JSON.stringify(head)}\n`);
    const shadow: Shadow = { head, state: 'running', parts: [], skipped: 0 };
    this.#shadows.set(projectId, shadow);
    const details = { projectId, version: candidate.version, beside: active.modelHash, parts: planned };
    record(this.#context, caller, 'model.shadowStarted', candidate.modelHash, details);
    try {
      await this.#peer()?.call('startShadow', { projectId, model: { ...this.#use(candidate), threads: 1 } });
    } catch (error) {
      // Without a run it begins with the next one.
      if (!(error instanceof UserError && ['feedStopped', 'processStopped'].includes(error.code))) {
        await this.#end(projectId, shadow, 'stopped', systemCaller);
        throw error;
      }
    }
    return this.#state(projectId, shadow);
  }

  async #end(projectId: string, shadow: Shadow, state: ShadowState['state'], caller: Caller): Promise<void> {
    shadow.state = state;
    this.#append(projectId, { state });
    const { store, emit } = this.#context;
    const { n, disagreement, statements } = compareShadow(shadow.parts, { parts: shadow.head.planned });
    const model = store.models.find(shadow.head.modelId);
    record(this.#context, caller, 'model.shadowEnded', model?.modelHash ?? shadow.head.modelId, {
      projectId,
      state,
      parts: n,
      disagreements: disagreement.count,
    });
    emit({ type: 'models', projectId });
    if (state === 'complete') {
      const message = [`Model v${String(model?.version ?? '?')} has judged beside the active one.`]
        .concat(statements.map(({ text }) => text))
        .join(' ');
      emit({ type: 'notice', id: `shadow-${projectId}`, message, level: 'info' });
    }
    await this.#peer()
      ?.call('stopShadow', { projectId })
      .catch(() => undefined);
  }

  #show(projectId: string): ShadowState | null {
    const shadow = this.#of(projectId);
    return shadow === null ? null : this.#state(projectId, shadow);
  }

  #state(projectId: string, { head, state, parts, skipped }: Shadow): ShadowState {
    const { modelId, activeModelId, planned, startedAt } = head;
    const compared = compareShadow(parts, { parts: planned });
    const { n, agreeing, disagreement, newlyRejected, newlyAccepted, reviews, statements } = compared;
    const shown = ({ predScore, verdict }: ShadowPart['active']) => ({
      predScore: Number.isFinite(predScore) ? predScore : null,
      verdict,
    });
    return shadowState.parse({
      projectId,
      modelId,
      activeModelId,
      state,
      startedAt,
      planned,
      judged: n,
      skipped,
      agreeing,
      disagreementRate: disagreement.interval,
      newlyRejected,
      newlyAccepted,
      reviews,
      disagreements: compared.disagreements.slice(0, mostShown).map(({ id, className, at, active, candidate }) => ({
        partId: Number(id),
        className,
        at,
        active: shown(active),
        candidate: shown(candidate),
      })),
      statements: statements.map(({ text }) => text),
    });
  }

  #of(projectId: string): Shadow | null {
    const known = this.#shadows.get(projectId);
    if (known !== undefined) return known;
    const shadow = this.#read(this.#file(projectId));
    this.#shadows.set(projectId, shadow);
    return shadow;
  }

  #read(file: string): Shadow | null {
    if (!existsSync(file)) return null;
    const shadow: Shadow = {
      head: { modelId: '', activeModelId: '', planned: 1, startedAt: '' },
      state: 'running',
      parts: [],
      skipped: 0,
    };
    try {
      const [head, ...lines] = readFileSync(file, 'utf8').split('\n');
      shadow.head = JSON.parse(head ?? '') as ShadowHead;
      for (const text of lines) {
        const line = JSON.parse(text) as ShadowLine;
        if ('state' in line) shadow.state = line.state;
        else {
          shadow.parts.push(line.part);
          shadow.skipped = line.skipped;
        }
      }
    } catch {
      // The last line, torn by a stop: what stands before it counts.
    }
    return shadow.head.modelId === '' ? null : shadow;
  }

  #append(projectId: string, line: ShadowLine): void {
    try {
      appendFileSync(this.#file(projectId), `${JSON.stringify(line)}\n`);
    } catch {
      // A full disk must not stop the line for a comparison; it goes on in memory.
    }
  }

  #file(projectId: string): string {
    return path.join(this.#context.folder, 'shadow', `${projectId}.jsonl`);
  }
}
