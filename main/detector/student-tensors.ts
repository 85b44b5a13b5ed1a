import type { BackboneEntry } from '../backbones/registry.ts';
import type { StudentTensors } from '../nn/embedded-detector.ts';
import { studentErrors, type PositionStatistics, type Standardiser } from '../nn/embedded-scores.ts';
import type { EmbeddedStudentDims } from '../nn/embedded-students.ts';
import { tf } from '../nn/tf.ts';
import { featureShapes, featureSizes } from './embedded-features.ts';
import type { FittedStudents } from './fitted-model.ts';
import { gaussianTensors, matrixTensor, scaleTensors } from './model-tensors.ts';

/** What the students need to know of a teacher's features. @throws UserError `presetBackbone` */
export function studentDims(entry: BackboneEntry): EmbeddedStudentDims {
  const shapes = featureShapes(entry);
  const sizes = featureSizes(shapes);
  const stages = entry.architecture.family === 'efficientnet-lite' ? entry.architecture.stages : [];
  return {
    groups: [shapes.stage5, shapes.stage6],
    encoderTokens: sizes.encoderTokens,
    encoderDims: sizes.encoderDims,
    stages: stages.map(({ channels }) => channels),
    head: shapes.head,
  };
}

/** The students' forward pass with trained parameters. Call it inside the trace that uses it. */
export function studentRunner(parameters: FittedStudents['parameters'], entry: BackboneEntry): StudentTensors['run'] {
  const tensors = Object.fromEntries(
    [...parameters].map(([name, { shape, data }]) => [name, tf.tensor(data, [...shape])]),
  );
  const standardiser = (name: string): Standardiser => ({
    mean: tensors[`standardise/${name}/mean`]!,
    divisor: tensors[`standardise/${name}/divisor`]!,
  });
  const standardisers = {
    decoderTokens: standardiser('decoderTokens'),
    encoderTokens: standardiser('encoderTokens'),
    encoderTargets: standardiser('encoderTargets'),
  };
  const dims = studentDims(entry);
  return (tokens, encoderTokens, vector, classIndex) =>
    studentErrors({ tokens, encoderTokens, vector }, classIndex, tensors, standardisers, dims);
}

/** Position statistics as the tensors that `decoderScore` takes. */
export function positionTensors(
  statistics: FittedStudents['decoderStatistics'],
): readonly [PositionStatistics, PositionStatistics] {
  return statistics.map(({ mean, variance }) => ({
    mean: matrixTensor(mean),
    scale: matrixTensor({ ...variance, data: variance.data.map((value) => 1 / Math.sqrt(value)) }),
  })) as [PositionStatistics, PositionStatistics];
}

/** Fitted students as the tensors that the detector's function takes. */
export function studentTensors(students: FittedStudents, entry: BackboneEntry): StudentTensors {
  return {
    run: studentRunner(students.parameters, entry),
    decoderStatistics: positionTensors(students.decoderStatistics),
    decoderScale: scaleTensors(students.decoder),
    residual: gaussianTensors(students.residuals),
    residualScale: scaleTensors(students.residual),
  };
}
