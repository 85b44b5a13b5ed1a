import { open, type FileHandle } from 'node:fs/promises';

/** So much of a file's end is looked at; some programs append a few bytes to a picture. */
const tailBytes = 1024;

/**
 * Whether a file looks as if its writer were through with it. Size and time alone don't tell: a copy over a network may
 * pause, and some systems give the file its full size before its content. Told by what ends a picture (PNG, JPEG, TIFF)
 * or how long it says it is (BMP, WebP); of other content nothing can be said, so it counts as complete. A file that
 * can't be opened is still being written, as far as this can tell.
 */
export async function looksComplete({ path, size }: { path: string; size: number }): Promise<boolean> {
  if (size === 0) return false;
  let file: FileHandle | undefined;
  try {
    file = await open(path, 'r');
    const head = await bytesAt(file, 0, Math.min(size, 16));
    return await hasEnd(file, head, size);
  } catch {
    return false;
  } finally {
    await file?.close().catch(() => undefined);
  }
}

async function hasEnd(file: FileHandle, head: Buffer, size: number): Promise<boolean> {
  const tail = async (): Promise<Buffer> => bytesAt(file, Math.max(0, size - tailBytes), Math.min(size, tailBytes));
  // A file of its full size whose content is still to come begins with zeros.
  if (head.every((byte) => byte === 0)) return false;
  if (head.toString('latin1', 1, 4) === 'PNG') return (await tail()).includes('IEND');
  if (head[0] === 0xff && head[1] === 0xd8) return (await tail()).includes(Buffer.from([0xff, 0xd9]));
  if (head.toString('latin1', 0, 2) === 'BM') return head.length < 6 || head.readUInt32LE(2) <= size;
  if (head.toString('latin1', 0, 4) === 'RIFF') return head.length < 8 || head.readUInt32LE(4) + 8 <= size;
  const isLittle = head.toString('latin1', 0, 4) === 'II*\0';
  if (!isLittle && head.toString('latin1', 0, 4) !== 'MM\0*') return true;
  // The list of a TIFF's fields is often its end.
  const at = isLittle ? head.readUInt32LE(4) : head.readUInt32BE(4);
  if (at + 2 > size) return false;
  const fields = await bytesAt(file, at, 2);
  return fields.some((byte) => byte !== 0);
}

async function bytesAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, position);
  return buffer.subarray(0, bytesRead);
}
