import type { CameraSettings, DriftAlarm } from '../../shared/drift/types.ts';
import type { StreamValues } from '../../shared/drift/baseline.ts';
import type { DriftAlarmRow, DriftEnd } from '../../shared/ipc/drift.ts';
import type { Database } from './database.ts';

/** What a project's drift guard compares with, and since when. */
export interface GuardRow {
  modelId: string;
  modelHash: string;
  /** What of the recipe the picture depends on, as one text. */
  recipe: string;
  /** Time of the baseline; empty while there is none. */
  baselineAt: string;
  begunAt: string;
  because: 'first' | DriftEnd;
  /** Camera settings that hold; null: none are known. */
  camera: CameraSettings | null;
  /** Camera settings as they were last seen. */
  cameraSeen: CameraSettings | null;
}

/** Numbers of a judged part as the guard takes them. */
export interface PartValues {
  className: string;
  /** Null: the baseline doesn't know the class. */
  values: StreamValues | null;
  /** ISO 8601. */
  at: string;
}

/** An alarm's own words beside its place in the history. */
export type AlarmBody = Pick<DriftAlarm, 'cause' | 'streams' | 'sinceAt' | 'change'> & {
  detail: string;
  message: string;
};

interface AlarmRow {
  id: number;
  project_id: string;
  model_id: string;
  found_at: string;
  body: string;
  ended_how: DriftEnd | null;
  ended_by: string | null;
  ended_at: string | null;
  reason: string | null;
  parts: number;
}

const alarmColumns = `a.id, a.project_id, a.model_id, a.found_at, a.body, a.ended_how, a.ended_by, a.ended_at, a.reason,
  (SELECT count(*) FROM parts p WHERE p.drift_alarm_id = a.id) AS parts`;

/** The drift guards' memory: what they compare with, the numbers they have seen, and every alarm for good. */
export class DriftStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  guard(projectId: string): GuardRow | null {
    const body = this.#database.value<string>('SELECT body FROM drift_guards WHERE project_id = ?', projectId);
    return body === undefined ? null : (JSON.parse(body) as GuardRow);
  }

  setGuard(projectId: string, guard: GuardRow): void {
    this.#database.run(
      'INSERT INTO drift_guards(project_id, body) VALUES (?, ?) ON CONFLICT DO UPDATE SET body = excluded.body',
      projectId,
      JSON.stringify(guard),
    );
  }

  /** Numbers of the parts that a guard has taken since it began, in their order. */
  values(projectId: string): PartValues[] {
    return this.#database
      .all<{ body: string }>('SELECT body FROM drift_values WHERE project_id = ? ORDER BY id', projectId)
      .map(({ body }) => JSON.parse(body) as PartValues);
  }

  addValues(projectId: string, values: readonly PartValues[]): void {
    this.#database.transaction(() => {
      for (const one of values)
        this.#database.run('INSERT INTO drift_values(project_id, body) VALUES (?, ?)', projectId, JSON.stringify(one));
    });
  }

  clearValues(projectId: string): void {
    this.#database.run('DELETE FROM drift_values WHERE project_id = ?', projectId);
  }

  /** @returns the alarm's number */
  addAlarm(projectId: string, modelId: string, foundAt: string, body: AlarmBody): number {
    return this.#database.run(
      'INSERT INTO drift_alarms(project_id, model_id, found_at, body) VALUES (?, ?, ?, ?)',
      projectId,
      modelId,
      foundAt,
      JSON.stringify(body),
    ).lastId;
  }

  /** A better name for what an alarm is about, found shortly after it. */
  renameAlarm(id: number, body: AlarmBody): void {
    this.#database.run('UPDATE drift_alarms SET body = ? WHERE id = ? AND ended_at IS NULL', JSON.stringify(body), id);
  }

  endAlarm(id: number, ended: { how: DriftEnd; by: string; at: string; reason: string }): void {
    this.#database.run(
      'UPDATE drift_alarms SET ended_how = ?, ended_by = ?, ended_at = ?, reason = ? WHERE id = ? AND ended_at IS NULL',
      ended.how,
      ended.by,
      ended.at,
      ended.reason,
      id,
    );
  }

  /** The alarm that stands. */
  standing(projectId: string): DriftAlarmRow | null {
    const row = this.#database.get<AlarmRow>(
      `SELECT ${alarmColumns} FROM drift_alarms a WHERE a.project_id = ? AND a.ended_at IS NULL ORDER BY a.id DESC LIMIT 1`,
      projectId,
    );
    return row === undefined ? null : alarmOf(row);
  }

  /** Newest first. */
  alarms(projectId: string, limit = 200): DriftAlarmRow[] {
    return this.#database
      .all<AlarmRow>(
        `SELECT ${alarmColumns} FROM drift_alarms a WHERE a.project_id = ? ORDER BY a.id DESC LIMIT ?`,
        projectId,
        limit,
      )
      .map(alarmOf);
  }
}

function alarmOf(row: AlarmRow): DriftAlarmRow {
  return {
    id: row.id,
    projectId: row.project_id,
    modelId: row.model_id,
    foundAt: row.found_at,
    ...(JSON.parse(row.body) as AlarmBody),
    parts: row.parts,
    ended:
      row.ended_at === null
        ? null
        : { how: row.ended_how!, by: row.ended_by ?? '', at: row.ended_at, reason: row.reason ?? '' },
  };
}
