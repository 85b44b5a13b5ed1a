/** The nearest entry of a token, exactly and in two passes, against a plain loop over all entries. */
import '../nn/cpu-backend.ts';
import { describe, expect, it } from 'vitest';
import { createRandom } from '../../shared/random.ts';
import { matrixOf, type Matrix } from '../../shared/linear-algebra.ts';
import { checkInferenceGraph } from '../../main/onnx/read.ts';
import { OnnxGraph } from '../../main/onnx/graph.ts';
import { traceInto } from '../../main/onnx/tracing-backend.ts';
import { bankTensors, exactBankTensors, matrixTensor } from '../../main/detector/model-tensors.ts';
import type { Coreset } from '../../main/memory/coreset.ts';
import { blockEntries, costsWithout, makeSearchIndex, type SearchIndex } from '../../main/memory/search-bank.ts';
import { entryCodeMax } from '../../main/memory/search-codes.ts';
import { nearestEntries } from '../../main/nn/memory-search.ts';
import { tf } from '../../main/nn/tf.ts';
import { openSessionInline } from '../../main/runtime/session.ts';
import { randomMatrix, rows, search } from './reference.ts';

const dims = 12;
const count = 20;
const coresetOf = (vectors: Matrix, c: number): Coreset => ({
  vectors,
  entryPicture: Int32Array.from({ length: vectors.rows }, (_, b) => 100 * c + Math.floor(b / 48)),
  entryClass: new Int32Array(vectors.rows).fill(c),
});
const coresets = [300, 40, 1].map((size, c) => coresetOf(randomMatrix(size, dims, 10 + c, 1, 3), c));
const exact = makeSearchIndex(coresets, 'exact');
const coded = makeSearchIndex(coresets, 'coded');

const costsTensor = (costs: Float32Array) => tf.tensor3d(costs, [costs.length / blockEntries, 1, blockEntries]);

interface Found {
  distances: number[];
  entries: number[];
}

/** The search on TensorFlow.js's own backend. */
function find(index: SearchIndex, pictures: readonly Matrix[], classes: readonly number[], without = -2): Found {
  const { distance, index: entry } = nearestEntries(
    tf.stack(pictures.map(matrixTensor)),
    tf.tensor1d([...classes], 'int32'),
    without === -2 ? bankTensors(index) : exactBankTensors(index, costsTensor(costsWithout(index, without))),
  );
  return { distances: [...distance.dataSync()], entries: [...entry.dataSync()] };
}

/** The same as a graph, with a dynamic batch. */
function graphOf(index: SearchIndex, tokens: number, width: number): Uint8Array {
  const batch = 1_000_003;
  const graph = new OnnxGraph('search');
  const found = traceInto(
    graph,
    [
      {
        value: graph.input('tokens', 'float32', ['batch', tokens, width]),
        shape: [batch, tokens, width],
        dtype: 'float32',
      },
      { value: graph.input('classIndex', 'int32', ['batch']), shape: [batch], dtype: 'int32' },
    ],
    (input, classIndex) => {
      const nearest = nearestEntries(input!, classIndex!, bankTensors(index));
      return [nearest.distance, nearest.index];
    },
    { batch },
  );
  graph.output('distance', found[0]!.value, 'float32', ['tokens']);
  graph.output('index', found[1]!.value, 'int32', ['tokens']);
  return graph.toBytes();
}

async function run(index: SearchIndex, pictures: readonly Matrix[], classes: readonly number[]): Promise<Found> {
  const { rows: tokens, cols } = pictures[0]!;
  const session = await openSessionInline(graphOf(index, tokens, cols), { threads: 1 });
  const data = new Float32Array(pictures.length * tokens * cols);
  pictures.forEach((picture, i) => data.set(picture.data, i * tokens * cols));
  const out = await session.run({
    tokens: { dtype: 'float32', dims: [pictures.length, tokens, cols], data },
    classIndex: { dtype: 'int32', dims: [classes.length], data: Int32Array.from(classes) },
  });
  await session.close();
  return {
    distances: [...(out['distance']!.data as Float32Array)],
    entries: [...(out['index']!.data as Int32Array)],
  };
}

