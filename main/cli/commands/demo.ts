import type { Command } from 'commander';
import { readdir } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { pathToFileURL } from 'node:url';
import { projectRoot } from '../../system/project-root.ts';
import {
  addCommand,
  addEngineOptions,
  parseCount,
  parseSeed,
  reporterOf,
  type CommandContext,
  type EngineOptions,
} from '../context.ts';
import { formatDuration, formatTable } from '../console.ts';
import { evaluateFolders, sayTable } from './evaluate.ts';
import { inspectPaths } from './inspect.ts';
import { eventPrinter } from './train.ts';

interface DemoOptions extends EngineOptions {
  out: string;
  seed: number;
  steps?: number;
  instant: boolean;
  json?: boolean;
}

const attribution =
  'Pictures: PIPED by F. Bianconi, L. Ceccarelli, S. Saetta (CC BY 4.0), see models/sample/README.md.';

/** `twinspect demo` */
export function addDemoCommand(program: Command, context: CommandContext): void {
  const command = addCommand(program, 'demo', 'see it work: learn twelve kinds of paper, then find the bad sheets', [
    'demo',
    'demo --instant      (normal memory only: ready in seconds)',
  ])
    .option('--out <dir>', 'folder for model and results', 'demo-output')
    .option('--seed <number>', 'the same seed gives the same model', parseSeed, 0)
    .option('--steps <count>', 'training steps of the students', parseCount)
    .option('--instant', 'normal memory only, without the students', false);
  addEngineOptions(command).action(async (options: DemoOptions) => {
    const reporter = reporterOf(context, options);
    const sample = join(projectRoot(), 'models', 'sample', 'papers');
    const modelPath = join(options.out, 'papers.twin');
    const started = performance.now();

    reporter.say('Twelve kinds of paper, one model, good sheets only. Nothing leaves this machine.');
    const summary = await context.services.trainModel(
      { ...options, dataDirs: [sample], preset: 'embedded', out: modelPath, resume: false },
      eventPrinter(reporter, false),
      context.signal,
    );
    reporter.settle();

    const detector = await context.services.openDetector(modelPath, options);
    try {
      reporter.say('\nMeasuring it on sheets that it has not seen, good ones and bad ones');
      const evaluating = performance.now();
      const { table } = await evaluateFolders([sample], detector, context, reporter);
      sayTable(reporter, table);

      reporter.say('\nInspecting the same sheets as a station would');
      const inspecting = performance.now();
      const { counters, reportPath } = await inspectPaths(await testFolders(sample), detector, context, reporter, {
        model: modelPath,
        out: options.out,
        quiet: true,
        title: 'Twinspect demo: twelve kinds of paper',
        notes: [attribution],
      });
      const ended = performance.now();

      const phases = [
        ...summary.phases,
        { phase: 'evaluate', elapsedMs: inspecting - evaluating },
        { phase: 'inspect and report', elapsedMs: ended - inspecting },
        { phase: 'all', elapsedMs: ended - started },
      ];
      reporter.say(
        `\n${formatTable(
          ['phase', 'time'],
          phases.map(({ phase, elapsedMs }) => [phase, formatDuration(elapsedMs)]),
        )}`,
      );
      reporter.say(`\nModel:  ${modelPath}`);
      if (reportPath !== undefined)
        reporter.say(`Report: ${pathToFileURL(reportPath).href}   (open it in any browser)`);
      reporter.record({ ...table, model: summary, counters, reportPath, phases });
    } finally {
      await detector.close();
    }
  });
}

/** Test folders of all classes, as paths that read well from here. */
async function testFolders(sample: string): Promise<string[]> {
  const classes = await readdir(sample);
  return classes.sort().map((name) => relative(process.cwd(), join(sample, name, 'test')));
}
