import { expect, test } from 'vitest';
import { PartQueue } from '../../main/feeds/part-queue.ts';

/** A feed that gives what it's told to. */
class Source {
  readonly #waiting: ((result: IteratorResult<number>) => void)[] = [];
  readonly #ready: number[] = [];
  asked = 0;

  give(part: number): void {
    const taker = this.#waiting.shift();
    if (taker === undefined) this.#ready.push(part);
    else taker({ done: false, value: part });
  }

  end(): void {
    this.#waiting.shift()?.({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): AsyncIterator<number> {
    return {
      next: () => {
        this.asked += 1;
        const part = this.#ready.shift();
        if (part !== undefined) return Promise.resolve({ done: false, value: part });
        return new Promise((resolve) => this.#waiting.push(resolve));
      },
    };
  }
}

async function settle(): Promise<void> {
  for (let i = 0; i < 10; i++) await Promise.resolve();
}

function collect(stretch: AsyncIterable<number>): { parts: number[]; ended: Promise<void> } {
  const parts: number[] = [];
  const ended = (async () => {
    for await (const part of stretch) parts.push(part);
  })();
  return { parts, ended };
}

test('a cut ends a stretch while the feed is waited for; the next part belongs to the next stretch', async () => {
  const source = new Source();
  const queue = new PartQueue(source);
  const first = collect(queue.stretch());
  source.give(1);
  await settle();
  queue.cut();
  await first.ended;
  expect(first.parts).toEqual([1]);
  const second = collect(queue.stretch());
  source.give(2);
  source.give(3);
  await settle();
  expect(second.parts).toEqual([2, 3]);
  // The feed was never asked for two parts at once.
  expect(source.asked).toBe(4);
  source.end();
  await second.ended;
  expect(queue.done).toBe(true);
});

test('a part that comes with the cut is not lost', async () => {
  const source = new Source();
  const queue = new PartQueue(source);
  const first = collect(queue.stretch());
  await settle();
  source.give(1);
  queue.cut();
  await first.ended;
  const second = collect(queue.stretch());
  await settle();
  expect([...first.parts, ...second.parts]).toEqual([1]);
  queue.close();
  await second.ended;
});

test('parts handed over come first, and wake a queue that waits; without a feed it waits for them', async () => {
  const queue = new PartQueue<number>(undefined);
  const stretch = collect(queue.stretch());
  await settle();
  queue.push(7, 8);
  await settle();
  expect(stretch.parts).toEqual([7, 8]);
  expect(queue.done).toBe(false);
  queue.close();
  await stretch.ended;
  expect(queue.done).toBe(true);
});

test('closing gives back what nobody took', async () => {
  const queue = new PartQueue<number>(undefined);
  queue.push(1, 2);
  expect(queue.close()).toEqual([1, 2]);
  const { parts, ended } = collect(queue.stretch());
  await ended;
  expect(parts).toEqual([]);
});