/** Largest share by which a distance exceeds the smallest one there is, over all tokens; throws on a smaller one. */
function excess(
  found: Found,
  of: readonly Coreset[],
  pictures: readonly Matrix[],
  classes: readonly number[],
): number[] {
  return pictures.flatMap((picture, i) => {
    const { distances } = search(rows(picture), rows(of[classes[i]!]!.vectors));
    // What 32-bit sums leave of a distance of 0.
    const finest = 0.1 * picture.data.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-3);
    return distances.map((least, t) => {
      const own = found.distances[i * picture.rows + t]!;
      const share = (own - least) / Math.max(least, finest);
      expect(share).toBeGreaterThan(-1e-3);
      return share;
    });
  });
}

const worst = (values: readonly number[]) => values.reduce((a, b) => Math.max(a, b), 0);

describe('search in one pass', () => {
  const pictures = [0, 1, 2].map((i) => randomMatrix(count, dims, 20 + i, 1.2, 3));

  it.each([
    [-1, [0, 1, 0]],
    [2, [0, 0, 1]],
    [-1, [2, 2, 1]],
  ])('finds the nearest entry of its class without picture %i, classes %j', (masked, classes) => {
    const { distances, entries } = find(exact, pictures, classes, masked === -1 ? -3 : masked);
    classes.forEach((c, i) => {
      const { vectors, entryPicture } = coresets[c]!;
      const expected = search(rows(pictures[i]!), rows(vectors), entryPicture, masked);
      const first = exact.entryClass.indexOf(c);
      expect(entries.slice(i * count, (i + 1) * count)).toEqual(expected.chosen.map((entry) => first + entry));
      expected.distances.forEach((distance, t) => {
        expect(Math.abs(distances[i * count + t]! - distance)).toBeLessThan(1e-5 * Math.max(1, distance));
      });
    });
  });
});

