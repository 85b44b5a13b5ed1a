import { Command, Help } from 'commander';
import packageJson from '../../package.json' with { type: 'json' };
import { addAuditCommand } from './commands/audit.ts';
import { addBackboneCommand } from './commands/backbone.ts';
import { addBenchmarkCommand } from './commands/benchmark.ts';
import { addCalibrateCommand } from './commands/calibrate.ts';
import { addDemoCommand } from './commands/demo.ts';
import { addDoctorCommand } from './commands/doctor.ts';
import { addDriftCommand } from './commands/drift.ts';
import { addEvaluateCommand } from './commands/evaluate.ts';
import { addExplainCommand } from './commands/explain.ts';
import { addGateCommand } from './commands/gate.ts';
import { addInspectCommand } from './commands/inspect.ts';
import { addModelCommand } from './commands/model.ts';
import { addMsaCommand } from './commands/msa.ts';
import { addReplayCommand } from './commands/replay.ts';
import { addTrainCommand } from './commands/train.ts';
import { addWatchCommand } from './commands/watch.ts';
import type { CommandContext } from './context.ts';
import { exitCodeHelp } from './exit-codes.ts';

/** All commands; nothing heavy is loaded before one of them runs. */
export function buildProgram(context: CommandContext): Command {
  const program = new Command('twinspect')
    .description('Learns from pictures of good parts, finds the bad ones. Everything runs on this machine, offline.')
    .version(packageJson.version, '--version', 'print the version')
    .helpOption('-h, --help', 'show help')
    .showSuggestionAfterError()
    .showHelpAfterError('(--help shows what there is)')
    .exitOverride()
    .configureHelp({
      // That a switch is off unless given goes without saying.
      optionDescription: (option) =>
        option.isBoolean() && option.defaultValue === false ? option.description : new Help().optionDescription(option),
    })
    .configureOutput({ writeOut: context.terminal.out, writeErr: context.terminal.err })
    .addHelpText(
      'after',
      `\nExamples:\n  $ twinspect demo\n  $ twinspect train --data pictures/cookies --out cookies.twin\n  $ twinspect inspect --model cookies.twin new-pictures --out results\n${exitCodeHelp}`,
    );
  addDemoCommand(program, context);
  addTrainCommand(program, context);
  addEvaluateCommand(program, context);
  addCalibrateCommand(program, context);
  addGateCommand(program, context);
  addInspectCommand(program, context);
  addWatchCommand(program, context);
  addExplainCommand(program, context);
  addDriftCommand(program, context);
  addMsaCommand(program, context);
  addReplayCommand(program, context);
  addAuditCommand(program, context);
  addBenchmarkCommand(program, context);
  addModelCommand(program, context);
  addBackboneCommand(program, context);
  addDoctorCommand(program, context);
  return program;
}
