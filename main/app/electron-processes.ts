import { utilityProcess, type MessagePortMain, type UtilityProcess } from 'electron';
import { fileURLToPath } from 'node:url';
import type { ChildLike, ProcessHost } from '../processes/child.ts';

/** Starts the station's processes as Electron utility processes. */
export class ElectronHost implements ProcessHost {
  start(entry: URL, name: string): ChildLike {
    const child = utilityProcess.fork(fileURLToPath(entry), [], { serviceName: `Twinspect ${name}`, stdio: 'inherit' });
    return new ElectronChild(child);
  }
}

class ElectronChild implements ChildLike {
  readonly #child: UtilityProcess;

  constructor(child: UtilityProcess) {
    this.#child = child;
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** @param ports ends of a `MessageChannelMain` */
  postMessage(message: unknown, ports: readonly unknown[] = []): void {
    this.#child.postMessage(message, [...ports] as MessagePortMain[]);
  }

  on(event: 'message', listener: (message: unknown) => void): void;
  on(event: 'exit', listener: (code: number | null) => void): void;
  on(event: 'message' | 'exit', listener: ((message: unknown) => void) & ((code: number | null) => void)): void {
    if (event === 'message') this.#child.on('message', listener);
    else this.#child.on('exit', listener);
  }

  /** Electron's own `kill` asks politely, which a hung process doesn't hear. */
  kill(): void {
    const { pid } = this.#child;
    if (pid === undefined) {
      this.#child.kill();
      return;
    }
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It was gone already; its exit is told all the same.
    }
  }
}
