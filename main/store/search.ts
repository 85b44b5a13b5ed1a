import type { HistoryFilter } from '../../shared/ipc/history.ts';
import type { SqlValue } from './database.ts';
import { groupCondition, type GroupCondition } from './part-groups.ts';
import { millisecondsOf } from './part-row.ts';

/** Ids from `first` to `last`, both included. */
export interface IdRange {
  first: number;
  last: number;
}

/** A filter as the searches need it. */
export interface Search {
  groups: GroupCondition;
  /** Milliseconds; from is included, to is not. */
  from: number | null;
  to: number | null;
  /** Beginning of the serial and the first text after all that begin with it. */
  serial: { from: string; to: string } | null;
}

export function searchOf(filter: HistoryFilter): Search {
  return {
    groups: groupCondition(filter),
    from: filter.from === null ? null : millisecondsOf(filter.from),
    to: filter.to === null ? null : millisecondsOf(filter.to),
    serial:
      filter.serial === null || filter.serial === '' ? null : { from: filter.serial, to: `${filter.serial}\u{10FFFF}` },
  };
}

/** Condition on `parts p` for what no index range covers. */
export function residual(search: Search): { where: string; values: SqlValue[] } {
  let where = '';
  const values: SqlValue[] = [];
  const add = (condition: string, value: SqlValue): void => {
    where += ` AND ${condition}`;
    values.push(value);
  };
  if (search.from !== null) add('p.presented_at >= ?', search.from);
  if (search.to !== null) add('p.presented_at < ?', search.to);
  if (search.serial !== null) {
    add('p.serial >= ?', search.serial.from);
    add('p.serial < ?', search.serial.to);
  }
  return { where, values };
}
