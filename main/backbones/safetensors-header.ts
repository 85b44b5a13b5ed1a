/**
 * The header of a safetensors file (u64 length, JSON), checked completely before anybody looks at the data.
 */
import { open, stat } from 'node:fs/promises';
import { UserError } from '../../shared/errors.ts';
import { floatBytes, type FloatDtype, type StoredTensor } from './weight-tensor.ts';

/** Bytes per element of every dtype this reader knows. */
export const bytesPerElement = { F64: 8, I64: 8, F32: 4, I32: 4, F16: 2, BF16: 2, U8: 1, BOOL: 1 } as const;

export type SafetensorsDtype = keyof typeof bytesPerElement;

/** Largest header accepted in bytes: a ViT-L has one of about 60 kB. */
const maxHeaderBytes = 4 * 1024 * 1024;
const maxRank = 8;

export function brokenSafetensors(name: string, what: string): UserError {
  return new UserError(
    'safetensorsInvalid',
    `${name} is not a sound safetensors file: ${what}.`,
    'Fetch or export the file again.',
  );
}

/**
 * First key that occurs twice in one object of a text already known to be valid JSON, else undefined.
 * `JSON.parse` silently keeps the last one, which would let a file say two things.
 */
function duplicateKey(json: string): string | undefined {
  const open: (Set<string> | undefined)[] = [];
  for (let at = 0; at < json.length; at += 1) {
    const char = json[at];
    if (char === '{') open.push(new Set());
    else if (char === '[') open.push(undefined);
    else if (char === '}' || char === ']') open.pop();
    else if (char === '"') {
      let end = at + 1;
      while (json[end] !== '"') end += json[end] === '\\' ? 2 : 1;
      let next = end + 1;
      while (/\s/.test(json[next] ?? '')) next += 1;
      const keys = open.at(-1);
      if (keys !== undefined && json[next] === ':') {
        const key = JSON.parse(json.slice(at, end + 1)) as string;
        if (keys.has(key)) return key;
        keys.add(key);
      }
      at = end;
    }
  }
  return undefined;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

/** One tensor as the header describes it; offsets count from the end of the header. */
export interface SafetensorsEntry {
  readonly key: string;
  readonly dtype: SafetensorsDtype;
  readonly shape: number[];
  readonly begin: number;
  readonly end: number;
}

function parseEntry(name: string, key: string, value: unknown, dataBytes: number): SafetensorsEntry {
  const label = `tensor '${key.slice(0, 120)}'`;
  if (!isRecord(value)) throw brokenSafetensors(name, `${label} has no description`);
  const { dtype, shape, data_offsets: offsets } = value;
  const unknown = Object.keys(value).find((word) => !['dtype', 'shape', 'data_offsets'].includes(word));
  if (unknown !== undefined) throw brokenSafetensors(name, `${label} has an unknown field '${unknown.slice(0, 40)}'`);
  if (typeof dtype !== 'string' || !Object.hasOwn(bytesPerElement, dtype)) {
    throw brokenSafetensors(name, `${label} has the unsupported type ${JSON.stringify(dtype)?.slice(0, 40)}`);
  }
  if (!Array.isArray(shape) || shape.length > maxRank || !shape.every(isCount)) {
    throw brokenSafetensors(name, `${label} has an impossible shape`);
  }
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isCount)) {
    throw brokenSafetensors(name, `${label} has impossible data offsets`);
  }
  const [begin, end] = offsets as [number, number];
  if (begin > end || end > dataBytes) throw brokenSafetensors(name, `${label} lies outside the file`);
  const known = dtype as SafetensorsDtype;
  const needed = shape.reduce((product, size) => product * size, bytesPerElement[known]);
  if (needed !== end - begin) {
    throw brokenSafetensors(
      name,
      `${label} holds ${end - begin} bytes where its shape [${shape.join(', ')}] needs ${needed}`,
    );
  }
  return { key, dtype: known, shape, begin, end };
}

function parseMetadata(name: string, value: unknown): Map<string, string> {
  if (value === undefined) return new Map();
  if (!isRecord(value)) throw brokenSafetensors(name, 'its metadata is not a table of texts');
  const pairs = Object.entries(value);
  if (!pairs.every((pair): pair is [string, string] => typeof pair[1] === 'string')) {
    throw brokenSafetensors(name, 'its metadata is not a table of texts');
  }
  return new Map(pairs);
}

/**
 * Length of the header in bytes.
 * @param start the file's first 8 bytes, or fewer where it is shorter
 * @throws UserError `safetensorsInvalid`
 */
