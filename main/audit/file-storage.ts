import { createReadStream } from 'node:fs';
import { mkdir, open, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { signedText, type AuditCheckpoint } from '../../shared/audit/checkpoint.ts';
import { canonicalJson, eventLine, type AuditEvent, type JsonValue } from '../../shared/audit/event.ts';
import { UserError } from '../../shared/errors.ts';
import { writeError } from '../system/atomic-file.ts';
import type { AuditStorage, CheckpointStorage } from './storage.ts';

/**
 * Lines of JSON in a file that only grows: each is on the disk (fsync) before `append` returns. A last line that a stop
 * tore is cut off when the file is opened again: nobody had been told of it. Everything else is left as found, also what
 * is damaged, for that is the verifier's business.
 */
class LineFile {
  readonly path: string;
  readonly #file: FileHandle;
  #length: number;
  lastLine: string | undefined;

  private constructor(path: string, file: FileHandle, length: number, lastLine: string | undefined) {
    this.path = path;
    this.#file = file;
    this.#length = length;
    this.lastLine = lastLine;
  }

  static async open(path: string): Promise<LineFile> {
    try {
      await mkdir(dirname(path), { recursive: true });
      const file = await open(path, 'a+', 0o600);
      try {
        const { length, lastLine } = await wholeLines(file);
        if (length < (await file.stat()).size) {
          await file.truncate(length);
          await file.sync();
        }
        return new LineFile(path, file, length, lastLine);
      } catch (error) {
        await file.close();
        throw error;
      }
    } catch (error) {
      throw writeError(path, error);
    }
  }

  async append(line: string): Promise<void> {
    const bytes = Buffer.from(`${line}\n`);
    try {
      await this.#file.appendFile(bytes);
      await this.#file.datasync();
      this.#length += bytes.length;
      this.lastLine = line;
    } catch (error) {
      // Half a line would spoil the one after it.
      await this.#file.truncate(this.#length).catch(() => undefined);
      throw writeError(this.path, error);
    }
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}

/** Length up to the last line feed, and the line before it; reads backwards, so a long log opens at once. */
async function wholeLines(file: FileHandle): Promise<{ length: number; lastLine: string | undefined }> {
  const { size } = await file.stat();
  let tail = Buffer.alloc(0);
  let start = size;
  for (;;) {
    const end = tail.lastIndexOf(0x0a);
    const before = end < 0 ? -1 : tail.lastIndexOf(0x0a, end - 1);
    if (end >= 0 && (before >= 0 || start === 0)) {
      return { length: start + end + 1, lastLine: tail.subarray(before + 1, end).toString('utf8') };
    }
    if (start === 0) return { length: 0, lastLine: undefined };
    const take = Math.min(start, 1 << 16);
    const piece = Buffer.alloc(take);
    await file.read(piece, 0, take, start - take);
    start -= take;
    tail = Buffer.concat([piece, tail]);
  }
}

/** An audit log as a file of JSON lines, one event each, in canonical form. One writer at a time. */
export class FileAuditStorage implements AuditStorage {
  readonly #lines: LineFile;

  private constructor(lines: LineFile) {
    this.#lines = lines;
  }

  /** @throws UserError when the file can't be opened or written */
  static async open(path: string): Promise<FileAuditStorage> {
    return new FileAuditStorage(await LineFile.open(path));
  }

  append(event: AuditEvent): Promise<void> {
    return this.#lines.append(eventLine(event));
  }

  /** @throws UserError `auditDamaged` */
  last(): AuditEvent | undefined {
    const line = this.#lines.lastLine;
    return line === undefined ? undefined : parseEvent(line, this.#lines.path);
  }

  iterate(): AsyncIterable<AuditEvent> {
    return readAuditLog(this.#lines.path);
  }

  close(): Promise<void> {
    return this.#lines.close();
  }
}

/**
 * Events of a log file, oldest first, unchecked.
 * @throws UserError `auditDamaged` at a line that is no event
 */
export async function* readAuditLog(path: string): AsyncGenerator<AuditEvent> {
  let pending = Buffer.alloc(0);
  for await (const piece of createReadStream(path) as AsyncIterable<Buffer>) {
    pending = Buffer.concat([pending, piece]);
    let from = 0;
    for (let end = pending.indexOf(0x0a); end >= 0; end = pending.indexOf(0x0a, from)) {
      yield parseEvent(pending.toString('utf8', from, end), path);
      from = end + 1;
    }
    pending = pending.subarray(from);
  }
}

/** Checkpoints as a file of JSON lines, beside or away from the log. */
export class FileCheckpointStorage implements CheckpointStorage {
  readonly #lines: LineFile;

  private constructor(lines: LineFile) {
    this.#lines = lines;
  }

  static async open(path: string): Promise<FileCheckpointStorage> {
    return new FileCheckpointStorage(await LineFile.open(path));
  }

  append(checkpoint: AuditCheckpoint): Promise<void> {
    const signed = JSON.parse(signedText(checkpoint)) as Record<string, JsonValue>;
    return this.#lines.append(canonicalJson({ ...signed, signature: checkpoint.signature }));
  }

  /** @throws UserError `auditDamaged` */
  last(): AuditCheckpoint | undefined {
    const line = this.#lines.lastLine;
    if (line === undefined) return undefined;
    const value = parseObject(line) as Partial<AuditCheckpoint> | undefined;
    if (value === undefined || typeof value.seq !== 'number' || typeof value.hash !== 'string') {
      throw damaged(this.#lines.path);
    }
    return value as AuditCheckpoint;
  }

  close(): Promise<void> {
    return this.#lines.close();
  }
}

function parseEvent(line: string, path: string): AuditEvent {
  const value = parseObject(line) as Partial<AuditEvent> | undefined;
  if (value === undefined || !Number.isSafeInteger(value.seq) || typeof value.hash !== 'string') throw damaged(path);
  return value as AuditEvent;
}

function parseObject(line: string): object | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

function damaged(path: string): UserError {
  return new UserError(
    'auditDamaged',
    `A line of "${path}" is no record.`,
    `Run "twinspect audit verify" to see which; nothing is added to a damaged log.`,
  );
}
