/** All that the window sees of the station: one function per channel of the contract, events, and the live port. */
import { contextBridge, ipcRenderer, webUtils } from 'electron';
import { channelNames, eventChannel, livePortChannel } from '../../shared/ipc/channel-names.ts';

const calls = Object.fromEntries(
  channelNames.map((name) => [name, (input: unknown) => ipcRenderer.invoke(name, input)] as const),
);

contextBridge.exposeInMainWorld('station', {
  ...calls,
  /** @returns a function that ends the subscription */
  onEvent(listener: (event: unknown) => void): () => void {
    const forward = (_: unknown, event: unknown): void => listener(event);
    ipcRenderer.on(eventChannel, forward);
    return () => ipcRenderer.removeListener(eventChannel, forward);
  },
  /** Path of a file that a person dropped on the window. */
  pathOf: (file: File): string => webUtils.getPathForFile(file),
});

// A port can't cross the context bridge; a window message carries it.
ipcRenderer.on(livePortChannel, ({ ports }) => window.postMessage(livePortChannel, location.origin, ports));
