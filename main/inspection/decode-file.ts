import { createHash } from 'node:crypto';
import { decodePicture, readPictureFile } from '../pictures/decode.ts';
import type { DecodedFile, PresentedPart } from './pipeline.ts';

/** Reads a part's file once: the hash is of the very bytes that are judged. */
export async function decodeFile(part: PresentedPart): Promise<DecodedFile> {
  const bytes = await readPictureFile(part.path);
  return {
    picture: await decodePicture(bytes, part.file),
    contentHash: createHash('sha256').update(bytes).digest('hex'),
  };
}
