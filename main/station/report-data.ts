import { heldThresholds, heldWhen, type HeldThresholds } from '../../renderer/report/pdf/thresholds.ts';
import type { ReportedModel } from '../../renderer/report/pdf/lot-report.ts';
import type { ModelCard } from '../../renderer/report/pdf/model-card.ts';
import type { HistoryFilter } from '../../shared/ipc/history.ts';
import type { StationModel, StationPart } from '../../shared/station/domain.ts';
import type { Store } from '../store/store.ts';
import { isLabelled } from './golden.ts';

/** Longest list in a lot report; the rest is in the export. */
const mostListed = 400;
/** Parts that a lot report reads one by one; its counts are those of all. */
export const mostRead = 100_000;
const partsPerPiece = 500;

/** What a lot report says of single parts. */
export interface ReadParts {
  /** Newest first. */
  notPassed: StationPart[];
  models: ReportedModel[];
  span: { first: string; last: string } | null;
  /** Whether there are more than it read. */
  more: boolean;
}

/** Parts that one model judged by one pair of thresholds: the newest of them, and how many. */
interface JudgedAlike {
  part: StationPart;
  parts: number;
}

/** Reads the parts of a report, newest first, piece by piece: the station goes on meanwhile. */
export async function readParts(store: Store, filter: HistoryFilter, most = mostRead): Promise<ReadParts> {
  const notPassed: StationPart[] = [];
  const judged = new Map<string, JudgedAlike>();
  let span: ReadParts['span'] = null;
  let read = 0;
  let more = false;
  for (const part of store.history.all(filter, partsPerPiece)) {
    more = read === most;
    if (more) break;
    if (++read % partsPerPiece === 0) await new Promise((resolve) => setImmediate(resolve));
    // Clocks may jump: the order of parts is that of their numbers.
    span = spanWith(span, part.presentedAt);
    if (part.verdict !== null && part.verdict !== 'pass' && notPassed.length < mostListed) notPassed.push(part);
    if (part.modelId === null || part.thresholds === null) continue;
    const key = `${part.modelId} ${part.thresholds.review} ${part.thresholds.fail}`;
    const alike = judged.get(key);
    if (alike === undefined) judged.set(key, { part, parts: 1 });
    else alike.parts++;
  }
  return { notPassed, models: modelsOf(store, [...judged.values()]), span, more };
}

function spanWith(span: ReadParts['span'], at: string): NonNullable<ReadParts['span']> {
  if (span === null) return { first: at, last: at };
  return { first: at < span.first ? at : span.first, last: at > span.last ? at : span.last };
}

/** Models by which parts were judged, newest first, each with the thresholds that held then. */
function modelsOf(store: Store, judged: readonly JudgedAlike[]): ReportedModel[] {
  const ids = new Set(judged.map(({ part }) => part.modelId!));
  return [...ids]
    .flatMap((id) => store.models.find(id) ?? [])
    .map((model) => ({
      version: model.version,
      modelHash: model.modelHash,
      thresholds: judged
        .filter(({ part }) => part.modelId === model.id)
        .map(({ part, parts }) => ({ held: heldOf(store, model, part) ?? unknownThresholds(part), parts })),
    }))
    .sort((a, b) => b.version - a.version);
}

/** The thresholds a part was judged by, with who set them and why. */
export function heldOf(store: Store, model: StationModel, part: StationPart): HeldThresholds | null {
  if (part.thresholds === null) return null;
  const held = heldThresholds(model, store.models.thresholdHistory(model.id));
  return heldWhen(held, part.thresholds, part.decidedAt) ?? null;
}

/** Of records that came from elsewhere: the numbers are known, not where they come from. */
function unknownThresholds({ thresholds, presentedAt }: StationPart): HeldThresholds {
  return { at: presentedAt, by: '–', thresholds: thresholds!, basis: '–', reason: '–' };
}

/** What a model learned from, and the scores of labelled pictures it did not: as far as the store knows. */
export function cardData(store: Store, model: StationModel): Pick<ModelCard, 'held' | 'snapshot' | 'gates' | 'scores'> {
  const snapshot = store.pictures.snapshot(model.snapshotId);
  const learned = new Set(snapshot?.pictures.filter(({ use }) => use === 'normal').map(({ sha256 }) => sha256) ?? []);
  const known = store.pictures.scores(model.id);
  const scores: { good: number[]; bad: number[] } = { good: [], bad: [] };
  for (const picture of store.pictures.forTraining(model.projectId, ['golden', 'inspected'])) {
    const predScore = known.get(picture.sha256)?.predScore;
    if (typeof predScore !== 'number' || !isLabelled(picture) || learned.has(picture.sha256)) continue;
    if (model.classes.includes(picture.className)) scores[picture.gtLabel === 'fail' ? 'bad' : 'good'].push(predScore);
  }
  const counted = (className: string, use: string): number =>
    snapshot?.pictures.filter((one) => one.className === className && one.use === use).length ?? 0;
  const classNames = [...new Set(snapshot?.pictures.map(({ className }) => className))].sort();
  return {
    held: heldThresholds(model, store.models.thresholdHistory(model.id)),
    snapshot:
      snapshot === null
        ? null
        : {
            hash: snapshot.hash,
            classes: classNames.map((className) => ({
              className,
              normal: counted(className, 'normal'),
              calibration: counted(className, 'calibration'),
            })),
          },
    gates: store.models.gates(model.id),
    scores,
  };
}
