import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { blur, maskPixels, measureGroup, type MeasureOptions } from '../../main/benchmark/measure.ts';
import { nearestAuroc } from '../../main/benchmark/knn.ts';
import { makePlan } from '../../main/benchmark/plan.ts';
import { findProtocol } from '../../main/benchmark/protocols.ts';
import { locoClasses, readMvtec } from '../../main/datasets/industrial-sets.ts';
import type { PublishedPicture } from '../../main/datasets/published-set.ts';
import { readPicture } from '../../main/pictures/decode.ts';
import { pictureFromSamples, type Picture } from '../../main/pictures/picture.ts';
import { preparePicture } from '../../main/pictures/prepare.ts';
import { locoTree } from '../datasets/trees.ts';
import { byteDetector, someSet } from './fakes.ts';

const flat = (value: number, side = 8): Picture =>
  pictureFromSamples(new Uint8Array(side * side).fill(value), side, side, 1);
const shades: Record<string, number> = { g1: 10, g2: 20, g3: 60, d1: 50, d2: 70, d3: 80 };
const picture = (path: string, defectType?: string): PublishedPicture => ({
  path,
  className: 'a',
  split: 'test',
  gtLabel: defectType === undefined ? 'good' : 'defect',
  ...(defectType !== undefined && { defectType }),
});
const options = (over: Partial<MeasureOptions> = {}): MeasureOptions => ({
  detector: byteDetector(),
  readPicture: (path) => Promise.resolve(flat(shades[path]!)),
  prepare: (source, size) => preparePicture(source, { size }),
  pixels: false,
  ...over,
});

describe('a group', () => {
  const pictures = [
    picture('g1'),
    picture('d1', 'logical_anomalies'),
    picture('g2'),
    picture('d2', 'structural_anomalies'),
    picture('g3'),
    picture('d3', 'structural_anomalies'),
  ];

  test('image metrics, one AUROC for each kind of defect, all scores and times', async () => {
    const kinds = ['logical_anomalies', 'structural_anomalies'];
    const result = await measureGroup({ name: 'a', pictures }, options({ kinds }));
    expect(result).toMatchObject({ images: 6, defects: 3 });
    // One of nine pairs is the wrong way round: d1 below g3.
    expect(result.metrics.imageAuroc).toBeCloseTo(8 / 9);
    expect(result.byKind['logical_anomalies']).toBeCloseTo(2 / 3);
    expect(result.byKind['structural_anomalies']).toBe(1);
    expect(result.metrics.pixelAuroc).toBeNull();
    expect(result.latenciesMs).toHaveLength(6);
    expect(result.pictures.map(({ predScore }) => predScore)).toEqual([10, 50, 20, 70, 60, 80]);
    expect(result.pictures[0]!.semanticScore).toBeNull();
  });

  test('a score that is no number, an empty group, an unreadable picture are errors', async () => {
    const nan = options({ detector: byteDetector(8, () => Number.NaN) });
    await expect(measureGroup({ name: 'a', pictures }, nan)).rejects.toMatchObject({ code: 'scoreNotFinite' });
    await expect(measureGroup({ name: 'a', pictures: [] }, options())).rejects.toMatchObject({ code: 'groupEmpty' });
    const broken = options({ readPicture: () => Promise.reject(new Error('broken file')) });
    await expect(measureGroup({ name: 'a', pictures }, broken)).rejects.toThrow('broken file');
  });

  test('pixel metrics against masks', async () => {
    const mask = pictureFromSamples(
      Uint8Array.from({ length: 64 }, (_, i) => (i % 8 < 4 && i < 32 ? 255 : 0)),
      8,
      8,
      1,
    );
    const masked = [picture('g1'), { ...picture('d3', 'x'), maskPath: 'mask' }];
    const read = (path: string) => Promise.resolve(path === 'mask' ? mask : flat(shades[path]!));
    const { metrics } = await measureGroup(
      { name: 'a', pictures: masked },
      options({ pixels: true, readPicture: read }),
    );
    expect(metrics.pixelAuroc).toBeGreaterThan(0.99);
    expect(metrics.aupro).toBeGreaterThan(0.97);
    expect(metrics.auproStepped).toBeGreaterThan(0.9);
    expect(metrics.pixelF1Max).toBeGreaterThan(0.9);
  });
});

