import type { BackboneEntry } from '../backbones/registry.ts';
import { buildEfficientNetLite, buildNormalisedImage } from '../backbones/efficientnet-lite.ts';
import type { Safetensor } from '../backbones/safetensors.ts';
import { UserError } from '../../shared/errors.ts';
import type { OnnxGraph } from '../onnx/graph.ts';

/**
 * Shapes of the embedded teacher's features, one picture each (embedded-recipe section 1 and 7).
 * The grids belong to a 256 px input.
 */
export interface FeatureShapes {
  /** Side of the deep token grid (16) and of the fine one (32). */
  deepGrid: number;
  fineGrid: number;
  /** Stage 3 channels (48), stage 5 (120), stage 6 (208), stage 7 (352). */
  stage3: number;
  stage5: number;
  stage6: number;
  stage7: number;
  /** Channels of all stage means together (856) and of the head (1280). */
  stageMeans: number;
  head: number;
}

/** Sizes of everything derived, in numbers per picture. */
export interface FeatureSizes {
  /** Deep token width: stage 5 + stage 6 (328). */
  deepDims: number;
  /** Fine token width: stage 3 + stage 5 (168). */
  fineDims: number;
  deepTokens: number;
  fineTokens: number;
  coarseTokens: number;
  /** Mean and deviation of stage 5 and upsampled stage 6 (656). */
  globalDims: number;
  /** Means of stages 5, 6 and 7 (680). */
  classDims: number;
  encoderTokens: number;
  encoderDims: number;
  /** stageMeans, head mean, global vector in one (2792). */
  vectorDims: number;
}

/** Reads the shapes off a backbone's architecture. @throws UserError `presetBackbone` when it is of another family */
export function featureShapes(entry: BackboneEntry): FeatureShapes {
  const { architecture } = entry;
  if (architecture.family !== 'efficientnet-lite' || architecture.stages.length !== 7) {
    throw new UserError(
      'presetBackbone',
      `The embedded preset needs a seven-stage EfficientNet-Lite; "${entry.id}" is ${architecture.family}.`,
      'Choose another preset.',
    );
  }
  const channels = architecture.stages.map((stage) => stage.channels);
  return {
    deepGrid: entry.input.size / 16,
    fineGrid: entry.input.size / 8,
    stage3: channels[2]!,
    stage5: channels[4]!,
    stage6: channels[5]!,
    stage7: channels[6]!,
    stageMeans: channels.reduce((sum, count) => sum + count, 0),
    head: architecture.headChannels,
  };
}

/** @see FeatureSizes */
export function featureSizes(shapes: FeatureShapes): FeatureSizes {
  const deepDims = shapes.stage5 + shapes.stage6;
  return {
    deepDims,
    fineDims: shapes.stage3 + shapes.stage5,
    deepTokens: shapes.deepGrid ** 2,
    fineTokens: shapes.fineGrid ** 2,
    coarseTokens: (shapes.deepGrid / 2) ** 2,
    globalDims: 2 * deepDims,
    classDims: shapes.stage5 + shapes.stage6 + shapes.stage7,
    encoderTokens: (shapes.fineGrid / 4) ** 2,
    encoderDims: shapes.stage3 * 4,
    vectorDims: shapes.stageMeans + shapes.head + 2 * deepDims,
  };
}

/** What one teacher pass yields per picture: all that memory and students ever need, so that it can be cached. */
export interface TeacherValues {
  /** `[B, stage3, fineGrid^2]` stage 3, channel-major. */
  stage3: string;
  /** `[B, deepTokens, deepDims]` decoder student's tokens: 3x3 means over the cells present, of stage 5 and of stage 6, the latter then enlarged. */
  tokens: string;
  /** `[B, coarseTokens, stage6]` stage 6, 3x3 mean padded with zeros and divided by nine. */
  coarse: string;
  /** `[B, encoderTokens, encoderDims]` encoder student's tokens: stage 3 pooled, 2x2 cells unshuffled. */
  encoderTokens: string;
  /** `[B, vectorDims]` means of stages 1..7, head mean, then mean and unbiased deviation of stage 5 and upsampled stage 6. */
  vector: string;
}

