import { InvalidArgumentError, Option, type Command } from 'commander';
import type { CostPolicy, ThresholdPolicy } from '../../../shared/calibration/policies.ts';
import { calibrateThresholds, type ThresholdCalibration } from '../../../shared/calibration/thresholds.ts';
import { UserError } from '../../../shared/errors.ts';
import type { CalibrationReport, CalibrationRequest } from '../../calibration/report.ts';
import type { ScoredPicture } from '../../calibration/score.ts';
import type { Dataset, PictureRef } from '../../datasets/dataset.ts';
import {
  addCommand,
  addEngineOptions,
  collect,
  parseSeed,
  reporterOf,
  requireOption,
  type CommandContext,
  type EngineOptions,
} from '../context.ts';
import { formatTable, type Reporter } from '../console.ts';
import { exitCodes } from '../exit-codes.ts';

interface CalibrateOptions extends EngineOptions {
  model: string;
  data: string[];
  policy: { name: PolicyName; rate?: number };
  target?: number;
  cost?: Pick<CostPolicy, 'escape' | 'reject' | 'review'>;
  confidence: number;
  otherRate?: number;
  defectRate?: number;
  partsPerHour?: number;
  groupBy?: string;
  bestReachable?: boolean;
  unknownRate: number;
  seed: number;
  maxReviews: number;
  report?: string;
  out?: string;
  json?: boolean;
}

const policyNames = {
  normals: 'normals',
  f1: 'f1',
  youden: 'youden',
  escape: 'escape',
  'max-escapes': 'escape',
  'false-rejects': 'falseRejects',
  'max-false-rejects': 'falseRejects',
  cost: 'cost',
} as const;
type PolicyName = (typeof policyNames)[keyof typeof policyNames];

/** `twinspect calibrate` */
export function addCalibrateCommand(program: Command, context: CommandContext): void {
  const command = addCommand(
    program,
    'calibrate',
    'choose the two thresholds from pictures the model has not learned from, and say what is sure about them',
    [
      'calibrate --model papers.twin --data models/sample/papers',
      'calibrate --model papers.twin --data checked --policy escape --target 0.01 --defect-rate 0.005 --out papers-2.twin',
      'calibrate --model papers.twin --data checked --policy cost --cost 100:1:0.2 --defect-rate 0.005',
    ],
  )
    .option(
      '--policy <rule>',
      'normals (from good parts alone), escape, false-rejects, cost, f1, youden; a limit may follow: escape=0.01',
      parsePolicy,
      { name: 'normals' } satisfies CalibrateOptions['policy'],
    )
    .option(
      '--target <rate>',
      'limit of the policy: share of defects that escape, or of good parts rejected',
      parseRate,
    )
    .option(
      '--cost <escape:reject:review>',
      'what one of each costs, e.g. 100:1:0.2; without the third nobody reviews',
      parseCost,
    )
    .option('--confidence <share>', 'how sure the guarantees are to be', parseRate, 0.95)
    .option(
      '--other-rate <rate>',
      'with escape: limit of false rejects, with false-rejects: of escapes; makes the review band',
      parseRate,
    )
    .option('--defect-rate <rate>', "the line's real share of defective parts", parseShare)
    .option('--parts-per-hour <count>', 'for reviews and false rejects per hour', parsePositive)
    .option('--group-by <regex>', 'finds the lot or serial number in a path; parts of one group resemble each other')
    .option(
      '--best-reachable',
      "takes the strictest limit the pictures can show where the policy's own is out of reach",
    )
    .option('--unknown-rate <rate>', 'share of known parts that may be taken for an unknown class', parseRate, 0.01)
    .option('--max-reviews <rate>', 'with normals: share of the good parts that may be asked about', parseRate, 0.05)
    .addOption(
      new Option('--seed <number>', 'for the halves of good parts that set class levels')
        .argParser(parseSeed)
        .default(1),
    )
    .option('--report <file>', 'write everything found to this JSON file')
    .option('--out <file>', 'write the model with the new thresholds (default: only show them)');
  requireOption(command, '--model <file>', 'model package (.twin)');
  requireOption(command, '--data <dir>', 'one class, or a folder of classes; may be given again', collect);
  addEngineOptions(command).action(async (options: CalibrateOptions) => {
    const policy = policyOf(options);
    const reporter = reporterOf(context, options);
    const { report, scored } = await measure(options, policy, context, reporter);
    const { calibrationLines, manifestThresholds } = await import('../../calibration/report.ts');
    // Good parts alone: an extrapolated threshold, marked as such, is better than none on a new line.
    const thresholds =
      policy.kind === 'normalsOnly' ? fromNormals(scored, policy, options) : manifestThresholds(report, scored);
    reporter.record({ ...(thresholds ?? {}), refused: !report.calibration.pooled.ok, report });
    if (thresholds !== null) sayThresholds(reporter, thresholds, policy.kind === 'normalsOnly');
    for (const line of calibrationLines(report)) reporter.say(line);
    if (options.report !== undefined) await writeReport(options.report, report);
    if (thresholds === null) {
      context.endWith(exitCodes.refused);
      return;
    }
    if (options.out === undefined) return;
    context.signal.throwIfAborted();
    await writeCalibrated(options.model, options.out, thresholds, report, scored);
    reporter.say(`Model with these thresholds: ${options.out}`);
  });
}

