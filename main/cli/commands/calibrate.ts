import { InvalidArgumentError, type Command } from 'commander';
import type { ThresholdPolicy } from '../../../shared/calibration/policies.ts';
import { calibrateThresholds, type ThresholdCalibration } from '../../../shared/calibration/thresholds.ts';
import { UserError } from '../../../shared/errors.ts';
import type { PictureRef } from '../../datasets/dataset.ts';
import type { PictureScore } from '../../evaluation/evaluate.ts';
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

interface CalibrateOptions extends EngineOptions {
  model: string;
  data: string[];
  policy: ThresholdPolicy;
  maxReviews: number;
  out?: string;
  json?: boolean;
}

/** `twinspect calibrate` */
export function addCalibrateCommand(program: Command, context: CommandContext): void {
  const command = addCommand(
    program,
    'calibrate',
    'choose the two thresholds from pictures the model has not learned from',
    [
      'calibrate --model papers.twin --data models/sample/papers',
      'calibrate --model papers.twin --data checked --policy max-escapes=0.01 --out papers-2.twin',
    ],
  )
    .option(
      '--policy <rule>',
      'normals=RATE (false rejects, from good parts alone), f1, youden, max-escapes=RATE, max-false-rejects=RATE',
      parsePolicy,
      { kind: 'normalsOnly', maxFalseRejectRate: 0.01 } satisfies ThresholdPolicy,
    )
    .option('--max-reviews <rate>', 'share of the good parts that may be asked about', parseRate, 0.05)
    .option('--out <file>', 'write the model with the new thresholds (default: only show them)');
  requireOption(command, '--model <file>', 'model package (.twin)');
  requireOption(command, '--data <dir>', 'one class, or a folder of classes; may be given again', collect);
  addEngineOptions(command).action(async (options: CalibrateOptions) => {
    const reporter = reporterOf(context, options);
    const scores = await scoreForCalibration(options, context, reporter);
    const calibration = calibrateThresholds(
      {
        scores: scores.map(({ predScore }) => predScore),
        classNames: scores.map(({ className }) => className),
        gtLabels: scores.map(({ gtLabel }) => gtLabel === 'defect'),
      },
      { policy: options.policy, maxReviewRate: options.maxReviews },
    );
    reporter.record(calibration);
    sayCalibration(reporter, calibration);
    if (options.out === undefined) return;
    context.signal.throwIfAborted();
    await writeCalibrated(options.model, options.out, calibration, scores);
    reporter.say(`Model with these thresholds: ${options.out}`);
  });
}

/**
 * Scores what thresholds may rest on: good pictures kept for calibration (where there are none: the test ones), and,
 * if the rule asks for them, the labelled defects.
 */
async function scoreForCalibration(
  options: CalibrateOptions,
  context: CommandContext,
  reporter: Reporter,
): Promise<PictureScore[]> {
  const { scorePictures } = await import('../../evaluation/evaluate.ts');
  const { readDataset } = await import('../../datasets/read.ts');
  const { readPicture } = await import('../../pictures/decode.ts');
  const { preparePicture } = await import('../../pictures/prepare.ts');
  const { pictures, warnings } = await readDataset(options.data, { needTrain: false });
  for (const warning of warnings) reporter.note(`Note: ${warning}`);
  const kept = pictures.filter(({ split, gtLabel }) => split === 'calibration' && gtLabel === 'good');
  const good = kept.length > 0 ? kept : pictures.filter(({ split, gtLabel }) => split === 'test' && gtLabel === 'good');
  const wantDefects = options.policy.kind !== 'normalsOnly' && options.policy.kind !== 'maxFalseRejectRate';
  const defects = wantDefects ? pictures.filter(({ gtLabel, split }) => gtLabel === 'defect' && split !== 'train') : [];
  const refs: PictureRef[] = [...good, ...defects];
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
  const detector = await context.services.openDetector(options.model, options);
  const progress = reporter.progress('score', refs.length, 'pictures');
  try {
    return await scorePictures(
      refs,
      { detector, readPicture, prepare: (picture, size) => preparePicture(picture, { size }) },
      { signal: context.signal, onProgress: (done) => progress.update(done) },
    );
  } finally {
    reporter.settle();
    await detector.close();
  }
}

function sayCalibration(reporter: Reporter, { pooled, classes }: ThresholdCalibration): void {
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
  reporter.say(pooled.statement);
  if (own.length < classes.length) {
    reporter.say(
      `${String(classes.length - own.length)} of ${String(classes.length)} classes have too few pictures of their own: the first line holds for them.`,
    );
  }
}

/** The same package with other thresholds; the parity gate's result stays, for the graph is the same. */
async function writeCalibrated(
  model: string,
  out: string,
  calibration: ThresholdCalibration,
  scores: readonly PictureScore[],
): Promise<void> {
  const { checkFusedGraph } = await import('../../detector/check-graph.ts');
  const { readPackage } = await import('../../package/read-package.ts');
  const { writePackage } = await import('../../package/write-package.ts');
  const { manifest, normals, graph, statistics } = await readPackage(model, { checkGraph: checkFusedGraph });
  await writePackage(out, {
    manifest: { ...manifest, createdAt: new Date().toISOString(), thresholds: calibration },
    normals,
    graph,
    calibration: scores.map(({ className, gtLabel, predScore }) => ({ className, gtLabel, predScore })),
    ...(statistics !== undefined && { statistics }),
  });
}

function parsePolicy(text: string): ThresholdPolicy {
  const [name, rate] = text.split('=');
  switch (name) {
    case 'normals':
      return { kind: 'normalsOnly', maxFalseRejectRate: rate === undefined ? 0.01 : parseRate(rate) };
    case 'f1':
      return { kind: 'maxF1' };
    case 'youden':
      return { kind: 'youden' };
    case 'max-escapes':
      return { kind: 'maxEscapeRate', rate: parseRate(rate ?? '') };
    case 'max-false-rejects':
      return { kind: 'maxFalseRejectRate', rate: parseRate(rate ?? '') };
    default:
      throw new InvalidArgumentError('Give normals=0.01, f1, youden, max-escapes=0.01 or max-false-rejects=0.01.');
  }
}

function parseRate(text: string): number {
  const value = text === '' ? Number.NaN : Number(text);
  if (!(value >= 0 && value < 1)) throw new InvalidArgumentError('A rate from 0 to below 1 is needed, e.g. 0.01.');
  return value;
}
