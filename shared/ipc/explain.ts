import { z } from 'zod';
import * as d from '../station/domain.ts';
import { query } from './channel.ts';

/** A picture of the project as one of its models sees it. */
export const seenPicture = z.object({
  predScore: z.number().nullable(),
  verdict: d.verdict,
  /** Anomaly map in bytes, as everywhere: 0 at or below the model's review threshold, 255 from its fail threshold on. */
  heat: z.object({
    width: z.int(),
    height: z.int(),
    bytes: z.custom<Uint8Array>((value) => value instanceof Uint8Array),
  }),
});
export type SeenPicture = z.infer<typeof seenPicture>;

/** Why a stored part has its verdict, from its picture and the model that judged it. */
export const partExplanation = z.object({
  partId: z.int(),
  /** The score as it comes out now, and whether it is the recorded one, bit for bit. */
  predScore: z.number(),
  isRepeated: z.boolean(),
  /** Hottest first; pixels of the whole picture. */
  regions: z.array(
    z.object({
      box: z.object({ x: z.number(), y: z.number(), width: z.number(), height: z.number() }),
      areaPx: z.number(),
      /** Null where no scale is set. */
      areaMm2: z.number().nullable(),
      peakScore: z.number(),
    }),
  ),
  /** Content of the most similar good picture. */
  nearestNormalSha256: d.sha256.nullable(),
  /** What the score would be without a region. */
  counterfactuals: z.array(
    z.object({
      replacedBy: z.enum(['surroundings', 'nearestNormal']),
      region: z.int(),
      predScore: z.number(),
      verdict: d.verdict,
    }),
  ),
});
export type PartExplanation = z.infer<typeof partExplanation>;

export const explainChannels = {
  /** Heat map of a model, active or not, on any picture of its project. */
  'explain.heat': query('engineer', z.object({ modelId: d.id, sha256: d.sha256 }), seenPicture),
  /** Opens the model anew and runs it a few times: seconds. */
  'explain.part': query('operator', z.object({ partId: z.int() }), partExplanation),
};
