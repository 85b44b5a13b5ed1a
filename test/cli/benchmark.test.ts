import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { cifar10Classes } from '../../main/datasets/arrays.ts';
import type { BenchmarkReport } from '../../main/benchmark/report.ts';
import type { TrainingRequest } from '../../main/training/request.ts';
import { fakeTraining } from '../benchmark/fakes.ts';
import { classFolders, mvtecTree } from '../datasets/trees.ts';
import { brightnessDetector, runCli, type CliRun } from './fakes.ts';

let root: string;
let requests: TrainingRequest[];
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'twinspect-benchmark-cli-'));
  requests = [];
});
afterEach(() => rm(root, { recursive: true, force: true }));

function benchmark(...argv: string[]): Promise<CliRun> {
  return runCli(['benchmark', ...argv, '--out', join(root, 'out'), '--work', join(root, 'work')], {
    services: {
      trainModel: (request, onEvent) => {
        requests.push(request);
        return fakeTraining(request, onEvent);
      },
      openDetector: () => Promise.resolve(brightnessDetector()),
    },
  });
}
const reportOf = async (): Promise<BenchmarkReport> =>
  JSON.parse(await readFile(join(root, 'out', 'report.json'), 'utf8')) as BenchmarkReport;

// The first run loads the networks.
describe('benchmark', { timeout: 300_000 }, () => {
  test('an industrial protocol from the official layout to the report', async () => {
    await mvtecTree(join(root, 'data'), ['bottle', 'wood']);
    // An input of the fake detector's size, of which 28 pixels are seen.
    const input = ['--set', 'crop=28', '--set', 'resize=32'];
    const run = await benchmark('mvtec-ad', '--data', join(root, 'data'), '--with-pixels', '--json', ...input);
    expect(run.err).not.toContain('defect of Twinspect');
    expect(run.code).toBe(0);
    expect(requests).toHaveLength(1);
    expect(requests[0]).toMatchObject({ preset: 'paper-base', seed: 0, dataKind: 'general', resume: false });
    const report = await reportOf();
    expect(run.records().at(-1)).toEqual(report);
    expect(report.experiments[0]!.rows.map(({ name }) => name)).toEqual(['wood', 'bottle']);
    expect(report.experiments[0]!.paper).toMatchObject({ value: 99.7, table: 'Table 1 (DINOv2-B)' });
    // Table 5's 233.1 M.
    expect(report.experiments[0]!.parameters.modelM).toBeCloseTo(233.08, 2);
    expect(report.deviations).toEqual(
      expect.arrayContaining([
        expect.stringContaining('13 of 15 classes are not there'),
        'The data set has 6 training and 8 test pictures; the complete one 3629 and 1725.',
      ]),
    );
    expect(report.openSwitches[0]).toMatchObject({ setting: 'seReduction', value: 'mean' });
    expect(await readFile(join(root, 'out', 'report.md'), 'utf8')).toContain('**99.7**');
  });

  test('the ablation trains what each row needs', async () => {
    await mvtecTree(join(root, 'data'), ['bottle']);
    const run = await benchmark('mvtec-ad', '--data', join(root, 'data'), '--ablation', 'all', '--set', 'crop=224');
    expect(run.code).toBe(0);
    expect(requests.map(({ settings }) => settings)).toEqual(
      ['encoder', 'decoder', 'encoder', 'noisy-or', 'sum', 'noisy-or'].map((objective, i) => ({
        crop: 224,
        learnFromAll: true,
        objective,
        scoreRow: i + 1,
      })),
    );
    const { experiments, deviations } = await reportOf();
    expect(experiments.map(({ paper }) => paper!.value)).toEqual([96.46, 99.64, 96.58, 99.65, 99.73, 99.66]);
    expect(experiments[0]!.parameters.modelM).toBeLessThan(experiments[5]!.parameters.modelM!);
    expect(deviations).toContain('Setting changed: crop = 224.');
  });

  test('few-shot, single-class, several seeds; a second run goes on', async () => {
    await mvtecTree(join(root, 'data'), ['bottle', 'wood'], 4);
    const argv = ['mvtec-ad', '--data', join(root, 'data'), '--shots', '1,2', '--seeds', '2', '--classes', 'bottle'];
    expect((await benchmark(...argv)).code).toBe(0);
    expect(requests).toHaveLength(4);
    expect((await reportOf()).experiments.map(({ paper }) => paper!.value)).toEqual([92.6, 94.6]);
    const again = await benchmark(...argv);
    expect(again.code).toBe(1);
    expect(again.err).toContain('Go on with it with --resume');
    expect((await benchmark(...argv, '--resume')).code).toBe(0);
    expect(requests).toHaveLength(4);
  });

  test('a semantic set with the embedded preset', async () => {
    await classFolders(join(root, 'data', 'train'), join(root, 'data', 'test'), cifar10Classes);
    const run = await benchmark(
      'cifar10_subset',
      '--data',
      join(root, 'data'),
      '--splits',
      '1,4',
      '--meaningless',
      'a test',
    );
    expect(run.code).toBe(0);
    expect(run.out).toContain('These figures mean nothing: a test.');
    expect(requests.map(({ preset }) => preset)).toEqual(['embedded', 'embedded']);
    const report = await reportOf();
    expect(report.experiments[0]!.rows.map(({ name, images, defects }) => [name, images, defects])).toEqual([
      ['split 1 (first half)', 20, 10],
      ['split 4 (odd)', 20, 10],
    ]);
    expect(report.deviations).toContain('Only split 1, 4.');
  });

  test('data that are not there: where to get them', async () => {
    await writeFile(join(root, 'readme.txt'), 'x');
    const run = await benchmark('visa', '--data', root);
    expect(run.code).toBe(1);
    expect(run.err).toContain('https://github.com/amazon-science/spot-diff');
    expect(run.err).toContain('CC BY 4.0');
    expect(run.err).toContain('split_csv/1cls.csv');
    expect(run.err).toContain('readme.txt');
  });

  test.each([
    [['benchmark'], 2, 'say what to measure: a protocol (mvtec-ad, visa'],
    [['benchmark', 'imagenet', '--data', 'x'], 1, 'no protocol "imagenet"'],
    [['benchmark', 'mvtec-ad'], 1, 'no data was named'],
    [['benchmark', 'mvtec-ad', '--data', 'x', '--ablation', '7'], 2, 'Rows are 1 to 6'],
    [['benchmark', 'mvtec-ad', '--data', 'x', '--ablation', '2', '--preset', 'embedded'], 1, 'has no such rows'],
    [['benchmark', 'mvtec-ad', '--data', 'x', '--preset', 'huge'], 1, 'no preset "huge"'],
    [['benchmark', 'mvtec-ad', '--data', 'x', '--shots', '0'], 2, 'whole number'],
  ])('%j', async (argv, code, message) => {
    const run = await runCli(argv);
    expect(run.code).toBe(code);
    expect(run.err).toContain(message);
  });
});
