import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { compareNames, looksLikePicture } from './picture-files.ts';

/** A picture file as a look into the folder found it. */
export interface FoundFile {
  /** Path below the watched folder, with forward slashes. */
  relative: string;
  path: string;
  size: number;
  mtimeMs: number;
}

/** Same file in the same state: a change of size or time means that it must be looked at again. */
export function stateKey({ relative, size, mtimeMs }: Pick<FoundFile, 'relative' | 'size' | 'mtimeMs'>): string {
  return `${relative}\0${String(size)}\0${String(mtimeMs)}`;
}

/**
 * All picture files below a folder, oldest first (by time of change, then by name): the order in which they came.
 * @param skip a folder that's left out (the results, when they lie inside)
 * @throws the file system's error when the folder itself can't be read; what vanishes below it is left out
 */
export async function scanFolder(folder: string, skip: string): Promise<FoundFile[]> {
  const found: FoundFile[] = [];
  await visit(folder, '', skip, found);
  return found.sort((a, b) => a.mtimeMs - b.mtimeMs || compareNames(a.relative, b.relative));
}

async function visit(folder: string, prefix: string, skip: string, found: FoundFile[]): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    const relative = prefix + entry.name;
    if (entry.isDirectory()) {
      if (path === skip || entry.name.startsWith('.')) continue;
      await visit(path, `${relative}/`, skip, found).catch((error: unknown) => {
        if (!isGone(error)) throw error;
      });
    } else if (looksLikePicture(entry.name)) {
      const info = await stat(path).catch((error: unknown) => {
        if (isGone(error)) return undefined;
        throw error;
      });
      if (info?.isFile() === true) found.push({ relative, path, size: info.size, mtimeMs: info.mtimeMs });
    }
  }
}

/** Whether an error says that a file or folder is not there (any more). */
export function isGone(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR');
}
