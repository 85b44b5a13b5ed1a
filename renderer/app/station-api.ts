/** What the preload puts on the window: one named function per channel, the events, and a dropped file's path. */
import type { Result } from '../../shared/ipc/channel.ts';
import type { ChannelInput, ChannelName, ChannelOutput, StationEvent } from '../../shared/ipc/contract.ts';

export type StationCalls = {
  readonly [N in ChannelName]: (input: ChannelInput<N>) => Promise<Result<ChannelOutput<N>>>;
};

export interface StationApi extends StationCalls {
  /** @returns a function that stops listening */
  onEvent(listener: (event: StationEvent) => void): () => void;
  /** Path of a file that was dropped on the window. */
  pathOf(file: File): string;
}

declare global {
  interface Window {
    readonly station: StationApi;
  }
}
