import { UserError } from '../errors.ts';
import { type PixelTruth, pixelMetrics } from './pixels.ts';
import { averagePrecision, auroc, f1Max } from './ranking.ts';

/** One test picture as the evaluation sees it. */
export interface EvaluatedPicture {
  gtLabel: 'good' | 'defect';
  /** Fused score, higher is less normal. */
  predScore: number;
  /** Time of this picture in the detector, decode and resize included where the caller measured them. */
  latencyMs?: number;
  /**
   * Map and mask for the pixel metrics. Absent: the picture does not count there. A defect without a known mask must
   * leave this out; a good picture passes `gtMask: null`.
   */
  pixels?: PixelTruth;
}

/** Metrics in 0..1, null where they are not defined (no defects, no good pictures, no masks). */
export interface EvaluationMetrics {
  imageAuroc: number | null;
  imageAp: number | null;
  imageF1Max: number | null;
  pixelAuroc: number | null;
  /** Area under the per-region overlap up to a false-positive rate of 0.3, exact. */
  aupro: number | null;
  /** Median over the pictures that have one. */
  latencyMs: number | null;
}

/** Row of the evaluation table: one class. */
export interface EvaluationRow extends EvaluationMetrics {
  name: string;
  /** Test pictures, good and defect. */
  images: number;
  /** Test pictures that are defect. */
  defects: number;
}

/** All test pictures in one ranking: what one threshold for all classes can reach. */
export interface PooledEvaluation {
  images: number;
  defects: number;
  imageAuroc: number | null;
  imageAp: number | null;
  imageF1Max: number | null;
}

/** What `twinspect evaluate --json` prints. */
export interface EvaluationTable {
  classes: EvaluationRow[];
  /** Mean over the classes that have a value (method-spec section 8: per category, then mean). */
  mean: EvaluationMetrics;
  pooled: PooledEvaluation;
}

const metricNames = ['imageAuroc', 'imageAp', 'imageF1Max', 'pixelAuroc', 'aupro', 'latencyMs'] as const;

/**
 * Builds the table class by class, so that only one class's maps are in memory at a time:
 * `add` takes a class's pictures, keeps its row and its scores, and forgets the maps.
 */
export class EvaluationTableBuilder {
  readonly #rows: EvaluationRow[] = [];
  readonly #labels: boolean[] = [];
  readonly #scores: number[] = [];

  /**
   * Adds one class and returns its row.
   * @throws UserError `scoreNotFinite` when a score is NaN or infinite (naming the class), `classTwice` when the name came before
   */
  add(name: string, pictures: readonly EvaluatedPicture[]): EvaluationRow {
    if (this.#rows.some((row) => row.name === name)) {
      throw new UserError('classTwice', `The class "${name}" was evaluated twice.`, 'Give each class one folder.');
    }
    const row = evaluateClass(name, pictures);
    this.#rows.push(row);
    for (const { gtLabel, predScore } of pictures) {
      this.#labels.push(gtLabel === 'defect');
      this.#scores.push(predScore);
    }
    return row;
  }

  /** Rows so far in order of adding, their mean, and all scores pooled. */
  table(): EvaluationTable {
    const labels = this.#labels;
    const scores = this.#scores;
    return {
      classes: [...this.#rows],
      mean: meanMetrics(this.#rows),
      pooled: {
        images: scores.length,
        defects: labels.filter(Boolean).length,
        ...imageMetrics(labels, scores),
      },
    };
  }
}

/** Metrics of one class. Image metrics need both labels, pixel metrics at least one anomalous pixel. */
export function evaluateClass(name: string, pictures: readonly EvaluatedPicture[]): EvaluationRow {
  const labels = pictures.map((picture) => picture.gtLabel === 'defect');
  const scores = pictures.map((picture) => picture.predScore);
  const broken = scores.filter((score) => !Number.isFinite(score)).length;
  if (broken > 0) {
    throw new UserError(
      'scoreNotFinite',
      `${broken} of ${scores.length} pictures of the class "${name}" have no finite score.`,
      'Check the model with "twinspect model verify".',
    );
  }
  const pixels = pixelMetrics(pictures.flatMap((picture) => (picture.pixels === undefined ? [] : [picture.pixels])));
  const latencies = pictures.flatMap((picture) => (picture.latencyMs === undefined ? [] : [picture.latencyMs]));
  return {
    name,
    images: pictures.length,
    defects: labels.filter(Boolean).length,
    ...imageMetrics(labels, scores),
    pixelAuroc: pixels.pixelAuroc,
    aupro: pixels.aupro,
    latencyMs: median(latencies),
  };
}

/** AP and F1 of a class without good pictures would be 1 whatever the model does: null, like the AUROC. */
function imageMetrics(
  labels: boolean[],
  scores: number[],
): Pick<EvaluationMetrics, 'imageAuroc' | 'imageAp' | 'imageF1Max'> {
  const imageAuroc = auroc(labels, scores);
  if (imageAuroc === null) return { imageAuroc: null, imageAp: null, imageF1Max: null };
  return { imageAuroc, imageAp: averagePrecision(labels, scores), imageF1Max: f1Max(labels, scores)?.value ?? null };
}

/** Mean of each metric over the rows that have a value; null where none has. */
function meanMetrics(rows: readonly EvaluationMetrics[]): EvaluationMetrics {
  const mean: EvaluationMetrics = {
    imageAuroc: null,
    imageAp: null,
    imageF1Max: null,
    pixelAuroc: null,
    aupro: null,
    latencyMs: null,
  };
  for (const metric of metricNames) {
    const values = rows.map((row) => row[metric]).filter((value) => value !== null);
    if (values.length > 0) mean[metric] = values.reduce((sum, value) => sum + value, 0) / values.length;
  }
  return mean;
}

function median(values: number[]): number | null {
  if (values.length === 0) return null;
  const sorted = Float64Array.from(values).sort();
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
}

/** The table as aligned text for a terminal: one line per class, then mean and pooled. */
export function formatEvaluationTable(table: EvaluationTable): string {
  const number = (value: number | null, digits: number): string => (value === null ? '-' : value.toFixed(digits));
  const cells = (name: string, counts: [string, string], row: EvaluationMetrics): string[] => [
    name,
    ...counts,
    number(row.imageAuroc, 4),
    number(row.imageAp, 4),
    number(row.imageF1Max, 4),
    number(row.pixelAuroc, 4),
    number(row.aupro, 4),
    number(row.latencyMs, 1),
  ];
  const pooled: EvaluationMetrics = { ...table.pooled, pixelAuroc: null, aupro: null, latencyMs: null };
  const lines = [
    ['class', 'images', 'defects', 'AUROC', 'AP', 'F1-max', 'pixel AUROC', 'AUPRO', 'ms'],
    ...table.classes.map((row) => cells(row.name, [`${row.images}`, `${row.defects}`], row)),
    cells('mean', ['', ''], table.mean),
    cells('pooled', [`${table.pooled.images}`, `${table.pooled.defects}`], pooled),
  ];
  const widths = lines[0]!.map((_, column) => Math.max(...lines.map((line) => line[column]!.length)));
  return lines
    .map((line) =>
      line
        .map((cell, column) => (column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
