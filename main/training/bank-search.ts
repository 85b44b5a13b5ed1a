import { matrixTensor } from '../detector/model-tensors.ts';
import { costsWithout, maskedCost, type SearchIndex } from '../memory/search-bank.ts';
import { nearestEntries } from '../nn/normal-memory.ts';
import { tf } from '../nn/tf.ts';
import { OnnxGraph } from '../onnx/graph.ts';
import { traceInto } from '../onnx/tracing-backend.ts';
import { openSession, type GraphSession, type SessionOptions } from '../runtime/session.ts';

/** Result of searching one picture's tokens. */
export interface SearchResult {
  /** `[T]` distance to the entry found, in all dimensions. */
  distance: Float32Array;
  /** `[T]` the entry; -1 where no entry counts, as with one picture in all. */
  index: Int32Array;
}

/** Searches a bank for one picture's tokens at a time, with the very function that inspection runs. */
export class BankSearch {
  readonly #bank: SearchIndex;
  readonly #session: GraphSession;
  readonly #tokens: number;

  private constructor(bank: SearchIndex, session: GraphSession, tokens: number) {
    this.#bank = bank;
    this.#session = session;
    this.#tokens = tokens;
  }

  /** @param tokens tokens per picture */
  static async open(bank: SearchIndex, tokens: number, options: SessionOptions): Promise<BankSearch> {
    const { vectors, centre, projection, lookup } = bank;
    const graph = new OnnxGraph('bank-search');
    const found = traceInto(
      graph,
      [
        {
          value: graph.input('tokens', 'float32', [tokens, vectors.cols]),
          shape: [tokens, vectors.cols],
          dtype: 'float32',
        },
        { value: graph.input('costs', 'float32', [1, lookup.cols]), shape: [1, lookup.cols], dtype: 'float32' },
      ],
      (input, costs) => {
        const products = tf.tensor2d(lookup.data.subarray(0, projection.cols * lookup.cols), [
          projection.cols,
          lookup.cols,
        ]);
        const nearest = nearestEntries(input!, {
          centre: tf.tensor1d(centre),
          projection: matrixTensor(projection),
          lookup: tf.concat([products, costs!], 0),
          vectors: matrixTensor(vectors),
        });
        return [nearest.distance, tf.cast(nearest.index, 'int32')];
      },
    );
    graph.output('distance', found[0]!.value, 'float32', [tokens]);
    graph.output('index', found[1]!.value, 'int32', [tokens]);
    return new BankSearch(bank, await openSession(graph.toBytes(), options), tokens);
  }

  /**
   * @param tokens `[T, D]` one picture's tokens
   * @param without position of a picture whose own entries don't count (leave-one-out); -1: all count
   */
  async search(tokens: Float32Array, without: number): Promise<SearchResult> {
    const costs = costsWithout(this.#bank, without);
    const out = await this.#session.run({
      tokens: { dtype: 'float32', dims: [this.#tokens, this.#bank.vectors.cols], data: tokens },
      costs: { dtype: 'float32', dims: [1, costs.length], data: costs },
    });
    const index = (out['index']!.data as Int32Array).map((entry) => (costs[entry]! < maskedCost ? entry : -1));
    return { distance: out['distance']!.data as Float32Array, index };
  }

  close(): Promise<void> {
    return this.#session.close();
  }
}
