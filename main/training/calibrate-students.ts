import { matrixOf, type Matrix } from '../../shared/linear-algebra.ts';
import type { FittedStudents, PositionMoments } from '../detector/fitted-model.ts';
import { positionTensors, studentRunner } from '../detector/student-tensors.ts';
import { standardiseShifted } from '../memory/calibrate.ts';
import { memoryDefaults } from '../memory/defaults.ts';
import { fitGaussians, halfLog, mahalanobis } from '../memory/gaussian.ts';
import { decoderScore } from '../nn/embedded-scores.ts';
import { OnnxGraph } from '../onnx/graph.ts';
import { traceInto, type TraceInput } from '../onnx/tracing-backend.ts';
import { openSession, type GraphSession, type SessionOptions } from '../runtime/session.ts';
import type { FeatureStore } from './feature-store.ts';
import type { RunClass } from './snapshot.ts';
import type { Teacher } from './teacher.ts';

/** Weight of a class's pooled errors in the statistics of one place, in pictures. */
const positionPriorPictures = 20;

/** What the students get wrong on some pictures of one class. */
export interface ClassErrors {
  /** Per group `[n, P]` ln `1 - cos`. */
  errors: [Matrix, Matrix];
  /** `[n, p]` */
  residual: Matrix;
}

/**
 * Runs the trained students on training and held-out pictures and fits what is normal for them: the decoder student's
 * errors per class and place, one Gaussian per class on the encoder student's residual, and the mean and spread of both
 * scores, moved by what held-out pictures show (embedded-recipe section 7).
 */
export async function calibrateStudents(
  parameters: FittedStudents['parameters'],
  classes: readonly RunClass[],
  teacher: Pick<Teacher, 'entry' | 'sizes'>,
  store: Pick<FeatureStore, 'get'>,
  { session, signal }: { session: SessionOptions; signal: AbortSignal },
): Promise<FittedStudents> {
  const trained: ClassErrors[] = [];
  const heldOut: ClassErrors[] = [];
  const runner = await StudentRunner.open(parameters, teacher, session);
  try {
    for (const [c, { pictures, split }] of classes.entries()) {
      const errorsOf = (positions: readonly number[]): Promise<ClassErrors> =>
        runner.errors(
          positions.map((i) => pictures[i]!),
          c,
          store,
          signal,
        );
      trained.push(await errorsOf(split.training));
      heldOut.push(await errorsOf(split.heldOut));
    }
  } finally {
    await runner.close();
  }
  const decoderStatistics = [0, 1].map((group) => fitPositions(trained.map(({ errors }) => errors[group]!))) as [
    PositionMoments,
    PositionMoments,
  ];
  const scorer = await DecoderScorer.open(decoderStatistics, session);
  let decoder;
  try {
    decoder = standardiseShifted(await scorer.scores(trained), await scorer.scores(heldOut));
  } finally {
    await scorer.close();
  }
  const { gaussians, leaveOneOut } = fitGaussians(trained.map(({ residual }) => residual));
  const unseen = heldOut.map(({ residual: { rows, cols, data } }, c) =>
    Float64Array.from({ length: rows }, (_, i) =>
      halfLog(mahalanobis(gaussians[c]!, data.subarray(i * cols, (i + 1) * cols))),
    ),
  );
  return {
    parameters,
    decoderStatistics,
    decoder,
    residuals: gaussians,
    residual: standardiseShifted(
      leaveOneOut.map((distances) => Float64Array.from(distances, halfLog)),
      unseen,
    ),
  };
}

/**
 * Mean and variance of one group's errors per class and place, drawn towards the class's pooled ones:
 * `m = (n mean + k m0) / (n + k)`, `v = (n (E[l^2] - 2 m mean + m^2) + k (v0 + (m - m0)^2)) / (n + k)`, k = 20 pictures.
 * @param classes per class `[n, P]`, n >= 1
 */
export function fitPositions(classes: readonly Matrix[]): PositionMoments {
  const places = classes[0]!.cols;
  const mean = matrixOf(classes.length, places);
  const variance = matrixOf(classes.length, places);
  const k = positionPriorPictures;
  classes.forEach(({ rows: n, data }, c) => {
    const sum = new Float64Array(places);
    const squares = new Float64Array(places);
    for (let i = 0; i < data.length; i++) {
      sum[i % places]! += data[i]!;
      squares[i % places]! += data[i]! ** 2;
    }
    const pooled = sum.reduce((all, value) => all + value, 0) / data.length;
    const spread = Math.max(0, squares.reduce((all, value) => all + value, 0) / data.length - pooled ** 2);
    for (let p = 0; p < places; p++) {
      const own = sum[p]! / n;
      const m = (n * own + k * pooled) / (n + k);
      const moved = n * (squares[p]! / n - 2 * m * own + m * m) + k * (spread + (m - pooled) ** 2);
      mean.data[c * places + p] = m;
      variance.data[c * places + p] = Math.max(memoryDefaults.entryVarianceFloor, moved / (n + k));
    }
  });
  return { mean, variance };
}

/** The trained students on cached features, one picture at a time. */
export class StudentRunner {
  readonly #session: GraphSession;
  readonly #sizes: Teacher['sizes'];
  readonly #residualDims: number;

