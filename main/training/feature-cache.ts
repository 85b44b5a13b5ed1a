import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { FeatureShapes, FeatureSizes } from '../detector/embedded-features.ts';

/** One picture's teacher features as views into one buffer; shapes in `TeacherValues`. */
export interface TeacherFeatures {
  stage3: Float32Array;
  tokens: Float32Array;
  coarse: Float32Array;
  encoderTokens: Float32Array;
  vector: Float32Array;
}

/** How the feature arrays lie in one cached record. */
export class FeatureLayout {
  readonly stage3: number;
  readonly tokens: number;
  readonly coarse: number;
  readonly encoderTokens: number;
  readonly vector: number;
  /** Numbers per picture. */
  readonly length: number;

  constructor(shapes: FeatureShapes, sizes: FeatureSizes) {
    this.stage3 = shapes.stage3 * sizes.fineTokens;
    this.tokens = sizes.deepTokens * sizes.deepDims;
    this.coarse = sizes.coarseTokens * shapes.stage6;
    this.encoderTokens = sizes.encoderTokens * sizes.encoderDims;
    this.vector = sizes.vectorDims;
    this.length = this.stage3 + this.tokens + this.coarse + this.encoderTokens + this.vector;
  }

  /** Splits one record into its arrays, without copying. */
  split(record: Float32Array): TeacherFeatures {
    let at = 0;
    const next = (count: number): Float32Array => record.subarray(at, (at += count));
    return {
      stage3: next(this.stage3),
      tokens: next(this.tokens),
      coarse: next(this.coarse),
      encoderTokens: next(this.encoderTokens),
      vector: next(this.vector),
    };
  }
}

const digestBytes = 32;
const extension = '.feat';

/**
 * Teacher features on disk, one file per picture, keyed by pixels and teacher. A file holds the
 * sha256 of its numbers and then the numbers; one that is missing, short or damaged counts as absent, so the folder
 * may be deleted at any time. When the folder can't be written, caching stops and `problem` says why.
 */
export class FeatureCache {
  readonly #dir: string;
  readonly #teacherHash: string;
  readonly #length: number;
  readonly #write: typeof writeFile;
  /** First reason why nothing more is written, for the person to know; undefined while all is well. */
  problem: string | undefined;

  /**
   * @param teacherHash `Teacher.graphHash`
   * @param length numbers per record
   * @param write writes a whole file; tests hand in one that fails
   */
  constructor(dir: string, teacherHash: string, length: number, write: typeof writeFile = writeFile) {
    this.#write = write;
    this.#dir = dir;
    this.#teacherHash = teacherHash;
    this.#length = length;
  }

  /** @param pixelHash `PreparedPicture.pixelHash` */
  key(pixelHash: string): string {
    return createHash('sha256').update(`${this.#teacherHash}|${pixelHash}`).digest('hex');
  }

  /** @returns the record, or undefined where there is no sound one */
  async read(key: string): Promise<Float32Array | undefined> {
    let bytes: Buffer;
    try {
      bytes = await readFile(this.#file(key));
    } catch {
      return undefined;
    }
    if (bytes.length !== digestBytes + this.#length * 4) return undefined;
    const payload = bytes.subarray(digestBytes);
    if (!createHash('sha256').update(payload).digest().equals(bytes.subarray(0, digestBytes))) return undefined;
    const record = new Float32Array(this.#length);
    new Uint8Array(record.buffer).set(payload);
    return record;
  }

  /** Writes to a temporary name and renames: a reader never sees half a record. Never throws. */
  async write(key: string, record: Float32Array): Promise<void> {
    if (this.problem !== undefined) return;
    const file = this.#file(key);
    const temporary = `${file}.${process.pid}.tmp`;
    const payload = new Uint8Array(record.buffer, record.byteOffset, record.byteLength);
    try {
      await mkdir(path.dirname(file), { recursive: true });
      await this.#write(temporary, Buffer.concat([createHash('sha256').update(payload).digest(), payload]));
      await rename(temporary, file);
    } catch (error) {
      this.problem = error instanceof Error ? error.message : String(error);
      await rm(temporary, { force: true }).catch(() => undefined);
    }
  }

  /** Marks a record as used now, so that `prune` keeps it. */
  async touch(key: string): Promise<void> {
    const now = new Date();
    await utimes(this.#file(key), now, now).catch(() => undefined);
  }

  /**
   * Deletes the records unused for longest until the folder holds at most `limitBytes`.
   * @returns bytes freed
   */
  async prune(limitBytes: number): Promise<number> {
    const files: { file: string; bytes: number; usedAtMs: number }[] = [];
    for (const sub of await readdir(this.#dir).catch(() => [])) {
      for (const name of await readdir(path.join(this.#dir, sub)).catch(() => [])) {
        const file = path.join(this.#dir, sub, name);
        const info = await stat(file).catch(() => undefined);
        if (info !== undefined) files.push({ file, bytes: info.size, usedAtMs: info.mtimeMs });
      }
    }
    files.sort((a, b) => a.usedAtMs - b.usedAtMs);
    let total = files.reduce((sum, { bytes }) => sum + bytes, 0);
    let freed = 0;
    for (const { file, bytes } of files) {
      if (total <= limitBytes) break;
      await rm(file, { force: true }).catch(() => undefined);
      total -= bytes;
      freed += bytes;
    }
    return freed;
  }

  #file(key: string): string {
    return path.join(this.#dir, key.slice(0, 2), key + extension);
  }
}
