import type { MessagePort, TransferListItem } from 'node:worker_threads';
import { Worker } from 'node:worker_threads';
import { UserError } from '../../shared/errors.ts';
import { workerUrl } from './worker-url.ts';

interface Request {
  id: number;
  method: string;
  argument: unknown;
}

interface Failure {
  message: string;
  stack: string | undefined;
  user: { code: string; remedy: string | undefined } | undefined;
}

type Reply = { id: number; result: unknown } | { id: number; failure: Failure };

/** A result whose buffers move to the other thread instead of being copied. */
export class Transferred<T> {
  readonly value: T;
  readonly buffers: readonly ArrayBuffer[];

  constructor(value: T, buffers: readonly ArrayBuffer[]) {
    this.value = value;
    this.buffers = buffers;
  }
}

export type Methods = Readonly<Record<string, (argument: never) => unknown>>;

/** Answers calls that come in over a port, in their order, one at a time. */
export function serve(port: MessagePort, methods: Methods): void {
  let last: Promise<void> = Promise.resolve();
  port.on('message', ({ id, method, argument }: Request) => {
    last = last.then(async () => {
      try {
        const handler = methods[method] as ((argument: unknown) => unknown) | undefined;
        if (handler === undefined) throw new Error(`no method ${method}`);
        const result = await handler(argument);
        const [value, buffers] =
          result instanceof Transferred ? [result.value as unknown, result.buffers] : [result, []];
        port.postMessage({ id, result: value } satisfies Reply, [...buffers]);
      } catch (error) {
        port.postMessage({ id, failure: describeFailure(error) } satisfies Reply);
      }
    });
  });
}

function describeFailure(error: unknown): Failure {
  if (!(error instanceof Error)) return { message: String(error), stack: undefined, user: undefined };
  const user = error instanceof UserError ? { code: error.code, remedy: error.remedy } : undefined;
  return { message: error.message, stack: error.stack, user };
}

function revive({ message, stack, user }: Failure): Error {
  if (user !== undefined) {
    const what =
      user.remedy !== undefined && message.endsWith(` ${user.remedy}`)
        ? message.slice(0, -user.remedy.length - 1)
        : message;
    return new UserError(user.code, what, user.remedy);
  }
  const error = new Error(message);
  if (stack !== undefined) error.stack = stack;
  return error;
}

interface Waiting {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

/**
 * ONNX Runtime reads the process's command line by recursion when a session is made: with the usual 4 MB stack, some
 * 15 kB of arguments would end the process.
 */
const stackSizeMb = 32;

/** Calls into a worker thread. An idle worker does not keep the process alive. */
export class WorkerClient {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  #nextId = 0;
  #stopped: Error | undefined;

  constructor(worker: Worker) {
    this.#worker = worker;
    worker.unref();
    worker.on('message', (reply: Reply) => this.#settle(reply));
    worker.on('error', (error: unknown) => this.#stop(error instanceof Error ? error.message : String(error)));
    worker.on('exit', (code) => this.#stop(`exit code ${code}`));
  }

  /** Starts the worker whose entry is `main/runtime/<name>.entry.ts`. */
  static async start(name: string): Promise<WorkerClient> {
    return new WorkerClient(new Worker(await workerUrl(name), { resourceLimits: { stackSizeMb } }));
  }

  /**
   * @param transfer buffers that move to the worker; the caller can't use them afterwards
   * @throws UserError `workerStopped` if the worker ended before it answered
   */
  call<T>(method: string, argument: unknown, transfer: readonly TransferListItem[] = []): Promise<T> {
    if (this.#stopped !== undefined) return Promise.reject(this.#stopped);
    const id = this.#nextId++;
    return new Promise<T>((resolve, reject) => {
      this.#waiting.set(id, { resolve: (value) => resolve(value as T), reject });
      this.#worker.ref();
      this.#worker.postMessage({ id, method, argument } satisfies Request, [...transfer]);
    });
  }

  /** Ends the worker; calls that still wait are rejected. */
  async terminate(): Promise<void> {
    this.#stopped ??= new UserError('workerClosed', 'The compute worker was closed while work was waiting.');
    await this.#worker.terminate();
  }

  #settle(reply: Reply): void {
    const waiting = this.#waiting.get(reply.id);
    this.#waiting.delete(reply.id);
    if (this.#waiting.size === 0) this.#worker.unref();
    if ('failure' in reply) waiting?.reject(revive(reply.failure));
    else waiting?.resolve(reply.result);
  }

  #stop(why: string): void {
    this.#stopped ??= new UserError(
      'workerStopped',
      `The compute worker stopped unexpectedly (${why}).`,
      'Free memory or choose fewer threads, then try again; `twinspect doctor` shows what this machine has.',
    );
    for (const { reject } of this.#waiting.values()) reject(this.#stopped);
    this.#waiting.clear();
  }
}
