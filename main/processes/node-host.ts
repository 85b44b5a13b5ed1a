import { fork, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { MessagePort } from 'node:worker_threads';
import type { ChildLike, ProcessHost } from './child.ts';
import { isPortMessage, NodePorts } from './node-ports.ts';

/** Starts the station's processes as forked Node processes: for tests, benchmarks and servers without a window. */
export class NodeHost implements ProcessHost {
  readonly #env: Record<string, string>;

  /** @param env added to the environment of every process */
  constructor(env: Record<string, string> = {}) {
    this.#env = env;
  }

  start(entry: URL): ChildLike {
    const child = fork(fileURLToPath(entry), [], {
      serialization: 'advanced',
      env: { ...process.env, ...this.#env },
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      execArgv: [],
    });
    return new NodeChild(child);
  }
}

class NodeChild implements ChildLike {
  readonly #child: ChildProcess;
  readonly #ports: NodePorts;
  #portCount = 0;

  constructor(child: ChildProcess) {
    this.#child = child;
    this.#ports = new NodePorts((message) => this.#send(message));
    child.on('message', (message: unknown) => {
      if (isPortMessage(message)) this.#ports.receive(message);
    });
    child.once('exit', () => this.#ports.endAll());
    // A process that can't be started, or is told something when it's gone, is heard of by its exit.
    child.on('error', () => undefined);
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** @param ports ends of `worker_threads` message channels; what they carry goes through the process's own channel */
  postMessage(message: unknown, ports: readonly unknown[] = []): void {
    if (ports.length === 0) {
      this.#send(message);
      return;
    }
    const withPorts = ports.map((port) => this.#bridge(port as MessagePort));
    this.#send({ withPorts, message });
  }

  on(event: 'message', listener: (message: unknown) => void): void;
  on(event: 'exit', listener: (code: number | null) => void): void;
  on(event: 'message' | 'exit', listener: ((message: unknown) => void) | ((code: number | null) => void)): void {
    if (event === 'exit') {
      this.#child.on('exit', listener as (code: number | null) => void);
      return;
    }
    this.#child.on('message', (message: unknown) => {
      if (!isPortMessage(message)) listener(message as never);
    });
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }

  #bridge(port: MessagePort): number {
    const id = this.#portCount++;
    const far = this.#ports.port(id);
    port.on('message', (message: unknown) => far.postMessage(message));
    port.on('close', () => far.close());
    far.onMessage((message) => port.postMessage(message));
    far.onClose(() => port.close());
    port.start();
    return id;
  }

  #send(message: unknown): void {
    if (!this.#child.connected) return;
    this.#child.send(message as object, () => undefined);
  }
}