/** Scores what thresholds may rest on, checks where it comes from, and calibrates. */
async function measure(
  options: CalibrateOptions,
  policy: ThresholdPolicy,
  context: CommandContext,
  reporter: Reporter,
): Promise<{ report: CalibrationReport; scored: ScoredPicture[] }> {
  const { readDataset } = await import('../../datasets/read.ts');
  const { readPicture } = await import('../../pictures/decode.ts');
  const { preparePicture } = await import('../../pictures/prepare.ts');
  const { readPackage } = await import('../../package/read-package.ts');
  const { checkProvenance, refuseTainted } = await import('../../calibration/provenance.ts');
  const { scoreForCalibration } = await import('../../calibration/score.ts');
  const { calibrationReport } = await import('../../calibration/report.ts');
  const dataset = await readDataset(options.data, { needTrain: false });
  for (const warning of dataset.warnings) reporter.note(`Note: ${warning}`);
  const refs = calibrationPictures(dataset, policy, reporter);
  const detector = await context.services.openDetector(options.model, options);
  try {
    const prepare = async (path: string, size = detector.inputSize) =>
      preparePicture(await readPicture(path), { size });
    // The detector has judged the graph; here only the list of pictures is wanted.
    const { normals } = await readPackage(options.model, { checkGraph: () => undefined });
    const provenance = await checkProvenance(refs, {
      normals,
      training: dataset.pictures.filter(({ split }) => split === 'train'),
      prepare,
      signal: context.signal,
    });
    refuseTainted(refs, provenance);
    const progress = reporter.progress('score', refs.length, 'pictures');
    const scored = await scoreForCalibration(refs, {
      detector,
      prepare,
      signal: context.signal,
      onProgress: (done) => progress.update(done),
    });
    const { confidence, otherRate, defectRate, partsPerHour, groupBy, unknownRate, seed } = options;
    const request: CalibrationRequest = {
      policy,
      confidence,
      acceptReachable: options.bestReachable === true,
      unknownRate,
      seed,
      ...(otherRate !== undefined && { otherRate }),
      ...(defectRate !== undefined && { defectRate }),
      ...(partsPerHour !== undefined && { partsPerHour }),
      ...(groupBy !== undefined && { groupBy }),
    };
    return { report: calibrationReport(scored, provenance, request, new Date().toISOString()), scored };
  } finally {
    reporter.settle();
    await detector.close();
  }
}

/** Good pictures kept for calibration (where there are none: the test ones), and the labelled defects. */
function calibrationPictures({ pictures }: Dataset, policy: ThresholdPolicy, reporter: Reporter): PictureRef[] {
  const of = (split: string, gtLabel: string): PictureRef[] =>
    pictures.filter((picture) => picture.split === split && picture.gtLabel === gtLabel);
  const kept = of('calibration', 'good');
  const good = kept.length > 0 ? kept : of('test', 'good');
  const keptDefects = of('calibration', 'defect');
  const defects = policy.kind === 'normalsOnly' ? [] : keptDefects.length > 0 ? keptDefects : of('test', 'defect');
  const refs = [...good, ...defects];
  if (refs.some(({ split }) => split === 'test')) {
    reporter.note('Note: test pictures are used; figures measured on them later would flatter the model.');
  }
  if (good.length === 0) {
    throw new UserError(
      'normalsMissing',
      'There are no good pictures to calibrate on.',
      'Put some into calibration/good of each class.',
    );
  }
  return refs;
}

function fromNormals(
  scored: readonly ScoredPicture[],
  policy: ThresholdPolicy,
  { maxReviews, confidence }: CalibrateOptions,
): ThresholdCalibration {
  return calibrateThresholds(
    {
      scores: scored.map(({ predScore }) => predScore),
      classNames: scored.map(({ ref }) => ref.className),
      gtLabels: scored.map(({ ref }) => ref.gtLabel === 'defect'),
    },
    { policy, maxReviewRate: maxReviews, confidence },
  );
}

