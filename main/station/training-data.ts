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

/**
 * Writes the list that a training run reads. Where a recipe looks at a part of the picture only, that part is cut out
 * here, without loss and by the same function that inspection cuts with: resizing then gives the very same pixels.
 * @returns path of the list
 */
export async function writeTrainingList(
  folder: string,
  pictures: readonly TrainingPicture[],
  geometry: RecipeGeometry,
  signal: AbortSignal,
): Promise<string> {
  await mkdir(folder, { recursive: true });
  const rows = [];
  for (const { sha256, path, className, use } of pictures) {
    signal.throwIfAborted();
    const file = isWhole(geometry) ? path : join(folder, 'cut', `${sha256}.png`);
    if (!isWhole(geometry)) {
      const picture = await readPicture(path);
      await writeFileAtomic(file, await losslessPng(cutOut(picture, pixelGeometry(geometry, picture))));
    }
    rows.push({ path: file, class: className, split: use === 'calibration' ? 'calibration' : 'train', label: 'good' });
  }
  const list = join(folder, 'pictures.json');
  await writeJsonAtomic(list, rows);
  return list;
}
