import { compareShadow, compareWithTruth, type ShadowPart } from '../../shared/calibration/shadow.ts';
import { shadowState, type ShadowState } from '../../shared/ipc/training.ts';
import type { Store } from '../store/store.ts';
import { truthsOfParts } from '../store/truths.ts';
import type { Shadow } from './shadow-file.ts';

/** Disagreements that a window is told of. */
const mostShown = 200;
/** Newest times that median and percentile are taken of. */
const mostTimes = 500;
const hourMs = 3_600_000;

/** How a feed runs, as the comparison sees it. */
export interface LineTimes {
  latencyMs: { median: number; p95: number } | null;
  cycleTimeMs: number | null;
}

/** When the hours are over, ISO 8601; null: it goes by parts alone. */
export function endsAt({ head: { hours, startedAt } }: Shadow): string | null {
  return hours === null ? null : new Date(Date.parse(startedAt) + hours * hourMs).toISOString();
}

/** Whether the plan is fulfilled: parts or hours, whichever comes first. */
export function isOver(shadow: Shadow, now: string): boolean {
  const { parts } = shadow.head;
  const end = endsAt(shadow);
  return (parts !== null && shadow.parts.length >= parts) || (end !== null && now >= end);
}

/** Median and 95th percentile of the newest times; null: there are none. */
export function spreadOf(times: readonly number[]): { median: number; p95: number } | null {
  const sorted = times.slice(-mostTimes).sort((a, b) => a - b);
  if (sorted.length === 0) return null;
  const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)]!;
  return { median: at(0.5), p95: at(0.95) };
}

/** A comparison as a window shows it. */
export function showShadow(
  { parts: partStore, database }: Pick<Store, 'parts' | 'database'>,
  projectId: string,
  shadow: Shadow,
  line: { now: LineTimes; during: readonly number[] },
): ShadowState {
  const { head, state, parts, skipped } = shadow;
  const compared = compareShadow(parts, { ...(head.parts !== null && { parts: head.parts }) });
  const truth = truthOf(database, projectId, parts);
  const shown = ({ predScore, verdict }: ShadowPart['active']) => ({
    predScore: Number.isFinite(predScore) ? predScore : null,
    verdict,
  });
  return shadowState.parse({
    projectId,
    modelId: head.modelId,
    activeModelId: head.activeModelId,
    state,
    startedAt: head.startedAt,
    parts: head.parts,
    endsAt: endsAt(shadow),
    judged: compared.n,
    skipped,
    agreeing: compared.agreeing,
    disagreementRate: compared.disagreement.interval,
    newlyRejected: compared.newlyRejected,
    newlyAccepted: compared.newlyAccepted,
    stricterP: compared.p,
    reviews: compared.reviews,
    labelled: compareWithTruth(parts, truth),
    candidateMs: spreadOf(shadow.candidateMs),
    line: {
      before: head.lineBefore,
      during: spreadOf(line.during),
      cycleTimeMs: line.now.cycleTimeMs,
      isSlow: shadow.isSlow,
    },
    disagreements: compared.disagreements.slice(0, mostShown).map(({ id, className, at, active, candidate }) => {
      const part = partStore.get(Number(id));
      return {
        partId: Number(id),
        className,
        at,
        serial: part?.serial ?? null,
        pictureSha256: part?.pictureSha256 ?? null,
        truth: truth.get(id) ?? null,
        active: shown(active),
        candidate: shown(candidate),
      };
    }),
  });
}

function truthOf(
  database: Store['database'],
  projectId: string,
  parts: readonly ShadowPart[],
): ReadonlyMap<string, 'pass' | 'fail'> {
  let [first, last] = [Infinity, -Infinity];
  for (const { id } of parts) {
    first = Math.min(first, Number(id));
    last = Math.max(last, Number(id));
  }
  return parts.length === 0 ? new Map() : truthsOfParts(database, projectId, first, last);
}
