import type { HistoryFilter } from '../../shared/ipc/history.ts';
import type { StationPart } from '../../shared/station/domain.ts';
import type { Database, SqlValue } from './database.ts';
import { partColumns, partOf, type PartRow } from './part-row.ts';
import { blockSize } from './schema.ts';
import { type IdRange, residual, type Search, searchOf } from './search.ts';
import { type HistoryStatistics, statistics } from './statistics.ts';

/** Up to this many hits of a serial's beginning in a group are sorted without more ado. */
const serialHitsSorted = 4000;
/** Beyond, so many of the group's newest parts are tried first. */
const newestTried = 1000;
/** Blocks between two runs of blocks that are read rather than leapt over. */
const smallGap = 8;

/** Pages and counts of judged parts, whatever the filter combines. The order is that of ids, not of clocks. */
export class HistoryStore {
  readonly #database: Database;
  readonly #serialHitsSorted: number;

  constructor(database: Database, options: { serialHitsSorted?: number } = {}) {
    this.#database = database;
    this.#serialHitsSorted = options.serialHitsSorted ?? serialHitsSorted;
  }

  /** Newest first. `before` is the last id of the page before. */
  page(filter: HistoryFilter, before: number | null, limit: number): { parts: StationPart[]; more: boolean } {
    const ids = this.#newestIds(searchOf(filter), before, limit + 1);
    return { parts: this.#partsOf(ids.slice(0, limit)), more: ids.length > limit };
  }

  /** All matching parts, newest first, page by page: for exports, while the station goes on. */
  *all(filter: HistoryFilter, pageSize = 500): Generator<StationPart> {
    let before: number | null = null;
    for (;;) {
      const { parts, more }: { parts: StationPart[]; more: boolean } = this.page(filter, before, pageSize);
      yield* parts;
      if (!more) return;
      before = parts.at(-1)!.id;
    }
  }

  /** Parts that wait for a person, longest waiting first. */
  reviewQueue(projectId: string, limit: number): { total: number; parts: StationPart[] } {
    const waiting = `g.project_id = ? AND g.by_lot = 0 AND g.verdict = 'review' AND g.person = '' AND g.parts > 0`;
    const groups = this.#database.all<{ id: number; parts: number }>(
      `SELECT g.id, g.parts FROM part_groups g WHERE ${waiting}`,
      projectId,
    );
    const ids = groups.flatMap(({ id }) =>
      this.#database.all<{ id: number }>('SELECT id FROM parts WHERE group_id = ? ORDER BY id LIMIT ?', id, limit),
    );
    const oldest = ids.map(({ id }) => id).sort((a, b) => a - b);
    return {
      total: groups.reduce((sum, { parts }) => sum + parts, 0),
      parts: this.#partsOf(oldest.slice(0, limit)).reverse(),
    };
  }

  statistics(filter: HistoryFilter, bucket: 'hour' | 'day' | 'week'): HistoryStatistics {
    const search = searchOf(filter);
    return statistics(this.#database, search, bucket, (from, to) => this.#ranges({ ...search, from, to }, null));
  }

  /** Newest first. */
  lots(projectId: string, limit = 2000): string[] {
    // From each lot to the next by the index, over the lot's groups.
    const next = `SELECT min(lot) FROM part_groups WHERE project_id = ?1 AND by_lot = 1 AND lot >`;
    return this.#database
      .all<{ lot: string }>(
        `WITH RECURSIVE found(lot) AS (${next} '' UNION ALL SELECT (${next} found.lot) FROM found WHERE lot IS NOT NULL)
         SELECT f.lot FROM found f WHERE f.lot IS NOT NULL ORDER BY (
           SELECT g.id FROM part_groups g WHERE g.project_id = ?1 AND g.by_lot = 1 AND g.lot = f.lot LIMIT 1) DESC LIMIT ?2`,
        projectId,
        limit,
      )
      .map(({ lot }) => lot);
  }

  #partsOf(ids: readonly number[]): StationPart[] {
    return this.#database
      .all<PartRow>(
        `SELECT ${partColumns} FROM parts WHERE id IN (SELECT value FROM json_each(?)) ORDER BY id DESC`,
        JSON.stringify(ids),
      )
      .map(partOf);
  }

  /** The newest matching ids, newest first. */
  #newestIds(search: Search, before: number | null, wanted: number): number[] {
    const { groups } = search;
    const groupIds = this.#database
      .all<{ id: number }>(`SELECT g.id FROM part_groups g WHERE ${groups.where}`, ...groups.values)
      .map(({ id }) => id);
    if (groupIds.length === 0) return [];
    const everything: IdRange = { first: 0, last: before === null ? Number.MAX_SAFE_INTEGER : before - 1 };
    if (search.serial === null && search.from === null && search.to === null)
      return this.#merge(search, groupIds, everything, wanted);
    const ranges = this.#ranges(search, before);
    const bounds = { first: ranges.at(-1)?.first ?? 1, last: ranges[0]?.last ?? 0 };
    if (search.serial !== null) return this.#withSerial(search, groupIds, bounds, wanted);
    const found: number[] = [];
    for (const range of ranges) {
      found.push(...this.#merge(search, groupIds, range, wanted - found.length));
      if (found.length >= wanted) break;
    }
    return found;
  }

