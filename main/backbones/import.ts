import { createHash } from 'node:crypto';
import * as nodeFs from 'node:fs/promises';
import path from 'node:path';
import { UserError } from '../../shared/errors.ts';
import { writeError } from '../system/atomic-file.ts';
import { findBackbone, type BackboneRegistry } from './registry.ts';
import {
  backboneFolder,
  commitStored,
  contentFolder,
  contentHash,
  type StoredBackbone,
  type StoredFile,
} from './store.ts';
import { backboneOf, identifyWeights, withBackboneLock, type Identify } from './store-intake.ts';

export interface ImportOptions {
  store: string;
  registry: BackboneRegistry;
  /** Which backbone it has to be; without it the weights tell. */
  id?: string;
  /** What it must be, where the person has it from the source. */
  sha256?: string;
  onProgress?: (done: number, total: number) => void;
  signal?: AbortSignal;
  identify?: Identify;
  fs?: Pick<typeof nodeFs, 'open' | 'rename' | 'rm' | 'mkdir'>;
}

/** Bytes copied at a time. */
const blockBytes = 4 << 20;

/**
 * Copies a weight file that was carried in by hand into the store: `.safetensors`, the index of a sharded file (with its
 * shards beside it), an original `.pth`, or the folder that holds one of these. It's looked at first, so that a wrong file is told before it is copied, and
 * the copy counts only when it is complete and synced.
 *
 * @returns the record that now stands in the store, and the file in words
 * @throws UserError as `openDinov2Weights`; `importChecksum`, `backboneBusy`, `diskFull`
 */
export async function importBackbone(
  file: string,
  options: ImportOptions,
): Promise<{ record: StoredBackbone; statement: string }> {
  const asked = options.id === undefined ? undefined : findBackbone(options.registry, options.id);
  const facts = await (options.identify ?? identifyWeights)(file, asked);
  const entry = asked ?? backboneOf(options.registry, facts);
  const sources = [...new Set([facts.path, ...facts.files].map((one) => path.resolve(one)))];
  return withBackboneLock(options.store, entry.id, async () => {
    const folder = backboneFolder(options.store, entry.id);
    const temporary = path.join(folder, 'import.partial');
    const fs = options.fs ?? nodeFs;
    try {
      await fs.rm(temporary, { recursive: true, force: true });
      await fs.mkdir(temporary, { recursive: true });
      const files = await copyAll(sources, temporary, options);
      const sha256 = contentHash(files);
      const main = files[0]!;
      if (options.sha256 !== undefined && options.sha256 !== sha256) {
        throw new UserError(
          'importChecksum',
          `"${file}" has sha256 ${sha256}, not ${options.sha256}: nothing was imported.`,
          'The file is damaged or another one: carry it in again.',
        );
      }
      const pinned = entry.files.find((known) => known.sha256 !== undefined && known.sha256 === main.sha256);
      const namesake = entry.files.find((known) => 'name' in known && known.name === path.basename(sources[0]!));
      if (pinned === undefined && namesake?.sha256 !== undefined && options.sha256 === undefined) {
        throw new UserError(
          'importChecksum',
          `"${file}" has the name of the published file but not its content (sha256 ${main.sha256}, published ${namesake.sha256}): nothing was imported.`,
          'The file is damaged: carry it in again. If it is another file on purpose, give it another name.',
        );
      }
      const contents = contentFolder(sha256);
      await fs.rm(path.join(folder, contents), { recursive: true, force: true });
      await fs.rename(temporary, path.join(folder, contents));
      const record: StoredBackbone = {
        formatVersion: 1,
        id: entry.id,
        folder: contents,
        main: main.name,
        files,
        sha256,
        bytes: files.reduce((sum, { bytes }) => sum + bytes, 0),
        naming: facts.naming,
        how: 'import',
        source: path.resolve(file),
        checked: pinned !== undefined || options.sha256 !== undefined ? 'pinned' : 'recorded',
        storedAt: new Date().toISOString(),
      };
      await commitStored(options.store, record);
      return { record, statement: facts.statement };
    } catch (error) {
      await fs.rm(temporary, { recursive: true, force: true }).catch(() => undefined);
      throw writeError(temporary, error);
    }
  });
}

async function copyAll(sources: readonly string[], folder: string, options: ImportOptions): Promise<StoredFile[]> {
  const sizes = await Promise.all(sources.map(async (source) => (await nodeFs.stat(source)).size));
  const total = sizes.reduce((sum, size) => sum + size, 0);
  let before = 0;
  const files: StoredFile[] = [];
  for (const source of sources) {
    const name = path.basename(source).replaceAll(/[^A-Za-z0-9_.-]/g, '_');
    const copied = await copyFile(source, path.join(folder, name), options, (done) =>
      options.onProgress?.(before + done, total),
    );
    before += copied.bytes;
    files.push({ name, ...copied });
  }
  return files;
}

async function copyFile(
  source: string,
  target: string,
  { fs = nodeFs, signal }: ImportOptions,
  onProgress: (done: number) => void,
): Promise<{ sha256: string; bytes: number }> {
  const hash = createHash('sha256');
  const block = Buffer.allocUnsafe(blockBytes);
  let bytes = 0;
  const from = await nodeFs.open(source, 'r');
  try {
    const to = await fs.open(target, 'wx');
    try {
      for (;;) {
        signal?.throwIfAborted();
        const { bytesRead } = await from.read(block, 0, blockBytes, bytes);
        if (bytesRead === 0) break;
        const piece = block.subarray(0, bytesRead);
        await to.write(piece, 0, bytesRead, bytes);
        hash.update(piece);
        bytes += bytesRead;
        onProgress(bytes);
      }
      await to.sync();
    } finally {
      await to.close();
    }
  } finally {
    await from.close();
  }
  return { sha256: hash.digest('hex'), bytes };
}
