import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { makePlan, type BenchmarkRequest, type Plan } from '../../main/benchmark/plan.ts';
import { findProtocol } from '../../main/benchmark/protocols.ts';
import { markdown, writeReport, type BenchmarkReport } from '../../main/benchmark/report.ts';
import { RunFolder } from '../../main/benchmark/run-folder.ts';
import { runBenchmark, type BenchmarkRun, type BenchmarkStep, type UnitResult } from '../../main/benchmark/run.ts';
import { summarise } from '../../main/benchmark/summary.ts';
import { pictureFromSamples } from '../../main/pictures/picture.ts';
import { preparePicture } from '../../main/pictures/prepare.ts';
import { byteDetector, fakeTraining, someSet } from './fakes.ts';

const request: BenchmarkRequest = {
  setting: 'single-class',
  preset: 'embedded',
  seeds: 2,
  shots: [],
  ablation: [],
  splits: [],
};
const set = someSet(['bottle', 'wood', 'zipper'], 4, 6, true);
const protocol = findProtocol('mvtec-ad');

let root: string;
let plan: Plan;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'twinspect-benchmark-'));
  plan = makePlan(protocol, set, request, null);
});
afterEach(() => rm(root, { recursive: true, force: true }));

/** Defects are brighter, but for one of the wood. */
const shade = (path: string): number => {
  const number = Number(/(\d+)\.png$/.exec(path)![1]);
  return number % 2 === 1 && !path.startsWith('/wood/test/1') ? 200 + number : 10 * number + 1;
};

async function run(
  over: Partial<BenchmarkRun> = {},
  resume = false,
): Promise<{ results: UnitResult[]; trained: string[]; steps: BenchmarkStep[] }> {
  const trained: string[] = [];
  const steps: BenchmarkStep[] = [];
  const folder = await RunFolder.open(join(root, 'out'), {
    protocol: 'mvtec-ad',
    fingerprint: plan.fingerprint,
    resume,
  });
  const results = await runBenchmark({
    plan,
    folder,
    parts: {
      trainModel: (asked, onEvent) => {
        trained.push(asked.out.replace(/^.*[\\/]/, ''));
        return fakeTraining(asked, onEvent);
      },
      openDetector: () => Promise.resolve(byteDetector()),
      readPicture: (path) => Promise.resolve(pictureFromSamples(new Uint8Array(64).fill(shade(path)), 8, 8, 1)),
      prepare: (picture, size) => preparePicture(picture, { size }),
      countNumbers: () => Promise.resolve(123),
    },
    requestOf: () => ({ preset: 'embedded', engine: 'cpu', instant: true }),
    pixels: false,
    keepModels: false,
    signal: new AbortController().signal,
    onStep: (step) => steps.push(step),
    onTraining: () => undefined,
    onResults: () => Promise.resolve(),
    ...over,
  });
  return { results, trained, steps };
}

describe('a run', () => {
  test('trains and measures every unit, tells how far it is, removes the models', async () => {
    const { results, trained, steps } = await run();
    expect(trained).toHaveLength(6);
    expect(results.map(({ groups }) => groups[0]!.metrics.imageAuroc)).toEqual(
      [1, 2 / 3 + 1 / 9, 1, 1, 2 / 3 + 1 / 9, 1].map((value) => expect.closeTo(value, 6) as number),
    );
    expect(existsSync(join(root, 'out', 'models'))).toBe(false);
    const shown = steps.filter(({ kind }) => kind !== 'picture');
    expect(shown[0]).toMatchObject({ kind: 'train', done: 0, total: 12, remainingMs: undefined });
    expect(shown[2]).toMatchObject({ kind: 'train', done: 2 });
    // One second for each of the five trainings left, and their pictures.
    expect(shown[2]!.remainingMs).toBeGreaterThanOrEqual(5000);
    expect(shown.at(-1)).toMatchObject({ kind: 'measure', done: 11 });
    const list = JSON.parse(await readFile(join(root, 'out', 'lists', 'all-seed0-wood.json'), 'utf8')) as unknown[];
    expect(list[0]).toEqual({ path: '/wood/train/0.png', class: 'wood', split: 'train', label: 'good' });
  });

  test('goes on with the first unit that is missing, whatever was half done', async () => {
    await expect(
      run({
        onResults: (done) => (done.length === 3 ? Promise.reject(new Error('killed')) : Promise.resolve()),
      }),
    ).rejects.toThrow('killed');
    // As a kill leaves it: a torn result, a temporary file.
    const torn = join(root, 'out', 'results', 'all-seed0-zipper', 'group-zipper.json');
    await writeFile(torn, (await readFile(torn, 'utf8')).slice(0, 100));
    await writeFile(join(root, 'out', '.tmp-999999999-0123456789ab'), 'x');
    const { results, trained, steps } = await run({}, true);
    expect(results).toHaveLength(6);
    // What earlier sittings took says how long the rest will take, before anything is finished in this one.
    expect(steps.find(({ kind }) => kind === 'train')?.remainingMs).toBeGreaterThan(2900);
    expect(trained).toEqual(['all-seed1-bottle.twin', 'all-seed1-wood.twin', 'all-seed1-zipper.twin']);
    expect((await readdir(join(root, 'out'))).sort()).toEqual(['lists', 'results', 'run.json']);
    expect((await run({}, true)).trained).toEqual([]);
  });

  test('a training without its model is done again', async () => {
    await run({ keepModels: true });
    await rm(join(root, 'out', 'models', 'all-seed0-wood.twin'));
    await rm(join(root, 'out', 'results', 'all-seed0-wood', 'group-wood.json'));
    expect((await run({ keepModels: true }, true)).trained).toEqual(['all-seed0-wood.twin']);
  });

  test('never mixes with another run', async () => {
    await run();
    const open = (fingerprint: string, resume: boolean) =>
      RunFolder.open(join(root, 'out'), { protocol: 'mvtec-ad', fingerprint, resume });
    await expect(open(plan.fingerprint, false)).rejects.toMatchObject({ code: 'runThere' });
    await expect(open('other', true)).rejects.toMatchObject({ code: 'runForeign' });
    await writeFile(join(root, 'out', 'run.json'), '{');
    await expect(open(plan.fingerprint, true)).rejects.toMatchObject({ code: 'runForeign' });
  });

  test('other methods’ figures are kept for the next sitting; torn ones count as not there', async () => {
    const open = () =>
      RunFolder.open(join(root, 'out'), { protocol: 'mvtec-ad', fingerprint: plan.fingerprint, resume: true });
    const baselines = [{ name: 'kNN, head', imageAuroc: { wood: 0.75, zipper: null } }];
    expect(await (await open()).readBaselines()).toBeUndefined();
    await (await open()).writeBaselines(baselines);
    expect(await (await open()).readBaselines()).toEqual(baselines);
    await writeFile(join(root, 'out', 'results', 'baselines.json'), '[{"name":');
    expect(await (await open()).readBaselines()).toBeUndefined();
  });

  test('stops when it is cancelled; what is done stays done', async () => {
    const controller = new AbortController();
    const stopped = run({
      signal: controller.signal,
      onResults: (done) => {
        if (done.length === 2) controller.abort(new Error('cancelled'));
        return Promise.resolve();
      },
    });
    await expect(stopped).rejects.toThrow('cancelled');
    expect((await run({}, true)).trained).toHaveLength(4);
  });
});

