import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { realServices } from '../../main/cli/services.ts';
import { trainModel } from '../../main/training/run.ts';
import { runCli } from '../cli/fakes.ts';
import { writePicture } from '../cli/pictures.ts';
import { ignore, never, papers, pictures, twoParts, Workplace } from '../training/small-data.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'twinspect Prüf 검사 '));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

describe('audit', () => {
  test('add, show, key, verify; then a changed event is named and the exit code is 1', async () => {
    const log = join(folder, 'audit.jsonl');
    for (const subject of ['a.zip', 'b.zip', 'c.zip']) {
      const run = await runCli([
        'audit',
        'add',
        log,
        '--action',
        'data.exported',
        '--subject',
        subject,
        '--actor',
        'ann',
      ]);
      expect(run.code).toBe(0);
    }
    const key = await runCli(['audit', 'key', log]);
    const pem = join(folder, 'public.pem');
    await writeFile(pem, key.out);
    expect(key.out).not.toContain('PRIVATE');
    expect(
      (await runCli(['audit', 'show', log, '--last', '2', '--json'])).records().map(({ subject }) => subject),
    ).toEqual(['b.zip', 'c.zip']);
    const good = await runCli(['audit', 'verify', log, '--key', pem]);
    expect([good.code, good.out]).toEqual([0, expect.stringContaining('The log holds: 3 events, 3 checkpoints.')]);
    await writeFile(log, (await readFile(log, 'utf8')).replace('b.zip', 'x.zip'));
    const bad = await runCli(['audit', 'verify', log, '--key', pem, '--json']);
    expect(bad.code).toBe(1);
    expect(bad.records()[0]).toMatchObject({ ok: false, findings: [{ kind: 'changed', seq: 2 }] });
  });

  test('what is no log says so', async () => {
    expect(await runCli(['audit', 'verify', join(folder, 'none')])).toMatchObject({
      code: 1,
      err: expect.stringContaining("can't be read"),
    });
    expect((await runCli(['audit', 'add', join(folder, 'l'), '--action', 'nonsense', '--subject', 'x'])).err).toContain(
      'no action',
    );
  });
});

describe('msa', () => {
  test('plan, answers, analysis with the model as an appraiser, report', async () => {
    const rows = ['part,reference,picture'];
    for (let i = 0; i < 20; i++) {
      const isDefect = i % 2 === 1;
      await writePicture(join(folder, `${String(i)}.png`), isDefect ? 250 : 20);
      rows.push(`P${String(i)},${isDefect ? 'nok' : 'ok'},${String(i)}.png`);
    }
    const parts = join(folder, 'parts.csv');
    const plan = join(folder, 'plan.csv');
    await writeFile(parts, `${rows.join('\n')}\n`);
    const planned = await runCli([
      'msa',
      'plan',
      '--parts',
      parts,
      '--appraisers',
      'Ann,Ben',
      '--repeats',
      '2',
      '--out',
      plan,
    ]);
    expect(planned.code).toBe(0);
    const lines = (await readFile(plan, 'utf8')).trim().split('\n');
    expect(lines).toHaveLength(1 + 2 * 2 * 20);
    expect(lines.join()).not.toContain('nok');
    // Ann is always right, Ben calls everything good.
    const answered = lines.map((line, i) => {
      if (i === 0) return line;
      const [who, , part] = line.split(',');
      return `${line}${who === 'Ben' || Number(part!.slice(1)) % 2 === 0 ? 'good' : 'defect'}`;
    });
    await writeFile(plan, answered.join('\n'));
    const html = join(folder, 'study.html');
    const run = await runCli([
      'msa',
      'analyse',
      '--parts',
      parts,
      '--answers',
      plan,
      '--model',
      'm.twin',
      '--out',
      html,
      '--json',
    ]);
    expect(run.code).toBe(0);
    const [result] = run.records();
    expect(result).toMatchObject({
      parts: 20,
      defects: 10,
      repeats: 2,
      appraisers: [
        { appraiser: 'Ann', effectiveness: { value: 1 }, misses: { value: 0 }, kappaReference: { value: 1 } },
        { appraiser: 'Ben', misses: { value: 1 }, falseAlarms: { value: 0 }, kappaReference: { value: 0 } },
        { appraiser: 'model', effectiveness: { value: 1 } },
      ],
    });
    expect((result!['notes'] as string[]).join(' ')).toContain('The model saw the same picture');
    const page = await readFile(html, 'utf8');
    expect(page).toContain('Ben');
    expect(page).not.toMatch(/https?:|<script/);
  });

  test('a line that is wrong is named', async () => {
    const parts = join(folder, 'parts.csv');
    await writeFile(parts, 'part,reference\nA,good\nB,perhaps\n');
    const run = await runCli(['msa', 'plan', '--parts', parts, '--appraisers', 'Ann']);
    expect(run).toMatchObject({
      code: 1,
      err: expect.stringContaining('line 3: "perhaps" is neither good nor defect'),
    });
  });
});

