import type { PortLike } from './child.ts';

/** A message on one of the channels that a forked process is given; they share the process's own channel. */
export interface PortMessage {
  port: number;
  message?: unknown;
  closed?: true;
}

export function isPortMessage(value: unknown): value is PortMessage {
  return typeof value === 'object' && value !== null && 'port' in value && typeof value.port === 'number';
}

/** Message channels through a pipe: forked Node processes can't be handed ports. */
export class NodePorts {
  readonly #post: (message: unknown) => void;
  readonly #open = new Map<number, NodePort>();

  constructor(post: (message: unknown) => void) {
    this.#post = post;
  }

  /** The channel of that number, made at its first mention. */
  port(id: number): PortLike {
    const known = this.#open.get(id);
    if (known !== undefined) return known;
    const port = new NodePort((message) => {
      if (message === undefined) {
        this.#open.delete(id);
        this.#post({ port: id, closed: true } satisfies PortMessage);
      } else this.#post({ port: id, message: message.value } satisfies PortMessage);
    });
    this.#open.set(id, port);
    return port;
  }

  receive({ port: id, message, closed }: PortMessage): void {
    const port = this.#open.get(id);
    if (closed === true) {
      this.#open.delete(id);
      port?.end();
    } else port?.take(message);
  }

  /** The other side is gone. */
  endAll(): void {
    for (const port of this.#open.values()) port.end();
    this.#open.clear();
  }
}

/** @see PortLike */
class NodePort implements PortLike {
  readonly #send: (message: { value: unknown } | undefined) => void;
  readonly #early: unknown[] = [];
  #listener: ((message: unknown) => void) | undefined;
  #onClose: (() => void) | undefined;

  constructor(send: (message: { value: unknown } | undefined) => void) {
    this.#send = send;
  }

  postMessage(value: unknown): void {
    this.#send({ value });
  }

  onMessage(listener: (message: unknown) => void): void {
    this.#listener = listener;
    for (const message of this.#early.splice(0)) listener(message);
  }

  onClose(listener: () => void): void {
    this.#onClose = listener;
  }

  close(): void {
    this.#send(undefined);
  }

  take(message: unknown): void {
    if (this.#listener === undefined) this.#early.push(message);
    else this.#listener(message);
  }

  end(): void {
    this.#onClose?.();
  }
}
