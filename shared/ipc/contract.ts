/**
 * Everything the window may ask of the station, in one list. The preload exposes one named function per channel and
 * nothing else; `main/ipc` parses, authorises and answers. Things that happen by themselves come as events.
 */
import { z } from 'zod';
import * as d from '../station/domain.ts';
import type { Channel } from './channel.ts';
import { driftChannels } from './drift.ts';
import { explainChannels } from './explain.ts';
import { historyChannels } from './history.ts';
import { feedState, inspectionChannels } from './inspection.ts';
import { projectChannels } from './projects.ts';
import { session, settings, settingsChannels } from './settings.ts';
import { studyChannels } from './study.ts';
import { trainingChannels, trainingState } from './training.ts';

export const contract = {
  ...projectChannels,
  ...trainingChannels,
  ...inspectionChannels,
  ...driftChannels,
  ...explainChannels,
  ...historyChannels,
  ...studyChannels,
  ...settingsChannels,
} as const satisfies Readonly<Record<string, Channel>>;

export type ChannelName = keyof typeof contract;
export type ChannelInput<N extends ChannelName> = z.infer<(typeof contract)[N]['input']>;
export type ChannelOutput<N extends ChannelName> = z.infer<(typeof contract)[N]['output']>;

/** Largest call a window may make, characters of its JSON or bytes: beyond, it's refused unread. */
export const largestCallBytes = 64 * 2 ** 20;

/** What the station says unasked. */
export const stationEvent = z.discriminatedUnion('type', [
  z.object({ type: z.literal('feed'), feed: feedState }),
  z.object({ type: z.literal('training'), training: trainingState }),
  z.object({ type: z.literal('importing'), projectId: d.id, done: z.int(), total: z.int() }),
  /** Pictures that are being scored for thresholds or gates; `done` equals `total` when it's over, however. */
  z.object({ type: z.literal('scoring'), modelId: d.id, done: z.int(), total: z.int() }),
  z.object({ type: z.literal('models'), projectId: d.id }),
  /** The drift guard found something, or a person acknowledged it. */
  z.object({ type: z.literal('drift'), projectId: d.id }),
  z.object({ type: z.literal('projects') }),
  /** A study began, ended or got an answer. */
  z.object({ type: z.literal('studies'), projectId: d.id }),
  /** A candidate beside the active model has judged more parts, or ended. */
  z.object({ type: z.literal('shadow'), projectId: d.id }),
  z.object({ type: z.literal('settings'), settings }),
  z.object({ type: z.literal('session'), session }),
  z.object({
    type: z.literal('notice'),
    id: d.shortText,
    message: z.string(),
    level: z.enum(['info', 'warning', 'fault']),
  }),
]);
export type StationEvent = z.infer<typeof stationEvent>;
