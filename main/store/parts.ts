import type { Verdict } from '../../shared/detection.ts';
import { UserError } from '../../shared/errors.ts';
import type { StationCounters, StationPart } from '../../shared/station/domain.ts';
import type { Database } from './database.ts';
import type { LabelStore } from './labels.ts';
import type { PictureStore } from './pictures.ts';
import { type GroupKey, groupsOf } from './part-groups.ts';
import { millisecondsOf, numberOrNull, partColumns, partOf, type PartRow, textOrNull } from './part-row.ts';
import type { NewAnswer, NewDecision, NewPart, PersonAnswer, UndecidedPart } from './types.ts';

interface GroupRow {
  verdict: string;
  person: string;
  parts: number;
}

/** A part comes, gets exactly one verdict, and may get people's answers; every step is durable when it returns. */
export class PartStore {
  readonly #database: Database;
  readonly #pictures: PictureStore;
  readonly #labels: LabelStore;

  constructor(database: Database, pictures: PictureStore, labels: LabelStore) {
    this.#database = database;
    this.#pictures = pictures;
    this.#labels = labels;
  }

  /**
   * Writes that a part has come. One with a known `recordKey` is the same part: nothing is written.
   * @returns its id, and the verdict that it has already
   */
  present(part: NewPart): { partId: number; verdict: Verdict | null; known: boolean } {
    return this.#database.transaction(() => {
      const recordKey = part.recordKey ?? null;
      const fileState = part.fileState ?? null;
      const known =
        recordKey === null
          ? undefined
          : this.#database.get<{ id: number; verdict: Verdict | null }>(
              'SELECT id, verdict FROM parts WHERE project_id = ? AND record_key = ?',
              part.projectId,
              recordKey,
            );
      const partId = known?.id ?? this.#insert(part, recordKey);
      if (fileState !== null)
        this.#database.run(
          'INSERT OR REPLACE INTO seen_files(project_id, state, part_id) VALUES (?, ?, ?)',
          part.projectId,
          fileState,
          partId,
        );
      return { partId, verdict: known?.verdict ?? null, known: known !== undefined };
    });
  }

  #insert(part: NewPart, recordKey: string | null): number {
    const key: GroupKey = {
      projectId: part.projectId,
      lot: textOrNull(part.lot),
      className: null,
      station: part.station,
      verdict: null,
      personVerdict: null,
      defectClass: null,
    };
    const { groupId, lotGroupId } = groupsOf(this.#database, key);
    return this.#database.run(
      `INSERT INTO parts(project_id, record_key, pending_path, source, serial, lot, station, shift, presented_at,
         group_id, lot_group_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      part.projectId,
      recordKey,
      part.path ?? null,
      part.source,
      textOrNull(part.serial),
      key.lot,
      part.station,
      textOrNull(part.shift),
      millisecondsOf(part.presentedAt),
      groupId,
      lotGroupId,
    ).lastId;
  }

  /**
   * Writes the one verdict of a part.
   * @throws UserError `partUnknown`, `partDecided`
   */
  decide(partId: number, decision: NewDecision): StationPart {
    return this.#database.transaction(() => {
      const row = this.#row(partId);
      if (row.verdict !== null)
        throw new UserError('partDecided', `Part ${partId} has its verdict: ${row.verdict}.`, 'It stays as it is.');
      // A verdict other than "no decision" stands on a score; without one there is no decision.
      const predScore = numberOrNull(decision.predScore);
      const finite = Number.isFinite(decision.thresholds?.review) && Number.isFinite(decision.thresholds?.fail);
      const thresholds = finite ? decision.thresholds : null;
      const verdict = predScore === null || thresholds === null ? 'noDecision' : decision.verdict;
      const key = { ...groupKey(row), className: textOrNull(decision.className), verdict };
      const { groupId, lotGroupId } = groupsOf(this.#database, key);
      this.#database.run(
        `UPDATE parts SET class_name = ?, decided_at = ?, verdict = ?, reason = ?, pred_score = ?, local_score = ?,
           semantic_score = ?, memory_score = ?, local_share = ?, semantic_share = ?, memory_share = ?, hot_x = ?,
           hot_y = ?, hot_area_px = ?, review = ?, fail = ?, display_score = ?, latency_ms = ?, model_id = ?,
           model_hash = ?, picture_sha256 = ?, has_heat_map = ?, similar_sha256 = ?, drift_alarm_id = ?,
           drift_cause = ?, class_distance = ?, class_limit = ?, geometry = ?, group_id = ?, lot_group_id = ?
         WHERE id = ?`,
        key.className,
        millisecondsOf(decision.decidedAt),
        verdict,
        decision.reason,
        predScore,
        numberOrNull(decision.localScore),
        numberOrNull(decision.semanticScore),
        numberOrNull(decision.memoryScore),
        decision.shares?.local ?? null,
        decision.shares?.semantic ?? null,
        decision.shares?.memory ?? null,
        decision.hottest?.x ?? null,
        decision.hottest?.y ?? null,
        decision.hottest?.areaPx ?? null,
        thresholds?.review ?? null,
        thresholds?.fail ?? null,
        numberOrNull(decision.displayScore),
        numberOrNull(decision.latencyMs),
        decision.modelId,
        decision.modelHash,
        decision.pictureSha256,
        decision.hasHeatMap ? 1 : 0,
        decision.similarSha256,
        decision.drift?.alarmId ?? null,
        decision.drift?.cause ?? null,
        numberOrNull(decision.classDistance ?? null),
        numberOrNull(decision.classLimit ?? null),
        decision.geometry ? JSON.stringify(decision.geometry) : null,
        groupId,
        lotGroupId,
        partId,
      );
      if (decision.pictureSha256 !== null) this.#placePicture(row, decision, key.className, verdict);
      return this.get(partId)!;
    });
  }

  /** A judged part's picture is one of the project's, so that people can label it and it can be learned from. */
  #placePicture(row: PartRow, decision: NewDecision, className: string | null, verdict: Verdict): void {
    const sha256 = decision.pictureSha256!;
    if (this.#database.value('SELECT 1 FROM pictures WHERE sha256 = ?', sha256) === undefined) return;
    const classId =
      className === null
        ? undefined
        : this.#database.value<string>(
            'SELECT id FROM classes WHERE project_id = ? AND name = ? AND removed_at IS NULL',
            row.project_id,
            className,
          );
    const isNew = this.#pictures.place({
      projectId: row.project_id,
      sha256,
      classId: classId ?? null,
      use: 'inspected',
      fileName: (row.source.split(/[\\/]/).pop() ?? '').slice(0, 200),
      group: textOrNull(row.lot) ?? textOrNull(row.serial),
      addedAt: decision.decidedAt,
    });
    if (isNew) this.#labels.refresh(row.project_id, sha256);
    const known = this.#database.value('SELECT 1 FROM models WHERE id = ?', decision.modelId ?? '') !== undefined;
    if (known && decision.modelId !== null)
      this.#pictures.setScores(decision.modelId, [
        {
          sha256,
          predScore: numberOrNull(decision.predScore),
          verdict,
          className,
          classDistance: numberOrNull(decision.classDistance ?? null),
        },
      ]);
  }

  /** All outputs have heard of the verdict. */
  told(partId: number): void {
    this.#database.run('UPDATE parts SET told = 1, pending_path = NULL WHERE id = ?', partId);
  }

  /** Decided parts whose outputs may not have heard of it, oldest first. */
  untold(projectId: string): StationPart[] {
    return this.#database
      .all<PartRow>(
        `SELECT ${partColumns} FROM parts WHERE verdict IS NOT NULL AND told = 0 AND project_id = ? ORDER BY id`,
        projectId,
      )
      .map(partOf);
  }

  /** Parts without a verdict, oldest first: what a crash left. `projectId` null: of all projects. */
  undecided(projectId: string | null = null): UndecidedPart[] {
    return this.#database.all<UndecidedPart>(
      `SELECT id AS partId, project_id AS projectId, source, record_key AS recordKey, pending_path AS path
       FROM parts WHERE verdict IS NULL ${projectId === null ? '' : 'AND project_id = ?'} ORDER BY id`,
      ...(projectId === null ? [] : [projectId]),
    );
  }

  hasUndecided(projectId: string): boolean {
    return (
      this.#database.value('SELECT 1 FROM parts WHERE verdict IS NULL AND project_id = ? LIMIT 1', projectId) !==
      undefined
    );
  }

  /** Ends a part that can't be judged any more. */
  decideNothing(partId: number, reason: string, at: string): StationPart {
    return this.decide(partId, {
      verdict: 'noDecision',
      decidedAt: at,
      className: null,
      reason,
      predScore: null,
      localScore: null,
      semanticScore: null,
      memoryScore: null,
      shares: null,
      hottest: null,
      thresholds: null,
      displayScore: null,
      latencyMs: null,
      modelId: null,
      modelHash: null,
      pictureSha256: null,
      hasHeatMap: false,
      similarSha256: null,
    });
  }

  /** States of files that were presented before, newest first. */
  seenFiles(projectId: string, limit = 200_000): string[] {
    return this.#database
      .all<{ state: string }>(
        'SELECT state FROM seen_files WHERE project_id = ? ORDER BY part_id DESC LIMIT ?',
        projectId,
        limit,
      )
      .map(({ state }) => state);
  }

  get(partId: number): StationPart | null {
    const row = this.#database.get<PartRow>(`SELECT ${partColumns} FROM parts WHERE id = ?`, partId);
    return row === undefined ? null : partOf(row);
  }

  /** The newest part's id; 0 when there is none. Counters of a run start behind it. */
  newestId(): number {
    return this.#database.value<number>('SELECT coalesce(max(id), 0) FROM parts') ?? 0;
  }

  /**
   * Counts of a project: of all its parts, or of those after a part (of a run or shift: time grows with their number).
   */
  counters(projectId: string, afterPartId: number | null = null): StationCounters {
    const rows =
      afterPartId === null
        ? this.#database.all<GroupRow>(
            'SELECT verdict, person, parts FROM part_groups WHERE project_id = ? AND by_lot = 0',
            projectId,
          )
        : this.#database.all<GroupRow>(
            `SELECT g.verdict, g.person, count(*) AS parts FROM parts p JOIN part_groups g ON g.id = p.group_id
             WHERE p.id > ? AND p.project_id = ? GROUP BY p.group_id`,
            afterPartId,
            projectId,
          );
    return addUp(rows);
  }

  /** A person's answer; also a label of the part's picture. The newest answer holds. */
  answer(answer: NewAnswer): StationPart {
    return this.#database.transaction(() => {
      const row = this.#row(answer.partId);
      if (row.verdict === null)
        throw new UserError('partUndecided', `Part ${answer.partId} is still being judged.`, 'Wait for its verdict.');
      const label =
        row.picture_sha256 === null
          ? null
          : this.#labels.set({
              projectId: row.project_id,
              sha256: row.picture_sha256,
              gtLabel: answer.verdict,
              defectClass: answer.defectClass,
              regions: [],
              by: answer.by,
              at: answer.at,
              why: answer.why,
            });
      this.#database.run(
        `INSERT INTO person_answers(part_id, project_id, verdict, defect_class, why, by, at, label_id)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
        answer.partId,
        row.project_id,
        answer.verdict,
        answer.defectClass,
        answer.why,
        answer.by,
        answer.at,
        label?.id ?? null,
      );
      this.#refreshAnswer(row);
      return this.get(answer.partId)!;
    });
  }

  /** Takes back the person's newest answer in the project and the label that came with it. */
  undo(projectId: string, by: string, at: string): StationPart | null {
    return this.#database.transaction(() => {
      const answer = this.#database.get<{ id: number; part_id: number; label_id: number | null }>(
        `SELECT id, part_id, label_id FROM person_answers WHERE project_id = ? AND by = ? AND withdrawn_at IS NULL
         ORDER BY id DESC LIMIT 1`,
        projectId,
        by,
      );
      if (answer === undefined) return null;
      this.#database.run('UPDATE person_answers SET withdrawn_at = ? WHERE id = ?', at, answer.id);
      if (answer.label_id !== null) this.#labels.withdraw(answer.label_id, by, at);
      this.#refreshAnswer(this.#row(answer.part_id));
      return this.get(answer.part_id);
    });
  }

  /** Everything people said of a part, oldest first, also what they took back. */
  answers(partId: number): PersonAnswer[] {
    return this.#database.all<PersonAnswer>(
      `SELECT verdict, defect_class AS defectClass, why, by, at, withdrawn_at AS withdrawnAt
       FROM person_answers WHERE part_id = ? ORDER BY id`,
      partId,
    );
  }

  /** Writes what holds of a part's answers beside it; needed where answers were written by other means. */
  refreshAnswer(partId: number): void {
    this.#refreshAnswer(this.#row(partId));
  }

  #refreshAnswer(row: PartRow): void {
    const held = this.#database.get<{ verdict: string; by: string; defect_class: string | null }>(
      `SELECT verdict, by, defect_class FROM person_answers WHERE part_id = ? AND withdrawn_at IS NULL
       ORDER BY id DESC LIMIT 1`,
      row.id,
    );
    const defectClass = textOrNull(held?.defect_class ?? null);
    const key = { ...groupKey(row), personVerdict: held?.verdict ?? null, defectClass };
    const { groupId, lotGroupId } = groupsOf(this.#database, key);
    this.#database.run(
      `UPDATE parts SET person_verdict = ?, person_name = ?, defect_class = ?, group_id = ?, lot_group_id = ?
       WHERE id = ?`,
      key.personVerdict,
      held?.by ?? null,
      defectClass,
      groupId,
      lotGroupId,
      row.id,
    );
  }

  #row(partId: number): PartRow {
    const row = this.#database.get<PartRow>(`SELECT ${partColumns} FROM parts WHERE id = ?`, partId);
    if (row === undefined) throw new UserError('partUnknown', `There is no part ${partId}.`, 'Load the list again.');
    return row;
  }
}

function groupKey(row: PartRow): GroupKey {
  return {
    projectId: row.project_id,
    lot: row.lot,
    className: row.class_name,
    station: row.station,
    verdict: row.verdict,
    personVerdict: row.person_verdict,
    defectClass: row.defect_class,
  };
}

/** Sums groups into counters. */
function addUp(rows: readonly GroupRow[]): StationCounters {
  const counters: StationCounters = { presented: 0, pass: 0, fail: 0, review: 0, noDecision: 0, waitingForReview: 0 };
  for (const { verdict, person, parts } of rows) {
    counters.presented += parts;
    if (verdict === 'pass' || verdict === 'fail' || verdict === 'review' || verdict === 'noDecision')
      counters[verdict] += parts;
    if (verdict === 'review' && person === '') counters.waitingForReview += parts;
  }
  return counters;
}
