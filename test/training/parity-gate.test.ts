import { describe, expect, it } from 'vitest';
import { calibrateThresholds } from '../../shared/calibration/thresholds.ts';
import { OnnxGraph } from '../../main/onnx/graph.ts';
import type { PreparedPicture } from '../../main/pictures/picture.ts';
import { parityGate, type ParityReport } from '../../main/training/parity-gate.ts';
import type { TrainerScore } from '../../main/training/recipe.ts';
import { never } from './small-data.ts';

const side = 8;

/** A graph with all outputs of a detector whose score is the picture's mean brightness times `factor` plus `offset`. */
function brightnessGraph(factor = 1, offset = 0): Uint8Array {
  const graph = new OnnxGraph('brightness');
  const constant = (value: number): string => graph.initializer(undefined, 'float32', [1], Float32Array.of(value));
  const mean = (value: string, ...axes: number[]): string =>
    graph.node('ReduceMean', [value, graph.ints(axes)], { keepdims: { int: 0 } })[0];
  const pixels = graph.input('pixels', 'uint8', ['batch', side, side, 3]);
  const values = graph.node('Cast', [pixels], { to: { int: 1 } })[0];
  const brightness = graph.node('Mul', [mean(values, 1, 2, 3), constant(factor)])[0];
  const score = graph.node('Add', [brightness, constant(offset)])[0];
  const zero = graph.node('Cast', [graph.node('Mul', [score, constant(0)])[0]], { to: { int: 6 } })[0];
  for (const name of ['predScore', 'localScore', 'semanticScore', 'memoryScore', 'studentScore', 'classDistance']) {
    graph.output(name, graph.node('Identity', [score])[0], 'float32', ['batch']);
  }
  graph.output('anomalyMap', mean(values, 3), 'float32', ['batch', side, side]);
  for (const name of ['classIndex', 'nearestNormal']) {
    graph.output(name, graph.node('Identity', [zero])[0], 'int32', ['batch']);
  }
  return graph.toBytes();
}

/** Picture `i` is of brightness `i`. */
const store = {
  prepared: (index: number): Promise<PreparedPicture> =>
    Promise.resolve({ width: side, height: side, pixelHash: '', data: new Uint8Array(side * side * 3).fill(index) }),
};

function gate(
  graph: Uint8Array,
  score: (picture: number) => number,
  { pictures = 10, heldOut = [] }: { pictures?: number; heldOut?: number[] } = {},
): Promise<ParityReport> {
  const names = Array.from({ length: pictures }, (_, i) => `${String(i)}.png`);
  return parityGate({
    graph,
    snapshot: {
      classes: [{ name: 'part', pictures: names.map((_, i) => i), split: { training: [], heldOut }, calibration: [] }],
      pictures: names.map((name) => ({ path: name, fileName: name, className: 'part', sha256: name })),
      normalCount: pictures,
      defects: [],
      hash: '',
      warnings: [],
    },
    store,
    scorer: {
      score: (picture): Promise<TrainerScore> => Promise.resolve({ predScore: score(picture), classIndex: 0 }),
    },
    // Without scores: review from 3, fail from 5.
    thresholds: calibrateThresholds({ scores: [], classNames: [] }),
    session: { threads: 1 },
    signal: never,
  });
}

describe('the parity gate', () => {
  it('lets a graph through that says what the trainer says, also on a threshold', async () => {
    expect(await gate(brightnessGraph(), (i) => i)).toEqual({
      maxAbsDifference: 0,
      verdictFlips: 0,
      pictures: 10,
      tolerance: 1e-4,
    });
    // 3 and 5 are thresholds: the last digit may fall on either side of them.
    const rounded = await gate(brightnessGraph(), (i) => i - 5e-5);
    expect(rounded.verdictFlips).toBe(0);
    expect(rounded.maxAbsDifference).toBeCloseTo(5e-5, 6);
  });

  it('refuses a scorer or a graph that was tampered with', async () => {
    for (const [graph, score] of [
      [brightnessGraph(), (i: number) => i + 2e-4],
      [brightnessGraph(), (i: number) => (i === 9 ? 9.5 : i)],
      [brightnessGraph(1, 2e-4), (i: number) => i],
      [brightnessGraph(1.001), (i: number) => i],
    ] as const) {
      await expect(gate(graph, score)).rejects.toMatchObject({ name: 'UserError', code: 'parityFailed' });
    }
  });

  it('takes a score that is not a number as a difference, on either side', async () => {
    await expect(gate(brightnessGraph(), (i) => (i === 4 ? NaN : i))).rejects.toMatchObject({ code: 'parityFailed' });
    await expect(gate(brightnessGraph(NaN), (i) => i)).rejects.toMatchObject({ code: 'parityFailed' });
  });

  it('says how many verdicts change', async () => {
    // 1 and 2 pass and are then reviewed, 4 is reviewed and then fails; 3 lies on a threshold and may do either.
    const error = await gate(brightnessGraph(1, 2), (i) => i).catch((e: unknown) => e);
    expect(String(error)).toContain('No model was written');
    expect(String(error)).toMatch(/and 3 verdicts change/);
  });

  it('judges scores in the thousands by their digits', async () => {
    expect((await gate(brightnessGraph(1000), (i) => 1000 * i * (1 + 1e-7))).verdictFlips).toBe(0);
    await expect(gate(brightnessGraph(1000), (i) => 1000 * i * (1 + 1e-4))).rejects.toMatchObject({
      code: 'parityFailed',
    });
  });

  it('compares some pictures of a larger set, from all over it', async () => {
    const seen: number[] = [];
    const report = await gate(
      brightnessGraph(),
      (i) => {
        seen.push(i);
        return i;
      },
      { pictures: 200, heldOut: [3, 55, 120, 199] },
    );
    expect(report.pictures).toBe(seen.length);
    expect(seen.length).toBeGreaterThanOrEqual(20);
    // Those that were not learned from tell most.
    expect(seen).toEqual(expect.arrayContaining([3, 55, 120, 199]));
    expect(new Set(seen).size).toBe(seen.length);
    const gaps = [-1, ...seen, 200].map((picture, i, all) => (i === 0 ? 0 : picture - all[i - 1]!));
    expect(Math.max(...gaps)).toBeLessThanOrEqual(12);
  });
});
