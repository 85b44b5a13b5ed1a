// Workers in processes of their own, for tests that kill them.
import { build } from 'esbuild';
import { spawn, type ChildProcess } from 'node:child_process';
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { bundleOptions } from '../main/system/bundle-options.mjs';
import { projectRoot } from '../main/system/project-root.ts';

/** A bundled program that plain Node can run. */
export interface Worker {
  file: string;
  remove(): Promise<void>;
}

/**
 * Bundles a worker into a folder of this process beside the repository's packages, where it finds the native ones.
 * @param entry its source
 */
export async function bundleWorker(entry: string): Promise<Worker> {
  const name = path.basename(entry, '.ts');
  const area = path.basename(path.dirname(entry));
  const folder = path.join(
    projectRoot(),
    'node_modules',
    '.cache',
    'twinspect',
    `${area}-${name}-${String(process.pid)}`,
  );
  await build({
    ...bundleOptions,
    entryPoints: [entry],
    outdir: folder,
    outExtension: { '.js': '.mjs' },
    splitting: true,
    logLevel: 'error',
  });
  return { file: path.join(folder, `${name}.mjs`), remove: () => rm(folder, { recursive: true, force: true }) };
}

export interface Ended {
  /** Null when a signal ended it. */
  code: number | null;
  signal: NodeJS.Signals | null;
  /** All that it wrote, also what lay in the pipe when it ended. */
  out: string;
  err: string;
}

export interface RunningWorker {
  child: ChildProcess;
  ended: Promise<Ended>;
}

/**
 * Starts a worker.
 * @param onOutput called with all of standard output so far whenever more of it comes
 */
export function startWorker(
  file: string,
  args: readonly string[],
  onOutput?: (out: string, child: ChildProcess) => void,
  env: Record<string, string> = {},
): RunningWorker {
  const child = spawn(process.execPath, [file, ...args], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let out = '';
  let err = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text;
    onOutput?.(out, child);
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text));
  const ended = new Promise<Ended>((done, fail) => {
    child.on('error', fail);
    // `exit` would come before the last of its output is read.
    child.on('close', (code, signal) => done({ code, signal, out, err }));
  });
  return { child, ended };
}
