/** A DINOv2 encoder's weights as constants of an ONNX graph, read when the graph is written. */
import { UserError } from '../../shared/errors.ts';
import { positionMatrix, resamplePositions, type Grid, type PositionMode } from '../nn/resample.ts';
import type { OnnxDtype, OnnxGraph } from '../onnx/graph.ts';
import type { EncoderWeights } from './dinov2.ts';
import { elementCount, readRows, readWeight, Scratch } from './weight-tensor.ts';

/**
 * How the weights are kept: `float32`; `float16-storage` halves the file and computes in float32; `int8` quantises the
 * dense layers (weights per output channel, inputs while running).
 */
export type TeacherPrecision = 'float32' | 'float16-storage' | 'int8';

/** Rows of a dense layer that are wanted, e.g. the queries alone. */
export interface DenseRows {
  readonly from: number;
  readonly count: number;
}

const bytesOf = (data: ArrayBufferView): Uint8Array => new Uint8Array(data.buffer, data.byteOffset, data.byteLength);

/**
 * Bits of the nearest half-precision numbers, ties to even.
 * @throws UserError `weightsDamaged` for a number beyond the range (65504)
 */
export function toHalf(data: Float32Array<ArrayBuffer>, name: string): Uint16Array {
  const bits = new Uint32Array(data.buffer, data.byteOffset, data.length);
  const out = new Uint16Array(data.length);
  for (let i = 0; i < bits.length; i += 1) {
    const word = bits[i]!;
    const sign = (word >>> 16) & 0x8000;
    const magnitude = word & 0x7fffffff;
    let half;
    if (magnitude >= 0x477ff000) {
      throw new UserError(
        'weightsDamaged',
        `Tensor '${name}' holds ${data[i]}, too large for float16.`,
        'Use float32.',
      );
    } else if (magnitude >= 0x38800000) {
      // Normal: rebias the exponent, round to nearest even on the 13 bits that go.
      const rounded = magnitude - 0x38000000 + 0xfff + ((magnitude >>> 13) & 1);
      half = rounded >>> 13;
    } else {
      // Subnormal: a multiple of 2^-24. The product is exact, so the rounding is the only one.
      const scaled = Math.abs(data[i]!) * 2 ** 24;
      const floor = Math.floor(scaled);
      const rest = scaled - floor;
      half = floor + (rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? 1 : 0);
    }
    out[i] = sign | half;
  }
  return out;
}

/** A dense layer in 8 bits: `weight[k, n] ~ q[k, n] * scale[n]`. */
export interface QuantisedWeight {
  /** `[K, N]`, the layout MatMulInteger wants. */
  readonly q: Int8Array;
  readonly scale: Float32Array;
}

/**
 * Quantises rows `[N, K]` symmetrically, one scale per output channel, into `[K, N]`. 7 bits are used (-64 to 63): x86
 * processors without VNNI add pairs of 8-bit products in 16 bits, which overflow beyond that.
 */
export function quantiseRows(data: Float32Array, rows: number, columns: number): QuantisedWeight {
  const q = new Int8Array(rows * columns);
  const scale = new Float32Array(rows);
  for (let n = 0; n < rows; n += 1) {
    let most = 0;
    for (let k = 0; k < columns; k += 1) most = Math.max(most, Math.abs(data[n * columns + k]!));
    const step = most > 0 ? most / 63 : 1;
    scale[n] = step;
    for (let k = 0; k < columns; k += 1) q[k * rows + n] = Math.round(data[n * columns + k]! / step);
  }
  return { q, scale };
}

/** Puts the weights of one encoder into one graph, which is written by one writer at a time. */
export class TeacherWeights {
  readonly #graph: OnnxGraph;
  readonly #weights: EncoderWeights;
  readonly #precision: TeacherPrecision;
  readonly #prefix: string;
  readonly #known = new Set<string>();
  /** Constants are made one at a time, each when the one before is written: they share their memory. */
  readonly #scratch = new Scratch();

