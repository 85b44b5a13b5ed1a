import { createHash } from 'node:crypto';
import { decodePicture, readPictureFile } from '../pictures/decode.ts';
import type { DecodedFile, PresentedPart } from './pipeline.ts';

/** Reads a part's file once: the hash is of the very bytes that are judged. */
export async function decodeFile(part: PresentedPart): Promise<DecodedFile> {
  return decodeBytes(await readPictureFile(part.path), part.file);
}

/** @param name what the reason calls the picture */
export async function decodeBytes(bytes: Uint8Array, name: string): Promise<DecodedFile & { contentHash: string }> {
  const contentHash = createHash('sha256').update(bytes).digest('hex');
  try {
    return { contentHash, picture: await decodePicture(bytes, name) };
  } catch (error) {
    return { contentHash, reason: error instanceof Error ? error.message : String(error) };
  }
}
