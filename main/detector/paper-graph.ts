import type { Dinov2Weights } from '../backbones/dinov2.ts';
import { addTeacher } from '../backbones/teacher-graph.ts';
import type { PositionMode } from '../nn/resample.ts';
import { OnnxGraph } from '../onnx/graph.ts';
import { traceInto, type TraceInput } from '../onnx/tracing-backend.ts';
import { fusedOutputs } from './fused-graph.ts';
import { runPaperDetector, type FittedPaperStudents } from './paper-tensors.ts';

/** Stands for the dynamic batch while tracing: a prime larger than any real dimension. */
const batchSentinel = 1_000_003;

/** What goes into the fused graph of a paper preset. */
export interface PaperFusedModel {
  weights: Dinov2Weights;
  positionMode: PositionMode;
  /** 1-based teacher layers of both groups. */
  groups: readonly [readonly number[], readonly number[]];
  students: FittedPaperStudents;
}

/**
 * The paper's whole detector as one ONNX graph: input `pixels` `[batch, S, S, 3]` uint8 RGB (S = the size pictures are
 * resized to), outputs `fusedOutputs`. The centre crop, normalisation, teacher, students, score and map are inside; the
 * teacher's numbers are read from its file when the graph is written.
 */
export function buildPaperGraph({ weights, positionMode, groups, students }: PaperFusedModel): OnnxGraph {
  const { options, scoring } = students;
  const { size, crop } = scoring;
  const graph = new OnnxGraph('twinspect');
  const pixels = graph.input('pixels', 'uint8', ['batch', size, size, 3]);
  const teacher = addTeacher(graph, cropped(graph, pixels, size, crop), weights, {
    width: crop,
    height: crop,
    positionMode,
  });
  const own = options.encoder.embeddings === 'own';
  const cells = teacher.grid.rows * teacher.grid.columns;
  const float = (value: string, ...shape: number[]): TraceInput => ({
    value,
    shape: [batchSentinel, ...shape],
    dtype: 'float32',
  });
  const values = traceInto(
    graph,
    [
      float(teacher.groupMean(groups[0]), teacher.tokens, options.embedDim),
      float(teacher.groupMean(groups[1]), teacher.tokens, options.embedDim),
      float(teacher.classTokens, options.encoder.depth + 1, options.embedDim),
      own
        ? float(teacher.patches, cells, 3 * options.patch ** 2)
        : float(teacher.tokens0, teacher.tokens, options.embedDim),
    ],
    (group1, group2, classTokens, seen) => {
      const features = { group1: group1!, group2: group2!, classTokens: classTokens!, seen: seen! };
      const outputs = runPaperDetector(features, students);
      return fusedOutputs.map((name) => outputs[name]);
    },
    { batch: batchSentinel },
  );
  fusedOutputs.forEach((name, i) => {
    const { value, dtype } = values[i]!;
    const shape = name === 'anomalyMap' ? ['batch', size, size] : ['batch'];
    graph.output(name, value, dtype === 'int32' ? 'int32' : 'float32', shape);
  });
  return graph;
}

/** The centre of the input, `[batch, crop, crop, 3]`, half the difference rounded to even. */
function cropped(graph: OnnxGraph, pixels: string, size: number, crop: number): string {
  if (crop === size) return pixels;
  const half = (size - crop) / 2;
  const lower = Math.floor(half);
  const from = half === lower || lower % 2 === 0 ? lower : lower + 1;
  return graph.node('Slice', [
    pixels,
    graph.ints([from, from]),
    graph.ints([from + crop, from + crop]),
    graph.ints([1, 2]),
  ])[0];
}
