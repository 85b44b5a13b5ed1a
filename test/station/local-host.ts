import { EventEmitter } from 'node:events';
import type { ModelUse, StationMethods } from '../../main/processes/inference-protocol.ts';
import type { LoadedModel } from '../../main/processes/inference/open-model.ts';
import { InferenceService } from '../../main/processes/inference/service.ts';
import type { ChildLike, ProcessHost } from '../../main/processes/child.ts';
import { Peer } from '../../main/processes/rpc.ts';
import { brightnessDetector } from '../cli/fakes.ts';

/** The judging process inside this one, with a detector that scores brightness: for what needs no process of its own. */
export class LocalHost implements ProcessHost {
  /** Set: opening a model fails with it. */
  refusal: Error | undefined;
  /** Class distance of a part, from its score. */
  distanceOf: (predScore: number) => number = () => 1;
  /** What a model makes of the brightness, times which its score is. */
  factorOf: (modelHash: string) => number = () => 1;
  /** How long a model takes to open. */
  openMs: () => number = () => 0;
  readonly opened: ModelUse[] = [];
  readonly #children: LocalChild[] = [];

  start(): ChildLike {
    const child = new LocalChild((use) => this.#open(use));
    this.#children.push(child);
    return child;
  }

  /** Ends the process in the midst of whatever it does, as a crash would. */
  crash(): void {
    for (const child of this.#children.splice(0)) child.kill();
  }

  async #open(use: ModelUse): Promise<LoadedModel> {
    if (this.refusal !== undefined) throw this.refusal;
    this.opened.push(use);
    if (this.openMs() > 0) await new Promise((done) => setTimeout(done, this.openMs()));
    const detector = brightnessDetector({ modelHash: use.modelHash, inputSize: 64 });
    return {
      use,
      detector: {
        ...detector,
        ...(use.unknownClass !== undefined && { unknownClass: use.unknownClass }),
        thresholdsFor: (name) => use.thresholds ?? detector.thresholdsFor(name),
        inspect: async (pictures) =>
          (await detector.inspect(pictures)).map((result) => ({
            ...result,
            predScore: result.predScore * this.factorOf(use.modelHash),
            classDistance: this.distanceOf(result.predScore),
          })),
      },
      opened: { modelId: use.modelId, provider: 'cpu', threads: use.threads, classes: [...detector.classes] },
      normalSha256: () => null,
    };
  }
}

class LocalChild extends EventEmitter implements ChildLike {
  readonly pid = undefined;
  readonly #inside: Peer<StationMethods>;
  #isAlive = true;

  constructor(open: (use: ModelUse) => Promise<LoadedModel>) {
    super();
    const local: Record<string, (argument: never, ports: readonly unknown[]) => unknown> = {};
    this.#inside = new Peer((message) => {
      const copy: unknown = structuredClone(message);
      queueMicrotask(() => this.emit('message', copy));
    }, local);
    const service = new InferenceService(this.#inside, () => this.kill(), open);
    Object.assign(local, service.methods);
  }

  postMessage(message: unknown, ports: readonly unknown[] = []): void {
    const copy: unknown = structuredClone(message);
    queueMicrotask(() => {
      if (this.#isAlive) this.#inside.receive(copy, ports);
    });
  }

  kill(): void {
    if (!this.#isAlive) return;
    this.#isAlive = false;
    this.#inside.close('it was killed');
    setTimeout(() => this.emit('exit', null), 0);
  }
}
