import { resolve } from 'node:path';
import { UserError } from '../../shared/errors.ts';
import { checkDataset } from './check.ts';
import type { Dataset, PictureRef } from './dataset.ts';
import { kindOf } from './folder.ts';
import { readFolder, readSemanticFolder } from './layouts.ts';
import { readList } from './list.ts';

export interface ReadDatasetOptions {
  /**
   * Semantic layout `train/<class>/*`, `test/<class>/*` (UniAD's splits): these classes are normal. Their test pictures
   * are good; test pictures of the other classes are defects with the class name `otherClasses` and that folder's name
   * as defect type, to be pooled with the good ones.
   */
  normalClasses?: readonly string[];
  /** Default true: every class must have normal pictures to train on. False reads what there is, for evaluation. */
  needTrain?: boolean;
}

/**
 * Reads picture folders and lists. Each entry of `dirs` is
 * - one class in MVTec layout: `train/good`, optional `calibration/good` (or `validation/good`), `test/good`,
 *   `test/<defect>`, `ground_truth/<defect>/<stem>_mask.png` (or `<stem>.png`); its name is the folder's name;
 * - a folder of such classes;
 * - a folder of folders with pictures, one per class, all good and used for training;
 * - a `.csv` or `.json` list, see `readList`;
 * - with `normalClasses`, a folder in semantic layout.
 *
 * Pictures are taken by file extension here and recognised by content when they are read. The result is in a fixed
 * order and checked (`checkDataset`).
 *
 * @throws UserError `datasetMissing`, `datasetUnreadable`, `datasetLayout` (shows the layout expected and found),
 *   `listInvalid`, `listFilesMissing`, `classNameTwice`, `noNormalPictures`
 */
export async function readDataset(dirs: readonly string[], options: ReadDatasetOptions = {}): Promise<Dataset> {
  const { normalClasses, needTrain = true } = options;
  if (dirs.length === 0)
    throw new UserError('datasetMissing', 'No picture folder was given.', 'Name at least one, e.g. --data pictures.');
  const pictures: PictureRef[] = [];
  const warnings: string[] = [];
  const foundIn = new Map<string, string>();
  for (const dir of dirs) {
    const path = resolve(dir);
    const kind = await kindOf(path);
    if (kind === 'missing')
      throw new UserError('datasetMissing', `"${path}" does not exist.`, 'Check the path of the pictures.');
    let part: FoundPictures;
    if (kind === 'file') part = await readList(path);
    else if (normalClasses !== undefined) part = await readSemanticFolder(path, normalClasses);
    else part = await readFolder(path, needTrain);
    for (const className of part.classes) {
      const other = foundIn.get(className);
      if (other !== undefined)
        throw new UserError(
          'classNameTwice',
          `Two classes are called "${className}": one in "${other}", one in "${path}".`,
          'Rename one of the folders (or give each folder once): results are reported by class name.',
        );
      foundIn.set(className, path);
    }
    for (const picture of part.pictures) pictures.push(picture);
    warnings.push(...part.warnings);
  }
  const dataset: Dataset = {
    classes: [...foundIn.keys()].sort(byCodePoint),
    pictures: pictures.sort(byPlace),
    warnings,
  };
  warnings.push(...(await checkDataset(dataset, needTrain)));
  return dataset;
}

/** What one entry of `dirs` holds. */
export interface FoundPictures {
  classes: string[];
  pictures: PictureRef[];
  warnings: string[];
}

const splitOrder = { train: 0, calibration: 1, test: 2 };

/** The same order on every machine: no locale, no separator of the platform. */
function byCodePoint(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function byPlace(a: PictureRef, b: PictureRef): number {
  return (
    byCodePoint(a.className, b.className) ||
    splitOrder[a.split] - splitOrder[b.split] ||
    byCodePoint(a.path.replaceAll('\\', '/'), b.path.replaceAll('\\', '/'))
  );
}