describe('masks', () => {
  test('of several files are united (MVTec LOCO)', async () => {
    const root = await mkdtemp(join(tmpdir(), 'twinspect-measure-'));
    try {
      await locoTree(root);
      const set = await readMvtec(root, 'MVTec LOCO AD', locoClasses, { workDir: root });
      const group = { name: 'pushpins', pictures: set.pictures.filter(({ split }) => split === 'test') };
      const { metrics, defects } = await measureGroup(group, options({ readPicture, pixels: true }));
      expect(defects).toBe(4);
      // Two corners of 2 x 2 of 8 x 8: two regions in each picture.
      expect(metrics.pixelAp).not.toBeNull();
      const mask = set.pictures.find(({ maskPaths }) => maskPaths !== undefined)!;
      const first = maskPixels(await readPicture(mask.maskPaths![0]!), 8, undefined);
      const second = maskPixels(await readPicture(mask.maskPaths![1]!), 8, undefined);
      expect([first[0], first.at(-1), second[0], second.at(-1)]).toEqual([1, 0, 0, 1]);
    } finally {
      await rm(root, { recursive: true });
    }
  });

  test('are cropped as the network’s input is: what lies in the rim does not count', () => {
    const data = new Uint8Array(64 * 64);
    // A small number for a kind of defect: any value but 0 counts.
    for (let x = 0; x < 64; x++) data[x] = 3;
    for (let y = 30; y < 34; y++) data.fill(3, y * 64 + 30, y * 64 + 34);
    const mask = pictureFromSamples(data, 64, 64, 1);
    const whole = maskPixels(mask, 448, undefined);
    const cropped = maskPixels(mask, 448, 392);
    expect(whole[0]).toBe(1);
    expect(cropped[0]).toBe(0);
    expect(cropped[128 * 256 + 128]).toBe(1);
    const count = (pixels: Uint8Array): number => pixels.reduce((sum, value) => sum + value, 0);
    // The centre grows by (448 / 392) on each side, and bilinear enlarging adds a rim.
    expect(count(cropped)).toBeGreaterThan(16 * 16 * 1.3);
    expect(count(cropped)).toBeLessThan(24 * 24 * 1.3);
  });
});

test('the blur keeps a flat map but for the padding, and is symmetric', () => {
  const map = blur(new Float32Array(100).fill(1), 10);
  expect(map[55]).toBeCloseTo(1, 6);
  expect(map[0]).toBeLessThan(0.5);
  const point = new Float32Array(81);
  point[40] = 1;
  const spread = blur(point, 9);
  expect(spread[39]).toBeCloseTo(spread[49]!, 7);
  expect(spread.reduce((sum, value) => sum + value, 0)).toBeCloseTo(1, 6);
});

describe('nearest neighbour', () => {
  let vectors: Map<string, Float32Array>;
  beforeEach(() => {
    vectors = new Map();
  });
  afterEach(() => vectors.clear());

  test('ranks by the distance to the nearest training picture of the split', () => {
    const classes = ['airplane', 'automobile', 'bird', 'cat', 'deer', 'dog', 'frog', 'horse', 'ship', 'truck'];
    const set = someSet(classes, 1, 1, false);
    const request = {
      setting: 'multi-class',
      preset: 'embedded',
      seeds: 1,
      shots: [],
      ablation: [],
      splits: [1],
    } as const;
    const plan = makePlan(findProtocol('cifar10_subset'), set, request, null);
    for (const { path, className } of set.pictures) {
      const vector = new Float32Array(10);
      vector[classes.indexOf(className)] = 1;
      vectors.set(path, vector);
    }
    expect(nearestAuroc(plan, vectors)).toEqual({ 'split 1 (first half)': 1 });
  });
});
