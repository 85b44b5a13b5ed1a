/** Tensors that stay in their weight file until somebody needs their numbers. */
import { open } from 'node:fs/promises';
import { UserError } from '../../shared/errors.ts';

/** Floating-point types that weights are stored in, with their bytes per element. */
export const floatBytes = { F32: 4, F16: 2, BF16: 2, F64: 8 } as const;
export type FloatDtype = keyof typeof floatBytes;

/** Where one tensor lies in a file: raw little-endian numbers. */
export interface StoredTensor {
  readonly dtype: FloatDtype;
  readonly shape: readonly number[];
  readonly file: string;
  readonly byteOffset: number;
  /** Length of the stretch that holds all elements. */
  readonly byteLength: number;
  /** Steps between neighbours in elements, where the tensor isn't row-major and gapless. */
  readonly strides?: readonly number[];
}

/** A tensor of a network, put together from stretches of its weight file, in row order. */
export interface WeightTensor {
  readonly shape: readonly number[];
  /**
   * What is written one after the other to get the tensor: stretches of files, `zeros` numbers 0, or numbers that are in
   * memory already.
   */
  readonly pieces: readonly (StoredTensor | { readonly zeros: number } | { readonly values: Float32Array })[];
}

/** A tensor whose numbers are in memory; they are read when the tensor is, and never changed. */
export function tensorInMemory(shape: readonly number[], values: Float32Array): WeightTensor {
  return { shape, pieces: [{ values }] };
}

export function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** Gives memory for so many bytes, not always zeroed. */
export type Allocate = (bytes: number) => ArrayBuffer;

const fresh: Allocate = (bytes) => new ArrayBuffer(bytes);

/**
 * Memory that is used again: whoever reads a whole network tensor by tensor would otherwise leave as many megabytes of
 * garbage behind, and the process would grow until it is collected.
 */
export class Scratch {
  readonly #buffers = new Map<number, { readonly all: ArrayBuffer[]; used: number }>();