  /**
   * Group by group. Where many serials begin so, the newest parts of the group are tried first: a beginning that all
   * serials share is found there at once. Else all its hits are sorted, in the index alone.
   */
  #withSerial(search: Search, groupIds: readonly number[], bounds: IdRange, wanted: number): number[] {
    const { column, index, serialIndex } = search.groups;
    const { from, to } = search.serial!;
    const { where, values } = residual({ ...search, serial: null });
    const found: number[] = [];
    for (const id of groupIds) {
      const hits = this.#database.value<number>(
        `SELECT count(*) FROM (SELECT 1 FROM parts INDEXED BY ${serialIndex}
           WHERE ${column} = ? AND serial >= ? AND serial < ? LIMIT ?)`,
        id,
        from,
        to,
        this.#serialHitsSorted + 1,
      )!;
      if (hits === 0) continue;
      const own = { first: bounds.first, last: bounds.last };
      if (hits > this.#serialHitsSorted) {
        const oldestTried =
          this.#database.value<number>(
            `SELECT id FROM parts INDEXED BY ${index} WHERE ${column} = ? AND id BETWEEN ? AND ?
             ORDER BY id DESC LIMIT 1 OFFSET ${newestTried}`,
            id,
            own.first,
            own.last,
          ) ?? own.first;
        const tried = this.#database.all<{ id: number }>(
          `SELECT p.id FROM parts p INDEXED BY ${index} WHERE p.${column} = ? AND p.id BETWEEN ? AND ?
             AND +p.serial >= ? AND +p.serial < ? ${where} ORDER BY p.id DESC LIMIT ?`,
          id,
          oldestTried,
          own.last,
          from,
          to,
          ...values,
          wanted,
        );
        for (const row of tried) found.push(row.id);
        if (tried.length >= wanted) continue;
        own.last = oldestTried - 1;
      }
      if (own.last < own.first) continue;
      const ids = this.#database.all<{ id: number }>(
        `SELECT p.id FROM parts p INDEXED BY ${serialIndex} WHERE p.${column} = ? AND p.serial >= ? AND p.serial < ?
           AND p.id BETWEEN ? AND ? ${where} ORDER BY p.id DESC LIMIT ?`,
        id,
        from,
        to,
        own.first,
        own.last,
        ...values,
        wanted,
      );
      for (const row of ids) found.push(row.id);
    }
    return newest(found, wanted);
  }

  /** Merges the groups' index ranges: only groups whose newest part is among the newest ones can add to the page. */
  #merge(search: Search, groupIds: readonly number[], range: IdRange, wanted: number): number[] {
    const { column, index } = search.groups;
    const { where, values } = residual(search);
    const tops = this.#database
      .all<{ id: number; top: number | null }>(
        `SELECT g.value AS id, (SELECT p.id FROM parts p INDEXED BY ${index} WHERE p.${column} = g.value
           AND p.id BETWEEN ? AND ? ${where} ORDER BY p.id DESC LIMIT 1) AS top FROM json_each(?) g`,
        range.first,
        range.last,
        ...values,
        JSON.stringify(groupIds),
      )
      .filter((group): group is { id: number; top: number } => group.top !== null)
      .sort((a, b) => b.top - a.top);
    let found: number[] = [];
    for (const { id, top } of tops) {
      const least = found.length < wanted ? range.first : found.at(-1)! + 1;
      if (top < least) break;
      const ids = this.#database.all<{ id: number }>(
        `SELECT p.id FROM parts p INDEXED BY ${index} WHERE p.${column} = ? AND p.id BETWEEN ? AND ? ${where}
         ORDER BY p.id DESC LIMIT ?`,
        id,
        least,
        top,
        ...values,
        wanted,
      );
      found = newest([...found, ...ids.map((row) => row.id)], wanted);
    }
    return found;
  }

  /** Where parts of these times and serials can be: ranges of ids, newest first. */
  #ranges(search: Search, before: number | null): IdRange[] {
    const { from, to, serial } = search;
    const conditions = ['block <= ?'];
    const values: SqlValue[] = [Math.floor((before ?? Number.MAX_SAFE_INTEGER) / blockSize)];
    const add = (condition: string, value: SqlValue): void => {
      conditions.push(condition);
      values.push(value);
    };
    if (from !== null) add('max_at >= ?', from);
    if (to !== null) add('min_at < ?', to);
    if (serial !== null) {
      add('max_serial >= ?', serial.from);
      add('min_serial < ?', serial.to);
    }
    const blocks = this.#database.all<{ block: number }>(
      `SELECT block FROM part_blocks WHERE ${conditions.join(' AND ')} ORDER BY block DESC`,
      ...values,
    );
    const ranges: IdRange[] = [];
    for (const { block } of blocks) {
      const first = block * blockSize;
      const newer = ranges.at(-1);
      if (newer !== undefined && newer.first - first <= (smallGap + 1) * blockSize) newer.first = first;
      else ranges.push({ first, last: first + blockSize - 1 });
    }
    if (before !== null && ranges[0] !== undefined) ranges[0].last = Math.min(ranges[0].last, before - 1);
    return ranges;
  }
}

function newest(ids: readonly number[], wanted: number): number[] {
  return ids.toSorted((a, b) => b - a).slice(0, wanted);
}
