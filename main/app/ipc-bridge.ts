import { ipcMain } from 'electron';
import { channelNames } from '../../shared/ipc/channel-names.ts';
import type { Dispatcher } from '../ipc/dispatch.ts';
import type { StationWindow } from './window.ts';

/** Connects every channel of the contract to the dispatcher; nothing else is listened to. */
export function bridge(dispatcher: Dispatcher, window: () => StationWindow): void {
  for (const name of channelNames) {
    ipcMain.handle(name, (event, input: unknown) => dispatcher.call(name, input, window().senderOf(event)));
  }
}
