import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { arch, availableParallelism, cpus, freemem, platform, release, totalmem } from 'node:os';

/** One thing that will be slow or won't work, with the way out. */
export interface DoctorFinding {
  level: 'ok' | 'slow' | 'problem';
  what: string;
  remedy?: string;
}

/** What this machine has. */
export interface DoctorReport {
  system: { platform: string; release: string; arch: string; nodeVersion: string };
  cpu: { model: string; cores: number; features: string[] };
  memory: { totalBytes: number; freeBytes: number };
  disk: { path: string; freeBytes: number };
  runtime: RuntimeFacts;
  findings: DoctorFinding[];
}

/** What the runtime tells about itself, see main/runtime/providers.ts. */
export interface RuntimeFacts {
  /** Undefined when ONNX Runtime could not be loaded. */
  onnxruntimeVersion: string | undefined;
  providers: { name: string; available: boolean; reason: string | undefined; remedy: string | undefined }[];
}

/** Vector instruction sets that decide how fast matrix products run. */
const telling = [
  'sse4_2',
  'avx',
  'avx2',
  'fma',
  'avx512f',
  'avx512_vnni',
  'avx_vnni',
  'amx_tile',
  'asimd',
  'i8mm',
  'sve',
];

const GiB = 2 ** 30;

/**
 * Looks at this machine and says what will be slow and why.
 * @param workFolder folder whose disk will hold models and results
 */
export async function examineMachine(workFolder: string, runtime: RuntimeFacts): Promise<DoctorReport> {
  const processors = cpus();
  const disk = await statfs(workFolder);
  const facts = {
    system: { platform: platform(), release: release(), arch: arch(), nodeVersion: process.versions.node },
    cpu: { model: processors[0]?.model.trim() ?? 'unknown', cores: availableParallelism(), features: cpuFeatures() },
    memory: { totalBytes: memoryLimit(), freeBytes: Math.min(freemem(), memoryLimit()) },
    disk: { path: workFolder, freeBytes: disk.bavail * disk.bsize },
    runtime,
  };
  return { ...facts, findings: findingsOf(facts) };
}

/** A pure function of the facts: what will be slow or fail, worst first. */
function findingsOf(facts: Omit<DoctorReport, 'findings'>): DoctorFinding[] {
  const findings: DoctorFinding[] = [];
  const add = (level: DoctorFinding['level'], what: string, remedy?: string): void => {
    findings.push(remedy === undefined ? { level, what } : { level, what, remedy });
  };
  const { cpu, memory, disk, runtime, system } = facts;
  if (runtime.onnxruntimeVersion === undefined) {
    add(
      'problem',
      'ONNX Runtime could not be loaded: nothing can be trained or inspected.',
      'Run npm ci again, on a supported platform (Windows, macOS, Linux with glibc).',
    );
  }
  if (memory.totalBytes < 4 * GiB) {
    add(
      'problem',
      `${gib(memory.totalBytes)} of memory: training needs about 3 GB for 16 classes.`,
      'Train on a machine with 8 GB or more; inspecting works here.',
    );
  }
  if (disk.freeBytes < 2 * GiB) {
    add(
      'problem',
      `${gib(disk.freeBytes)} free on the disk of ${disk.path}: the feature cache alone may take 1 GB.`,
      'Free some space.',
    );
  }
  const engines = runtime.providers.filter(({ available }) => available).map(({ name }) => name);
  if (runtime.onnxruntimeVersion !== undefined && engines.every((name) => name === 'cpu')) {
    add(
      'slow',
      'No GPU engine works here (reasons above): larger backbones train slowly.',
      'The embedded preset needs none: minutes to train, tens of milliseconds a picture.',
    );
  }
  const x86 = system.arch === 'x64';
  const known = cpu.features.length > 0;
  if (x86 && known && !cpu.features.includes('avx2')) {
    add(
      'slow',
      'The processor has no AVX2: training and inspecting take two to four times as long.',
      'Use a processor from 2014 or later.',
    );
  } else if (x86 && known && !cpu.features.includes('avx512f')) {
    add('slow', 'The processor has no AVX-512: matrix products run at about half the speed of one that has it.');
  }
  if (cpu.cores < 2)
    add(
      'slow',
      'One core: reading pictures and scoring them can not overlap.',
      'Give the machine (or container) two cores or more.',
    );
  if (findings.every((finding) => finding.level !== 'problem')) {
    findings.push({
      level: 'ok',
      what: `Ready: ${String(cpu.cores)} cores, ${gib(memory.totalBytes)} of memory, engines ${engines.join(', ')}.`,
    });
  }
  const order = { problem: 0, slow: 1, ok: 2 };
  return findings.sort((a, b) => order[a.level] - order[b.level]);
}

function gib(bytes: number): string {
  return `${(bytes / GiB).toFixed(1)} GB`;
}

/** The telling features only; empty where the system doesn't say (macOS, Windows). */
function cpuFeatures(): string[] {
  try {
    const text = readFileSync('/proc/cpuinfo', 'utf8');
    const flags = new Set(/^(?:flags|Features)\s*:\s*(.*)$/m.exec(text)?.[1]?.split(' ') ?? []);
    return telling.filter((name) => flags.has(name));
  } catch {
    return [];
  }
}

/** A container's limit counts, not the machine's memory. */
function memoryLimit(): number {
  const limit = process.constrainedMemory();
  return limit > 0 && limit < totalmem() ? limit : totalmem();
}

/** Version of an installed package; undefined when it isn't there. */
export function installedVersion(packageName: string): string | undefined {
  try {
    const { version } = createRequire(import.meta.url)(`${packageName}/package.json`) as { version: string };
    return version;
  } catch {
    return undefined;
  }
}
