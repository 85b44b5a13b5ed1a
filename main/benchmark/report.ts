import path from 'node:path';
import { arch, availableParallelism, cpus, platform, release, totalmem } from 'node:os';
import { writeFileAtomic, writeJsonAtomic } from '../system/atomic-file.ts';
import type { OpenSwitch } from './deviations.ts';
import type { Setting } from './paper-tables.ts';
import type { ProtocolId } from './protocol-ids.ts';
import type { ExperimentSummary, Spread, SummaryRow } from './summary.ts';

/** The machine a run was measured on. */
export interface MachineFacts {
  cpu: string;
  cores: number;
  memoryGiB: number;
  system: string;
  node: string;
  productVersion: string;
  engine: string;
  provider: string;
  threads: number | null;
}

/** Everything a benchmark says; `report.json` is this, `report.md` is made of it. */
export interface BenchmarkReport {
  formatVersion: 1;
  protocol: ProtocolId;
  title: string;
  setting: Setting;
  preset: string;
  seeds: number;
  /** Command that repeats the run. */
  command: string;
  /** Why the figures mean nothing; null when they mean something. */
  meaningless: string | null;
  complete: boolean;
  data: { folders: string[]; classes: string[]; train: number; test: number; published: string; licence: string };
  experiments: ExperimentSummary[];
  /** Further methods measured here on the same data. */
  baselines: Baseline[];
  deviations: string[];
  openSwitches: OpenSwitch[];
  machine: MachineFacts;
  elapsedMs: number;
}

/** Another method on the same groups. */
export interface Baseline {
  name: string;
  /** By group name, 0..1. */
  imageAuroc: Record<string, number | null>;
}

export function machineFacts(
  productVersion: string,
  engine: { engine: string; provider: string; threads: number } | undefined,
): MachineFacts {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    system: `${platform()} ${release()} ${arch()}`,
    node: process.versions.node,
    productVersion,
    engine: engine?.engine ?? 'unknown',
    provider: engine?.provider ?? 'unknown',
    threads: engine?.threads ?? null,
  };
}

/** Writes `report.json` and `report.md` into a folder, each whole or not at all. */
export async function writeReport(folder: string, report: BenchmarkReport): Promise<void> {
  await writeJsonAtomic(path.join(folder, 'report.json'), report);
  await writeFileAtomic(path.join(folder, 'report.md'), markdown(report));
}

/** The report as Markdown: one table for each experiment, then all that belongs to it. */
export function markdown(report: BenchmarkReport): string {
  const { experiments, deviations, openSwitches, machine, data, baselines } = report;
  const lines = [`# ${report.title}, ${report.setting}, preset ${report.preset}`, ''];
  if (report.meaningless !== null) {
    lines.push(`> **These figures mean nothing: ${report.meaningless}.** They show only that every step runs.`, '');
  }
  if (!report.complete) lines.push('> **Not complete yet.** Means appear when every row of a seed is there.', '');
  lines.push('Image AUROC and the further metrics in percent, mean over seeds with standard deviation.', '');
  if (experiments.length > 1) lines.push('## All experiments', '', ...overview(experiments), '');
  for (const experiment of experiments) {
    if (experiments.length > 1) lines.push(`## ${experiment.title}`, '');
    lines.push(...experimentTable(experiment, baselines), '', ...besideThePaper(experiment, report), '');
  }
  lines.push('## Deviations from the paper', '', ...deviations.map((text) => `- ${text}`), '');
  if (openSwitches.length > 0) {
    lines.push(
      '## Switches that the paper leaves open',
      '',
      ...table(
        ['setting', 'value here', 'what is known'],
        openSwitches.map(({ setting, value, evidence }) => [setting, `\`${JSON.stringify(value)}\``, evidence]),
      ),
      '',
    );
  }
  lines.push(
    '## Data and machine',
    '',
    `- ${data.classes.length} classes, ${data.train} training and ${data.test} test pictures; ${data.published}; licence: ${data.licence}`,
    `- ${machine.cpu}, ${machine.cores} cores, ${machine.memoryGiB} GiB, ${machine.system}`,
    `- Twinspect ${machine.productVersion}, Node ${machine.node}, ${machine.engine} on ${machine.provider}` +
      (machine.threads === null ? '' : `, ${machine.threads} threads`),
    `- seeds 0 to ${report.seeds - 1}; ${(report.elapsedMs / 60_000).toFixed(1)} min of training and measuring`,
    `- repeat: \`${report.command}\``,
    '',
  );
  return lines.join('\n');
}

