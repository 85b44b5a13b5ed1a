import { Option, type Command } from 'commander';
import { engineNames, type EngineName } from '../../detector/detector.ts';
import { examineMachine, type DoctorFinding, type DoctorReport } from '../../system/doctor.ts';
import type { Reporter } from '../console.ts';
import { addCommand, parseCount, reporterOf, type CommandContext } from '../context.ts';
import { exitCodes } from '../exit-codes.ts';

const marks: Record<DoctorFinding['level'], string> = { ok: '[ok]', slow: '[slow]', problem: '[problem]' };

interface DoctorOptions {
  engine?: EngineName;
  threads?: number;
  json?: boolean;
}

/** `twinspect doctor` */
export function addDoctorCommand(program: Command, context: CommandContext): void {
  addCommand(program, 'doctor', 'say what this machine has and what will be slow, and why', [
    'doctor',
    'doctor --json',
    'doctor --engine cuda                 (train a tiny model there, compare with the processor, take the time)',
  ])
    .addOption(
      new Option('--engine <name>', 'try this execution provider with a training step').choices(
        engineNames.filter((name) => name !== 'auto'),
      ),
    )
    .option('--threads <count>', 'threads of the trial', parseCount)
    .action(async (options: DoctorOptions) => {
      const reporter = reporterOf(context, options);
      if (options.engine !== undefined) {
        await tryEngine(options.engine, options, reporter, context);
        return;
      }
      const report = await examineMachine(process.cwd(), await context.services.runtimeFacts());
      reporter.record(report);
      for (const line of describeMachine(report)) reporter.say(line);
      if (report.findings.some((finding) => finding.level === 'problem')) context.endWith(exitCodes.error);
    });
}

/** Trains a tiny model on the engine and says how far it is from the processor, and how fast. */
async function tryEngine(
  name: EngineName,
  { threads }: DoctorOptions,
  reporter: Reporter,
  context: CommandContext,
): Promise<void> {
  const other = name === 'cpu' ? 'in TensorFlow.js' : 'on the processor';
  reporter.say(`Training a tiny model on ${name}, then ${other}; this takes up to a minute.`);
  // The runtime is loaded only for this.
  const { checkTrainingEngine, engineTolerance } = await import('../../training/check-engine.ts');
  const check = await checkTrainingEngine(name, threads === undefined ? {} : { threads });
  reporter.record({ type: 'engineCheck', ...check });
  const { engine, reference, stepMs } = check;
  const best = Math.min(stepMs.stepwise, stepMs.loop);
  const beside =
    stepMs.cpu === null
      ? ''
      : `; processor ${stepMs.cpu.toFixed(1)} ms: ${(stepMs.cpu / best).toFixed(1)} times as fast`;
  for (const line of [
    `engine     ${engine.engine}, ${engine.provider} (${engine.reason}), ${String(engine.threads)} threads`,
    `difference losses ${check.lossDifference.toExponential(1)}, weights after five steps ${check.weightDifference.toExponential(1)} (allowed: ${String(engineTolerance)})`,
    `speed      ${stepMs.stepwise.toFixed(1)} ms a step, ${stepMs.loop.toFixed(1)} ms in the Loop form${beside}`,
    check.agrees
      ? `[ok]       It computes what ${reference.engine} on ${reference.provider} computes.`
      : `[problem]  It computes something else than ${reference.engine} on ${reference.provider}.`,
  ])
    reporter.say(line);
  if (check.agrees) return;
  if (name === 'cuda') {
    reporter.say('Try again with NVIDIA_TF32_OVERRIDE=0: without it, matrix products may be rounded to 10 bits.');
  }
  context.endWith(exitCodes.error);
}

function describeMachine({ system, cpu, memory, disk, runtime, findings }: DoctorReport): string[] {
  const gigabytes = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(1)} GB`;
  const features = cpu.features.length === 0 ? 'not told by this system' : cpu.features.join(' ');
  return [
    `system     ${system.platform} ${system.release} ${system.arch}, Node ${system.nodeVersion}`,
    `processor  ${cpu.model}, ${String(cpu.cores)} cores`,
    `features   ${features}`,
    `memory     ${gigabytes(memory.totalBytes)}, ${gigabytes(memory.freeBytes)} free`,
    `disk       ${gigabytes(disk.freeBytes)} free at ${disk.path}`,
    `runtime    ONNX Runtime ${runtime.onnxruntimeVersion ?? 'could not be loaded'}`,
    ...runtime.providers.map(describeProvider),
    '',
    ...findings.map(
      ({ level, what, remedy }) => `${marks[level].padEnd(10)} ${what}${remedy === undefined ? '' : ` ${remedy}`}`,
    ),
  ];
}

/** The runtime's own reasons can be pages of C++: the first words have to do, `--json` has them all. */
function describeProvider({ name, available, reason }: DoctorReport['runtime']['providers'][number]): string {
  if (available) return `engine     ${name}: works`;
  const words = (reason ?? 'not there').replace(/^\/\S+ .* was false\. /s, '').split('\n')[0] ?? '';
  return `engine     ${name}: not here, ${words.length > 110 ? `${words.slice(0, 110)}...` : words}`;
}
