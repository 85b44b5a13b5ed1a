import { exactBankTensors } from '../detector/model-tensors.ts';
import { blockEntries, costsWithout, maskedCost, type SearchIndex } from '../memory/search-bank.ts';
import { nearestEntries } from '../nn/memory-search.ts';
import { OnnxGraph } from '../onnx/graph.ts';
import { traceInto } from '../onnx/tracing-backend.ts';
import { openSession, type GraphSession, type SessionOptions } from '../runtime/session.ts';

/** Result of searching one picture's tokens. */
export interface SearchResult {
  /** `[T]` distance to the entry found, in all dimensions. */
  distance: Float32Array;
  /** `[T]` the entry; -1 where no entry counts, as with a class of one picture. */
  index: Int32Array;
}

/**
 * Searches a bank for one picture's tokens at a time, exactly: entries of single pictures can be left out, and what is
 * learned from it holds for the search in two passes, which finds the same but for one token in thousands.
 */
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
    const dims = bank.vectors.cols;
    const blocks = bank.costs.length / blockEntries;
    const graph = new OnnxGraph('bank-search');
    const found = traceInto(
      graph,
      [
        { value: graph.input('tokens', 'float32', [1, tokens, dims]), shape: [1, tokens, dims], dtype: 'float32' },
        { value: graph.input('classIndex', 'int32', [1]), shape: [1], dtype: 'int32' },
        {
          value: graph.input('costs', 'float32', [blocks, 1, blockEntries]),
          shape: [blocks, 1, blockEntries],
          dtype: 'float32',
        },
      ],
      (input, classIndex, costs) => {
        const nearest = nearestEntries(input!, classIndex!, exactBankTensors(bank, costs!));
        return [nearest.distance, nearest.index];
      },
    );
    graph.output('distance', found[0]!.value, 'float32', [tokens]);
    graph.output('index', found[1]!.value, 'int32', [tokens]);
    return new BankSearch(bank, await openSession(graph.toBytes(), options), tokens);
  }

  /**
   * @param tokens `[T, D]` one picture's tokens
   * @param classIndex the picture's class: only its entries are searched
   * @param without position of a picture whose own entries don't count (leave-one-out); undefined: all count
   */
  async search(tokens: Float32Array, classIndex: number, without?: number): Promise<SearchResult> {
    const costs = without === undefined ? this.#bank.costs : costsWithout(this.#bank, without);
    const out = await this.#session.run({
      tokens: { dtype: 'float32', dims: [1, this.#tokens, this.#bank.vectors.cols], data: tokens },
      classIndex: { dtype: 'int32', dims: [1], data: Int32Array.of(classIndex) },
      costs: { dtype: 'float32', dims: [costs.length / blockEntries, 1, blockEntries], data: costs },
    });
    const index = (out['index']!.data as Int32Array).map((entry) => (costs[entry]! < maskedCost ? entry : -1));
    return { distance: out['distance']!.data as Float32Array, index };
  }

  close(): Promise<void> {
    return this.#session.close();
  }
}
