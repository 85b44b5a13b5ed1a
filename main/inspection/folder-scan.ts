import { opendir, stat } from 'node:fs/promises';
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
 * The picture files below a folder that are new, oldest first (by time of change, then by name): the order in which
 * they came. Memory goes with the new ones only, however many files lie there.
 * @param skip a folder that's left out (the results, when they lie inside)
 * @param isKnown whether a file in this state needs no further look
 * @throws the file system's error when the folder itself can't be read; what vanishes below it is left out
 */
export async function scanFolder(
  folder: string,
  skip: string,
  isKnown: (file: FoundFile) => boolean,
): Promise<FoundFile[]> {
  const found: FoundFile[] = [];
  await visit(folder, '', skip, (file) => {
    if (!isKnown(file)) found.push(file);
  });
  return found.sort((a, b) => a.mtimeMs - b.mtimeMs || compareNames(a.relative, b.relative));
}

/** Files looked at together: one by one, a busy machine would take many times as long. */
const batchSize = 64;

async function visit(folder: string, prefix: string, skip: string, onFile: (file: FoundFile) => void): Promise<void> {
  let batch: Promise<FoundFile | undefined>[] = [];
  const settle = async (): Promise<void> => {
    for (const file of await Promise.all(batch)) if (file !== undefined) onFile(file);
    batch = [];
  };
  for await (const entry of await opendir(folder, { bufferSize: 4 * batchSize })) {
    const path = join(folder, entry.name);
    const relative = prefix + entry.name;
    if (entry.isDirectory()) {
      if (path === skip || entry.name.startsWith('.')) continue;
      await settle();
      await visit(path, `${relative}/`, skip, onFile).catch((error: unknown) => {
        if (!isGone(error)) throw error;
      });
    } else if (looksLikePicture(entry.name)) {
      const look = lookAt(path, relative);
      // Awaited with its batch, unless the folder goes away before: then its failure is of no interest.
      look.catch(() => undefined);
      batch.push(look);
      if (batch.length === batchSize) await settle();
    }
  }
  await settle();
}

async function lookAt(path: string, relative: string): Promise<FoundFile | undefined> {
  try {
    const info = await stat(path);
    return info.isFile() ? { relative, path, size: info.size, mtimeMs: info.mtimeMs } : undefined;
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
}

/** Whether an error says that a file or folder is not there (any more). */
export function isGone(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR');
}
