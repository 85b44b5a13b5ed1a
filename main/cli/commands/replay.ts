import { InvalidArgumentError, type Command } from 'commander';
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { Detector } from '../../detector/detector.ts';
import { UserError } from '../../../shared/errors.ts';
import {
  addCommand,
  addEngineOptions,
  collect,
  reporterOf,
  requireOption,
  type CommandContext,
  type EngineOptions,
} from '../context.ts';
import { formatTable } from '../console.ts';
import { exitCodes } from '../exit-codes.ts';

interface ReplayOptions extends EngineOptions {
  model: string[];
  record: string;
  picture?: string;
  pictures?: string;
  tolerance: number;
  json?: boolean;
}

/** `twinspect replay` */
export function addReplayCommand(program: Command, context: CommandContext): void {
  const command = addCommand(
    program,
    'replay',
    'judge stored pictures again and compare with their records, bit for bit',
    [
      'replay --model cookies.twin --record results/results.json --picture pictures/a.png',
      'replay --model cookies.twin --record history.json --pictures station/pictures',
    ],
  ).option(
    '--tolerance <value>',
    'largest difference of a score that counts as the same on another engine than the record was made with',
    parseTolerance,
    1e-4,
  );
  requireOption(command, '--model <file>', 'model package (.twin) that was active; may be given again', collect);
  requireOption(
    command,
    '--record <file>',
    "a record, results.json of inspect, a journal of watch, or the station's history exported as JSON",
  );
  command.option('--picture <file>', 'the stored picture: its record alone is repeated');
  command.option('--pictures <dir>', "pictures, e.g. the station's: all records are repeated");
  addEngineOptions(command).action(async (options: ReplayOptions) => {
    const reporter = reporterOf(context, options);
    if (options.picture === undefined) {
      await replayAll(options, context);
      return;
    }
    const { findRecord, replayRecord } = await import('../../audit/replay.ts');
    const { readPictureFile } = await import('../../pictures/decode.ts');
    const picture = await readPictureFile(options.picture);
    const [model = ''] = options.model;
    const contentHash = createHash('sha256').update(picture).digest('hex');
    const record = findRecord(await readText(options.record), contentHash, options.record);
    const detector = await context.services.openDetector(model, options);
    try {
      const result = await replayRecord(record, picture, detector, options.tolerance);
      reporter.record({ file: record.file, ...result });
      const cell = (value: string | number | null): string => (value === null ? '-' : String(value));
      reporter.say(
        formatTable(
          ['field', 'recorded', 'replayed', ''],
          result.fields.map(({ field, recorded, replayed, same }) => [
            field,
            cell(recorded),
            cell(replayed),
            same ? 'same' : 'DIFFERENT',
          ]),
        ),
      );
      const words = {
        identical: 'Identical, bit for bit.',
        withinTolerance: `Same verdict; scores differ by at most ${(result.maxDifference ?? 0).toExponential(1)}, within the tolerance.`,
        different: 'DIFFERENT: the record is not what this model and picture give.',
      };
      reporter.say(`${words[result.outcome]} (engine ${result.provider})`);
      if (result.outcome === 'different') context.endWith(exitCodes.error);
    } finally {
      await detector.close();
    }
  });
}

async function replayAll(options: ReplayOptions, context: CommandContext): Promise<void> {
  const reporter = reporterOf(context, options);
  const { pictures: folder } = options;
  if (folder === undefined) {
    throw new UserError('pictureMissing', 'There is no picture to be judged again.', 'Give --picture or --pictures.');
  }
  const { findRecords } = await import('../../audit/replay.ts');
  const { PictureFolder, replayHistory } = await import('../../audit/replay-history.ts');
  const records = findRecords(await readText(options.record), options.record);
  const pictures = await PictureFolder.open(folder);
  const detectors: Detector[] = [];
  const progress = reporter.progress('replay', records.length, 'parts');
  try {
    for (const model of options.model) detectors.push(await context.services.openDetector(model, options));
    const result = await replayHistory(records, pictures, detectors, options.tolerance, {
      onRecord: (done) => progress.update(done + 1),
      signal: context.signal,
    });
    reporter.settle();
    reporter.record({ ...result, engine: detectors[0]?.provider ?? null });
    const { counts } = result;
    reporter.say(
      formatTable(
        ['parts', ''],
        [
          ['identical, bit for bit', String(counts.identical)],
          ['same verdict, scores within the tolerance', String(counts.withinTolerance)],
          ['DIFFERENT', String(counts.different)],
          ['had no decision', String(counts.noDecision)],
          ['their picture is not there (any more)', String(counts.pictureGone)],
          ['judged by a model that was not given', String(counts.otherModel)],
        ],
      ),
    );
    for (const { file, fields } of result.different) {
      const words = fields.map(
        ({ field, recorded, replayed }) => `${field} ${String(recorded)} -> ${String(replayed)}`,
      );
      reporter.say(`DIFFERENT ${file}: ${words.join(', ')}`);
    }
    const repeated = counts.identical + counts.withinTolerance + counts.different;
    if (repeated === 0) reporter.note('Nothing could be repeated: check --model and --pictures.');
    if (counts.different > 0 || repeated === 0) context.endWith(exitCodes.error);
  } finally {
    reporter.settle();
    for (const detector of detectors) await detector.close();
  }
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    throw new UserError('recordUnreadable', `"${path}" can't be read.`, 'Check the path.', { cause });
  }
}

function parseTolerance(text: string): number {
  const value = Number(text);
  if (!(value >= 0 && value < 1)) throw new InvalidArgumentError('A number from 0 to below 1 is needed.');
  return value;
}
