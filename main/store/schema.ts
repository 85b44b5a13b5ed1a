/** Parts per block of the zone map. */
export const blockSize = 1024;
export const hourMs = 3_600_000;

/**
 * What keeps the counts of the history: every change of a part's group is booked by the database itself, so no caller
 * can forget it. A part is in two groups: one that knows no lot, one of its lot (`part-groups.ts` says why).
 */
export const countTriggers = `
CREATE TRIGGER parts_counted AFTER INSERT ON parts BEGIN
  INSERT INTO group_hours(group_id, hour, parts) VALUES (NEW.group_id, NEW.presented_at / ${hourMs}, 1)
    ON CONFLICT DO UPDATE SET parts = parts + 1;
  INSERT INTO lot_group_hours(group_id, hour, parts) VALUES (NEW.lot_group_id, NEW.presented_at / ${hourMs}, 1)
    ON CONFLICT DO UPDATE SET parts = parts + 1;
  UPDATE part_groups SET parts = parts + 1 WHERE id IN (NEW.group_id, NEW.lot_group_id);
  INSERT INTO part_blocks(block, min_at, max_at, min_serial, max_serial)
    VALUES (NEW.id / ${blockSize}, NEW.presented_at, NEW.presented_at, NEW.serial, NEW.serial)
    ON CONFLICT DO UPDATE SET
      min_at = min(min_at, excluded.min_at), max_at = max(max_at, excluded.max_at),
      min_serial = coalesce(min(min_serial, excluded.min_serial), min_serial, excluded.min_serial),
      max_serial = coalesce(max(max_serial, excluded.max_serial), max_serial, excluded.max_serial);
END;
CREATE TRIGGER parts_regrouped AFTER UPDATE OF group_id, lot_group_id ON parts BEGIN
  UPDATE group_hours SET parts = parts - 1
    WHERE group_id = OLD.group_id AND hour = OLD.presented_at / ${hourMs};
  UPDATE lot_group_hours SET parts = parts - 1
    WHERE group_id = OLD.lot_group_id AND hour = OLD.presented_at / ${hourMs};
  INSERT INTO group_hours(group_id, hour, parts) VALUES (NEW.group_id, NEW.presented_at / ${hourMs}, 1)
    ON CONFLICT DO UPDATE SET parts = parts + 1;
  INSERT INTO lot_group_hours(group_id, hour, parts) VALUES (NEW.lot_group_id, NEW.presented_at / ${hourMs}, 1)
    ON CONFLICT DO UPDATE SET parts = parts + 1;
  UPDATE part_groups SET parts = parts - 1 WHERE id IN (OLD.group_id, OLD.lot_group_id);
  UPDATE part_groups SET parts = parts + 1 WHERE id IN (NEW.group_id, NEW.lot_group_id);
END;
CREATE TRIGGER parts_uncounted AFTER DELETE ON parts BEGIN
  UPDATE group_hours SET parts = parts - 1
    WHERE group_id = OLD.group_id AND hour = OLD.presented_at / ${hourMs};
  UPDATE lot_group_hours SET parts = parts - 1
    WHERE group_id = OLD.lot_group_id AND hour = OLD.presented_at / ${hourMs};
  UPDATE part_groups SET parts = parts - 1 WHERE id IN (OLD.group_id, OLD.lot_group_id);
END;
`;

