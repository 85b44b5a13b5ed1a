import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { brightnessDetector, runCli } from './fakes.ts';
import { writePicture } from './pictures.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'twinspect Prüf 검사 🍪 '));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

const inspect = (...argv: string[]) => runCli(['inspect', '--model', 'm.twin', ...argv]);

describe('the fixed JSON form', () => {
  test('one line per picture, the eight fields first and in order, null where there is no such expert', async () => {
    await writePicture(join(folder, 'b10.png'), 200);
    await writePicture(join(folder, 'b9.png'), 20);
    await writePicture(join(folder, 'unter ordner', 'ü 한국.png'), 128);
    const run = await inspect('--json', folder);
    expect(run.code).toBe(0);
    const lines = run.records();
    expect(lines.map((line) => [line['file'], line['verdict']])).toEqual([
      [join(folder, 'b9.png'), 'pass'],
      [join(folder, 'b10.png'), 'fail'],
      [join(folder, 'unter ordner', 'ü 한국.png'), 'review'],
    ]);
    expect(Object.keys(lines[0]!).slice(0, 8)).toEqual([
      'file',
      'className',
      'verdict',
      'predScore',
      'localScore',
      'semanticScore',
      'memoryScore',
      'latencyMs',
    ]);
    expect(lines[0]).toMatchObject({ className: 'tile', semanticScore: null });
    expect(lines[0]!['predScore']).toBeCloseTo(20 / 64, 2);
    expect(lines[0]!['latencyMs']).toBeGreaterThan(0);
  });

  test('pictures that can not be read have no decision and a reason; the others are judged; exit code 3', async () => {
    await writeFile(join(folder, 'a-empty.png'), '');
    await writeFile(join(folder, 'b-text.png'), 'this is not a picture');
    await writePicture(join(folder, 'c.png'), 20);
    const run = await inspect('--json', folder, join(folder, 'c.png'));
    expect(run.code).toBe(3);
    const lines = run.records();
    expect(lines.map((line) => line['verdict'])).toEqual(['noDecision', 'noDecision', 'pass', 'pass']);
    expect(lines[0]).toMatchObject({ className: null, predScore: null });
    expect(lines[0]!['reason']).toContain('a-empty.png');
    expect(lines[1]!['reason']).toContain('b-text.png');
  });

  test('a score that is not a number never passes', async () => {
    await writePicture(join(folder, 'a.png'), 20);
    const broken = brightnessDetector();
    const run = await runCli(['inspect', '--model', 'm.twin', '--json', folder], {
      services: {
        openDetector: () =>
          Promise.resolve({
            ...broken,
            inspect: async (pictures) =>
              (await broken.inspect(pictures)).map((result) => ({ ...result, predScore: Number.NaN })),
          }),
      },
    });
    expect(run.code).toBe(3);
    expect(run.records()[0]).toMatchObject({ verdict: 'noDecision', predScore: null });
  });
});

describe('paths', () => {
  test('a path that is not there is refused before anything is judged', async () => {
    const run = await inspect('--json', folder, join(folder, 'nowhere'));
    expect(run).toMatchObject({ code: 1, out: '' });
    expect(run.err).toMatch(/no picture in the folder|no file or folder/);
  });

  test('masks are no parts', async () => {
    await writePicture(join(folder, 'ground_truth', 'crack', 'a_mask.png'), 255);
    await writePicture(join(folder, 'test', 'crack', 'a.png'), 90);
    expect((await inspect('--json', folder)).records()).toHaveLength(1);
  });
});

describe('--out', () => {
  test('writes tables, overlays and a report that needs nothing from outside', async () => {
    await writePicture(join(folder, 'in', 'good.png'), 20);
    await writePicture(join(folder, 'in', '<b>bad & </script>.png'.replaceAll('/', '∕')), 220, 40);
    await writeFile(join(folder, 'in', 'torn.png'), 'x');
    const out = join(folder, 'out');
    const run = await inspect('--out', out, join(folder, 'in'));
    expect(run.code).toBe(3);
    expect((await readdir(out)).sort()).toEqual(['overlays', 'report.html', 'results.csv', 'results.json']);
    expect(await readdir(join(out, 'overlays'))).toHaveLength(1);
    const csv = (await readFile(join(out, 'results.csv'), 'utf8')).trim().split('\n');
    expect(csv).toHaveLength(4);
    const json = JSON.parse(await readFile(join(out, 'results.json'), 'utf8')) as {
      results: unknown[];
      counts: unknown;
    };
    expect(json.results).toHaveLength(3);
    expect(json.counts).toEqual({ presented: 3, pass: 1, fail: 1, review: 0, noDecision: 1 });
    const html = await readFile(join(out, 'report.html'), 'utf8');
    expect(html).not.toMatch(/(?:src|href)="?https?:/);
    expect(html).toContain("default-src 'none'");
    expect(html).not.toContain('<b>bad');
    expect(html.match(/<\/script>/g)).toHaveLength(2);
    expect(html).toContain('data:image/jpeg;base64,');
  });

  test('a second run replaces the first, other files stay', async () => {
    const out = join(folder, 'out');
    await writePicture(join(folder, 'in', 'a.png'), 220);
    await writePicture(join(folder, 'in', 'b.png'), 220);
    await inspect('--out', out, join(folder, 'in'));
    await writeFile(join(out, 'notes.txt'), 'mine');
    await rm(join(folder, 'in', 'b.png'));
    await inspect('--out', out, join(folder, 'in'));
    expect(await readdir(join(out, 'overlays'))).toHaveLength(1);
    expect(await readFile(join(out, 'notes.txt'), 'utf8')).toBe('mine');
  });

  test('a cancelled run leaves the folder as it was', async () => {
    const out = join(folder, 'out');
    for (let i = 0; i < 5; i++) await writePicture(join(folder, 'in', `${String(i)}.png`), 220);
    const controller = new AbortController();
    const detector = brightnessDetector();
    let judged = 0;
    const run = await runCli(['inspect', '--model', 'm.twin', '--out', out, join(folder, 'in')], {
      signal: controller.signal,
      services: {
        openDetector: () =>
          Promise.resolve({
            ...detector,
            inspect: (pictures) => {
              if (++judged === 2) controller.abort(new Error('cancelled'));
              return detector.inspect(pictures);
            },
          }),
      },
    });
    expect(run.code).toBe(130);
    expect(await readdir(out)).toEqual([]);
  });
});
