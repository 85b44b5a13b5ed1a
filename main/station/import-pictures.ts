import { createHash } from 'node:crypto';
import { basename } from 'node:path';
import { UserError } from '../../shared/errors.ts';
import type { ChannelOutput } from '../../shared/ipc/contract.ts';
import type { PictureUse } from '../../shared/station/domain.ts';
import type { Caller } from '../ipc/handler.ts';
import { decodePicture, readPictureFile } from '../pictures/decode.ts';
import { pictureFormat } from '../pictures/header.ts';
import type { NewPictureFile } from '../store/types.ts';
import type { StationContext } from './context.ts';
import { measurePicture, type PictureMeasures } from './picture-facts.ts';

export type ImportSummary = ChannelOutput<'pictures.importFiles'>;

/** One picture on its way in. */
export interface PictureToImport {
  path: string;
  classId: string | null;
  use: PictureUse;
  group: string | null;
  /** Label that its folder gives it; null: none. */
  gtLabel: 'pass' | 'fail' | null;
  defectClass: string | null;
}

/** Decoded at once; more would only wait for each other. */
const atOnce = 4;
const namedRefusals = 200;
const progressEveryMs = 150;

/** A picture checked, measured, and ready to be kept. */
export interface CheckedPicture {
  file: NewPictureFile;
  sha256: string;
  measures: PictureMeasures;
}

/** Decodes a picture wholly, so that a broken one is found now and not in training. @throws UserError of `decodePicture` */
export async function checkPicture(bytes: Uint8Array, name: string): Promise<CheckedPicture> {
  const picture = await decodePicture(bytes, name);
  const measures = measurePicture(picture);
  const format = pictureFormat(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), name);
  return {
    file: {
      bytes,
      extension: format === 'jpeg' ? 'jpg' : format,
      widthPx: picture.width,
      heightPx: picture.height,
      ...measures,
    },
    sha256: createHash('sha256').update(bytes).digest('hex'),
    measures,
  };
}

/**
 * Takes pictures into a project: each is read, decoded, measured and copied; one that can't be is left out with its
 * reason. What was taken stays when the import is cut short, and importing again goes on from there.
 */
export async function importPictures(
  context: StationContext,
  projectId: string,
  pictures: readonly PictureToImport[],
  caller: Caller,
): Promise<ImportSummary> {
  const { store } = context;
  const summary: ImportSummary = { added: 0, known: 0, refused: [] };
  let finished = 0;
  let lastEmit = 0;
  const tell = (): void => {
    const now = performance.now();
    if (finished < pictures.length && now - lastEmit < progressEveryMs) return;
    lastEmit = now;
    context.emit({ type: 'importing', projectId, done: finished, total: pictures.length });
  };
  tell();
  for (let start = 0; start < pictures.length; start += atOnce) {
    // Checked side by side, taken in order: the same folder gives the same project.
    const block = pictures.slice(start, start + atOnce);
    const checked = await Promise.all(block.map(({ path }) => checkFile(path)));
    for (const [i, given] of block.entries()) {
      const result = checked[i]!;
      if ('reason' in result) {
        if (summary.refused.length < namedRefusals) summary.refused.push({ file: given.path, reason: result.reason });
      } else if (await take(context, projectId, given, result, caller)) summary.added++;
      else summary.known++;
      finished++;
      tell();
    }
  }
  if (pictures.length > 0) store.projects.get(projectId);
  return summary;
}

async function checkFile(path: string): Promise<CheckedPicture | { reason: string }> {
  try {
    return await checkPicture(await readPictureFile(path), path);
  } catch (error) {
    if (error instanceof UserError) return { reason: error.message };
    throw error;
  }
}

/** @returns whether it's new to the project */
async function take(
  context: StationContext,
  projectId: string,
  given: PictureToImport,
  { file, sha256 }: CheckedPicture,
  caller: Caller,
): Promise<boolean> {
  const { store } = context;
  const addedAt = context.now();
  await store.pictures.addFile(file, addedAt);
  return store.transaction(() => {
    const isNew = store.pictures.place({
      projectId,
      sha256,
      classId: given.classId,
      use: given.use,
      fileName: basename(given.path).slice(0, 200),
      group: given.group,
      addedAt,
    });
    if (isNew && given.gtLabel !== null)
      store.labels.set({
        projectId,
        sha256,
        gtLabel: given.gtLabel,
        defectClass: given.defectClass,
        regions: [],
        by: caller.name,
        at: addedAt,
        why: null,
      });
    else if (isNew) store.labels.refresh(projectId, sha256);
    return isNew;
  });
}
