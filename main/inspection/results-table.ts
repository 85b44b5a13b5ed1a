import { stringify } from 'csv-stringify/sync';
import type { InspectionRecord } from './record.ts';

/** Columns of results.csv; new ones go to the end, so that scripts keep working. */
const columns = [
  'file',
  'className',
  'verdict',
  'predScore',
  'localScore',
  'semanticScore',
  'memoryScore',
  'latencyMs',
  'reason',
  'reviewThreshold',
  'failThreshold',
  'similarClass',
  'similarFile',
  'inspectedAt',
  'contentHash',
  'modelHash',
  'id',
] as const;

export const csvHeader = `${columns.join(',')}\n`;

/** One record as a line of results.csv, line feed included. Scores that are not there are empty. */
export function csvLine(record: InspectionRecord): string {
  const { thresholds, similar } = record;
  const cells: Record<string, unknown> = {
    ...record,
    reviewThreshold: thresholds?.review,
    failThreshold: thresholds?.fail,
    similarClass: similar?.className,
    similarFile: similar?.fileName,
  };
  return stringify([columns.map((name) => cells[name])]);
}

/** The command line's fixed form of a record: the first eight fields in this order, more behind them. */
export function resultLine(record: InspectionRecord): Record<string, unknown> {
  const { file, className, verdict, predScore, localScore, semanticScore, memoryScore, latencyMs } = record;
  const { reason, thresholds, similar, contentHash } = record;
  return {
    file,
    className,
    verdict,
    predScore,
    localScore,
    semanticScore,
    memoryScore,
    latencyMs,
    ...(reason !== undefined && { reason }),
    ...(thresholds !== undefined && { thresholds }),
    ...(similar !== undefined && { similar }),
    ...(contentHash !== undefined && { contentHash }),
  };
}

/** Likewise for `watch`, with the id by which a record that's told again after a restart is known. */
export function watchLine(record: InspectionRecord): Record<string, unknown> {
  return { ...resultLine(record), id: record.id, inspectedAt: record.inspectedAt };
}
