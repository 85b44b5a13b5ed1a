/** The paper's teacher as an ONNX graph, straight from a DINOv2 weight file (method-spec section 2). */
import { UserError } from '../../shared/errors.ts';
import type { PositionMode } from '../nn/resample.ts';
import type { OnnxGraph } from '../onnx/graph.ts';
import type { Dinov2Weights } from './dinov2.ts';

/**
 * How the weights are kept: `float32`; `float16-storage` halves the file and computes in float32; `int8` quantises the
 * dense layers (weights per output channel, inputs while running).
 */
export type TeacherPrecision = 'float32' | 'float16-storage' | 'int8';

export interface TeacherOptions {
  /** Pixels, multiples of 14; a rectangle is fine. Grid: `height / 14` rows, `width / 14` columns. */
  readonly width: number;
  readonly height: number;
  readonly positionMode: PositionMode;
  /** Default `float32`. */
  readonly precision?: TeacherPrecision;
  /** Subtracted from and divided into RGB values of 0..255. Default: ImageNet's, as DINOv2 was trained. */
  readonly mean?: readonly [number, number, number];
  readonly scale?: readonly [number, number, number];
}

/**
 * The teacher's values within a graph. T = 1 + registers + N tokens in the order class, registers, patches row by row
 * (N = rows * columns); C is the embedding's width; layers count from 1.
 */
export interface TeacherValues {
  /** Normalised pixels of every patch in the order of the projection's weights (channel, row, column): `[B, N, 588]`. */
  readonly patches: string;
  /** Embedded tokens before the first block, `[B, T, C]`. */
  readonly tokens0: string;
  /** Raw output of a block, before the final LayerNorm: `[B, T, C]`. Asking for the last layer makes it run in full. */
  layer(number: number): string;
  /** Mean over layers, all tokens: `[B, T, C]`; the paper's groups. */
  groupMean(layers: readonly number[]): string;
  /** Raw class token after every block, then the final normed one: `[B, depth + 1, C]`. */
  readonly classTokens: string;
  readonly tokens: number;
  readonly grid: { readonly rows: number; readonly columns: number };
}

export interface TeacherGraphOptions extends TeacherOptions {
  /** 1-based layers of each group; each becomes an output `teacherGroup1`, `teacherGroup2`... */
  readonly groups?: readonly (readonly number[])[];
  /** 1-based layers that become outputs `layer3`... as they are. */
  readonly taps?: readonly number[];
  /** Further outputs. Class tokens and `tokens0` are there unless switched off, `patches` only where asked for. */
  readonly classTokens?: boolean;
  readonly tokens0?: boolean;
  readonly patches?: boolean;
  /** `inline`: one file, at most 2 GB; `external`: numbers in `<file>.data` beside it. Default: inline where it fits. */
  readonly storage?: 'inline' | 'external';
}

export interface WrittenGraph {
  /** Path of the ONNX file, and of its data file where there is one. */
  readonly files: readonly string[];
  readonly bytes: number;
  /** sha256 of the ONNX file, followed by its data file where there is one. */
  readonly graphHash: string;
  /** `batch` is the one open dimension. */
  readonly outputs: readonly { readonly name: string; readonly shape: readonly ('batch' | number)[] }[];
}

/** Adds the teacher to a graph; its numbers are read when the graph is written. `pixels` is uint8 `[B, H, W, 3]`. */
export function addTeacher(
  graph: OnnxGraph,
  pixels: string,
  weights: Dinov2Weights,
  options: TeacherOptions,
): Promise<TeacherValues> {
  void [graph, pixels, options];
  return Promise.reject(new UserError('backboneUnknown', `${weights.statement} can't be built yet.`));
}

/** Writes the teacher alone: input `pixels` uint8 `[B, H, W, 3]`, outputs named as in `makePaperModel`'s inputs. */
export function writeTeacherGraph(
  weights: Dinov2Weights,
  options: TeacherGraphOptions,
  outPath: string,
): Promise<WrittenGraph> {
  void [options, outPath];
  return Promise.reject(new UserError('backboneUnknown', `${weights.statement} can't be built yet.`));
}
