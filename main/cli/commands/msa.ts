import { InvalidArgumentError, type Command } from 'commander';
import { dirname, resolve } from 'node:path';
import { analyseStudy } from '../../../shared/msa/analyse.ts';
import { studyNote, type StudyNote } from '../../../shared/msa/notes.ts';
import { planStudy } from '../../../shared/msa/plan.ts';
import {
  appraisalOfVerdict,
  type ExactRate,
  type Kappa,
  type StudyAnswer,
  type StudyResult,
} from '../../../shared/msa/types.ts';
import type { StudyPartFile } from '../../msa/study-tables.ts';
import {
  addCommand,
  addEngineOptions,
  parseCount,
  parseSeed,
  reporterOf,
  requireOption,
  type CommandContext,
  type EngineOptions,
} from '../context.ts';
import { formatTable, type Reporter } from '../console.ts';

interface PlanOptions {
  parts: string;
  appraisers: string[];
  repeats: number;
  seed: number;
  out?: string;
  json?: boolean;
}

interface AnalyseOptions extends EngineOptions {
  parts: string;
  answers: string;
  model?: string;
  confidence: number;
  out?: string;
  json?: boolean;
}

/** `twinspect msa plan|analyse` */
export function addMsaCommand(program: Command, context: CommandContext): void {
  const group = program
    .command('msa')
    .description(
      'measurement-system analysis: how well people and the model agree, with each other and with the truth',
    );

  const plan = addCommand(group, 'plan', 'who judges which part when: blind, shuffled, every round in another order', [
    'msa plan --parts parts.csv --appraisers Ann,Ben,Cara --out plan.csv',
  ])
    .option('--repeats <count>', 'rounds', parseCount, 3)
    .option('--seed <number>', 'the same seed gives the same plan', parseSeed, 0)
    .option('--out <file>', 'write the plan as CSV, with an empty column for the answers (default: print it)');
  requireOption(plan, '--parts <file>', 'CSV with the columns part, reference (good or defect), and maybe picture');
  requireOption<string[]>(plan, '--appraisers <names>', 'names, separated by commas', parseNames);
  plan.action(async (options: PlanOptions) => {
    const reporter = reporterOf(context, options);
    const { planTable, readParts } = await import('../../msa/study-tables.ts');
    const parts = await readParts(options.parts);
    const made = planStudy(
      parts.map(({ part, reference }) => ({ part, reference })),
      options.appraisers,
      options.repeats,
      options.seed,
    );
    reporter.record(made);
    const table = planTable(made, parts);
    if (options.out === undefined) {
      reporter.say(table.trimEnd());
      return;
    }
    const { writeFileAtomic } = await import('../../system/atomic-file.ts');
    await writeFileAtomic(options.out, table);
    reporter.say(`${String(made.trials.length)} showings: ${options.out}`);
    reporter.note('Note: the reference is not in the plan. Show the appraisers the part, not its name.');
  });

  const analyse = addCommand(
    group,
    'analyse',
    'agreement within, between and with the reference, escapes and false alarms',
    [
      'msa analyse --parts parts.csv --answers plan.csv',
      'msa analyse --parts parts.csv --answers plan.csv --model cookies.twin --out study.html',
    ],
  )
    .option(
      '--model <file>',
      'the model judges too, from the column picture (several pictures of a part: separated by ;)',
    )
    .option('--confidence <share>', 'confidence of every interval', parseConfidence, 0.95)
    .option('--out <file>', 'write the report as one HTML page');
  requireOption(analyse, '--parts <file>', 'CSV with the columns part, reference, and maybe picture');
  requireOption(analyse, '--answers <file>', 'CSV with the columns appraiser, part, repeat, answer');
  addEngineOptions(analyse).action(async (options: AnalyseOptions) => {
    const reporter = reporterOf(context, options);
    const { readAnswers, readParts } = await import('../../msa/study-tables.ts');
    const parts = await readParts(options.parts);
    const answers = await readAnswers(options.answers);
    const notes: StudyNote[] = [];
    if (options.model !== undefined) {
      const repeats = answers.reduce((most, { repeat }) => Math.max(most, repeat), 1);
      answers.push(...(await modelAnswers(parts, repeats, options, context, notes)));
    }
    const result = analyseStudy(
      parts.map(({ part, reference }) => ({ part, reference })),
      answers,
      options.confidence,
    );
    result.notes.push(...notes);
    reporter.record({ ...result, notes: result.notes.map(({ text }) => text) });
    sayStudy(reporter, result);
    if (options.out === undefined) return;
    const { writeFileAtomic } = await import('../../system/atomic-file.ts');
    const { studyReport } = await import('../../../shared/msa/report.ts');
    await writeFileAtomic(options.out, studyReport(result, new Date().toISOString()));
    reporter.say(`Report: ${options.out}`);
  });
}

