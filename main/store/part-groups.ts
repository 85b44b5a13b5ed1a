import type { HistoryFilter } from '../../shared/ipc/history.ts';
import type { Database, SqlValue } from './database.ts';

/** What the history filters by, as far as it has few values. */
export interface GroupKey {
  projectId: string;
  lot: string | null;
  className: string | null;
  station: string;
  verdict: string | null;
  personVerdict: string | null;
  defectClass: string | null;
}

/**
 * Parts with the same class, station, verdict and person's answer form a group, and each part knows its group. Whatever
 * a filter combines, it's a set of groups (some hundreds at most): a page is a merge of a few index ranges, and counts
 * are sums of the groups' counts. There may be very many lots, so a part is in two groups: one that knows no lot, one of
 * its lot; a filter with a lot uses the second kind.
 */
export interface PartGroups {
  groupId: number;
  lotGroupId: number;
}

/** Ids of a part's two groups; made where there are none yet. */
export function groupsOf(database: Database, key: GroupKey): PartGroups {
  return { groupId: groupId(database, key, false), lotGroupId: groupId(database, key, true) };
}

function groupId(database: Database, key: GroupKey, byLot: boolean): number {
  const values: SqlValue[] = [
    key.projectId,
    byLot ? 1 : 0,
    byLot ? (key.lot ?? '') : '',
    key.className ?? '',
    key.station,
    key.verdict ?? '',
    key.personVerdict ?? '',
    key.defectClass ?? '',
  ];
  const known = database.value<number>(
    `SELECT id FROM part_groups WHERE project_id = ? AND by_lot = ? AND lot = ? AND class_name = ? AND station = ?
     AND verdict = ? AND person = ? AND defect_class = ?`,
    ...values,
  );
  if (known !== undefined) return known;
  return database.run(
    `INSERT INTO part_groups(project_id, by_lot, lot, class_name, station, verdict, person, defect_class)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
    ...values,
  ).lastId;
}

/** A filter's groups as a condition on `part_groups g`. */
export interface GroupCondition {
  /** Which of a part's groups, and the tables that go with it. */
  column: 'group_id' | 'lot_group_id';
  index: string;
  serialIndex: string;
  hours: 'group_hours' | 'lot_group_hours';
  where: string;
  values: SqlValue[];
}

const personConditions: Record<HistoryFilter['person'], string | null> = {
  any: null,
  none: "g.person = ''",
  pass: "g.person = 'pass'",
  fail: "g.person = 'fail'",
  disagrees: "((g.verdict = 'pass' AND g.person = 'fail') OR (g.verdict = 'fail' AND g.person = 'pass'))",
};

export function groupCondition(filter: HistoryFilter): GroupCondition {
  const byLot = filter.lot !== null;
  const conditions = ['g.project_id = ?', `g.by_lot = ${byLot ? 1 : 0}`, 'g.parts > 0'];
  const values: SqlValue[] = [filter.projectId];
  const given = { lot: filter.lot, class_name: filter.className, station: filter.station, verdict: filter.verdict };
  for (const [column, value] of Object.entries(given)) {
    if (value === null) continue;
    conditions.push(`g.${column} = ?`);
    values.push(value);
  }
  const person = personConditions[filter.person];
  if (person !== null) conditions.push(person);
  return {
    column: byLot ? 'lot_group_id' : 'group_id',
    index: byLot ? 'parts_by_lot_group' : 'parts_by_group',
    serialIndex: byLot ? 'parts_by_lot_group_serial' : 'parts_by_group_serial',
    hours: byLot ? 'lot_group_hours' : 'group_hours',
    where: conditions.join(' AND '),
    values,
  };
}
