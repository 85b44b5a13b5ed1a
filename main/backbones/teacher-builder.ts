/** The DINOv2 encoder in ONNX operators (method-spec section 2). */
import { UserError } from '../../shared/errors.ts';
import type { Grid, PositionMode } from '../nn/resample.ts';
import type { OnnxGraph } from '../onnx/graph.ts';
import type { EncoderWeights } from './dinov2.ts';
import { TeacherWeights, type TeacherPrecision } from './teacher-weights.ts';

/** LayerNorm of DINOv2's encoder. */
const dinov2Eps = 1e-6;

/** ImageNet's mean and standard deviation on values of 0..255, as DINOv2 was trained. */
export const dinov2Mean = [123.675, 116.28, 103.53] as const;
export const dinov2Scale = [58.395, 57.12, 57.375] as const;

export interface TeacherOptions {
  /** Pixels, multiples of 14; a rectangle is fine. Grid: `height / 14` rows, `width / 14` columns. */
  readonly width: number;
  readonly height: number;
  readonly positionMode: PositionMode;
  /** Default `float32`. */
  readonly precision?: TeacherPrecision;
  /**
   * `pixels` (default): uint8 `[B, H, W, 3]`, RGB, normalised in the graph. `image`: float32 `[B, 3, H, W]`, normalised by
   * the caller.
   */
  readonly input?: 'pixels' | 'image';
  /** Default: DINOv2's 1e-6. */
  readonly layerNormEps?: number;
  /** Subtracted from RGB values of 0..255, then divided by `scale`. Default: {@link dinov2Mean}, {@link dinov2Scale}. */
  readonly mean?: readonly number[];
  readonly scale?: readonly number[];
}

/**
 * The teacher's values within a graph. T = 1 + registers + N tokens in the order class, registers, patches row by row
 * (N = rows * columns); C is the embedding's width; layers count from 1.
 */
export interface TeacherValues {
  /**
   * Normalised pixels of every patch in the order of the projection's weights (channel, row, column): `[B, N, 588]`. Empty
   * for an encoder that was given embedded tokens.
   */
  readonly patches: string;
  /** Embedded tokens before the first block, `[B, T, C]`. */
  readonly tokens0: string;
  /** Raw output of a block, before the final LayerNorm: `[B, T, C]`. */
  layer(number: number): string;
  /** Mean over layers, all tokens: `[B, T, C]`; the paper's groups. */
  groupMean(layers: readonly number[]): string;
  /** Final LayerNorm of the last layer, all tokens: `[B, T, C]`. */
  readonly normed: string;
  /**
   * Raw class token after every block, then the final normed one: `[B, depth + 1, C]`. Unless the last layer was asked
   * for before, it is computed for the class token alone, without keys and values.
   */
  readonly classTokens: string;
  /** T */
  readonly tokens: number;
  readonly grid: Grid;
}

/**
 * Width or height as the network takes it: rounded to a multiple of the patch, half a patch upwards; at least one patch.
 * Pictures are resized to it as a whole, nothing is cut off or padded.
 */
export function fittingSide(side: number, patch = 14): number {
  return Math.max(1, Math.round(side / patch)) * patch;
}

/** @throws UserError `inputSizeUnfit` saying which size fits */
export function teacherGrid({ width, height }: Pick<TeacherOptions, 'width' | 'height'>, patch: number): Grid {
  if (width % patch === 0 && height % patch === 0 && width > 0 && height > 0) {
    return { rows: height / patch, columns: width / patch };
  }
  throw new UserError(
    'inputSizeUnfit',
    `The network looks at patches of ${patch} x ${patch} pixels; ${width} x ${height} pixels are not made of whole ones.`,
    `Take ${fittingSide(width, patch)} x ${fittingSide(height, patch)}: pictures are resized to it.`,
  );
}

/** Builds blocks as they are asked for. */
export class Teacher implements TeacherValues {
  readonly patches: string = '';
  readonly tokens0: string;
  readonly tokens: number;
  readonly grid: Grid;
  readonly #graph: OnnxGraph;
  readonly #weights: EncoderWeights;
  readonly #constants: TeacherWeights;
  readonly #eps: number;
  /** Outputs of the blocks so far, `[B*T, C]`; the first is the embedding. */
  readonly #flat: string[];
  readonly #layers = new Map<number, string>();