export function headerLength(start: Uint8Array, fileBytes: number, name: string): number {
  if (start.byteLength < 8) throw brokenSafetensors(name, 'it is too short to hold a header');
  const declared = new DataView(start.buffer, start.byteOffset, 8).getBigUint64(0, true);
  if (declared > BigInt(maxHeaderBytes))
    throw brokenSafetensors(name, 'it does not begin like one, nor like a PyTorch archive');
  const headerBytes = Number(declared);
  if (8 + headerBytes > fileBytes) throw brokenSafetensors(name, 'its header is cut off');
  return headerBytes;
}

export interface SafetensorsHeader {
  readonly entries: SafetensorsEntry[];
  readonly metadata: Map<string, string>;
}

/**
 * Checked: UTF-8, JSON, duplicate keys, known dtypes, shapes, offsets inside the file, bytes = shape x dtype, no
 * overlap, no gap, nothing left over.
 * @param json the header's bytes
 * @throws UserError `safetensorsInvalid`
 */
export function parseSafetensorsHeader(json: Uint8Array, fileBytes: number, name: string): SafetensorsHeader {
  let header: unknown;
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(json);
    header = JSON.parse(text);
  } catch (error) {
    throw brokenSafetensors(name, `its header is not valid JSON (${String(error).slice(0, 80)})`);
  }
  if (!isRecord(header) || !text.startsWith('{')) throw brokenSafetensors(name, 'its header is not a table');
  const twice = duplicateKey(text);
  if (twice !== undefined) throw brokenSafetensors(name, `its header names '${twice.slice(0, 120)}' twice`);

  const dataBytes = fileBytes - 8 - json.byteLength;
  const described = Object.entries(header).filter(([key]) => key !== '__metadata__');
  checkComplete(name, described, dataBytes);
  const entries = described.map(([key, value]) => parseEntry(name, key, value, dataBytes));
  let reached = 0;
  for (const entry of [...entries].sort((a, b) => a.begin - b.begin || a.end - b.end)) {
    const label = `tensor '${entry.key.slice(0, 120)}'`;
    if (entry.begin < reached) throw brokenSafetensors(name, `${label} overlaps another one`);
    if (entry.begin > reached) throw brokenSafetensors(name, `there is a gap before ${label}`);
    reached = entry.end;
  }
  if (reached !== dataBytes) {
    throw brokenSafetensors(name, `${dataBytes - reached} bytes after the last tensor belong to none`);
  }
  return { entries, metadata: parseMetadata(name, header['__metadata__']) };
}

/** A download that broke off has a sound header and an end that is missing: worth a message of its own. */
function checkComplete(name: string, described: readonly (readonly [string, unknown])[], dataBytes: number): void {
  const ends = described.map(([, value]) => {
    const offsets = isRecord(value) ? value['data_offsets'] : undefined;
    return Array.isArray(offsets) && offsets.length === 2 && offsets.every(isCount) ? (offsets[1] as number) : NaN;
  });
  const needed = ends.reduce((most, end) => Math.max(most, end), 0);
  if (needed > dataBytes && described.length > 1) {
    throw brokenSafetensors(
      name,
      `it is incomplete, a part outside the file is missing: ${dataBytes} of ${needed} bytes of data are there`,
    );
  }
}

/**
 * Opens a file without reading its numbers.
 * @returns its floating-point tensors by name, and the names of the others
 * @throws UserError `fileUnreadable` | `safetensorsInvalid`
 */
export async function openSafetensors(
  file: string,
): Promise<{ tensors: Map<string, StoredTensor>; others: string[]; metadata: Map<string, string> }> {
  let handle;
  try {
    const { size } = await stat(file);
    handle = await open(file, 'r');
    const start = new Uint8Array(Math.min(8, size));
    await handle.read(start, 0, start.length, 0);
    const json = new Uint8Array(headerLength(start, size, file));
    const { bytesRead } = await handle.read(json, 0, json.length, 8);
    if (bytesRead < json.length) throw brokenSafetensors(file, 'its header is cut off');
    const { entries, metadata } = parseSafetensorsHeader(json, size, file);
    const tensors = new Map<string, StoredTensor>();
    const others: string[] = [];
    for (const { key, dtype, shape, begin, end } of entries) {
      if (Object.hasOwn(floatBytes, dtype)) {
        const byteOffset = 8 + json.length + begin;
        tensors.set(key, { dtype: dtype as FloatDtype, shape, file, byteOffset, byteLength: end - begin });
      } else others.push(key);
    }
    return { tensors, others, metadata };
  } catch (error) {
    if (error instanceof UserError) throw error;
    const why = error instanceof Error ? error.message : String(error);
    throw new UserError('fileUnreadable', `${file} can't be read (${why}).`, 'Check that the file exists.', {
      cause: error,
    });
  } finally {
    await handle?.close();
  }
}
