import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import * as nodeFs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { UserError } from '../../shared/errors.ts';

/** The few file calls that writing needs; tests hand in ones that fail. */
export type FileSystem = Pick<typeof nodeFs, 'open' | 'rename' | 'rm' | 'mkdir'>;

/** Bytes at once, or in pieces for files that should not be held in memory twice. */
export type FileContent = Uint8Array | string | AsyncIterable<Uint8Array>;

/** Temporary files and folders of this process that still exist; removed if it exits half-way. */
const unfinished = new Set<string>();

/** Renaming over a file that a virus scanner or a viewer holds open fails for a moment on Windows. */
const renameAttempts = 6;
const renameWaitMs = 50;

/**
 * Writes a file so that it either has its old content or the new one, whatever happens meanwhile (power, kill -9, full
 * disk): temporary file beside it, fsync, rename, fsync of the folder. Missing parent folders are made.
 * @throws UserError `diskFull`, `notWritable`, `writeFailed` naming the path and the remedy; the temporary file is removed
 */
export async function writeFileAtomic(path: string, content: FileContent, fs: FileSystem = nodeFs): Promise<void> {
  const target = resolve(path);
  // A short fixed name: the target's own may already be as long as a name can be.
  const temporary = join(dirname(target), `.tmp-${process.pid}-${randomBytes(6).toString('hex')}`);
  try {
    await fs.mkdir(dirname(target), { recursive: true });
    trackUnfinished(temporary);
    const file = await fs.open(temporary, 'wx');
    try {
      if (typeof content === 'string' || content instanceof Uint8Array) await file.writeFile(content);
      else for await (const piece of content) await file.writeFile(piece);
      await file.sync();
    } finally {
      await file.close();
    }
    await renameOver(temporary, target, fs);
    await syncFolder(dirname(target), fs);
  } catch (error) {
    await fs.rm(temporary, { force: true }).catch(() => undefined);
    throw writeError(target, error);
  } finally {
    unfinished.delete(temporary);
  }
}

/** Pretty JSON with a final line feed, written atomically. */
export async function writeJsonAtomic(path: string, value: unknown): Promise<void> {
  await writeFileAtomic(path, `${JSON.stringify(value, null, 2)}\n`);
}

/**
 * Proves that a file could be written at `path`, by writing beside it: for asking before minutes of work.
 * An existing file is left as it is.
 * @throws UserError as {@link writeFileAtomic}
 */
export async function checkWritable(path: string, fs: FileSystem = nodeFs): Promise<void> {
  const target = resolve(path);
  const probe = join(dirname(target), `.tmp-${process.pid}-${randomBytes(6).toString('hex')}`);
  try {
    await fs.mkdir(dirname(target), { recursive: true });
    trackUnfinished(probe);
    const file = await fs.open(probe, 'wx');
    try {
      await file.writeFile(new Uint8Array(4096));
    } finally {
      await file.close();
    }
  } catch (error) {
    throw writeError(target, error);
  } finally {
    await fs.rm(probe, { force: true }).catch(() => undefined);
    unfinished.delete(probe);
  }
}

/**
 * Runs `work` with a fresh folder and removes it afterwards, also when `work` fails or the process exits.
 * @param parent where to make it; default: the system's folder for temporary files
 */
export async function withTempDirectory<T>(work: (path: string) => Promise<T>, parent = tmpdir()): Promise<T> {
  let path: string;
  try {
    await nodeFs.mkdir(parent, { recursive: true });
    path = await nodeFs.mkdtemp(join(parent, 'twinspect-'));
  } catch (error) {
    throw writeError(parent, error);
  }
  trackUnfinished(path);
  try {
    return await work(path);
  } finally {
    await nodeFs.rm(path, { recursive: true, force: true, maxRetries: 3 });
    unfinished.delete(path);
  }
}

/**
 * Removes temporary files that an earlier, killed process left in a folder. Keeps those of living processes and young
 * ones (on a shared drive their process may live on another machine). Meant for the start of a long-running command.
 * @returns how many were removed; a folder that can't be read counts as having none
 */
export async function removeLeftovers(folder: string, olderThanMs = 600_000): Promise<number> {
  let removed = 0;
  for (const name of await nodeFs.readdir(folder).catch(() => [])) {
    const pid = /^\.tmp-(\d+)-[0-9a-f]{12}$/.exec(name)?.[1];
    if (pid === undefined || isAlive(Number(pid))) continue;
    const path = join(folder, name);
    const { mtimeMs } = await nodeFs.stat(path).catch(() => ({ mtimeMs: Infinity }));
    if (Date.now() - mtimeMs < olderThanMs) continue;
    await nodeFs.rm(path, { force: true });
    removed++;
  }
  return removed;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

/**
 * Says in words why a file could not be written; errors that are not about the file system come back unchanged.
 * @param path named in the message
 */
export function writeError(path: string, error: unknown): unknown {
  if (error instanceof UserError || !(error instanceof Error) || !('code' in error)) return error;
  const cause = { cause: error };
  switch (error.code) {
    case 'ENOSPC':
    case 'EDQUOT':
      return new UserError(
        'diskFull',
        `There is no space left to write "${path}".`,
        'Free some space or choose another drive; nothing was changed.',
        cause,
      );
    case 'EACCES':
    case 'EPERM':
      return new UserError(
        'notWritable',
        `No permission to write "${path}".`,
        'Choose another folder, or change the permissions of this one.',
        cause,
      );
    case 'EROFS':
      return new UserError(
        'notWritable',
        `"${path}" lies on a read-only drive.`,
        'Choose a folder on a drive that can be written.',
        cause,
      );
    case 'ENOTDIR':
    case 'EEXIST':
      return new UserError(
        'notWritable',
        `"${path}" can't be written: a part of its path is a file, not a folder.`,
        'Choose another path.',
        cause,
      );
    case 'EISDIR':
      return new UserError('notWritable', `"${path}" is a folder.`, 'Give the name of a file.', cause);
    case 'ENAMETOOLONG':
      return new UserError('notWritable', `The name of "${path}" is too long.`, 'Choose a shorter one.', cause);
    default:
      return typeof error.code === 'string' && /^E[A-Z]+$/.test(error.code)
        ? new UserError(
            'writeFailed',
            `"${path}" could not be written (${error.code}).`,
            'Check the drive and the path, then try again.',
            cause,
          )
        : error;
  }
}

async function renameOver(from: string, to: string, fs: FileSystem): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await fs.rename(from, to);
      return;
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? error.code : undefined;
      const mayPass = process.platform === 'win32' && (code === 'EPERM' || code === 'EACCES' || code === 'EBUSY');
      if (!mayPass || attempt >= renameAttempts) throw error;
      await new Promise((done) => setTimeout(done, renameWaitMs * attempt));
    }
  }
}

/** Makes the rename itself durable. Windows and some network drives can't sync a folder: then the rename has to do. */
async function syncFolder(path: string, fs: FileSystem): Promise<void> {
  try {
    const folder = await fs.open(path, 'r');
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  } catch {
    // The new content is in place and complete; only its survival of a power cut in this moment is less sure.
  }
}

function trackUnfinished(path: string): void {
  if (unfinished.size === 0 && !process.listeners('exit').includes(removeUnfinished)) {
    process.on('exit', removeUnfinished);
  }
  unfinished.add(path);
}

function removeUnfinished(): void {
  for (const path of unfinished) rmSync(path, { recursive: true, force: true });
}