/**
 * The teacher pass of the embedded preset: picture to features (embedded-recipe sections 1 and 7).
 * @param pixels value `[B, S, S, 3]` uint8 RGB
 */
export function buildEmbeddedTeacher(
  graph: OnnxGraph,
  pixels: string,
  entry: BackboneEntry,
  weights: ReadonlyMap<string, Safetensor>,
): TeacherValues {
  const shapes = featureShapes(entry);
  if (entry.architecture.family !== 'efficientnet-lite') throw new Error('unreachable: checked by featureShapes');
  const { deepGrid, fineGrid } = shapes;
  const image = buildNormalisedImage(graph, pixels, entry.input);
  const { stages, head } = buildEfficientNetLite(graph, image, weights, entry.architecture);
  const [stage3, stage5, stage6] = [stages[2]!, stages[4]!, stages[5]!];

  const up6 = resizeLinear(graph, stage6, 2);
  const pooled5 = averagePresent3(graph, stage5, deepGrid);
  const pooled6 = resizeLinear(graph, averagePool3(graph, stage6), 2);
  const tokens = toTokens(graph, concat(graph, [pooled5, pooled6]), shapes.stage5 + shapes.stage6, deepGrid ** 2);

  const half = fineGrid / 2;
  const pooled3 = graph.node('AveragePool', [stage3], { kernel_shape: { ints: [2, 2] }, strides: { ints: [2, 2] } })[0];
  const shuffled = graph.node('SpaceToDepth', [pooled3], { blocksize: { int: 2 } })[0];
  const encoderTokens = toTokens(graph, shuffled, shapes.stage3 * 4, (half / 2) ** 2);

  const plain = concat(graph, [stage5, up6]);
  const mean = meanOverGrid(graph, plain);
  const centred = graph.node('Sub', [plain, mean])[0];
  const squares = graph.node('ReduceSum', [graph.node('Mul', [centred, centred])[0], graph.ints([2, 3])], {
    keepdims: { int: 0 },
  })[0];
  const variance = graph.node('Div', [squares, graph.scalar(deepGrid ** 2 - 1)])[0];
  const deviation = graph.node('Sqrt', [variance])[0];
  const vector = concat(graph, [
    ...[...stages, head].map((stage) => channelMeans(graph, stage)),
    graph.node('Squeeze', [mean, graph.ints([2, 3])])[0],
    deviation,
  ]);
  const flat3 = graph.node('Reshape', [stage3, graph.ints([0, shapes.stage3, fineGrid ** 2])])[0];
  const coarse = toTokens(graph, averagePool3(graph, stage6, true), shapes.stage6, (deepGrid / 2) ** 2);
  return { stage3: flat3, tokens, coarse, encoderTokens, vector };
}

/** The two token sets the normal memory derives; the third, coarse, is cached as it is. */
export interface MemoryTokens {
  /** `[B, deepTokens, deepDims]` */
  deep: string;
  /** `[B, fineTokens, fineDims]` */
  fine: string;
}

/**
 * Memory tokens from cached features. The memory's 3x3 mean pads with zeros and always divides by nine, the students'
 * divides by the cells present: the two differ by a constant factor at the border (embedded-recipe section 1). Stage 6
 * enters the deep tokens after the same mean, which ranked better than without.
 */