function sayThresholds(reporter: Reporter, { pooled, classes }: ThresholdCalibration, withStatement: boolean): void {
  const own = classes.filter((entry) => entry.thresholds !== null);
  const rows = [
    { className: 'all classes', thresholds: pooled },
    ...own.map(({ className, thresholds }) => ({ className, thresholds: thresholds ?? pooled })),
  ].map(({ className, thresholds }) => [
    className,
    thresholds.review.toFixed(4),
    thresholds.fail.toFixed(4),
    String(thresholds.normals),
    String(thresholds.defects),
    thresholds.basis,
  ]);
  reporter.say(formatTable(['class', 'review from', 'fail from', 'good', 'defects', 'basis'], rows));
  if (withStatement) reporter.say(pooled.statement);
  if (own.length < classes.length) {
    reporter.say(
      `${String(classes.length - own.length)} of ${String(classes.length)} classes have too few pictures of their own: the first line holds for them.`,
    );
  }
}

async function writeReport(path: string, report: CalibrationReport): Promise<void> {
  const { writeFileAtomic } = await import('../../system/atomic-file.ts');
  await writeFileAtomic(path, `${JSON.stringify(report, null, 1)}\n`);
}

/** The same package with other thresholds; the parity gate's result stays, for the graph is the same. */
async function writeCalibrated(
  model: string,
  out: string,
  thresholds: ThresholdCalibration,
  report: CalibrationReport,
  scored: readonly ScoredPicture[],
): Promise<void> {
  const { checkFusedGraph } = await import('../../detector/check-graph.ts');
  const { readPackage } = await import('../../package/read-package.ts');
  const { writePackage } = await import('../../package/write-package.ts');
  const { manifest, normals, graph, statistics } = await readPackage(model, { checkGraph: checkFusedGraph });
  await writePackage(out, {
    manifest: { ...manifest, createdAt: report.createdAt, thresholds },
    normals,
    graph,
    calibration: {
      report,
      scores: scored.map(({ ref, predScore }) => ({ className: ref.className, gtLabel: ref.gtLabel, predScore })),
    },
    ...(statistics !== undefined && { statistics }),
  });
}

/** The policy from its name, `--target` and `--cost`. @throws UserError when they don't fit together */
function policyOf({ policy, target, cost, defectRate }: CalibrateOptions): ThresholdPolicy {
  const rate = target ?? policy.rate ?? 0.01;
  switch (policy.name) {
    case 'normals':
      return { kind: 'normalsOnly', maxFalseRejectRate: rate };
    case 'escape':
      return { kind: 'maxEscapeRate', rate };
    case 'falseRejects':
      return { kind: 'maxFalseRejectRate', rate };
    case 'f1':
      return { kind: 'maxF1' };
    case 'youden':
      return { kind: 'youden' };
    case 'cost':
      if (cost === undefined || defectRate === undefined) {
        throw new UserError(
          'costMissing',
          'The policy "cost" needs to know what things cost and how often parts are bad.',
          'Give e.g. --cost 100:1:0.2 --defect-rate 0.005.',
        );
      }
      return { kind: 'cost', ...cost, defectRate };
  }
}

function parsePolicy(text: string): CalibrateOptions['policy'] {
  const [word = '', rate] = text.split('=');
  if (!Object.hasOwn(policyNames, word)) {
    throw new InvalidArgumentError('Give normals, escape, false-rejects, cost, f1 or youden.');
  }
  const name = policyNames[word as keyof typeof policyNames];
  return { name, ...(rate !== undefined && { rate: parseRate(rate) }) };
}

/** Costs as given; whether they can be weighed is said by the policy, in words. */
function parseCost(text: string): Pick<CostPolicy, 'escape' | 'reject' | 'review'> {
  const parts = text.split(':');
  const [escape, reject, review] = parts.map((part) => (part.trim() === '' ? NaN : Number(part)));
  if (
    escape === undefined ||
    reject === undefined ||
    parts.length > 3 ||
    [escape, reject, review ?? 1].some(Number.isNaN)
  ) {
    throw new InvalidArgumentError('Give escape:reject:review, e.g. 100:1:0.2.');
  }
  return { escape, reject, ...(review !== undefined && { review }) };
}

function parseRate(text: string): number {
  const value = text === '' ? Number.NaN : Number(text);
  if (!(value >= 0 && value < 1)) throw new InvalidArgumentError('A rate from 0 to below 1 is needed, e.g. 0.01.');
  return value;
}

function parseShare(text: string): number {
  const value = text === '' ? Number.NaN : Number(text);
  if (!(value >= 0 && value <= 1)) throw new InvalidArgumentError('A share from 0 to 1 is needed, e.g. 0.005.');
  return value;
}

function parsePositive(text: string): number {
  const value = Number(text);
  if (!(value > 0 && Number.isFinite(value))) throw new InvalidArgumentError('A number above 0 is needed.');
  return value;
}
