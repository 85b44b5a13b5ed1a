import type { SessionDescription, SessionOptions, TensorData } from './ort-session.ts';
import { openOrtSession, runOrtSession } from './ort-session.ts';
import { WorkerClient } from './rpc.ts';

export type { SessionDescription, SessionOptions, TensorData, TensorDtype } from './ort-session.ts';

/** An open ONNX model. Calls on one session run one after the other. */
export interface GraphSession {
  readonly description: SessionDescription;
  /**
   * Runs the model once.
   *
   * @param feeds   one tensor per input; the data stay the caller's
   * @param fetches outputs wanted; all when left out
   */
  run(feeds: Readonly<Record<string, TensorData>>, fetches?: readonly string[]): Promise<Record<string, TensorData>>;
  /** Gives the model's memory back. */
  close(): Promise<void>;
}

/**
 * A thread of its own for ONNX sessions, because a run blocks the thread it is called on. Several sessions may share
 * one; they then take turns.
 */
export class SessionWorker {
  readonly #client: WorkerClient;

  private constructor(client: WorkerClient) {
    this.#client = client;
  }

  static async start(): Promise<SessionWorker> {
    return new SessionWorker(await WorkerClient.start('session-worker'));
  }

  /**
   * @param model bytes of a model (they are copied), or the path of one
   * @throws UserError for an absent provider, a model that can't be opened, or a worker that stopped
   */
  async open(model: Uint8Array | string, options: SessionOptions = {}): Promise<GraphSession> {
    const client = this.#client;
    const opened = await client.call<{ session: number; description: SessionDescription }>('open', { model, options });
    const { session, description } = opened;
    return {
      description,
      run: (feeds, fetches) => client.call('run', { session, feeds, fetches }),
      close: () => client.call('close', { session }),
    };
  }

  /** Ends the thread with all its sessions; runs that still wait are rejected. */
  close(): Promise<void> {
    return this.#client.close();
  }
}

/** Opens a model in a worker thread of its own; closing the session ends the thread. */
export async function openSession(model: Uint8Array | string, options: SessionOptions = {}): Promise<GraphSession> {
  const worker = await SessionWorker.start();
  try {
    const session = await worker.open(model, options);
    return { ...session, close: () => worker.close() };
  } catch (error) {
    await worker.close();
    throw error;
  }
}

/** Opens a model in this thread: the lowest latency, but `run` blocks everything else meanwhile. */
export async function openSessionInline(
  model: Uint8Array | string,
  options: SessionOptions = {},
): Promise<GraphSession> {
  const opened = await openOrtSession(model, options);
  return {
    description: opened.description,
    run: (feeds, fetches) => runOrtSession(opened, feeds, fetches),
    close: () => opened.session.release(),
  };
}
