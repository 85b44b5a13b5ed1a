import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir, readFile, rm, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import path from 'node:path';
import { z } from 'zod';
import { UserError } from '../../shared/errors.ts';
import { writeJsonAtomic } from '../system/atomic-file.ts';
import { modelsDir } from '../system/project-root.ts';
import { findBackbone, readRegistry, verifyBackbone } from './registry.ts';

const sha256Schema = z.string().regex(/^[0-9a-f]{64}$/);
/** A plain file name: a record from elsewhere must not reach out of its folder. */
const fileName = z.string().regex(/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,199}$/);
const idPattern = /^[a-z0-9][a-z0-9-]{0,99}$/;

const storedSchema = z.strictObject({
  formatVersion: z.literal(1),
  id: z.string().regex(idPattern),
  /** Folder of the files, below the backbone's own: named by content, so that replacing never touches what is in use. */
  folder: fileName,
  /** The file to open: the weights, or the index of a set of shards. */
  main: fileName,
  files: z
    .array(z.strictObject({ name: fileName, sha256: sha256Schema, bytes: z.int().positive() }))
    .min(1)
    .max(64),
  /** Of the one file, or of the list of shards, see {@link contentHash}. */
  sha256: sha256Schema,
  bytes: z.int().positive(),
  /** Whose tensor names the file uses, e.g. `original`, `huggingface`, `timm`; null when it was not looked at. */
  naming: z.string().max(100).nullable(),
  how: z.enum(['fetch', 'import']),
  /** Address or path it came from. */
  source: z.string().max(4000),
  /** `pinned`: compared with a sha256 known beforehand. `recorded`: first seen then, compared ever since. */
  checked: z.enum(['pinned', 'recorded']),
  storedAt: z.iso.datetime(),
});

/** What the json beside a stored backbone's weights says. */
export type StoredBackbone = z.infer<typeof storedSchema>;
export type StoredFile = StoredBackbone['files'][number];

/**
 * Folder of fetched and imported weights: the one asked for, else `TWINSPECT_BACKBONES`, else the user's own place for
 * application data.
 */
export function storeFolder(asked?: string): string {
  const { env, platform } = process;
  const named = asked ?? env['TWINSPECT_BACKBONES'];
  if (named !== undefined && named !== '') return path.resolve(named);
  const base =
    platform === 'win32'
      ? (env['LOCALAPPDATA'] ?? path.join(homedir(), 'AppData', 'Local'))
      : platform === 'darwin'
        ? path.join(homedir(), 'Library', 'Application Support')
        : (env['XDG_DATA_HOME'] ?? path.join(homedir(), '.local', 'share'));
  return path.join(base, 'twinspect', 'backbones');
}

/** Folder of one backbone in a store. @throws UserError `backboneUnknown` for what can't be an id */
export function backboneFolder(store: string, id: string): string {
  if (!idPattern.test(id)) {
    throw new UserError('backboneUnknown', `There is no backbone "${id}".`, 'Run: twinspect backbone list');
  }
  return path.join(store, id);
}

/** Folder name of files with this content. */
export function contentFolder(sha256: string): string {
  return sha256.slice(0, 16);
}

/** sha256 of a stored set: the file's own, or that of the lines `<sha256> <name>` of several files, sorted by name. */
export function contentHash(files: readonly StoredFile[]): string {
  if (files.length === 1) return files[0]!.sha256;
  const lines = [...files].sort((a, b) => (a.name < b.name ? -1 : 1)).map(({ name, sha256 }) => `${sha256} ${name}\n`);
  return createHash('sha256').update(lines.join('')).digest('hex');
}

/**
 * The record of a stored backbone, null when there is none.
 * @throws UserError `storeDamaged` naming the record
 */
export async function readStored(store: string, id: string): Promise<StoredBackbone | null> {
  const file = path.join(backboneFolder(store, id), 'backbone.json');
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR')) return null;
    throw damaged(id, `${file} can't be read`, error);
  }
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw damaged(id, `${file} is not valid JSON`, error);
  }
  const parsed = storedSchema.safeParse(json);
  if (!parsed.success) throw damaged(id, `${file} is not as expected: ${z.prettifyError(parsed.error)}`);
  if (parsed.data.id !== id) throw damaged(id, `${file} belongs to "${parsed.data.id}"`);
  return parsed.data;
}

/** Ids of everything in the store, sorted; empty when there is no store. */
export async function storedIds(store: string): Promise<string[]> {
  const entries = await readdir(store, { withFileTypes: true }).catch(() => []);
  return entries
    .filter((entry) => entry.isDirectory() && idPattern.test(entry.name))
    .map(({ name }) => name)
    .sort();
}

