import { metricNames, type GroupMetrics } from './measure.ts';
import { paperComplexity, paperReference, type PaperReference, type Setting } from './paper-tables.ts';
import type { Experiment, Plan } from './plan.ts';
import type { ProtocolId } from './protocol-ids.ts';
import type { UnitResult } from './run.ts';

/** Mean over the seeds, and their standard deviation (n - 1); null with one seed. */
export interface Spread {
  mean: number;
  sd: number | null;
  seeds: number;
}
export type SpreadMetrics = Record<keyof GroupMetrics, Spread | null>;

export interface SummaryRow {
  name: string;
  images: number;
  defects: number;
  metrics: SpreadMetrics;
  byKind: Record<string, Spread | null>;
}

export interface ExperimentSummary {
  key: string;
  title: string;
  rows: SummaryRow[];
  /** Per seed the mean over the rows that have a value, then over the seeds. Null until every row of a seed is there. */
  mean: { metrics: SpreadMetrics; byKind: Record<string, Spread | null> };
  /** Our mean image AUROC minus the paper's, percentage points. */
  difference: number | null;
  paper: PaperReference | null;
  /** Batch 1, in the detector, over all test pictures measured. */
  latencyMs: { median: number; p95: number; pictures: number } | null;
  /** Mean over the trainings. */
  trainingMs: number | null;
  parameters: { graphNumbers: number | null; modelM: number | null; paperM: number | null; paperMs: number | null };
  trained: number;
  trainings: number;
  complete: boolean;
}

/**
 * One table for each experiment from what is measured so far.
 * @param modelParameters teacher and students together, where they are counted apart from the graph
 */
export function summarise(
  plan: Plan,
  results: readonly UnitResult[],
  key: { protocol: ProtocolId; setting: Setting; preset: string },
  modelParameters: (experiment: Experiment) => number | null,
): ExperimentSummary[] {
  return plan.experiments.map((experiment) => {
    const units = plan.units.filter((unit) => unit.experiment.key === experiment.key);
    const own = results.filter(({ unit }) => unit.experiment.key === experiment.key);
    const seeds = [...new Set(units.map(({ seed }) => seed))];
    const names = [...new Set(units.flatMap(({ groups }) => groups.map(({ name }) => name)))];
    const groupsOf = (seed: number) => own.filter(({ unit }) => unit.seed === seed).flatMap(({ groups }) => groups);
    const rows = names.flatMap((name): SummaryRow[] => {
      const found = seeds.flatMap((seed) => groupsOf(seed).find((group) => group.name === name) ?? []);
      const [first] = found;
      if (first === undefined) return [];
      return [
        {
          name,
          images: first.images,
          defects: first.defects,
          metrics: spreads((metric) => found.map(({ metrics }) => metrics[metric])),
          byKind: Object.fromEntries(
            Object.keys(first.byKind).map((kind) => [kind, spread(found.map(({ byKind }) => byKind[kind] ?? null))]),
          ),
        },
      ];
    });
    const finished = seeds.map(groupsOf).filter((groups) => groups.length === names.length);
    const mean = {
      metrics: spreads((metric) => finished.map((groups) => meanOf(groups.map(({ metrics }) => metrics[metric])))),
      byKind: Object.fromEntries(
        Object.keys(rows[0]?.byKind ?? {}).map((kind) => [
          kind,
          spread(finished.map((groups) => meanOf(groups.map(({ byKind }) => byKind[kind] ?? null)))),
        ]),
      ),
    };
    const paper = paperReference({ ...key, ...experiment });
    const ours = mean.metrics.imageAuroc;
    const latencies = own.flatMap(({ groups }) => groups.flatMap(({ latenciesMs }) => latenciesMs));
    const complexity = paperComplexity[key.preset];
    return {
      key: experiment.key,
      title: experiment.title,
      rows,
      mean,
      difference:
        ours === null || paper?.value === undefined || paper.value === null ? null : 100 * ours.mean - paper.value,
      paper,
      latencyMs: quantiles(latencies),
      trainingMs: meanOf(own.map(({ training }) => training.elapsedMs)),
      parameters: {
        graphNumbers: own[0]?.training.graphNumbers ?? null,
        modelM: millions(modelParameters(experiment)),
        paperM: complexity?.parametersM ?? null,
        paperMs: complexity?.inferenceMs ?? null,
      },
      trained: own.length,
      trainings: units.length,
      complete: finished.length === seeds.length,
    };
  });
}

function spreads(values: (metric: keyof GroupMetrics) => (number | null)[]): SpreadMetrics {
  return Object.fromEntries(metricNames.map((metric) => [metric, spread(values(metric))])) as SpreadMetrics;
}

function spread(values: readonly (number | null)[]): Spread | null {
  const known = values.filter((value) => value !== null);
  const mean = meanOf(known);
  if (mean === null) return null;
  const variance = known.reduce((sum, value) => sum + (value - mean) ** 2, 0) / Math.max(1, known.length - 1);
  return { mean, sd: known.length < 2 ? null : Math.sqrt(variance), seeds: known.length };
}

function meanOf(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null);
  return known.length === 0 ? null : known.reduce((sum, value) => sum + value, 0) / known.length;
}

/** Nearest-rank quantiles. */
function quantiles(values: readonly number[]): ExperimentSummary['latencyMs'] {
  if (values.length === 0) return null;
  const sorted = Float64Array.from(values).sort();
  const at = (share: number): number => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)]!;
  return { median: at(0.5), p95: at(0.95), pictures: sorted.length };
}

const millions = (count: number | null): number | null => (count === null ? null : count / 1e6);
