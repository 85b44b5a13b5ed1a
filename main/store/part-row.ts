import type { DriftCause } from '../../shared/drift/types.ts';
import { partGeometry, type HottestPlace, type PartShares, type StationPart } from '../../shared/station/domain.ts';
import { UserError } from '../../shared/errors.ts';

/** A part as the table holds it, without what only the store reads. */
export interface PartRow {
  id: number;
  project_id: string;
  source: string;
  serial: string | null;
  lot: string | null;
  station: string;
  shift: string | null;
  presented_at: number;
  class_name: string | null;
  decided_at: number | null;
  verdict: StationPart['verdict'];
  reason: string | null;
  pred_score: number | null;
  local_score: number | null;
  semantic_score: number | null;
  memory_score: number | null;
  local_share: number | null;
  semantic_share: number | null;
  memory_share: number | null;
  hot_x: number | null;
  hot_y: number | null;
  hot_area_px: number | null;
  review: number | null;
  fail: number | null;
  display_score: number | null;
  latency_ms: number | null;
  model_id: string | null;
  model_hash: string | null;
  picture_sha256: string | null;
  has_heat_map: number;
  similar_sha256: string | null;
  drift_alarm_id: number | null;
  drift_cause: DriftCause | null;
  class_distance: number | null;
  class_limit: number | null;
  geometry: string | null;
  person_verdict: StationPart['personVerdict'];
  person_name: string | null;
  defect_class: string | null;
}

export const partColumns = `id, project_id, source, serial, lot, station, shift, presented_at, class_name, decided_at,
  verdict, reason, pred_score, local_score, semantic_score, memory_score, local_share, semantic_share, memory_share,
  hot_x, hot_y, hot_area_px, review, fail, display_score, latency_ms,
  model_id, model_hash, picture_sha256, has_heat_map, similar_sha256, drift_alarm_id, drift_cause, class_distance, class_limit,
  geometry, person_verdict, person_name, defect_class`;

export function partOf(row: PartRow): StationPart {
  return {
    id: row.id,
    projectId: row.project_id,
    source: row.source,
    serial: row.serial,
    lot: row.lot,
    station: row.station,
    shift: row.shift,
    className: row.class_name,
    presentedAt: new Date(row.presented_at).toISOString(),
    decidedAt: row.decided_at === null ? null : new Date(row.decided_at).toISOString(),
    verdict: row.verdict,
    reason: row.reason,
    predScore: row.pred_score,
    localScore: row.local_score,
    semanticScore: row.semantic_score,
    memoryScore: row.memory_score,
    shares: sharesOf(row),
    hottest: hottestOf(row),
    thresholds: row.review === null || row.fail === null ? null : { review: row.review, fail: row.fail },
    displayScore: row.display_score,
    latencyMs: row.latency_ms,
    modelId: row.model_id,
    modelHash: row.model_hash,
    pictureSha256: row.picture_sha256,
    hasHeatMap: row.has_heat_map === 1,
    similarSha256: row.similar_sha256,
    drift: row.drift_cause === null ? null : { alarmId: row.drift_alarm_id, cause: row.drift_cause },
    classDistance: row.class_distance,
    classLimit: row.class_limit,
    geometry: row.geometry === null ? null : partGeometry.parse(JSON.parse(row.geometry)),
    personVerdict: row.person_verdict,
    personName: row.person_name,
    defectClass: row.defect_class,
  };
}

function sharesOf({ local_share: local, semantic_share: semantic, memory_share: memory }: PartRow): PartShares | null {
  return local === null && semantic === null && memory === null ? null : { local, semantic, memory };
}

function hottestOf({ hot_x: x, hot_y: y, hot_area_px: areaPx }: PartRow): HottestPlace | null {
  return x === null || y === null || areaPx === null ? null : { x, y, areaPx };
}

/** @throws UserError `timeInvalid` */
export function millisecondsOf(isoTime: string): number {
  const ms = Date.parse(isoTime);
  if (Number.isFinite(ms)) return ms;
  throw new UserError('timeInvalid', `"${isoTime}" is no time.`, 'Give it like 2026-03-31T08:00:00Z.');
}

/** An empty text is the same as none: one way to say "no serial". */
export function textOrNull(text: string | null): string | null {
  return text === null || text.trim() === '' ? null : text;
}

/** NaN and infinity are no scores. */
export function numberOrNull(value: number | null): number | null {
  return value !== null && Number.isFinite(value) ? value : null;
}
