import { mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { PreparedPicture } from '../../main/pictures/picture.ts';
import { FeatureCache } from '../../main/training/feature-cache.ts';
import { FeatureStore, type FeatureSource } from '../../main/training/feature-store.ts';
import { fromHalf, toHalf } from '../../main/training/half-precision.ts';
import { writePicture } from '../cli/pictures.ts';
import { InventedFeatures, smallEntry } from './small-students.ts';

const { layout, entry } = new InventedFeatures(await smallEntry());
const never = new AbortController().signal;
let folder: string;
let cacheDir: string;
/** Hashes of the pictures that the teacher was shown. */
let seen: string[];

/** Makes the record out of the pixels, so that a wrong record shows. */
const teacher: FeatureSource = {
  entry,
  layout,
  features: (pictures: readonly PreparedPicture[]) =>
    Promise.resolve(
      pictures.map(({ pixelHash, data }) => {
        seen.push(pixelHash);
        return new Float32Array(layout.length).fill(data[0]! + data[1]! / 1000);
      }),
    ),
};

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'twinspect features '));
  cacheDir = path.join(folder, 'cache');
  seen = [];
});

afterEach(() => rm(folder, { recursive: true, force: true, maxRetries: 3 }));

async function somePictures(count: number): Promise<string[]> {
  const files = Array.from({ length: count }, (_, i) => path.join(folder, `${String(i).padStart(3, '0')}.png`));
  for (const [i, file] of files.entries()) await writePicture(file, 2 * i, 64);
  return files;
}

function openStore(files: readonly string[], options: { teacherHash?: string; write?: typeof writeFile } = {}) {
  const { teacherHash = 'a teacher', write = writeFile } = options;
  const cache = new FeatureCache(cacheDir, teacherHash, layout.length, { write });
  return { cache, store: new FeatureStore(files, teacher, cache, 0) };
}

/** What the teacher says of picture `i`, by every way the store has. */
async function expectRight(store: FeatureStore, indices: readonly number[]): Promise<void> {
  for (const i of indices) {
    const { vector, tokens } = await store.get(i);
    expect(vector[0]).toBeCloseTo(2 * i + (2 * i) / 1000, 3);
    expect(tokens.at(-1)).toBe(vector[0]);
  }
}

async function recordFiles(): Promise<string[]> {
  const names = await readdir(cacheDir, { recursive: true });
  return names.filter((name) => name.endsWith('.feat')).map((name) => path.join(cacheDir, name));
}

