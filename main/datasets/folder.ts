import { readdir, stat } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { UserError } from '../../shared/errors.ts';

const extensions = new Set(['.png', '.jpg', '.jpeg', '.bmp', '.webp', '.tif', '.tiff']);

export interface Folder {
  path: string;
  /** Names of sub-folders, sorted. */
  folders: string[];
  /** Names of files with the extension of a picture, sorted. */
  pictures: string[];
  /** How many other files there are. */
  otherFiles: number;
}

/** Follows links; hidden entries (`.DS_Store`, `._x.png`) do not count. */
export async function listFolder(path: string): Promise<Folder> {
  const folder: Folder = { path, folders: [], pictures: [], otherFiles: 0 };
  let entries;
  try {
    entries = await readdir(path, { withFileTypes: true });
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause);
    throw new UserError('datasetUnreadable', `"${path}" cannot be read (${code}).`, 'Check that you may read it.', {
      cause,
    });
  }
  for (const entry of entries) {
    if (entry.name.startsWith('.')) continue;
    const kind = entry.isSymbolicLink()
      ? await kindOf(join(path, entry.name))
      : entry.isDirectory()
        ? 'folder'
        : 'file';
    if (kind === 'folder') folder.folders.push(entry.name);
    else if (kind === 'file' && extensions.has(extname(entry.name).toLowerCase())) folder.pictures.push(entry.name);
    else folder.otherFiles++;
  }
  folder.folders.sort();
  folder.pictures.sort();
  return folder;
}

/** The folder's listing, or null where there is none. */
export async function listIfFolder(path: string): Promise<Folder | null> {
  return (await kindOf(path)) === 'folder' ? listFolder(path) : null;
}

export async function kindOf(path: string): Promise<'folder' | 'file' | 'missing'> {
  try {
    return (await stat(path)).isDirectory() ? 'folder' : 'file';
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause);
    if (code === 'ENOENT' || code === 'ENOTDIR') return 'missing';
    throw new UserError('datasetUnreadable', `"${path}" cannot be read (${code}).`, 'Check that you may read it.', {
      cause,
    });
  }
}
