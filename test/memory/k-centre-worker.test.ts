import { describe, expect, it } from 'vitest';
import { createCandidateCollector } from '../../main/memory/coreset.ts';
import { kCentrePicks } from '../../main/memory/k-centre.ts';
import { kCentreInWorker } from '../../main/runtime/k-centre-worker.ts';
import { randomMatrix } from './reference.ts';

describe('kCentreInWorker', () => {
  it('picks the same on threads side by side', async () => {
    const seeds = [1, 2];
    const expected = seeds.map((seed) => kCentrePicks(randomMatrix(2000, 32, seed), 300));
    const actual = await Promise.all(seeds.map((seed) => kCentreInWorker(randomMatrix(2000, 32, seed), 300)));
    expect(actual).toEqual(expected);
  });

  it('builds the same coreset as the plain way', async () => {
    const collector = createCandidateCollector(20, 3);
    for (let i = 0; i < 4; i++) collector.add(randomMatrix(64, 20, i), i % 2, i);
    const plain = collector.build({ size: 50 });
    expect(await collector.buildWith((points, count) => kCentreInWorker(points, count), 50)).toEqual(plain);
  });

  it('stops at once when aborted, with the reason given', async () => {
    const controller = new AbortController();
    const long = kCentreInWorker(randomMatrix(40_000, 32, 1), 20_000, controller.signal);
    const reason = new Error('cancelled by the person');
    setTimeout(() => controller.abort(reason), 50);
    await expect(long).rejects.toBe(reason);
    await expect(kCentreInWorker(randomMatrix(10, 3, 1), 5, controller.signal)).rejects.toBe(reason);
  });
});
