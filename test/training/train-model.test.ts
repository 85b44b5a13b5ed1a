import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DetectionResult } from '../../shared/detection.ts';
import type { TrainingEvent } from '../../shared/training-events.ts';
import type { ModelPackage } from '../../main/package/read-package.ts';
import type { TrainingRequest, TrainingSummary } from '../../main/training/request.ts';
import { trainModel } from '../../main/training/run.ts';
import { ignore, never, openPackage, pictures, scoreFiles, twoParts, Workplace } from './small-data.ts';

let place: Workplace;
/** The same small set trained in both ways. */
const trained = new Map<string, { request: TrainingRequest; summary: TrainingSummary; model: ModelPackage }>();
const events: TrainingEvent[] = [];

beforeAll(async () => {
  place = await Workplace.make();
  for (const part of twoParts) await place.part(part, { 'train/good': 10 });
  for (const instant of [true, false]) {
    const request = place.request({ instant });
    const summary = await trainModel(request, instant ? ignore : (event) => events.push(event), never);
    trained.set(instant ? 'instant' : 'full', { request, summary, model: await openPackage(request.out) });
  }
}, 300_000);

afterAll(() => place.remove());

describe.each(['instant', 'full'])('a model trained on two parts, %s', (way) => {
  it('is one package that says how it was made, and nothing else is left', async () => {
    const { request, summary, model } = trained.get(way)!;
    const { manifest } = model;
    expect(summary.modelHash).toBe(model.modelHash);
    expect(summary.classes).toEqual([...twoParts]);
    expect(manifest.classes.map(({ normalCount, heldOutCount }) => [normalCount, heldOutCount])).toEqual([
      [10, 4],
      [10, 4],
    ]);
    expect(model.normals.map(({ className }) => className)).toEqual(twoParts.flatMap((n) => Array(10).fill(n)));
    expect(manifest.seed).toBe(1);
    expect(manifest.engine).toMatchObject({ provider: 'cpu', threads: 1 });
    expect(manifest.parity).toEqual({ ...summary.parity, tolerance: 1e-4 });
    expect(manifest.parity.pictures).toBe(20);
    expect(manifest.parity.verdictFlips).toBe(0);
    expect(manifest.thresholds.pooled.normals).toBe(8);
    expect(summary.phases.map(({ phase }) => phase)).toEqual([
      ...['snapshot', 'features', 'memory'],
      ...(way === 'full' ? ['students'] : []),
      ...['calibrate', 'fuse', 'parity', 'package'],
    ]);
    const constants = manifest.preset.constants as { students: { steps: number } | null };
    expect(constants.students?.steps).toBe(way === 'full' ? 4 : undefined);
    expect(await place.written(request)).toEqual(['model.twin']);
  });

  it('finds the class and scores defects above good parts', async () => {
    const { request } = trained.get(way)!;
    for (const part of twoParts) {
      const good = await scoreFiles(request.out, await pictures(part, 'test/good', 3));
      const bad = await scoreFiles(request.out, await pictures(part, 'test/impurity', 3));
      for (const result of [...good, ...bad]) {
        expect(result.className).toBe(part);
        expect(Number.isFinite(result.predScore)).toBe(true);
        expect(Number.isFinite(result.memoryScore)).toBe(true);
        expect(Number.isFinite(result.localScore)).toBe(way === 'full');
        expect(Number.isFinite(result.semanticScore)).toBe(way === 'full');
        expect(result.anomalyMap.every(Number.isFinite)).toBe(true);
      }
      const mean = (list: DetectionResult[]): number => list.reduce((sum, r) => sum + r.predScore, 0) / list.length;
      expect(mean(bad)).toBeGreaterThan(mean(good));
    }
  });
});

it('tells every phase, every step and the losses', () => {
  const steps = events.filter((event) => event.type === 'progress' && event.phase === 'students');
  expect(steps.at(-1)).toMatchObject({ done: 4, total: 4 });
  for (const event of steps) {
    expect(event.type === 'progress' && Object.values(event.losses ?? { none: NaN }).every(Number.isFinite)).toBe(true);
  }
  const count = (type: string): number => events.filter((event) => event.type === type).length;
  expect(count('phase')).toBe(8);
  expect(count('phaseDone')).toBe(8);
});

it('gives the same graph and scores for the same seed, others for another seed', async () => {
  const { model, request } = trained.get('full')!;
  const again = place.request({ instant: false });
  const other = place.request({ seed: 2 });
  await trainModel(again, ignore, never);
  await trainModel(other, ignore, never);
  expect(Buffer.compare((await openPackage(again.out)).graph, model.graph)).toBe(0);
  const instant = trained.get('instant')!;
  expect(Buffer.compare((await openPackage(other.out)).graph, instant.model.graph)).not.toBe(0);
  const files = await pictures(twoParts[0], 'test/impurity', 2);
  const scores = async (out: string): Promise<number[]> => (await scoreFiles(out, files)).map((r) => r.predScore);
  expect(await scores(again.out)).toEqual(await scores(request.out));
  expect(await scores(other.out)).not.toEqual(await scores(instant.request.out));
}, 300_000);
