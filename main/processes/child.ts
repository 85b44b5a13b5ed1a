/** A process of the station as its parent sees it; Electron's utility process and a forked Node process both fit. */
export interface ChildLike {
  readonly pid: number | undefined;
  /**
   * Sends a copy of the message. Nothing is transferred but the ports: a transferred buffer arrives empty in another
   * process.
   * @param ports ends of message channels that move to the child, of the host's own kind
   */
  postMessage(message: unknown, ports?: readonly unknown[]): void;
  on(event: 'message', listener: (message: unknown) => void): void;
  on(event: 'exit', listener: (code: number | null) => void): void;
  /** At once and for good, as SIGKILL does. */
  kill(): void;
}

/** Starts processes: Electron's shell has one, Node another. */
export interface ProcessHost {
  /**
   * @param entry JavaScript of the process, see `processEntry`
   * @param name  what the system's list of processes may call it
   */
  start(entry: URL, name: string): ChildLike;
}

/** One end of a message channel, whatever made it. Messages are cloned; they wait until `onMessage` is called. */
export interface PortLike {
  postMessage(message: unknown): void;
  onMessage(listener: (message: unknown) => void): void;
  onClose(listener: () => void): void;
  close(): void;
}
