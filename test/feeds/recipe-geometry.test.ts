import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, test } from 'vitest';
import { pixelGeometry, type RecipeGeometry } from '../../main/feeds/recipe-geometry.ts';
import { readPicture } from '../../main/pictures/decode.ts';
import type { Picture } from '../../main/pictures/picture.ts';
import { cutOut, preparePicture } from '../../main/pictures/prepare.ts';
import { losslessPng } from '../../main/processes/inference/evidence.ts';
import { writeTrainingList } from '../../main/station/training-data.ts';
import { writeFileAtomic } from '../../main/system/atomic-file.ts';
import { createRandom } from '../../shared/random.ts';

function noise(width: number, height: number): Picture {
  const random = createRandom(3);
  return { width, height, data: Uint8Array.from({ length: 3 * width * height }, () => random.int(256)) };
}

const geometry: RecipeGeometry = {
  region: { shape: 'rectangle', x: 0.123, y: 0.2, width: 0.61, height: 0.77 },
  ignore: [
    { shape: 'rectangle', x: 0.3, y: 0.3, width: 0.1, height: 0.2 },
    {
      shape: 'polygon',
      points: [
        { x: 0.5, y: 0.5 },
        { x: 0.7, y: 0.55 },
        { x: 0.6, y: 0.8 },
      ],
    },
  ],
};

test('training and inspection see the very same pixels of a region with an ignore mask', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'twinspect region '));
  try {
    const picture = noise(97, 61);
    const file = path.join(folder, 'a.png');
    await writeFileAtomic(file, await losslessPng(picture));
    const stored = { sha256: 'a'.repeat(64), path: file, fileName: 'a.png', className: 'c', use: 'normal' } as const;
    const list = await writeTrainingList(
      path.join(folder, 'run'),
      [{ ...stored, group: null, gtLabel: null, defectClass: null }],
      geometry,
      new AbortController().signal,
    );
    const cut = await readPicture(path.join(path.dirname(list), 'cut', `${stored.sha256}.png`));
    const trained = preparePicture(cut, { size: 64 });
    const inspected = preparePicture(picture, { size: 64, ...pixelGeometry(geometry, picture) });
    expect(trained.pixelHash).toBe(inspected.pixelHash);
    expect(inspected.pixelHash).not.toBe(preparePicture(picture, { size: 64 }).pixelHash);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('regions at the edge stay inside the picture, whatever its size', () => {
  for (const [width, height] of [
    [1, 1],
    [3, 7],
    [640, 480],
  ] as const) {
    for (const region of [
      { shape: 'rectangle', x: 0, y: 0, width: 1, height: 1 },
      { shape: 'rectangle', x: 0.999, y: 0.999, width: 0.001, height: 0.001 },
      { shape: 'rectangle', x: 1, y: 1, width: 0, height: 0 },
    ] as const) {
      const pixels = pixelGeometry({ region, ignore: [] }, { width, height }).region!;
      expect(pixels.width).toBeGreaterThan(0);
      expect(pixels.height).toBeGreaterThan(0);
      expect(pixels.x + pixels.width).toBeLessThanOrEqual(width);
      expect(pixels.y + pixels.height).toBeLessThanOrEqual(height);
    }
  }
});

test('of a polygon nothing outside is seen, whatever else is left out', () => {
  const points = [
    { x: 0.2, y: 0.1 },
    { x: 0.8, y: 0.2 },
    { x: 0.9, y: 0.9 },
    { x: 0.5, y: 0.5 },
    { x: 0.1, y: 0.8 },
  ];
  const picture = noise(120, 90);
  const corners = points.map(({ x, y }) => [x * picture.width, y * picture.height] as const);
  const cut = pixelGeometry({ region: { shape: 'polygon', points }, ignore: [] }, picture);
  expect(cut.region).toEqual({ x: 12, y: 9, width: 96, height: 72 });
  const seen = cutOut(picture, cut);
  for (let y = 0; y < seen.height; y++)
    for (let x = 0; x < seen.width; x++) {
      const inside = contains(corners, x + 12.5, y + 9.5);
      const from = 3 * ((y + 9) * picture.width + x + 12);
      const expected = inside ? [...picture.data.subarray(from, from + 3)] : [127, 127, 127];
      const at = 3 * (y * seen.width + x);
      if (expected.join() !== [...seen.data.subarray(at, at + 3)].join()) expect.fail(`${String(x)}, ${String(y)}`);
    }
  const ignore = [{ shape: 'rectangle', x: 0, y: 0, width: 1, height: 1 } as const];
  const nothing = cutOut(picture, pixelGeometry({ region: { shape: 'polygon', points }, ignore }, picture));
  expect(new Set(nothing.data)).toEqual(new Set([127]));
});

/** Even-odd rule. */
function contains(corners: readonly (readonly [number, number])[], x: number, y: number): boolean {
  return corners.reduce((is, [x1, y1], i) => {
    const [x2, y2] = corners[(i + 1) % corners.length]!;
    return y1 <= y !== y2 <= y && x < x1 + ((y - y1) / (y2 - y1)) * (x2 - x1) ? !is : is;
  }, false);
}
