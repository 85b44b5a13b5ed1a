import { z } from 'zod';
import * as d from '../station/domain.ts';
import { command, query } from './channel.ts';

export const historyFilter = z.object({
  projectId: d.id,
  from: d.isoTime.nullable(),
  to: d.isoTime.nullable(),
  className: d.shortText.nullable(),
  lot: d.shortText.nullable(),
  /** Beginning of the serial. */
  serial: d.shortText.nullable(),
  station: d.shortText.nullable(),
  verdict: d.verdict.nullable(),
  /** `disagrees`: a person decided otherwise than the model. */
  person: z.enum(['any', 'none', 'pass', 'fail', 'disagrees']),
});
export type HistoryFilter = z.infer<typeof historyFilter>;

export const yieldPoint = z.object({ from: d.isoTime, counters: d.counters });

/** History, statistics, exports and reports. */
export const historyChannels = {
  /** Newest first; `before` is the last id of the page before. */
  'history.page': query(
    'operator',
    z.object({ filter: historyFilter, before: z.int().nullable(), limit: z.int().min(1).max(500) }),
    z.object({ parts: z.array(d.part), more: z.boolean() }),
  ),
  'history.part': query('operator', z.object({ partId: z.int() }), d.part.nullable()),
  'history.statistics': query(
    'operator',
    z.object({ filter: historyFilter, bucket: z.enum(['hour', 'day', 'week']) }),
    z.object({
      counters: d.counters,
      yield: z.array(yieldPoint),
      /** Defect classes people gave, most frequent first. */
      pareto: z.array(z.object({ defectClass: d.shortText, parts: z.int() })),
      /** Parts the model failed and a person passed. */
      falseRejects: z.int(),
      /** Parts the model passed and a person failed. */
      escapes: z.int(),
      answered: z.int(),
    }),
  ),
  'history.lots': query('operator', z.object({ projectId: d.id }), z.array(d.shortText)),
  'history.export': command(
    'operator',
    z.object({ filter: historyFilter, format: z.enum(['csv', 'xlsx', 'json']), path: d.filePath }),
    z.object({ parts: z.int(), path: z.string() }),
  ),
  /** Writes a PDF. */
  'reports.lot': command(
    'operator',
    z.object({ filter: historyFilter, path: d.filePath }),
    z.object({ path: z.string(), pages: z.int() }),
  ),
  'reports.part': command(
    'operator',
    z.object({ partId: z.int(), path: d.filePath }),
    z.object({ path: z.string(), pages: z.int() }),
  ),
  'reports.model': command(
    'operator',
    z.object({ modelId: d.id, path: d.filePath }),
    z.object({ path: z.string(), pages: z.int() }),
  ),
};
