import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { inspectParts, type InspectionParts, type PresentedPart } from '../../main/inspection/pipeline.ts';
import { readAhead } from '../../main/inspection/read-ahead.ts';
import type { InspectionRecord } from '../../main/inspection/record.ts';
import type { Picture } from '../../main/pictures/picture.ts';
import { brightnessDetector } from '../cli/fakes.ts';

function grey(brightness: number): Picture {
  return { width: 32, height: 32, data: new Uint8Array(32 * 32 * 3).fill(brightness) };
}

async function* source(count: number): AsyncGenerator<PresentedPart> {
  for (let i = 0; i < count; i++) yield { file: `${String(i)}.png`, path: `/${String(i)}.png` };
}

function partsOf(overrides: Partial<InspectionParts> = {}): InspectionParts & { records: InspectionRecord[] } {
  const records: InspectionRecord[] = [];
  return {
    detector: brightnessDetector(),
    decode: ({ file }) => Promise.resolve({ contentHash: file, picture: grey(Number.parseInt(file, 10) * 20) }),
    prepare: (picture) => ({ ...picture, pixelHash: '' }),
    sinks: [{ accept: (record) => Promise.resolve(void records.push(record)) }],
    records,
    ...overrides,
  };
}

describe('inspectParts', () => {
  test('every part ends in one record, in order; counters in = out', async () => {
    const parts = partsOf({
      // Later parts are decoded faster: they must not overtake.
      decode: async ({ file }) => {
        const n = Number.parseInt(file, 10);
        await pause(12 - n);
        if (n === 4) throw new Error('it is torn');
        return n === 7 ? { contentHash: 'h', reason: 'it is empty' } : { contentHash: file, picture: grey(n * 20) };
      },
    });
    const counters = await inspectParts(source(12), parts);
    expect(parts.records.map(({ file }) => file)).toEqual(Array.from({ length: 12 }, (_, i) => `${String(i)}.png`));
    expect(parts.records.map(({ verdict }) => verdict)).toEqual([
      ...[
        'pass',
        'pass',
        'pass',
        'pass',
        'noDecision',
        'review',
        'review',
        'noDecision',
        'fail',
        'fail',
        'fail',
        'fail',
      ],
    ]);
    expect(parts.records[4]).toMatchObject({ reason: 'it is torn', predScore: null });
    expect(parts.records[7]).toMatchObject({ reason: 'it is empty', contentHash: 'h' });
    const { presented, pass, fail, review, noDecision } = counters;
    expect(presented).toBe(12);
    expect(pass + fail + review + noDecision).toBe(12);
    expect(new Set(parts.records.map(({ id }) => id)).size).toBe(12);
  });

  test('a record is kept before any sink hears of it', async () => {
    const events: string[] = [];
    await inspectParts(
      source(3),
      partsOf({
        keep: async ({ file }) => {
          await pause(5);
          events.push(`kept ${file}`);
        },
        sinks: [{ accept: ({ file }) => Promise.resolve(void events.push(`told ${file}`)) }],
      }),
    );
    expect(events).toEqual(['0', '1', '2'].flatMap((n) => [`kept ${n}.png`, `told ${n}.png`]));
  });

  test('a record that can not be kept stops the line, and nobody hears of it', async () => {
    const told: string[] = [];
    const run = inspectParts(
      source(10),
      partsOf({
        keep: ({ file }) => (file === '2.png' ? Promise.reject(new Error('disk full')) : Promise.resolve()),
        sinks: [{ accept: ({ file }) => Promise.resolve(void told.push(file)) }],
      }),
    );
    await expect(run).rejects.toThrow('disk full');
    expect(told).toEqual(['0.png', '1.png']);
  });

  test('a detector that fails gives no decision, with its reason', async () => {
    const parts = partsOf({
      detector: brightnessDetector({ inspect: () => Promise.reject(new Error('worker died')) }),
    });
    expect(await inspectParts(source(2), parts)).toMatchObject({ presented: 2, noDecision: 2 });
    expect(parts.records[0]).toMatchObject({ verdict: 'noDecision', reason: 'worker died' });
  });

  test('the next part is decoded while this one is scored, never more than the look-ahead', async () => {
    let decoding = 0;
    let most = 0;
    let overlapped = false;
    let decoded = 0;
    const detector = brightnessDetector();
    await inspectParts(
      source(8),
      partsOf({
        lookAhead: 3,
        decode: async () => {
          most = Math.max(most, ++decoding);
          await pause(3);
          decoding -= 1;
          decoded += 1;
          return { contentHash: 'x', picture: grey(10) };
        },
        detector: {
          ...detector,
          inspect: async (pictures) => {
            const before = decoded;
            await pause(10);
            overlapped ||= decoded > before;
            return detector.inspect(pictures);
          },
        },
      }),
    );
    expect(overlapped).toBe(true);
    expect(most).toBeLessThanOrEqual(3);
  });

  test('what is no part after all leaves no trace', async () => {
    const parts = partsOf({
      decode: ({ file }) => Promise.resolve(file === '1.png' ? undefined : { contentHash: file, picture: grey(10) }),
    });
    expect(await inspectParts(source(3), parts)).toMatchObject({ presented: 2 });
  });
});

describe('readAhead', () => {
  test('gives results while the source is still waiting for its next item', async () => {
    let release: () => void = () => undefined;
    const held = new Promise<void>((done) => (release = done));
    async function* slow(): AsyncGenerator<number> {
      yield 1;
      await held;
      yield 2;
    }
    const results = readAhead(slow(), 2, (n) => Promise.resolve(10 * n));
    expect((await results.next()).value).toBe(10);
    release();
    expect((await results.next()).value).toBe(20);
    expect((await results.next()).done).toBe(true);
  });
});
