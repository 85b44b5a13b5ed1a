import { opendir, readdir, stat } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { UserError } from '../../shared/errors.ts';
import type { PresentedPart } from './pipeline.ts';

const extensions = new Set(['.png', '.jpg', '.jpeg', '.bmp', '.webp', '.tif', '.tiff']);
const collator = new Intl.Collator('en', { numeric: true });

/** Whether a file name says that it's a picture; the content decides later. */
export function looksLikePicture(name: string): boolean {
  return !name.startsWith('.') && extensions.has(extname(name).toLowerCase());
}

/** `img2` before `img10`; a total order. */
export function compareNames(a: string, b: string): number {
  return collator.compare(a, b) || (a < b ? -1 : Number(a > b));
}

/**
 * Turns the paths a person gave into the parts to be judged, in the order given; folders are searched to the bottom and
 * sorted by name. Ground-truth masks (`ground_truth` folders) are no parts. A file that's named itself is always a part.
 * @throws UserError `pathMissing`, `noPictures`
 */
export async function listParts(paths: readonly string[]): Promise<PresentedPart[]> {
  const parts: PresentedPart[] = [];
  for (const path of paths) {
    const info = await stat(path).catch((error: unknown) => {
      throw new UserError('pathMissing', `There is no file or folder "${path}".`, 'Check the path.', { cause: error });
    });
    if (!info.isDirectory()) {
      parts.push({ file: path, path });
      continue;
    }
    const before = parts.length;
    await listFolder(path, parts);
    if (parts.length === before) {
      const known = [...extensions].join(' ');
      throw new UserError('noPictures', `There is no picture in the folder "${path}".`, `Looked for: ${known}.`);
    }
  }
  return parts;
}

/** Names of a few pictures in a folder or right below it, as they come; none where nothing can be read. */
export async function someNames(folder: string, most: number): Promise<string[]> {
  const names: string[] = [];
  const folders: string[] = [];
  const look = async (path: string): Promise<void> => {
    for await (const entry of await opendir(path)) {
      if (names.length >= most) return;
      if (entry.isDirectory()) folders.push(join(path, entry.name));
      else if (looksLikePicture(entry.name)) names.push(entry.name);
    }
  };
  await look(folder).catch(() => undefined);
  for (const below of folders.slice(0, 5)) if (names.length < most) await look(below).catch(() => undefined);
  return names.sort(compareNames);
}

async function listFolder(folder: string, parts: PresentedPart[]): Promise<void> {
  const entries = await readdir(folder, { withFileTypes: true });
  for (const entry of entries.sort((a, b) => compareNames(a.name, b.name))) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) {
      if (entry.name !== 'ground_truth' && !entry.name.startsWith('.')) await listFolder(path, parts);
    } else if (looksLikePicture(entry.name)) {
      parts.push({ file: path, path });
    }
  }
}
