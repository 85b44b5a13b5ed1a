import { closeWorkers } from '../runtime/rpc.ts';
import type { PortLike } from './child.ts';
import { isPortMessage, NodePorts } from './node-ports.ts';

/** The parent of this process, as an entry sees it. */
export interface ParentPort {
  postMessage(message: unknown): void;
  onMessage(listener: (message: unknown, ports: readonly PortLike[]) => void): void;
}

/** What Electron gives a utility process. */
interface ElectronParentPort {
  postMessage(message: unknown): void;
  on(event: 'message', listener: (event: { data: unknown; ports: ElectronPort[] }) => void): void;
}

interface ElectronPort {
  postMessage(message: unknown): void;
  on(event: 'message', listener: (event: { data: unknown }) => void): void;
  on(event: 'close', listener: () => void): void;
  start(): void;
  close(): void;
}

/** How long a running computation may hold this process up when it is to end. */
const graceMs = 5000;

/** Ends this process in good order. */
export async function leaveProcess(): Promise<never> {
  await closeWorkers(graceMs);
  process.exit(0);
}

/** Finds the parent: Electron's port in a utility process, else the channel of a forked Node process. */
export function openParentPort(): ParentPort {
  const electron = (process as { parentPort?: ElectronParentPort }).parentPort;
  return electron === undefined ? nodeParent() : electronParent(electron);
}

function electronParent(port: ElectronParentPort): ParentPort {
  return {
    postMessage: (message) => port.postMessage(message),
    onMessage: (listener) => {
      port.on('message', ({ data, ports }) => listener(data, ports.map(electronPort)));
    },
  };
}

function electronPort(port: ElectronPort): PortLike {
  return {
    postMessage: (message) => port.postMessage(message),
    onMessage: (listener) => {
      port.on('message', ({ data }) => listener(data));
      port.start();
    },
    onClose: (listener) => port.on('close', listener),
    close: () => port.close(),
  };
}

function nodeParent(): ParentPort {
  if (process.send === undefined) throw new Error('this process was not started by the station');
  const post = (message: unknown): void => {
    // A parent that is gone takes nothing; the disconnect below ends this process.
    if (process.connected) process.send?.(message, undefined, undefined, () => undefined);
  };
  const ports = new NodePorts(post);
  process.on('disconnect', () => void leaveProcess());
  return {
    postMessage: post,
    onMessage: (listener) => {
      process.on('message', (message: unknown) => {
        if (isPortMessage(message)) ports.receive(message);
        else if (isWithPorts(message))
          listener(
            message.message,
            message.withPorts.map((id) => ports.port(id)),
          );
        else listener(message, []);
      });
    },
  };
}

function isWithPorts(value: unknown): value is { withPorts: number[]; message: unknown } {
  return typeof value === 'object' && value !== null && 'withPorts' in value && Array.isArray(value.withPorts);
}
