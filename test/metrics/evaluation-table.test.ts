import { describe, expect, it } from 'vitest';
import {
  type EvaluatedPicture,
  EvaluationTableBuilder,
  evaluateClass,
  formatEvaluationTable,
} from '../../shared/metrics/evaluation-table.ts';

const good = (predScore: number, latencyMs?: number): EvaluatedPicture => ({
  gtLabel: 'good',
  predScore,
  ...(latencyMs === undefined ? {} : { latencyMs }),
});
const defect = (predScore: number): EvaluatedPicture => ({ gtLabel: 'defect', predScore });

describe('evaluation table', () => {
  it('rows, mean over the classes that have a value, and the pooled ranking', () => {
    const builder = new EvaluationTableBuilder();
    const map = Float32Array.from([0, 1, 0, 0]);
    const bolts = builder.add('bolts', [
      { ...good(0.1, 10), pixels: { width: 2, height: 2, anomalyMap: new Float32Array(4), gtMask: null } },
      {
        ...defect(0.9),
        latencyMs: 20,
        pixels: { width: 2, height: 2, anomalyMap: map, gtMask: Uint8Array.of(0, 1, 0, 0) },
      },
      good(0.2, 60),
    ]);
    expect(bolts).toEqual({
      name: 'bolts',
      images: 3,
      defects: 1,
      imageAuroc: 1,
      imageAp: 1,
      imageF1Max: 1,
      pixelAuroc: 1,
      aupro: 1,
      latencyMs: 20,
    });
    builder.add('nuts', [good(2), defect(3), defect(1)]);
    builder.add('only good', [good(5)]);
    const table = builder.table();
    expect(table.classes.map(({ name, imageAuroc }) => [name, imageAuroc])).toEqual([
      ['bolts', 1],
      ['nuts', 0.5],
      ['only good', null],
    ]);
    expect(table.mean).toMatchObject({ imageAuroc: 0.75, pixelAuroc: 1, aupro: 1, latencyMs: 20 });
    // 4 good (0.1 0.2 2 5) and 3 defect (0.9 3 1): 2 + 3 + 2 of 12 pairs are won.
    expect(table.pooled).toMatchObject({ images: 7, defects: 3, imageAuroc: 7 / 12 });
    expect(JSON.parse(JSON.stringify(table))).toEqual(table);
  });

  it('metrics that need both labels are null without one of them', () => {
    expect(evaluateClass('a', [defect(1)])).toMatchObject({
      defects: 1,
      imageAuroc: null,
      imageAp: null,
      imageF1Max: null,
    });
    expect(evaluateClass('a', [])).toMatchObject({ images: 0, imageAuroc: null, latencyMs: null, aupro: null });
    expect(new EvaluationTableBuilder().table().mean.imageAuroc).toBeNull();
  });

  it('refuses scores that are not finite and a class given twice, by name', () => {
    expect(() => evaluateClass('bolts', [good(NaN)])).toThrow(/1 of 1 pictures of the class "bolts"/);
    const builder = new EvaluationTableBuilder();
    builder.add('bolts', []);
    expect(() => builder.add('bolts', [])).toThrow(/"bolts" was evaluated twice/);
  });

  it('prints aligned columns with a dash where there is no value', () => {
    const builder = new EvaluationTableBuilder();
    builder.add('bolts', [good(1), defect(2)]);
    const lines = formatEvaluationTable(builder.table()).split('\n');
    expect(lines).toHaveLength(4);
    expect(lines[1]).toMatch(/^bolts +2 +1 +1\.0000 +1\.0000 +1\.0000 +- +- +-$/);
    expect(lines[2]).toMatch(/^mean +1\.0000/);
    expect(lines[3]).toMatch(/^pooled +2 +1 +1\.0000/);
  });
});
