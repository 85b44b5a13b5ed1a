/** One weight file, whatever its form: safetensors, sharded safetensors with an index, or a PyTorch archive. */
import { createHash } from 'node:crypto';
import { open, readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { UserError } from '../../shared/errors.ts';
import { openSafetensors } from './safetensors-header.ts';
import { openTorchFile } from './torch-file.ts';
import type { StoredTensor } from './weight-tensor.ts';

export interface WeightFile {
  /** Floating-point tensors by name. */
  readonly tensors: Map<string, StoredTensor>;
  /** The file to open: the only one, or the index of several. */
  readonly path: string;
  /** Files that hold them: one, or all shards in order of name. */
  readonly files: string[];
  /** Size of these files together. */
  readonly bytes: number;
}

/** Size of an index accepted; that of a ViT-L has 40 kB. */
const maxIndexBytes = 16 * 1024 * 1024;

function unreadable(file: string, error: unknown): UserError {
  const why = error instanceof Error ? error.message : String(error);
  return new UserError('fileUnreadable', `${file} can't be read (${why}).`, 'Check that the file exists.', {
    cause: error,
  });
}

function invalid(file: string, what: string, remedy = 'Fetch or export the file again.'): UserError {
  return new UserError('weightsDamaged', `${file} is no weight file: ${what}.`, remedy);
}

/** The file to open in a folder, by the names weight files are published under. */
async function fileInFolder(folder: string): Promise<string> {
  const names = (await readdir(folder)).sort();
  const weights = names.filter((name) => /\.(safetensors|pth|bin|pt)$/.test(name));
  const found =
    names.find((name) => name === 'model.safetensors') ??
    names.find((name) => name.endsWith('.safetensors.index.json')) ??
    (weights.length === 1 ? weights[0] : undefined);
  if (found !== undefined) return path.join(folder, found);
  if (weights.length === 0) {
    const what = `${folder} holds no weight file (.safetensors, .pth, .pt or .bin).`;
    throw new UserError('fileUnreadable', what, 'Name another folder, or the file itself.');
  }
  const some = weights.slice(0, 3).join(', ') + (weights.length > 3 ? ', ...' : '');
  const what = `${folder} holds ${weights.length} weight files (${some}) and no index of theirs.`;
  throw new UserError('fileUnreadable', what, 'Name the file itself; parts need their index beside them.');
}

/** What the first bytes say a file is. */
function kindOf(start: Uint8Array, file: string): 'torch' | 'index' | 'safetensors' {
  const text = new TextDecoder('latin1').decode(start);
  if (text.startsWith('PK\u0003\u0004')) return 'torch';
  if (start.length === 0) throw invalid(file, 'it is empty');
  if (text.startsWith('version https://git-lfs')) {
    throw invalid(file, 'it is only a pointer of Git LFS, the content was never fetched', 'Run: git lfs pull');
  }
  if (/^\s*<(!doctype|html|\?xml)/i.test(text)) {
    throw invalid(file, 'it is a web page, as a server sends instead of a file that needs a login or has moved');
  }
  if (start[0] === 0x80 && start[1]! >= 2 && start[1]! <= 5) {
    throw invalid(
      file,
      'it is a pickle without archive, the form PyTorch wrote before version 1.6',
      'Load it with a current PyTorch and save it again with torch.save, or use the safetensors form.',
    );
  }
  if (/^\s*\{/.test(text) && file.endsWith('.json')) return 'index';
  return 'safetensors';
}

async function readIndex(file: string): Promise<Map<string, string>> {
  const { size } = await stat(file);
  if (size > maxIndexBytes) throw invalid(file, `an index of ${size} bytes`);
  let json: unknown;
  try {
    json = JSON.parse(await readFile(file, 'utf8'));
  } catch (error) {
    throw invalid(file, `its index is not valid JSON (${String(error).slice(0, 80)})`);
  }
  const table = typeof json === 'object' && json !== null && 'weight_map' in json ? json.weight_map : undefined;
  const pairs = typeof table === 'object' && table !== null ? Object.entries(table) : [];
  if (pairs.length === 0) throw invalid(file, 'its index names no tensors');
  const shards = new Map<string, string>();
  for (const [key, shard] of pairs) {
    // Plain names only: an index must not lead out of its folder.
    if (typeof shard !== 'string' || !/^[\w-][\w.-]*\.safetensors$/.test(shard)) {
      throw invalid(file, `its index names an odd file ${JSON.stringify(shard)?.slice(0, 80)}`);
    }
    shards.set(key, shard);
  }
  return shards;
}

async function openShards(file: string): Promise<WeightFile> {
  const index = await readIndex(file);
  const names = [...new Set(index.values())].sort();
  if (names.length > 1000) throw invalid(file, `it has ${names.length} parts`);
  const tensors = new Map<string, StoredTensor>();
  const files: string[] = [];
  let bytes = 0;
  for (const name of names) {
    const full = path.join(path.dirname(file), name);
    const info = await stat(full).catch((error: unknown) => {
      throw new UserError(
        'fileUnreadable',
        `${full} is missing, one of ${names.length} parts of ${file}.`,
        'Fetch it.',
        {
          cause: error,
        },
      );
    });
    const opened = await openSafetensors(full);
    for (const [key, tensor] of opened.tensors) {
      if (index.get(key) === name) tensors.set(key, tensor);
    }
    files.push(full);
    bytes += info.size;
  }
  const missing = [...index.keys()].find((key) => !tensors.has(key));
  if (missing !== undefined) {
    throw invalid(file, `its index places the tensor '${missing.slice(0, 120)}' where it is not`);
  }
  return { tensors, path: file, files, bytes };
}

/**
 * Opens a weight file, or the one in a folder, without reading its numbers.
 * @throws UserError `fileUnreadable` | `weightsDamaged` | `safetensorsInvalid` | `torchFileInvalid`
 */
export async function openWeightFile(given: string): Promise<WeightFile> {
  let file = given;
  const start = new Uint8Array(512);
  let size;
  let kind;
  try {
    if ((await stat(file)).isDirectory()) file = await fileInFolder(file);
    const handle = await open(file, 'r');
    try {
      ({ size } = await handle.stat());
      const { bytesRead } = await handle.read(start, 0, start.length, 0);
      kind = kindOf(start.subarray(0, bytesRead), file);
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw error instanceof UserError ? error : unreadable(file, error);
  }
  if (kind === 'index') return openShards(file);
  const part = /-(\d{5})-of-(\d{5})\.safetensors$/.exec(path.basename(file));
  if (part !== null && Number(part[2]) > 1) {
    throw new UserError(
      'weightsDamaged',
      `${file} is only part ${Number(part[1])} of ${Number(part[2])} of a weight file.`,
      'Give the index (model.safetensors.index.json) with all parts beside it, or the folder that holds them.',
    );
  }
  const { tensors } = kind === 'torch' ? await openTorchFile(file) : await openSafetensors(file);
  return { tensors, path: file, files: [file], bytes: size };
}

/** sha256 of a file; of several, sha256 of their hexadecimal hashes one after the other. */
export async function hashFiles(files: readonly string[]): Promise<string> {
  const hashes: string[] = [];
  for (const file of files) {
    const hash = createHash('sha256');
    try {
      const handle = await open(file, 'r');
      try {
        // One piece of memory for all reads: a stream's pieces would pile up until they are collected.
        const buffer = new Uint8Array(1 << 20);
        for (;;) {
          const { bytesRead } = await handle.read(buffer, 0, buffer.length);
          if (bytesRead === 0) break;
          hash.update(buffer.subarray(0, bytesRead));
        }
      } finally {
        await handle.close();
      }
    } catch (error) {
      throw unreadable(file, error);
    }
    hashes.push(hash.digest('hex'));
  }
  if (hashes.length === 1) return hashes[0]!;
  return createHash('sha256').update(hashes.join('')).digest('hex');
}
