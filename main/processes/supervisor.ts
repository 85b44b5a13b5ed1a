import { setTimeout as pause } from 'node:timers/promises';
import { UserError } from '../../shared/errors.ts';
import type { ChildLike, ProcessHost } from './child.ts';
import { Peer, type Methods } from './rpc.ts';

/** What every supervised process answers. */
export interface SupervisedMethods {
  /** Proof of life; a process that doesn't answer is taken for hung. */
  ping(argument: object): object;
  /** Ends what it does in good order; the process exits by itself afterwards. */
  shutDown(argument: object): Promise<object>;
}

export type ProcessState = 'stopped' | 'starting' | 'running' | 'restarting' | 'suspended';

export interface SupervisorStatus {
  state: ProcessState;
  /** Starts after the first one. */
  restarts: number;
  pid: number | undefined;
  /** Why it last went down by itself; null: it never did. */
  lastFailure: string | null;
}

export interface SupervisorTimes {
  /** Between two heartbeats. */
  heartbeatMs: number;
  /** Without an answer for this long the process counts as crashed, and is killed. */
  hangMs: number;
  /** Wait before the first restart; doubles with each failure. */
  firstWaitMs: number;
  longestWaitMs: number;
  /** So many failures in a row are told to whoever waits for the process; it's tried on. */
  failuresUntilTold: number;
  /** After running for this long, the next wait is the first one again. */
  steadyAfterMs: number;
}

export const usualTimes: SupervisorTimes = {
  heartbeatMs: 1000,
  hangMs: 10_000,
  firstWaitMs: 200,
  longestWaitMs: 10_000,
  failuresUntilTold: 5,
  steadyAfterMs: 20_000,
};

export interface SupervisorOptions<Remote extends Methods<Remote> & SupervisedMethods> {
  name: string;
  host: ProcessHost;
  entry: () => Promise<URL>;
  /** What this side answers to the process. */
  local: Readonly<Record<string, (argument: never, ports: readonly unknown[]) => unknown>>;
  times?: Partial<SupervisorTimes>;
  /** Called after every start, before anybody else can use the process: makes it do again what it did. */
  onUp?: (peer: Peer<Remote>) => Promise<void> | void;
  /** Called when it goes down by itself, hung processes included. */
  onDown?: (reason: string) => void;
  onStatus?: (status: SupervisorStatus) => void;
}

/** Keeps one process alive: starts, watches, restarts with growing waits, stops. */
export class Supervisor<Remote extends Methods<Remote> & SupervisedMethods> {
  readonly #options: SupervisorOptions<Remote>;
  readonly #times: SupervisorTimes;
  #wanted = false;
  #state: ProcessState = 'stopped';
  #child: ChildLike | undefined;
  #peer: Peer<Remote> | undefined;
  #restarts = 0;
  #failures = 0;
  #lastFailure: string | null = null;
  #life: Promise<void> | undefined;
  #abort = new AbortController();
  #waiting: { resolve(peer: Peer<Remote>): void; reject(error: Error): void }[] = [];

  constructor(options: SupervisorOptions<Remote>) {
    this.#options = options;
    this.#times = { ...usualTimes, ...options.times };
  }

