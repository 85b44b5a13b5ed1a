import type { Command } from 'commander';
import { formatEvaluationTable, type EvaluationTable } from '../../../shared/metrics/evaluation-table.ts';
import type { Detector } from '../../detector/detector.ts';
import type { Evaluation } from '../../evaluation/evaluate.ts';
import {
  addCommand,
  addEngineOptions,
  collect,
  reporterOf,
  requireOption,
  type CommandContext,
  type EngineOptions,
} from '../context.ts';
import { formatDuration, type Reporter } from '../console.ts';

interface EvaluateOptions extends EngineOptions {
  model: string;
  data: string[];
  json?: boolean;
  pixels: boolean;
  scores?: string;
}

/** `twinspect evaluate` */
export function addEvaluateCommand(program: Command, context: CommandContext): void {
  const command = addCommand(program, 'evaluate', 'measure a model on test pictures whose truth is known', [
    'evaluate --model papers.twin --data models/sample/papers',
    'evaluate --model papers.twin --data line1 --data line2 --json | jq .mean.imageAuroc',
    'evaluate --model papers.twin --data models/sample/papers --scores scores.csv',
  ])
    .option('--no-pixels', 'leave out the pixel metrics')
    .option('--scores <file>', 'also write every picture with its scores to this CSV file');
  requireOption(command, '--model <file>', 'model package (.twin)');
  requireOption(command, '--data <dir>', 'one class, or a folder of classes; may be given again', collect);
  addEngineOptions(command).action(async (options: EvaluateOptions) => {
    const reporter = reporterOf(context, options);
    const detector = await context.services.openDetector(options.model, options);
    try {
      const start = performance.now();
      const evaluation = await evaluateFolders(options.data, detector, context, reporter, options.pixels);
      if (options.scores !== undefined) await writeScores(options.scores, evaluation);
      reporter.record(evaluation.table);
      sayTable(reporter, evaluation.table);
      reporter.say(
        `Measured ${String(evaluation.pictures.length)} pictures in ${formatDuration(performance.now() - start)}.`,
      );
    } finally {
      await detector.close();
    }
  });
}

/** Runs a detector over the test pictures of folders; `demo` and `train` use it too. */
export async function evaluateFolders(
  dataDirs: readonly string[],
  detector: Detector,
  context: CommandContext,
  reporter: Reporter,
  pixels = true,
): Promise<Evaluation> {
  const { evaluateDetector } = await import('../../evaluation/evaluate.ts');
  const { readDataset } = await import('../../datasets/read.ts');
  const { readPicture } = await import('../../pictures/decode.ts');
  const { preparePicture } = await import('../../pictures/prepare.ts');
  const dataset = await readDataset(dataDirs, { needTrain: false });
  const parts = {
    detector,
    readPicture,
    prepare: (picture: Parameters<typeof preparePicture>[0], size: number) => preparePicture(picture, { size }),
  };
  const total = dataset.pictures.filter((picture) => picture.split === 'test').length;
  const progress = reporter.progress('evaluate', total, 'pictures');
  const start = performance.now();
  try {
    const evaluation = await evaluateDetector(dataset, parts, {
      signal: context.signal,
      withoutPixels: !pixels,
      onProgress: (done) => {
        progress.update(done, ((performance.now() - start) / done) * (total - done));
      },
    });
    reporter.settle();
    for (const warning of evaluation.warnings) reporter.note(`Note: ${warning}`);
    return evaluation;
  } finally {
    reporter.settle();
  }
}

/** Prints a table of figures, one row a class. */
export function sayTable(reporter: Reporter, table: EvaluationTable): void {
  reporter.say(formatEvaluationTable(table));
}

async function writeScores(path: string, { pictures }: Evaluation): Promise<void> {
  const { stringify } = await import('csv-stringify/sync');
  const { writeFileAtomic } = await import('../../system/atomic-file.ts');
  const columns = [
    'file',
    'className',
    'inferredClass',
    'gtLabel',
    'defectType',
    'predScore',
    'localScore',
    'semanticScore',
    'memoryScore',
  ];
  await writeFileAtomic(path, stringify(pictures, { header: true, columns }));
}
