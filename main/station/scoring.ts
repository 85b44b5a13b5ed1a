import type { StationModel } from '../../shared/station/domain.ts';
import type { InferenceMethods, ModelUse, ScoredPicture } from '../processes/inference-protocol.ts';
import type { Supervisor } from '../processes/supervisor.ts';
import type { StationContext } from './context.ts';
import { modelUse } from './model-use.ts';
import { readSettings } from './settings.ts';

/** Scores of pictures beside all feeds, by the process that judges. */
export class Scoring {
  readonly #context: StationContext;
  readonly #supervisor: () => Supervisor<InferenceMethods>;
  readonly #threads: number;
  readonly #onProgress = new Map<string, (done: number, total: number) => void>();

  constructor(context: StationContext, supervisor: () => Supervisor<InferenceMethods>, threads: number) {
    this.#context = context;
    this.#supervisor = supervisor;
    this.#threads = threads;
  }

  /** Scores pictures with a model of the project. @throws UserError as `openDetector` */
  score(
    model: StationModel,
    pictures: readonly { sha256: string; path: string }[],
    onProgress?: (done: number, total: number) => void,
  ): Promise<ScoredPicture[]> {
    const use = modelUse(this.#context, model, this.#threads);
    return this.scoreWith(use, pictures, onProgress);
  }

  /** The same with a package that is no model of the project yet. */
  async scoreWith(
    model: Pick<ModelUse, 'modelId' | 'path' | 'modelHash' | 'thresholds' | 'geometry'>,
    pictures: readonly { sha256: string; path: string }[],
    onProgress: (done: number, total: number) => void = () => undefined,
  ): Promise<ScoredPicture[]> {
    if (pictures.length === 0) return [];
    this.#onProgress.set(model.modelId, onProgress);
    try {
      const peer = await this.#supervisor().peer();
      return await peer.call('score', {
        model: { ...model, engine: readSettings(this.#context).engine, threads: this.#threads },
        pictures: pictures.map(({ sha256, path }) => ({ sha256, path })),
      });
    } finally {
      this.#onProgress.delete(model.modelId);
    }
  }

  /** Whoever waits for the scores of this model gets the error `cancelled`. */
  async cancel(modelId: string): Promise<void> {
    await this.#supervisor().current?.call('cancelScoring', { modelId });
  }

  /** The process tells how far it is. */
  hear({ modelId, done, total }: { modelId: string; done: number; total: number }): void {
    this.#onProgress.get(modelId)?.(done, total);
  }
}
