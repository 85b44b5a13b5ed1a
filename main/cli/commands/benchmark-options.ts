/** Options of `twinspect benchmark <protocol>` and what they ask for. */
import { InvalidArgumentError, Option, type Command } from 'commander';
import { UserError } from '../../../shared/errors.ts';
import type { Setting } from '../../benchmark/paper-tables.ts';
import type { BenchmarkRequest } from '../../benchmark/plan.ts';
import { cachePrecisions, type CachePrecision } from '../../training/feature-cache.ts';
import { collect, parseCount, type EngineOptions } from '../context.ts';

export interface ProtocolOptions extends EngineOptions {
  data?: string[];
  preset?: string;
  setting?: Setting;
  seeds: number;
  shots?: number[];
  ablation?: number[];
  classes?: string[];
  splits?: number[];
  out?: string;
  work?: string;
  resume: boolean;
  steps?: number;
  set?: string[];
  backboneFile?: string;
  cacheDir?: string;
  cachePrecision?: CachePrecision;
  instant: boolean;
  limit?: number;
  knn: boolean;
  withPixels: boolean;
  keepModels: boolean;
  meaningless?: string;
  json?: boolean;
}

/** Options of `twinspect benchmark <protocol>`. */
export function addProtocolOptions(command: Command): void {
  command
    .option('--preset <name>', 'preset to measure (default: paper-base; for our own packs embedded)')
    .addOption(
      new Option(
        '--setting <name>',
        'one model for all classes, or one each (default: multi-class; few-shot: single-class)',
      ).choices(['multi-class', 'single-class']),
    )
    .option(
      '--seeds <count>',
      'repeat with seeds 0, 1, ...; the table shows mean and standard deviation',
      parseCount,
      1,
    )
    .option('--shots <list>', 'learn from so many pictures of each class, e.g. 1,2,4,8', parseCounts)
    .option('--ablation <rows>', "rows of the paper's ablation: 1 to 6, several with commas, or all", parseRows)
    .option('--classes <list>', 'only these classes, with commas', (text) =>
      text.split(',').filter((one) => one !== ''),
    )
    .option('--splits <list>', 'only these splits of a semantic set, e.g. 1,2', parseCounts)
    .option('--out <dir>', 'folder of the results (default: benchmark-<protocol>)')
    .option('--work <dir>', 'where archives are unpacked (default: your cache folder)')
    .option('--resume', 'go on with a run that was stopped or killed', false)
    .option('--steps <count>', 'training steps of the students', parseCount)
    .option('--set <name=value>', 'another value for a setting of a paper preset; may be given again', collect)
    .option('--backbone-file <file>', "weight file of the paper preset's teacher instead of the stored one")
    .option('--cache-dir <dir>', 'folder of the feature cache')
    .addOption(new Option('--cache-precision <name>', 'half takes half the disk').choices(cachePrecisions))
    .option('--instant', 'memory only, without the students (embedded preset)', false)
    .option('--limit <count>', 'trial run: at most so many pictures of each class', parseCount)
    .option('--knn', 'also measure the nearest neighbour on the embedded backbone', false)
    .option('--with-pixels', 'also the pixel metrics, where there are masks', false)
    .option('--keep-models', 'keep every model package', false)
    .option('--meaningless <why>', 'label the figures as meaningless, e.g. with random weights');
}

/** @throws UserError for choices that exclude each other */
export function requestOf(options: ProtocolOptions, defaultPreset: string): BenchmarkRequest {
  const preset = options.preset ?? defaultPreset;
  const shots = options.shots ?? [];
  const ablation = options.ablation ?? [];
  if (ablation.length > 0 && preset === 'embedded') {
    throw new UserError(
      'ablationPreset',
      'The ablation is the paper’s: the embedded preset has no such rows.',
      'Use --preset paper-base (or -small, -large).',
    );
  }
  return {
    setting: options.setting ?? (shots.length > 0 ? 'single-class' : 'multi-class'),
    preset,
    seeds: options.seeds,
    shots,
    ablation,
    splits: options.splits ?? [],
    ...(options.limit !== undefined && { limit: options.limit }),
  };
}

/** The command as it was given, for repeating it. */
export function commandLine(id: string, options: ProtocolOptions): string {
  const words = ['twinspect benchmark', id];
  // These belong to the other use of the command, or to one sitting.
  const others = ['model', 'pictures', 'rounds', 'resume', 'json'];
  for (const [key, value] of Object.entries(options) as [string, unknown][]) {
    if (others.includes(key)) continue;
    const flag = `--${key.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
    if (value === true) words.push(flag);
    else if (Array.isArray(value)) {
      if (key === 'data' || key === 'set') for (const one of value) words.push(flag, quoted(String(one)));
      else words.push(flag, quoted(value.join(',')));
    } else if (typeof value === 'string' || typeof value === 'number') words.push(flag, quoted(String(value)));
  }
  return words.join(' ');
}

const quoted = (text: string): string => (/^[\w./,=:@-]+$/.test(text) ? text : JSON.stringify(text));

function parseCounts(text: string): number[] {
  return text.split(',').map((one) => parseCount(one.trim()));
}

function parseRows(text: string): number[] {
  if (text === 'all') return [1, 2, 3, 4, 5, 6];
  const rows = parseCounts(text);
  if (rows.some((row) => row > 6)) throw new InvalidArgumentError('Rows are 1 to 6, or all.');
  return rows;
}
