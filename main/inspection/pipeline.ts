import { classLimitFor, judge as judgeScores } from '../../shared/calibration/unknown-class.ts';
import type { DetectionResult } from '../../shared/detection.ts';
import { UserError } from '../../shared/errors.ts';
import type { Detector } from '../detector/detector.ts';
import type { Picture, PreparedPicture } from '../pictures/picture.ts';
import { readAhead } from './read-ahead.ts';
import {
  emptyCounters,
  recordId,
  scoreOrNull,
  type Counters,
  type InspectionRecord,
  type StageTimings,
} from './record.ts';

/** A part as a source presents it. */
export interface PresentedPart {
  /** Path as the person knows it; goes into the record. */
  file: string;
  /** Where the picture is read from. */
  path: string;
  /** sha256 of the file's content, where the source knows it. */
  contentHash?: string;
}

/** A part's picture and map, in memory only while its sinks are told. */
export interface Evidence {
  picture: Picture;
  result: DetectionResult;
}

/** Hears of every record, in order, after it's durable. May hear of the same record id again after a crash. */
export interface VerdictSink<Part extends PresentedPart = PresentedPart> {
  /** @param evidence absent when there is no decision, or when a record is told again after a restart */
  accept(record: InspectionRecord, part: Part, evidence: Evidence | undefined): Promise<void>;
}

/** A file's content: a picture, or the reason why it is none. */
export type DecodedFile = {
  /** sha256 of the bytes read; absent when they could not be. */
  contentHash?: string;
} & ({ picture: Picture; reason?: never } | { picture?: never; reason: string });

/** What the flow is put together from. */
export interface InspectionParts<Part extends PresentedPart = PresentedPart> {
  detector: Pick<Detector, 'inspect' | 'inputSize' | 'modelHash' | 'normalPicture' | 'thresholdsFor' | 'unknownClass'>;
  /** Added to the reason of every record, e.g. that the model was let through against its gates. */
  note?: string;
  /** Undefined: not a part after all (withdrawn, or judged before with the same content), so there is no record. */
  decode(part: Part): Promise<DecodedFile | undefined>;
  prepare(picture: Picture, size: number): PreparedPicture;
  /**
   * Makes the record durable; nobody hears of it before that. Absent: records are not kept.
   * @param evidence absent when there is no decision
   */
  keep?: (record: InspectionRecord, part: Part, evidence: Evidence | undefined) => Promise<void>;
  sinks: readonly VerdictSink<Part>[];
  /** Pictures decoded ahead of the detector. */
  lookAhead?: number;
  signal?: AbortSignal;
}

/**
 * The inspection flow: source -> decode -> prepare -> detector -> decide -> record -> sinks. Every part presented ends
 * in exactly one record; a part that can't be judged gets `noDecision` with the reason. The next part is decoded while
 * this one is scored, and this one's record is written while the next is scored; parts never overtake each other.
 * @throws what `keep` or a sink throws: a verdict that can't be kept or passed on stops the line
 */
export async function inspectParts<Part extends PresentedPart>(
  source: AsyncIterable<Part>,
  parts: InspectionParts<Part>,
): Promise<Counters> {
  const counters = emptyCounters();
  const ready = readAhead(source, parts.lookAhead ?? 2, (part) => take(part, parts));
  let telling: Promise<void> = Promise.resolve();
  for await (const taken of ready) {
    if (parts.signal?.aborted === true) break;
    if (taken === undefined) continue;
    counters.presented += 1;
    const judged = await judge(taken, parts);
    await telling;
    counters[judged.record.verdict] += 1;
    telling = tell(judged, parts);
    // It's awaited above, one part later; until then its failure must not count as unhandled.
    telling.catch(() => undefined);
  }
  await telling;
  return counters;
}

/** A part on its way: with its picture, or with the reason why there is none. */
type TakenPart<Part> = { part: Part; contentHash: string | undefined; decodeMs: number; prepareMs: number } & (
  { picture: Picture; prepared: PreparedPicture; reason?: never } | { picture?: never; reason: string }
);

interface JudgedPart<Part> {
  part: Part;
  record: InspectionRecord;
  evidence: Evidence | undefined;
}

