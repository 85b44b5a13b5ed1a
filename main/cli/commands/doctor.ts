import type { Command } from 'commander';
import { examineMachine, type DoctorFinding, type DoctorReport } from '../../system/doctor.ts';
import { addCommand, reporterOf, type CommandContext } from '../context.ts';
import { exitCodes } from '../exit-codes.ts';

const marks: Record<DoctorFinding['level'], string> = { ok: '[ok]', slow: '[slow]', problem: '[problem]' };

/** `twinspect doctor` */
export function addDoctorCommand(program: Command, context: CommandContext): void {
  addCommand(program, 'doctor', 'say what this machine has and what will be slow, and why', [
    'doctor',
    'doctor --json',
  ]).action(async (options: { json?: boolean }) => {
    const reporter = reporterOf(context, options);
    const report = await examineMachine(process.cwd(), await context.services.runtimeFacts());
    reporter.record(report);
    for (const line of describeMachine(report)) reporter.say(line);
    if (report.findings.some((finding) => finding.level === 'problem')) context.endWith(exitCodes.error);
  });
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