describe('with a real model', () => {
  let place: Workplace;
  let model: string;
  const real = (...argv: string[]) =>
    runCli([...argv, '--engine', 'cpu', '--threads', '1'], { services: realServices });

  beforeAll(async () => {
    place = await Workplace.make('replay');
    for (const part of twoParts) await place.part(part, { 'train/good': 20 });
    const request = place.request();
    await trainModel(request, ignore, never);
    model = request.out;
  }, 300_000);
  afterAll(() => place.remove());

  test('inspect, then replay: every score is the same, bit for bit; another picture or model is refused', async () => {
    const [bad] = await pictures(twoParts[0], 'test/impurity', 1);
    const [good] = await pictures(twoParts[1], 'test/good', 1);
    const out = join(folder, 'results');
    expect((await real('inspect', '--model', model, bad!, good!, '--out', out)).code).toBe(0);
    const record = join(out, 'results.json');
    for (const picture of [bad!, good!]) {
      const run = await real('replay', '--model', model, '--record', record, '--picture', picture, '--json');
      expect(run.code).toBe(0);
      const [result] = run.records();
      expect(result).toMatchObject({ outcome: 'identical', maxDifference: 0, provider: 'cpu' });
      expect((result!['fields'] as { field: string }[]).map(({ field }) => field)).toEqual([
        'predScore',
        'localScore',
        'semanticScore',
        'memoryScore',
        'className',
        'verdict',
      ]);
    }
    // A record that somebody made better than it was.
    const text = await readFile(record, 'utf8');
    const recorded = JSON.parse(text) as { results: { predScore: number; verdict: string }[] };
    const forged = {
      ...recorded,
      results: recorded.results.map((entry) => ({ ...entry, predScore: entry.predScore / 2 })),
    };
    await writeFile(record, JSON.stringify(forged));
    const run = await real('replay', '--model', model, '--record', record, '--picture', bad!, '--json');
    expect([run.code, run.records()[0]!['outcome']]).toEqual([1, 'different']);
    const [unknown] = await pictures(twoParts[0], 'test/good', 1);
    expect((await real('replay', '--model', model, '--record', record, '--picture', unknown!)).err).toContain(
      'no record of this picture',
    );
    await writeFile(record, JSON.stringify({ ...forged, model: { hash: '0'.repeat(64) } }));
    expect((await real('replay', '--model', model, '--record', record, '--picture', bad!)).err).toContain(
      'was made with model 000000',
    );
  }, 300_000);

  test('explain: regions, the nearest good part, and what it would be without the spot', async () => {
    const [bad] = await pictures(twoParts[0], 'test/impurity', 1);
    const png = join(folder, 'explained.png');
    const run = await real(
      'explain',
      '--model',
      model,
      '--mm-per-px',
      '0.5',
      '--normals',
      papers,
      '--out',
      png,
      bad!,
      '--json',
    );
    expect(run.code).toBe(0);
    const [explanation] = run.records();
    const counterfactuals = explanation!['counterfactuals'] as { replacedBy: string; predScore: number }[];
    expect(counterfactuals.map(({ replacedBy }) => replacedBy)).toEqual(['surroundings', 'nearestNormal']);
    expect(counterfactuals[0]!.predScore).toBeLessThan(explanation!['predScore'] as number);
    expect((explanation!['regions'] as { areaMm2: number }[])[0]!.areaMm2).toBeGreaterThan(0);
    expect((await readFile(png)).subarray(1, 4).toString()).toBe('PNG');
  }, 300_000);

  test('drift: a baseline from the training pictures, then a stream of good parts', async () => {
    const baseline = join(folder, 'drift.json');
    const made = await real(
      'drift',
      'baseline',
      '--model',
      model,
      '--data',
      join(place.root, 'data'),
      '--out',
      baseline,
      '--json',
    );
    // Seven of twenty are held out for calibration; those have scores.
    expect(made.records()[0]).toMatchObject({ parts: 40, classes: 2 });
    const stream = join(folder, 'stream');
    for (const picture of await pictures(twoParts[0], 'test/good', 5)) {
      await cp(picture, join(stream, picture.split(/[\\/]/).at(-1)!), { recursive: true });
    }
    const run = await real('drift', 'check', '--model', model, '--baseline', baseline, stream, '--json');
    expect(run.records()[0]).toMatchObject({ parts: 5, covered: true, alarm: null });
    await writeFile(baseline, '{"format":"other"}');
    expect((await real('drift', 'check', '--model', model, '--baseline', baseline, stream)).err).toContain(
      'is no drift baseline',
    );
  }, 300_000);
});