  /** Takes all memory given out so far back: what was read into it is no longer valid. */
  reset(): void {
    for (const each of this.#buffers.values()) each.used = 0;
  }

  readonly take: Allocate = (bytes) => {
    const known = this.#buffers.get(bytes);
    const list = known ?? { all: [], used: 0 };
    if (known === undefined) this.#buffers.set(bytes, list);
    const buffer = (list.all[list.used] ??= new ArrayBuffer(bytes));
    list.used += 1;
    return buffer;
  };
}

function weightError(what: string): UserError {
  return new UserError('weightsDamaged', `${what}.`, 'Fetch or export the file again.');
}

/** Value of an IEEE half-precision number given as its bits. */
export function halfToFloat(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** Bytes of a stretch of a file. */
async function readStretch(
  { file, byteOffset, byteLength }: StoredTensor,
  allocate: Allocate,
): Promise<Uint8Array<ArrayBuffer>> {
  // Not from Buffer's shared pool: the result must start aligned.
  const bytes = new Uint8Array(allocate(byteLength));
  let handle;
  try {
    handle = await open(file, 'r');
    let reached = 0;
    while (reached < byteLength) {
      const { bytesRead } = await handle.read(bytes, reached, byteLength - reached, byteOffset + reached);
      if (bytesRead === 0) throw weightError(`${file} ends too early: it was changed while it was read`);
      reached += bytesRead;
    }
  } catch (error) {
    if (error instanceof UserError) throw error;
    const why = error instanceof Error ? error.message : String(error);
    throw new UserError('fileUnreadable', `${file} can't be read (${why}).`, 'Check that the file exists.', {
      cause: error,
    });
  } finally {
    await handle?.close();
  }
  return bytes;
}

function toFloats(bytes: Uint8Array<ArrayBuffer>, dtype: FloatDtype, allocate: Allocate): Float32Array<ArrayBuffer> {
  if (dtype === 'F32') return new Float32Array(bytes.buffer);
  const floats = (count: number): Float32Array<ArrayBuffer> =>
    new Float32Array(allocate(count * Float32Array.BYTES_PER_ELEMENT));
  if (dtype === 'F64') {
    const doubles = new Float64Array(bytes.buffer);
    const rounded = floats(doubles.length);
    rounded.set(doubles);
    return rounded;
  }
  const words = new Uint16Array(bytes.buffer);
  const out = floats(words.length);
  if (dtype === 'F16') {
    for (let i = 0; i < words.length; i += 1) out[i] = halfToFloat(words[i]!);
    return out;
  }
  const bits = new Uint32Array(out.buffer);
  for (let i = 0; i < words.length; i += 1) bits[i] = words[i]! << 16;
  return out;
}

/** Row-major copy of a strided tensor. */
function gather(data: Float32Array, shape: readonly number[], strides: readonly number[]): Float32Array<ArrayBuffer> {
  const out = new Float32Array(elementCount(shape));
  const index = shape.map(() => 0);
  let from = 0;
  for (let to = 0; to < out.length; to += 1) {
    out[to] = data[from]!;
    for (let axis = shape.length - 1; axis >= 0; axis -= 1) {
      index[axis] = index[axis]! + 1;
      from += strides[axis]!;
      if (index[axis]! < shape[axis]!) break;
      from -= strides[axis]! * shape[axis]!;
      index[axis] = 0;
    }
  }
  return out;
}

function firstNonFinite(data: Float32Array<ArrayBuffer>): number {
  // On the bits: NaN and the infinities have all exponent bits set.
  const bits = new Uint32Array(data.buffer, data.byteOffset, data.length);
  for (let i = 0; i < bits.length; i += 1) if ((bits[i]! & 0x7f800000) === 0x7f800000) return i;
  return -1;
}

/**
 * Reads one tensor as float32, whatever floating type the file has.
 * @param name what to call it in messages
 * @param allocate where the numbers go; default: memory of their own
 * @throws UserError `fileUnreadable` | `weightsDamaged` for a NaN or an infinity
 */
export async function readWeight(
  tensor: WeightTensor,
  name: string,
  allocate: Allocate = fresh,
): Promise<Float32Array<ArrayBuffer>> {
  const floatsOf = (count: number): Float32Array<ArrayBuffer> =>
    new Float32Array(allocate(count * Float32Array.BYTES_PER_ELEMENT));
  const read = async (piece: WeightTensor['pieces'][number]): Promise<Float32Array<ArrayBuffer>> => {
    if ('zeros' in piece) return floatsOf(piece.zeros).fill(0);
    if ('values' in piece) {
      const copy = floatsOf(piece.values.length);
      copy.set(piece.values);
      return copy;
    }
    const floats = toFloats(await readStretch(piece, allocate), piece.dtype, allocate);
    const data = piece.strides === undefined ? floats : gather(floats, piece.shape, piece.strides);
    const bad = firstNonFinite(data);
    if (bad >= 0) throw weightError(`${piece.file}: tensor '${name}' holds ${data[bad]}, which is not a finite number`);
    return data;
  };
  if (tensor.pieces.length === 1) return read(tensor.pieces[0]!);
  const out = floatsOf(elementCount(tensor.shape));
  let at = 0;
  for (const piece of tensor.pieces) {
    const data = await read(piece);
    out.set(data, at);
    at += data.length;
  }
  return out;
}

function lengthOf(piece: WeightTensor['pieces'][number]): number {
  if ('zeros' in piece) return piece.zeros;
  return 'values' in piece ? piece.values.length : elementCount(piece.shape);
}

/**
 * Rows `[from, from + count)` of a tensor's first axis as float32; only their stretch of the file is read.
 * @throws UserError as {@link readWeight}
 */
export async function readRows(
  tensor: WeightTensor,
  from: number,
  count: number,
  name: string,
  allocate: Allocate = fresh,
): Promise<Float32Array<ArrayBuffer>> {
  const row = elementCount(tensor.shape.slice(1));
  const [begin, end] = [from * row, (from + count) * row];
  const shape = [count, ...tensor.shape.slice(1)];
  if (tensor.pieces.some((piece) => 'strides' in piece))
    return (await readWeight(tensor, name, allocate)).slice(begin, end);
  const pieces: WeightTensor['pieces'][number][] = [];
  let at = 0;
  for (const piece of tensor.pieces) {
    const length = lengthOf(piece);
    const first = Math.max(0, begin - at);
    const taken = Math.min(length, end - at) - first;
    at += length;
    if (taken <= 0) continue;
    if ('zeros' in piece) pieces.push({ zeros: taken });
    else if ('values' in piece) pieces.push({ values: piece.values.subarray(first, first + taken) });
    else {
      const bytes = floatBytes[piece.dtype];
      const byteOffset = piece.byteOffset + first * bytes;
      pieces.push({ ...piece, shape: [taken], byteOffset, byteLength: taken * bytes });
    }
  }
  return readWeight({ shape, pieces }, name, allocate);
}
