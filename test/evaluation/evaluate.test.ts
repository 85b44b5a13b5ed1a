import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encode } from 'fast-png';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { brightnessDetector, runCli } from '../cli/fakes.ts';
import { writePicture } from '../cli/pictures.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'twinspect-evaluate-'));
  for (const name of ['tile', 'Plättchen']) {
    for (let i = 0; i < 3; i++) {
      await writePicture(join(folder, name, 'train', 'good', `${String(i)}.png`), 10 + i);
      await writePicture(join(folder, name, 'test', 'good', `${String(i)}.png`), 20 + i);
      await writePicture(join(folder, name, 'test', 'bright', `${String(i)}.png`), 200 + i);
    }
  }
  // A class with a defect whose lower half is bright, and its mask.
  const data = new Uint8Array(16 * 16).map((_, i) => (i < 128 ? 10 : 250));
  await writeFile(
    join(folder, 'tile', 'test', 'bright', '9.png'),
    encode({ width: 16, height: 16, channels: 1, depth: 8, data }),
  );
  await writePicture(join(folder, 'tile', 'ground_truth', 'bright', '0_mask.png'), 255);
  await writePicture(join(folder, 'tile', 'ground_truth', 'bright', '1_mask.png'), 255);
  await writePicture(join(folder, 'tile', 'ground_truth', 'bright', '2_mask.png'), 255);
  const mask = data.map((value) => (value > 100 ? 255 : 0));
  await writeFile(
    join(folder, 'tile', 'ground_truth', 'bright', '9_mask.png'),
    encode({ width: 16, height: 16, channels: 1, depth: 8, data: mask }),
  );
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

test('the fixed JSON form: a row per class, null where there are no masks, the mean', async () => {
  const run = await runCli(['evaluate', '--model', 'm.twin', '--data', folder, '--json']);
  expect(run.err).not.toContain('error');
  expect(run.code).toBe(0);
  const table = run.records()[0] as unknown as { classes: Record<string, unknown>[]; mean: Record<string, unknown> };
  expect(table.classes.map((row) => [row['name'], row['images'], row['defects']])).toEqual([
    ['Plättchen', 6, 3],
    ['tile', 7, 4],
  ]);
  expect(Object.keys(table.classes[0]!)).toEqual([
    'name',
    'images',
    'defects',
    'imageAuroc',
    'imageAp',
    'imageF1Max',
    'pixelAuroc',
    'aupro',
    'latencyMs',
  ]);
  expect(table.classes[0]).toMatchObject({ imageAuroc: 1, imageAp: 1, imageF1Max: 1, pixelAuroc: null, aupro: null });
  expect(table.classes[1]!['imageAuroc']).toBe(1);
  expect(table.classes[1]!['pixelAuroc']).toBeGreaterThan(0.99);
  expect(table.classes[1]!['aupro']).toBeGreaterThan(0.9);
  expect(table.mean).toMatchObject({ imageAuroc: 1 });
  expect(table.mean['pixelAuroc']).toBe(table.classes[1]!['pixelAuroc']);
});

test('--no-pixels and --scores', async () => {
  const scores = join(folder, 'scores.csv');
  const run = await runCli([
    'evaluate',
    '--model',
    'm',
    '--data',
    join(folder, 'tile'),
    '--no-pixels',
    '--scores',
    scores,
  ]);
  expect(run.code).toBe(0);
  expect(run.out).toContain('tile');
  const { readFile } = await import('node:fs/promises');
  const lines = (await readFile(scores, 'utf8')).trim().split('\n');
  expect(lines).toHaveLength(8);
  expect(lines[0]).toBe(
    'file,className,inferredClass,gtLabel,defectType,predScore,localScore,semanticScore,memoryScore',
  );
});

test('a picture that can not be read is an error: fewer pictures would look better', async () => {
  await writeFile(join(folder, 'tile', 'test', 'bright', 'torn.png'), 'x');
  const run = await runCli(['evaluate', '--model', 'm', '--data', folder, '--json']);
  expect(run.code).toBe(1);
  expect(run.out).toBe('');
  expect(run.err).toContain('torn.png');
});

test('a class that the model has not learned is pointed out', async () => {
  const run = await runCli(['evaluate', '--model', 'm', '--data', folder], {
    services: { openDetector: () => Promise.resolve(brightnessDetector({ classes: ['tile'] })) },
  });
  expect(run.err).toContain('has not learned the class "Plättchen"');
});
