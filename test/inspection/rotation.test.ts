import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { WatchJournal } from '../../main/inspection/watch-journal.ts';
import { bundleWorker, startWorker } from '../killing.ts';
import { watchRecord } from './rotation-record.ts';
import { seededRandom } from './watch-process.ts';

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'twinspect rotation ä '));
  path = join(folder, 'journal.jsonl');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const settle = (): Promise<void> => Promise.resolve();

/** Keeps some records, tells of all but the last few, and closes. */
async function keepSome(from: number, to: number, told: number, most: number): Promise<void> {
  const journal = await WatchJournal.open(path, '/in', most);
  for (const untold of journal.untold.splice(0)) {
    void untold;
    await journal.markTold(settle);
  }
  for (let n = from; n < to; n++) {
    const { record, part } = watchRecord(n);
    await journal.keep(record, part);
    if (n < told) await journal.markTold(settle);
  }
  await journal.noteTold(settle);
  await journal.close();
}

/** What must hold of a journal of the parts 0 .. count - 1. */
async function expectWhole(count: number): Promise<void> {
  const journal = await WatchJournal.open(path, '/in', 1e9);
  const fails = Math.ceil(count / 4);
  expect(journal.totals).toEqual({ presented: count, pass: count - fails, fail: fails, review: 0, noDecision: 0 });
  for (let n = 0; n < count + 3; n++) {
    const { record, part } = watchRecord(n);
    expect(journal.states.has(part.stateKey), `state of ${String(n)}`).toBe(n < count);
    expect(journal.claim(part.relative, record.contentHash!), `content of ${String(n)}`).toBe(n >= count);
  }
  await journal.close();
}

/** Numbers of all records in all journals. */
function recorded(): Set<string> {
  const ids = new Set<string>();
  for (const name of readdirSync(folder).filter((one) => one.endsWith('.jsonl'))) {
    for (const line of readFileSync(join(folder, name), 'utf8').split('\n')) {
      const id = /"id":"([0-9a-f]{32})"/.exec(line)?.[1];
      if (id !== undefined) ids.add(id);
    }
  }
  return ids;
}

test('a long journal makes way for a short one that knows all of it; its records stay beside it', async () => {
  await keepSome(0, 40, 37, 1e9);
  const long = statSync(path).size;
  const opened = await WatchJournal.open(path, '/in', 40);
  expect(opened.untold.map(({ record }) => record.predScore)).toEqual([37, 38, 39]);
  await opened.close();
  expect(readdirSync(folder).sort()).toEqual(['journal-000001.jsonl', 'journal-000001.seen', 'journal.jsonl']);
  expect(statSync(path).size).toBeLessThan(long / 5);
  expect(statSync(join(folder, 'journal-000001.jsonl')).size).toBe(long);
  // What the sinks had not heard of is told after the change of files, too, and counted once.
  const again = await WatchJournal.open(path, '/in', 40);
  expect(again.untold.map(({ record }) => record.predScore)).toEqual([37, 38, 39]);
  expect(again.totals.presented).toBe(40);
  await again.close();
  await expectWhole(40);
  await keepSome(40, 90, 90, 40);
  await keepSome(90, 95, 95, 40);
  expect(readdirSync(folder).filter((name) => name.endsWith('.seen'))).toEqual(['journal-000002.seen']);
  await expectWhole(95);
  expect(recorded().size).toBe(95);
});

test('a memory that is damaged or gone is read again from the old journals; without those, nothing is guessed', async () => {
  await keepSome(0, 30, 30, 10);
  await keepSome(30, 50, 50, 10);
  await keepSome(50, 55, 55, 10);
  const memory = join(folder, 'journal-000002.seen');
  const bytes = readFileSync(memory);
  bytes[20]! ^= 1;
  writeFileSync(memory, bytes);
  await expectWhole(55);
  rmSync(memory);
  await expectWhole(55);
  rmSync(join(folder, 'journal-000001.jsonl'));
  await expect(WatchJournal.open(path, '/in')).rejects.toMatchObject({ code: 'journalDamaged' });
});

test('kill -9 at random moments of rotating and keeping: nothing judged is forgotten, nothing else is known', async () => {
  const worker = await bundleWorker(join(import.meta.dirname, 'rotation-worker.ts'));
  try {
    const random = seededRandom(3);
    let kept = 0;
    for (let round = 0; round < 14; round++) {
      // Counted in its own work, for a busy machine does little in any time; now and then in the midst of opening, which
      // is when it rotates.
      const whileOpening = round % 3 === 2;
      const lines = random() < 0.4 ? 4 : 4 + Math.floor(20 * random());
      let armed = false;
      const { child, ended } = startWorker(worker.file, [path, String(kept)], (said) => {
        if (armed || said.split('\n').length <= lines) return;
        armed = true;
        setTimeout(() => child.kill('SIGKILL'), 30 * random());
      });
      if (whileOpening) setTimeout(() => child.kill('SIGKILL'), 150 + 250 * random());
      const { code, out, err } = await ended;
      expect(code, err).toBeNull();
      expect(out).not.toContain('known');
      const told = [...out.matchAll(/kept (\d+)\n/g)].length;
      // The last one may be durable although the word of it did not get out.
      const journal = await WatchJournal.open(path, '/in', 1e9);
      const { presented } = journal.totals;
      await journal.close();
      expect(presented - kept - told).toBeGreaterThanOrEqual(0);
      expect(presented - kept - told).toBeLessThanOrEqual(1);
      kept = presented;
      await expectWhole(kept);
      expect(recorded().size).toBe(kept);
    }
    expect(kept).toBeGreaterThan(20);
    expect(readdirSync(folder).some((name) => name.startsWith('journal-'))).toBe(true);
  } finally {
    await worker.remove();
  }
}, 300_000);