/** Never rejects: what goes wrong is the reason for `noDecision`. */
async function take<Part extends PresentedPart>(
  part: Part,
  parts: InspectionParts<Part>,
): Promise<TakenPart<Part> | undefined> {
  const start = performance.now();
  let contentHash = part.contentHash;
  try {
    const decoded = await parts.decode(part);
    if (decoded === undefined) return undefined;
    contentHash = decoded.contentHash ?? contentHash;
    const decodeMs = performance.now() - start;
    if (decoded.picture === undefined) return { part, contentHash, reason: decoded.reason, decodeMs, prepareMs: 0 };
    const { picture } = decoded;
    const prepared = parts.prepare(picture, parts.detector.inputSize);
    return { part, contentHash, picture, prepared, decodeMs, prepareMs: performance.now() - start - decodeMs };
  } catch (error) {
    return { part, contentHash, reason: reasonOf(error), decodeMs: performance.now() - start, prepareMs: 0 };
  }
}

async function judge<Part extends PresentedPart>(
  taken: TakenPart<Part>,
  { detector, note }: InspectionParts<Part>,
): Promise<JudgedPart<Part>> {
  const { part, contentHash, decodeMs, prepareMs } = taken;
  const known = contentHash === undefined ? part : { ...part, contentHash };
  const start = performance.now();
  const timings = (): StageTimings => ({ decodeMs, prepareMs, detectMs: performance.now() - start });
  if (taken.picture === undefined) {
    return {
      part,
      record: undecided(known, withNote(taken.reason, note), detector.modelHash, timings()),
      evidence: undefined,
    };
  }
  try {
    const result = (await detector.inspect([taken.prepared]))[0];
    if (result === undefined) throw new UserError('detectorFailed', 'The detector gave no result.');
    const record = decided(known, result, detector, note, timings());
    return { part, record, evidence: { picture: taken.picture, result } };
  } catch (error) {
    return {
      part,
      record: undecided(known, withNote(reasonOf(error), note), detector.modelHash, timings()),
      evidence: undefined,
    };
  }
}

async function tell<Part extends PresentedPart>(
  { part, record, evidence }: JudgedPart<Part>,
  { keep, sinks }: InspectionParts<Part>,
): Promise<void> {
  await keep?.(record, part, evidence);
  for (const sink of sinks) await sink.accept(record, part, evidence);
}

function decided(
  part: PresentedPart,
  result: DetectionResult,
  detector: Pick<Detector, 'modelHash' | 'normalPicture' | 'thresholdsFor' | 'unknownClass'>,
  note: string | undefined,
  timings: StageTimings,
): InspectionRecord {
  const thresholds = detector.thresholdsFor(result.className);
  const { verdict, statement } = judgeScores(result, thresholds, detector.unknownClass);
  const reason = withNote(verdict === 'noDecision' ? 'The score is not a number.' : statement?.text, note);
  const similar = detector.normalPicture(result.nearestNormal);
  return {
    file: part.file,
    className: result.className,
    verdict,
    predScore: scoreOrNull(result.predScore),
    localScore: scoreOrNull(result.localScore),
    semanticScore: scoreOrNull(result.semanticScore),
    memoryScore: scoreOrNull(result.memoryScore),
    latencyMs: total(timings),
    ...(reason !== undefined && { reason }),
    thresholds,
    ...(Number.isFinite(result.classDistance) && { classDistance: result.classDistance }),
    ...(detector.unknownClass !== undefined && {
      classLimit: classLimitFor(detector.unknownClass, result.className),
    }),
    ...(similar !== undefined && { similar }),
    timings,
    id: recordId(part.file, part.contentHash ?? ''),
    ...(part.contentHash !== undefined && { contentHash: part.contentHash }),
    modelHash: detector.modelHash,
    inspectedAt: new Date().toISOString(),
  };
}

function undecided(part: PresentedPart, reason: string, modelHash: string, timings: StageTimings): InspectionRecord {
  return {
    file: part.file,
    className: null,
    verdict: 'noDecision',
    predScore: null,
    localScore: null,
    semanticScore: null,
    memoryScore: null,
    latencyMs: total(timings),
    reason,
    timings,
    id: recordId(part.file, part.contentHash ?? ''),
    ...(part.contentHash !== undefined && { contentHash: part.contentHash }),
    modelHash,
    inspectedAt: new Date().toISOString(),
  };
}

function withNote(reason: string, note: string | undefined): string;
function withNote(reason: string | undefined, note: string | undefined): string | undefined;
function withNote(reason: string | undefined, note: string | undefined): string | undefined {
  return reason === undefined || note === undefined ? (reason ?? note) : `${reason} ${note}`;
}

/** Milliseconds with two digits: more says nothing. */
function total({ decodeMs, prepareMs, detectMs }: StageTimings): number {
  return Math.round(100 * (decodeMs + prepareMs + detectMs)) / 100;
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
