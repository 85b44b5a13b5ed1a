/**
 * Writes DINOv2 weight files of the real shapes with seeded numbers, in every public form: what the real files are
 * replaced by wherever they can't be had. A network with such weights runs like the real one and knows nothing.
 */
import { writeFileAtomic } from '../system/atomic-file.ts';
import { dinov2Sizes, type Dinov2Naming, type Dinov2Size } from './dinov2.ts';
import { dinov2Shapes, storedNames, type Dinov2Layout } from './dinov2-names.ts';
import { toHalf } from './teacher-weights.ts';
import { writeTorchArchive } from './torch-archive.ts';
import path from 'node:path';

export interface SeededWeightsOptions {
  /** Public size, or a layout of one's own. */
  readonly size: Dinov2Size | Omit<Dinov2Layout, 'registers' | 'patch'>;
  /** Default 4. */
  readonly registers?: number;
  /** Default `huggingface`. */
  readonly naming?: Dinov2Naming;
  /** Default: by the name of the file, `.pth` is `torch`. `sharded` writes `<file>` as index and its parts beside it. */
  readonly form?: 'safetensors' | 'sharded' | 'torch';
  readonly dtype?: 'F32' | 'F16' | 'BF16';
  /** Put before every name, e.g. `dinov2.`. */
  readonly prefix?: string;
  /** Default 0. */
  readonly seed?: number;
}

/** A tensor to be written; its numbers are made when they are needed. */
export interface MadeTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: 'F32' | 'F16' | 'BF16';
  readonly byteLength: number;
  readonly make: () => Uint8Array;
}

/** Marsaglia's xorshift with a seed that differs from tensor to tensor: numbers don't depend on the order of writing. */
function randomNumbers(seed: number, key: string): () => number {
  let state = 2166136261 ^ seed;
  for (let i = 0; i < key.length; i += 1) state = Math.imul(state ^ key.charCodeAt(i), 16777619);
  state ||= 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32 - 0.5;
  };
}

/** Mean and width of the numbers of one tensor, such that activations stay of the order of one. */
function range(key: string, embedDim: number): { mean: number; width: number } {
  if (/norm\d?\.weight$/.test(key)) return { mean: 1, width: 0.2 };
  if (key.endsWith('gamma')) return { mean: 0.3, width: 0.3 };
  if (key.endsWith('.bias')) return { mean: 0, width: 0.05 };
  if (key === 'patch_embed.proj.weight') return { mean: 0, width: 0.12 };
  if (key.endsWith('.weight')) return { mean: 0, width: Math.sqrt(12 / embedDim) };
  return { mean: 0, width: 0.2 };
}

function numbersOf(key: string, count: number, seed: number, embedDim: number): Float32Array<ArrayBuffer> {
  const next = randomNumbers(seed, key);
  const { mean, width } = range(key, embedDim);
  const out = new Float32Array(count);
  // A few steps apart from the seed, which similar names share bits of.
  for (let i = 0; i < 8; i += 1) next();
  for (let i = 0; i < count; i += 1) out[i] = mean + width * next();
  return out;
}

const bytesOf = (data: ArrayBufferView): Uint8Array => new Uint8Array(data.buffer, data.byteOffset, data.byteLength);

function encode(data: Float32Array<ArrayBuffer>, dtype: MadeTensor['dtype'], name: string): Uint8Array {
  if (dtype === 'F32') return bytesOf(data);
  if (dtype === 'F16') return bytesOf(toHalf(data, name));
  const bits = new Uint32Array(data.buffer, data.byteOffset, data.length);
  return bytesOf(Uint16Array.from(bits, (word) => word >>> 16));
}

