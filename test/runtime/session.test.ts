import { Worker } from 'node:worker_threads';
import { afterEach, describe, expect, it } from 'vitest';
import type { UserError } from '../../shared/errors.ts';
import { OnnxGraph } from '../../main/onnx/graph.ts';
import { WorkerClient } from '../../main/runtime/rpc.ts';
import { chooseProvider, listProviders } from '../../main/runtime/providers.ts';
import { openSession, openSessionInline, SessionWorker, type GraphSession } from '../../main/runtime/session.ts';

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

/** `y = 2 x`, and how many rows x has. */
function doubling(): Uint8Array {
  const graph = new OnnxGraph();
  const x = graph.input('x', 'float32', ['rows', 2]);
  const [y] = graph.node('Mul', [x, graph.scalar(2)]);
  const [rows] = graph.node('Shape', [x], { end: { int: 1 } });
  graph.output('y', y, 'float32', ['rows', 2]);
  graph.output('rows', rows, 'int64', [1]);
  return graph.toBytes();
}

/** A product that takes long enough to be interrupted. */
function slow(): Uint8Array {
  const graph = new OnnxGraph();
  const x = graph.input('x', 'float32', [600, 600]);
  let y = x;
  for (let i = 0; i < 60; i++) [y] = graph.node('MatMul', [y, x]);
  graph.output('y', y, 'float32', [600, 600]);
  return graph.toBytes();
}

const feeds = { x: { dtype: 'float32', dims: [3, 2], data: Float32Array.of(1, 2, 3, 4, 5, 6) } } as const;
const slowFeeds = { x: { dtype: 'float32', dims: [600, 600], data: new Float32Array(360_000) } } as const;

async function checkDoubling(session: GraphSession): Promise<void> {
  const { y, rows } = await session.run(feeds);
  expect(y).toEqual({ dtype: 'float32', dims: [3, 2], data: Float32Array.of(2, 4, 6, 8, 10, 12) });
  expect(rows).toEqual({ dtype: 'int64', dims: [1], data: BigInt64Array.of(3n) });
  expect(Object.keys(await session.run(feeds, ['y']))).toEqual(['y']);
  expect(feeds.x.data).toHaveLength(6);
}

describe('sessions', () => {
  it('runs a model in a worker and in this thread', async () => {
    for (const open of [openSession, openSessionInline]) {
      const session = await open(doubling(), { threads: 1 });
      closing.push(() => session.close());
      expect(session.description).toMatchObject({ provider: 'cpu', threads: 1, inputNames: ['x'] });
      await checkDoubling(session);
    }
  });

  it('shares one worker among several sessions', async () => {
    const worker = await SessionWorker.start();
    closing.push(() => worker.close());
    const [a, b] = [await worker.open(doubling()), await worker.open(doubling())];
    await Promise.all([checkDoubling(a), checkDoubling(b)]);
    await a.close();
    await checkDoubling(b);
    await expect(a.run(feeds)).rejects.toThrow(/closed/);
  });

  it('leaves this thread free while a model runs', async () => {
    const session = await openSession(slow(), { threads: 1 });
    closing.push(() => session.close());
    let ticks = 0;
    const timer = setInterval(() => ticks++, 1);
    await session.run(slowFeeds);
    clearInterval(timer);
    expect(ticks).toBeGreaterThan(5);
  });

  it('rejects what waits when its worker is closed or dies', async () => {
    const worker = await SessionWorker.start();
    const session = await worker.open(slow(), { threads: 1 });
    const run = session.run(slowFeeds);
    const outcome = expect(run).rejects.toMatchObject({ name: 'UserError', code: 'workerClosed' });
    await worker.close();
    await outcome;
    await expect(session.run(slowFeeds)).rejects.toMatchObject({ code: 'workerClosed' });

    const client = new WorkerClient(new Worker('setTimeout(() => { throw new Error("boom"); }, 20)', { eval: true }));
    const stopped = { name: 'UserError', code: 'workerStopped', message: expect.stringContaining('boom') as string };
    await expect(client.call('run', {})).rejects.toMatchObject(stopped);
    await expect(client.call('run', {})).rejects.toMatchObject(stopped);
  });

  it('closes at any moment of a run without ending the process', async () => {
    for (const waitMs of [0, 2, 5, 10, 20, 40]) {
      const session = await openSession(slow(), { threads: 1 });
      const run = session.run(slowFeeds);
      const outcome = run.then(
        () => 'ended',
        (error: unknown) => (error as UserError).code,
      );
      await new Promise((resolve) => setTimeout(resolve, waitMs));
      await session.close();
      expect(['ended', 'workerClosed']).toContain(await outcome);
    }
  });

  it('says what is wrong with a model that cannot be opened', async () => {
    await expect(openSession(Uint8Array.of(1, 2, 3))).rejects.toMatchObject({
      name: 'UserError',
      code: 'modelRefused',
    });
    await expect(openSession('/nowhere/model.onnx')).rejects.toThrow(/nowhere\/model.onnx/);
  });
});

describe('execution providers', () => {
  it('lists what works here, with a reason and a remedy for what does not', async () => {
    const reports = await listProviders();
    expect(reports.find(({ name }) => name === 'cpu')?.available).toBe(true);
    for (const { available, reason, remedy } of reports) {
      if (available) continue;
      expect(reason).not.toBe('');
      expect(remedy).toMatch(/\w/);
    }
  });

  it('never falls back silently: what is asked for and absent is an error with a remedy', async () => {
    const absent = (await listProviders()).find(({ available }) => !available)!;
    await expect(openSession(doubling(), { provider: absent.name })).rejects.toMatchObject({
      name: 'UserError',
      code: 'providerAbsent',
      remedy: absent.remedy,
    });
    await expect(chooseProvider('gpu')).rejects.toMatchObject({ code: 'providerUnknown' });
  });

  it('auto says what it took', async () => {
    const { provider, reason } = await chooseProvider('auto');
    expect(reason).toContain(`auto took ${provider}`);
  });
});