  get precision(): TeacherPrecision {
    return this.#precision;
  }

  /** @param prefix of the constants' names, to keep them apart from other networks in the graph */
  constructor(graph: OnnxGraph, weights: EncoderWeights, precision: TeacherPrecision, prefix: string) {
    this.#graph = graph;
    this.#weights = weights;
    this.#precision = precision;
    this.#prefix = prefix;
  }

  #read(key: string): Promise<Float32Array<ArrayBuffer>> {
    return readWeight(this.#weights.tensors.get(key)!, key, this.#scratch.take);
  }

  /** A constant that is there once, however often it is used. */
  #once(name: string, dtype: OnnxDtype, shape: readonly number[], make: () => Promise<ArrayBufferView>): string {
    const key = this.#prefix + name;
    if (this.#known.has(key)) return key;
    this.#known.add(key);
    return this.#graph.lazyInitializer(key, dtype, shape, async () => {
      this.#scratch.reset();
      return bytesOf(await make());
    });
  }

  /** A tensor as it is, in float32. */
  plain(key: string): string {
    const { shape } = this.#weights.tensors.get(key)!;
    return this.#once(key, 'float32', shape, () => this.#read(key));
  }

  /** Numbers made from the weights; in half precision where the file is to be small. */
  #stored(name: string, shape: readonly number[], make: () => Promise<Float32Array<ArrayBuffer>>): string {
    if (this.#precision === 'float32') return this.#once(name, 'float32', shape, make);
    const half = this.#once(name, 'float16', shape, async () => toHalf(await make(), name));
    return this.#graph.node('Cast', [half], { to: { int: 1 } })[0];
  }

  /** Class and register tokens with their positions (registers have none), `[1, 1 + R, C]`. */
  prefixTokens(): string {
    const { registers, embedDim } = this.#weights;
    const shape = [1, 1 + registers, embedDim];
    return this.#once('prefix', 'float32', shape, async () => {
      const out = new Float32Array(elementCount(shape));
      const position = (await this.#read('pos_embed')).subarray(0, embedDim);
      (await this.#read('cls_token')).forEach((value, c) => (out[c] = value + position[c]!));
      if (registers > 0) out.set(await this.#read('register_tokens'), embedDim);
      return out;
    });
  }

  /** Positions of the patches on a grid, `[1, N, C]` (method-spec section 2.1). */
  patchPositions(grid: Grid, mode: PositionMode): string {
    const { embedDim, storedGrid } = this.#weights;
    const name = positionMatrix(grid, storedGrid, mode) === undefined ? 'positions' : `positions.${mode}`;
    const shape = [1, grid.rows * grid.columns, embedDim];
    return this.#once(name, 'float32', shape, async () => {
      const table = resamplePositions(await this.#read('pos_embed'), embedDim, grid, storedGrid, mode);
      return table.subarray(embedDim);
    });
  }

  /**
   * Dense layer `x W^T + b` on `[M, K]`, whole or some of its rows, optionally times a number per output (LayerScale).
   *
   * In float32 the factor goes into weight and bias, which saves a pass over the activations and costs one rounding of
   * each weight. In float16 it stays apart: products might be too small for the type. In int8 it goes into the scales.
   *
   * @param x `[M, K]`
   * @param factor one number for all (a power of two keeps the weights exact), or the key of a vector `[N]`
   */
  dense(x: string, key: string, options: { rows?: DenseRows; factor?: number | string } = {}): string {
    const graph = this.#graph;
    const [height, ...tail] = this.#weights.tensors.get(`${key}.weight`)!.shape as [number, ...number[]];
    const width = elementCount(tail);
    const { from, count } = options.rows ?? { from: 0, count: height };
    const name = options.rows === undefined ? key : `${key}.${from}-${from + count}`;
    const { factor } = options;
    const apart = typeof factor === 'string' && this.#precision === 'float16-storage';

    const scaled = async (leaf: 'weight' | 'bias'): Promise<Float32Array<ArrayBuffer>> => {
      const step = leaf === 'weight' ? width : 1;
      const label = `${key}.${leaf}`;
      const part = await readRows(this.#weights.tensors.get(label)!, from, count, label, this.#scratch.take);
      if (factor === undefined || apart) return part;
      const gamma = typeof factor === 'string' ? await this.#read(factor) : undefined;
      for (let row = 0; row < count; row += 1) {
        const by = gamma === undefined ? (factor as number) : gamma[row]!;
        for (let i = row * step; i < (row + 1) * step; i += 1) part[i] = part[i]! * by;
      }
      return part;
    };
    const bias = this.#once(`${name}.bias`, 'float32', [count], () => scaled('bias'));
    if (this.#precision === 'int8') {
      return this.#quantised(x, name, [width, count], bias, () => scaled('weight'));
    }
    const weight = this.#stored(`${name}.weight`, [count, width], () => scaled('weight'));
    const y = graph.node('Gemm', [x, weight, bias], { transB: { int: 1 } })[0];
    return apart ? graph.node('Mul', [y, this.plain(factor)])[0] : y;
  }

  /**
   * Weights of the keys or values of every head, for products with one query: keys `[heads, d, C]`, values `[heads, C, d]`.
   * Not for `int8`, whose products are whole layers.
   */
  headWeights(block: string, kind: 'keys' | 'values'): string {
    const { embedDim: c, heads } = this.#weights;
    const d = c / heads;
    const key = `${block}.attn.qkv.weight`;
    const rows = () =>
      readRows(this.#weights.tensors.get(key)!, kind === 'keys' ? c : 2 * c, c, key, this.#scratch.take);
    if (kind === 'keys') return this.#stored(`${block}.attn.keys`, [heads, d, c], rows);
    return this.#stored(`${block}.attn.values`, [heads, c, d], async () => {
      const data = await rows();
      const out = new Float32Array(data.length);
      for (let row = 0; row < c; row += 1) {
        const at = Math.floor(row / d) * c * d + (row % d);
        for (let i = 0; i < c; i += 1) out[at + i * d] = data[row * c + i]!;
      }
      return out;
    });
  }

  /** Bias of the values, `[C]`. */
  valueBias(block: string): string {
    const { embedDim: c, tensors } = this.#weights;
    const key = `${block}.attn.qkv.bias`;
    return this.#once(`${block}.attn.values.bias`, 'float32', [c], () => readRows(tensors.get(key)!, 2 * c, c, key));
  }

  /** The pattern that ONNX Runtime fuses into one operator on x86 and ARM processors. */
  #quantised(
    x: string,
    name: string,
    [width, count]: readonly [number, number],
    bias: string,
    make: () => Promise<Float32Array>,
  ): string {
    const graph = this.#graph;
    let made: Promise<QuantisedWeight> | undefined;
    // Weight and scales come from the same numbers; whichever is asked for second gets what is left.
    const take = async (): Promise<QuantisedWeight> => {
      if (made === undefined) {
        made = make().then((data) => quantiseRows(data, count, width));
        return made;
      }
      const known = made;
      made = undefined;
      return known;
    };
    const q = this.#once(`${name}.weight`, 'int8', [width, count], async () => (await take()).q);
    const scale = this.#once(`${name}.scale`, 'float32', [count], async () => (await take()).scale);
    const [inputs, inputScale, inputZero] = graph.node('DynamicQuantizeLinear', [x], {}, 3) as [string, string, string];
    const product = graph.node('MatMulInteger', [inputs, q, inputZero])[0];
    const both = graph.node('Mul', [inputScale, scale])[0];
    const y = graph.node('Mul', [graph.node('Cast', [product], { to: { int: 1 } })[0], both])[0];
    return graph.node('Add', [y, bias])[0];
  }
}
