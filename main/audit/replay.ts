import { createHash } from 'node:crypto';
import { judge } from '../../shared/calibration/unknown-class.ts';
import type { ClassLimit } from '../../shared/calibration/unknown-limit.ts';
import type { DetectionResult, Thresholds } from '../../shared/detection.ts';
import { UserError } from '../../shared/errors.ts';
import { part, type StationPart } from '../../shared/station/domain.ts';
import type { Detector } from '../detector/detector.ts';
import { pixelGeometry, type RecipeGeometry } from '../feeds/recipe-geometry.ts';
import { scoreOrNull } from '../inspection/record.ts';
import { decodePicture } from '../pictures/decode.ts';
import type { Picture, PreparedPicture } from '../pictures/picture.ts';
import { preparePicture } from '../pictures/prepare.ts';

/** What a record must hold to be replayed; records of `inspect`, `watch` and the station all do. */
export interface ReplayableRecord {
  file: string;
  className: string | null;
  verdict: string;
  predScore: number | null;
  localScore: number | null;
  semanticScore: number | null;
  memoryScore: number | null;
  thresholds?: Thresholds;
  /** Class distance from which the part was taken for one of no known class, where that was checked. */
  classLimit?: number;
  contentHash?: string;
  modelHash?: string;
  /** What of the picture was looked at; absent: all of it. */
  geometry?: RecipeGeometry;
}

/** One record repeated: equal or not, and where it differs. */
export interface ReplayResult {
  /** `identical`: bit for bit; `withinTolerance`: same verdict and class, scores differ a little (another provider). */
  outcome: 'identical' | 'withinTolerance' | 'different';
  provider: string;
  fields: { field: string; recorded: string | number | null; replayed: string | number | null; same: boolean }[];
  /** Largest difference of a score, in proportion above 1; null when one of the two has no such score. */
  maxDifference: number | null;
}

const scoreFields = ['predScore', 'localScore', 'semanticScore', 'memoryScore'] as const;

/**
 * Judges a stored picture again and compares with its record.
 * @param tolerance for another execution provider than the record's: the parity gate's
 * @param prepare   default: what the record says was looked at, else the whole picture
 * @throws UserError `replayOtherModel` | `replayOtherPicture` when package or picture are not those of the record;
 *   `replayNoScore` for a record without decision
 */
export async function replayRecord(
  record: ReplayableRecord,
  picture: Uint8Array,
  detector: Pick<Detector, 'inspect' | 'inputSize' | 'modelHash' | 'provider' | 'unknownClass'>,
  tolerance: number,
  prepare: (picture: Picture, size: number) => PreparedPicture = (seen, size) =>
    preparePicture(seen, { size, ...(record.geometry !== undefined && pixelGeometry(record.geometry, seen)) }),
): Promise<ReplayResult> {
  if (record.modelHash !== undefined && record.modelHash !== detector.modelHash) {
    throw new UserError(
      'replayOtherModel',
      `The record of "${record.file}" was made with model ${record.modelHash.slice(0, 12)}, not with ${detector.modelHash.slice(0, 12)}.`,
      'Give the package that was active then.',
    );
  }
  const contentHash = createHash('sha256').update(picture).digest('hex');
  if (record.contentHash !== undefined && record.contentHash !== contentHash) {
    throw new UserError(
      'replayOtherPicture',
      `The picture is not the one that was judged as "${record.file}": its content differs.`,
      'Give the stored original.',
    );
  }
  if (record.predScore === null) {
    throw new UserError('replayNoScore', `There was no decision on "${record.file}", so there is no score to repeat.`);
  }
  const prepared = prepare(await decodePicture(picture, record.file), detector.inputSize);
  const result = (await detector.inspect([prepared]))[0];
  if (result === undefined) throw new UserError('detectorFailed', 'The detector gave no result.');
  const fields: ReplayResult['fields'] = [];
  const compare = (field: string, recorded: string | number | null, replayed: string | number | null): boolean => {
    const same = Object.is(recorded, replayed);
    fields.push({ field, recorded, replayed, same });
    return same;
  };
  let maxDifference: number | null = 0;
  for (const field of scoreFields) {
    const recorded = record[field];
    const replayed = scoreOrNull(result[field]);
    compare(field, recorded, replayed);
    if (recorded === null && replayed === null) continue;
    if (recorded === null || replayed === null || maxDifference === null) maxDifference = null;
    else maxDifference = Math.max(maxDifference, Math.abs(recorded - replayed) / Math.max(1, Math.abs(recorded)));
  }
  const sameClass = compare('className', record.className, result.className);
  // What happened afterwards, such as an override, is not the model's verdict.
  const sameVerdict =
    record.thresholds === undefined ||
    compare('verdict', record.verdict, verdictOf(result, record, record.thresholds, detector.unknownClass));
  const identical = fields.every(({ same }) => same);
  const near = sameClass && sameVerdict && maxDifference !== null && maxDifference <= tolerance;
  return {
    outcome: identical ? 'identical' : near ? 'withinTolerance' : 'different',
    provider: detector.provider,
    fields,
    maxDifference,
  };
}

