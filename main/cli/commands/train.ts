import { InvalidArgumentError, Option, type Command } from 'commander';
import type { EngineName } from '../../detector/detector.ts';
import { cachePrecisions, type CachePrecision } from '../../training/feature-cache.ts';
import { dataKinds, parseAssignments, type DataKind } from '../../training/assignments.ts';
import { defectWays, type DefectsBy, type TrainingRequest } from '../../training/request.ts';
import type { TrainingEvent, TrainingPhase } from '../../../shared/training-events.ts';
import {
  addCommand,
  addEngineOptions,
  collect,
  parseCount,
  parseSeed,
  reporterOf,
  requireOption,
  type CommandContext,
  type EngineOptions,
} from '../context.ts';
import { formatDuration, type Progress, type Reporter } from '../console.ts';

interface TrainOptions extends Omit<EngineOptions, 'engine'> {
  engine: EngineName | 'tfjs';
  data: string[];
  preset: string;
  seed: number;
  out: string;
  shots?: number;
  defects?: string[];
  defectsBy?: DefectsBy;
  steps?: number;
  resume: boolean;
  instant: boolean;
  set?: string[];
  dataKind?: DataKind;
  backboneFile?: string;
  cacheDir?: string;
  cachePrecision?: CachePrecision;
  cacheLimit?: number;
  json?: boolean;
}

/** Shown above the examples. */
const picturesHelp = `
Pictures (--data):
  DIR/train/good/*.png            one class; beside it, all optional: calibration/good, test/good,
                                  test/<defect>, ground_truth/<defect>/<picture>_mask.png
  DIR/<class>/train/good/*.png    several classes, each as above
  DIR/<class>/*.png               several classes, good pictures only
  list.csv or list.json           columns path, class; optional: split (train, calibration, test),
                                  label (good, or the defect), mask, group (lot or serial, never split)
`;

/** `twinspect train` */
export function addTrainCommand(program: Command, context: CommandContext): void {
  const command = addCommand(
    program,
    'train',
    'learn from pictures of good parts, write one model package',
    [
      'train --data pictures/cookies --out cookies.twin',
      'train --data pictures/cookies --data pictures/tiles --out both.twin     (one model, all classes)',
      'train --data pictures/cookies --out cookies.twin --instant              (memory only, ready in seconds)',
      'train --data pictures/cookies --out cookies.twin --resume               (go on after a stop)',
      "train --preset paper-small --data pictures --out all.twin               (the paper's own model, DINOv2)",
      'train --preset paper-base --set crop=224 --set schedule.total=5000 --data pictures --out all.twin',
    ],
    picturesHelp,
  )
    .option('--preset <name>', 'embedded, paper-small, paper-base or paper-large', 'embedded')
    .option('--set <name=value>', 'another value for a setting of a paper preset; may be given again', collect)
    .addOption(new Option('--data-kind <name>', 'data that the paper trains differently').choices(dataKinds))
    .option('--backbone-file <file>', "weight file of the paper preset's teacher instead of the stored one")
    .option('--cache-dir <dir>', 'folder of the feature cache')
    .addOption(new Option('--cache-precision <name>', 'half takes half the disk').choices(cachePrecisions))
    .option('--cache-limit <GiB>', 'most that the feature cache may hold', parseGibibytes)
    .option('--seed <number>', 'the same seed gives the same model', parseSeed, 0)
    .option('--shots <count>', 'use this many good pictures of each class only', parseCount)
    .option('--defects <dir>', 'learn from known defects, too, a folder per class; may be given again', collect)
    .addOption(
      new Option(
        '--defects-by <way>',
        'what learns from them: a head over frozen scores (default, embedded preset), or the students',
      ).choices(defectWays),
    )
    .option('--steps <count>', 'training steps of the students', parseCount)
    .option('--instant', 'normal memory only, without the students', false)
    .option('--resume', 'go on from the last checkpoint of the same training', false);
  requireOption(
    command,
    '--data <dir>',
    'one class (holds train/good), a folder of classes, or a list; may be given again',
    collect,
  );
  requireOption(command, '--out <file>', 'model package to write (.twin)');
  addEngineOptions(command, ['tfjs']).action(async (options: TrainOptions) => {
    const reporter = reporterOf(context, options);
    const summary = await context.services.trainModel(requestOf(options), eventPrinter(reporter, true), context.signal);
    reporter.settle();
    reporter.record({ type: 'done', ...summary });
    reporter.say(
      `Model: ${summary.modelPath}, ${String(summary.classes.length)} classes, in ${formatDuration(summary.elapsedMs)}.`,
    );
  });
}

/** @throws UserError `settingInvalid` */
function requestOf({ data, defects, set, cacheLimit, json: _json, ...options }: TrainOptions): TrainingRequest {
  return {
    ...options,
    dataDirs: data,
    ...(defects && { defectDirs: defects }),
    ...(set && { settings: parseAssignments(set) }),
    ...(cacheLimit !== undefined && { cacheLimitBytes: cacheLimit * 2 ** 30 }),
  };
}

function parseGibibytes(text: string): number {
  const value = Number(text);
  if (!Number.isFinite(value) || value <= 0) throw new InvalidArgumentError('A number above 0 is needed.');
  return value;
}

/** What a phase counts; where it's no thing, percent. */
const units: Partial<Record<TrainingPhase, string>> = { features: 'pictures', students: 'steps' };

/** Shows training events: a bar per phase for people, the events themselves as JSON lines. */
export function eventPrinter(reporter: Reporter, asRecords: boolean): (event: TrainingEvent) => void {
  let progress: { phase: string; total: number; shown: Progress } | undefined;
  return (event) => {
    if (asRecords) reporter.record(event);
    switch (event.type) {
      case 'phase':
      case 'notice':
        progress = undefined;
        reporter.say(event.message);
        break;
      case 'warning':
        progress = undefined;
        reporter.note(`Warning: ${event.message}`);
        break;
      case 'phaseDone':
        progress = undefined;
        reporter.say(`  ${event.phase}: ${formatDuration(event.elapsedMs)}`);
        break;
      case 'progress': {
        if (progress?.phase !== event.phase || progress.total !== event.total) {
          const shown = reporter.progress(event.phase, event.total, units[event.phase] ?? '%');
          progress = { phase: event.phase, total: event.total, shown };
        }
        progress.shown.update(event.done, event.remainingMs, progressDetail(event));
      }
    }
  };
}

function progressDetail(event: Extract<TrainingEvent, { type: 'progress' }>): string | undefined {
  const rate = event.imagesPerSecond === undefined ? [] : [`${event.imagesPerSecond.toFixed(0)} images/s`];
  const loss = event.losses === undefined ? [] : [`loss ${event.losses.total.toFixed(4)}`];
  const all = [...rate, ...loss];
  return all.length === 0 ? undefined : all.join(', ');
}
