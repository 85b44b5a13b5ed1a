import { constants, setPriority } from 'node:os';
import { UserError } from '../../../shared/errors.ts';
import type { TrainingEngine } from '../../runtime/training-engine.ts';
import { openEngine } from '../../training/engines.ts';
import type { TrainingRequest, TrainingSummary } from '../../training/request.ts';
import { trainModel } from '../../training/run.ts';
import type { Peer } from '../rpc.ts';
import type { TrainerNews, TrainingMethods } from '../training-protocol.ts';

/** Holds work between two steps. */
class Gate {
  #open: Promise<void> = Promise.resolve();
  #release: (() => void) | undefined;

  set(paused: boolean): void {
    if (paused && this.#release === undefined) {
      this.#open = new Promise((resolve) => (this.#release = resolve));
    } else if (!paused) {
      this.#release?.();
      this.#release = undefined;
    }
  }

  pass(): Promise<void> {
    return this.#open;
  }
}

/** What the process that trains does: one run at a time, at the lowest priority. */
export class TrainingService {
  readonly #station: Peer<TrainerNews>;
  readonly #exit: () => void;
  readonly #gate = new Gate();
  #running: AbortController | undefined;

  constructor(station: Peer<TrainerNews>, exit: () => void) {
    this.#station = station;
    this.#exit = exit;
  }

  readonly methods = {
    ping: () => ({ rssMb: Math.round(process.memoryUsage.rss() / 2 ** 20) }),
    shutDown: () => {
      this.#cancel();
      setTimeout(this.#exit, 50);
      return Promise.resolve({});
    },
    engines: async () => {
      const { listProviders } = await import('../../runtime/providers.ts');
      return (await listProviders()).map(({ name, available, reason, remedy }) => ({
        name,
        available,
        reason: available ? null : [reason, remedy].filter((text) => text !== undefined).join('. '),
      }));
    },
    train: (request: TrainingRequest) => this.#train(request),
    pause: ({ paused }: { paused: boolean }) => {
      this.#gate.set(paused);
      return {};
    },
    cancel: () => {
      this.#cancel();
      return {};
    },
  } satisfies { [K in keyof TrainingMethods]: (argument: never) => unknown };

  async #train(request: TrainingRequest): Promise<TrainingSummary> {
    if (this.#running !== undefined) throw new UserError('trainingBusy', 'A training is running already.');
    const controller = new AbortController();
    this.#running = controller;
    yieldToInspection();
    try {
      return await trainModel(request, (event) => this.#station.tell('event', event), controller.signal, {
        openEngine: async (...given) => this.#gated(await openEngine(...given)),
      });
    } finally {
      this.#running = undefined;
    }
  }

  /** An engine that waits before each step while the run is paused. */
  #gated(engine: TrainingEngine): TrainingEngine {
    return {
      describe: () => engine.describe(),
      runSteps: async (inputs) => {
        await this.#gate.pass();
        return engine.runSteps(inputs);
      },
      readState: (names) => engine.readState(names),
      writeState: (state) => engine.writeState(state),
      close: () => engine.close(),
    };
  }

  #cancel(): void {
    this.#gate.set(false);
    this.#running?.abort(new UserError('cancelled', 'The training was cancelled.'));
  }
}

/** Threads that are made from now on only get what inspection leaves. */
function yieldToInspection(): void {
  try {
    setPriority(constants.priority.PRIORITY_LOW);
  } catch {
    // Not allowed here: the threads are still apart from those of inspection.
  }
}
