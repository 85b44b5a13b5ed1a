import { z } from 'zod';
import { type Label, region, type StationPicture } from '../../shared/station/domain.ts';
import type { Database } from './database.ts';
import type { PictureStore } from './pictures.ts';
import type { NewLabel } from './types.ts';

type LabelRow = Omit<Label, 'regions'> & { regions: string };

const labelColumns = `id, sha256, project_id AS projectId, gt_label AS gtLabel, defect_class AS defectClass, regions, by,
  at, why, replaces`;
const regions = z.array(region);

/**
 * People's answers about pictures. A label is never changed or removed: a later one replaces it, and taking one back is
 * a record of its own. What holds is the newest one not taken back.
 *
 * Two people who answer differently are in conflict until they agree, or until somebody labels with a reason: that
 * settles it, and only answers from then on count.
 */
export class LabelStore {
  readonly #database: Database;
  readonly #pictures: PictureStore;

  constructor(database: Database, pictures: PictureStore) {
    this.#database = database;
    this.#pictures = pictures;
  }

  set(given: NewLabel): Label {
    return this.#database.transaction(() => {
      const { lastId } = this.#database.run(
        `INSERT INTO labels(project_id, sha256, gt_label, defect_class, regions, by, at, why, replaces)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
        given.projectId,
        given.sha256,
        given.gtLabel,
        given.defectClass,
        JSON.stringify(given.regions),
        given.by,
        given.at,
        given.why,
        this.#held(given.projectId, given.sha256)[0]?.id ?? null,
      );
      this.#refresh(given.projectId, given.sha256);
      return labelOf(this.#database.get<LabelRow>(`SELECT ${labelColumns} FROM labels WHERE id = ?`, lastId)!);
    });
  }

  /** Takes back the person's newest label, but not one that came with an answer about a part (`parts.undo` does). */
  undo(projectId: string, by: string, at: string): Label | null {
    const row = this.#database.get<LabelRow>(
      `SELECT ${labelColumns} FROM labels WHERE project_id = ? AND by = ?
         AND id NOT IN (SELECT label_id FROM label_withdrawals)
         AND id NOT IN (SELECT label_id FROM person_answers WHERE label_id IS NOT NULL)
       ORDER BY id DESC LIMIT 1`,
      projectId,
      by,
    );
    if (row === undefined) return null;
    this.withdraw(row.id, by, at);
    return labelOf(row);
  }

  /** Takes one label back: the one before it holds again. */
  withdraw(labelId: number, by: string, at: string): void {
    this.#database.transaction(() => {
      this.#database.run('INSERT OR IGNORE INTO label_withdrawals(label_id, by, at) VALUES (?, ?, ?)', labelId, by, at);
      const label = this.#database.get<{ project_id: string; sha256: string }>(
        'SELECT project_id, sha256 FROM labels WHERE id = ?',
        labelId,
      );
      if (label !== undefined) this.#refresh(label.project_id, label.sha256);
    });
  }

  /** All labels of a picture that were not taken back, newest first. */
  of(projectId: string, sha256: string): Label[] {
    return this.#held(projectId, sha256).map(labelOf);
  }

  conflicts(projectId: string, limit = 500): { picture: StationPicture; labels: Label[] }[] {
    return this.#database
      .all<{ sha256: string }>(
        `SELECT sha256 FROM project_pictures WHERE project_id = ? AND conflict = 1 ORDER BY label_id DESC LIMIT ?`,
        projectId,
        limit,
      )
      .map(({ sha256 }) => ({
        picture: this.#pictures.get(projectId, sha256),
        labels: this.of(projectId, sha256),
      }));
  }

  progress(projectId: string): { labelled: number; total: number; conflicts: number; defectClasses: string[] } {
    const counts = this.#database.get<{ labelled: number; total: number; conflicts: number }>(
      `SELECT count(gt_label) AS labelled, count(*) AS total, coalesce(sum(conflict), 0) AS conflicts
       FROM project_pictures WHERE project_id = ?`,
      projectId,
    );
    const named = this.#database.all<{ name: string }>(
      `SELECT defect_class AS name FROM project_pictures WHERE project_id = ? AND defect_class IS NOT NULL
       UNION SELECT defect_class FROM part_groups WHERE project_id = ? AND defect_class <> '' ORDER BY name`,
      projectId,
      projectId,
    );
    return { labelled: 0, total: 0, conflicts: 0, ...counts, defectClasses: named.map(({ name }) => name) };
  }

  /** Writes what holds now beside the picture; call it when a labelled picture gets its place in a project. */
  refresh(projectId: string, sha256: string): void {
    this.#refresh(projectId, sha256);
  }

  #held(projectId: string, sha256: string): LabelRow[] {
    return this.#database.all<LabelRow>(
      `SELECT ${labelColumns} FROM labels WHERE project_id = ? AND sha256 = ?
       AND id NOT IN (SELECT label_id FROM label_withdrawals) ORDER BY id DESC`,
      projectId,
      sha256,
    );
  }

  #refresh(projectId: string, sha256: string): void {
    const held = this.#held(projectId, sha256);
    const newest = held[0];
    this.#database.run(
      `UPDATE project_pictures SET label_id = ?, gt_label = ?, defect_class = ?, conflict = ?
       WHERE project_id = ? AND sha256 = ?`,
      newest?.id ?? null,
      newest?.gtLabel ?? null,
      newest?.defectClass ?? null,
      inConflict(held) ? 1 : 0,
      projectId,
      sha256,
    );
  }
}

/** @param held newest first */
function inConflict(held: readonly Pick<Label, 'by' | 'gtLabel' | 'why'>[]): boolean {
  const settled = held.findIndex(({ why }) => why !== null && why !== '');
  const counting = settled < 0 ? held : held.slice(0, settled + 1);
  const answers = new Map<string, string>();
  for (const { by, gtLabel } of counting) if (!answers.has(by)) answers.set(by, gtLabel);
  const values = new Set(answers.values());
  return values.has('pass') && values.has('fail');
}

function labelOf(row: LabelRow): Label {
  return { ...row, regions: regions.parse(JSON.parse(row.regions)) };
}
