import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
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

/** Archives in a folder that have a set's names, sorted. */
export async function archivesIn(dir: string, names: RegExp): Promise<string[]> {
  const info = await stat(dir).catch(() => undefined);
  if (info?.isFile() === true) return kinds.test(dir) ? [dir] : [];
  const entries = await readdir(dir).catch(() => []);
  return entries
    .filter((name) => kinds.test(name) && names.test(name))
    .sort()
    .map((name) => join(dir, name));
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
