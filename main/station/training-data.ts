import { createHash } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { UserError } from '../../shared/errors.ts';
import { isWhole, pixelGeometry, type RecipeGeometry } from '../feeds/recipe-geometry.ts';
import { readPicture } from '../pictures/decode.ts';
import { cutOut } from '../pictures/prepare.ts';
import { losslessPng } from '../processes/inference/evidence.ts';
import type { StoredSnapshot, TrainingPicture } from '../store/types.ts';
import { writeFileAtomic, writeJsonAtomic } from '../system/atomic-file.ts';
import type { StationContext } from './context.ts';
import { isLabelled, type LabelledPicture } from './golden.ts';

/**
 * Freezes the normal set: which pictures, in which classes, for what. The same set has the same hash.
 * @throws UserError `noNormalPictures`
 */
export function freezeNormalSet(
  { store, now }: StationContext,
  projectId: string,
  createdBy: string,
): { snapshot: StoredSnapshot; pictures: TrainingPicture[] } {
  const all = store.pictures.forTraining(projectId, ['normal', 'calibration']);
  const trained = new Set(all.filter(({ use }) => use === 'normal').map(({ className }) => className));
  const pictures = all.filter(({ className }) => trained.has(className));
  if (pictures.length === 0) {
    throw new UserError('noNormalPictures', 'The project has no pictures of good parts.', 'Add some first.');
  }
  const hash = createHash('sha256');
  const lines = pictures.map(({ className, use, sha256 }) => `${JSON.stringify([className, use])} ${sha256}\n`).sort();
  for (const line of lines) hash.update(line);
  const snapshot = store.pictures.takeSnapshot({
    projectId,
    createdAt: now(),
    createdBy,
    hash: hash.digest('hex'),
    pictures: pictures.map(({ sha256, className, use }) => ({ sha256, className, use })),
  });
  return { snapshot, pictures };
}

/** Enough of either kind to draw a curve from. */
const fewestWatched = 3;
/** More than a run looks at: it takes its own from them, evenly over the classes. */
const mostListed = 200;

/**
 * Labelled pictures to look at while a model learns: golden ones first, then judged parts that a person labelled.
 * @param learned what the run learns from
 * @returns none, with the reason, where there are too few of either kind
 */
export function watchedPictures(
  { store }: StationContext,
  projectId: string,
  learned: readonly TrainingPicture[],
): { pictures: LabelledPicture[]; off: 'fewDefects' | 'fewGood' | null } {
  const own = new Set(learned.map(({ sha256 }) => sha256));
  const classes = new Set(learned.map(({ className }) => className));
  const labelled = [
    ...store.pictures.forTraining(projectId, ['golden']),
    ...store.pictures.forTraining(projectId, ['inspected']),
  ]
    .filter(isLabelled)
    .filter(({ sha256, className }) => !own.has(sha256) && classes.has(className));
  const defects = labelled.filter(({ gtLabel }) => gtLabel === 'fail');
  const good = labelled.filter(({ gtLabel }) => gtLabel === 'pass');
  if (defects.length < fewestWatched) return { pictures: [], off: 'fewDefects' };
  if (good.length < fewestWatched) return { pictures: [], off: 'fewGood' };
  return { pictures: [...good.slice(0, mostListed), ...defects.slice(0, mostListed)], off: null };
}

/**
 * Writes the list that a training run reads. Where a recipe looks at a part of the picture only, that part is cut out
 * here, without loss and by the same function that inspection cuts with: resizing then gives the very same pixels.
 * @param watched labelled pictures that are looked at on the way, and that nothing learns from
 * @returns path of the list
 */
export async function writeTrainingList(
  folder: string,
  pictures: readonly TrainingPicture[],
  geometry: RecipeGeometry,
  signal: AbortSignal,
  watched: readonly LabelledPicture[] = [],
): Promise<string> {
  await mkdir(folder, { recursive: true });
  const rows = [];
  const listed = [
    ...pictures.map((picture) => ({ ...picture, split: picture.use === 'calibration' ? 'calibration' : 'train' })),
    ...watched.map((picture) => ({ ...picture, split: 'test' })),
  ];
  for (const { sha256, path, className, split, gtLabel, group } of listed) {
    signal.throwIfAborted();
    const file = isWhole(geometry) ? path : join(folder, 'cut', `${sha256}.png`);
    if (!isWhole(geometry)) {
      const picture = await readPicture(path);
      await writeFileAtomic(file, await losslessPng(cutOut(picture, pixelGeometry(geometry, picture))));
    }
    const label = split === 'test' && gtLabel === 'fail' ? 'defect' : 'good';
    rows.push({ path: file, class: className, split, label, ...(group !== null && { group }) });
  }
  const list = join(folder, 'pictures.json');
  await writeJsonAtomic(list, rows);
  return list;
}
