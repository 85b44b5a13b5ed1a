import { z } from 'zod';
import { driftCauses, driftStreams } from '../drift/types.ts';
import * as d from '../station/domain.ts';
import { command, query } from './channel.ts';
import { done } from './projects.ts';

/** How an alarm ended. Only a person acknowledges; a new model, recipe or baseline begins afresh. */
export const driftEnds = ['acknowledged', 'newModel', 'newRecipe', 'newBaseline'] as const;
export type DriftEnd = (typeof driftEnds)[number];

/** An alarm as it stays in the history. */
export const driftAlarmRow = z.object({
  id: z.int(),
  projectId: d.id,
  modelId: d.id,
  cause: z.enum(driftCauses),
  /** Streams that speak for it, strongest first. */
  streams: z.array(z.enum(driftStreams)),
  foundAt: d.isoTime,
  /** First part that looked different, where its time is known. */
  sinceAt: d.isoTime.nullable(),
  /** Size in the first stream's unit. */
  change: z.number().nullable(),
  /** Settings that changed, in words; empty for other causes. */
  detail: d.longText,
  /** The whole statement, in English. */
  message: d.longText,
  /** Parts judged while it stood. */
  parts: z.int(),
  ended: z.object({ how: z.enum(driftEnds), by: d.shortText, at: d.isoTime, reason: d.longText }).nullable(),
});
export type DriftAlarmRow = z.infer<typeof driftAlarmRow>;

export const driftState = z.object({
  projectId: d.id,
  /** False: no baseline yet, or too few good pictures for one. */
  watching: z.boolean(),
  /** Good pictures behind the baseline, and how many of them have scores that count. */
  goodPictures: z.int(),
  scoredPictures: z.int(),
  /** Parts since the guard last began, and why it did. */
  parts: z.int(),
  begunAt: d.isoTime.nullable(),
  begunBecause: z.enum(['first', ...driftEnds]),
  /** 0 none .. 1 alarm. */
  evidence: z.number(),
  streams: z.array(
    z.object({ stream: z.enum(driftStreams), evidence: z.number(), recentDeviation: z.number(), watched: z.boolean() }),
  ),
  alarm: driftAlarmRow.nullable(),
});
export type StationDrift = z.infer<typeof driftState>;

/** The drift guard: whether the calibration still covers what the line sees. */
export const driftChannels = {
  'drift.state': query('operator', z.object({ projectId: d.id }), driftState),
  /** Newest first. */
  'drift.history': query('operator', z.object({ projectId: d.id }), z.array(driftAlarmRow)),
  /** Ends the alarm; the guard begins afresh, and camera settings seen now are the reference from then on. */
  'drift.acknowledge': command(
    'engineer',
    z.object({ projectId: d.id, alarmId: z.int(), reason: z.string().trim().min(3).max(4000) }),
    driftState,
  ),
  /** How the camera is set, as the window reads it; other settings than before are an alarm at once. */
  'drift.cameraSettings': command(
    'operator',
    z.object({
      projectId: d.id,
      settings: z.record(d.shortText, z.union([z.string().max(200), z.number(), z.boolean()])),
    }),
    done,
  ),
};
