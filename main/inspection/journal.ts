import { mkdir, open, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { UserError } from '../../shared/errors.ts';
import { writeError } from '../system/atomic-file.ts';

const lineFeed = 0x0a;

/**
 * Append-only file of JSON lines that survives kill -9 and power cuts: `append` returns when its line is on the disk.
 * A line that a stop tore (the last one, or what a power cut left of the file's end) is cut off when it's opened again;
 * nobody had heard of it yet.
 */
export class Journal {
  readonly #path: string;
  readonly #file: FileHandle;
  #length: number;

  private constructor(path: string, file: FileHandle, length: number) {
    this.#path = path;
    this.#file = file;
    this.#length = length;
  }

  /**
   * Opens or makes the file and reads it line by line, in bounded memory.
   * @param onEntry called with every whole entry, in order
   * @throws UserError `journalDamaged` when a line in the midst can't be read: going on would judge parts twice
   */
  static async open(path: string, onEntry: (entry: unknown) => void): Promise<Journal> {
    try {
      await mkdir(dirname(path), { recursive: true });
      const file = await open(path, 'a+');
      try {
        const length = await replay(path, file, onEntry);
        await file.truncate(length);
        await file.sync();
        return new Journal(path, file, length);
      } catch (error) {
        await file.close();
        throw error;
      }
    } catch (error) {
      throw writeError(path, error);
    }
  }

  /**
   * @param durable false for entries whose loss does no harm: they are written, but not waited for on the disk
   * @throws UserError `diskFull` and the like; the file is then as it was
   */
  async append(entry: unknown, durable = true): Promise<void> {
    const line = Buffer.from(`${JSON.stringify(entry)}\n`);
    try {
      await this.#file.appendFile(line);
      if (durable) await this.#file.datasync();
      this.#length += line.length;
    } catch (error) {
      // Half a line would spoil the one after it.
      await this.#file.truncate(this.#length).catch(() => undefined);
      throw writeError(this.#path, error);
    }
  }

  async close(): Promise<void> {
    await this.#file.close();
  }
}

/** @returns length of the part of the file that is whole, bytes */
async function replay(path: string, file: FileHandle, onEntry: (entry: unknown) => void): Promise<number> {
  const chunk = Buffer.alloc(1 << 16);
  let pending: Buffer = Buffer.alloc(0);
  let whole = 0;
  let at = 0;
  let damagedAt: number | undefined;
  for (;;) {
    const { bytesRead } = await file.read(chunk, 0, chunk.length, at);
    if (bytesRead === 0) return whole;
    at += bytesRead;
    pending = Buffer.concat([pending, chunk.subarray(0, bytesRead)]);
    let from = 0;
    for (let end = pending.indexOf(lineFeed, from); end >= 0; end = pending.indexOf(lineFeed, from)) {
      const entry = parse(pending.subarray(from, end));
      from = end + 1;
      if (entry === undefined) {
        damagedAt ??= whole;
        continue;
      }
      if (damagedAt !== undefined) {
        throw new UserError(
          'journalDamaged',
          `The journal "${path}" is damaged at byte ${damagedAt}: which parts were judged is no longer sure.`,
          'Restore it from a copy, or move it away to judge everything in the folder again.',
        );
      }
      onEntry(entry);
      whole = at - pending.length + from;
    }
    pending = pending.subarray(from);
  }
}

/** Undefined for what is no JSON object; a power cut may also leave zeros. */
function parse(line: Buffer): object | undefined {
  try {
    const value: unknown = JSON.parse(line.toString('utf8'));
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}
