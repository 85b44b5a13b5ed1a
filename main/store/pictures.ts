import { existsSync } from 'node:fs';
import { UserError } from '../../shared/errors.ts';
import type { PictureUse, StationPicture } from '../../shared/station/domain.ts';
import type { ChannelInput } from '../../shared/ipc/contract.ts';
import type { Database, SqlValue } from './database.ts';
import { newId, type StationFiles } from './files.ts';
import type { NormalSnapshot } from '../../shared/ipc/projects.ts';
import type {
  NewPictureFile,
  NewProjectPicture,
  PictureScore,
  StoredPictureFile,
  StoredSnapshot,
  TrainingPicture,
} from './types.ts';

type ListQuery = ChannelInput<'pictures.list'>;

/** Columns of a `StationPicture`; scores are those of the project's active model. */
const pictureColumns = `pp.sha256, pp.project_id AS projectId, pp.class_id AS classId, pp.use, pp.file_name AS fileName,
  p.width_px AS widthPx, p.height_px AS heightPx, pp.added_at AS addedAt, pp.group_name AS "group", p.sharpness,
  s.pred_score AS predScore, pp.gt_label AS gtLabel, pp.defect_class AS defectClass`;
const pictureTables = `project_pictures pp JOIN pictures p ON p.sha256 = pp.sha256
  LEFT JOIN models m ON m.project_id = pp.project_id AND m.state = 'active'
  LEFT JOIN picture_scores s ON s.model_id = m.id AND s.sha256 = pp.sha256`;
/** Certain and contradicted first: how far the score lies on the other side of the threshold than the label says. */
const disagreement = `CASE pp.gt_label WHEN 'pass' THEN s.pred_score - m.fail WHEN 'fail' THEN m.fail - s.pred_score END`;
const orders: Record<ListQuery['sort'], string> = {
  newest: 'pp.id DESC',
  score: 's.pred_score IS NULL, s.pred_score DESC, pp.id DESC',
  uncertainty: 's.pred_score IS NULL, abs(s.pred_score - (m.review + m.fail) / 2), pp.id DESC',
  disagreement: `pp.conflict DESC, ${disagreement} IS NULL, ${disagreement} DESC, pp.id DESC`,
};

/** What is known of a picture file, for suggestions. */
export interface PictureFacts {
  sha256: string;
  classId: string | null;
  sharpness: number | null;
  perceptualHash: string | null;
  descriptor: Float32Array | null;
  predScore: number | null;
}

/** Picture files and their places in projects. */
export class PictureStore {
  readonly #database: Database;
  readonly #files: StationFiles;

  constructor(database: Database, files: StationFiles) {
    this.#database = database;
    this.#files = files;
  }

  /** Keeps a picture's bytes and what decoding told of them. @returns its sha256 */
  async addFile({ bytes, ...facts }: NewPictureFile, addedAt: string): Promise<string> {
    const sha256 = await this.#files.addPicture(bytes, facts.extension);
    this.register({ ...facts, sha256, byteCount: bytes.length }, addedAt);
    return sha256;
  }

