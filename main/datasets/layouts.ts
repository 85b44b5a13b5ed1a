import { basename, extname, join, resolve } from 'node:path';
import { UserError } from '../../shared/errors.ts';
import type { PictureRef, Split } from './dataset.ts';
import { type Folder, listFolder, listIfFolder } from './folder.ts';
import type { FoundPictures } from './read.ts';

/** Names that mean a role, never a class: a folder of them is a layout that was not understood. */
const roleNames = new Set(
  [
    'train',
    'test',
    'calibration',
    'validation',
    'val',
    'ground_truth',
    'masks',
    'good',
    'bad',
    'ok',
    'ng',
    'nok',
  ].concat(['defect', 'defects', 'defective', 'normal', 'abnormal', 'anomaly', 'anomalies']),
);
/** Class name of defects in the semantic layout. */
export const otherClasses = 'other classes';

/**
 * Reads a folder that is one class, a folder of classes, or a folder of folders with pictures.
 *
 * @param needTrain false also takes class folders that hold only `test`
 * @throws UserError `datasetLayout` with the layout expected and found
 */
export async function readFolder(path: string, needTrain: boolean): Promise<FoundPictures> {
  if (await isClassFolder(path, needTrain)) return readClass(path, classNameOf(path));
  const root = await listFolder(path);
  const found: FoundPictures = { classes: [], pictures: [], warnings: [] };
  const skipped: string[] = [];
  for (const name of root.folders) {
    const folder = join(path, name);
    if (await isClassFolder(folder, needTrain)) merge(found, await readClass(folder, classNameOf(folder)));
    else skipped.push(name);
  }
  if (found.classes.length > 0) {
    if (skipped.length > 0) found.warnings.push(`"${path}": no class (no train/good) in ${quoted(skipped)}; left out.`);
    return found;
  }
  return readPlainClasses(root);
}

async function isClassFolder(path: string, needTrain: boolean): Promise<boolean> {
  if ((await listIfFolder(join(path, 'train', 'good'))) !== null) return true;
  if (needTrain) return false;
  // Only for evaluation: a class without training pictures. "good" tells it from the semantic layout.
  return (await listIfFolder(join(path, 'test', 'good'))) !== null;
}

function classNameOf(path: string): string {
  // The same name whether the file system composes accents (NFC) or not (NFD).
  return basename(resolve(path)).normalize('NFC');
}

async function readClass(path: string, className: string): Promise<FoundPictures> {
  const pictures: PictureRef[] = [];
  const warnings: string[] = [];
  const addGood = async (folder: string, split: Split): Promise<void> => {
    const good = await listIfFolder(join(path, folder, 'good'));
    if (good === null) return;
    for (const name of good.pictures) pictures.push({ path: join(good.path, name), className, split, gtLabel: 'good' });
    if (good.folders.length > 0)
      warnings.push(`"${good.path}": the folders inside it (${quoted(good.folders)}) are left out.`);
  };
  await addGood('train', 'train');
  await addGood('calibration', 'calibration');
  await addGood('validation', 'calibration');
  await addGood('test', 'test');

  const others = ((await listIfFolder(join(path, 'train')))?.folders ?? []).filter((name) => name !== 'good');
  if (others.length > 0)
    warnings.push(`"${path}": only train/good is learned from; train/ also has ${quoted(others)}, left out.`);

  const test = await listIfFolder(join(path, 'test'));
  for (const defectType of (test?.folders ?? []).filter((name) => name !== 'good')) {
    const folder = await listFolder(join(path, 'test', defectType));
    const masks = await maskPaths(join(path, 'ground_truth', defectType));
    let without = 0;
    for (const name of folder.pictures) {
      const stem = basename(name, extname(name));
      const maskPath = masks.get(`${stem}_mask`) ?? masks.get(stem);
      if (maskPath === undefined) without++;
      pictures.push({
        path: join(folder.path, name),
        className,
        split: 'test',
        gtLabel: 'defect',
        defectType: defectType.normalize('NFC'),
        ...(maskPath !== undefined && { maskPath }),
      });
    }
    if (masks.size > 0 && without > 0)
      warnings.push(`"${folder.path}": ${without} of ${folder.pictures.length} pictures have no mask in ground_truth.`);
  }
  return { classes: [className], pictures, warnings };
}

/** Masks of one defect folder by file name without extension. */
async function maskPaths(path: string): Promise<Map<string, string>> {
  const folder = await listIfFolder(path);
  return new Map((folder?.pictures ?? []).map((name) => [basename(name, extname(name)), join(path, name)]));
}

/** A folder of folders with pictures: each is a class, all good, for training. */
async function readPlainClasses(root: Folder): Promise<FoundPictures> {
  const found: FoundPictures = { classes: [], pictures: [], warnings: [] };
  const folders = await Promise.all(root.folders.map((name) => listFolder(join(root.path, name))));
  const plain = folders.filter((folder) => folder.pictures.length > 0 && folder.folders.length === 0);
  const roles = root.folders.some((name) => roleNames.has(name.toLowerCase()));
  if (plain.length === 0 || roles || root.pictures.length > 0) throw await layoutError(root);
  for (const folder of plain) {
    const className = classNameOf(folder.path);
    found.classes.push(className);
    for (const name of folder.pictures)
      found.pictures.push({ path: join(folder.path, name), className, split: 'train', gtLabel: 'good' });
  }
  const skipped = folders.filter((folder) => !plain.includes(folder)).map((folder) => basename(folder.path));
  if (skipped.length > 0)
    found.warnings.push(`"${root.path}": ${quoted(skipped)} left out (no pictures, or folders inside).`);
  return found;
}

