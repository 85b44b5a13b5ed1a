import { UserError } from '../../shared/errors.ts';
import type { OnnxGraph } from '../onnx/graph.ts';
import type { EfficientNetLiteArchitecture } from './registry.ts';
import type { Safetensor } from './safetensors.ts';

/** Values of the backbone's taps in the graph, NCHW. */
export interface EfficientNetTaps {
  /** `stages[i]` is stage `i + 1`: `[B, channels, grid, grid]`. */
  stages: string[];
  /** `[B, headChannels, grid, grid]` */
  head: string;
}

/**
 * Writes EfficientNet-Lite (Tan and Le 2019, the Lite variant: no squeeze-and-excitation, ReLU6) into a graph,
 * straight from its batch-norm-folded weights.
 *
 * Convolutions pad like TensorFlow's SAME for even sizes: stride 1 symmetric; stride 2 `floor((k-2)/2)` before and the
 * rest after. ReLU6 everywhere except after `project`; residual where stride is 1 and channels agree.
 *
 * @param image value `[B, 3, S, S]`, already normalised
 * @param weights `stem`, `blocks.{i}.{expand,depthwise,project}`, `head`, each `.weight` `[out, in/groups, k, k]` and `.bias`
 * @throws UserError `backboneWeights` when a tensor is missing or has the wrong shape
 */
export function buildEfficientNetLite(
  graph: OnnxGraph,
  image: string,
  weights: ReadonlyMap<string, Safetensor>,
  architecture: EfficientNetLiteArchitecture,
): EfficientNetTaps {
  const zero = graph.initializer(undefined, 'float32', [], new Float32Array([0]));
  const six = graph.initializer(undefined, 'float32', [], new Float32Array([6]));

  const take = (name: string, rank: number, leading: number): { data: Float32Array; shape: number[] } => {
    const tensor = weights.get(name);
    const shape = tensor?.shape.join('x') ?? 'nothing';
    if (
      tensor === undefined ||
      !(tensor.data instanceof Float32Array) ||
      tensor.shape.length !== rank ||
      tensor.shape[0] !== leading
    ) {
      throw new UserError(
        'backboneWeights',
        `The backbone's weight file has ${shape} where ${name} with ${leading} outputs and rank ${rank} in float32 is expected.`,
        'Verify the file with: twinspect backbone verify',
      );
    }
    return { data: tensor.data, shape: [...tensor.shape] };
  };

  const conv = (x: string, name: string, out: number, stride: number, groups: number, activate: boolean): string => {
    const w = take(`${name}.weight`, 4, out);
    const b = take(`${name}.bias`, 1, out);
    const k = w.shape[2] ?? 1;
    const before = stride === 1 ? (k - 1) >> 1 : (k - 2) >> 1;
    const after = stride === 1 ? (k - 1) >> 1 : k - 2 - before;
    const value = graph.node(
      'Conv',
      [
        x,
        graph.initializer(`${name}.weight`, 'float32', w.shape, w.data),
        graph.initializer(`${name}.bias`, 'float32', b.shape, b.data),
      ],
      {
        kernel_shape: { ints: [k, k] },
        strides: { ints: [stride, stride] },
        pads: { ints: [before, before, after, after] },
        group: { int: groups },
      },
    )[0];
    return activate ? graph.node('Clip', [value, zero, six])[0] : value;
  };

  let x = conv(image, 'stem', architecture.stemChannels, 2, 1, true);
  let channels = architecture.stemChannels;
  let block = 0;
  const stages: string[] = [];
  for (const stage of architecture.stages) {
    for (let i = 0; i < stage.blocks; i++, block++) {
      const stride = i === 0 ? stage.stride : 1;
      const name = `blocks.${block}`;
      const expandWeight = weights.get(`${name}.expand.weight`);
      const wide = expandWeight?.shape[0] ?? channels;
      let y = x;
      if (expandWeight !== undefined) y = conv(y, `${name}.expand`, wide, 1, 1, true);
      y = conv(y, `${name}.depthwise`, wide, stride, wide, true);
      y = conv(y, `${name}.project`, stage.channels, 1, 1, false);
      x = stride === 1 && channels === stage.channels ? graph.node('Add', [x, y])[0] : y;
      channels = stage.channels;
    }
    stages.push(x);
  }
  return { stages, head: conv(x, 'head', architecture.headChannels, 1, 1, true) };
}

/**
 * Normalises network input inside the graph, so that no caller can do it differently.
 * @param pixels value `[B, S, S, 3]` uint8 RGB
 * @returns value `[B, 3, S, S]` float32, `(x - mean) / scale`
 */
export function buildNormalisedImage(
  graph: OnnxGraph,
  pixels: string,
  input: { mean: readonly number[]; scale: readonly number[] },
): string {
  const float = graph.node('Cast', [pixels], { to: { int: 1 } })[0];
  const planes = graph.node('Transpose', [float], { perm: { ints: [0, 3, 1, 2] } })[0];
  const mean = graph.initializer(undefined, 'float32', [1, 3, 1, 1], Float32Array.from(input.mean));
  const scale = graph.initializer(undefined, 'float32', [1, 3, 1, 1], Float32Array.from(input.scale));
  return graph.node('Div', [graph.node('Sub', [planes, mean])[0], scale])[0];
}
