import { CommanderError } from 'commander';
import { UserError } from '../../shared/errors.ts';
import { closeWorkers } from '../runtime/rpc.ts';
import { processTerminal, type Terminal } from './console.ts';
import { exitCodes, type ExitCode } from './exit-codes.ts';
import { buildProgram } from './program.ts';
import { realServices, type Services } from './services.ts';

/** Stand-ins for the process's own streams and parts, used by tests. */
export interface CommandLineSettings {
  terminal?: Terminal;
  services?: Services;
  signal?: AbortSignal;
}

/**
 * Runs one command line to its end.
 * @param argv the words after the program's name
 * @returns the exit code, see `exitCodes`
 */
export async function runCommandLine(argv: readonly string[], settings: CommandLineSettings = {}): Promise<ExitCode> {
  const terminal = settings.terminal ?? processTerminal();
  const cancel = settings.signal === undefined ? cancelOnSignals(terminal) : undefined;
  const signal = settings.signal ?? cancel?.signal ?? new AbortController().signal;
  let code: ExitCode = exitCodes.ok;
  const program = buildProgram({
    terminal,
    services: settings.services ?? realServices,
    signal,
    endWith: (asked) => (code = asked),
  });
  try {
    await program.parseAsync([...argv], { from: 'user' });
    return code;
  } catch (error) {
    return failureCode(error, terminal, signal, argv.includes('--json'));
  } finally {
    cancel?.release();
  }
}

/** Tells what went wrong, in words for a person; only a defect of the program shows its stack. */
function failureCode(error: unknown, terminal: Terminal, signal: AbortSignal, json: boolean): ExitCode {
  if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
  if (signal.aborted) {
    terminal.err('Cancelled. Nothing is left half-written.\n');
    return exitCodes.cancelled;
  }
  if (error instanceof UserError) {
    const { code, message, remedy } = error;
    terminal.err(json ? `${JSON.stringify({ error: { code, message, remedy } })}\n` : `${message}\n`);
  } else {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    terminal.err(`This is a defect of Twinspect, please report it with these lines:\n${text}\n`);
  }
  return exitCodes.error;
}

/** How long a running computation may hold up the second Ctrl-C. */
const graceMs = 2000;

/** The first Ctrl-C asks the work to stop; the second ends the process as soon as nothing computes. */
function cancelOnSignals(terminal: Terminal): { signal: AbortSignal; release: () => void } {
  const controller = new AbortController();
  const onSignal = (): void => {
    if (controller.signal.aborted) {
      void closeWorkers(graceMs).then(() => process.exit(exitCodes.cancelled));
      return;
    }
    terminal.err('\nStopping ... (again: at once)\n');
    controller.abort(new Error('cancelled'));
  };
  const names = ['SIGINT', 'SIGTERM'] as const;
  for (const name of names) process.on(name, onSignal);
  return {
    signal: controller.signal,
    release: () => {
      for (const name of names) process.off(name, onSignal);
    },
  };
}
