import { createHash } from 'node:crypto';
import { extname } from 'node:path';
import { UserError } from '../../../shared/errors.ts';
import type { FedPart } from '../../feeds/feed.ts';
import { decodeBytes } from '../../inspection/decode-file.ts';
import { isGone } from '../../inspection/folder-scan.ts';
import { recordId } from '../../inspection/record.ts';
import { readPictureFile } from '../../pictures/decode.ts';
import type { Picture } from '../../pictures/picture.ts';
import { losslessPng } from './evidence.ts';

/** A part as it was read: its bytes as they are to be kept, and its picture or the reason why there is none. */
export interface ReadPart {
  recordKey: string;
  contentHash: string | undefined;
  bytes: Uint8Array | undefined;
  extension: string;
  picture: Picture | undefined;
  reason: string | undefined;
}

/**
 * Reads a part once: what is hashed and kept is what is judged.
 * @returns undefined when it's no part after all: gone, or still being written
 */
export async function readPart(part: FedPart): Promise<ReadPart | undefined> {
  const { content } = part;
  if (content !== undefined && 'picture' in content) {
    const bytes = await losslessPng(content.picture);
    const contentHash = createHash('sha256').update(bytes).digest('hex');
    return { ...known(part, contentHash), bytes, extension: 'png', picture: content.picture, reason: undefined };
  }
  if (content !== undefined) return decoded(part, content.bytes, content.extension);
  let bytes: Uint8Array;
  try {
    bytes = await readPictureFile(part.path);
  } catch (error) {
    const gone = isGone(error) || (error instanceof Error && isGone(error.cause));
    if (gone && part.partId === undefined) return undefined;
    const reason = error instanceof UserError ? error.message : `"${part.path}" could not be read.`;
    return { ...known(part, undefined), bytes: undefined, extension: '', picture: undefined, reason };
  }
  // Still being written after all; its new state will be seen.
  if (part.found !== undefined && bytes.length !== part.found.size) return undefined;
  return decoded(part, bytes, extname(part.path).slice(1).toLowerCase());
}

async function decoded(part: FedPart, bytes: Uint8Array, extension: string): Promise<ReadPart> {
  const { contentHash, picture, reason } = await decodeBytes(bytes, part.file);
  const read = { ...known(part, contentHash), bytes, extension };
  const isSame =
    part.partId === undefined || !isFileKey(read.recordKey) || read.recordKey === recordId(part.file, contentHash);
  if (!isSame) {
    return {
      ...read,
      bytes: undefined,
      picture: undefined,
      reason: `"${part.file}" was changed before it could be judged.`,
    };
  }
  return { ...read, picture, reason };
}

function known(part: FedPart, contentHash: string | undefined): Pick<ReadPart, 'recordKey' | 'contentHash'> {
  return { recordKey: part.recordKey ?? recordId(part.file, contentHash ?? ''), contentHash };
}

/** 32 hex digits for a part, as output files name their lines and copies: the same however often it's told. */
export function outputId(source: string, partId: number): string {
  return recordId(source, `part ${String(partId)}`);
}

/** Keys of files are `recordId`s; other feeds name their presentations in words. */
function isFileKey(key: string): boolean {
  return /^[0-9a-f]{32}$/.test(key);
}
