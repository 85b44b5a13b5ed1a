import { InvalidArgumentError, type Command } from 'commander';
import {
  gateOpen,
  overrideGate,
  type ChangedPicture,
  type GateResult,
  type GoldenLimits,
} from '../../../shared/calibration/gates.ts';
import type { SeenByBoth } from '../../calibration/gate-heat.ts';
import type { PreparedPicture } from '../../pictures/picture.ts';
import { UserError } from '../../../shared/errors.ts';
import type { GatedModel } from '../../calibration/gate-run.ts';
import type { Manifest } from '../../package/manifest.ts';
import {
  addCommand,
  addEngineOptions,
  collect,
  reporterOf,
  requireOption,
  type CommandContext,
  type EngineOptions,
} from '../context.ts';
import { formatTable, type Reporter } from '../console.ts';
import { exitCodes } from '../exit-codes.ts';

interface GateOptions extends EngineOptions {
  active: string;
  candidate: string;
  golden: string[];
  maxRecallLoss?: number;
  maxRejectRise?: number;
  maxClassLoss?: number;
  confidence: number;
  cycleTime?: number;
  report?: string;
  overrideBy?: string;
  overrideRole?: string;
  overrideReason?: string;
  json?: boolean;
}

/** What the command gives as JSON and writes to `--report`. */
export interface GateReport {
  active: { path: string; modelHash: string };
  candidate: { path: string; modelHash: string };
  /** Whether the candidate may judge parts; true with an override too, which then stands in every refused gate. */
  open: boolean;
  gates: GateResult[];
  at: string;
}

/** `twinspect gate` */
export function addGateCommand(program: Command, context: CommandContext): void {
  const command = addCommand(
    program,
    'gate',
    'compare a candidate model with the active one on a golden set, and refuse it unless it is shown to be no worse',
    [
      'gate --active papers.twin --candidate papers-2.twin --golden golden',
      'gate --active papers.twin --candidate papers-2.twin --golden golden --cycle-time 500 --report gate.json',
    ],
  )
    .option('--max-recall-loss <share>', 'loss of recall that must be ruled out (default: 0.05)', parseLimit)
    .option('--max-reject-rise <share>', 'rise of false rejects that must be ruled out (default: 0.05)', parseLimit)
    .option('--max-class-loss <share>', 'loss that may be seen in one class (default: 0.1)', parseLimit)
    .option('--confidence <share>', 'of every check', parseLimit, 0.95)
    .option('--cycle-time <ms>', 'time between two parts: 95 % of verdicts must come within it', parsePositive)
    .option(
      '--report <file>',
      'write everything found, the changed pictures too, to this file (.json, or .html to look at)',
    )
    .option('--override-by <name>', 'lets a refused candidate through in this name')
    .option('--override-role <role>', 'role of that person: engineer or admin')
    .option('--override-reason <text>', 'why');
  requireOption(command, '--active <file>', 'model package in use (.twin)');
  requireOption(command, '--candidate <file>', 'model package to take its place (.twin)');
  requireOption(command, '--golden <dir>', 'checked pictures that neither learned from; may be given again', collect);
  addEngineOptions(command).action(async (options: GateOptions) => {
    const reporter = reporterOf(context, options);
    const { seen, ...compared } = await compare(options, context, reporter);
    const report = overridden(compared, options);
    reporter.record(report);
    sayReport(reporter, report);
    if (options.report !== undefined) {
      const { writeFileAtomic } = await import('../../system/atomic-file.ts');
      const { gatePage } = await import('../../calibration/gate-page.ts');
      const page = options.report.endsWith('.html')
        ? gatePage({ ...report, seen })
        : `${JSON.stringify(report, null, 1)}\n`;
      await writeFileAtomic(options.report, page);
    }
    if (!report.open) context.endWith(exitCodes.refused);
  });
}

