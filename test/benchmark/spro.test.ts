import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { measureGroup, type MeasureOptions } from '../../main/benchmark/measure.ts';
import { locoClasses, readMvtec } from '../../main/datasets/industrial-sets.ts';
import { readPicture } from '../../main/pictures/decode.ts';
import { preparePicture } from '../../main/pictures/prepare.ts';
import { locoTree, putText } from '../datasets/trees.ts';
import { byteDetector } from './fakes.ts';

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'twinspect-spro-'));
  await locoTree(root);
});
afterEach(() => rm(root, { recursive: true, force: true }));

const kinds = ['logical_anomalies', 'structural_anomalies'];
const side = 8;

/** A detector whose map is 1 in the given square of every picture, 0 elsewhere. */
async function measured(square: { x: number; y: number; side: number }) {
  const set = await readMvtec(root, 'MVTec LOCO AD', locoClasses, { workDir: root });
  const bytes = byteDetector(side);
  const anomalyMap = Float32Array.from({ length: side * side }, (_, i) => {
    const [x, y] = [i % side, Math.floor(i / side)];
    return x >= square.x && x < square.x + square.side && y >= square.y && y < square.y + square.side ? 1 : 0;
  });
  const options: MeasureOptions = {
    detector: {
      inputSize: side,
      inspect: async (pictures) =>
        (await bytes.inspect(pictures)).map((one) => ({ ...one, anomalyMap, mapWidth: side, mapHeight: side })),
    },
    readPicture,
    prepare: (source, size) => preparePicture(source, { size }),
    pixels: true,
    kinds,
    spro: true,
  };
  const pictures = set.pictures.filter(({ split }) => split === 'test');
  return (await measureGroup({ name: 'pushpins', pictures }, options)).metrics;
}

const config = (first: object): string =>
  JSON.stringify([
    { defect_name: 'a', pixel_value: 255, ...first },
    { defect_name: 'b', pixel_value: 1, saturation_threshold: 1, relative_saturation: true },
  ]);

// Every anomalous picture has two defects of 2 x 2 pixels: at (0, 0) drawn with 255, at (6, 6) drawn with 1.
test('each mask is a defect with the saturation of its value', async () => {
  await putText(root, 'pushpins/defects_config.json', config({ saturation_threshold: 1, relative_saturation: false }));
  // One of the first defect's four pixels is marked: it saturates at one. The second is not found.
  const found = await measured({ x: 0, y: 0, side: 1 });
  // 0.5 at rate 0, then straight to 1 at rate 1: good pictures have the marked pixel too, 2 of 240 normal ones.
  const first = 2 / (2 * 64 + 2 * 56);
  const upTo = (limit: number): number => {
    const slope = 0.5 / (1 - first);
    // From (0, 0) to (first, 0.5), all marked pixels tying, then on to (1, 1).
    const end = 0.5 + slope * (limit - first);
    return ((first * 0.5) / 2 + ((limit - first) * (0.5 + end)) / 2) / limit;
  };
  expect(found.spro005).toBeCloseTo(upTo(0.05), 9);
  expect(found.spro03).toBeCloseTo(upTo(0.3), 9);

  await putText(root, 'pushpins/defects_config.json', config({ saturation_threshold: 4, relative_saturation: false }));
  expect((await measured({ x: 0, y: 0, side: 1 })).spro005).toBeLessThan(found.spro005! / 2);
});

test('a set without its configuration, and a mask drawn with a value that it does not know, are told', async () => {
  await expect(measured({ x: 0, y: 0, side: 1 })).rejects.toMatchObject({ code: 'defectsConfigMissing' });
  await putText(root, 'pushpins/defects_config.json', '[{"defect_name": "a"}]');
  await expect(measured({ x: 0, y: 0, side: 1 })).rejects.toMatchObject({ code: 'defectsConfigInvalid' });
  await putText(
    root,
    'pushpins/defects_config.json',
    JSON.stringify([{ defect_name: 'a', pixel_value: 255, saturation_threshold: 1, relative_saturation: true }]),
  );
  await expect(measured({ x: 0, y: 0, side: 1 })).rejects.toThrow(/has no value 1\b/);
});
