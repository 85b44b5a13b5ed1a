/**
 * Reader and writer of safetensors files (u64 header length, JSON header, raw little-endian data).
 *
 * The reader trusts nothing: backbones come from the internet and checkpoints from other machines. Every rule of the
 * format is checked before a byte of data is looked at, so that a broken file is one clear message and never a wrong
 * network.
 */
import { readFile, stat } from 'node:fs/promises';
import { UserError } from '../../shared/errors.ts';
import {
  brokenSafetensors as broken,
  bytesPerElement,
  headerLength,
  parseSafetensorsHeader,
  type SafetensorsDtype,
  type SafetensorsEntry,
} from './safetensors-header.ts';
import { halfToFloat } from './weight-tensor.ts';

export type { SafetensorsDtype } from './safetensors-header.ts';

export type SafetensorsData = Float64Array | BigInt64Array | Float32Array | Int32Array | Uint8Array;

/** One tensor, row-major. F16 and BF16 arrive decoded to float32; BOOL as bytes 0 and 1. */
export interface Safetensor {
  /** Type in the file. */
  readonly dtype: SafetensorsDtype;
  readonly shape: readonly number[];
  /** A view of the file's bytes where they are aligned, else a copy. */
  readonly data: SafetensorsData;
}

export interface SafetensorsFile {
  readonly tensors: Map<string, Safetensor>;
  /** The free `__metadata__` texts, empty when there are none. */
  readonly metadata: Map<string, string>;
}

export interface SafetensorsOptions {
  /** Refuse floating-point tensors with a NaN or an infinity. Default false. */
  readonly rejectNonFinite?: boolean;
}

/** What {@link writeSafetensors} takes: the dtype follows from the array, `BOOL` must be asked for. */
export interface SafetensorsInput {
  readonly shape: readonly number[];
  readonly data: SafetensorsData;
  readonly dtype?: SafetensorsDtype;
}

/** Largest file read whole, in bytes: Node reads no more into one buffer on every platform. */
const maxFileBytes = 2 ** 31 - 1;

/** Typed data of one entry; `start` is the byte offset in `bytes.buffer`. */
function decode(bytes: Uint8Array, entry: SafetensorsEntry, start: number): SafetensorsData {
  const { dtype } = entry;
  const size = bytesPerElement[dtype];
  const length = (entry.end - entry.begin) / size;
  // Typed arrays need aligned offsets, which the format recommends but doesn't demand.
  const aligned = start % size === 0;
  const buffer = aligned ? bytes.buffer : bytes.buffer.slice(start, start + length * size);
  const offset = aligned ? start : 0;
  if (dtype === 'F32') return new Float32Array(buffer, offset, length);
  if (dtype === 'F64') return new Float64Array(buffer, offset, length);
  if (dtype === 'I64') return new BigInt64Array(buffer, offset, length);
  if (dtype === 'I32') return new Int32Array(buffer, offset, length);
  if (dtype === 'U8' || dtype === 'BOOL') return new Uint8Array(buffer, offset, length);
  const words = new Uint16Array(buffer, offset, length);
  if (dtype === 'F16') return Float32Array.from(words, halfToFloat);
  const widened = new Uint32Array(length);
  for (let i = 0; i < length; i += 1) widened[i] = words[i]! << 16;
  return new Float32Array(widened.buffer);
}

function checkValues(name: string, key: string, tensor: Safetensor, rejectNonFinite: boolean): void {
  const { data, dtype } = tensor;
  if (dtype === 'BOOL' && (data as Uint8Array).some((value) => value > 1)) {
    throw broken(name, `tensor '${key}' holds truth values other than 0 and 1`);
  }
  if (rejectNonFinite && (data instanceof Float32Array || data instanceof Float64Array)) {
    for (let i = 0; i < data.length; i += 1) {
      if (!Number.isFinite(data[i])) throw broken(name, `tensor '${key}' holds a value that is not a finite number`);
    }
  }
}

/**
 * Parses a whole safetensors file.
 *
 * Checked: header length, UTF-8, JSON, duplicate keys, known dtypes, shapes, offsets inside the file, bytes = shape x
 * dtype, no overlap, no gap, nothing left over.
 * @param bytes the file; the tensors may be views of it, so leave it unchanged
 * @param name  what to call the file in messages
 * @throws UserError `safetensorsInvalid`
 */
export function parseSafetensorsFile(
  bytes: Uint8Array,
  name: string,
  options: SafetensorsOptions = {},
): SafetensorsFile {
  const headerBytes = headerLength(bytes.subarray(0, 8), bytes.byteLength, name);
  const { entries, metadata } = parseSafetensorsHeader(bytes.subarray(8, 8 + headerBytes), bytes.byteLength, name);
  const tensors = new Map<string, Safetensor>();
  const dataStart = bytes.byteOffset + 8 + headerBytes;
  for (const entry of entries) {
    const data = decode(bytes, entry, dataStart + entry.begin);
    const tensor = { dtype: entry.dtype, shape: entry.shape, data };
    checkValues(name, entry.key, tensor, options.rejectNonFinite ?? false);
    tensors.set(entry.key, tensor);
  }
  return { tensors, metadata };
}