async function compare(
  options: GateOptions,
  context: CommandContext,
  reporter: Reporter,
): Promise<GateReport & { seen: ReadonlyMap<string, SeenByBoth> }> {
  const { readDataset } = await import('../../datasets/read.ts');
  const { readPicture } = await import('../../pictures/decode.ts');
  const { preparePicture } = await import('../../pictures/prepare.ts');
  const { runGates } = await import('../../calibration/gate-run.ts');
  const { pictures } = await readDataset(options.golden, { needTrain: false });
  const golden = pictures.filter(({ split }) => split !== 'train');
  const opened: GatedModel[] = [];
  const open = async (path: string): Promise<GatedModel & { manifest: Manifest }> => {
    const { readPackage } = await import('../../package/read-package.ts');
    const detector = await context.services.openDetector(path, options);
    opened.push({ detector, normals: [] });
    // The detector has judged the graph; here only what is said about it is wanted.
    const { normals, manifest } = await readPackage(path, { checkGraph: () => undefined });
    return { detector, normals, manifest };
  };
  try {
    const active = await open(options.active);
    const candidate = await open(options.candidate);
    const progress = reporter.progress('compare', 100, '%');
    const prepare = async (path: string, size: number): Promise<PreparedPicture> =>
      preparePicture(await readPicture(path), { size });
    const gates = await runGates({
      active,
      candidate: { ...candidate, parity: candidate.manifest.parity },
      golden,
      limits: limitsOf(options),
      ...(options.cycleTime !== undefined && { cycleTimeMs: options.cycleTime }),
      prepare,
      signal: context.signal,
      onProgress: (done, total) => progress.update(Math.floor((100 * done) / total)),
    });
    const { changedPictures } = await import('../../calibration/gate-heat.ts');
    const { mostPictures } = await import('../../calibration/gate-page.ts');
    const isPage = options.report?.endsWith('.html') === true;
    const both = { active: active.detector, candidate: candidate.detector };
    const seen = isPage
      ? await changedPictures(gates, both, prepare, mostPictures, context.signal)
      : new Map<string, SeenByBoth>();
    return {
      seen,
      active: { path: options.active, modelHash: active.detector.modelHash },
      candidate: { path: options.candidate, modelHash: candidate.detector.modelHash },
      open: gates.every(gateOpen),
      gates,
      at: new Date().toISOString(),
    };
  } finally {
    reporter.settle();
    for (const { detector } of opened) await detector.close();
  }
}

function limitsOf({ confidence, maxRecallLoss, maxRejectRise, maxClassLoss }: GateOptions): Partial<GoldenLimits> {
  return {
    confidence,
    ...(maxRecallLoss !== undefined && { maxRecallLoss }),
    ...(maxRejectRise !== undefined && { maxFalseRejectRise: maxRejectRise }),
    ...(maxClassLoss !== undefined && { maxClassLoss }),
  };
}

/** The same report with the person's override on every refused gate. */
function overridden(report: GateReport, { overrideBy, overrideRole, overrideReason }: GateOptions): GateReport {
  if (overrideBy === undefined && overrideRole === undefined && overrideReason === undefined) return report;
  if (overrideBy === undefined || overrideRole === undefined || overrideReason === undefined) {
    throw new UserError(
      'overrideIncomplete',
      'An override needs a name, a role and a reason.',
      'Give --override-by, --override-role and --override-reason.',
    );
  }
  const override = { by: overrideBy, role: overrideRole, reason: overrideReason, at: report.at };
  const gates = report.gates.map((gate) => (gate.outcome === 'refused' ? overrideGate(gate, override) : gate));
  return { ...report, gates, open: gates.every(gateOpen) };
}

const gateTitles = {
  goldenSet: 'Golden set',
  oldProducts: 'Old products',
  latency: 'Latency',
  parity: 'Parity',
} as const;

function sayReport(reporter: Reporter, { gates, open }: GateReport): void {
  for (const { gate, outcome, checks, override } of gates) {
    reporter.say(`${gateTitles[gate]}: ${outcome}`);
    for (const { passed, statement } of checks) reporter.say(`  ${passed ? 'ok ' : 'NO '} ${statement.text}`);
    if (override !== null) reporter.say(`  Overridden by ${override.by} (${override.role}): ${override.reason}`);
  }
  // The old-products gate repeats the golden set's pictures.
  const changed = gates.find(({ gate }) => gate === 'goldenSet')?.changed ?? [];
  if (changed.length > 0) {
    reporter.say(`Pictures that the two judge differently: ${String(changed.length)}`);
    const shown = changed.slice(0, 20);
    reporter.say(formatTable(['picture', 'truth', 'active', 'candidate', 'effect'], shown.map(rowOf)));
    if (shown.length < changed.length)
      reporter.say(`... and ${String(changed.length - shown.length)} more (--report lists all)`);
  }
  reporter.say(open ? 'The candidate may take over.' : 'The candidate is refused.');
}

function rowOf({ id, gtLabel, active, candidate, activeScore, candidateScore, effect }: ChangedPicture): string[] {
  return [id, gtLabel, `${active} ${activeScore.toFixed(3)}`, `${candidate} ${candidateScore.toFixed(3)}`, effect];
}

function parseLimit(text: string): number {
  const value = text === '' ? Number.NaN : Number(text);
  if (!(value > 0 && value < 1)) throw new InvalidArgumentError('A share between 0 and 1 is needed, e.g. 0.05.');
  return value;
}

function parsePositive(text: string): number {
  const value = Number(text);
  if (!(value > 0 && Number.isFinite(value))) throw new InvalidArgumentError('A number above 0 is needed.');
  return value;
}
