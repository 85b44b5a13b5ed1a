/**
 * The paper's teacher as an ONNX graph, straight from a DINOv2 weight file (method-spec section 2).
 *
 * Weights stay in their file until the graph is written, one tensor at a time. Up to 2 GB the graph is one file; above
 * (ViT-L with two students) the numbers go into `<name>.data` beside it, which ONNX Runtime maps.
 */
import { OnnxGraph } from '../onnx/graph.ts';
import type { Dinov2Weights, EncoderWeights } from './dinov2.ts';
import { Teacher, type TeacherOptions, type TeacherValues } from './teacher-builder.ts';
import { writeGraph, type WrittenGraph } from './write-graph.ts';

export {
  dinov2Mean,
  dinov2Scale,
  fittingSide,
  teacherGrid,
  type TeacherOptions,
  type TeacherValues,
} from './teacher-builder.ts';
export type { TeacherPrecision } from './teacher-weights.ts';
export { writeGraph, type WrittenGraph } from './write-graph.ts';

/**
 * Adds the teacher to a graph. Its numbers are read when the graph is written, with `chunks` or `external`.
 * @param source value uint8 `[B, H, W, 3]`, RGB (normalisation happens in the graph), B open or fixed; see `input`. Or tokens
 *   `[B, T, C]` that another encoder of this grid has embedded.
 * @param prefix of the constants' names
 * @throws UserError `inputSizeUnfit`
 */
export function addTeacher(
  graph: OnnxGraph,
  source: string | { readonly tokens0: string },
  weights: EncoderWeights,
  options: TeacherOptions,
  prefix = 'teacher.',
): TeacherValues {
  return new Teacher(graph, source, weights, options, prefix);
}

export interface TeacherGraphOptions extends TeacherOptions {
  /** 1-based layers of each group; each becomes an output `teacherGroup1`, `teacherGroup2`... */
  readonly groups?: readonly (readonly number[])[];
  /** 1-based layers that become outputs `layer3`... as they are. */
  readonly taps?: readonly number[];
  /** Further outputs. Class tokens and `tokens0` are there unless switched off, the others only where asked for. */
  readonly classTokens?: boolean;
  readonly tokens0?: boolean;
  readonly patches?: boolean;
  readonly normed?: boolean;
  /** `inline`: one file, at most 2 GB; `external`: numbers in `<file>.data` beside it. Default: inline where it fits. */
  readonly storage?: 'inline' | 'external';
}

export interface GraphOutput {
  readonly name: string;
  /** `batch` is the one open dimension. */
  readonly shape: readonly ('batch' | number)[];
}

/**
 * Writes the teacher alone: input `pixels` uint8 `[B, H, W, 3]`, outputs named like the inputs of `makePaperModel`.
 * @throws UserError `inputSizeUnfit`, and as {@link writeGraph}
 */
export async function writeTeacherGraph(
  weights: Dinov2Weights,
  options: TeacherGraphOptions,
  outPath: string,
): Promise<WrittenGraph & { readonly outputs: readonly GraphOutput[] }> {
  const { width, height } = options;
  const graph = new OnnxGraph('teacher');
  const pixels =
    options.input === 'image'
      ? graph.input('image', 'float32', ['batch', 3, height, width])
      : graph.input('pixels', 'uint8', ['batch', height, width, 3]);
  const teacher = addTeacher(graph, pixels, weights, options, '');
  const { embedDim, depth, patch } = weights;
  const outputs: GraphOutput[] = [];
  const add = (name: string, value: string, ...shape: number[]): void => {
    graph.output(name, value, 'float32', ['batch', ...shape]);
    outputs.push({ name, shape: ['batch', ...shape] });
  };
  options.groups?.forEach((layers, i) => {
    add(`teacherGroup${i + 1}`, teacher.groupMean(layers), teacher.tokens, embedDim);
  });
  for (const number of options.taps ?? []) add(`layer${number}`, teacher.layer(number), teacher.tokens, embedDim);
  if (options.normed === true) add('normed', teacher.normed, teacher.tokens, embedDim);
  if (options.classTokens !== false) add('teacherClassTokens', teacher.classTokens, depth + 1, embedDim);
  if (options.tokens0 !== false) add('tokens0', teacher.tokens0, teacher.tokens, embedDim);
  if (options.patches === true) {
    add('patches', teacher.patches, teacher.grid.rows * teacher.grid.columns, 3 * patch * patch);
  }
  return { ...(await writeGraph(graph, outPath, options.storage)), outputs };
}
