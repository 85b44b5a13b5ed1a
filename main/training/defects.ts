import path from 'node:path';
import { UserError } from '../../shared/errors.ts';
import { kindOf, listFolder } from '../datasets/folder.ts';

/** Share of a batch that labelled defects take, where there are any. */
export const defectShare = 2 / 16;

/** Folders of a data set that hold no defects. */
const otherFolders = new Set(['good', 'ground_truth', 'train', 'calibration', 'validation']);

/**
 * Finds all pictures of defects in folders, at any depth. A picture belongs to the class whose name is the last such
 * name among its folders; where there is one class only, to that.
 *
 * @param classes names of the run's classes
 * @returns sorted by path
 * @throws UserError `defectsMissing`, `defectsLayout`, `defectsUnassigned`
 */
export async function findDefects(
  dirs: readonly string[],
  classes: readonly string[],
): Promise<{ path: string; className: string }[]> {
  const found: { path: string; className: string }[] = [];
  for (const dir of dirs) {
    const root = path.resolve(dir);
    const kind = await kindOf(root);
    const files = kind === 'folder' ? await picturesIn(root, otherFolders.has(path.basename(root))) : [];
    if (files.length === 0) {
      throw new UserError(
        'defectsMissing',
        kind === 'folder' ? `"${root}" has no pictures of defects.` : `"${root}" is no folder.`,
        'Give a folder with pictures of defects, or leave out --defects.',
      );
    }
    for (const file of files) found.push({ path: file, className: classOf(file, classes) });
  }
  return found.sort((a, b) => (a.path < b.path ? -1 : 1));
}

async function picturesIn(folder: string, refused: boolean): Promise<string[]> {
  if (refused) {
    throw new UserError(
      'defectsLayout',
      `"${folder}" has the name of a folder that is not for defects.`,
      'Give folders that hold nothing but defects, such as cookies/test/broken.',
    );
  }
  const { folders, pictures } = await listFolder(folder);
  const files = pictures.map((name) => path.join(folder, name));
  for (const name of folders) files.push(...(await picturesIn(path.join(folder, name), otherFolders.has(name))));
  return files;
}

function classOf(file: string, classes: readonly string[]): string {
  const folders = path.dirname(file).split(path.sep);
  const named = folders.map((name) => name.normalize('NFC')).findLast((name) => classes.includes(name));
  const className = named ?? (classes.length === 1 ? classes[0] : undefined);
  if (className === undefined) {
    throw new UserError(
      'defectsUnassigned',
      `It can't be told which class the defect "${file}" is of.`,
      `Put defects into one folder per class, named as the class: ${classes.join(', ')}.`,
    );
  }
  return className;
}
