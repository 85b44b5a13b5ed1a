import type { Command } from 'commander';
import type { PackageDescription } from '../../package/describe-package.ts';
import { addCommand, reporterOf, type CommandContext } from '../context.ts';

/** `twinspect model verify|info` */
export function addModelCommand(program: Command, context: CommandContext): void {
  const group = program.command('model').description('what a model package holds, and whether it is sound');

  addCommand(group, 'verify <file>', 'check every part of a model package: checksums, manifest, snapshot, graph', [
    'model verify cookies.twin',
    'model verify cookies.twin --json | jq .manifest.parity',
  ]).action(async (file: string, options: { json?: boolean }) => {
    const reporter = reporterOf(context, options);
    const { text, json } = await describe(file);
    reporter.record(json);
    reporter.say(text);
  });

  addCommand(group, 'info <file>', 'show the manifest of a model package (it is verified first)', [
    'model info cookies.twin',
  ]).action(async (file: string, options: { json?: boolean }) => {
    const reporter = reporterOf(context, options);
    const { json } = await describe(file);
    reporter.record(json.manifest);
    reporter.say(JSON.stringify(json.manifest, null, 2));
  });
}

async function describe(file: string): Promise<PackageDescription> {
  const { checkFusedGraph } = await import('../../detector/check-graph.ts');
  const { readPackage } = await import('../../package/read-package.ts');
  const { describePackage } = await import('../../package/describe-package.ts');
  return describePackage(await readPackage(file, { checkGraph: checkFusedGraph }));
}
