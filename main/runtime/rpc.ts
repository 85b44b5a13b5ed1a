import type { MessagePort, TransferListItem } from 'node:worker_threads';
import { Worker, workerData } from 'node:worker_threads';
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

/** What a worker is started with: `[0]` turns 1 when it is to leave, which it must see before its next call. */
interface WorkerStart {
  leaving: Int32Array<SharedArrayBuffer>;
}

/** Wakes a worker that has nothing to do, so that it sees that it is to leave. */
const leave = 'leave';

/**
 * Answers calls that come in over a port, in their order, one at a time. When its client closes it, the thread ends
 * itself between two calls.
 */
export function serve(port: MessagePort, methods: Methods): void {
  const { leaving } = workerData as WorkerStart;
  let last: Promise<void> = Promise.resolve();
  port.on('message', (message: Request | typeof leave) => {
    last = last.then(async () => {
      if (message === leave || Atomics.load(leaving, 0) === 1) process.exit();
      const { id, method, argument } = message;
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

/** Those that have not ended yet. */
const living = new Set<WorkerClient>();

/**
 * Closes every worker of this process: what `process.exit` needs before it. A thread that is stopped from outside while
 * ONNX Runtime computes ends the whole process by an abort (its binding can't throw into a thread that is being stopped).
 *
 * @param withinMs how long running calls may take to end
 */
export async function closeWorkers(withinMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, withinMs)));
  await Promise.race([Promise.all([...living].map((client) => client.close())), late]);
  clearTimeout(timer);
}

/** Calls into a worker thread. An idle worker does not keep the process alive. */
export class WorkerClient {
  readonly #worker: Worker;
  readonly #leaving: Int32Array<SharedArrayBuffer>;
  readonly #waiting = new Map<number, Waiting>();
  readonly #ended: Promise<void>;
  #nextId = 0;
  #stopped: Error | undefined;
  #closing = false;

  /** @param leaving what the worker was started with */
  constructor(worker: Worker, leaving = new Int32Array(new SharedArrayBuffer(4))) {
    this.#worker = worker;
    this.#leaving = leaving;
    living.add(this);
    worker.unref();
    worker.on('message', (reply: Reply) => this.#settle(reply));
    worker.on('error', (error: unknown) => this.#stop(error instanceof Error ? error.message : String(error)));
    this.#ended = new Promise((resolve) => {
      worker.on('exit', (code) => {
        living.delete(this);
        this.#stop(`exit code ${code}`);
        resolve();
      });
    });
  }

  /** Starts the worker whose entry is `main/runtime/<name>.entry.ts`. */
  static async start(name: string): Promise<WorkerClient> {
    const start: WorkerStart = { leaving: new Int32Array(new SharedArrayBuffer(4)) };
    const worker = new Worker(await workerUrl(name), { resourceLimits: { stackSizeMb }, workerData: start });
    return new WorkerClient(worker, start.leaving);
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

  /** Ends the worker as soon as the call that it computes has ended; calls that still wait are rejected at once. */
  async close(): Promise<void> {
    this.#closing = true;
    this.#stop('closed');
    Atomics.store(this.#leaving, 0, 1);
    this.#worker.ref();
    this.#worker.postMessage(leave);
    await this.#ended;
  }

  /** Stops the worker in the middle of a call, which is rejected. Only for plain JavaScript: see `closeWorkers`. */
  async terminate(): Promise<void> {
    this.#closing = true;
    this.#stop('closed');
    await this.#worker.terminate();
  }

  #settle(reply: Reply): void {
    const waiting = this.#waiting.get(reply.id);
    this.#waiting.delete(reply.id);
    if (this.#waiting.size === 0 && !this.#closing) this.#worker.unref();
    if ('failure' in reply) waiting?.reject(revive(reply.failure));
    else waiting?.resolve(reply.result);
  }

  #stop(why: string): void {
    this.#stopped ??= this.#closing
      ? new UserError('workerClosed', 'The compute worker was closed while work was waiting.')
      : new UserError(
          'workerStopped',
          `The compute worker stopped unexpectedly (${why}).`,
          'Free memory or choose fewer threads, then try again; `twinspect doctor` shows what this machine has.',
        );
    for (const { reject } of this.#waiting.values()) reject(this.#stopped);
    this.#waiting.clear();
  }
}
