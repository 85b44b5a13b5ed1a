import type { Dinov2Weights, EncoderWeights } from '../backbones/dinov2.ts';
import { addTeacher, type TeacherPrecision } from '../backbones/teacher-graph.ts';
import { tensorInMemory, type WeightTensor } from '../backbones/weight-tensor.ts';
import { readStudents } from '../nn/paper-detector.ts';
import type { PositionMode } from '../nn/resample.ts';
import { tf } from '../nn/tf.ts';
import { OnnxGraph } from '../onnx/graph.ts';
import { traceInto, type TraceInput } from '../onnx/tracing-backend.ts';
import { addDecoderStudent } from './decoder-graph.ts';
import { fusedOutputs } from './fused-graph.ts';
import type { FittedPaperStudents } from './paper-tensors.ts';

/** Stands for the dynamic batch while tracing: a prime larger than any real dimension. */
const batchSentinel = 1_000_003;

/** What goes into the fused graph of a paper preset. */
export interface PaperFusedModel {
  weights: Dinov2Weights;
  positionMode: PositionMode;
  /** 1-based teacher layers of both groups. */
  groups: readonly [readonly number[], readonly number[]];
  students: FittedPaperStudents;
  /** Of the teacher's weights; default `float32`. The students' stay as they are. */
  teacherPrecision?: TeacherPrecision;
}

/**
 * The paper's whole detector as one ONNX graph: input `pixels` `[batch, S, S, 3]` uint8 RGB (S = the size pictures are
 * resized to), outputs `fusedOutputs`. The centre crop, normalisation, teacher, students, score and map are inside; the
 * teacher's numbers are read from its file when the graph is written. Teacher and students are written operator by
 * operator, the reading of their outputs is traced; the trainer's own scores come from tracing it all (`PaperScorer`), so
 * that the parity gate compares two ways of writing the same network.
 */
export function buildPaperGraph(model: PaperFusedModel): OnnxGraph {
  const { weights, positionMode, groups, students, teacherPrecision: precision = 'float32' } = model;
  const { options, scoring } = students;
  const { size, crop } = scoring;
  const graph = new OnnxGraph('twinspect');
  const pixels = graph.input('pixels', 'uint8', ['batch', size, size, 3]);
  const croppedPixels = cropped(graph, pixels, size, crop);
  const teacher = addTeacher(graph, croppedPixels, weights, {
    width: crop,
    height: crop,
    positionMode,
    precision,
  });
  const common = { ...weights, heads: options.heads };
  let encoder: string | undefined;
  if (options.objective !== 'decoder') {
    const own = options.encoder.embeddings === 'own';
    const student = { ...common, depth: options.encoder.depth, tensors: tensorsOf('encoder/', students) };
    const seen = own ? croppedPixels : { tokens0: teacher.tokens0 };
    const { layerNormEps } = options.encoder;
    const shape = { width: crop, height: crop, positionMode: options.positionMode, layerNormEps };
    encoder = addTeacher(graph, seen, student, shape, 'encoder.').classTokens;
  }
  const targets = [teacher.groupMean(groups[0]), teacher.groupMean(groups[1])] as const;
  let decoder: readonly [string, string] | undefined;
  if (options.objective !== 'encoder') {
    const student: EncoderWeights = { ...common, tensors: tensorsOf('decoder/', students) };
    const shape = { ...options.decoder, tokens: teacher.tokens };
    decoder = addDecoderStudent(graph, targets, student, shape, 'decoder.');
  }

  const float = (value: string, ...shape: number[]): TraceInput => ({
    value,
    shape: [batchSentinel, ...shape],
    dtype: 'float32',
  });
  const tokens = (value: string): TraceInput => float(value, teacher.tokens, options.embedDim);
  const classTokens = (value: string): TraceInput => float(value, options.encoder.depth + 1, options.embedDim);
  const inputs = [...targets.map(tokens), classTokens(teacher.classTokens)];
  if (encoder !== undefined) inputs.push(classTokens(encoder));
  if (decoder !== undefined) inputs.push(...decoder.map(tokens));
  const values = traceInto(
    graph,
    inputs,
    (group1, group2, teacherClasses, ...rest) => {
      const features = { group1: group1!, group2: group2!, classTokens: teacherClasses! };
      const student = encoder === undefined ? undefined : tf.transpose(rest.shift()!, [1, 0, 2]);
      const rebuilt = decoder === undefined ? undefined : ([rest[0]!, rest[1]!] as const);
      const { shape, data } = students.centres;
      const centres = tf.tensor(data, [...shape]);
      const outputs = readStudents(features, { encoder: student, decoder: rebuilt }, centres, options, scoring);
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

/** A student's trained numbers by the names that the graph builders know. */
function tensorsOf(prefix: string, { params }: FittedPaperStudents): Map<string, WeightTensor> {
  const mine = [...params].filter(([name]) => name.startsWith(prefix));
  return new Map(mine.map(([name, { shape, data }]) => [name.slice(prefix.length), tensorInMemory(shape, data)]));
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
