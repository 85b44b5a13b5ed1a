import { createCanvas } from '@napi-rs/canvas';
import {
  contract,
  type ChannelInput,
  type ChannelName,
  type ChannelOutput,
  type StationEvent,
} from '../../shared/ipc/contract.ts';
import { createRandom } from '../../shared/random.ts';
import type { Caller, Handlers } from '../../main/ipc/handler.ts';
import type { StationContext } from '../../main/station/context.ts';
import { historyHandlers, partHandlers, recipeHandlers } from '../../main/station/history.ts';
import { labelHandlers } from '../../main/station/labels.ts';
import { pictureHandlers } from '../../main/station/pictures.ts';
import { projectHandlers } from '../../main/station/projects.ts';
import { settingsHandlers } from '../../main/station/settings.ts';
import { storageHandlers } from '../../main/station/storage.ts';
import { StationSession, userHandlers } from '../../main/station/users.ts';
import type { Store } from '../../main/store/store.ts';
import { temporaryFolder, temporaryStore } from '../store/helpers.ts';

type DataChannel = Extract<
  ChannelName,
  `${'projects' | 'classes' | 'pictures' | 'labels' | 'history' | 'parts' | 'recipes' | 'session' | 'users' | 'settings' | 'audit' | 'storage'}.${string}`
>;

export interface TestStation {
  context: StationContext;
  store: Store;
  session: StationSession;
  events: StationEvent[];
  /** Moves the station's clock. */
  wait(ms: number): void;
  /** Asks as a window would: input and output are checked by the contract. */
  ask<N extends DataChannel>(name: N, input: ChannelInput<N>, caller?: Caller): Promise<ChannelOutput<N>>;
}

export const ann: Caller = { userId: null, name: 'Ann', role: 'administrator' };
export const bob: Caller = { userId: null, name: 'Bob', role: 'operator' };

/** The station's handlers over a store of its own, without processes. */
export async function testStation(folder = temporaryFolder()): Promise<TestStation> {
  let ms = Date.parse('2026-03-02T08:00:00.000Z');
  const now = (): string => new Date(ms).toISOString();
  const store = await temporaryStore(folder, { now });
  const events: StationEvent[] = [];
  const context: StationContext = { folder, store, emit: (event) => void events.push(event), now };
  const session = new StationSession(context);
  const handlers: Pick<Handlers, DataChannel> = {
    ...projectHandlers(context),
    ...pictureHandlers(context),
    ...labelHandlers(context),
    ...historyHandlers(context),
    ...partHandlers(context),
    ...recipeHandlers(context),
    ...userHandlers(context, session),
    ...settingsHandlers(context),
    ...storageHandlers(context),
  };
  return {
    context,
    store,
    session,
    events,
    wait: (by) => void (ms += by),
    ask: async (name, input, caller = ann) => {
      const channel = contract[name];
      const handler = handlers[name] as (given: unknown, by: Caller) => unknown;
      const output = await handler(channel.input.parse(input), caller);
      return channel.output.parse(output) as ChannelOutput<typeof name>;
    },
  };
}

export interface PictureOptions {
  seed?: number;
  /** Standard deviation of a blur, pixels. */
  blurPx?: number;
  shade?: string;
  size?: number;
}

/** A made part: a ring of random blocks, different for every seed, alike in the whole. */
export function partPicture({ seed = 1, blurPx = 0, shade = '#888', size = 128 }: PictureOptions = {}): Buffer {
  const random = createRandom(seed);
  const canvas = createCanvas(size, size);
  const draw = canvas.getContext('2d');
  draw.filter = blurPx > 0 ? `blur(${blurPx}px)` : 'none';
  draw.fillStyle = shade;
  draw.fillRect(0, 0, size, size);
  draw.fillStyle = '#222';
  draw.beginPath();
  draw.arc(size / 2, size / 2, size / 3, 0, 7);
  draw.fill();
  for (let i = 0; i < 60; i++) {
    draw.fillStyle = `rgb(${random.int(256)},${random.int(256)},${random.int(256)})`;
    draw.fillRect(random.int(size), random.int(size), 6, 6);
  }
  return canvas.toBuffer('image/png');
}