/** The verdict at the limits of the record; short records don't hold the class's, which is the package's then. */
function verdictOf(
  result: DetectionResult,
  { classLimit, verdict }: ReplayableRecord,
  thresholds: Thresholds,
  packaged: ClassLimit | undefined,
): string {
  if (classLimit !== undefined) return judge(result, thresholds, { value: classLimit }).verdict;
  const checked = judge(result, thresholds, packaged).verdict;
  // Records of older programs were made without it.
  return checked === verdict ? checked : judge(result, thresholds).verdict;
}

/**
 * Finds the record of a picture in what `inspect`, `watch` or the station wrote: one record, `results.json`, or JSON
 * lines (a journal's lines hold theirs under `record`).
 * @param contentHash sha256 of the picture; decides when there is more than one record
 * @throws UserError `recordUnreadable` | `recordMissing`
 */
export function findRecord(text: string, contentHash: string, name: string): ReplayableRecord {
  const records = findRecords(text, name);
  const known = records.filter((record) => record.contentHash === contentHash);
  // Judged more than once: the last time counts.
  const found = known.at(-1) ?? (records.length === 1 ? records[0] : undefined);
  if (found === undefined) {
    throw new UserError(
      'recordMissing',
      `"${name}" holds no record of this picture's content.`,
      'Check which picture it is.',
    );
  }
  return found;
}

/**
 * All records in a file of `inspect`, `watch` or of the station's history export (JSON).
 * @throws UserError `recordUnreadable`
 */
export function findRecords(text: string, name: string): ReplayableRecord[] {
  const records = recordsOf(text);
  if (records === undefined || records.length === 0) {
    throw new UserError(
      'recordUnreadable',
      `"${name}" holds no record.`,
      'Give a record, results.json, a journal, or a history exported as JSON.',
    );
  }
  return records;
}

function recordsOf(text: string): ReplayableRecord[] | undefined {
  const whole = parse(text);
  const values =
    whole === undefined ? text.split('\n').map(parse) : Array.isArray(whole) ? (whole as unknown[]) : [whole];
  return values.flatMap((value) => {
    if (typeof value !== 'object' || value === null) return [];
    const { results, model, record } = value as { results?: unknown; model?: { hash?: string }; record?: unknown };
    if (Array.isArray(results)) {
      const modelHash = model?.hash;
      return results.filter(isRecord).map((entry) => ({ ...(modelHash !== undefined && { modelHash }), ...entry }));
    }
    const candidate = record ?? (isStationPart(value) ? recordOfPart(value) : value);
    return isRecord(candidate) ? [candidate] : [];
  });
}

/** A part as the station's history export has it. */
type ExportedPart = Pick<
  StationPart,
  | 'source'
  | 'className'
  | 'verdict'
  | 'predScore'
  | 'localScore'
  | 'semanticScore'
  | 'memoryScore'
  | 'thresholds'
  | 'classLimit'
  | 'geometry'
  | 'pictureSha256'
  | 'modelHash'
>;

const exportedPart = part.pick({
  source: true,
  className: true,
  verdict: true,
  predScore: true,
  localScore: true,
  semanticScore: true,
  memoryScore: true,
  thresholds: true,
  classLimit: true,
  geometry: true,
  pictureSha256: true,
  modelHash: true,
});

function isStationPart(value: object): value is ExportedPart {
  return 'pictureSha256' in value && exportedPart.safeParse(value).success;
}

function recordOfPart(from: ExportedPart): Partial<ReplayableRecord> {
  const { source: file, className, verdict, predScore, localScore, semanticScore, memoryScore } = from;
  return {
    file,
    className,
    ...(verdict !== null && { verdict }),
    predScore,
    localScore,
    semanticScore,
    memoryScore,
    ...(from.thresholds !== null && { thresholds: from.thresholds }),
    ...(typeof from.classLimit === 'number' && { classLimit: from.classLimit }),
    ...(from.geometry !== undefined && from.geometry !== null && { geometry: from.geometry }),
    ...(from.pictureSha256 !== null && { contentHash: from.pictureSha256 }),
    ...(from.modelHash !== null && { modelHash: from.modelHash }),
  };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function isRecord(value: unknown): value is ReplayableRecord {
  if (typeof value !== 'object' || value === null) return false;
  const entry = value as Record<string, unknown>;
  const isScore = (score: unknown): boolean => score === null || typeof score === 'number';
  return (
    typeof entry['file'] === 'string' &&
    typeof entry['verdict'] === 'string' &&
    scoreFields.every((field) => isScore(entry[field]))
  );
}