/** All tensors of a file; the numbers are the same in every form and naming. */
export function seededTensors(options: SeededWeightsOptions): MadeTensor[] {
  const { size, registers = 4, naming = 'huggingface', dtype = 'F32', prefix = '', seed = 0 } = options;
  const base = typeof size === 'string' ? { ...dinov2Sizes[size], storedGrid: 37 } : size;
  const { embedDim, depth, storedGrid } = base;
  const shapes = dinov2Shapes({ embedDim, depth, storedGrid, registers, patch: 14 });
  if (naming !== 'timm') shapes.set('mask_token', [1, embedDim]);
  const made: MadeTensor[] = [];
  const add = (name: string, shape: readonly number[], numbers: () => Float32Array<ArrayBuffer>): void => {
    const byteLength = shape.reduce((product, n) => product * n, dtype === 'F32' ? 4 : 2);
    made.push({ name: prefix + name, shape, dtype, byteLength, make: () => encode(numbers(), dtype, name) });
  };
  const isAdded = naming === 'timm' && registers > 0;
  for (const [key, shape] of shapes) {
    const count = shape.reduce((product, n) => product * n, 1);
    const numbers = () => numbersOf(key, count, seed, embedDim);
    const names = key === 'mask_token' && naming === 'huggingface' ? [`embeddings.${key}`] : storedNames(key, naming);
    if (isAdded && key === 'cls_token') {
      // timm adds the class position and drops it from the table.
      add(key, shape, () => {
        const position = numbersOf('pos_embed', (1 + storedGrid ** 2) * embedDim, seed, embedDim);
        return numbers().map((value, c) => value + position[c]!);
      });
    } else if (isAdded && key === 'pos_embed') {
      add(key, [1, storedGrid ** 2, embedDim], () => numbers().slice(embedDim));
    } else {
      const part = count / names.length;
      names.forEach((name, i) => {
        add(name, [shape[0]! / names.length, ...shape.slice(1)], () => numbers().slice(i * part, (i + 1) * part));
      });
    }
  }
  return made;
}

async function* safetensorsPieces(tensors: readonly MadeTensor[]): AsyncGenerator<Uint8Array> {
  let offset = 0;
  const header: Record<string, unknown> = { __metadata__: { format: 'pt' } };
  for (const { name, shape, dtype, byteLength } of tensors) {
    header[name] = { dtype, shape, data_offsets: [offset, offset + byteLength] };
    offset += byteLength;
  }
  const json = new TextEncoder().encode(JSON.stringify(header));
  const length = Math.ceil(json.length / 8) * 8;
  const start = new Uint8Array(8 + length).fill(0x20);
  new DataView(start.buffer).setBigUint64(0, BigInt(length), true);
  start.set(json, 8);
  yield start;
  for (const tensor of tensors) yield await Promise.resolve(tensor.make());
}

/**
 * Writes a weight file, one tensor in memory at a time.
 * @returns the files written; the first is the one to open
 * @throws UserError `diskFull` | `notWritable` | `writeFailed`
 */
export async function writeSeededWeights(file: string, options: SeededWeightsOptions): Promise<string[]> {
  const tensors = seededTensors(options);
  const form = options.form ?? (/\.(pth|pt|bin)$/.test(file) ? 'torch' : 'safetensors');
  if (form === 'torch') {
    await writeFileAtomic(file, writeTorchArchive(tensors, path.basename(file).replace(/\.\w+$/, '')));
    return [file];
  }
  if (form === 'safetensors') {
    await writeFileAtomic(file, safetensorsPieces(tensors));
    return [file];
  }
  const half = Math.ceil(tensors.length / 2);
  const map: Record<string, string> = {};
  const files = [file];
  for (const [i, part] of [tensors.slice(0, half), tensors.slice(half)].entries()) {
    const name = `model-0000${i + 1}-of-00002.safetensors`;
    for (const tensor of part) map[tensor.name] = name;
    const full = path.join(path.dirname(file), name);
    await writeFileAtomic(full, safetensorsPieces(part));
    files.push(full);
  }
  const total = tensors.reduce((sum, { byteLength }) => sum + byteLength, 0);
  await writeFileAtomic(file, JSON.stringify({ metadata: { total_size: total }, weight_map: map }, null, 2));
  return files;
}