describe('the report', () => {
  async function report(over: Partial<BenchmarkReport> = {}): Promise<BenchmarkReport> {
    const { results } = await run();
    const experiments = summarise(
      plan,
      results,
      { protocol: 'mvtec-ad', setting: 'single-class', preset: 'paper-base' },
      () => 233.08e6,
    );
    return {
      formatVersion: 1,
      protocol: 'mvtec-ad',
      title: 'MVTec AD (protocol mvtec-ad)',
      setting: 'single-class',
      preset: 'paper-base',
      seeds: 2,
      command: 'twinspect benchmark mvtec-ad --data x',
      meaningless: null,
      complete: true,
      data: { folders: ['x'], classes: set.classes, train: 12, test: 18, published: 'https://x', licence: 'CC' },
      experiments,
      baselines: [{ name: 'kNN', imageAuroc: { bottle: 0.5, wood: 0.5, zipper: 0.8 } }],
      deviations: ['Only three classes.'],
      openSwitches: [{ setting: 'sdScore', value: 'global', evidence: 'Table 3.' }],
      machine: {
        cpu: 'CPU',
        cores: 2,
        memoryGiB: 8,
        system: 'linux',
        node: '20',
        productVersion: '0.1.0',
        engine: 'onnxruntime',
        provider: 'cpu',
        threads: 2,
      },
      elapsedMs: 60_000,
      ...over,
    };
  }

  test('mean over classes, then over seeds, with the paper’s value and the difference', async () => {
    const { experiments } = await report();
    const [experiment] = experiments;
    const mean = (2 + 7 / 9) / 3;
    expect(experiment!.mean.metrics.imageAuroc).toEqual({ mean: expect.closeTo(mean, 9) as number, sd: 0, seeds: 2 });
    expect(experiment!.paper!.value).toBe(99.8);
    expect(experiment!.difference).toBeCloseTo(100 * mean - 99.8, 9);
    expect(experiment!.latencyMs!.pictures).toBe(36);
    expect(experiment!.complete).toBe(true);
  });

  test('one seed has no standard deviation; an unfinished seed no mean', async () => {
    const { results } = await run();
    const key = { protocol: 'mvtec-ad', setting: 'single-class', preset: 'paper-base' } as const;
    const [partial] = summarise(plan, results.slice(0, 5), key, () => null);
    expect(partial!.complete).toBe(false);
    expect(partial!.mean.metrics.imageAuroc).toMatchObject({ sd: null, seeds: 1 });
    const [less] = summarise(plan, results.slice(0, 2), key, () => null);
    expect(less!.mean.metrics.imageAuroc).toBeNull();
    expect(less!.difference).toBeNull();
  });

  test('Markdown holds classes, mean, paper, deviations, switches, machine and command', async () => {
    const text = markdown(await report());
    for (const piece of [
      '| wood | 6 | 3 | 77.78 ± 0.00 | - |',
      '| **mean** |  |  | 92.59 ± 0.00 | **99.8** |',
      '| 60.00 |',
      '- Paper, Table 2 (DINOv2-B): 99.80; ours 92.59 ± 0.00, -7.21 points.',
      'GeneralAD 99.2',
      '233.08 M parameters',
      'paper 233.1 M',
      'p95',
      '- Only three classes.',
      '| sdScore | `"global"` | Table 3. |',
      '`twinspect benchmark mvtec-ad --data x`',
    ]) {
      expect(text).toContain(piece);
    }
  });

  test('meaningless figures are labelled and not compared', async () => {
    const text = markdown(await report({ meaningless: 'the weights are random' }));
    expect(text).toContain('**These figures mean nothing: the weights are random.**');
    expect(text).not.toContain('points.');
  });

  test('both files are written', async () => {
    await writeReport(join(root, 'report'), await report());
    const json = JSON.parse(await readFile(join(root, 'report', 'report.json'), 'utf8')) as BenchmarkReport;
    expect(json.experiments[0]!.rows).toHaveLength(3);
    expect(await readFile(join(root, 'report', 'report.md'), 'utf8')).toContain('# MVTec AD');
  });
});
