import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { lstat, mkdir, readdir, rename, rm, stat, symlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import yauzl from 'yauzl';
import { UserError } from '../../shared/errors.ts';
import { writeError } from '../system/atomic-file.ts';
import { memberPath, unpackTar, type UnpackLimits } from './tar.ts';

/** More than any of the published sets has. */
const defaultLimits: UnpackLimits = { totalBytes: 2 ** 40, files: 2_000_000 };

export interface UnpackOptions {
  workDir: string;
  signal?: AbortSignal;
  onNotice?: (message: string) => void;
  limits?: UnpackLimits;
}

const kinds = /\.(?:zip|tar|tar\.gz|tgz|tar\.xz)$/i;

/** With more folders than this a place is no download of one set: its folders are not searched. */
const mostFolders = 200;

/** An archive of a set. */
export interface FoundArchive {
  path: string;
  /** Folder it lies in, below the one that was named; empty for that one itself. */
  place: string;
}

/**
 * Archives in a folder, and one folder down, that have a set's names (with the folder's in front: Real-IAD publishes
 * `realiad_jsons.zip` beside `realiad_1024/<class>.zip`), sorted.
 *
 * @param dir folder, or one archive of any name
 */
export async function archivesIn(dir: string, names: RegExp): Promise<FoundArchive[]> {
  const info = await stat(dir).catch(() => undefined);
  if (info?.isFile() === true) return kinds.test(dir) ? [{ path: dir, place: '' }] : [];
  const entries = await readdir(dir, { withFileTypes: true }).catch(() => []);
  const places = entries.flatMap((entry) =>
    entry.isDirectory() && !entry.name.startsWith('.') ? [{ name: entry.name }] : [],
  );
  const found: { name: string; place: string }[] = entries.map(({ name }) => ({ name, place: '' }));
  for (const { name: place } of places.length <= mostFolders ? places : []) {
    const below = await readdir(join(dir, place)).catch(() => []);
    found.push(...below.map((name) => ({ name, place })));
  }
  return found
    .filter(({ name, place }) => kinds.test(name) && (names.test(name) || names.test(`${place}/${name}`)))
    .map(({ name, place }) => ({ path: join(dir, place, name), place }))
    .sort((a, b) => (a.path < b.path ? -1 : 1));
}

/**
 * Unpacks all archives of a set, each once, and joins them in one folder of links as if they had been unpacked side by
 * side where they lie: MVTec publishes an archive a class, Real-IAD one a class and one of lists.
 *
 * @returns the folder
 * @throws UserError as `unpackOnce`
 */
export async function unpackTogether(archives: readonly FoundArchive[], options: UnpackOptions): Promise<string> {
  const unpacked: { folder: string; place: string }[] = [];
  for (const { path, place } of archives) unpacked.push({ folder: await unpackOnce(path, options), place });
  const [only, ...others] = unpacked;
  if (only?.place === '' && others.length === 0) return only.folder;
  const key = createHash('sha256').update(JSON.stringify(unpacked)).digest('hex').slice(0, 12);
  const joined = join(options.workDir, `joined-${key}`);
  for (const { folder, place } of unpacked) {
    await mkdir(join(joined, place), { recursive: true });
    for (const entry of await readdir(folder, { withFileTypes: true })) {
      const link = join(joined, place, entry.name);
      if (!entry.isDirectory() || (await lstat(link).catch(() => undefined)) !== undefined) continue;
      // A junction needs no right on Windows; elsewhere the kind is ignored.
      await symlink(join(folder, entry.name), link, 'junction');
    }
  }
  return joined;
}

/**
 * Unpacks a published archive below the work folder, once: the folder is named after the archive, its size and its
 * time, and appears only when all of it is there.
 *
 * @returns the folder
 * @throws UserError `archiveDamaged`, `archiveUnsafe`, `archiveTooLarge`, `archiveUnsupported`, `diskFull`
 */
export async function unpackOnce(archive: string, options: UnpackOptions): Promise<string> {
  const { size, mtimeMs } = await stat(archive);
  const key = createHash('sha256').update(`${archive}\n${size}\n${mtimeMs}`).digest('hex').slice(0, 12);
  const target = join(options.workDir, `${basename(archive).replaceAll(/[^\w.-]/g, '_')}-${key}`);
  if (await stat(target).catch(() => undefined)) return target;
  options.onNotice?.(`Unpacking ${archive} to ${target}`);
  const temporary = `${target}.partial`;
  try {
    await rm(temporary, { recursive: true, force: true });
    await mkdir(temporary, { recursive: true });
    await unpack(archive, temporary, options);
    await rename(temporary, target);
  } catch (error) {
    await rm(temporary, { recursive: true, force: true });
    throw archiveError(archive, target, error);
  }
  return target;
}

async function unpack(archive: string, target: string, options: UnpackOptions): Promise<void> {
  const limits = options.limits ?? defaultLimits;
  if (/\.zip$/i.test(archive)) return unpackZip(archive, target, limits, options.signal);
  const tar = (stream: Readable): Promise<number> => unpackTar(stream, target, archive, limits, options.signal);
  if (/\.(?:tar\.gz|tgz)$/i.test(archive)) {
    const gunzip = createGunzip();
    await Promise.all([pipeline(createReadStream(archive), gunzip), tar(gunzip)]);
  } else if (/\.tar\.xz$/i.test(archive)) await unpackXz(archive, tar);
  else await tar(createReadStream(archive));
}

async function unpackZip(archive: string, target: string, limits: UnpackLimits, signal?: AbortSignal): Promise<void> {
  const zip = await yauzl.openPromise(archive, { autoClose: false, lazyEntries: true, validateEntrySizes: true });
  let files = 0;
  let total = 0;
  try {
    for await (const entry of zip.eachEntry()) {
      signal?.throwIfAborted();
      const name = entry.fileName;
      if (name.endsWith('/')) continue;
      files++;
      total += entry.uncompressedSize;
      if (files > limits.files || total > limits.totalBytes) {
        throw new UserError(
          'archiveTooLarge',
          `"${archive}" unpacks to more than it should hold.`,
          'Unpack it by hand.',
        );
      }
      const path = memberPath(target, name, archive);
      await mkdir(dirname(path), { recursive: true });
      await pipeline(await zip.openReadStreamPromise(entry), createWriteStream(path));
    }
  } finally {
    zip.close();
  }
}

/** Node has no xz: `xz`, or a tar that knows it (Windows, macOS), turns it into a plain tar; we unpack that ourselves. */
async function unpackXz(archive: string, tar: (stream: Readable) => Promise<number>): Promise<void> {
  const programs: [string, string[]][] = [
    ['xz', ['--decompress', '--stdout', '--', archive]],
    ['tar', ['-cf', '-', `@${archive}`]],
  ];
  for (const [program, given] of programs) {
    const child = spawn(program, given, { stdio: ['ignore', 'pipe', 'ignore'], shell: false });
    const ended = new Promise<number | Error>((done) => {
      child.once('error', done);
      child.once('close', (code) => done(code ?? 1));
    });
    try {
      const files = await tar(child.stdout);
      if ((await ended) === 0 && files > 0) return;
    } catch (error) {
      child.kill();
      if ((await ended) === 0) throw error;
    }
  }
  throw new UserError(
    'archiveUnsupported',
    `"${archive}" is packed with xz, and no program here unpacks that.`,
    `Unpack it by hand (tar -xJf ${basename(archive)}), then name the folder with --data.`,
  );
}

function archiveError(archive: string, target: string, error: unknown): unknown {
  if (error instanceof UserError || !(error instanceof Error)) return error;
  const written = writeError(target, error);
  if (written instanceof UserError) return written;
  const isZlib = 'code' in error && typeof error.code === 'string' && error.code.startsWith('Z_');
  if (!isZlib && !/zip|central directory|end of file|invalid|unexpected|size/i.test(error.message)) return error;
  return new UserError('archiveDamaged', `"${archive}" can't be unpacked: ${error.message}.`, 'Download it again.', {
    cause: error,
  });
}
