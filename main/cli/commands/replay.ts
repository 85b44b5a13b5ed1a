import { InvalidArgumentError, type Command } from 'commander';
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { UserError } from '../../../shared/errors.ts';
import {
  addCommand,
  addEngineOptions,
  reporterOf,
  requireOption,
  type CommandContext,
  type EngineOptions,
} from '../context.ts';
import { formatTable } from '../console.ts';
import { exitCodes } from '../exit-codes.ts';

interface ReplayOptions extends EngineOptions {
  model: string;
  record: string;
  picture: string;
  tolerance: number;
  json?: boolean;
}

/** `twinspect replay` */
export function addReplayCommand(program: Command, context: CommandContext): void {
  const command = addCommand(
    program,
    'replay',
    'judge a stored picture again and compare with its record, bit for bit',
    ['replay --model cookies.twin --record results/results.json --picture pictures/a.png'],
  ).option(
    '--tolerance <value>',
    'largest difference of a score that counts as the same on another engine than the record was made with',
    parseTolerance,
    1e-4,
  );
  requireOption(command, '--model <file>', 'model package (.twin) that was active');
  requireOption(command, '--record <file>', 'a record, results.json of inspect, or a journal of watch');
  requireOption(command, '--picture <file>', 'the stored picture');
  addEngineOptions(command).action(async (options: ReplayOptions) => {
    const reporter = reporterOf(context, options);
    const { findRecord, replayRecord } = await import('../../audit/replay.ts');
    const { readPictureFile } = await import('../../pictures/decode.ts');
    const picture = await readPictureFile(options.picture);
    const contentHash = createHash('sha256').update(picture).digest('hex');
    const record = findRecord(await readText(options.record), contentHash, options.record);
    const detector = await context.services.openDetector(options.model, options);
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