function experimentTable({ rows, mean, paper }: ExperimentSummary, baselines: readonly Baseline[]): string[] {
  const kinds = Object.keys(rows[0]?.byKind ?? {});
  const hasPixels = rows.some(({ metrics }) => metrics.pixelAuroc !== null);
  const pixelHeads = hasPixels ? ['pixel AUROC', 'pixel AP', 'pixel F1', 'AUPRO', 'AUPRO (stepped)'] : [];
  const hasSpro = rows.some(({ metrics }) => metrics.spro005 !== null);
  if (hasSpro) pixelHeads.push('sPRO (FPR 0.05)', 'sPRO (FPR 0.3)');
  const header = [
    'class',
    'images',
    'anomalous',
    'AUROC',
    'paper',
    'AP',
    'F1-max',
    ...kinds.map((kind) => `AUROC ${kind.replaceAll('_', ' ')}`),
    ...pixelHeads,
    ...baselines.map(({ name }) => name),
  ];
  const cells = ({ metrics, byKind }: Pick<SummaryRow, 'metrics' | 'byKind'>, paperCell: string): string[] => [
    percent(metrics.imageAuroc),
    paperCell,
    percent(metrics.imageAp),
    percent(metrics.imageF1Max),
    ...kinds.map((kind) => percent(byKind[kind] ?? null)),
    ...(hasPixels
      ? [metrics.pixelAuroc, metrics.pixelAp, metrics.pixelF1Max, metrics.aupro, metrics.auproStepped].map(percent)
      : []),
    ...(hasSpro ? [metrics.spro005, metrics.spro03].map(percent) : []),
  ];
  const baselineCell = (value: number | null | undefined): string =>
    value === null || value === undefined ? '-' : (100 * value).toFixed(2);
  const body = rows.map((row) => [
    row.name,
    String(row.images),
    String(row.defects),
    // Its class-wise tables are in a supplementary that could not be had.
    ...cells(row, '-'),
    ...baselines.map(({ imageAuroc }) => baselineCell(imageAuroc[row.name])),
  ]);
  const means = baselines.map(({ imageAuroc }) => {
    const values = rows.map(({ name }) => imageAuroc[name]).filter((value) => typeof value === 'number');
    return values.length === rows.length ? values.reduce((sum, value) => sum + value, 0) / values.length : null;
  });
  const paperMean = paper?.value === undefined || paper.value === null ? '-' : `**${paper.value.toFixed(1)}**`;
  return table(header, [...body, ['**mean**', '', '', ...cells(mean, paperMean), ...means.map(baselineCell)]]);
}

function besideThePaper(experiment: ExperimentSummary, { meaningless }: BenchmarkReport): string[] {
  const { paper, difference, mean, latencyMs, parameters, trainingMs } = experiment;
  const lines: string[] = [];
  if (paper === null) lines.push('- The paper has no such experiment.');
  else {
    const value = paper.value === null ? 'no value for this very set-up' : paper.value.toFixed(2);
    const apart =
      difference === null || meaningless !== null
        ? ''
        : `; ours ${percent(mean.metrics.imageAuroc)}, ${difference >= 0 ? '+' : ''}${difference.toFixed(2)} points`;
    lines.push(`- Paper, ${paper.table}: ${value}${apart}.`);
    if (paper.peers.length > 0) {
      lines.push(
        `- The paper's table: ${paper.peers.map(({ method, value: v }) => `${method} ${v.toFixed(1)}`).join(', ')}.`,
      );
    }
    if (paper.note !== undefined) lines.push(`- ${paper.note}`);
  }
  const { modelM, graphNumbers, paperM, paperMs } = parameters;
  const size = [
    ...(modelM === null ? [] : [`${modelM.toFixed(2)} M parameters (teacher and students)`]),
    ...(graphNumbers === null ? [] : [`${(graphNumbers / 1e6).toFixed(2)} M numbers in the model's graph`]),
    ...(paperM === null ? [] : [`paper ${paperM.toFixed(1)} M`]),
  ];
  if (size.length > 0) lines.push(`- Size: ${size.join('; ')}.`);
  if (latencyMs !== null) {
    lines.push(
      `- Time of one picture in the detector (batch 1, without decoding): median ${latencyMs.median.toFixed(1)} ms, ` +
        `p95 ${latencyMs.p95.toFixed(1)} ms, over ${latencyMs.pictures} pictures` +
        (paperMs === null ? '.' : `; the paper: ${paperMs.toFixed(1)} ms on hardware it doesn't name.`),
    );
  }
  if (trainingMs !== null) lines.push(`- Training: ${(trainingMs / 1000).toFixed(0)} s a model.`);
  return lines;
}

function overview(experiments: readonly ExperimentSummary[]): string[] {
  return table(
    ['experiment', 'AUROC', 'paper', 'difference'],
    experiments.map(({ title, mean, paper, difference }) => [
      title,
      percent(mean.metrics.imageAuroc),
      paper?.value === undefined || paper.value === null ? '-' : paper.value.toFixed(2),
      difference === null ? '-' : `${difference >= 0 ? '+' : ''}${difference.toFixed(2)}`,
    ]),
  );
}

/** `98.76 ± 0.12` in percent. */
function percent(spread: Spread | null): string {
  if (spread === null) return '-';
  const sd = spread.sd === null ? '' : ` ± ${(100 * spread.sd).toFixed(2)}`;
  return `${(100 * spread.mean).toFixed(2)}${sd}`;
}

function table(header: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(header), line(header.map((_, i) => (i === 0 ? '---' : '---:'))), ...rows.map(line)];
}
