import { describe, expect, test } from 'vitest';
import { UserError } from '../../shared/errors.ts';
import type { TrainingSummary } from '../../main/training/request.ts';
import { runCli } from './fakes.ts';

const commands = ['train', 'evaluate', 'inspect', 'watch', 'doctor'];

const trainingSummary = (classes: string[], elapsedMs: number): TrainingSummary => ({
  modelPath: 'm.twin',
  modelHash: 'h',
  classes,
  elapsedMs,
  phases: [{ phase: 'features', elapsedMs }],
  engine: { engine: 'onnxruntime 1.30.0', provider: 'cpu', threads: 2, mode: 'loop' },
  parity: { maxAbsDifference: 1e-6, verdictFlips: 0, pictures: 12 },
});

describe('help', () => {
  test.each(commands)('%s --help shows examples and exit codes and ends with 0', async (command) => {
    const run = await runCli([command, '--help']);
    expect(run.code).toBe(0);
    expect(run.out).toContain(`Usage: twinspect ${command}`);
    expect(run.out).toContain(`$ twinspect ${command}`);
    expect(run.out).toContain('Exit codes:');
    expect(run.out).toContain('--json');
  });

  test('without a command, the commands are listed', async () => {
    const run = await runCli(['--help']);
    for (const command of commands) expect(run.out).toContain(`\n  ${command}`);
  });
});

describe('a wrong command line ends with 2 and says what is near', () => {
  test.each([
    [['inspect', '--modell', 'a.twin', 'x.png'], '--model'],
    [['evalute'], 'evaluate'],
    [['train', '--dta', 'x', '--out', 'y'], '--data'],
    [['backbone', 'verfy'], 'verify'],
  ])('%j', async (argv, suggestion) => {
    const run = await runCli(argv);
    expect(run.code).toBe(2);
    expect(run.err).toContain(`Did you mean ${suggestion}?`);
    expect(run.out).toBe('');
  });

  test.each([
    [['inspect', 'x.png'], "'--model <file>' not specified"],
    [['inspect', '--model', 'a.twin'], "missing required argument 'path'"],
    [['train', '--data', 'x', '--out', 'y', '--seed', '-1'], 'whole number'],
    [['train', '--data', 'x', '--out', 'y', '--steps', '1.5'], 'whole number'],
    [['inspect', '--model', 'a', '--engine', 'gpu', 'x'], 'Allowed choices are auto, cpu, cuda'],
  ])('%j', async (argv, message) => {
    const run = await runCli(argv);
    expect(run.code).toBe(2);
    expect(run.err).toContain(message);
  });
});

describe('errors', () => {
  const failing = (error: Error) => ({ services: { openDetector: () => Promise.reject(error) } });

  test('a UserError is its message alone, exit code 1', async () => {
    const run = await runCli(
      ['inspect', '--model', 'a.twin', 'x.png'],
      failing(new UserError('modelMissing', 'There is no "a.twin".', 'Check the path.')),
    );
    expect(run).toMatchObject({ code: 1, out: '', err: 'There is no "a.twin". Check the path.\n' });
  });

  test('with --json it is one JSON line on standard error', async () => {
    const run = await runCli(
      ['inspect', '--json', '--model', 'a.twin', 'x.png'],
      failing(new UserError('modelMissing', 'There is no "a.twin".', 'Check the path.')),
    );
    expect(run.out).toBe('');
    expect(JSON.parse(run.err)).toMatchObject({ error: { code: 'modelMissing', remedy: 'Check the path.' } });
  });

  test('anything else is called a defect of the program', async () => {
    const run = await runCli(['inspect', '--model', 'a.twin', 'x.png'], failing(new TypeError('x is not a function')));
    expect(run.code).toBe(1);
    expect(run.err).toContain('This is a defect of Twinspect');
  });

  test('a cancelled command ends with 130', async () => {
    const controller = new AbortController();
    const run = await runCli(['train', '--data', 'x', '--out', 'y.twin'], {
      signal: controller.signal,
      services: {
        trainModel: (_request, _onEvent, signal) => {
          controller.abort(new Error('cancelled'));
          signal.throwIfAborted();
          return Promise.reject(new Error('unreachable'));
        },
      },
    });
    expect(run.code).toBe(130);
    expect(run.err).toContain('Cancelled');
  });
});

describe('train', () => {
  test('hands the request on and shows events as lines', async () => {
    let seen: unknown;
    const run = await runCli(
      ['train', '--data', 'a', '--data', 'b', '--out', 'm.twin', '--seed', '7', '--shots', '4', '--engine', 'cpu'],
      {
        services: {
          trainModel: (request, onEvent) => {
            seen = request;
            onEvent({ type: 'phase', phase: 'features', message: 'Teacher features' });
            for (let done = 1; done <= 20; done++) {
              onEvent({ type: 'progress', phase: 'features', done, total: 20, remainingMs: (20 - done) * 1000 });
            }
            onEvent({ type: 'phaseDone', phase: 'features', elapsedMs: 1234 });
            return Promise.resolve(trainingSummary(['a', 'b'], 99_000));
          },
        },
      },
    );
    expect(run.code).toBe(0);
    expect(seen).toMatchObject({
      dataDirs: ['a', 'b'],
      out: 'm.twin',
      seed: 7,
      shots: 4,
      preset: 'embedded',
      engine: 'cpu',
    });
    expect(run.err).toContain('features: 10 of 20 pictures, 10.0 s left');
    expect(run.out).toContain('Model: m.twin, 2 classes, in 99.0 s.');
  });

  test('--json keeps standard output for JSON', async () => {
    const run = await runCli(['train', '--data', 'a', '--out', 'm.twin', '--json'], {
      services: {
        trainModel: (_request, onEvent) => {
          onEvent({ type: 'warning', message: 'Two pictures are the same.' });
          return Promise.resolve(trainingSummary(['a'], 1));
        },
      },
    });
    expect(run.records().map((record) => record['type'])).toEqual(['warning', 'done']);
    expect(run.err).toContain('Warning: Two pictures are the same.');
  });
});

describe('doctor', () => {
  test('--json is one object with findings', async () => {
    const run = await runCli(['doctor', '--json']);
    expect(run.code).toBe(0);
    expect(run.records()[0]).toMatchObject({
      runtime: { onnxruntimeVersion: '1.30.0', providers: [{ name: 'cpu', available: true }] },
      findings: expect.arrayContaining([expect.objectContaining({ level: 'ok' })]) as unknown,
    });
  });

  test('a missing runtime is a problem with a remedy, exit code 1', async () => {
    const run = await runCli(['doctor'], {
      services: { runtimeFacts: () => Promise.resolve({ onnxruntimeVersion: undefined, providers: [] }) },
    });
    expect(run.code).toBe(1);
    expect(run.out).toContain('[problem]  ONNX Runtime could not be loaded');
    expect(run.out).toContain('npm ci');
  });
});