describe('features of pictures', () => {
  it('are computed once, then come from the cache, also for another run', async () => {
    const files = await somePictures(5);
    await openStore(files).store.fill(never, () => undefined);
    expect(seen).toHaveLength(5);
    const done: number[][] = [];
    const { store } = openStore(files);
    await store.fill(never, (...counts) => done.push(counts));
    expect(seen).toHaveLength(5);
    expect(done).toEqual([1, 2, 3, 4, 5].map((n) => [n, n]));
    await expectRight(store, [0, 1, 2, 3, 4]);
    await openStore(files, { teacherHash: 'another teacher' }).store.fill(never, () => undefined);
    expect(seen).toHaveLength(10);
  });

  it('are the same when memory is short, and when the cache folder vanishes after that', async () => {
    const files = await somePictures(70);
    const { store, cache } = openStore(files);
    await store.fill(never, () => undefined);
    // 64 records stay in memory: the first six come from disk again.
    await expectRight(store, [0, 1, 69]);
    expect(seen).toHaveLength(70);
    await rm(cacheDir, { recursive: true });
    await expectRight(store, [2, 3, 4, 5, 68]);
    expect(seen).toHaveLength(74);
    expect(cache.problem).toBeUndefined();
  });

  it('are computed anew where a cache file is damaged, cut off, foreign or empty', async () => {
    const files = await somePictures(4);
    await openStore(files).store.fill(never, () => undefined);
    const records = await recordFiles();
    expect(records).toHaveLength(4);
    const bytes = await readFile(records[0]!);
    const flipped = Buffer.from(bytes);
    flipped[bytes.length - 1]! ^= 1;
    await writeFile(records[0]!, flipped);
    await writeFile(records[1]!, (await readFile(records[1]!)).subarray(0, -4));
    await writeFile(records[2]!, 'not a record');
    await writeFile(records[3]!, '');
    const { store } = openStore(files);
    await store.fill(never, () => undefined);
    expect(seen).toHaveLength(8);
    await expectRight(store, [0, 1, 2, 3]);
    await openStore(files).store.fill(never, () => undefined);
    expect(seen).toHaveLength(8);
  });

  it('come without a cache when the disk is full, which is said once and tried no more', async () => {
    const files = await somePictures(6);
    let writes = 0;
    const { store, cache } = openStore(files, {
      write: () => {
        writes++;
        return Promise.reject(Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' }));
      },
    });
    await store.fill(never, () => undefined);
    expect(cache.problem).toContain('no space left');
    expect(writes).toBe(1);
    await expectRight(store, [0, 5]);
    expect(await recordFiles()).toEqual([]);
  });

  it('stop when a picture changes during the training', async () => {
    const files = await somePictures(70);
    const { store } = openStore(files);
    await store.fill(never, () => undefined);
    await rm(cacheDir, { recursive: true });
    await writePicture(files[0]!, 200, 64);
    await expect(store.get(0)).rejects.toMatchObject({ name: 'UserError', code: 'pictureChanged' });
  });

  it('stop when asked, and write nothing after that', async () => {
    const files = await somePictures(12);
    const cancel = new AbortController();
    const reason = new Error('cancelled');
    const { store } = openStore(files);
    const filling = store.fill(cancel.signal, (done) => {
      if (done === 4) cancel.abort(reason);
    });
    await expect(filling).rejects.toBe(reason);
    const left = await recordFiles();
    expect(seen.length).toBeLessThan(12);
    await new Promise((done) => setTimeout(done, 100));
    expect(await recordFiles()).toEqual(left);
  });
});

it('the cache gives up what was unused for longest', async () => {
  const files = await somePictures(4);
  const { store, cache } = openStore(files);
  await store.fill(never, () => undefined);
  const old = cache.key(store.pixelHash(2));
  const file = (await recordFiles()).find((name) => name.includes(old))!;
  await utimes(file, new Date(0), new Date(0));
  const bytes = (await readFile(file)).length;
  expect(await cache.prune(3 * bytes)).toBe(bytes);
  expect(await cache.read(old)).toBeUndefined();
  expect(await recordFiles()).toHaveLength(3);
  expect(await cache.prune(3 * bytes)).toBe(0);
});

describe('a cache of half precision', () => {
  it('takes half the space, rounds by at most one part in 2048, and is not mixed up with a full one', async () => {
    const files = await somePictures(3);
    const { store: full } = openStore(files);
    await full.fill(never, () => undefined);
    const [fullRecord] = await recordFiles();
    const cache = new FeatureCache(cacheDir, 'a teacher', layout.length, { precision: 'half' });
    const store = new FeatureStore(files, teacher, cache, 0);
    await store.fill(never, () => undefined);
    expect(seen).toHaveLength(6);
    const half = await recordFiles();
    expect(half).toHaveLength(6);
    const sizes = await Promise.all(half.map(async (file) => (await readFile(file)).length - 32));
    expect(Math.max(...sizes)).toBe(2 * Math.min(...sizes));
    expect((await readFile(fullRecord!)).length).toBe(32 + 4 * layout.length);

    const again = new FeatureStore(files, teacher, cache, 0);
    await again.fill(never, () => undefined);
    expect(seen).toHaveLength(6);
    for (const i of [0, 1, 2]) {
      const exact = (await full.get(i)).vector[0]!;
      const rounded = (await again.get(i)).vector[0]!;
      expect(Math.abs(rounded - exact)).toBeLessThanOrEqual(exact / 2048);
      // The same from memory, where the teacher's own answer still was.
      expect((await store.get(i)).vector[0]).toBe(rounded);
      expect((await again.exact(i)).vector[0]).toBe(exact);
    }
    expect(seen).toHaveLength(9);
  });

  it('rounds to the nearest half, ties to even, without surprises at the ends', () => {
    const values = [0, 1, -1, 65504, 1e9, -1e9, 2 ** -24, 2 ** -25, 6.1e-5, 1 + 2 ** -11, 1 + 3 * 2 ** -11, -0.1];
    const expected = [0, 1, -1, 65504, 65504, -65504, 2 ** -24, 0, 6.1e-5, 1, 1 + 2 ** -9, -0.1];
    const found = fromHalf(toHalf(Float32Array.from(values)));
    expected.forEach((value, i) => expect(found[i], String(values[i])).toBeCloseTo(value, 4));
    expect(found[9]).toBe(1);
    expect(found[10]).toBe(1 + 2 ** -9);
    expect(fromHalf(toHalf(Float32Array.of(NaN)))[0]).toBeNaN();
    // Every half is itself again.
    const all = Uint16Array.from({ length: 65536 }, (_, i) => i).filter((bits) => (bits & 0x7c00) !== 0x7c00);
    expect(toHalf(fromHalf(all))).toEqual(all);
  });
});

it('a full cache gives up what other runs left, keeps its own, and says what has no room', async () => {
  const files = await somePictures(6);
  const record = openStore(files).cache.recordBytes;
  const limitBytes = 4 * record;
  const limited = (teacherHash: string): FeatureCache =>
    new FeatureCache(cacheDir, teacherHash, layout.length, { limitBytes });
  const other = limited('another teacher');
  await new FeatureStore(files.slice(0, 3), teacher, other, 0).fill(never, () => undefined);
  expect(other.warning(3)).toBeUndefined();

  const cache = limited('a teacher');
  await cache.prune();
  const store = new FeatureStore(files, teacher, cache, 0);
  await store.fill(never, () => undefined);
  expect(await recordFiles()).toHaveLength(4);
  expect(cache.refused).toBe(2);
  expect(cache.warning(6)).toContain('4 of 6 pictures fit');
  await expectRight(store, [0, 1, 2, 3, 4, 5]);

  const next = limited('a teacher');
  await next.prune();
  seen = [];
  const later = new FeatureStore(files, teacher, next, 0);
  await later.fill(never, () => undefined);
  expect(seen).toHaveLength(2);
  expect(await recordFiles()).toHaveLength(4);
});
