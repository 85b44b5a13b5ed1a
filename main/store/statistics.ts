import type { ChannelOutput } from '../../shared/ipc/contract.ts';
import type { StationCounters } from '../../shared/station/domain.ts';
import type { Database, SqlValue } from './database.ts';
import { hourMs } from './schema.ts';
import { type IdRange, residual, type Search } from './search.ts';

export type HistoryStatistics = ChannelOutput<'history.statistics'>;

/** Counts of one hour. */
interface HourCounts extends StationCounters {
  /** Since the epoch. */
  hour: number;
  answered: number;
  falseRejects: number;
  escapes: number;
}

interface Counts {
  hours: HourCounts[];
  defects: { defectClass: string; parts: number }[];
}

/** Where counts come from: tables with `part_groups g`, how many parts a row stands for, its hour. */
interface Source {
  tables: string;
  parts: string;
  hour: string;
  where: string;
  values: SqlValue[];
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
  const counted = sourcesOf(database, search, rangesOf).map((source) => count(database, source));
  const hours = counted.flatMap((part) => part.hours);
  const defects = new Map<string, number>();
  for (const { defectClass, parts } of counted.flatMap((part) => part.defects))
    defects.set(defectClass, (defects.get(defectClass) ?? 0) + parts);
  const { falseRejects, escapes, answered, ...counters } = addUp(hours);
  return {
    counters,
    yield: inBuckets(hours, bucket),
    pareto: [...defects]
      .filter(([, parts]) => parts > 0)
      .map(([defectClass, parts]) => ({ defectClass, parts }))
      .sort((a, b) => b.parts - a.parts || (a.defectClass < b.defectClass ? -1 : 1)),
    falseRejects,
    escapes,
    answered,
  };
}

function count(database: Database, { tables, parts, hour, where, values }: Source): Counts {
  const when = (condition: string): string => `sum(CASE WHEN ${condition} THEN ${parts} ELSE 0 END)`;
  return {
    hours: database.all<HourCounts>(
      `SELECT ${hour} AS hour, sum(${parts}) AS presented, ${when("g.verdict = 'pass'")} AS pass,
         ${when("g.verdict = 'fail'")} AS fail, ${when("g.verdict = 'review'")} AS review,
         ${when("g.verdict = 'noDecision'")} AS noDecision,
         ${when("g.verdict = 'review' AND g.person = ''")} AS waitingForReview, ${when("g.person <> ''")} AS answered,
         ${when("g.person = 'pass' AND g.verdict = 'fail'")} AS falseRejects,
         ${when("g.person = 'fail' AND g.verdict = 'pass'")} AS escapes
       FROM ${tables} WHERE ${where} GROUP BY 1`,
      ...values,
    ),
    defects: database.all<Counts['defects'][number]>(
      `SELECT g.defect_class AS defectClass, sum(${parts}) AS parts
       FROM ${tables} WHERE ${where} AND g.defect_class <> '' GROUP BY 1`,
      ...values,
    ),
  };
}

function sourcesOf(
  database: Database,
  search: Search,
  rangesOf: (from: number | null, to: number | null) => IdRange[],
): Source[] {
  if (search.serial !== null) return [partsWithSerial(search)];
  const { from, to } = search;
  const firstHour = from === null ? null : Math.ceil(from / hourMs);
  const endHour = to === null ? null : Math.floor(to / hourMs);
  // Nothing whole between from and to: all from the parts.
  if (firstHour !== null && endHour !== null && firstHour >= endHour) return partsWithin(search, rangesOf(from, to));
  const sources = [bookedHours(database, search, firstHour, endHour)];
  if (from !== null && firstHour! * hourMs > from) {
    const end = firstHour! * hourMs;
    sources.push(...partsWithin({ ...search, to: end }, rangesOf(from, end)));
  }
  if (to !== null && endHour! * hourMs < to) {
    const begin = endHour! * hourMs;
    sources.push(...partsWithin({ ...search, from: begin }, rangesOf(begin, to)));
  }
  return sources;
}

