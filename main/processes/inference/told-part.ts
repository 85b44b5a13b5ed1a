import { relative, sep } from 'node:path';
import type { Recipe, StationPart } from '../../../shared/station/domain.ts';
import type { FedPart } from '../../feeds/feed.ts';
import type { InspectionRecord } from '../../inspection/record.ts';

/** A decided part as a record, for outputs that may not have heard of it. */
export function recordOf(part: StationPart): InspectionRecord {
  return {
    file: part.source,
    className: part.className,
    verdict: part.verdict ?? 'noDecision',
    predScore: part.predScore,
    localScore: part.localScore,
    semanticScore: part.semanticScore,
    memoryScore: part.memoryScore,
    latencyMs: part.latencyMs ?? 0,
    ...(part.reason !== null && { reason: part.reason }),
    ...(part.thresholds !== null && { thresholds: part.thresholds }),
    timings: { decodeMs: 0, prepareMs: 0, detectMs: 0 },
    id: '',
    ...(part.pictureSha256 !== null && { contentHash: part.pictureSha256 }),
    modelHash: part.modelHash ?? '',
    inspectedAt: part.decidedAt ?? part.presentedAt,
  };
}

/** The same part as its feed presented it, as far as outputs look. */
export function toldPart(part: StationPart, recipe: Recipe | null): FedPart {
  const { source, serial, lot, className } = part;
  const fed: FedPart = { file: source, path: source, serial, lot, className };
  if (recipe?.source.kind !== 'folder') return fed;
  const below = relative(recipe.source.path, source).split(sep).join('/');
  if (below === '' || below.startsWith('..')) return fed;
  return { ...fed, found: { relative: below, size: 0, mtimeMs: 0 } };
}
