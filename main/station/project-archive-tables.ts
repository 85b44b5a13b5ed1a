import { z } from 'zod';
import { driftCauses } from '../../shared/drift/types.ts';

/** Tables of an archive, in the order they are read back: each row names only what came before it. */
const text = z.string().max(100_000);
const textOrNull = text.nullable();
const number = z.number().nullable();
const integer = z.int();
const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const key = z.string().regex(/^[A-Za-z0-9_-]{1,64}$/);

const uses = z.enum(['normal', 'calibration', 'golden', 'inspected']);
const labels = z.enum(['pass', 'fail', 'unsure']);
const passOrFail = z.enum(['pass', 'fail']);

/** What a picture file may be called; `main/pictures` reads these. */
export const pictureExtensions = ['png', 'jpg', 'bmp', 'webp', 'tiff'] as const;

/** Columns that are written and read back; what the store derives (groups, held labels, counts) is not among them. */
export const archiveTables = {
  projects: z.strictObject({ id: key, name: text, note: text, created_at: text, px_per_mm: number }),
  classes: z.strictObject({ id: key, name: text, removed_at: textOrNull }),
  pictures: z.strictObject({
    sha256,
    extension: z.enum(pictureExtensions),
    bytes: integer,
    width_px: integer,
    height_px: integer,
    sharpness: number,
    perceptual_hash: z
      .string()
      .regex(/^[0-9a-f]{16}$/)
      .nullable(),
    added_at: text,
    file_removed_at: textOrNull,
  }),
  labels: z.strictObject({
    id: integer,
    sha256,
    gt_label: labels,
    defect_class: textOrNull,
    regions: z.string().max(2_000_000),
    by: text,
    at: text,
    why: textOrNull,
    replaces: integer.nullable(),
  }),
  label_withdrawals: z.strictObject({ label_id: integer, by: text, at: text }),
  project_pictures: z.strictObject({
    sha256,
    class_id: key.nullable(),
    use: uses,
    file_name: text,
    group_name: textOrNull,
    added_at: text,
  }),
  recipes: z.strictObject({ id: key, body: text, updated_at: text, removed_at: textOrNull }),
  snapshots: z.strictObject({ id: key, created_at: text, created_by: text, hash: text }),
  snapshot_pictures: z.strictObject({ snapshot_id: key, sha256, class_name: text, use: uses }),
  models: z.strictObject({
    id: key,
    version: integer,
    state: z.enum(['candidate', 'active', 'previous', 'retired']),
    file_name: z.string().max(200),
    model_hash: sha256,
    snapshot_id: key,
    created_at: text,
    created_by: text,
    review: z.number(),
    fail: z.number(),
    basis: text,
    body: z.string().max(2_000_000),
    gates: z.string().max(8_000_000),
    removed_at: textOrNull,
  }),
  threshold_changes: z.strictObject({
    model_id: key,
    at: text,
    by: text,
    review: z.number(),
    fail: z.number(),
    basis: text,
    reason: text,
  }),
  picture_scores: z.strictObject({
    model_id: key,
    sha256,
    pred_score: number,
    verdict: textOrNull,
    // Archives of before don't have them.
    class_name: textOrNull.default(null),
    class_distance: number.default(null),
  }),
  studies: z.strictObject({
    id: key,
    name: text,
    created_at: text,
    created_by: text,
    state: z.enum(['finished', 'cancelled']),
    finished_at: textOrNull,
    body: z.string().max(2_000_000),
  }),
  study_answers: z.strictObject({
    study_id: key,
    appraiser: text,
    position: integer,
    answer: passOrFail,
    by: text,
    at: text,
  }),
  parts: z.strictObject({
    id: integer,
    record_key: textOrNull,
    source: text,
    serial: textOrNull,
    lot: textOrNull,
    station: text,
    shift: textOrNull,
    presented_at: integer,
    class_name: textOrNull,
    decided_at: integer,
    verdict: z.enum(['pass', 'fail', 'review', 'noDecision']),
    reason: textOrNull,
    pred_score: number,
    local_score: number,
    semantic_score: number,
    memory_score: number,
    local_share: number,
    semantic_share: number,
    memory_share: number,
    hot_x: number,
    hot_y: number,
    hot_area_px: number,
    review: number,
    fail: number,
    display_score: number,
    latency_ms: number,
    model_id: textOrNull,
    model_hash: textOrNull,
    picture_sha256: sha256.nullable(),
    has_heat_map: integer,
    similar_sha256: sha256.nullable(),
    // Alarms stay with their station; that there was one stays with the part.
    drift_cause: z.enum(driftCauses).nullable(),
    class_distance: number,
    class_limit: number,
    geometry: z.string().max(200_000).nullable(),
  }),
  person_answers: z.strictObject({
    part_id: integer,
    verdict: passOrFail,
    defect_class: textOrNull,
    why: textOrNull,
    by: text,
    at: text,
    label_id: integer.nullable(),
    withdrawn_at: textOrNull,
  }),
} as const;

export type ArchiveTable = keyof typeof archiveTables;
export type ArchiveRow<T extends ArchiveTable> = z.infer<(typeof archiveTables)[T]>;
export const archiveTableNames = Object.keys(archiveTables) as ArchiveTable[];

/** Which rows of a table are a project's; `?` is its id. */
export const rowsOfProject: Record<ArchiveTable, string> = {
  projects: 'projects t WHERE t.id = ?',
  classes: 'classes t WHERE t.project_id = ?',
  pictures: `pictures t WHERE t.sha256 IN (
    SELECT sha256 FROM project_pictures WHERE project_id = ?1
    UNION SELECT sp.sha256 FROM snapshot_pictures sp JOIN snapshots s ON s.id = sp.snapshot_id WHERE s.project_id = ?1)`,
  labels: 'labels t WHERE t.project_id = ? ORDER BY t.id',
  label_withdrawals: 'label_withdrawals t JOIN labels l ON l.id = t.label_id WHERE l.project_id = ?',
  project_pictures: 'project_pictures t WHERE t.project_id = ? ORDER BY t.id',
  recipes: 'recipes t WHERE t.project_id = ?',
  snapshots: 'snapshots t WHERE t.project_id = ?',
  snapshot_pictures: 'snapshot_pictures t JOIN snapshots s ON s.id = t.snapshot_id WHERE s.project_id = ?',
  models: 'models t WHERE t.project_id = ? ORDER BY t.version',
  threshold_changes: 'threshold_changes t JOIN models m ON m.id = t.model_id WHERE m.project_id = ? ORDER BY t.id',
  picture_scores: 'picture_scores t JOIN models m ON m.id = t.model_id WHERE m.project_id = ?',
  // A study that still runs asks this station's people.
  studies: "studies t WHERE t.project_id = ? AND t.state <> 'running'",
  study_answers: "study_answers t JOIN studies s ON s.id = t.study_id WHERE s.project_id = ? AND s.state <> 'running'",
  // Parts that are being judged this moment are not decided: they belong to this station.
  parts: 'parts t WHERE t.project_id = ? AND t.verdict IS NOT NULL ORDER BY t.id',
  person_answers: 'person_answers t WHERE t.project_id = ? ORDER BY t.id',
};
