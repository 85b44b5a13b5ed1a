import { z } from 'zod';
import * as d from '../station/domain.ts';
import { command, query } from './channel.ts';
import { done } from './projects.ts';

const inProject = z.object({ projectId: d.id });

/** A running (or stopped) feed, and how it is. Comes with every change as an event, too. */
export const feedState = z.object({
  projectId: d.id,
  recipeId: d.id.nullable(),
  state: z.enum(['stopped', 'starting', 'waiting', 'judging', 'fault']),
  /** Whether a person wants it to run; with a fault it goes on by itself once that is over. */
  wanted: z.boolean(),
  /** Since when. */
  since: d.isoTime,
  /** What failed, in words; null when all is well. */
  fault: z
    .object({ code: d.shortText, message: z.string(), remedy: z.string().nullable(), acknowledged: z.boolean() })
    .nullable(),
  counters: d.counters,
  /** Lot of the next part, where its file or folder names none. */
  lot: d.shortText,
  /** Triggered frames are always judged; free-running ones may be skipped, and are counted. */
  skippedFrames: z.int(),
  modelId: d.id.nullable(),
  /** Execution provider that judges, e.g. `cpu`. */
  engine: d.shortText,
  latencyMs: z.object({ median: z.number(), p95: z.number() }).nullable(),
});
export type FeedState = z.infer<typeof feedState>;

/** Feeds, judging, and a person's answers. */
export const inspectionChannels = {
  /** `nextLot`: what a feed that is started now gives its parts; set at the line, or the feed's own. */
  'recipes.list': query('operator', inProject, z.array(d.recipe.extend({ nextLot: d.shortText }))),
  'recipes.save': command('engineer', d.recipe.omit({ updatedAt: true }).extend({ id: d.id.nullable() }), d.recipe),
  'recipes.remove': command('engineer', z.object({ recipeId: d.id }), done),
  /** What a file-name pattern reads from some names, and from a few that lie in a folder. */
  'recipes.tryPattern': query(
    'engineer',
    z.object({ pattern: d.shortText, names: z.array(z.string()).max(50), path: z.string().max(4096).nullable() }),
    z.array(
      z.object({
        name: z.string(),
        matched: z.boolean(),
        serial: z.string().nullable(),
        lot: z.string().nullable(),
        className: z.string().nullable(),
      }),
    ),
  ),

  'feed.start': command('operator', z.object({ recipeId: d.id }), feedState),
  'feed.stop': command('operator', inProject, feedState),
  'feed.state': query('operator', inProject, feedState),
  'feed.acknowledge': command('operator', inProject, feedState),
  'feed.setLot': command('operator', z.object({ projectId: d.id, lot: d.shortText }), feedState),
  /** Asks for the channel over which judged parts come straight from the process that judges. */
  'feed.openLive': command('operator', inProject, done),
  /** Judges single files now: drop a picture on the window. */
  'feed.judgeFiles': command(
    'operator',
    z.object({ projectId: d.id, paths: z.array(d.filePath).min(1).max(10_000) }),
    z.object({ presented: z.int() }),
  ),

  /** A person's answer about a judged part; also a label of its picture. */
  'parts.answer': command(
    'operator',
    z.object({
      partId: z.int(),
      verdict: z.enum(['pass', 'fail']),
      defectClass: d.shortText.nullable(),
      why: d.longText.nullable(),
    }),
    d.part,
  ),
  /** Takes back this person's newest answer. */
  'parts.undo': command('operator', inProject, z.object({ part: d.part.nullable() })),
  'parts.reviewQueue': query(
    'operator',
    z.object({ projectId: d.id, limit: z.int().min(1).max(200) }),
    z.object({ total: z.int(), parts: z.array(d.part) }),
  ),
};