export function buildMemoryTokens(
  graph: OnnxGraph,
  values: Pick<TeacherValues, 'stage3' | 'tokens' | 'coarse'>,
  shapes: FeatureShapes,
): MemoryTokens {
  const { deepGrid, fineGrid, stage5, stage6 } = shapes;
  const factor = new Float32Array(deepGrid ** 2);
  for (let token = 0; token < factor.length; token++) {
    const present = cellsPresent(Math.floor(token / deepGrid), deepGrid) * cellsPresent(token % deepGrid, deepGrid);
    factor[token] = present / 9;
  }
  const border = graph.initializer(undefined, 'float32', [1, deepGrid ** 2, 1], factor);
  const shared5 = graph.node('Slice', [values.tokens, graph.ints([0]), graph.ints([stage5]), graph.ints([2])])[0];
  const own5 = graph.node('Mul', [shared5, border])[0];
  const up6 = resizeLinear(graph, toPlanes(graph, values.coarse, stage6, deepGrid / 2), 2);
  const deep = graph.node('Concat', [own5, toTokens(graph, up6, stage6, deepGrid ** 2)], { axis: { int: 2 } })[0];

  const planes = graph.node('Reshape', [values.stage3, graph.ints([0, shapes.stage3, fineGrid, fineGrid])])[0];
  const pooled3 = averagePool3(graph, planes, true);
  const up5 = resizeLinear(graph, toPlanes(graph, own5, stage5, deepGrid), 2);
  const fine = concat(graph, [pooled3, up5]);
  return { deep, fine: toTokens(graph, fine, shapes.stage3 + stage5, fineGrid ** 2) };
}

/** How many of the three cells around `index` lie inside a row of `size`. */
function cellsPresent(index: number, size: number): number {
  return 3 - (index === 0 ? 1 : 0) - (index === size - 1 ? 1 : 0);
}

function concat(graph: OnnxGraph, values: readonly string[]): string {
  return graph.node('Concat', values, { axis: { int: 1 } })[0];
}

/** 3x3 mean; `always9` divides by nine at the border too, else by the cells present. */
function averagePool3(graph: OnnxGraph, value: string, always9 = false): string {
  return graph.node('AveragePool', [value], {
    kernel_shape: { ints: [3, 3] },
    pads: { ints: [1, 1, 1, 1] },
    count_include_pad: { int: always9 ? 1 : 0 },
  })[0];
}

/**
 * 3x3 mean dividing by the cells present, as two products with a banded matrix: ONNX Runtime pools blocks of 16 channels
 * fast, and any other number of them slowly.
 */
function averagePresent3(graph: OnnxGraph, value: string, side: number): string {
  const band = new Float32Array(side * side);
  for (let o = 0; o < side; o++) {
    const [low, high] = [Math.max(0, o - 1), Math.min(side - 1, o + 1)];
    band.fill(1 / (high - low + 1), o * side + low, o * side + high + 1);
  }
  const turned = Float32Array.from(band, (_, i) => band[(i % side) * side + Math.floor(i / side)]!);
  const along = graph.node('MatMul', [value, graph.initializer(undefined, 'float32', [side, side], turned)])[0];
  return graph.node('MatMul', [graph.initializer(undefined, 'float32', [side, side], band), along])[0];
}

/** Mean of every channel, `[B, C, h, w]` to `[B, C]`, in the layout that the convolutions leave. */
function channelMeans(graph: OnnxGraph, value: string): string {
  return graph.node('Squeeze', [graph.node('GlobalAveragePool', [value])[0], graph.ints([2, 3])])[0];
}

/** Bilinear, half-pixel centres (`align_corners = false`). */
function resizeLinear(graph: OnnxGraph, value: string, factor: number): string {
  const scales = graph.initializer(undefined, 'float32', [4], Float32Array.of(1, 1, factor, factor));
  return graph.node('Resize', [value, '', scales], {
    mode: { string: 'linear' },
    coordinate_transformation_mode: { string: 'half_pixel' },
  })[0];
}

function meanOverGrid(graph: OnnxGraph, value: string): string {
  return graph.node('ReduceMean', [value, graph.ints([2, 3])], { keepdims: { int: 1 } })[0];
}

/** `[B, g*g, C]` to `[B, C, g, g]`. */
function toPlanes(graph: OnnxGraph, value: string, channels: number, grid: number): string {
  const turned = graph.node('Transpose', [value], { perm: { ints: [0, 2, 1] } })[0];
  return graph.node('Reshape', [turned, graph.ints([0, channels, grid, grid])])[0];
}

/** `[B, C, h, w]` to `[B, h*w, C]`. */
function toTokens(graph: OnnxGraph, value: string, channels: number, tokens: number): string {
  const flat = graph.node('Reshape', [value, graph.ints([0, channels, tokens])])[0];
  return graph.node('Transpose', [flat], { perm: { ints: [0, 2, 1] } })[0];
}
