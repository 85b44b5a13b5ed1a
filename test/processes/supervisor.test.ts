import { EventEmitter } from 'node:events';
import { afterEach, expect, test } from 'vitest';
import type { ChildLike, ProcessHost } from '../../main/processes/child.ts';
import { Peer } from '../../main/processes/rpc.ts';
import { Supervisor, type SupervisedMethods } from '../../main/processes/supervisor.ts';
import { partitionThreads } from '../../main/processes/threads.ts';
import { UserError } from '../../shared/errors.ts';

interface Methods extends SupervisedMethods {
  add(numbers: { a: number; b: number }): number;
  refuse(argument: object): never;
  wait(argument: object): Promise<never>;
}

/** A process that lives in this one. */
class FakeChild extends EventEmitter implements ChildLike {
  readonly pid = 1;
  hangs = false;
  isAlive = true;
  readonly #inside: Peer<Record<string, never>>;

  constructor() {
    super();
    const local = {
      ping: () => (this.hangs ? new Promise(() => undefined) : {}),
      shutDown: () => {
        setTimeout(() => this.die(0), 1);
        return {};
      },
      add: ({ a, b }: { a: number; b: number }) => a + b,
      refuse: () => {
        throw new UserError('tooLate', 'It is too late.', 'Come earlier.');
      },
      wait: () => new Promise(() => undefined),
    };
    this.#inside = new Peer((message) => queueMicrotask(() => this.emit('message', message)), local);
  }

  postMessage(message: unknown): void {
    queueMicrotask(() => {
      if (this.isAlive) this.#inside.receive(structuredClone(message));
    });
  }

  kill(): void {
    this.die(null);
  }

  die(code: number | null): void {
    if (!this.isAlive) return;
    this.isAlive = false;
    setTimeout(() => this.emit('exit', code), 0);
  }
}

class FakeHost implements ProcessHost {
  readonly children: FakeChild[] = [];
  refuses = 0;

  start(): ChildLike {
    if (this.refuses-- > 0) throw new Error('no memory');
    const child = new FakeChild();
    this.children.push(child);
    return child;
  }
}

let supervisor: Supervisor<Methods> | undefined;
afterEach(() => supervisor?.stop(0));

function supervise(host: FakeHost, more: Partial<ConstructorParameters<typeof Supervisor<Methods>>[0]> = {}) {
  supervisor = new Supervisor<Methods>({
    name: 'test',
    host,
    entry: () => Promise.resolve(new URL('file:///none')),
    local: {},
    times: { heartbeatMs: 5, hangMs: 30, firstWaitMs: 1, longestWaitMs: 4, failuresUntilTold: 3 },
    ...more,
  });
  return supervisor;
}

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 2));
}

test('calls are answered, errors for people arrive as they were', async () => {
  const peer = await supervise(new FakeHost()).peer();
  expect(await peer.call('add', { a: 2, b: 3 })).toBe(5);
  await expect(peer.call('refuse', {})).rejects.toMatchObject({
    code: 'tooLate',
    message: 'It is too late. Come earlier.',
    remedy: 'Come earlier.',
  });
});

test('a crash ends what waits, and the process is started again and takes up its work first', async () => {
  const host = new FakeHost();
  const ups: number[] = [];
  const downs: string[] = [];
  const watched = supervise(host, {
    onUp: () => {
      ups.push(host.children.length);
    },
    onDown: (reason) => downs.push(reason),
  });
  const peer = await watched.peer();
  const waiting = peer.call('wait', {});
  host.children[0]!.die(11);
  await expect(waiting).rejects.toMatchObject({ code: 'processStopped' });
  const next = await watched.peer();
  expect(next).not.toBe(peer);
  expect(ups).toEqual([1, 2]);
  expect(downs).toEqual(['it ended with code 11']);
  expect(watched.status).toMatchObject({ state: 'running', restarts: 1 });
});

test('a process that hangs counts as crashed', async () => {
  const host = new FakeHost();
  const watched = supervise(host);
  await watched.peer();
  host.children[0]!.hangs = true;
  await until(() => host.children.length === 2 && watched.status.state === 'running');
  expect(host.children[0]!.isAlive).toBe(false);
  expect(watched.status.lastFailure).toContain('did not answer');
});

test('one that can not be started is told to whoever waits, and tried on', async () => {
  const host = new FakeHost();
  host.refuses = 3;
  const watched = supervise(host);
  await expect(watched.peer()).rejects.toMatchObject({ code: 'processDown' });
  expect(await (await watched.peer()).call('add', { a: 1, b: 1 })).toBe(2);
});

test('stopping asks first, ends for good, and can be undone', async () => {
  const host = new FakeHost();
  const watched = supervise(host);
  await watched.peer();
  await watched.stop();
  expect(watched.status.state).toBe('stopped');
  expect(host.children).toHaveLength(1);
  expect(await (await watched.peer()).call('add', { a: 1, b: 2 })).toBe(3);
  expect(host.children).toHaveLength(2);
});

test('cores are divided, inspection first', () => {
  expect([1, 2, 3, 4, 8, 16].map(partitionThreads)).toEqual([
    { inference: 1, training: 1 },
    { inference: 1, training: 1 },
    { inference: 2, training: 1 },
    { inference: 2, training: 2 },
    { inference: 4, training: 4 },
    { inference: 4, training: 12 },
  ]);
});
