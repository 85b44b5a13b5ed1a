import type { Command } from 'commander';
import { basename } from 'node:path';
import { verdictOrder, verdictWords } from '../../../renderer/report/verdict-marks.ts';
import type { Detector } from '../../detector/detector.ts';
import type { PresentedPart, VerdictSink } from '../../inspection/pipeline.ts';
import type { Counters, InspectionRecord } from '../../inspection/record.ts';
import { formatDuration, type Reporter } from '../console.ts';
import {
  addCommand,
  addEngineOptions,
  reporterOf,
  requireOption,
  type CommandContext,
  type EngineOptions,
} from '../context.ts';
import { exitCodes } from '../exit-codes.ts';

interface InspectOptions extends EngineOptions {
  model: string;
  out?: string;
  json?: boolean;
}

/** `twinspect inspect` */
export function addInspectCommand(program: Command, context: CommandContext): void {
  const command = addCommand(program, 'inspect', 'judge pictures: pass, fail or look at it, and why', [
    'inspect --model cookies.twin new-pictures',
    'inspect --model cookies.twin new-pictures --out results      (then open results/report.html)',
    'inspect --model cookies.twin a.png b.png --json | jq -r "[.verdict, .file] | @tsv"',
  ])
    .argument('<path...>', 'pictures, or folders of pictures (searched to the bottom)')
    .option('--out <dir>', 'also write results.csv, results.json, overlays/ and report.html into this folder');
  requireOption(command, '--model <file>', 'model package (.twin)');
  addEngineOptions(command).action(async (paths: string[], options: InspectOptions) => {
    const reporter = reporterOf(context, options);
    const detector = await context.services.openDetector(options.model, options);
    try {
      const { counters } = await inspectPaths(paths, detector, context, reporter, options);
      if (counters.noDecision > 0) context.endWith(exitCodes.noDecision);
    } finally {
      await detector.close();
    }
  });
}

/** The whole of `inspect` for an open detector; `demo` uses it too. */
export async function inspectPaths(
  paths: readonly string[],
  detector: Detector,
  context: CommandContext,
  reporter: Reporter,
  options: { model: string; out?: string; quiet?: boolean; title?: string; notes?: readonly string[] },
): Promise<{ counters: Counters; reportPath: string | undefined }> {
  // Loaded now, not at the start: they bring the picture decoders with them.
  const { inspectParts } = await import('../../inspection/pipeline.ts');
  const { listParts } = await import('../../inspection/picture-files.ts');
  const { decodeFile } = await import('../../inspection/decode-file.ts');
  const { preparePicture } = await import('../../pictures/prepare.ts');
  const { ResultsFolder } = await import('../../inspection/results-folder.ts');

  const start = performance.now();
  const parts = await listParts(paths);
  const results = options.out === undefined ? undefined : await ResultsFolder.create(options.out);
  try {
    const counters = await inspectParts(inOrder(parts), {
      detector,
      decode: decodeFile,
      prepare: (picture, size) => preparePicture(picture, { size }),
      sinks: [
        ...(results === undefined ? [] : [results]),
        progressSink(reporter, parts.length, options.quiet === true),
      ],
      signal: context.signal,
    });
    reporter.settle();
    context.signal.throwIfAborted();
    const reportPath = await results?.finish(counters, {
      title: options.title ?? `Inspection with ${basename(options.model)}`,
      model: { fileName: basename(options.model), hash: detector.modelHash, classes: detector.classes.length },
      ...(options.notes !== undefined && { notes: options.notes }),
    });
    sayCounters(reporter, counters, performance.now() - start);
    if (reportPath !== undefined) reporter.say(`Report: ${reportPath}`);
    return { counters, reportPath };
  } finally {
    await results?.discard();
  }
}

/** Prints each record: a JSON line, a line for people, or (quiet) progress alone. */
function progressSink(reporter: Reporter, total: number, quiet: boolean): VerdictSink {
  const start = performance.now();
  const progress = quiet || reporter.json ? reporter.progress('inspect', total, 'pictures') : undefined;
  let done = 0;
  return {
    accept: async (record, _part: PresentedPart) => {
      const { resultLine } = await import('../../inspection/results-table.ts');
      done += 1;
      if (!quiet) reporter.record(resultLine(record));
      if (!quiet && !reporter.json) reporter.say(verdictLine(record));
      progress?.update(done, ((performance.now() - start) / done) * (total - done));
    },
  };
}

/** `FAIL         2.314  cookies  pictures/a.png` */
export function verdictLine(record: InspectionRecord): string {
  const score = record.predScore === null ? '' : record.predScore.toFixed(3);
  const line = `${verdictWords[record.verdict].padEnd(11)} ${score.padStart(7)}  ${record.className ?? '-'}  ${record.file}`;
  return record.reason === undefined ? line : `${line}\n             ${record.reason}`;
}

/** @param elapsedMs absent: the rate says nothing, because the parts were waited for */
export function sayCounters(reporter: Reporter, counters: Counters, elapsedMs?: number): void {
  const each = verdictOrder.map((verdict) => `${String(counters[verdict])} ${verdictWords[verdict].toLowerCase()}`);
  const parts = `${String(counters.presented)} ${counters.presented === 1 ? 'part' : 'parts'}`;
  const rate =
    elapsedMs === undefined
      ? ''
      : ` in ${formatDuration(elapsedMs)} (${((1000 * counters.presented) / Math.max(1, elapsedMs)).toFixed(1)} a second)`;
  reporter.say(`${parts}${rate}: ${each.join(', ')}.`);
}

async function* inOrder<Item>(items: Iterable<Item>): AsyncGenerator<Item> {
  yield* items;
}
