import type { Command } from 'commander';
import { findBackbone, readRegistry, verifyBackbone, type BackboneEntry } from '../../backbones/registry.ts';
import { modelsDir } from '../../system/project-root.ts';
import { formatTable, type Reporter } from '../console.ts';
import { addCommand, reporterOf, type CommandContext } from '../context.ts';

/** `twinspect backbone list|info|verify` */
export function addBackboneCommand(program: Command, context: CommandContext): void {
  const group = program.command('backbone').description('the pretrained networks that models build on');

  addCommand(group, 'list', 'list the backbones this installation knows', ['backbone list']).action(
    async (options: { json?: boolean }) => {
      const reporter = reporterOf(context, options);
      const { backbones } = await readRegistry(modelsDir());
      for (const entry of backbones) reporter.record(entry);
      const rows = backbones.map((entry) => [
        entry.id,
        entry.title,
        `${String(entry.input.size)} px`,
        entry.licence,
        entry.bundled ? 'bundled' : 'to be fetched',
      ]);
      reporter.say(formatTable(['backbone', 'what', 'input', 'licence', 'where'], rows));
    },
  );

  addCommand(group, 'info <id>', 'show source, licence and layout of a backbone', [
    'backbone info efficientnet-lite2',
  ]).action(async (id: string, options: { json?: boolean }) => {
    const reporter = reporterOf(context, options);
    const entry = findBackbone(await readRegistry(modelsDir()), id);
    reporter.record(entry);
    sayBackbone(reporter, entry);
  });

  addCommand(group, 'verify [id]', 'check the files of one or all backbones against their sha256', [
    'backbone verify',
    'backbone verify efficientnet-lite2 --json',
  ]).action(async (id: string | undefined, options: { json?: boolean }) => {
    const reporter = reporterOf(context, options);
    const registry = await readRegistry(modelsDir());
    const entries = id === undefined ? registry.backbones : [findBackbone(registry, id)];
    for (const entry of entries) {
      if (id === undefined && !entry.bundled) continue;
      const files = await verifyBackbone(registry, entry);
      reporter.record({ id: entry.id, ok: true, files });
      reporter.say(`${entry.id}: ${String(files.length)} file(s) as registered.`);
    }
  });
}

function sayBackbone(reporter: Reporter, entry: BackboneEntry): void {
  reporter.say(`${entry.id}: ${entry.title}`);
  reporter.say(`input        ${String(entry.input.size)} x ${String(entry.input.size)} px, ${entry.input.filter}`);
  reporter.say(`parameters   ${(entry.parameters / 1e6).toFixed(2)} million`);
  reporter.say(`licence      ${entry.licence}`);
  reporter.say(`attribution  ${entry.attribution}`);
  reporter.say(`source       ${entry.source}`);
  for (const file of entry.files) {
    const size = file.bytes === undefined ? 'size not pinned' : `${(file.bytes / 1e6).toFixed(1)} MB`;
    reporter.say(
      `file         ${file.path}, ${size}, sha256 ${file.sha256 ?? 'not pinned: recorded when it comes in'}`,
    );
  }
}
