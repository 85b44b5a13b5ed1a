import { Option, type Command } from 'commander';
import { basename, dirname, join, resolve } from 'node:path';
import type { WatchState } from '../../inspection/watch.ts';
import {
  addCommand,
  addEngineOptions,
  parseCount,
  parseSeconds,
  reporterOf,
  requireOption,
  type CommandContext,
  type EngineOptions,
} from '../context.ts';
import { formatDuration, type Reporter } from '../console.ts';
import { sayCounters, verdictLine } from './inspect.ts';

interface WatchCommandOptions extends EngineOptions {
  model: string;
  out?: string;
  quarantine: 'copy' | 'move';
  settle: number;
  interval: number;
  untilIdle?: number;
  json?: boolean;
}

/** `twinspect watch` */
export function addWatchCommand(program: Command, context: CommandContext): void {
  const command = addCommand(
    program,
    'watch',
    'judge every picture that comes into a folder, once per file and content',
    [
      'watch line3/camera --model cookies.twin',
      'watch line3/camera --model cookies.twin --out line3/results --json >> verdicts.jsonl',
      'watch inbox --model cookies.twin --until-idle 10      (judge what is there, then end)',
    ],
  )
    .argument('<folder>', 'folder to watch, subfolders included')
    .option(
      '--out <dir>',
      'journal, results.csv, overlays and quarantine (default: <folder>-results beside the folder)',
    )
    .addOption(
      new Option('--quarantine <how>', 'copy unreadable files into <out>/quarantine, or move them there')
        .choices(['copy', 'move'])
        .default('copy'),
    )
    .option('--settle <ms>', 'a file is complete when it stays the same for this long', parseCount, 500)
    .option('--interval <ms>', 'longest pause between two looks into the folder', parseCount, 2000)
    .option('--until-idle <seconds>', 'end when nothing has come for this long', parseSeconds);
  requireOption(command, '--model <file>', 'model package (.twin)');
  addEngineOptions(command).action(async (folder: string, options: WatchCommandOptions) => {
    const reporter = reporterOf(context, options);
    const { watchAndInspect } = await import('../../inspection/watch.ts');
    const { watchLine } = await import('../../inspection/results-table.ts');
    const { preparePicture } = await import('../../pictures/prepare.ts');
    const detector = await context.services.openDetector(options.model, options);
    try {
      const resultsDir = options.out ?? join(dirname(resolve(folder)), `${basename(resolve(folder))}-results`);
      const summary = await watchAndInspect(
        {
          folder,
          resultsDir,
          quarantine: options.quarantine,
          settleMs: options.settle,
          scanIntervalMs: options.interval,
          emptyPatienceMs: Math.max(5000, options.settle),
          ...(options.untilIdle !== undefined && { untilIdleMs: 1000 * options.untilIdle }),
        },
        {
          detector,
          prepare: (picture, size) => preparePicture(picture, { size }),
          onRecord: (record) => {
            reporter.record(watchLine(record));
            if (!reporter.json) reporter.say(verdictLine(record));
          },
          onState: (state) => {
            sayState(reporter, state, folder, resultsDir);
          },
          signal: context.signal,
        },
      );
      sayCounters(reporter, summary.counters);
      const { presented, pass, fail, review, noDecision } = summary.totals;
      reporter.say(
        `All runs: ${String(presented)} in = ${String(pass)} pass + ${String(fail)} fail + ${String(review)} review + ${String(noDecision)} no decision out.`,
      );
    } finally {
      await detector.close();
    }
  });
}

function sayState(reporter: Reporter, state: WatchState, folder: string, resultsDir: string): void {
  switch (state.type) {
    case 'started':
      reporter.note(`Watching ${resolve(folder)}; results in ${resolve(resultsDir)}. Ctrl-C ends it.`);
      if (state.judgedBefore > 0) reporter.note(`Going on after ${String(state.judgedBefore)} parts judged before.`);
      break;
    case 'folderGone':
      reporter.note(
        `!! THE FOLDER ${resolve(folder)} IS GONE since ${new Date(state.sinceMs).toISOString()}: pictures that should come are NOT judged. Waiting for it. (${state.reason})`,
      );
      break;
    case 'folderBack':
      reporter.note(`The folder is back after ${formatDuration(state.goneMs)}; going on.`);
      break;
    case 'idle':
      if (state.forMs === 0) reporter.note('Nothing is waiting.');
  }
}
