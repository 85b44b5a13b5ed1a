import { basename } from 'node:path';
import { formatEvaluationTable } from '../../shared/metrics/evaluation-table.ts';
import type { Manifest } from './manifest.ts';
import type { ModelPackage } from './read-package.ts';

/** What `twinspect model verify` tells about a package that passed every check. */
export interface PackageDescription {
  /** For people, several lines. */
  text: string;
  /** For scripts (`--json`). */
  json: PackageSummary;
}

export interface PackageSummary {
  file: string;
  valid: true;
  modelHash: string;
  fileBytes: number;
  /** Number of normal pictures in the snapshot. */
  normals: number;
  manifest: Manifest;
}

/** Describes a package read by `readPackage`, which has checked all that is said here. */
export function describePackage(model: ModelPackage): PackageDescription {
  const { manifest, normals, modelHash, fileBytes, path } = model;
  const json: PackageSummary = { file: path, valid: true, modelHash, fileBytes, normals: normals.length, manifest };
  return { text: lines(model).join('\n'), json };
}

function lines({ manifest: m, normals, modelHash, fileBytes, path }: ModelPackage): string[] {
  const { pooled, classes } = m.thresholds;
  const ownThresholds = classes.filter((entry) => entry.thresholds !== null);
  const rows: [string, string][] = [
    ['model', `${m.id}, made ${m.createdAt} by Twinspect ${m.productVersion}`],
    ['sha256', modelHash],
    ['preset', `${m.preset.name}, seed ${m.seed}`],
    ['trained with', `${m.engine.engine}, ${m.engine.provider}, threads ${m.engine.threads}, ${m.engine.mode}`],
    [
      'libraries',
      Object.entries(m.libraries)
        .map(([name, version]) => `${name} ${version}`)
        .join(', '),
    ],
    ['backbone', `${m.backbone.id}, sha256 ${m.backbone.sha256.slice(0, 16)}…`],
    ['input', `${m.inputSize} x ${m.inputSize} pixels`],
    ['outputs', m.outputs.join(', ')],
    ['snapshot', `${normals.length} normal pictures, hash ${m.snapshotHash.slice(0, 16)}…`],
    ['thresholds', `review ${round(pooled.review)}, fail ${round(pooled.fail)} (${pooled.basis}). ${pooled.statement}`],
    [
      'parity',
      `scores of ${m.parity.pictures} pictures differ from the trainer's by at most` +
        ` ${m.parity.maxAbsDifference.toExponential(1)} (allowed: ${m.parity.tolerance}), no verdict changed`,
    ],
  ];
  if (m.notes !== '') rows.push(['notes', m.notes]);
  const width = Math.max(...rows.map(([name]) => name.length));
  const nameWidth = Math.max(...m.classes.map((entry) => entry.name.length));
  return [
    `${basename(path)}: valid (${(fileBytes / 1e6).toFixed(1)} MB; all checksums, the snapshot and the graph are in order)`,
    '',
    ...rows.map(([name, value]) => `${name.padEnd(width)}  ${value}`),
    '',
    'classes',
    ...m.classes.map(({ name, normalCount, heldOutCount, fusedScore }) => {
      const scores = fusedScore === null ? '' : `, score ${round(fusedScore.mean)} ± ${round(fusedScore.sd)}`;
      const own = ownThresholds.find((entry) => entry.className === name)?.thresholds;
      const limits = own ? `, review ${round(own.review)}, fail ${round(own.fail)}` : '';
      return `  ${name.padEnd(nameWidth)}  ${normalCount} normal, ${heldOutCount} held out${scores}${limits}`;
    }),
    ...(m.metrics === null ? [] : ['', formatEvaluationTable(m.metrics)]),
    '',
    'members',
    ...m.members.map((member) => `  ${member.sha256.slice(0, 16)}…  ${member.name} (${member.bytes} bytes)`),
    ...(m.attribution.length === 0 ? [] : ['', 'attribution', ...m.attribution.map((credit) => `  ${credit}`)]),
  ];
}

function round(value: number): string {
  return Number(value.toPrecision(4)).toString();
}