/**
 * Reads `train/<class>/*`, `test/<class>/*` with some of the classes normal (see `ReadDatasetOptions`).
 *
 * @throws UserError `datasetLayout` when a normal class has no folder
 */
export async function readSemanticFolder(path: string, normalClasses: readonly string[]): Promise<FoundPictures> {
  const train = await listIfFolder(join(path, 'train'));
  const test = await listIfFolder(join(path, 'test'));
  const missing = normalClasses.filter((name) => train?.folders.includes(name) !== true);
  if (train === null || missing.length > 0)
    throw new UserError(
      'datasetLayout',
      `"${path}" has no training pictures of ${missing.length > 0 ? quoted(missing) : 'any class'}.\n` +
        `Expected:\n  train/<class>/*.png\n  test/<class>/*.png\nFound:\n${await tree(await listFolder(path))}\nWhat to do:`,
      'Name normal classes that have a folder in train.',
    );
  const found: FoundPictures = { classes: [...normalClasses], pictures: [], warnings: [] };
  for (const className of normalClasses) {
    const folder = await listFolder(join(path, 'train', className));
    for (const name of folder.pictures)
      found.pictures.push({ path: join(folder.path, name), className, split: 'train', gtLabel: 'good' });
  }
  for (const className of test?.folders ?? []) {
    const folder = await listFolder(join(path, 'test', className));
    const normal = normalClasses.includes(className);
    for (const name of folder.pictures) {
      const place = { path: join(folder.path, name), split: 'test' } as const;
      found.pictures.push(
        normal
          ? { ...place, className, gtLabel: 'good' }
          : { ...place, className: otherClasses, gtLabel: 'defect', defectType: className },
      );
    }
  }
  return found;
}

function merge(into: FoundPictures, part: FoundPictures): void {
  for (const className of part.classes) {
    if (into.classes.includes(className))
      throw new UserError('classNameTwice', `Two classes are called "${className}".`, 'Rename one of the folders.');
    into.classes.push(className);
  }
  for (const picture of part.pictures) into.pictures.push(picture);
  into.warnings.push(...part.warnings);
}

const quoted = (names: readonly string[]): string =>
  names
    .slice(0, 5)
    .map((name) => `"${name}"`)
    .join(', ') + (names.length > 5 ? ` and ${names.length - 5} more` : '');

async function layoutError(root: Folder): Promise<UserError> {
  const name = basename(root.path) || root.path;
  const expected = [
    [`${name}/train/good/*.png`, 'one class; optional calibration/good, test/good, test/<defect>,'],
    ['', 'ground_truth/<defect>/<picture>_mask.png'],
    [`${name}/<class>/train/good/*.png`, 'several classes, each as above'],
    [`${name}/<class>/*.png`, 'several classes, good pictures only'],
    ['list.csv or list.json', 'columns path,class,split,label,mask'],
  ] as const;
  const column = name.length + '/<class>/train/good/*.png'.length;
  const lines = expected.map(([layout, what]) => `  ${layout.padEnd(column)}  ${what}`);
  return new UserError(
    'datasetLayout',
    `"${root.path}" is not laid out as pictures of parts.\n` +
      `Expected one of:\n${lines.join('\n')}\nFound:\n${await tree(root)}\nWhat to do:`,
    await hintFor(root),
  );
}

async function hintFor(root: Folder): Promise<string> {
  const name = basename(root.path) || root.path;
  if (root.pictures.length > 0) return `Move the good pictures into ${name}/train/good.`;
  if (root.folders.length === 0) return 'The folder is empty: check the path.';
  const train = await listIfFolder(join(root.path, 'train'));
  if (train !== null && train.pictures.length > 0) return 'Move the pictures of train into train/good.';
  if (train !== null && train.folders.length > 0)
    return `train/good is missing: rename the folder of good pictures in train (${quoted(train.folders)}) to "good".`;
  if (root.folders.includes('good')) return `Move ${name}/good to ${name}/train/good, and the others into test.`;
  return 'Move the good pictures of each class into <class>/train/good.';
}

/** A few lines of what a folder holds, two levels deep. */
async function tree(root: Folder): Promise<string> {
  const lines = [`  ${basename(root.path) || root.path}/${contents(root)}`];
  for (const name of root.folders.slice(0, 6)) {
    const folder = await listFolder(join(root.path, name));
    lines.push(`    ${name}/${contents(folder)}`);
    for (const inner of folder.folders.slice(0, 3))
      lines.push(`      ${inner}/${contents(await listFolder(join(folder.path, inner)))}`);
    if (folder.folders.length > 3) lines.push(`      ... ${folder.folders.length - 3} more folders`);
  }
  if (root.folders.length > 6) lines.push(`    ... ${root.folders.length - 6} more folders`);
  return lines.join('\n');
}

function contents({ pictures, folders, otherFiles }: Folder): string {
  if (pictures.length === 0 && folders.length === 0 && otherFiles === 0) return '  (empty)';
  const parts = [];
  if (pictures.length > 0) parts.push(`${pictures.length} picture${pictures.length === 1 ? '' : 's'}`);
  if (otherFiles > 0) parts.push(`${otherFiles} other file${otherFiles === 1 ? '' : 's'}`);
  return parts.length === 0 ? '' : `  (${parts.join(', ')})`;
}
