import { runPaperDetector, type FittedPaperStudents } from '../detector/paper-tensors.ts';
import { OnnxGraph } from '../onnx/graph.ts';
import { traceInto } from '../onnx/tracing-backend.ts';
import { openSession, type GraphSession, type SessionOptions } from '../runtime/session.ts';
import type { PaperFeatures, PaperShapes } from './paper-teacher.ts';
import type { Scorer, TrainerScore } from './recipe.ts';

/**
 * Scores pictures from the teacher's features, without the fused graph's own teacher: the reference that the parity gate
 * holds the package against.
 */
export class PaperScorer implements Scorer {
  readonly #store: { exact(index: number): Promise<PaperFeatures> };
  readonly #shapes: PaperShapes;
  readonly #session: GraphSession;

  private constructor(
    store: { exact(index: number): Promise<PaperFeatures> },
    shapes: PaperShapes,
    session: GraphSession,
  ) {
    this.#store = store;
    this.#shapes = shapes;
    this.#session = session;
  }

  static async open(
    store: { exact(index: number): Promise<PaperFeatures> },
    shapes: PaperShapes,
    fitted: FittedPaperStudents,
    options: SessionOptions,
  ): Promise<PaperScorer> {
    const graph = new OnnxGraph('trainer-scores');
    const input = (name: string, shape: readonly [number, number]) => ({
      value: graph.input(name, 'float32', [1, ...shape]),
      shape: [1, ...shape],
      dtype: 'float32' as const,
    });
    const values = traceInto(
      graph,
      [
        input('group1', shapes.tokens),
        input('group2', shapes.tokens),
        input('classTokens', shapes.classTokens),
        input('seen', shapes.seen),
      ],
      (group1, group2, classTokens, seen) => {
        const features = { group1: group1!, group2: group2!, classTokens: classTokens!, seen: seen! };
        const { predScore, classIndex } = runPaperDetector(features, fitted);
        return [predScore, classIndex];
      },
    );
    graph.output('predScore', values[0]!.value, 'float32', [1]);
    graph.output('classIndex', values[1]!.value, 'int32', [1]);
    return new PaperScorer(store, shapes, await openSession(graph.toBytes(), options));
  }

  async score(picture: number): Promise<TrainerScore> {
    const { group1, group2, classTokens, seen } = await this.#store.exact(picture);
    const tensor = (data: Float32Array, shape: readonly [number, number]) => ({
      dtype: 'float32' as const,
      dims: [1, ...shape],
      data,
    });
    const out = await this.#session.run({
      group1: tensor(group1, this.#shapes.tokens),
      group2: tensor(group2, this.#shapes.tokens),
      classTokens: tensor(classTokens, this.#shapes.classTokens),
      seen: tensor(seen, this.#shapes.seen),
    });
    return {
      predScore: (out['predScore']!.data as Float32Array)[0]!,
      classIndex: (out['classIndex']!.data as Int32Array)[0]!,
    };
  }

  close(): Promise<void> {
    return this.#session.close();
  }
}
