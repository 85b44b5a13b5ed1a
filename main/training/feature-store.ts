import { UserError } from '../../shared/errors.ts';
import type { BackboneEntry } from '../backbones/registry.ts';
import { readPicture } from '../pictures/decode.ts';
import { preparePicture } from '../pictures/prepare.ts';
import type { PreparedPicture } from '../pictures/picture.ts';
import type { FeatureCache, TeacherFeatures } from './feature-cache.ts';

/** What the store needs of a teacher; `Features` are one picture's features as views of its record. */
export interface FeatureSource<Features = TeacherFeatures> {
  /** How pictures are prepared for it. */
  readonly entry: { readonly input: Pick<BackboneEntry['input'], 'size' | 'filter'> };
  readonly layout: {
    /** Numbers per picture. */
    readonly length: number;
    /** Splits one record into its arrays, without copying. */
    split(record: Float32Array): Features;
  };
  /** One teacher pass. @returns one record per picture, laid out by `layout` */
  features(pictures: readonly PreparedPicture[]): Promise<Float32Array[]>;
}

/** Pictures that go through the teacher at once. */
const batchPictures = 4;

/**
 * Features of the run's pictures by position in the run's list: from memory, else from the cache on disk, else from
 * the teacher. The cache folder may vanish at any time; that costs time, never a result.
 */
export class FeatureStore<Features = TeacherFeatures> {
  readonly #paths: readonly string[];
  readonly #teacher: FeatureSource<Features>;
  readonly cache: FeatureCache;
  readonly #pixelHashes: (string | undefined)[];
  readonly #records = new Map<number, Float32Array>();
  readonly #limitRecords: number;

  /** @param memoryLimitBytes how much may be held in memory; the rest is read from the cache when asked for */
  constructor(
    paths: readonly string[],
    teacher: FeatureSource<Features>,
    cache: FeatureCache,
    memoryLimitBytes: number,
  ) {
    this.#paths = paths;
    this.#teacher = teacher;
    this.cache = cache;
    this.#pixelHashes = paths.map(() => undefined);
    this.#limitRecords = Math.max(64, Math.floor(memoryLimitBytes / (teacher.layout.length * 4)));
  }

  /** Reads one picture and prepares it as for inspection. */
  async prepared(index: number): Promise<PreparedPicture> {
    const { size, filter } = this.#teacher.entry.input;
    const picture = preparePicture(await readPicture(this.#paths[index]!), { size, filter });
    this.#pixelHashes[index] = picture.pixelHash;
    return picture;
  }

  /** sha256 of a picture's prepared pixels, once it has been read. */
  pixelHash(index: number): string {
    const hash = this.#pixelHashes[index];
    if (hash === undefined) throw new Error(`picture ${index} has not been read yet`);
    return hash;
  }

  /**
   * Passes all pictures through the teacher once (or finds them in the cache), in order.
   * @param onDone called after each picture
   * @throws UserError when a picture can't be read; the signal's reason when it's aborted
   */
  async fill(signal: AbortSignal, onDone: (done: number, fromCache: number) => void): Promise<void> {
    let fromCache = 0;
    let done = 0;
    let waiting: { index: number; picture: PreparedPicture }[] = [];
    let running: Promise<void> = Promise.resolve();
    const flush = async (): Promise<void> => {
      const batch = waiting;
      waiting = [];
      await running;
      running = this.#compute(batch).then(() => {
        done += batch.length;
        onDone(done, fromCache);
      });
      // The rejection is met at the next await; until then it must not count as unhandled.
      running.catch(() => undefined);
    };
    try {
      for (let index = 0; index < this.#paths.length; index++) {
        signal.throwIfAborted();
        const picture = await this.prepared(index);
        const key = this.cache.key(picture.pixelHash);
        const record = await this.cache.read(key);
        if (record !== undefined) {
          await this.cache.touch(key);
          this.#keep(index, record);
          fromCache++;
          onDone(++done, fromCache);
          continue;
        }
        waiting.push({ index, picture });
        if (waiting.length === batchPictures) await flush();
      }
      if (waiting.length > 0) await flush();
      await running;
    } finally {
      // Whoever is told of the end may delete the cache folder: nothing may be written to it any more.
      await running.catch(() => undefined);
    }
  }

  /** Features of one picture. @throws UserError when picture and cache are both gone */
  async get(index: number): Promise<Features> {
    let record = this.#records.get(index);
    if (record === undefined) {
      const hash = this.#pixelHashes[index];
      if (hash !== undefined) record = await this.cache.read(this.cache.key(hash));
      if (record !== undefined) this.#keep(index, record);
    }
    if (record === undefined) {
      const before = this.#pixelHashes[index];
      const picture = await this.prepared(index);
      if (before !== undefined && before !== picture.pixelHash) {
        throw new UserError(
          'pictureChanged',
          `${this.#paths[index]!} was changed while the model was being trained.`,
          'Leave the pictures alone during training and start again.',
        );
      }
      await this.#compute([{ index, picture }]);
      record = this.#records.get(index)!;
    }
    return this.#teacher.layout.split(record);
  }

  /** Features of one picture as the teacher gives them, not rounded by a cache of half precision. */
  async exact(index: number): Promise<Features> {
    if (this.cache.precision === 'full') return this.get(index);
    const [record] = await this.#teacher.features([await this.prepared(index)]);
    return this.#teacher.layout.split(record!);
  }

  async #compute(batch: readonly { index: number; picture: PreparedPicture }[]): Promise<void> {
    const records = await this.#teacher.features(batch.map(({ picture }) => picture));
    for (const [i, { index, picture }] of batch.entries()) {
      this.#keep(index, this.cache.rounded(records[i]!));
      await this.cache.write(this.cache.key(picture.pixelHash), records[i]!);
    }
  }

  /** Keeps the newest records; the oldest kept one goes first. */
  #keep(index: number, record: Float32Array): void {
    this.#records.delete(index);
    this.#records.set(index, record);
    if (this.#records.size <= this.#limitRecords) return;
    const oldest = this.#records.keys().next().value;
    if (oldest !== undefined) this.#records.delete(oldest);
  }
}