describe('search in two passes', () => {
  it('finds what a plain loop finds, on random tokens near and far', async () => {
    const pictures = [0.3, 1.2, 5, 200].map((spread, i) => randomMatrix(count, dims, 30 + i, spread, i));
    const classes = [0, 1, 0, 2];
    const found = await run(coded, pictures, classes);
    expect(worst(excess(found, coresets, pictures, classes))).toBeLessThan(1e-4);
  });

  it('finds the same in the graph as on the other engine', async () => {
    const pictures = [0, 1, 2].map((i) => randomMatrix(count, dims, 40 + i, 1.2, 3));
    const inGraph = await run(coded, pictures, [1, 0, 2]);
    const plain = find(coded, pictures, [1, 0, 2]);
    expect(inGraph.entries).toEqual(plain.entries);
    inGraph.distances.forEach((distance, i) => expect(distance).toBeCloseTo(plain.distances[i]!, 4));
  });

  it('entries found are of the class asked for, whatever the distance says', async () => {
    const pictures = [0, 1, 2].map((i) => randomMatrix(count, dims, 50 + i, 1e4, 0));
    const { entries } = await run(coded, pictures, [2, 1, 0]);
    entries.forEach((entry, t) => {
      expect(coded.entryPicture[entry]).not.toBe(-1);
      expect(coded.entryClass[entry]).toBe([2, 1, 0][Math.floor(t / count)]);
    });
  });

  it('thousands of entries with outlier channels: misses one token in ten at most, by little', async () => {
    const random = createRandom(7);
    const wide = 48;
    const channel = Array.from({ length: wide }, (_, k) => (k % 16 === 0 ? 20 : k % 5 === 0 ? 0 : 0.5 + random.next()));
    const draw = (size: number, noise: number): Matrix => {
      const out = matrixOf(size, wide);
      for (let i = 0; i < out.data.length; i++) out.data[i] = 100 + random.normal() * channel[i % wide]! * noise;
      return out;
    };
    const large = [coresetOf(draw(3000, 1), 0)];
    const pictures = [draw(200, 1), draw(200, 3)];
    const shares = excess(await run(makeSearchIndex(large, 'coded'), pictures, [0, 0]), large, pictures, [0, 0]);
    expect(shares.filter((share) => share > 1e-4).length).toBeLessThanOrEqual(40);
    expect(worst(shares)).toBeLessThan(0.05);
  });

  it.each<[string, (random: ReturnType<typeof createRandom>, i: number, k: number) => number]>([
    ['every entry is there many times', (_, i, k) => Math.sin((i % 7) * 3 + k)],
    ['all entries are the same', (_, _i, k) => k],
    ['all entries are 0', () => 0],
    ['one entry lies far outside', (random, i) => random.normal() * (i === 5 ? 1000 : 1)],
    ['entries lie on a line, equally far from a token between two', (_, i, k) => (k === 0 ? i : 0)],
    ['one channel is a million times as wide', (random, _, k) => random.normal() * (k === 3 ? 1e6 : 1)],
    ['values are tiny', (random) => random.normal() * 1e-6],
  ])('%s', async (_, value) => {
    const random = createRandom(3);
    const vectors = matrixOf(600, dims);
    for (let i = 0; i < 600; i++) for (let k = 0; k < dims; k++) vectors.data[i * dims + k] = value(random, i, k);
    const odd = [coresetOf(vectors, 0), coresets[1]!];
    const index = makeSearchIndex(odd, 'coded');
    // Tokens are entries, points half way between two, and the mean of all.
    const tokens = matrixOf(count, dims);
    for (let t = 0; t < count; t++) {
      for (let k = 0; k < dims; k++) {
        const [a, b] = [vectors.data[17 * t * dims + k]!, vectors.data[(17 * t + 1) * dims + k]!];
        tokens.data[t * dims + k] = t % 2 === 0 ? a : (a + b) / 2;
      }
    }
    const shares = excess(await run(index, [tokens], [0]), odd, [tokens], [0]);
    expect(worst(shares)).toBeLessThan(0.02);
  });

  it('codes stay where sums of two products fit 16 bits', () => {
    const { table, normRows, maskRows, scales } = coded.codes!;
    expect(table.every((code) => Math.abs(code) <= entryCodeMax)).toBe(true);
    expect(table.length).toBe(coded.vectors.rows * (dims + normRows + maskRows));
    expect(scales.data.every((scale) => Number.isFinite(scale) && scale > 0)).toBe(true);
  });

  it('a graph whose bank is cut short is refused', () => {
    const bytes = graphOf(coded, count, dims);
    const rules = (operators: string[]) => ({ allowedOperators: operators });
    const { operators, constants } = checkInferenceGraph(bytes, rules(allOperators(bytes)));
    expect(operators.get('MatMulInteger')).toBe(1);
    const bank = constants.find(({ dtype }) => dtype === 'int8')!;
    expect(bank.bytes).toBe(coded.codes!.table.length);
    // The first dimension of the bank, written as a varint, says one block more than there is.
    const damaged = Uint8Array.from(bytes);
    const name = new TextEncoder().encode(bank.name);
    const at = Buffer.from(bytes).indexOf(Buffer.concat([Buffer.from([0x42, name.length]), name]));
    const dims0 = Buffer.from(bytes).lastIndexOf(Buffer.from([bank.shape[0]!, ...varint(bank.shape[1]!)]), at);
    expect(dims0).toBeGreaterThan(0);
    damaged[dims0]! += 1;
    expect(() => checkInferenceGraph(damaged, rules(allOperators(bytes)))).toThrow(/bytes instead of/);
  });
});

function varint(value: number): number[] {
  return value < 128 ? [value] : [(value & 127) | 128, value >> 7];
}

function allOperators(bytes: Uint8Array): string[] {
  const known = ['Abs', 'Add', 'ArgMax', 'ArgMin', 'Cast', 'Clip', 'Concat', 'Div', 'Expand', 'Floor', 'Gather'];
  const more = ['GatherND', 'MatMulInteger', 'Max', 'Mul', 'ReduceMax', 'ReduceMin', 'ReduceSum', 'Reshape', 'Shape'];
  expect(bytes.length).toBeGreaterThan(0);
  return [...known, ...more, 'Sqrt', 'Sub', 'Tile', 'TopK', 'Transpose'];
}
