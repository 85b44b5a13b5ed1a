import type { ChannelOutput } from '../../shared/ipc/contract.ts';
import type { StationCounters } from '../../shared/station/domain.ts';
import type { Database, SqlValue } from './database.ts';
import { addUp } from './parts.ts';
import { hourMs } from './schema.ts';
import { type IdRange, residual, type Search } from './search.ts';

export type HistoryStatistics = ChannelOutput<'history.statistics'>;

/** Parts of one hour with one verdict, one person's answer and one defect class. */
interface Count {
  hour: number;
  verdict: string;
  person: string;
  defectClass: string;
  parts: number;
}

/**
 * Counts over a filter: whole hours from the booked counts, the cut hours at either end from the parts themselves.
 *
 * @param rangesOf where parts of a time can be
 */
export function statistics(
  database: Database,
  search: Search,
  bucket: 'hour' | 'day' | 'week',
  rangesOf: (from: number | null, to: number | null) => IdRange[],
): HistoryStatistics {
  const counts = search.serial === null ? byHours(database, search, rangesOf) : byParts(database, search, [everything]);
  const defects = new Map<string, number>();
  let falseRejects = 0;
  let escapes = 0;
  let answered = 0;
  for (const { verdict, person, defectClass, parts } of counts) {
    if (person !== '') answered += parts;
    if (verdict === 'fail' && person === 'pass') falseRejects += parts;
    if (verdict === 'pass' && person === 'fail') escapes += parts;
    if (defectClass !== '') defects.set(defectClass, (defects.get(defectClass) ?? 0) + parts);
  }
  return {
    counters: addUp(counts),
    yield: inBuckets(counts, bucket),
    pareto: [...defects]
      .filter(([, parts]) => parts > 0)
      .map(([defectClass, parts]) => ({ defectClass, parts }))
      .sort((a, b) => b.parts - a.parts || (a.defectClass < b.defectClass ? -1 : 1)),
    falseRejects,
    escapes,
    answered,
  };
}

const everything: IdRange = { first: 0, last: Number.MAX_SAFE_INTEGER };

function byHours(
  database: Database,
  search: Search,
  rangesOf: (from: number | null, to: number | null) => IdRange[],
): Count[] {
  const { from, to, groups } = search;
  const firstHour = from === null ? -8.64e15 / hourMs : Math.ceil(from / hourMs);
  const endHour = to === null ? 8.64e15 / hourMs : Math.floor(to / hourMs);
  // From and to in the same hour, or nothing whole between them: all from the parts.
  if (from !== null && to !== null && firstHour >= endHour) return byParts(database, search, rangesOf(from, to));
  const order = groups.hours === 'group_hours' ? 'CROSS JOIN part_groups g' : 'JOIN part_groups g';
  const counts = database.all<Count>(
    `SELECT h.hour, g.verdict, g.person, g.defect_class AS defectClass, sum(h.parts) AS parts
     FROM ${groups.hours} h ${order} ON g.id = h.group_id
     WHERE ${groups.where} AND h.hour >= ? AND h.hour < ? GROUP BY h.hour, g.verdict, g.person, g.defect_class`,
    ...groups.values,
    Math.trunc(firstHour),
    Math.trunc(endHour),
  );
  if (from !== null && firstHour * hourMs > from) {
    const end = firstHour * hourMs;
    counts.push(...byParts(database, { ...search, to: end }, rangesOf(from, end)));
  }
  if (to !== null && endHour * hourMs < to) {
    const begin = endHour * hourMs;
    counts.push(...byParts(database, { ...search, from: begin }, rangesOf(begin, to)));
  }
  return counts;
}

function byParts(database: Database, search: Search, ranges: readonly IdRange[]): Count[] {
  const { groups } = search;
  const { where, values } = residual(search);
  const source =
    search.serial === null
      ? `parts p NOT INDEXED CROSS JOIN part_groups g ON g.id = p.${groups.column}`
      : `part_groups g CROSS JOIN parts p INDEXED BY ${groups.serialIndex} ON p.${groups.column} = g.id`;
  return ranges.flatMap((range) => {
    const bounds: SqlValue[] = [range.first, range.last];
    return database.all<Count>(
      `SELECT p.presented_at / ${hourMs} AS hour, g.verdict, g.person, g.defect_class AS defectClass,
         count(*) AS parts
       FROM ${source} WHERE ${groups.where} AND p.id BETWEEN ? AND ? ${where} GROUP BY 1, 2, 3, 4`,
      ...groups.values,
      ...bounds,
      ...values,
    );
  });
}

/** Sums hours into hours, days or weeks (from Monday) of the station's own time zone. */
function inBuckets(counts: readonly Count[], bucket: 'hour' | 'day' | 'week'): HistoryStatistics['yield'] {
  const startOf = new Map<number, number>();
  const buckets = new Map<number, Count[]>();
  for (const count of counts) {
    const start = startOf.get(count.hour) ?? bucketStart(count.hour * hourMs, bucket);
    startOf.set(count.hour, start);
    const known = buckets.get(start);
    if (known === undefined) buckets.set(start, [count]);
    else known.push(count);
  }
  return [...buckets]
    .sort(([a], [b]) => a - b)
    .map(([start, rows]) => ({ from: new Date(start).toISOString(), counters: addUp(rows) }))
    .filter(({ counters }: { counters: StationCounters }) => counters.presented > 0);
}

function bucketStart(ms: number, bucket: 'hour' | 'day' | 'week'): number {
  if (bucket === 'hour') return ms;
  const date = new Date(ms);
  date.setHours(0, 0, 0, 0);
  if (bucket === 'week') date.setDate(date.getDate() - ((date.getDay() + 6) % 7));
  return date.getTime();
}
