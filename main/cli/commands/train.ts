import type { Command } from 'commander';
import type { EngineName } from '../../detector/detector.ts';
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
  steps?: number;
  resume: boolean;
  instant: boolean;
  json?: boolean;
}

/** `twinspect train` */
export function addTrainCommand(program: Command, context: CommandContext): void {
  const command = addCommand(program, 'train', 'learn from pictures of good parts, write one model package', [
    'train --data pictures/cookies --out cookies.twin',
    'train --data pictures/cookies --data pictures/tiles --out both.twin     (one model, all classes)',
    'train --data pictures/cookies --out cookies.twin --instant              (memory only, ready in seconds)',
    'train --data pictures/cookies --out cookies.twin --resume               (go on after a stop)',
  ])
    .option('--preset <name>', 'recipe of the training', 'embedded')
    .option('--seed <number>', 'the same seed gives the same model', parseSeed, 0)
    .option('--shots <count>', 'use this many good pictures of each class only', parseCount)
    .option('--defects <dir>', 'known defects, a folder per class; the students see a few; may be given again', collect)
    .option('--steps <count>', 'training steps of the students', parseCount)
    .option('--instant', 'normal memory only, without the students', false)
    .option('--resume', 'go on from the last checkpoint of the same training', false);
  requireOption(
    command,
    '--data <dir>',
    'one class (holds train/good), or a folder of classes; may be given again',
    collect,
  );
  requireOption(command, '--out <file>', 'model package to write (.twin)');
  addEngineOptions(command, ['tfjs']).action(async (options: TrainOptions) => {
    const reporter = reporterOf(context, options);
    const summary = await context.services.trainModel(
      { dataDirs: options.data, ...(options.defects && { defectDirs: options.defects }), ...options },
      eventPrinter(reporter, true),
      context.signal,
    );
    reporter.settle();
    reporter.record({ type: 'done', ...summary });
    reporter.say(
      `Model: ${summary.modelPath}, ${String(summary.classes.length)} classes, in ${formatDuration(summary.elapsedMs)}.`,
    );
  });
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
