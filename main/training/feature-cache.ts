import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fromHalf, toHalf } from './half-precision.ts';
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

/** How the numbers of a record are stored. `half` takes half the space; scores are then never taken from the cache. */
export const cachePrecisions = ['full', 'half'] as const;
export type CachePrecision = (typeof cachePrecisions)[number];

export interface FeatureCacheOptions {
  /** Default `full`. */
  precision?: CachePrecision;
  /** Most that the folder may hold, bytes; default: as much as there is. */
  limitBytes?: number;
  /** Writes a whole file; tests hand in one that fails. */
  write?: typeof writeFile;
}

/**
 * Teacher features on disk, one file per picture, keyed by pixels and teacher. A file holds the
 * sha256 of its numbers and then the numbers; one that is missing, short or damaged counts as absent, so the folder
 * may be deleted at any time. When the folder can't be written, caching stops and `problem` says why. Where the limit is
 * reached, records of other runs go, the ones unused for longest first; this run's own stay, and what has no room is not
 * kept (`refused` counts it).
 */
export class FeatureCache {
  readonly precision: CachePrecision;
  readonly #dir: string;
  readonly #teacherHash: string;
  readonly #length: number;
  readonly #limitBytes: number;
  readonly #write: typeof writeFile;
  /** Bytes in the folder, as far as this run knows; other runs may add to it. */
  #bytes = 0;
  /** Files of other runs, the one unused for longest last. */
  #others: { file: string; bytes: number }[] = [];
  readonly #own = new Set<string>();
  /** First reason why nothing more is written, for the person to know; undefined while all is well. */
  problem: string | undefined;
  readonly #refused = new Set<string>();

  /**
   * @param teacherHash sha256 of the graph that makes the features
   * @param length numbers per record
   */
  constructor(dir: string, teacherHash: string, length: number, options: FeatureCacheOptions = {}) {
    this.precision = options.precision ?? 'full';
    this.#write = options.write ?? writeFile;
    this.#limitBytes = options.limitBytes ?? Infinity;
    this.#dir = dir;
    this.#teacherHash = teacherHash;
    this.#length = length;
  }

  /** Records that found no room. */
  get refused(): number {
    return this.#refused.size;
  }

  /** Size of one record's file. */
  get recordBytes(): number {
    return digestBytes + this.#length * (this.precision === 'half' ? 2 : 4);
  }

  /**
   * What the person should know of the cache, undefined while all is well.
   * @param pictures how many the run has
   */
  warning(pictures: number): string | undefined {
    if (this.problem !== undefined) return `The feature cache is off: ${this.problem}`;
    if (this.refused === 0) return undefined;
    const kept = Math.max(0, pictures - this.refused);
    return (
      `The feature cache is full: ${kept} of ${pictures} pictures fit in ${(this.#limitBytes / 2 ** 30).toFixed(1)} GiB, ` +
      'the others go through the teacher again in every epoch. More room: --cache-limit, half of it: --cache-precision half.'
    );
  }

  /** @param pixelHash `PreparedPicture.pixelHash` */
  key(pixelHash: string): string {
    const precision = this.precision === 'half' ? '|half' : '';
    return createHash('sha256').update(`${this.#teacherHash}|${pixelHash}${precision}`).digest('hex');
  }

  /** A record as it comes back from here: what learns from it must not depend on where it was kept. */
  rounded(record: Float32Array): Float32Array {
    return this.precision === 'half' ? fromHalf(toHalf(record)) : record;
  }

  /** @returns the record, or undefined where there is no sound one */
  async read(key: string): Promise<Float32Array | undefined> {
    let bytes: Buffer;
    try {
      bytes = await readFile(this.#file(key));
    } catch {
      return undefined;
    }
    if (bytes.length !== this.recordBytes) return undefined;
    const payload = bytes.subarray(digestBytes);
    if (!createHash('sha256').update(payload).digest().equals(bytes.subarray(0, digestBytes))) return undefined;
    // Copied to the start of a buffer of its own, where numbers are aligned.
    const own = payload.buffer.slice(payload.byteOffset, payload.byteOffset + payload.length);
    return this.precision === 'half' ? fromHalf(new Uint16Array(own)) : new Float32Array(own);
  }

  /** Writes to a temporary name and renames: a reader never sees half a record. Never throws. */
  async write(key: string, record: Float32Array): Promise<void> {
    if (this.problem !== undefined) return;
    if (!this.#own.has(key) && !(await this.#makeRoom())) {
      this.#refused.add(key);
      return;
    }
    const file = this.#file(key);
    const temporary = `${file}.${process.pid}.tmp`;
    const numbers = this.precision === 'half' ? toHalf(record) : record;
    const payload = new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength);
    try {
      await mkdir(path.dirname(file), { recursive: true });
      await this.#write(temporary, Buffer.concat([createHash('sha256').update(payload).digest(), payload]));
      await rename(temporary, file);
      this.#own.add(key);
    } catch (error) {
      this.problem = error instanceof Error ? error.message : String(error);
      await rm(temporary, { force: true }).catch(() => undefined);
    }
  }

  /** Marks a record as used now and as this run's own, so that nothing removes it. */
  async touch(key: string): Promise<void> {
    this.#own.add(key);
    const now = new Date();
    await utimes(this.#file(key), now, now).catch(() => undefined);
  }

  /**
   * Looks at what is there, and deletes the records unused for longest until the folder holds at most `limitBytes`.
   * @returns bytes freed
   */
  async prune(limitBytes = this.#limitBytes): Promise<number> {
    const files: { file: string; bytes: number; usedAtMs: number }[] = [];
    for (const sub of await readdir(this.#dir).catch(() => [])) {
      for (const name of await readdir(path.join(this.#dir, sub)).catch(() => [])) {
        const file = path.join(this.#dir, sub, name);
        const info = await stat(file).catch(() => undefined);
        if (info !== undefined) files.push({ file, bytes: info.size, usedAtMs: info.mtimeMs });
      }
    }
    this.#others = files.sort((a, b) => b.usedAtMs - a.usedAtMs);
    this.#bytes = files.reduce((sum, { bytes }) => sum + bytes, 0);
    this.#own.clear();
    return this.#shrink(limitBytes);
  }

  /** @returns whether one more record fits; then it is counted */
  async #makeRoom(): Promise<boolean> {
    const most = this.#limitBytes - this.recordBytes;
    if (this.#bytes > most) await this.#shrink(most);
    if (this.#bytes > most) return false;
    this.#bytes += this.recordBytes;
    return true;
  }

  async #shrink(limitBytes: number): Promise<number> {
    const before = this.#bytes;
    while (this.#bytes > limitBytes && this.#others.length > 0) {
      const { file, bytes } = this.#others.pop()!;
      if (this.#own.has(path.basename(file, extension))) continue;
      await rm(file, { force: true }).catch(() => undefined);
      this.#bytes -= bytes;
    }
    return before - this.#bytes;
  }

  #file(key: string): string {
    return path.join(this.#dir, key.slice(0, 2), key + extension);
  }
}
