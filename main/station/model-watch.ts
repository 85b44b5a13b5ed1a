import { existsSync } from 'node:fs';
import type { StationContext } from './context.ts';
import { modelToRollBackTo } from './model-use.ts';

const everyMs = 5000;

/** Says when the package of a model that judges is gone: it goes on from memory, but would not survive the next start. */
export class ModelWatch {
  readonly #context: StationContext;
  /** Models whose file is gone, by their notice. */
  readonly #missing = new Set<string>();
  readonly #timer: NodeJS.Timeout;

  /** @param inUse models that judge now */
  constructor(context: StationContext, inUse: () => Iterable<string>) {
    this.#context = context;
    this.#timer = setInterval(() => {
      for (const modelId of inUse()) this.look(modelId);
    }, everyMs);
    this.#timer.unref();
  }

  look(modelId: string): void {
    const { store, emit, now } = this.#context;
    const id = `model-file-${modelId}`;
    const isThere = existsSync(store.models.path(modelId));
    if (isThere === !this.#missing.has(id)) return;
    if (isThere) {
      this.#missing.delete(id);
      store.notices.clear(id);
      return;
    }
    this.#missing.add(id);
    const previous = modelToRollBackTo(this.#context, store.models.get(modelId).projectId);
    const back = previous === undefined ? '' : `, or roll back to model v${String(previous.version)}`;
    const message =
      'The file of the active model was deleted. The station goes on judging with the copy in its memory until it is ' +
      `stopped: train or import a model before that${back}.`;
    store.notices.set({ id, level: 'fault', message, at: now() });
    emit({ type: 'notice', id, message, level: 'fault' });
  }

  close(): void {
    clearInterval(this.#timer);
  }
}