/** Absolute path of the file to open. */
export function storedPath(store: string, { id, folder, main }: StoredBackbone): string {
  return path.join(backboneFolder(store, id), folder, main);
}

/**
 * Makes files that lie in their content folder the stored backbone: from here on they count, and older files of the
 * same backbone are removed.
 * @throws UserError as `writeFileAtomic`
 */
export async function commitStored(store: string, record: StoredBackbone): Promise<void> {
  const folder = backboneFolder(store, record.id);
  await writeJsonAtomic(path.join(folder, 'backbone.json'), storedSchema.parse(record));
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (!entry.isDirectory() || entry.name === record.folder) continue;
    // What another process still reads may not be removable on Windows; it is then left until the next time.
    await rm(path.join(folder, entry.name), { recursive: true, force: true }).catch(() => undefined);
  }
}

/**
 * Compares the files of a stored backbone with its record.
 * @param withHash false compares the sizes only
 * @throws UserError `backboneMissing` | `backboneDamaged`
 */
export async function checkStored(store: string, record: StoredBackbone, withHash = true): Promise<void> {
  for (const file of record.files) {
    const full = path.join(backboneFolder(store, record.id), record.folder, file.name);
    const info = await stat(full).catch((error: unknown) => {
      throw new UserError(
        'backboneMissing',
        `The weight file ${full} of backbone "${record.id}" is missing.`,
        howToGet(record.id),
        { cause: error },
      );
    });
    const found = info.size === file.bytes && withHash ? await fileSha256(full) : undefined;
    if (info.size === file.bytes && (found === undefined || found === file.sha256)) continue;
    throw new UserError(
      'backboneDamaged',
      `The weight file ${full} is not the one that was stored ` +
        (found === undefined
          ? `(${info.size} bytes instead of ${file.bytes}).`
          : `(sha256 ${found.slice(0, 12)}... instead of ${file.sha256.slice(0, 12)}...).`),
      `${howToGet(record.id)} It replaces the damaged one.`,
    );
  }
}

/**
 * Removes a backbone with everything a broken download left.
 * @returns false when there was nothing
 */
export async function removeStored(store: string, id: string): Promise<boolean> {
  const folder = backboneFolder(store, id);
  const wasThere = await stat(folder).then(
    () => true,
    () => false,
  );
  // The record first: what is half removed must not count as stored.
  await rm(path.join(folder, 'backbone.json'), { force: true });
  await rm(folder, { recursive: true, force: true, maxRetries: 3 });
  return wasThere;
}

export interface LocateOptions {
  /** Store to look in, see {@link storeFolder}. */
  store?: string;
  /** Folder of `registry.json`; default: the installation's. */
  registryDir?: string;
  /** False trusts the record after comparing sizes; default: the content is hashed. */
  checkHash?: boolean;
}

/**
 * The weight file of a backbone, bundled, fetched or imported.
 * @returns absolute path (of the index when the weights are in shards) and sha256, see {@link contentHash}
 * @throws UserError `backboneUnknown`, `backboneMissing` with the command that gets it, `backboneDamaged`, `storeDamaged`
 */
export async function locateBackbone(
  id: string,
  options: LocateOptions = {},
): Promise<{ path: string; sha256: string }> {
  const registry = await readRegistry(options.registryDir ?? modelsDir());
  const entry = findBackbone(registry, id);
  if (entry.bundled) {
    const [file] = await verifyBackbone(registry, entry);
    return { path: file!, sha256: entry.files[0]!.sha256 };
  }
  const store = storeFolder(options.store);
  const record = await readStored(store, id);
  if (record === null) {
    throw new UserError(
      'backboneMissing',
      `The weights of "${id}" (${entry.title}) are not on this machine; looked in ${backboneFolder(store, id)}.`,
      howToGet(id),
    );
  }
  await checkStored(store, record, options.checkHash !== false);
  return { path: storedPath(store, record), sha256: record.sha256 };
}

/** The two ways to weights, as commands. */
export function howToGet(id: string): string {
  return (
    `Run "twinspect backbone fetch ${id}" on a machine with a network, or carry the file here and run ` +
    `"twinspect backbone import FILE --id ${id}".`
  );
}

/** sha256 of a file, streamed. */
export async function fileSha256(file: string, signal?: AbortSignal): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file, { highWaterMark: 1 << 20, ...(signal && { signal }) })) {
    hash.update(chunk as Buffer);
  }
  return hash.digest('hex');
}

function damaged(id: string, what: string, cause?: unknown): UserError {
  return new UserError(
    'storeDamaged',
    `The record of the stored backbone "${id}" is damaged: ${what}.`,
    `Run "twinspect backbone remove ${id}", then fetch or import it again.`,
    { cause },
  );
}
