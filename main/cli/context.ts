import { InvalidArgumentError, Option, type Command } from 'commander';
import { availableParallelism } from 'node:os';
import { engineNames, type EngineName } from '../detector/detector.ts';
import { exitCodeHelp, exitCodes, type ExitCode } from './exit-codes.ts';
import { createReporter, type Reporter, type Terminal } from './console.ts';
import type { Services } from './services.ts';

/** What every command gets from the one who starts it. */
export interface CommandContext {
  terminal: Terminal;
  services: Services;
  /** Aborted by Ctrl-C: stop at the next safe point, leave nothing half-written. */
  signal: AbortSignal;
  /** Ends with another code than 0 although the work was done. */
  endWith(code: ExitCode): void;
}

/**
 * Adds a command with its examples; every command has `--json`.
 * @param further text of its help above the examples
 */
export function addCommand(
  program: Command,
  name: string,
  summary: string,
  examples: readonly string[],
  further = '',
): Command {
  const lines = examples.map((example) => `  $ twinspect ${example}`).join('\n');
  return program
    .command(name)
    .summary(summary)
    .description(summary)
    .option('--json', 'results as JSON on standard output, everything else on standard error')
    .addHelpText('after', `${further}\nExamples:\n${lines}\n${exitCodeHelp}`);
}

/** The reporter that a command's `--json` asks for. */
export function reporterOf(context: CommandContext, options: { json?: boolean }): Reporter {
  return createReporter(context.terminal, options.json === true);
}

/** Options of every command that runs a model. */
export interface EngineOptions {
  engine: EngineName;
  threads?: number;
}

/**
 * Adds `--engine` and `--threads`.
 * @param further engines beside the execution providers
 */
export function addEngineOptions(command: Command, further: readonly string[] = []): Command {
  return command
    .addOption(
      new Option('--engine <name>', 'execution provider; what is asked for and not there is an error')
        .choices([...engineNames, ...further])
        .default('auto'),
    )
    .option(
      '--threads <count>',
      `threads of one run (default: the ${String(availableParallelism())} cores)`,
      parseCount,
    );
}

/**
 * An option that must be given. Commander's own check comes before the one for unknown flags and would hide the hint
 * that `--modell` was meant to be `--model`.
 */
export function requireOption<Value = string>(
  command: Command,
  flags: string,
  description: string,
  parse?: (value: string, before: Value | undefined) => Value,
): Command {
  const option = new Option(flags, `${description} (required)`);
  if (parse !== undefined) option.argParser(parse);
  return command.addOption(option).hook('preAction', (_parent, called) => {
    if (called.getOptionValue(option.attributeName()) === undefined) {
      called.error(`error: required option '${flags}' not specified`, { exitCode: exitCodes.usage });
    }
  });
}

/** `--data DIR`, may be given several times. */
export function collect(value: string, before: string[] = []): string[] {
  return [...before, value];
}

/** A whole number of at least 1. */
export function parseCount(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('A whole number of at least 1 is needed.');
  return value;
}

/** A whole number of at least 0. */
export function parseSeed(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0 || value > 0xffffffff) {
    throw new InvalidArgumentError('A whole number from 0 to 4294967295 is needed.');
  }
  return value;
}

/** A time in seconds, decimals allowed. */
export function parseSeconds(text: string): number {
  const value = Number(text);
  if (!Number.isFinite(value) || value < 0) throw new InvalidArgumentError('A number of seconds is needed.');
  return value;
}
