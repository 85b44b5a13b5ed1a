import type { FromWorker, ToWorker } from './messages.ts';

/** The one worker of the window, started when first needed. */
let worker: Worker | null = null;
const listeners = new Set<(message: FromWorker) => void>();

function running(): Worker {
  if (worker === null) {
    worker = new Worker(new URL('./live.worker.ts', import.meta.url), { type: 'module', name: 'live' });
    worker.onmessage = ({ data }: MessageEvent<FromWorker>) => {
      for (const listener of listeners) listener(data);
    };
  }
  return worker;
}

export function tellWorker(message: ToWorker, transfer: Transferable[] = []): void {
  running().postMessage(message, transfer);
}

/** @returns a function that stops listening */
export function onWorker(listener: (message: FromWorker) => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
