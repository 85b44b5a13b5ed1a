import { rm } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TrainingEvent } from '../../shared/training-events.ts';
import { trainModel } from '../../main/training/run.ts';
import { never, openPackage, pictures, scoreFiles, twoParts, Workplace } from './small-data.ts';
import { tinyPaper, writeTinyTeacher } from './tiny-paper.ts';

let place: Workplace;
let teacher: string;

beforeAll(async () => {
  place = await Workplace.make('paper');
  for (const part of twoParts) await place.part(part, { 'train/good': 5 });
  teacher = await writeTinyTeacher(place);
});

afterAll(() => place.remove());

describe("a model of the paper's kind", () => {
  it('is trained, packaged and opened like any other, and needs its weight file no more', async () => {
    const events: TrainingEvent[] = [];
    const request = tinyPaper(place, teacher, { steps: 6 });
    const summary = await trainModel(request, (event) => events.push(event), never);
    expect(summary.phases.map(({ phase }) => phase)).toEqual([
      'snapshot',
      'features',
      'students',
      'calibrate',
      'fuse',
      'parity',
      'package',
    ]);
    expect(summary.parity.pictures).toBeGreaterThan(0);
    expect(summary.parity.maxAbsDifference).toBeLessThan(1e-5);

    await rm(teacher);
    const { manifest } = await openPackage(request.out);
    expect(manifest).toMatchObject({
      inputSize: 96,
      backbone: { id: 'dinov2-with-registers-small' },
      preset: {
        name: 'paper-small',
        constants: {
          crop: 84,
          resize: 96,
          embedDim: 16,
          schedule: { total: 6, base: 2e-3 },
          decoder: { dropout: 0.2 },
          optimizer: { eps: 1e-10 },
          cachePrecision: 'full',
        },
      },
    });
    expect(manifest.notes).toContain('No memory');

    // No picture was kept apart: the thresholds come from the scores of those learned from, not from the usual scale.
    const { review, fail } = manifest.thresholds.pooled;
    expect(manifest.thresholds.pooled.basis).toBe('assumed');
    expect(review).toBeGreaterThan(-1.4);
    expect(fail).toBeGreaterThan(review);
    expect(fail).toBeLessThan(0.5);

    const files = [
      ...(await pictures(twoParts[0], 'train/good', 2)),
      ...(await pictures(twoParts[1], 'train/good', 1)),
    ];
    const results = await scoreFiles(request.out, files);
    expect(results.map(({ className }) => className)).toEqual([twoParts[0], twoParts[0], twoParts[1]]);
    for (const result of results) {
      expect(result.memoryScore).toBeNaN();
      expect(result.nearestNormal).toBe(-1);
      for (const score of [result.predScore, result.localScore, result.semanticScore, result.classDistance]) {
        expect(score).toSatisfy(Number.isFinite);
      }
      const { localScore: b, semanticScore: a } = result;
      const logSigmoid = (x: number): number => -Math.log1p(Math.exp(-x));
      expect(result.predScore).toBeCloseTo(logSigmoid(a) + logSigmoid(b), 5);
      expect(result.anomalyMap).toHaveLength(96 * 96);
      expect(result.anomalyMap.every((value) => value >= -1e-6 && value <= 2)).toBe(true);
      // The rim of 6 pixels repeats the border of what the network saw.
      expect(result.anomalyMap[0]).toBe(result.anomalyMap[6 * 96 + 6]);
      expect(new Set(result.anomalyMap).size).toBeGreaterThan(1000);
    }
    await writeTinyTeacher(place);
  }, 300_000);
});
