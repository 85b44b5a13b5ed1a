import { InvalidArgumentError, type Command } from 'commander';
import { createHash } from 'node:crypto';
import type { BaselineSample } from '../../../shared/drift/baseline.ts';
import type { DriftBaseline } from '../../../shared/drift/types.ts';
import { UserError } from '../../../shared/errors.ts';
import {
  addCommand,
  addEngineOptions,
  collect,
  parseCount,
  reporterOf,
  requireOption,
  type CommandContext,
  type EngineOptions,
} from '../context.ts';
import { formatTable } from '../console.ts';

interface BaselineOptions extends EngineOptions {
  model: string;
  data: string[];
  out: string;
  json?: boolean;
}

interface CheckOptions extends EngineOptions {
  model: string;
  baseline: string;
  falseAlarms: number;
  partsPerShift: number;
  maxDefects: number;
  json?: boolean;
}

/** `twinspect drift baseline|check` */
export function addDriftCommand(program: Command, context: CommandContext): void {
  const group = program
    .command('drift')
    .description('has light, focus, position or product changed since calibration?');

  const baseline = addCommand(group, 'baseline', 'learn what is ordinary from good pictures', [
    'drift baseline --model cookies.twin --data pictures/cookies --out cookies-drift.json',
  ]);
  requireOption(baseline, '--model <file>', 'model package (.twin)');
  requireOption(baseline, '--data <dir>', 'one class, or a folder of classes; may be given again', collect);
  requireOption(baseline, '--out <file>', 'write the baseline here');
  addEngineOptions(baseline).action((options: BaselineOptions) => makeBaseline(options, context));

  const check = addCommand(
    group,
    'check',
    'go through pictures in their order and say what has changed and since when',
    ['drift check --model cookies.twin --baseline cookies-drift.json this-morning'],
  )
    .argument('<path...>', 'pictures in the order they were taken (by name), or folders of pictures')
    .option('--false-alarms <rate>', 'probability of a false alarm in one shift', parseShare, 0.05)
    .option('--parts-per-shift <count>', 'parts in a shift', parseCount, 5000)
    .option('--max-defects <share>', 'share of parts that may be defective without that being drift', parseShare, 0.05);
  requireOption(check, '--model <file>', 'model package (.twin)');
  requireOption(check, '--baseline <file>', 'from drift baseline');
  addEngineOptions(check).action((paths: string[], options: CheckOptions) => checkStream(paths, options, context));
}

async function makeBaseline(options: BaselineOptions, context: CommandContext): Promise<void> {
  const reporter = reporterOf(context, options);
  const { readDataset } = await import('../../datasets/read.ts');
  const { decodePicture, readPictureFile } = await import('../../pictures/decode.ts');
  const { preparePicture } = await import('../../pictures/prepare.ts');
  const { buildDriftBaseline } = await import('../../../shared/drift/baseline.ts');
  const { measurePicture } = await import('../../../shared/drift/measure.ts');
  const { writeJsonAtomic } = await import('../../system/atomic-file.ts');
  const learned = await learnedFrom(options.model);
  const { pictures, warnings } = await readDataset(options.data, { needTrain: false });
  for (const warning of warnings) reporter.note(`Note: ${warning}`);
  const good = pictures.filter(({ gtLabel, split }) => gtLabel === 'good' && split !== 'test');
  const detector = await context.services.openDetector(options.model, options);
  const progress = reporter.progress('measure', good.length, 'pictures');
  try {
    const samples: BaselineSample[] = [];
    for (const { path, className } of good) {
      context.signal.throwIfAborted();
      const bytes = await readPictureFile(path);
      const prepared = preparePicture(await decodePicture(bytes, path), { size: detector.inputSize });
      const statistics = measurePicture(prepared);
      // Scores of pictures that were learned from are too good to be a measure.
      const isLearned = learned.has(createHash('sha256').update(bytes).digest('hex'));
      const result = isLearned ? null : ((await detector.inspect([prepared]))[0] ?? null);
      samples.push({ className: result?.className ?? className, statistics, result });
      progress.update(samples.length);
    }
    const made = buildDriftBaseline(samples, { modelHash: detector.modelHash, createdAt: new Date().toISOString() });
    await writeJsonAtomic(options.out, made);
    reporter.settle();
    const scored = samples.filter(({ result }) => result !== null).length;
    reporter.record({ parts: samples.length, scored, classes: made.classes.length, out: options.out });
    reporter.say(
      `Baseline of ${String(samples.length)} good parts, ${String(scored)} of them with scores: ${options.out}`,
    );
    const atRandom = made.classes.filter(({ reference }) => reference === null).length;
    if (atRandom > 0) {
      reporter.note(
        `Note: in ${String(atRandom)} of ${String(made.classes.length)} classes parts lie at random or have no structure: position is not watched there.`,
      );
    }
  } finally {
    reporter.settle();
    await detector.close();
  }
}

