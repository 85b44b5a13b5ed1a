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
 * @returns `trouble`: the first thing below the folder that could not be read; what vanishes is left out without a word
 * @throws the file system's error when the folder itself can't be read
 */
export async function scanFolder(
  folder: string,
  skip: string,
  isKnown: (file: FoundFile) => boolean,
): Promise<{ found: FoundFile[]; trouble?: unknown }> {
  const found: FoundFile[] = [];
  let trouble: unknown;
  const onFile = (file: FoundFile): void => {
    if (!isKnown(file)) found.push(file);
  };
  await visit(folder, '', skip, onFile, (error) => (trouble ??= error));
  found.sort((a, b) => a.mtimeMs - b.mtimeMs || compareNames(a.relative, b.relative));
  return { found, ...(trouble !== undefined && { trouble }) };
}

/** Folders that a system or a file server keeps for itself in anybody's. */
const foreignFolders = new Set(['lost+found', '$RECYCLE.BIN', 'System Volume Information', '@eaDir']);

/** Files looked at together: one by one, a busy machine would take many times as long. */
const batchSize = 64;

async function visit(
  folder: string,
  prefix: string,
  skip: string,
  onFile: (file: FoundFile) => void,
  onTrouble: (error: unknown) => void,
): Promise<void> {
  const unlessGone = (error: unknown): undefined => {
    if (!isGone(error)) onTrouble(error);
  };
  let batch: Promise<FoundFile | undefined>[] = [];
  const settle = async (): Promise<void> => {
    for (const file of await Promise.all(batch)) if (file !== undefined) onFile(file);
    batch = [];
  };
  for await (const entry of await opendir(folder, { bufferSize: 4 * batchSize })) {
    const path = join(folder, entry.name);
    const relative = prefix + entry.name;
    if (entry.isDirectory()) {
      if (path === skip || entry.name.startsWith('.') || foreignFolders.has(entry.name)) continue;
      await settle();
      await visit(path, `${relative}/`, skip, onFile, onTrouble).catch(unlessGone);
    } else if (looksLikePicture(entry.name)) {
      batch.push(lookAt(path, relative).catch(unlessGone));
      if (batch.length === batchSize) await settle();
    }
  }
  await settle();
}

async function lookAt(path: string, relative: string): Promise<FoundFile | undefined> {
  const info = await stat(path);
  return info.isFile() ? { relative, path, size: info.size, mtimeMs: info.mtimeMs } : undefined;
}

/** Whether an error says that a file or folder is not there (any more); a link to itself leads nowhere either. */
export function isGone(error: unknown): boolean {
  return error instanceof Error && 'code' in error && ['ENOENT', 'ENOTDIR', 'ELOOP'].includes(String(error.code));
}
