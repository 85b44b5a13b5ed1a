import type { DecidedAnswer, DecidedNews, FeedRun, StoredPicture } from '../inference-protocol.ts';
import type { LivePart } from '../../../shared/ipc/live.ts';
import type { HottestPlace, PartGeometry } from '../../../shared/station/domain.ts';
import type { FedPart } from '../../feeds/feed.ts';
import { scoreShares } from '../../inspection/explain.ts';
import type { Evidence } from '../../inspection/pipeline.ts';
import type { InspectionRecord } from '../../inspection/record.ts';
import { faultOf } from '../fault.ts';
import { screenJpeg } from './evidence.ts';
import type { LoadedModel } from './open-model.ts';
import type { Findings } from './part-way.ts';
import type { ReadPart } from './read-part.ts';

/** A part of an earlier process, as if its feed presented it again. */
export function pendingPart({ partId, path, source, recordKey }: FeedRun['pending'][number]): FedPart {
  return { file: source, path, recordKey, partId, serial: null, lot: null, className: null };
}

/** A part that could not even be looked at. */
export function unreadable(part: FedPart, error: unknown): ReadPart {
  return {
    recordKey: part.recordKey ?? `unreadable:${part.file}`,
    contentHash: undefined,
    bytes: undefined,
    extension: '',
    picture: undefined,
    reason: faultOf(error).message,
  };
}

/** What the window is shown of a part. */
export async function livePart(
  record: InspectionRecord,
  evidence: Evidence | undefined,
  { part, counters }: DecidedAnswer,
  findings: Findings | undefined,
): Promise<LivePart> {
  const message: LivePart = { type: 'part', part, shares: scoreShares(record), hottest: null, counters };
  if (evidence === undefined || findings === undefined) return message;
  message.heat = findings.heat;
  message.hottest = findings.hottest;
  message.jpeg = await screenJpeg(evidence.picture);
  return message;
}

/** What the station writes down of a judged part. */
export function decidedNews(
  record: InspectionRecord,
  part: FedPart,
  evidence: Evidence | undefined,
  known: {
    projectId: string;
    partId: number;
    stored: StoredPicture | null;
    hasHeatMap: boolean;
    model: LoadedModel;
    hottest: HottestPlace | null;
    geometry: PartGeometry | null;
  },
): DecidedNews {
  const { projectId, partId, stored, hasHeatMap, model } = known;
  const { verdict, className, predScore, localScore, semanticScore, memoryScore, latencyMs } = record;
  return {
    projectId,
    partId,
    verdict,
    reason: record.reason ?? null,
    className: className ?? part.className,
    predScore,
    localScore,
    semanticScore,
    memoryScore,
    shares: predScore === null ? null : scoreShares(record),
    hottest: known.hottest,
    classDistance: record.classDistance ?? null,
    classLimit: record.classLimit ?? null,
    geometry: known.geometry,
    thresholds: record.thresholds ?? null,
    latencyMs,
    modelId: model.use.modelId,
    modelHash: record.modelHash,
    similarSha256: evidence === undefined ? null : model.normalSha256(evidence.result.nearestNormal),
    picture: stored,
    hasHeatMap,
  };
}
