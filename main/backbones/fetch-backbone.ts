import * as nodeFs from 'node:fs/promises';
import path from 'node:path';
import { UserError } from '../../shared/errors.ts';
import { fetchFile, type FetchFileSystem, type FetchLimits, type FetchStart } from './fetch.ts';
import type { ConnectionOptions } from './fetch-connection.ts';
import type { BackboneEntry } from './registry.ts';
import { backboneFolder, commitStored, contentFolder, type StoredBackbone } from './store.ts';
import { identifyWeights, withBackboneLock, type Identify } from './store-intake.ts';

export interface FetchBackboneOptions extends ConnectionOptions {
  store: string;
  /** Another source than the registry's. */
  url?: string;
  /** Pins the content of a source that the registry doesn't pin. */
  sha256?: string;
  onStart?: (start: FetchStart & { fileName: string }) => void;
  onProgress?: (done: number, total: number | undefined) => void;
  onNotice?: (message: string) => void;
  signal?: AbortSignal;
  limits?: Partial<FetchLimits>;
  fs?: FetchFileSystem;
  identify?: Identify;
}

/**
 * Fetches the weights of a backbone into a store; only ever called because the person asked for it. What is fetched
 * counts only after its size and sha256 are right and it was looked at.
 * @returns the record that now stands in the store, and the file in words
 * @throws UserError as `fetchFile` and `openDinov2Weights`; `backboneBundled`, `backboneBusy`, `urlInvalid`
 */
export async function fetchBackbone(
  entry: BackboneEntry,
  options: FetchBackboneOptions,
): Promise<{ record: StoredBackbone; statement: string }> {
  const { url, fileName, sha256, bytes } = sourceOf(entry, options);
  const { id } = entry;
  const fs = options.fs ?? nodeFs;
  return withBackboneLock(options.store, id, async () => {
    const folder = backboneFolder(options.store, id);
    const partial = path.join(folder, 'fetch.partial');
    const got = await fetchFile({
      ...options,
      url,
      partial,
      ...(sha256 !== undefined && { sha256 }),
      ...(bytes !== undefined && { bytes }),
      onStart: (start) => options.onStart?.({ ...start, fileName }),
    });
    let facts;
    try {
      facts = await (options.identify ?? identifyWeights)(partial, entry);
    } catch (error) {
      // It would be fetched again and again otherwise.
      await fs.rm(partial, { force: true });
      throw renamed(error, partial, `What came from ${url}`);
    }
    const contents = contentFolder(got.sha256);
    await nodeFs.mkdir(path.join(folder, contents), { recursive: true });
    await fs.rename(partial, path.join(folder, contents, fileName));
    const record: StoredBackbone = {
      formatVersion: 1,
      id,
      folder: contents,
      main: fileName,
      files: [{ name: fileName, sha256: got.sha256, bytes: got.bytes }],
      sha256: got.sha256,
      bytes: got.bytes,
      naming: facts.naming,
      how: 'fetch',
      source: url,
      checked: sha256 === undefined ? 'recorded' : 'pinned',
      storedAt: new Date().toISOString(),
    };
    await commitStored(options.store, record);
    return { record, statement: facts.statement.replaceAll(partial, fileName) };
  });
}

/** The error in the person's terms: the partial file is gone and was never theirs. */
function renamed(error: unknown, partial: string, name: string): unknown {
  if (!(error instanceof UserError)) return error;
  const { code, message, remedy } = error;
  const what = remedy === undefined ? message : message.slice(0, -remedy.length - 1);
  return new UserError(code, what.replaceAll(partial, name), remedy, { cause: error });
}

function sourceOf(
  entry: BackboneEntry,
  { url, sha256 }: FetchBackboneOptions,
): { url: string; fileName: string; sha256: string | undefined; bytes: number | undefined } {
  if (entry.bundled) {
    throw new UserError(
      'backboneBundled',
      `"${entry.id}" comes with Twinspect: there is nothing to fetch.`,
      'Run: twinspect backbone verify',
    );
  }
  const [first] = entry.files;
  const asked = url ?? first!.url;
  if (asked === undefined) {
    throw new UserError('urlInvalid', `The registry names no source for "${entry.id}".`, 'Give one with --url.');
  }
  let parsed: URL;
  try {
    parsed = new URL(asked);
  } catch (error) {
    throw new UserError('urlInvalid', `"${asked}" is no address.`, 'Give one like https://mirror/model.safetensors.', {
      cause: error,
    });
  }
  if (parsed.protocol !== 'https:' && parsed.protocol !== 'http:') {
    throw new UserError('urlInvalid', `"${asked}" is no web address.`, 'For a file here: twinspect backbone import.');
  }
  const name = decodeURIComponent(path.posix.basename(parsed.pathname)).replaceAll(/[^A-Za-z0-9_.-]/g, '_');
  const fileName = /^[A-Za-z0-9_]/.test(name) ? name.slice(0, 200) : `weights_${name.slice(0, 150)}`;
  // A mirror may hold another form of the weights: the registry's pins count for the file of the same name only.
  const pinned = entry.files.find((file) => file.name === fileName);
  return { url: asked, fileName, sha256: sha256 ?? pinned?.sha256, bytes: pinned?.bytes };
}