  private constructor(session: GraphSession, sizes: Teacher['sizes'], residualDims: number) {
    this.#session = session;
    this.#sizes = sizes;
    this.#residualDims = residualDims;
  }

  static async open(
    parameters: FittedStudents['parameters'],
    { entry, sizes }: Pick<Teacher, 'entry' | 'sizes'>,
    options: SessionOptions,
  ): Promise<StudentRunner> {
    const graph = new OnnxGraph('student-errors');
    const input = (name: string, dtype: 'float32' | 'int32', ...shape: number[]): TraceInput => ({
      value: graph.input(name, dtype, [1, ...shape]),
      shape: [1, ...shape],
      dtype,
    });
    const values = traceInto(
      graph,
      [
        input('tokens', 'float32', sizes.deepTokens, sizes.deepDims),
        input('encoderTokens', 'float32', sizes.encoderTokens, sizes.encoderDims),
        input('vector', 'float32', sizes.vectorDims),
        input('classIndex', 'int32'),
      ],
      (tokens, encoderTokens, vector, classIndex) => {
        const run = studentRunner(parameters, entry);
        const { errors, residual } = run(tokens!, encoderTokens!, vector!, classIndex!);
        return [...errors, residual];
      },
    );
    const residualDims = values[2]!.shape[1]!;
    graph.output('errorsA', values[0]!.value, 'float32', [1, sizes.deepTokens]);
    graph.output('errorsB', values[1]!.value, 'float32', [1, sizes.deepTokens]);
    graph.output('residual', values[2]!.value, 'float32', [1, residualDims]);
    return new StudentRunner(await openSession(graph.toBytes(), options), sizes, residualDims);
  }

  async errors(
    pictures: readonly number[],
    classIndex: number,
    store: Pick<FeatureStore, 'get'>,
    signal: AbortSignal,
  ): Promise<ClassErrors> {
    const { deepTokens, deepDims, encoderTokens, encoderDims, vectorDims } = this.#sizes;
    const out: ClassErrors = {
      errors: [matrixOf(pictures.length, deepTokens), matrixOf(pictures.length, deepTokens)],
      residual: matrixOf(pictures.length, this.#residualDims),
    };
    for (const [row, picture] of pictures.entries()) {
      signal.throwIfAborted();
      const features = await store.get(picture);
      const found = await this.#session.run({
        tokens: { dtype: 'float32', dims: [1, deepTokens, deepDims], data: features.tokens.slice() },
        encoderTokens: {
          dtype: 'float32',
          dims: [1, encoderTokens, encoderDims],
          data: features.encoderTokens.slice(),
        },
        vector: { dtype: 'float32', dims: [1, vectorDims], data: features.vector.slice() },
        classIndex: { dtype: 'int32', dims: [1], data: Int32Array.of(classIndex) },
      });
      out.errors[0].data.set(found['errorsA']!.data as Float32Array, row * deepTokens);
      out.errors[1].data.set(found['errorsB']!.data as Float32Array, row * deepTokens);
      out.residual.data.set(found['residual']!.data as Float32Array, row * this.#residualDims);
    }
    return out;
  }

  close(): Promise<void> {
    return this.#session.close();
  }
}

/** The decoder student's score from its errors, by the function that inspection runs. */
class DecoderScorer {
  readonly #session: GraphSession;

  private constructor(session: GraphSession) {
    this.#session = session;
  }

  static async open(
    statistics: readonly [PositionMoments, PositionMoments],
    options: SessionOptions,
  ): Promise<DecoderScorer> {
    const places = statistics[0].mean.cols;
    const graph = new OnnxGraph('decoder-score');
    const input = (name: string, dtype: 'float32' | 'int32', ...shape: number[]): TraceInput => ({
      value: graph.input(name, dtype, [1, ...shape]),
      shape: [1, ...shape],
      dtype,
    });
    const [score] = traceInto(
      graph,
      [input('errorsA', 'float32', places), input('errorsB', 'float32', places), input('classIndex', 'int32')],
      (a, b, classIndex) => [decoderScore([a!, b!], classIndex!, positionTensors(statistics))],
    );
    graph.output('score', score!.value, 'float32', [1]);
    return new DecoderScorer(await openSession(graph.toBytes(), options));
  }

  /** @returns per class the score of each of its pictures */
  async scores(classes: readonly ClassErrors[]): Promise<Float32Array[]> {
    const out: Float32Array[] = [];
    for (const [c, { errors }] of classes.entries()) {
      const { rows, cols } = errors[0];
      const scores = new Float32Array(rows);
      for (let row = 0; row < rows; row++) {
        const part = ({ data }: Matrix) => ({
          dtype: 'float32' as const,
          dims: [1, cols],
          data: data.slice(row * cols, (row + 1) * cols),
        });
        const found = await this.#session.run({
          errorsA: part(errors[0]),
          errorsB: part(errors[1]),
          classIndex: { dtype: 'int32', dims: [1], data: Int32Array.of(c) },
        });
        scores[row] = (found['score']!.data as Float32Array)[0]!;
      }
      out.push(scores);
    }
    return out;
  }

  close(): Promise<void> {
    return this.#session.close();
  }
}
