/** Reads tar archives as a stream: plain files and folders only, nothing outside the target. */
import { createWriteStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { UserError } from '../../shared/errors.ts';

const blockBytes = 512;
/** A name or header extension longer than this is no honest archive. */
const longestExtension = 1 << 20;

export interface UnpackLimits {
  /** All files together. */
  totalBytes: number;
  files: number;
}

/**
 * Where a member belongs below the target.
 * @throws UserError `archiveUnsafe` for a name that leads out of it
 */
export function memberPath(target: string, name: string, archive: string): string {
  const parts = name.split(/[\\/]/).filter((part) => part !== '' && part !== '.');
  if (parts.length === 0 || parts.includes('..') || /^[a-zA-Z]:/.test(name) || name.includes('\0')) {
    throw new UserError('archiveUnsafe', `"${archive}" holds a file named "${name}".`, 'Do not use this archive.');
  }
  return join(target, ...parts);
}

/**
 * Unpacks a tar stream. Links and devices are left out: the published sets need none.
 * @returns number of files written
 * @throws UserError `archiveDamaged` | `archiveUnsafe` | `archiveTooLarge`
 */
export async function unpackTar(
  source: Readable,
  target: string,
  archive: string,
  limits: UnpackLimits,
  signal?: AbortSignal,
): Promise<number> {
  const input = new ByteReader(source);
  let files = 0;
  let total = 0;
  let longName: string | undefined;
  for (;;) {
    signal?.throwIfAborted();
    const header = await input.take(blockBytes);
    if (header.length === 0 || header.every((byte) => byte === 0)) return files;
    if (header.length < blockBytes) throw damaged(archive, 'it ends within a header');
    checkSum(header, archive);
    const size = numberOf(header.subarray(124, 136), archive);
    const type = String.fromCharCode(header[156]!);
    const padding = (blockBytes - (size % blockBytes)) % blockBytes;
    if (type === 'L' || type === 'x' || type === 'g') {
      if (size > longestExtension) throw damaged(archive, 'a header extension is too long');
      const text = await input.take(size + padding);
      if (text.length < size) throw damaged(archive, 'it ends within a header');
      if (type === 'L') longName = textOf(text.subarray(0, size));
      if (type === 'x') longName = paxPath(text.subarray(0, size)) ?? longName;
      continue;
    }
    const prefix = textOf(header.subarray(257, 262)) === 'ustar' ? textOf(header.subarray(345, 500)) : '';
    const short = textOf(header.subarray(0, 100));
    const name = longName ?? (prefix === '' ? short : `${prefix}/${short}`);
    longName = undefined;
    const isFile = type === '0' || type === '\0' || type === '7';
    if (!isFile || name.endsWith('/')) {
      await input.skip(size + padding, archive);
      continue;
    }
    files++;
    total += size;
    if (files > limits.files || total > limits.totalBytes) {
      throw new UserError('archiveTooLarge', `"${archive}" unpacks to more than it should hold.`, 'Unpack it by hand.');
    }
    const path = memberPath(target, name, archive);
    await mkdir(dirname(path), { recursive: true });
    const out = createWriteStream(path);
    // Heard below, when the stream is awaited.
    const failed = once(out, 'close').catch((error: unknown) => error);
    let left = size;
    while (left > 0) {
      const piece = await input.some(left);
      if (piece.length === 0) {
        out.destroy();
        throw damaged(archive, `it ends within "${name}"`);
      }
      left -= piece.length;
      if (!out.write(piece)) await once(out, 'drain');
    }
    out.end();
    const error = await failed;
    if (error instanceof Error) throw error;
    await input.skip(padding, archive);
  }
}

/** Takes exact numbers of bytes from a stream. */
class ByteReader {
  readonly #iterator: AsyncIterator<Buffer>;
  #rest: Buffer = Buffer.alloc(0);

  constructor(source: Readable) {
    this.#iterator = source[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  }

  /** At least one and at most `most` bytes; none at the end. */
  async some(most: number): Promise<Buffer> {
    if (this.#rest.length === 0) {
      const next = await this.#iterator.next();
      if (next.done === true) return Buffer.alloc(0);
      this.#rest = next.value;
    }
    const piece = this.#rest.subarray(0, most);
    this.#rest = this.#rest.subarray(piece.length);
    return piece;
  }

  /** `count` bytes, fewer at the end. */
  async take(count: number): Promise<Buffer> {
    const pieces: Buffer[] = [];
    let left = count;
    while (left > 0) {
      const piece = await this.some(left);
      if (piece.length === 0) break;
      pieces.push(piece);
      left -= piece.length;
    }
    return Buffer.concat(pieces);
  }

  async skip(count: number, archive: string): Promise<void> {
    let left = count;
    while (left > 0) {
      const piece = await this.some(left);
      if (piece.length === 0) throw damaged(archive, 'it ends too early');
      left -= piece.length;
    }
  }
}

function textOf(bytes: Buffer): string {
  const end = bytes.indexOf(0);
  return bytes.subarray(0, end < 0 ? bytes.length : end).toString('utf8');
}

/** Octal text, or big-endian binary with the top bit set. */
function numberOf(field: Buffer, archive: string): number {
  if ((field[0]! & 0x80) !== 0) {
    const value = field.subarray(4).reduce((sum, byte) => sum * 256 + byte, 0);
    if (Number.isSafeInteger(value)) return value;
    throw damaged(archive, 'a size is not possible');
  }
  const text = textOf(field).trim();
  if (!/^[0-7]*$/.test(text)) throw damaged(archive, 'a size is no number');
  return text === '' ? 0 : Number.parseInt(text, 8);
}

function checkSum(header: Buffer, archive: string): void {
  const stated = numberOf(header.subarray(148, 156), archive);
  let sum = 0;
  header.forEach((byte, i) => (sum += i >= 148 && i < 156 ? 32 : byte));
  if (sum !== stated) throw damaged(archive, 'a header has another checksum than it states');
}

/** The `path` record of a pax header. */
function paxPath(bytes: Buffer): string | undefined {
  let at = 0;
  let found: string | undefined;
  while (at < bytes.length) {
    const space = bytes.indexOf(32, at);
    const length = Number(bytes.subarray(at, space).toString('latin1'));
    if (space < 0 || !Number.isInteger(length) || length < 4 || at + length > bytes.length) break;
    const [key, value] = bytes
      .subarray(space + 1, at + length - 1)
      .toString('utf8')
      .split(/=(.*)/s);
    if (key === 'path') found = value;
    at += length;
  }
  return found;
}

function damaged(archive: string, what: string): UserError {
  return new UserError('archiveDamaged', `"${archive}" is damaged: ${what}.`, 'Download it again.');
}
