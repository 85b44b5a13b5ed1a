import { UserError } from '../../shared/errors.ts';

/** Methods that one side answers; each takes one argument that can be cloned. */
export type Methods<T> = { readonly [K in keyof T]: (argument: never) => unknown };

type ArgumentOf<F> = F extends (argument: infer A) => unknown ? A : never;
type ResultOf<F> = F extends (argument: never) => infer R ? Awaited<R> : never;

type Message =
  | { kind: 'call'; id: number; method: string; argument: unknown }
  | { kind: 'tell'; method: string; argument: unknown }
  | { kind: 'reply'; id: number; value: unknown }
  | { kind: 'failed'; id: number; failure: Failure };

interface Failure {
  message: string;
  stack: string | undefined;
  user: { code: string; remedy: string | undefined } | undefined;
}

interface Waiting {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

/**
 * Two processes that call each other. Calls run side by side, in the order in which they came; a `UserError` arrives
 * as one. `tell` expects no answer.
 */
export class Peer<Remote extends Methods<Remote>> {
  readonly #post: (message: unknown, ports?: readonly unknown[]) => void;
  readonly #local: Readonly<Record<string, (argument: never, ports: readonly unknown[]) => unknown>>;
  readonly #waiting = new Map<number, Waiting>();
  #nextId = 0;
  #closed: Error | undefined;

  /** @param local what this side answers; ports that came with a message are handed over as second argument */
  constructor(
    post: (message: unknown, ports?: readonly unknown[]) => void,
    local: Readonly<Record<string, (argument: never, ports: readonly unknown[]) => unknown>>,
  ) {
    this.#post = post;
    this.#local = local;
  }

  /** @throws what the other side threw; UserError `processStopped` when it ends before it answers */
  call<K extends keyof Remote & string>(method: K, argument: ArgumentOf<Remote[K]>): Promise<ResultOf<Remote[K]>> {
    if (this.#closed !== undefined) return Promise.reject(this.#closed);
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve: (value) => resolve(value as ResultOf<Remote[K]>), reject });
      this.#post({ kind: 'call', id, method, argument } satisfies Message);
    });
  }

  tell<K extends keyof Remote & string>(
    method: K,
    argument: ArgumentOf<Remote[K]>,
    ports: readonly unknown[] = [],
  ): void {
    if (this.#closed === undefined) this.#post({ kind: 'tell', method, argument } satisfies Message, ports);
  }

  /** To be called with every message that comes from the other side. */
  receive(message: unknown, ports: readonly unknown[] = []): void {
    if (!isMessage(message)) return;
    switch (message.kind) {
      case 'reply':
        this.#take(message.id)?.resolve(message.value);
        break;
      case 'failed':
        this.#take(message.id)?.reject(revive(message.failure));
        break;
      case 'tell':
        // Whoever tells doesn't wait for an answer, so a failure is the receiver's own to report.
        void this.#answer(message, ports).catch(() => undefined);
        break;
      case 'call': {
        const { id } = message;
        this.#answer(message, ports).then(
          (value) => this.#reply({ kind: 'reply', id, value }),
          (error: unknown) => this.#reply({ kind: 'failed', id, failure: describe(error) }),
        );
      }
    }
  }

  /** Rejects all calls that wait, and every later one. */
  close(why: string): void {
    this.#closed ??= new UserError('processStopped', `A process of the station stopped: ${why}.`);
    for (const { reject } of this.#waiting.values()) reject(this.#closed);
    this.#waiting.clear();
  }

  async #answer(
    { method, argument }: { method: string; argument: unknown },
    ports: readonly unknown[],
  ): Promise<unknown> {
    const handler = Object.hasOwn(this.#local, method) ? this.#local[method] : undefined;
    if (handler === undefined) throw new Error(`no method ${method}`);
    return (handler as (argument: unknown, ports: readonly unknown[]) => unknown)(argument, ports);
  }

  #reply(message: Message): void {
    if (this.#closed !== undefined) return;
    try {
      this.#post(message);
    } catch {
      // The other side is gone; its owner hears of that on its own.
    }
  }

  #take(id: number): Waiting | undefined {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    return waiting;
  }
}

function isMessage(value: unknown): value is Message {
  return (
    typeof value === 'object' &&
    value !== null &&
    'kind' in value &&
    ['call', 'tell', 'reply', 'failed'].includes(String(value.kind))
  );
}

function describe(error: unknown): Failure {
  if (!(error instanceof Error)) return { message: String(error), stack: undefined, user: undefined };
  const user = error instanceof UserError ? { code: error.code, remedy: error.remedy } : undefined;
  return { message: error.message, stack: error.stack, user };
}

function revive({ message, stack, user }: Failure): Error {
  if (user !== undefined) {
    const { code, remedy } = user;
    const tail = remedy === undefined ? '' : ` ${remedy}`;
    const what = tail !== '' && message.endsWith(tail) ? message.slice(0, -tail.length) : message;
    return new UserError(code, what, remedy);
  }
  const error = new Error(message);
  if (stack !== undefined) error.stack = stack;
  return error;
}
