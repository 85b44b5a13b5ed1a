import type { BackboneEntry } from '../backbones/registry.ts';
import type { Safetensor } from '../backbones/safetensors.ts';
import { detect, type StudentTensors, type VectorLayout } from '../nn/embedded-detector.ts';
import type { Tensor } from '../nn/tf.ts';
import { OnnxGraph } from '../onnx/graph.ts';
import { traceInto, type TraceInput } from '../onnx/tracing-backend.ts';
import { buildEmbeddedTeacher, buildMemoryTokens, featureShapes, featureSizes } from './embedded-features.ts';
import type { FittedMemory } from './fitted-model.ts';
import { memoryTensors } from './model-tensors.ts';

/** Stands for the dynamic batch while tracing: a prime larger than any real dimension. */
const batchSentinel = 1_000_003;

/** Outputs of the fused graph, `[batch]` each but the map `[batch, S, S]`; integers are int32. */
export const fusedOutputs = [
  'predScore',
  'localScore',
  'semanticScore',
  'memoryScore',
  'studentScore',
  'anomalyMap',
  'classIndex',
  'classDistance',
  'nearestNormal',
] as const;
export type FusedOutput = (typeof fusedOutputs)[number];

/** What goes into a fused graph. */
export interface FusedModel {
  entry: BackboneEntry;
  weights: ReadonlyMap<string, Safetensor>;
  memory: FittedMemory;
  /** Makes the students' tensors inside the trace; absent in instant mode. */
  students: (() => StudentTensors) | undefined;
}

type FeatureInputs = [Tensor, Tensor, Tensor, Tensor, Tensor, Tensor];

/** Where the parts of the teacher's feature vector lie. */
export function vectorLayout(entry: BackboneEntry): VectorLayout {
  const shapes = featureShapes(entry);
  const sizes = featureSizes(shapes);
  return {
    stageMeans: shapes.stageMeans,
    head: shapes.head,
    classDims: sizes.classDims,
    globalDims: sizes.globalDims,
  };
}

/**
 * Writes the whole detector, picture to scores, as one ONNX graph: input `pixels` `[batch, S, S, 3]` uint8 RGB,
 * outputs `fusedOutputs`. Normalisation, backbone, memory, students and fusion are all inside.
 */
export function buildFusedGraph({ entry, weights, memory, students }: FusedModel): Uint8Array {
  const side = entry.input.size;
  const shapes = featureShapes(entry);
  const sizes = featureSizes(shapes);
  const graph = new OnnxGraph('twinspect');
  const pixels = graph.input('pixels', 'uint8', ['batch', side, side, 3]);
  const teacher = buildEmbeddedTeacher(graph, pixels, entry, weights);
  const { deep, fine } = buildMemoryTokens(graph, teacher, shapes);
  const float = (value: string, ...shape: number[]): TraceInput => ({
    value,
    shape: [batchSentinel, ...shape],
    dtype: 'float32',
  });
  const values = traceInto(
    graph,
    [
      float(deep, sizes.deepTokens, sizes.deepDims),
      float(fine, sizes.fineTokens, sizes.fineDims),
      float(teacher.coarse, sizes.coarseTokens, shapes.stage6),
      float(teacher.tokens, sizes.deepTokens, sizes.deepDims),
      float(teacher.encoderTokens, sizes.encoderTokens, sizes.encoderDims),
      float(teacher.vector, sizes.vectorDims),
    ],
    (...tensors) => {
      const [deepTokens, fineTokens, coarse, tokens, encoderTokens, vector] = tensors as FeatureInputs;
      const outputs = detect(
        { deep: deepTokens, fine: fineTokens, coarse, tokens, encoderTokens, vector },
        memoryTensors(memory),
        students?.(),
        vectorLayout(entry),
        side,
      );
      return fusedOutputs.map((name) => outputs[name]);
    },
    { batch: batchSentinel, fuseNorms: true },
  );
  fusedOutputs.forEach((name, i) => {
    const integer = values[i]!.dtype === 'int32';
    graph.output(
      name,
      values[i]!.value,
      integer ? 'int32' : 'float32',
      name === 'anomalyMap' ? ['batch', side, side] : ['batch'],
    );
  });
  return graph.toBytes();
}