/** The model's answers: a part that it fails, wants to be looked at, or can't judge counts as called defective. */
async function modelAnswers(
  parts: readonly StudyPartFile[],
  repeats: number,
  options: AnalyseOptions,
  context: CommandContext,
  notes: StudyNote[],
): Promise<StudyAnswer[]> {
  const { UserError } = await import('../../../shared/errors.ts');
  const { judge } = await import('../../../shared/calibration/unknown-class.ts');
  const { readPicture } = await import('../../pictures/decode.ts');
  const { preparePicture } = await import('../../pictures/prepare.ts');
  const detector = await context.services.openDetector(options.model!, options);
  const answers: StudyAnswer[] = [];
  let isSamePicture = false;
  try {
    for (const { part, pictures } of parts) {
      if (pictures.length === 0) {
        throw new UserError(
          'studyPicture',
          `Part "${part}" has no picture.`,
          'Fill the column picture, or leave out --model.',
        );
      }
      if (pictures.length < repeats) isSamePicture = true;
      for (let repeat = 1; repeat <= repeats; repeat++) {
        context.signal.throwIfAborted();
        const path = resolve(dirname(options.parts), pictures[(repeat - 1) % pictures.length]!);
        const prepared = preparePicture(await readPicture(path), { size: detector.inputSize });
        const result = (await detector.inspect([prepared]))[0];
        const verdict =
          result === undefined
            ? 'noDecision'
            : judge(result, detector.thresholdsFor(result.className), detector.unknownClass).verdict;
        answers.push({ appraiser: 'model', part, repeat, answer: appraisalOfVerdict(verdict) });
      }
    }
  } finally {
    await detector.close();
  }
  notes.push(studyNote('modelReview'));
  if (isSamePicture && repeats > 1) notes.push(studyNote('samePicture'));
  return answers;
}

function sayStudy(reporter: Reporter, result: StudyResult): void {
  const rows = result.appraisers.map((entry) => [
    entry.appraiser,
    percent(entry.effectiveness),
    percent(entry.misses),
    percent(entry.falseAlarms),
    percent(entry.within),
    kappa(entry.kappaReference),
    entry.kappaWithin === null ? '-' : kappa(entry.kappaWithin),
  ]);
  reporter.say(
    formatTable(
      ['appraiser', 'effectiveness', 'escapes', 'false alarms', 'within', 'kappa, reference', 'kappa, within'],
      rows,
    ),
  );
  if (result.pairs.length > 0) {
    reporter.say(
      `\n${formatTable(
        ['pair', 'kappa'],
        result.pairs.map(({ a, b, kappa: value }) => [`${a} - ${b}`, kappa(value)]),
      )}`,
    );
  }
  reporter.say(`\nall, every time:  agree ${percent(result.between)}, right ${percent(result.system)}`);
  if (result.fleiss !== null) reporter.say(`Fleiss' kappa of all: ${kappa(result.fleiss)}`);
  reporter.say(
    `${String(100 * result.confidence)} % intervals in brackets; rates are exact, kappas by leaving out parts.`,
  );
  for (const { text } of result.notes) reporter.note(`Note: ${text}`);
}

/** `84.0 % (70.9-92.8)` */
function percent({ value, low, high }: ExactRate): string {
  const digits = (share: number): string => (100 * share).toFixed(1);
  return value === null ? 'not measured' : `${digits(value)} % (${digits(low)}-${digits(high)})`;
}

function kappa({ value, low, high }: Kappa): string {
  if (value === null) return 'not defined';
  return low === null || high === null
    ? value.toFixed(2)
    : `${value.toFixed(2)} (${low.toFixed(2)}-${high.toFixed(2)})`;
}

function parseNames(text: string): string[] {
  const names = text.split(',').map((name) => name.trim());
  if (names.some((name) => name === '')) throw new InvalidArgumentError('Give names, separated by commas.');
  return names;
}

function parseConfidence(text: string): number {
  const value = Number(text);
  if (!(value > 0.5 && value < 1)) throw new InvalidArgumentError('A share between 0.5 and 1 is needed, e.g. 0.95.');
  return value;
}