  get status(): SupervisorStatus {
    const { pid } = this.#child ?? { pid: undefined };
    return { state: this.#state, restarts: this.#restarts, pid, lastFailure: this.#lastFailure };
  }

  /** The running process; starts it when it's stopped, waits while it starts or restarts. */
  peer(): Promise<Peer<Remote>> {
    if (this.#peer !== undefined && (this.#state === 'running' || this.#state === 'suspended')) {
      return Promise.resolve(this.#peer);
    }
    this.start();
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  /** The process, if it is up right now. */
  get current(): Peer<Remote> | undefined {
    return this.#state === 'running' ? this.#peer : undefined;
  }

  start(): void {
    if (this.#wanted) return;
    this.#wanted = true;
    this.#abort = new AbortController();
    const before = this.#life ?? Promise.resolve();
    this.#life = before.then(() => this.#keepAlive());
  }

  /**
   * Ends the process: asks it to, and kills it when that takes too long.
   * @param graceMs 0: kills it at once
   */
  async stop(graceMs = 5000): Promise<void> {
    if (!this.#wanted) return this.#life;
    this.#wanted = false;
    const child = this.#child;
    if (this.#state === 'suspended') this.resume();
    if (child !== undefined && this.#peer !== undefined && graceMs > 0) {
      const asked = this.#peer.call('shutDown', {} as never).catch(() => undefined);
      await Promise.race([asked, pause(graceMs)]);
    }
    this.#abort.abort();
    child?.kill();
    await this.#life;
  }

  /** Kills the process as a crash would; it's restarted. */
  crash(): void {
    this.#child?.kill();
  }

  /** Holds the process still where it is (not on Windows). @returns whether it could */
  suspend(): boolean {
    if (this.#state !== 'running' || !signalled(this.#child, 'SIGSTOP')) return false;
    this.#set('suspended');
    return true;
  }

  resume(): void {
    if (this.#state !== 'suspended') return;
    signalled(this.#child, 'SIGCONT');
    this.#set('running');
  }

  async #keepAlive(): Promise<void> {
    while (this.#wanted) {
      const startedAt = Date.now();
      const reason = await this.#runOnce();
      if (!this.#wanted) break;
      this.#lastFailure = reason;
      this.#failures = Date.now() - startedAt > this.#times.steadyAfterMs ? 1 : this.#failures + 1;
      this.#set('restarting');
      this.#options.onDown?.(reason);
      if (this.#failures >= this.#times.failuresUntilTold) this.#refuseWaiting(reason);
      const waitMs = Math.min(this.#times.longestWaitMs, this.#times.firstWaitMs * 2 ** (this.#failures - 1));
      await pause(waitMs, undefined, { signal: this.#abort.signal }).catch(() => undefined);
      if (this.#wanted) this.#restarts += 1;
    }
    this.#set('stopped');
    this.#refuseWaiting('it was stopped');
  }

  #refuseWaiting(reason: string): void {
    for (const { reject } of this.#waiting.splice(0)) {
      reject(new UserError('processDown', `The ${this.#options.name} process does not run: ${reason}.`));
    }
  }

  /** @returns why the process ended */
  async #runOnce(): Promise<string> {
    this.#set('starting');
    let child: ChildLike;
    try {
      child = this.#options.host.start(await this.#options.entry(), this.#options.name);
    } catch (error) {
      return `it could not be started (${error instanceof Error ? error.message : String(error)})`;
    }
    this.#child = child;
    const ended = new Promise<string>((resolve) => {
      child.on('exit', (code) => resolve(code === null ? 'it was killed' : `it ended with code ${String(code)}`));
    });
    const peer = new Peer<Remote>((message, ports) => child.postMessage(message, ports), this.#options.local);
    child.on('message', (message) => peer.receive(message));
    this.#peer = peer;
    const hung = new AbortController();
    try {
      const reason = await Promise.race([ended, this.#rise(peer, hung.signal)]);
      if (!(await isSettled(ended))) child.kill();
      await ended;
      return reason;
    } finally {
      hung.abort();
      peer.close(`${this.#options.name} is not running`);
      this.#peer = undefined;
      this.#child = undefined;
    }
  }

  /** @returns why the process can't go on; never returns while it does */
  async #rise(peer: Peer<Remote>, signal: AbortSignal): Promise<string> {
    const beating = this.#watch(peer, signal);
    const rising = (async (): Promise<string> => {
      try {
        await peer.call('ping', {} as never);
        await this.#options.onUp?.(peer);
      } catch (error) {
        return `it could not take up its work (${error instanceof Error ? error.message : String(error)})`;
      }
      if (signal.aborted || !this.#wanted) return new Promise<never>(() => undefined);
      this.#set('running');
      for (const { resolve } of this.#waiting.splice(0)) resolve(peer);
      return beating;
    })();
    return Promise.race([rising, beating]);
  }

  /** @returns when a heartbeat stays away */
  async #watch(peer: Peer<Remote>, signal: AbortSignal): Promise<string> {
    const { heartbeatMs, hangMs } = this.#times;
    for (;;) {
      await pause(heartbeatMs, undefined, { signal, ref: false }).catch(() => undefined);
      if (signal.aborted) return 'ended';
      if (this.#state === 'suspended') continue;
      const alive = await answersWithin(hangMs, peer.call('ping', {} as never));
      if (!alive && !signal.aborted && !this.#isSuspended()) return `it did not answer for ${String(hangMs)} ms`;
    }
  }

  #isSuspended(): boolean {
    return this.#state === 'suspended';
  }

  #set(state: ProcessState): void {
    if (this.#state === state) return;
    this.#state = state;
    this.#options.onStatus?.(this.status);
  }
}

function signalled(child: ChildLike | undefined, signal: 'SIGSTOP' | 'SIGCONT'): boolean {
  if (process.platform === 'win32' || child?.pid === undefined) return false;
  try {
    return process.kill(child.pid, signal);
  } catch {
    return false;
  }
}

/** Whether an answer came in time; a connection that closed is no matter of time. */
function answersWithin(ms: number, answer: Promise<unknown>): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), ms);
    timer.unref();
    const settle = (): void => {
      clearTimeout(timer);
      resolve(true);
    };
    answer.then(settle, settle);
  });
}

async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  const pending = Symbol('pending');
  return (await Promise.race([promise, Promise.resolve(pending)])) !== pending;
}