function bookedHours(database: Database, { groups }: Search, firstHour: number | null, endHour: number | null): Source {
  let where = groups.where;
  const values = [...groups.values];
  if (firstHour !== null) {
    where += ' AND h.hour >= ?';
    values.push(firstHour);
  }
  if (endHour !== null) {
    where += ' AND h.hour < ?';
    values.push(endHour);
  }
  // All hours one after the other need no sorting; few parts of them are found faster group by group.
  const sum = (condition: string, given: SqlValue[]): number =>
    database.value<number>(`SELECT coalesce(sum(g.parts), 0) FROM part_groups g WHERE ${condition}`, ...given) ?? 0;
  const most = groups.hours === 'group_hours' && 4 * sum(groups.where, groups.values) > sum('g.by_lot = 0', []);
  const tables = most
    ? 'group_hours h NOT INDEXED CROSS JOIN part_groups g ON g.id = h.group_id'
    : groups.hours === 'group_hours'
      ? 'part_groups g CROSS JOIN group_hours h INDEXED BY group_hours_by_group ON h.group_id = g.id'
      : 'part_groups g CROSS JOIN lot_group_hours h ON h.group_id = g.id';
  return { tables, parts: 'h.parts', hour: 'h.hour', where, values };
}

function partsWithin(search: Search, ranges: readonly IdRange[]): Source[] {
  const { groups } = search;
  const { where, values } = residual(search);
  return ranges.map(({ first, last }) => ({
    tables: `parts p NOT INDEXED CROSS JOIN part_groups g ON g.id = p.${groups.column}`,
    parts: '1',
    hour: `p.presented_at / ${hourMs}`,
    where: `${groups.where} AND p.id BETWEEN ? AND ? ${where}`,
    values: [...groups.values, first, last, ...values],
  }));
}

function partsWithSerial(search: Search): Source {
  const { groups } = search;
  const { where, values } = residual(search);
  return {
    tables: `part_groups g CROSS JOIN parts p INDEXED BY ${groups.serialIndex} ON p.${groups.column} = g.id`,
    parts: '1',
    hour: `p.presented_at / ${hourMs}`,
    where: `${groups.where} ${where}`,
    values: [...groups.values, ...values],
  };
}

/** Sums hours into hours, days or weeks (from Monday) of the station's own time zone. */
function inBuckets(hours: readonly HourCounts[], bucket: 'hour' | 'day' | 'week'): HistoryStatistics['yield'] {
  const buckets = new Map<number, HourCounts[]>();
  for (const counts of hours) {
    const start = bucketStart(counts.hour * hourMs, bucket);
    const known = buckets.get(start);
    if (known === undefined) buckets.set(start, [counts]);
    else known.push(counts);
  }
  return [...buckets]
    .sort(([a], [b]) => a - b)
    .map(([start, counts]) => {
      const { presented, pass, fail, review, noDecision, waitingForReview } = addUp(counts);
      const counters = { presented, pass, fail, review, noDecision, waitingForReview };
      return { from: new Date(start).toISOString(), counters };
    })
    .filter(({ counters }) => counters.presented > 0);
}

function bucketStart(ms: number, bucket: 'hour' | 'day' | 'week'): number {
  if (bucket === 'hour') return ms;
  const date = new Date(ms);
  date.setHours(0, 0, 0, 0);
  if (bucket === 'week') date.setDate(date.getDate() - ((date.getDay() + 6) % 7));
  return date.getTime();
}

function addUp(hours: readonly HourCounts[]): Omit<HourCounts, 'hour'> {
  const sum = {
    presented: 0,
    pass: 0,
    fail: 0,
    review: 0,
    noDecision: 0,
    waitingForReview: 0,
    answered: 0,
    falseRejects: 0,
    escapes: 0,
  };
  const names = Object.keys(sum) as (keyof typeof sum)[];
  for (const counts of hours) for (const name of names) sum[name] += counts[name];
  return sum;
}
