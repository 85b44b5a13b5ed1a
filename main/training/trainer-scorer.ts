import { vectorLayout } from '../detector/fused-graph.ts';
import type { FittedMemory, FittedStudents } from '../detector/fitted-model.ts';
import { memoryTensors } from '../detector/model-tensors.ts';
import { studentTensors } from '../detector/student-tensors.ts';
import { detect } from '../nn/embedded-detector.ts';
import { OnnxGraph } from '../onnx/graph.ts';
import { traceInto } from '../onnx/tracing-backend.ts';
import { openSession, type GraphSession, type SessionOptions } from '../runtime/session.ts';
import type { FeatureStore } from './feature-store.ts';
import type { Scorer, TrainerScore } from './recipe.ts';
import type { Teacher } from './teacher.ts';

/** What the scorer computes of a picture, all of it scalar. */
const trainerOutputs = [
  'predScore',
  'localScore',
  'semanticScore',
  'memoryScore',
  'studentScore',
  'classIndex',
] as const;

/**
 * Scores pictures from their cached features, without the fused graph's own backbone: the reference that the parity
 * gate holds the package against, and a cheap way to score what has been through the teacher already.
 */
export class TrainerScorer implements Scorer {
  readonly #teacher: Teacher;
  readonly #store: FeatureStore;
  readonly #session: GraphSession;

  private constructor(teacher: Teacher, store: FeatureStore, session: GraphSession) {
    this.#teacher = teacher;
    this.#store = store;
    this.#session = session;
  }

  static async open(
    teacher: Teacher,
    store: FeatureStore,
    memory: FittedMemory,
    students: FittedStudents | undefined,
    options: SessionOptions,
  ): Promise<TrainerScorer> {
    const { entry, sizes, shapes } = teacher;
    const graph = new OnnxGraph('trainer-scores');
    const input = (name: string, ...shape: number[]) => ({
      value: graph.input(name, 'float32', [1, ...shape]),
      shape: [1, ...shape],
      dtype: 'float32' as const,
    });
    const values = traceInto(
      graph,
      [
        input('deep', sizes.deepTokens, sizes.deepDims),
        input('fine', sizes.fineTokens, sizes.fineDims),
        input('coarse', sizes.coarseTokens, shapes.stage6),
        input('tokens', sizes.deepTokens, sizes.deepDims),
        input('encoderTokens', sizes.encoderTokens, sizes.encoderDims),
        input('vector', sizes.vectorDims),
      ],
      (deep, fine, coarse, tokens, encoderTokens, vector) => {
        const outputs = detect(
          {
            deep: deep!,
            fine: fine!,
            coarse: coarse!,
            tokens: tokens!,
            encoderTokens: encoderTokens!,
            vector: vector!,
          },
          memoryTensors(memory),
          students === undefined ? undefined : studentTensors(students, entry),
          vectorLayout(entry),
          entry.input.size,
        );
        return trainerOutputs.map((name) => outputs[name]);
      },
    );
    trainerOutputs.forEach((name, i) => {
      graph.output(name, values[i]!.value, name === 'classIndex' ? 'int32' : 'float32', [1]);
    });
    return new TrainerScorer(teacher, store, await openSession(graph.toBytes(), options));
  }

  /** @param picture position in the run's list */
  async score(picture: number): Promise<TrainerScore> {
    const { predScore, classIndex } = await this.expertScores(picture);
    return { predScore, classIndex };
  }

  /** Every expert's score of one picture; NaN where the model has no such expert. */
  async expertScores(picture: number): Promise<Record<(typeof trainerOutputs)[number], number>> {
    const { sizes, shapes } = this.#teacher;
    const features = await this.#store.get(picture);
    const { deep, fine, coarse } = await this.#teacher.memoryTokens(features);
    const tensor = (data: Float32Array, ...shape: number[]) => ({
      dtype: 'float32' as const,
      dims: [1, ...shape],
      data,
    });
    const out = await this.#session.run({
      deep: tensor(deep, sizes.deepTokens, sizes.deepDims),
      fine: tensor(fine, sizes.fineTokens, sizes.fineDims),
      coarse: tensor(coarse, sizes.coarseTokens, shapes.stage6),
      tokens: tensor(features.tokens, sizes.deepTokens, sizes.deepDims),
      encoderTokens: tensor(features.encoderTokens, sizes.encoderTokens, sizes.encoderDims),
      vector: tensor(features.vector, sizes.vectorDims),
    });
    const values = trainerOutputs.map((name) => [name, Number(out[name]!.data[0])] as const);
    return Object.fromEntries(values) as Record<(typeof trainerOutputs)[number], number>;
  }

  close(): Promise<void> {
    return this.#session.close();
  }
}