/** The tensors of {@link parseSafetensorsFile}, in the header's order. */
export function parseSafetensors(
  bytes: Uint8Array,
  name: string,
  options: SafetensorsOptions = {},
): Map<string, Safetensor> {
  return parseSafetensorsFile(bytes, name, options).tensors;
}

/**
 * Reads a safetensors file from disk.
 * @throws UserError `fileUnreadable` when it can't be read, `safetensorsInvalid` when it is not sound
 */
export async function readSafetensors(path: string, options: SafetensorsOptions = {}): Promise<SafetensorsFile> {
  let bytes: Uint8Array;
  try {
    const { size } = await stat(path);
    if (size > maxFileBytes) throw broken(path, `it has ${size} bytes, more than ${maxFileBytes}`);
    bytes = await readFile(path);
  } catch (error) {
    if (error instanceof UserError) throw error;
    const why = error instanceof Error ? error.message : String(error);
    throw new UserError('fileUnreadable', `${path} can't be read (${why}).`, 'Check that the file exists.', {
      cause: error,
    });
  }
  return parseSafetensorsFile(bytes, path, options);
}

/**
 * One tensor's values as float32, whatever floating type the file has.
 * @param shape when given, the shape the tensor must have
 * @throws UserError `safetensorsInvalid` when the tensor is missing, not floating-point or of another shape
 */
export function floatTensor(
  tensors: ReadonlyMap<string, Safetensor>,
  key: string,
  name: string,
  shape?: readonly number[],
): Float32Array {
  const tensor = tensors.get(key);
  if (tensor === undefined) throw broken(name, `tensor '${key}' is missing`);
  if (shape !== undefined && (shape.length !== tensor.shape.length || shape.some((n, i) => n !== tensor.shape[i]))) {
    throw broken(name, `tensor '${key}' has the shape [${tensor.shape.join(', ')}] instead of [${shape.join(', ')}]`);
  }
  if (tensor.data instanceof Float32Array) return tensor.data;
  if (tensor.data instanceof Float64Array) return Float32Array.from(tensor.data);
  throw broken(name, `tensor '${key}' has the type ${tensor.dtype} instead of a floating-point one`);
}

function inferDtype(data: SafetensorsData): SafetensorsDtype {
  if (data instanceof Float32Array) return 'F32';
  if (data instanceof Float64Array) return 'F64';
  if (data instanceof BigInt64Array) return 'I64';
  return data instanceof Int32Array ? 'I32' : 'U8';
}

/**
 * Serialises tensors. The same content always gives the same bytes: tensors are ordered by element size (largest
 * first, which keeps everything aligned), then by name.
 * @throws RangeError when a shape doesn't fit its data or a dtype its array (a defect of the caller)
 */
export function writeSafetensors(
  tensors: Iterable<readonly [string, SafetensorsInput]>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array {
  const items = [...tensors].map(([key, { shape, data, dtype = inferDtype(data) }]) => {
    const count = shape.reduce((product, size) => product * size, 1);
    if (count !== data.length) throw new RangeError(`${key}: shape [${shape.join(', ')}], ${data.length} values`);
    if (bytesPerElement[dtype] !== data.BYTES_PER_ELEMENT) throw new RangeError(`${key}: array does not hold ${dtype}`);
    return { key, shape, data, dtype };
  });
  items.sort((a, b) => b.data.BYTES_PER_ELEMENT - a.data.BYTES_PER_ELEMENT || (a.key < b.key ? -1 : 1));
  const header = new Map<string, unknown>();
  if (Object.keys(metadata).length > 0) header.set('__metadata__', metadata);
  let offset = 0;
  for (const { key, shape, data, dtype } of items) {
    if (header.has(key) || key === '__metadata__') throw new RangeError(`${key}: named twice`);
    header.set(key, { dtype, shape, data_offsets: [offset, offset + data.byteLength] });
    offset += data.byteLength;
  }
  const text = `{${[...header].map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`).join(',')}}`;
  const json = new TextEncoder().encode(text);
  const headerBytes = Math.ceil(json.byteLength / 8) * 8;
  const bytes = new Uint8Array(8 + headerBytes + offset);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(headerBytes), true);
  bytes.fill(0x20, 8, 8 + headerBytes);
  bytes.set(json, 8);
  let at = 8 + headerBytes;
  for (const { data } of items) {
    bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at);
    at += data.byteLength;
  }
  return bytes;
}
