/** The paper's detector from teacher features to scores, as one pure tensor function (method-spec sections 3, 5, 6). */
import { runDecoderStudent } from './decoder-student.ts';
import type { DetectorOutputs } from './embedded-detector.ts';
import { runEncoderStudent } from './encoder-student.ts';
import { paramsOf, type Params } from './layers.ts';
import { classTokenErrors, decoderError, pointDistance } from './losses.ts';
import type { PaperModelOptions } from './paper-model.ts';
import type { DecoderScore } from './presets.ts';
import { bilinearMatrix, positionMatrix, type Grid, type Matrix } from './resample.ts';
import { ablationScore, anomalyMap, lastError, mapScore, resampleMaps, type AblationRow } from './scores.ts';
import { tf, type Tensor } from './tf.ts';
import { patchTokens } from './vit.ts';

/** Features of `B` pictures; T = 1 + registers + N tokens, m = depth + 1. */
export interface PaperFeatureTensors {
  /** Means of the teacher's layers in two groups, all tokens: `[B, T, C]` each. */
  readonly group1: Tensor;
  readonly group2: Tensor;
  /** `[B, m, C]`: raw after every block, then the final normed one. */
  readonly classTokens: Tensor;
  /** What the encoder student looks at: tokens `[B, T, C]`, or pixels `[B, N, 3*patch^2]` where it has its own embedding. */
  readonly seen: Tensor;
}

/** How a trained pair of students is read. */
export interface PaperScoring {
  readonly row: AblationRow;
  readonly sdScore: DecoderScore;
  /** Patches the network sees. */
  readonly grid: Grid;
  /** Side of the part of the input that the network sees, pixels. */
  readonly crop: number;
  /** Side of the input, pixels; the map has this size, its rim repeats the nearest value seen. */
  readonly size: number;
}

/** Rows and columns of a centre crop stretched to the whole input: what lies outside repeats the border. */
export function uncropMatrix(size: number, crop: number, inner: Matrix): Matrix {
  const half = (size - crop) / 2;
  const lower = Math.floor(half);
  // Half rounded to even, as the crop itself.
  const offset = half === lower || lower % 2 === 0 ? lower : lower + 1;
  const data = new Float32Array(size * inner.columns);
  for (let row = 0; row < size; row += 1) {
    const from = Math.min(Math.max(row - offset, 0), crop - 1);
    data.set(inner.data.subarray(from * inner.columns, (from + 1) * inner.columns), row * inner.columns);
  }
  return { rows: size, columns: inner.columns, data };
}

/** What the students made of a picture's features; undefined where the objective has no such student. */
export interface StudentOutputs {
  /** Class tokens `[m, B, C]`. */
  readonly encoder: Tensor | undefined;
  /** Both group means, all tokens: `[B, T, C]` each, in the order of the teacher's groups. */
  readonly decoder: readonly [Tensor, Tensor] | undefined;
}

/**
 * Scores pictures with trained students.
 *
 * The method has no notion of classes: `classIndex` is the class whose mean final class token (teacher) is nearest, for
 * the class's name and thresholds alone; the score doesn't depend on it. There is no memory: `memoryScore` is NaN and
 * `nearestNormal` -1. `localScore` is L_SD (eq. 1), `semanticScore` L'_SE (section 6.2), NaN where the objective has no
 * such student; `studentScore` repeats `predScore`.
 *
 * @param params  trained parameters, named as in `makePaperModel`
 * @param centres `[K, C]` mean final class token of every class
 */
export function detectPaper(
  features: PaperFeatureTensors,
  params: Params,
  centres: Tensor,
  options: PaperModelOptions,
  scoring: PaperScoring,
): DetectorOutputs {
  const { objective, heads, patch } = options;
  const positions = () => positionMatrix(scoring.grid, options.storedGrid, options.positionMode);
  const input =
    options.encoder.embeddings === 'own'
      ? ({ embeddings: 'own', patches: features.seen, positions: positions() } as const)
      : ({ embeddings: 'shared', tokens0: features.seen } as const);
  const students: StudentOutputs = {
    encoder:
      objective === 'decoder'
        ? undefined
        : runEncoderStudent(input, paramsOf('encoder/', params), { ...options.encoder, heads, patch }),
    decoder:
      objective === 'encoder'
        ? undefined
        : runDecoderStudent([features.group1, features.group2], paramsOf('decoder/', params), {
            ...options.decoder,
            heads,
          }),
  };
  return readStudents(features, students, centres, options, scoring);
}

/** The second half of {@link detectPaper}: from what the students made to scores and map. */
export function readStudents(
  features: Omit<PaperFeatureTensors, 'seen'>,
  students: StudentOutputs,
  centres: Tensor,
  options: PaperModelOptions,
  scoring: PaperScoring,
): DetectorOutputs {
  const { grid, crop, size } = scoring;
  const { registers } = options;
  const count = options.encoder.depth + 1;
  const last = tf.squeeze(tf.slice(features.classTokens, [0, count - 1, 0], [-1, 1, -1]), [1]);
  const distances = tf.mean(tf.square(tf.sub(tf.expandDims(last, 1), tf.expandDims(centres, 0))), 2);
  const classDistance = tf.min(distances, 1);
  // Products keep the batch open in a traced graph, where a filled constant would not.
  const nothing = tf.mul(classDistance, NaN);
  const zero = tf.mul(classDistance, 0);

  let errors: Tensor | undefined;
  if (students.encoder !== undefined) {
    errors = classTokenErrors(tf.transpose(features.classTokens, [1, 0, 2]), students.encoder, options.reduction);
  }

  let global: Tensor | undefined;
  let map: Tensor = tf.mul(tf.reshape(zero, [-1, 1, 1]), tf.zeros([1, size, size]));
  let mapTop: Tensor | undefined;
  if (students.decoder !== undefined) {
    const groups = [features.group1, features.group2] as const;
    const targets = groups.map((group) => patchTokens(group, registers));
    const rebuilt = students.decoder.map((group) => patchTokens(group, registers));
    global = decoderError(targets, rebuilt);
    const points = targets.map((target, i) => pointDistance(target, rebuilt[i]!));
    const cells = tf.reshape(tf.mul(tf.addN(points), 1 / points.length), [-1, grid.rows, grid.columns]);
    map = resampleMaps(
      cells,
      uncropMatrix(size, crop, bilinearMatrix(crop, grid.rows, true)),
      uncropMatrix(size, crop, bilinearMatrix(crop, grid.columns, true)),
    );
    if (scoring.sdScore === 'map-top1pct') mapTop = mapScore(anomalyMap(points, grid, crop, crop)).score;
  }

  const decoder = mapTop ?? global ?? zero;
  const predScore = errors === undefined ? decoder : ablationScore(scoring.row, errors, decoder);
  return {
    predScore,
    localScore: mapTop ?? global ?? nothing,
    semanticScore: errors === undefined ? nothing : lastError(errors),
    memoryScore: nothing,
    studentScore: tf.add(predScore, zero),
    anomalyMap: map,
    classIndex: tf.argMin(distances, 1),
    classDistance,
    nearestNormal: tf.cast(tf.sub(zero, 1), 'int32'),
  };
}