async function checkStream(paths: readonly string[], options: CheckOptions, context: CommandContext): Promise<void> {
  const reporter = reporterOf(context, options);
  const { listParts } = await import('../../inspection/picture-files.ts');
  const { readPicture } = await import('../../pictures/decode.ts');
  const { preparePicture } = await import('../../pictures/prepare.ts');
  const { DriftGuard } = await import('../../../shared/drift/guard.ts');
  const { measurePicture } = await import('../../../shared/drift/measure.ts');
  const baseline = await readBaseline(options.baseline);
  const detector = await context.services.openDetector(options.model, options);
  try {
    if (baseline.modelHash !== detector.modelHash) {
      throw new UserError(
        'driftOtherModel',
        `"${options.baseline}" belongs to another model.`,
        'Make a baseline with this model.',
      );
    }
    const guard = new DriftGuard(baseline, {
      falseAlarmRate: options.falseAlarms,
      partsPerShift: options.partsPerShift,
      maxDefectShare: options.maxDefects,
    });
    let wasCovered = true;
    for (const { path, file } of await listParts(paths)) {
      context.signal.throwIfAborted();
      const prepared = preparePicture(await readPicture(path), { size: detector.inputSize });
      const result = (await detector.inspect([prepared]))[0]!;
      const state = guard.observe({ statistics: measurePicture(prepared), result });
      if (wasCovered && !state.covered) reporter.say(`${file}: ${state.alarm!.phrase.en}`);
      wasCovered = state.covered;
    }
    const state = guard.state();
    reporter.record(state);
    reporter.say(
      formatTable(
        ['watched', 'evidence', 'lately, in spreads'],
        state.streams.map(({ stream, evidence, recentDeviation }) => [
          stream,
          `${(100 * evidence).toFixed(0)} %`,
          recentDeviation.toFixed(2),
        ]),
      ),
    );
    reporter.say(
      state.alarm === null
        ? `${String(state.parts)} parts: the calibration covers what is seen.`
        : `${String(state.parts)} parts: ${state.alarm.phrase.en}`,
    );
  } finally {
    await detector.close();
  }
}

/** Contents of the pictures that the model has learned from. */
async function learnedFrom(model: string): Promise<Set<string>> {
  const { checkFusedGraph } = await import('../../detector/check-graph.ts');
  const { readPackage } = await import('../../package/read-package.ts');
  const { normals } = await readPackage(model, { checkGraph: checkFusedGraph });
  return new Set(normals.filter(({ heldOut }) => !heldOut).map(({ sha256 }) => sha256));
}

async function readBaseline(path: string): Promise<DriftBaseline> {
  const { readFile } = await import('node:fs/promises');
  const { parseDriftBaseline } = await import('../../../shared/drift/parse.ts');
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    throw new UserError('driftBaseline', `"${path}" can't be read.`, 'Check the path.', { cause });
  }
  return parseDriftBaseline(text, path);
}

function parseShare(text: string): number {
  const value = Number(text);
  if (!(value > 0 && value < 0.5))
    throw new InvalidArgumentError('A share above 0 and below 0.5 is needed, e.g. 0.01.');
  return value;
}