  /** @param source pixels, or tokens that another encoder has embedded */
  constructor(
    graph: OnnxGraph,
    source: string | { readonly tokens0: string },
    weights: EncoderWeights,
    options: TeacherOptions,
    prefix: string,
  ) {
    this.#graph = graph;
    this.#weights = weights;
    this.#constants = new TeacherWeights(graph, weights, options.precision ?? 'float32', prefix);
    this.grid = teacherGrid(options, weights.patch);
    const { rows, columns } = this.grid;
    const { embedDim, registers, patch } = weights;
    this.tokens = 1 + registers + rows * columns;
    this.#eps = options.layerNormEps ?? dinov2Eps;
    if (typeof source !== 'string') {
      this.tokens0 = source.tokens0;
      this.#flat = [this.#reshape(this.tokens0, [-1, embedDim])];
      return;
    }

    const pixels = source;
    const flatPatches = options.input === 'image' ? this.#cutPatches(pixels) : this.#normalisedPatches(pixels, options);
    this.patches = this.#reshape(flatPatches, [-1, rows * columns, 3 * patch * patch]);
    const embedded = this.#reshape(this.#constants.dense(flatPatches, 'patch_embed.proj'), [
      -1,
      rows * columns,
      embedDim,
    ]);
    const placed = graph.node('Add', [embedded, this.#constants.patchPositions(this.grid, options.positionMode)])[0];
    const batch = graph.node('Shape', [pixels], { start: { int: 0 }, end: { int: 1 } })[0];
    const target = graph.node('Concat', [batch, graph.ints([1 + registers, embedDim])], { axis: { int: 0 } })[0];
    const first = graph.node('Expand', [this.#constants.prefixTokens(), target])[0];
    this.tokens0 = graph.node('Concat', [first, placed], { axis: { int: 1 } })[0];
    this.#flat = [this.#reshape(this.tokens0, [-1, embedDim])];
  }

  /** uint8 `[B, H, W, 3]` -> `[B*N, 3*patch*patch]`; bytes are moved before they become floats, a quarter of the work. */
  #normalisedPatches(pixels: string, options: TeacherOptions): string {
    const graph = this.#graph;
    const { patch } = this.#weights;
    const { rows, columns } = this.grid;
    const cut = this.#reshape(pixels, [-1, rows, patch, columns, patch, 3]);
    const moved = graph.node('Transpose', [cut], { perm: { ints: [0, 1, 3, 5, 2, 4] } })[0];
    const float = graph.node('Cast', [moved], { to: { int: 1 } })[0];
    const flat = this.#reshape(float, [-1, 3 * patch * patch]);
    const perChannel = (values: readonly number[]): string => {
      const data = new Float32Array(3 * patch * patch);
      values.forEach((value, c) => data.fill(value, c * patch * patch, (c + 1) * patch * patch));
      return graph.initializer(undefined, 'float32', [data.length], data);
    };
    const centred = graph.node('Sub', [flat, perChannel(options.mean ?? dinov2Mean)])[0];
    return graph.node('Div', [centred, perChannel(options.scale ?? dinov2Scale)])[0];
  }

  /** float32 `[B, 3, H, W]` -> `[B*N, 3*patch*patch]` */
  #cutPatches(image: string): string {
    const { patch } = this.#weights;
    const { rows, columns } = this.grid;
    const cut = this.#reshape(image, [-1, 3, rows, patch, columns, patch]);
    const moved = this.#graph.node('Transpose', [cut], { perm: { ints: [0, 2, 4, 1, 3, 5] } })[0];
    return this.#reshape(moved, [-1, 3 * patch * patch]);
  }

  #reshape(x: string, shape: readonly number[]): string {
    return this.#graph.node('Reshape', [x, this.#graph.ints(shape)])[0];
  }

  #norm(x: string, name: string): string {
    const constants = this.#constants;
    return this.#graph.node(
      'LayerNormalization',
      [x, constants.plain(`${name}.weight`), constants.plain(`${name}.bias`)],
      { axis: { int: -1 }, epsilon: { float: this.#eps } },
    )[0];
  }

  /** `[B*S, heads*d]` -> `[B, heads, S, d]`, keys as `[B, heads, d, S]`. */
  #heads(x: string, tokens: number, kind: 'rows' | 'keys' = 'rows'): string {
    const { heads, embedDim } = this.#weights;
    const split = this.#reshape(x, [-1, tokens, heads, embedDim / heads]);
    const perm = kind === 'keys' ? [0, 2, 3, 1] : [0, 2, 1, 3];
    return this.#graph.node('Transpose', [split], { perm: { ints: perm } })[0];
  }

  /** First token of every picture, `[B*T, C]` -> `[B, C]`. */
  #firstTokens(flat: string): string {
    const { embedDim } = this.#weights;
    const tokens = this.#reshape(flat, [-1, this.tokens, embedDim]);
    const first = this.#graph.node('Gather', [tokens, this.#graph.ints([0])], { axis: { int: 1 } })[0];
    return this.#reshape(first, [-1, embedDim]);
  }

  /**
   * Queries, keys or values of a block from normed tokens. The factor d^-1/2 goes into the queries' weights: heads of 64
   * make it 1/8, which changes no bit but the exponent.
   */
  #project(normed: string, name: string, part: 0 | 1 | 2): string {
    const { embedDim: c, heads } = this.#weights;
    const rows = { from: part * c, count: c };
    return this.#constants.dense(normed, `${name}.attn.qkv`, {
      rows,
      ...(part === 0 && { factor: (c / heads) ** -0.5 }),
    });
  }

  /** Softmax attention over all tokens, `[B*T, C]` -> `[B*T, C]`; for the class token's queries alone `[B, C]`. */
  #attend(normed: string, name: string, onlyFirst: boolean): string {
    const graph = this.#graph;
    const asking = onlyFirst ? this.#firstTokens(normed) : normed;
    const q = this.#heads(this.#project(asking, name, 0), onlyFirst ? 1 : this.tokens);
    const k = this.#heads(this.#project(normed, name, 1), this.tokens, 'keys');
    const v = this.#heads(this.#project(normed, name, 2), this.tokens);
    const weights = graph.node('Softmax', [graph.node('MatMul', [q, k])[0]], { axis: { int: -1 } })[0];
    const mixed = graph.node('Transpose', [graph.node('MatMul', [weights, v])[0]], { perm: { ints: [0, 2, 1, 3] } })[0];
    return this.#reshape(mixed, [-1, this.#weights.embedDim]);
  }

  /**
   * The same for the class token's queries without ever making keys and values: `q (X Wk^T)^T = (q Wk) X^T`, and
   * `p (X Wv^T) = (p X) Wv^T`. The keys' bias adds the same to all of a query's scores, which softmax ignores.
   */
  #attendFromClass(normed: string, name: string): string {
    const graph = this.#graph;
    const { embedDim: c, heads } = this.#weights;
    const tokens = this.#reshape(normed, [-1, this.tokens, c]);
    const q = this.#reshape(this.#project(this.#firstTokens(normed), name, 0), [-1, heads, 1, c / heads]);
    const asked = graph.node('MatMul', [q, this.#constants.headWeights(name, 'keys')])[0];
    const columns = graph.node('Transpose', [this.#reshape(asked, [-1, heads, c])], { perm: { ints: [0, 2, 1] } })[0];
    const scores = graph.node('Transpose', [graph.node('MatMul', [tokens, columns])[0]], { perm: { ints: [0, 2, 1] } });
    const weights = graph.node('Softmax', [scores[0]], { axis: { int: -1 } })[0];
    const seen = this.#reshape(graph.node('MatMul', [weights, tokens])[0], [-1, heads, 1, c]);
    const mixed = graph.node('MatMul', [seen, this.#constants.headWeights(name, 'values')])[0];
    return graph.node('Add', [this.#reshape(mixed, [-1, c]), this.#constants.valueBias(name)])[0];
  }

  /** One block: `[B*T, C]` -> `[B*T, C]`, or its class tokens alone, `[B, C]`. */
  #block(x: string, index: number, onlyFirst = false): string {
    const graph = this.#graph;
    const constants = this.#constants;
    const name = `blocks.${index}`;
    const normed = this.#norm(x, `${name}.norm1`);
    const merged =
      onlyFirst && constants.precision !== 'int8'
        ? this.#attendFromClass(normed, name)
        : this.#attend(normed, name, onlyFirst);
    const attended = constants.dense(merged, `${name}.attn.proj`, { factor: `${name}.ls1.gamma` });
    const middle = graph.node('Add', [onlyFirst ? this.#firstTokens(x) : x, attended])[0];
    const wide = constants.dense(this.#norm(middle, `${name}.norm2`), `${name}.mlp.fc1`);
    const active = graph.node('Gelu', [wide])[0];
    return graph.node('Add', [middle, constants.dense(active, `${name}.mlp.fc2`, { factor: `${name}.ls2.gamma` })])[0];
  }

  /** Flat output of a layer; 0 is the embedding. */
  #flatLayer(number: number): string {
    for (let i = this.#flat.length; i <= number; i += 1) this.#flat.push(this.#block(this.#flat[i - 1]!, i - 1));
    return this.#flat[number]!;
  }

  layer(number: number): string {
    if (!Number.isInteger(number) || number < 1 || number > this.#weights.depth) {
      throw new RangeError(`layer ${number} of ${this.#weights.depth}`);
    }
    let value = this.#layers.get(number);
    if (value === undefined) {
      value = this.#reshape(this.#flatLayer(number), [-1, this.tokens, this.#weights.embedDim]);
      this.#layers.set(number, value);
    }
    return value;
  }

  groupMean(layers: readonly number[]): string {
    const graph = this.#graph;
    const sum = layers.map((number) => this.layer(number)).reduce((total, x) => graph.node('Add', [total, x])[0]);
    return graph.node('Mul', [sum, graph.scalar(1 / layers.length)])[0];
  }

  get normed(): string {
    const flat = this.#norm(this.#flatLayer(this.#weights.depth), 'norm');
    return this.#reshape(flat, [-1, this.tokens, this.#weights.embedDim]);
  }

  get classTokens(): string {
    const graph = this.#graph;
    const { depth, embedDim } = this.#weights;
    const before = this.#flatLayer(depth - 1);
    const collected = this.#flat.slice(1, depth).map((flat) => this.#firstTokens(flat));
    const full = this.#flat[depth];
    const last = full === undefined ? this.#block(before, depth - 1, true) : this.#firstTokens(full);
    collected.push(last, this.#norm(last, 'norm'));
    const rows = collected.map((flat) => this.#reshape(flat, [-1, 1, embedDim]));
    return graph.node('Concat', rows, { axis: { int: 1 } })[0];
  }
}