const first = `
CREATE TABLE projects (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  note TEXT NOT NULL,
  created_at TEXT NOT NULL,
  px_per_mm REAL,
  sample INTEGER NOT NULL DEFAULT 0,
  removed_at TEXT
) STRICT, WITHOUT ROWID;

CREATE TABLE classes (
  id TEXT PRIMARY KEY,
  project_id TEXT NOT NULL REFERENCES projects,
  name TEXT NOT NULL,
  removed_at TEXT
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX classes_by_name ON classes(project_id, name) WHERE removed_at IS NULL;

CREATE TABLE pictures (
  sha256 TEXT PRIMARY KEY,
  extension TEXT NOT NULL,
  bytes INTEGER NOT NULL,
  width_px INTEGER NOT NULL,
  height_px INTEGER NOT NULL,
  sharpness REAL,
  perceptual_hash TEXT,
  descriptor BLOB,
  added_at TEXT NOT NULL,
  -- Retention took the file; what is known of it stays.
  file_removed_at TEXT
) STRICT, WITHOUT ROWID;

CREATE INDEX pictures_kept ON pictures(added_at, bytes) WHERE file_removed_at IS NULL;

CREATE TABLE project_pictures (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  project_id TEXT NOT NULL REFERENCES projects,
  sha256 TEXT NOT NULL REFERENCES pictures,
  class_id TEXT REFERENCES classes,
  use TEXT NOT NULL CHECK (use IN ('normal', 'calibration', 'golden', 'inspected')),
  file_name TEXT NOT NULL,
  group_name TEXT,
  added_at TEXT NOT NULL,
  -- What holds of the labels, kept by the label store.
  label_id INTEGER REFERENCES labels,
  gt_label TEXT CHECK (gt_label IN ('pass', 'fail', 'unsure')),
  defect_class TEXT,
  conflict INTEGER NOT NULL DEFAULT 0,
  UNIQUE (project_id, sha256)
) STRICT;
CREATE INDEX project_pictures_by_use ON project_pictures(project_id, use, class_id);
CREATE INDEX project_pictures_by_label ON project_pictures(project_id, gt_label);
CREATE INDEX project_pictures_conflicts ON project_pictures(project_id) WHERE conflict = 1;
CREATE INDEX project_pictures_by_sha256 ON project_pictures(sha256);

CREATE TABLE labels (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  project_id TEXT NOT NULL REFERENCES projects,
  sha256 TEXT NOT NULL,
  gt_label TEXT NOT NULL CHECK (gt_label IN ('pass', 'fail', 'unsure')),
  defect_class TEXT,
  regions TEXT NOT NULL,
  by TEXT NOT NULL,
  at TEXT NOT NULL,
  why TEXT,
  replaces INTEGER REFERENCES labels
) STRICT;
CREATE INDEX labels_by_picture ON labels(project_id, sha256);
CREATE INDEX labels_by_person ON labels(project_id, by);
CREATE TABLE label_withdrawals (
  label_id INTEGER PRIMARY KEY REFERENCES labels,
  by TEXT NOT NULL,
  at TEXT NOT NULL
) STRICT;
CREATE TRIGGER labels_kept BEFORE UPDATE ON labels BEGIN SELECT RAISE(ABORT, 'labels are never changed'); END;
CREATE TRIGGER labels_not_deleted BEFORE DELETE ON labels BEGIN SELECT RAISE(ABORT, 'labels are never deleted'); END;

CREATE TABLE recipes (
  id TEXT PRIMARY KEY,
  project_id TEXT NOT NULL REFERENCES projects,
  body TEXT NOT NULL,
  updated_at TEXT NOT NULL,
  removed_at TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX recipes_by_project ON recipes(project_id);

CREATE TABLE snapshots (
  id TEXT PRIMARY KEY,
  project_id TEXT NOT NULL REFERENCES projects,
  created_at TEXT NOT NULL,
  created_by TEXT NOT NULL,
  hash TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE snapshot_pictures (
  snapshot_id TEXT NOT NULL REFERENCES snapshots,
  sha256 TEXT NOT NULL,
  class_name TEXT NOT NULL,
  use TEXT NOT NULL,
  PRIMARY KEY (snapshot_id, sha256)
) STRICT, WITHOUT ROWID;
CREATE INDEX snapshot_pictures_by_sha256 ON snapshot_pictures(sha256);

CREATE TABLE models (
  id TEXT PRIMARY KEY,
  project_id TEXT NOT NULL REFERENCES projects,
  version INTEGER NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('candidate', 'active', 'previous', 'retired')),
  file_name TEXT NOT NULL,
  model_hash TEXT NOT NULL,
  snapshot_id TEXT NOT NULL,
  created_at TEXT NOT NULL,
  created_by TEXT NOT NULL,
  review REAL NOT NULL,
  fail REAL NOT NULL,
  basis TEXT NOT NULL,
  body TEXT NOT NULL,
  gates TEXT NOT NULL DEFAULT '[]',
  removed_at TEXT,
  UNIQUE (project_id, version),
  CHECK (review <= fail)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX one_active_model ON models(project_id) WHERE state = 'active';
CREATE UNIQUE INDEX one_previous_model ON models(project_id) WHERE state = 'previous';

CREATE TABLE threshold_changes (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  model_id TEXT NOT NULL REFERENCES models,
  at TEXT NOT NULL,
  by TEXT NOT NULL,
  review REAL NOT NULL,
  fail REAL NOT NULL,
  basis TEXT NOT NULL,
  reason TEXT NOT NULL
) STRICT;
CREATE INDEX threshold_changes_by_model ON threshold_changes(model_id);

CREATE TABLE picture_scores (
  model_id TEXT NOT NULL REFERENCES models,
  sha256 TEXT NOT NULL,
  pred_score REAL,
  verdict TEXT,
  PRIMARY KEY (model_id, sha256)
) STRICT, WITHOUT ROWID;

CREATE TABLE training_runs (
  id TEXT PRIMARY KEY,
  project_id TEXT NOT NULL REFERENCES projects,
  seq INTEGER NOT NULL,
  state TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX training_runs_by_project ON training_runs(project_id, seq);

CREATE TABLE part_groups (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  project_id TEXT NOT NULL REFERENCES projects,
  by_lot INTEGER NOT NULL,
  lot TEXT NOT NULL,
  class_name TEXT NOT NULL,
  station TEXT NOT NULL,
  verdict TEXT NOT NULL,
  person TEXT NOT NULL,
  defect_class TEXT NOT NULL,
  parts INTEGER NOT NULL DEFAULT 0,
  UNIQUE (project_id, by_lot, lot, class_name, station, verdict, person, defect_class)
) STRICT;
-- Hours since the epoch, by when parts were presented.
CREATE TABLE group_hours (
  hour INTEGER NOT NULL,
  group_id INTEGER NOT NULL REFERENCES part_groups,
  parts INTEGER NOT NULL,
  PRIMARY KEY (hour, group_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX group_hours_by_group ON group_hours(group_id, hour, parts);
CREATE TABLE lot_group_hours (
  group_id INTEGER NOT NULL REFERENCES part_groups,
  hour INTEGER NOT NULL,
  parts INTEGER NOT NULL,
  PRIMARY KEY (group_id, hour)
) STRICT, WITHOUT ROWID;
-- Smallest and largest time and serial of each 1,024 parts: what a search may leap over.
CREATE TABLE part_blocks (
  block INTEGER PRIMARY KEY,
  min_at INTEGER NOT NULL,
  max_at INTEGER NOT NULL,
  min_serial TEXT,
  max_serial TEXT
) STRICT;

-- What a project's drift guard compares with; the numbers it has seen since it began; its alarms, for good.
CREATE TABLE drift_guards (project_id TEXT PRIMARY KEY REFERENCES projects, body TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE drift_values (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  project_id TEXT NOT NULL REFERENCES projects,
  body TEXT NOT NULL
) STRICT;
CREATE INDEX drift_values_by_project ON drift_values(project_id);
CREATE TABLE drift_alarms (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  project_id TEXT NOT NULL REFERENCES projects,
  model_id TEXT NOT NULL,
  found_at TEXT NOT NULL,
  body TEXT NOT NULL,
  ended_how TEXT,
  ended_by TEXT,
  ended_at TEXT,
  reason TEXT
) STRICT;
CREATE INDEX drift_alarms_by_project ON drift_alarms(project_id);
CREATE TRIGGER drift_alarms_kept BEFORE UPDATE ON drift_alarms WHEN OLD.ended_at IS NOT NULL
BEGIN SELECT RAISE(ABORT, 'the alarm has ended'); END;

CREATE TABLE parts (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  project_id TEXT NOT NULL REFERENCES projects,
  record_key TEXT,
  -- File that can be judged again after a crash, until all outputs have heard of the verdict.
  pending_path TEXT,
  told INTEGER NOT NULL DEFAULT 0,
  source TEXT NOT NULL,
  serial TEXT,
  lot TEXT,
  station TEXT NOT NULL,
  shift TEXT,
  -- Milliseconds since the epoch.
  presented_at INTEGER NOT NULL,
  class_name TEXT,
  decided_at INTEGER,
  verdict TEXT CHECK (verdict IN ('pass', 'fail', 'review', 'noDecision')),
  reason TEXT,
  pred_score REAL,
  local_score REAL,
  semantic_score REAL,
  memory_score REAL,
  -- What the score is made of, 0..1 each.
  local_share REAL,
  semantic_share REAL,
  memory_share REAL,
  -- Most suspicious place: 0..1 of width and height, and its pixels.
  hot_x REAL,
  hot_y REAL,
  hot_area_px REAL,
  review REAL,
  fail REAL,
  display_score REAL,
  latency_ms REAL,
  model_id TEXT,
  model_hash TEXT,
  picture_sha256 TEXT,
  has_heat_map INTEGER NOT NULL DEFAULT 0,
  similar_sha256 TEXT,
  -- Alarm of the drift guard that stood when the part was judged: the calibration no longer covered it.
  drift_alarm_id INTEGER REFERENCES drift_alarms,
  drift_cause TEXT,
  -- What else the verdict stands on: distance to the class and its limit, and what of the picture was looked at (JSON;
  -- null: all of it).
  class_distance REAL,
  class_limit REAL,
  geometry TEXT,
  -- What holds of people's answers, kept by the part store.
  person_verdict TEXT CHECK (person_verdict IN ('pass', 'fail')),
  person_name TEXT,
  defect_class TEXT,
  group_id INTEGER NOT NULL REFERENCES part_groups,
  lot_group_id INTEGER NOT NULL REFERENCES part_groups,
  CHECK ((verdict IS NULL) = (decided_at IS NULL)),
  CHECK (verdict IS NULL OR verdict = 'noDecision' OR (pred_score IS NOT NULL AND review IS NOT NULL))
) STRICT;
CREATE INDEX parts_by_group ON parts(group_id);
CREATE INDEX parts_by_lot_group ON parts(lot_group_id);
CREATE INDEX parts_by_group_serial ON parts(group_id, serial, presented_at) WHERE serial IS NOT NULL;
CREATE INDEX parts_by_lot_group_serial ON parts(lot_group_id, serial, presented_at) WHERE serial IS NOT NULL;
CREATE UNIQUE INDEX parts_by_key ON parts(project_id, record_key) WHERE record_key IS NOT NULL;
CREATE INDEX parts_undecided ON parts(id) WHERE verdict IS NULL;
CREATE INDEX parts_untold ON parts(id) WHERE verdict IS NOT NULL AND told = 0;
CREATE INDEX parts_by_drift_alarm ON parts(drift_alarm_id) WHERE drift_alarm_id IS NOT NULL;
CREATE INDEX parts_by_picture ON parts(picture_sha256) WHERE picture_sha256 IS NOT NULL;
-- Exactly one verdict each: once decided, what was decided stays as it is.
CREATE TRIGGER parts_decided_once BEFORE UPDATE OF
  project_id, source, serial, lot, station, shift, presented_at, class_name, decided_at, verdict, reason, pred_score,
  local_score, semantic_score, memory_score, local_share, semantic_share, memory_share, hot_x, hot_y, hot_area_px,
  review, fail, display_score, latency_ms, model_id, model_hash, drift_alarm_id, drift_cause, class_distance,
  class_limit, geometry
ON parts WHEN OLD.verdict IS NOT NULL BEGIN SELECT RAISE(ABORT, 'the part has its verdict'); END;

-- State (path, size, time) of files that need no second look.
CREATE TABLE seen_files (
  project_id TEXT NOT NULL REFERENCES projects,
  state TEXT NOT NULL,
  part_id INTEGER NOT NULL,
  PRIMARY KEY (project_id, state)
) STRICT, WITHOUT ROWID;
CREATE INDEX seen_files_by_part ON seen_files(project_id, part_id);

CREATE TABLE person_answers (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  part_id INTEGER NOT NULL REFERENCES parts ON DELETE CASCADE,
  project_id TEXT NOT NULL REFERENCES projects,
  verdict TEXT NOT NULL CHECK (verdict IN ('pass', 'fail')),
  defect_class TEXT,
  why TEXT,
  by TEXT NOT NULL,
  at TEXT NOT NULL,
  label_id INTEGER REFERENCES labels,
  withdrawn_at TEXT
) STRICT;
CREATE INDEX person_answers_by_part ON person_answers(part_id);
CREATE INDEX person_answers_by_person ON person_answers(project_id, by);
CREATE TRIGGER person_answers_kept BEFORE UPDATE OF part_id, project_id, verdict, defect_class, why, by, at, label_id
ON person_answers BEGIN SELECT RAISE(ABORT, 'answers are never changed'); END;

-- Attribute agreement studies: the plan in body, and every answer as it was given.
CREATE TABLE studies (
  id TEXT PRIMARY KEY,
  project_id TEXT NOT NULL REFERENCES projects,
  name TEXT NOT NULL,
  created_at TEXT NOT NULL,
  created_by TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('running', 'finished', 'cancelled')),
  finished_at TEXT,
  body TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX studies_by_project ON studies(project_id, created_at);
CREATE TABLE study_answers (
  study_id TEXT NOT NULL REFERENCES studies,
  appraiser TEXT NOT NULL,
  position INTEGER NOT NULL,
  answer TEXT NOT NULL CHECK (answer IN ('pass', 'fail')),
  by TEXT NOT NULL,
  at TEXT NOT NULL,
  PRIMARY KEY (study_id, appraiser, position)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER study_answers_kept BEFORE UPDATE ON study_answers
BEGIN SELECT RAISE(ABORT, 'answers are never changed'); END;
CREATE TRIGGER study_answers_not_deleted BEFORE DELETE ON study_answers
BEGIN SELECT RAISE(ABORT, 'answers are never deleted'); END;

CREATE TABLE users (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL UNIQUE COLLATE NOCASE,
  role TEXT NOT NULL,
  language TEXT,
  disabled INTEGER NOT NULL DEFAULT 0,
  secret TEXT NOT NULL,
  failures INTEGER NOT NULL DEFAULT 0,
  blocked_until INTEGER NOT NULL DEFAULT 0,
  created_at TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE settings (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;

CREATE TABLE notices (
  id TEXT PRIMARY KEY,
  level TEXT NOT NULL CHECK (level IN ('info', 'warning', 'fault')),
  message TEXT NOT NULL,
  at TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE events (
  seq INTEGER PRIMARY KEY,
  at TEXT NOT NULL,
  actor TEXT NOT NULL,
  role TEXT NOT NULL,
  action TEXT NOT NULL,
  subject TEXT NOT NULL,
  details TEXT NOT NULL,
  prev_hash TEXT NOT NULL,
  hash TEXT NOT NULL
) STRICT;
CREATE INDEX events_by_action ON events(action);
CREATE TRIGGER events_kept BEFORE UPDATE ON events BEGIN SELECT RAISE(ABORT, 'the log is never changed'); END;
CREATE TRIGGER events_not_deleted BEFORE DELETE ON events BEGIN SELECT RAISE(ABORT, 'the log is never shortened'); END;
CREATE TRIGGER events_in_order BEFORE INSERT ON events
WHEN NEW.seq IS NOT (SELECT coalesce(max(seq), 0) + 1 FROM events)
BEGIN SELECT RAISE(ABORT, 'the log has no gaps'); END;
${countTriggers}
`;

/** Models that don't say what of a picture they look at did as their project's newest recipe said. */
export const fillGeometry = `
UPDATE models SET body = json_set(body, '$.geometry', json(coalesce(
  (SELECT json_object('region', json(r.body -> '$.region'), 'ignore', json(r.body -> '$.ignore'))
   FROM recipes r WHERE r.project_id = models.project_id AND r.removed_at IS NULL
   ORDER BY r.updated_at DESC LIMIT 1),
  '{"region":null,"ignore":[]}')))
WHERE json_type(body, '$.geometry') IS NULL;
`;

/** Scores keep the class they were taken for, models what they look at. */
const second = `
ALTER TABLE picture_scores ADD COLUMN class_name TEXT;
ALTER TABLE picture_scores ADD COLUMN class_distance REAL;
${fillGeometry}
`;

/**
 * The schema's history: migration n brings version n - 1 to n. A published one is never edited; a change is a new one.
 */
export const migrations: readonly string[] = [first, second];