  /** Notes a picture whose file lies in its place already (`files.addPicture`, in whatever process). */
  register(file: StoredPictureFile, addedAt: string): void {
    const descriptor = file.descriptor ?? null;
    this.#database.run(
      `INSERT INTO pictures(sha256, extension, bytes, width_px, height_px, sharpness, perceptual_hash, descriptor, added_at)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT DO UPDATE SET extension = excluded.extension, file_removed_at = NULL,
         sharpness = coalesce(excluded.sharpness, sharpness),
         perceptual_hash = coalesce(excluded.perceptual_hash, perceptual_hash),
         descriptor = coalesce(excluded.descriptor, descriptor)`,
      file.sha256,
      file.extension,
      file.byteCount,
      file.widthPx,
      file.heightPx,
      file.sharpness ?? null,
      file.perceptualHash ?? null,
      descriptor && new Uint8Array(descriptor.buffer, descriptor.byteOffset, descriptor.byteLength),
      addedAt,
    );
  }

  /** Absolute path of a picture's file; null when it isn't kept (any more). */
  path(sha256: string): string | null {
    const extension = this.#database.value<string>(
      'SELECT extension FROM pictures WHERE sha256 = ? AND file_removed_at IS NULL',
      sha256,
    );
    if (extension === undefined) return null;
    const path = this.#files.picturePath(sha256, extension);
    return existsSync(path) ? path : null;
  }

  /**
   * Gives a picture its place in a project. One that has a place keeps its labels; a judged part's picture may become
   * a normal or golden one, never the other way round.
   * @returns whether it's new to the project
   */
  place(picture: NewProjectPicture): boolean {
    const known = this.#database.value<PictureUse>(
      'SELECT use FROM project_pictures WHERE project_id = ? AND sha256 = ?',
      picture.projectId,
      picture.sha256,
    );
    if (known === undefined) {
      this.#database.run(
        `INSERT INTO project_pictures(project_id, sha256, class_id, use, file_name, group_name, added_at)
         VALUES (?, ?, ?, ?, ?, ?, ?)`,
        picture.projectId,
        picture.sha256,
        picture.classId,
        picture.use,
        picture.fileName,
        picture.group,
        picture.addedAt,
      );
      return true;
    }
    if (known === 'inspected' && picture.use !== 'inspected') {
      this.setUse(picture.projectId, [picture.sha256], picture.use, picture.classId);
      return true;
    }
    return false;
  }

  find(projectId: string, sha256: string): StationPicture | null {
    const sql = `SELECT ${pictureColumns} FROM ${pictureTables} WHERE pp.project_id = ? AND pp.sha256 = ?`;
    return this.#database.get<StationPicture>(sql, projectId, sha256) ?? null;
  }

  /** @throws UserError `pictureUnknown` */
  get(projectId: string, sha256: string): StationPicture {
    const found = this.find(projectId, sha256);
    if (found === null)
      throw new UserError('pictureUnknown', 'The project has no such picture (any more).', 'Load the list again.');
    return found;
  }

  list(query: ListQuery): { total: number; pictures: StationPicture[] } {
    const conditions = ['pp.project_id = ?'];
    const values: SqlValue[] = [query.projectId];
    if (query.classId !== null) {
      conditions.push('pp.class_id = ?');
      values.push(query.classId);
    }
    if (query.use !== null) {
      conditions.push('pp.use = ?');
      values.push(query.use);
    }
    if (query.label === 'none') conditions.push('pp.gt_label IS NULL');
    else if (query.label !== 'any') {
      conditions.push('pp.gt_label = ?');
      values.push(query.label);
    }
    const where = conditions.join(' AND ');
    return {
      total: this.#database.value<number>(`SELECT count(*) FROM project_pictures pp WHERE ${where}`, ...values) ?? 0,
      pictures: this.#database.all<StationPicture>(
        `SELECT ${pictureColumns} FROM ${pictureTables} WHERE ${where} ORDER BY ${orders[query.sort]} LIMIT ? OFFSET ?`,
        ...values,
        query.limit,
        query.offset,
      ),
    };
  }

  /** `classId` null leaves the class as it is. */
  setUse(projectId: string, sha256s: readonly string[], use: PictureUse, classId: string | null): number {
    return this.#database.transaction(() => {
      let changed = 0;
      for (const sha256 of sha256s)
        changed += this.#database.run(
          `UPDATE project_pictures SET use = ?, class_id = coalesce(?, class_id)
           WHERE project_id = ? AND sha256 = ?`,
          use,
          classId,
          projectId,
          sha256,
        ).changes;
      return changed;
    });
  }

  /** Takes pictures out of a project; labels stay in the record, files until storage is cleaned. */
  remove(projectId: string, sha256s: readonly string[]): number {
    return this.#database.transaction(() => {
      let removed = 0;
      for (const sha256 of sha256s)
        removed += this.#database.run(
          'DELETE FROM project_pictures WHERE project_id = ? AND sha256 = ?',
          projectId,
          sha256,
        ).changes;
      return removed;
    });
  }

  /** What suggestions are made from, oldest first. */
  facts(projectId: string, uses: readonly PictureUse[] = ['normal', 'calibration']): PictureFacts[] {
    const rows = this.#database.all<Omit<PictureFacts, 'descriptor'> & { descriptor: Uint8Array | null }>(
      `SELECT pp.sha256, pp.class_id AS classId, p.sharpness, p.perceptual_hash AS perceptualHash, p.descriptor,
         s.pred_score AS predScore
       FROM ${pictureTables} WHERE pp.project_id = ? AND pp.use IN (SELECT value FROM json_each(?)) ORDER BY pp.id`,
      projectId,
      JSON.stringify(uses),
    );
    return rows.map((row) => ({
      ...row,
      descriptor: row.descriptor && new Float32Array(new Uint8Array(row.descriptor).buffer),
    }));
  }

  /** Pictures with a class, for training (`normal`, `calibration`) and gates (`golden`), in a fixed order. */
  forTraining(projectId: string, uses: readonly PictureUse[]): TrainingPicture[] {
    const rows = this.#database.all<Omit<TrainingPicture, 'path'> & { extension: string }>(
      `SELECT pp.sha256, p.extension, pp.file_name AS fileName, c.name AS className, pp.use, pp.group_name AS "group",
         pp.gt_label AS gtLabel, pp.defect_class AS defectClass
       FROM project_pictures pp JOIN pictures p ON p.sha256 = pp.sha256 JOIN classes c ON c.id = pp.class_id
       WHERE pp.project_id = ? AND p.file_removed_at IS NULL AND pp.use IN (SELECT value FROM json_each(?))
       ORDER BY c.name, pp.use, pp.id`,
      projectId,
      JSON.stringify(uses),
    );
    return rows.map(({ extension, ...row }) => ({ ...row, path: this.#files.picturePath(row.sha256, extension) }));
  }

  /** Freezes a set of pictures. */
  takeSnapshot(snapshot: Omit<StoredSnapshot, 'id'> & { id?: string }): StoredSnapshot {
    const id = snapshot.id ?? newId();
    this.#database.transaction(() => {
      this.#database.run(
        'INSERT INTO snapshots(id, project_id, created_at, created_by, hash) VALUES (?, ?, ?, ?, ?)',
        id,
        snapshot.projectId,
        snapshot.createdAt,
        snapshot.createdBy,
        snapshot.hash,
      );
      for (const { sha256, className, use } of snapshot.pictures)
        this.#database.run('INSERT OR IGNORE INTO snapshot_pictures VALUES (?, ?, ?, ?)', id, sha256, className, use);
    });
    return { ...snapshot, id };
  }

  snapshot(snapshotId: string): StoredSnapshot | null {
    const row = this.#database.get<Omit<StoredSnapshot, 'pictures'>>(
      `SELECT id, project_id AS projectId, created_at AS createdAt, created_by AS createdBy, hash
       FROM snapshots WHERE id = ?`,
      snapshotId,
    );
    if (row === undefined) return null;
    const pictures = this.#database.all<StoredSnapshot['pictures'][number]>(
      'SELECT sha256, class_name AS className, use FROM snapshot_pictures WHERE snapshot_id = ? ORDER BY class_name, sha256',
      snapshotId,
    );
    return { ...row, pictures };
  }

  /** What models learned from, newest first, with how the set of today differs. */
  snapshots(projectId: string): NormalSnapshot[] {
    const rows = this.#database.all<Pick<NormalSnapshot, 'id' | 'createdAt' | 'createdBy' | 'hash'>>(
      `SELECT id, created_at AS createdAt, created_by AS createdBy, hash FROM snapshots s WHERE project_id = ?
         AND EXISTS (SELECT 1 FROM snapshot_pictures WHERE snapshot_id = s.id) ORDER BY created_at DESC, id`,
      projectId,
    );
    const count = (sql: string, ...values: SqlValue[]): number => this.#database.value<number>(sql, ...values) ?? 0;
    const today = "project_id = ? AND use IN ('normal', 'calibration')";
    return rows.map((row) => ({
      ...row,
      classes: this.#database.all<NormalSnapshot['classes'][number]>(
        `SELECT class_name AS name, sum(use = 'normal') AS normal, sum(use = 'calibration') AS calibration
         FROM snapshot_pictures WHERE snapshot_id = ? GROUP BY class_name ORDER BY class_name`,
        row.id,
      ),
      models: this.#database
        .all<{ version: number }>('SELECT version FROM models WHERE snapshot_id = ? ORDER BY version', row.id)
        .map(({ version }) => version),
      addedSince: count(
        `SELECT count(*) FROM project_pictures WHERE ${today}
           AND sha256 NOT IN (SELECT sha256 FROM snapshot_pictures WHERE snapshot_id = ?)`,
        projectId,
        row.id,
      ),
      removedSince: count(
        `SELECT count(*) FROM snapshot_pictures WHERE snapshot_id = ?
           AND sha256 NOT IN (SELECT sha256 FROM project_pictures WHERE ${today})`,
        row.id,
        projectId,
      ),
    }));
  }

  /** A model's scores of pictures; each replaces the one before. */
  setScores(modelId: string, scores: readonly PictureScore[]): void {
    this.#database.transaction(() => {
      for (const { sha256, predScore, verdict, className, classDistance } of scores)
        this.#database.run(
          `INSERT OR REPLACE INTO picture_scores(model_id, sha256, pred_score, verdict, class_name, class_distance)
           VALUES (?, ?, ?, ?, ?, ?)`,
          modelId,
          sha256,
          predScore,
          verdict,
          className,
          classDistance,
        );
    });
  }

  /** A model's scores by picture. */
  scores(modelId: string): Map<string, PictureScore> {
    const rows = this.#database.all<PictureScore>(
      `SELECT sha256, pred_score AS predScore, verdict, class_name AS className, class_distance AS classDistance
       FROM picture_scores WHERE model_id = ?`,
      modelId,
    );
    return new Map(rows.map((score) => [score.sha256, score]));
  }
}
