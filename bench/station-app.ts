/** The built program in a private copy, started without any driver: what the station's benches have in common. */
import { spawn, type ChildProcess } from 'node:child_process';
import { cp, mkdir, mkdtemp, symlink } from 'node:fs/promises';
import { readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { projectRoot } from '../main/system/project-root.ts';

/** What there is of the set-up and the host, which no bundle can hold. */
interface SetUp {
  ensureBuild(): Promise<void>;
  ensureWindow(): Promise<void>;
  electronHost(): Promise<{ path: string }>;
}

/**
 * Builds the program where it is older than its sources.
 * @returns where Electron is
 */
export async function readyToStart(): Promise<string> {
  const load = async (file: string): Promise<SetUp> =>
    (await import(pathToFileURL(path.join(projectRoot(), file)).href)) as SetUp;
  const { ensureBuild, ensureWindow } = await load('main/cli/setup.mjs');
  await ensureBuild();
  await ensureWindow();
  return (await (await load('main/app/host/electron-host.mjs')).electronHost()).path;
}

export interface PrivateStation {
  /** Where the copy of the program, its data and its logs lie. */
  folder: string;
  /** The station's own folder: database, pictures, models. */
  data: string;
  child: ChildProcess;
  stop(): Promise<void>;
}

/**
 * Copies the built program (a rebuild then changes nothing under a long run) and starts it on an empty station, without a
 * debugger: one that is attached keeps pictures alive that the program has let go.
 */
export async function startPrivately(args: readonly string[] = []): Promise<PrivateStation> {
  const host = await readyToStart();
  const root = projectRoot();
  const folder = await mkdtemp(path.join(tmpdir(), 'twinspect-private-'));
  const program = path.join(folder, 'program');
  await mkdir(program);
  for (const part of ['dist', 'dist-renderer', 'package.json', 'models']) {
    await cp(path.join(root, part), path.join(program, part), { recursive: true });
  }
  await symlink(path.join(root, 'node_modules'), path.join(program, 'node_modules'));
  const userData = path.join(folder, 'data');
  const all = [program, `--user-data-dir=${userData}`, ...args];
  if (process.getuid?.() === 0) all.unshift('--no-sandbox');
  const child = spawn(host, all, {
    stdio: 'ignore',
    env: { ...process.env, TWINSPECT_STARTED_AT: String(Date.now()) },
  });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const stop = async (): Promise<void> => {
    child.kill('SIGTERM');
    const late = setTimeout(() => child.kill('SIGKILL'), 15_000);
    await ended;
    clearTimeout(late);
  };
  return { folder, data: path.join(userData, 'station'), child, stop };
}

export interface ProcessMemory {
  pid: number;
  kind: 'main' | 'window' | 'graphics' | 'node' | 'other';
  /** Resident memory, with every page that others share, in MB. */
  residentMb: number;
  /** What the process has written itself: no page of a file, which counts as private only while no one else has it. */
  privateMb: number;
}

/** Every process of a program and what it holds (Linux). @param pid the program's first process */
export function memoryOf(pid: number): ProcessMemory[] {
  const parents = new Map<number, number>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
      parents.set(Number(name), Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]));
    } catch {
      // It ended meanwhile.
    }
  }
  const isOurs = (one: number): boolean => {
    for (let at: number | undefined = one; at !== undefined && at > 1; at = parents.get(at))
      if (at === pid) return true;
    return false;
  };
  return [...parents.keys()].filter(isOurs).flatMap((one) => {
    try {
      const rollup = readFileSync(`/proc/${String(one)}/smaps_rollup`, 'utf8');
      const mb = (key: string): number => Number(new RegExp(`^${key}:\\s+(\\d+)`, 'm').exec(rollup)?.[1] ?? 0) / 1024;
      const memory = { residentMb: mb('Rss'), privateMb: mb('Private_Dirty') };
      return [{ pid: one, kind: one === pid ? 'main' : kindOf(one), ...memory } satisfies ProcessMemory];
    } catch {
      return [];
    }
  });
}

function kindOf(pid: number): ProcessMemory['kind'] {
  const command = readFileSync(`/proc/${String(pid)}/cmdline`, 'utf8');
  if (command.includes('--type=renderer')) return 'window';
  if (command.includes('--type=gpu-process')) return 'graphics';
  return command.includes('node.mojom.NodeService') ? 'node' : 'other';
}
