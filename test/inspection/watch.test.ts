import { appendFile, mkdir, mkdtemp, readdir, readFile, rename, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { InspectionRecord } from '../../main/inspection/record.ts';
import { watchAndInspect, type WatchOptions, type WatchState, type WatchSummary } from '../../main/inspection/watch.ts';
import { preparePicture } from '../../main/pictures/prepare.ts';
import { brightnessDetector } from '../cli/fakes.ts';
import { greyPng, writePicture } from '../cli/pictures.ts';

let folder: string;
let inbox: string;
let results: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'twinspect watch ä 한 '));
  inbox = join(folder, 'inbox');
  results = join(folder, 'results');
  await mkdir(inbox);
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

interface Watching {
  records: InspectionRecord[];
  states: WatchState[];
  stop: () => Promise<WatchSummary>;
  ended: Promise<WatchSummary>;
  /** Waits until that many records were heard of. */
  heard: (count: number) => Promise<void>;
  /** Waits until the folder was looked at that often with nothing new in it, from now on. */
  idle: (looks?: number) => Promise<void>;
  until: (holds: () => boolean) => Promise<void>;
}

function startWatching(options: Partial<WatchOptions> = {}): Watching {
  const controller = new AbortController();
  const records: InspectionRecord[] = [];
  const states: WatchState[] = [];
  const ended = watchAndInspect(
    {
      folder: inbox,
      resultsDir: results,
      quarantine: 'copy',
      settleMs: 40,
      scanIntervalMs: 60,
      emptyPatienceMs: 200,
      ...options,
    },
    {
      detector: brightnessDetector(),
      prepare: (picture, size) => preparePicture(picture, { size }),
      onRecord: (record) => records.push(record),
      onState: (state) => states.push(state),
      signal: controller.signal,
    },
  );
  const until = async (holds: () => boolean): Promise<void> => {
    for (let waited = 0; !holds(); waited += 10) {
      if (waited > 30_000) throw new Error(`waited in vain; heard ${JSON.stringify(records.map((r) => r.file))}`);
      await Promise.race([pause(10), ended]);
    }
  };
  return {
    records,
    states,
    ended,
    stop: () => {
      controller.abort();
      return ended;
    },
    heard: (count) => until(() => records.length >= count),
    idle: (looks = 3) => {
      const before = states.length;
      return until(() => states.slice(before).filter(({ type }) => type === 'idle').length >= looks);
    },
    until,
  };
}

const names = (records: readonly InspectionRecord[]): string[] =>
  records.map(({ file }) => file.slice(inbox.length + 1));

describe('what counts as a part', () => {
  test('each content of each path once, over restarts; a touched file is no new part', async () => {
    await writePicture(join(inbox, 'a.png'), 20);
    await writePicture(join(inbox, 'sub', 'a.png'), 20);
    const first = startWatching();
    await first.heard(2);
    await utimes(join(inbox, 'a.png'), new Date(), new Date());
    await writePicture(join(inbox, 'b.png'), 220);
    await first.heard(3);
    await first.stop();
    await utimes(join(inbox, 'b.png'), new Date(), new Date(Date.now() + 5000));
    await writePicture(join(inbox, 'a.png'), 130);
    const second = startWatching();
    await second.heard(1);
    await second.idle();
    const { counters, totals } = await second.stop();
    expect(names(second.records)).toEqual(['a.png']);
    expect(second.records[0]).toMatchObject({ verdict: 'review' });
    expect(counters.presented).toBe(1);
    expect(totals).toEqual({ presented: 4, pass: 2, fail: 1, review: 1, noDecision: 0 });
    expect((await readFile(join(results, 'results.csv'), 'utf8')).trim().split('\n')).toHaveLength(5);
  });

  test('a file that is still growing is waited for; one renamed into the folder counts at once', async () => {
    // Longer than any pause of the one who writes, on a busy machine, too.
    const watching = startWatching({ settleMs: 2000, emptyPatienceMs: 4000 });
    const picture = greyPng(20, 64);
    const path = join(inbox, 'slow.png');
    await writeFile(path, '');
    for (let i = 0; i < picture.length; i += Math.ceil(picture.length / 6)) {
      await appendFile(path, picture.subarray(i, i + Math.ceil(picture.length / 6)));
      await pause(30);
    }
    await writeFile(join(folder, 'outside.png'), greyPng(220));
    await rename(join(folder, 'outside.png'), join(inbox, 'moved.png'));
    await watching.heard(2);
    await watching.stop();
    expect(watching.records.map(({ verdict }) => verdict).sort()).toEqual(['fail', 'pass']);
  });

  test('files that are no pictures by name, hidden ones and the results are left alone', async () => {
    await writeFile(join(inbox, 'notes.txt'), 'x');
    await writeFile(join(inbox, '.hidden.png'), 'x');
    await writePicture(join(inbox, 'a.png'), 220);
    const watching = startWatching({ resultsDir: join(inbox, 'out') });
    await watching.heard(1);
    await watching.idle();
    await watching.stop();
    expect(names(watching.records)).toEqual(['a.png']);
    expect(await readdir(join(inbox, 'out', 'overlays'))).toHaveLength(1);
  });

  test('parts that wait together are judged in the order in which they came', async () => {
    const expected: string[] = [];
    for (let i = 0; i < 20; i++) {
      const name = `${String((i * 7) % 20)}.png`;
      await writePicture(join(inbox, name), 20, 16, i);
      await utimes(join(inbox, name), new Date(), new Date(1_700_000_000_000 + 1000 * i));
      expected.push(name);
    }
    const watching = startWatching();
    await watching.heard(20);
    await watching.stop();
    expect(names(watching.records)).toEqual(expected);
  });
});

describe('quarantine', () => {
  test.each(['copy', 'move'] as const)('%s: unreadable files are put apart, with the reason', async (quarantine) => {
    await writeFile(join(inbox, 'empty.png'), '');
    await writeFile(join(inbox, 'text ü.png'), 'not a picture');
    await writePicture(join(inbox, 'good.png'), 20);
    const watching = startWatching({ quarantine });
    await watching.heard(3);
    const { counters } = await watching.stop();
    expect(counters).toEqual({ presented: 3, pass: 1, fail: 0, review: 0, noDecision: 2 });
    const apart = await readdir(join(results, 'quarantine'));
    expect(apart.map((name) => name.replace(/^[0-9a-f]{12}-/, '')).sort()).toEqual(
      ['empty.png', 'quarantine.csv', 'text ü.png'].sort(),
    );
    const list = await readFile(join(results, 'quarantine', 'quarantine.csv'), 'utf8');
    expect(list).toContain('holds text, not a picture');
    expect((await readdir(inbox)).sort()).toEqual(
      quarantine === 'move' ? ['good.png'] : ['empty.png', 'good.png', 'text ü.png'],
    );
  });
});

describe('trouble', () => {
  test('a folder that goes away is said loud and waited for', async () => {
    await writePicture(join(inbox, 'a.png'), 20);
    const watching = startWatching();
    await watching.heard(1);
    await rename(inbox, `${inbox}-away`);
    await watching.until(() => watching.states.some(({ type }) => type === 'folderGone'));
    await pause(250);
    expect(watching.states.filter(({ type }) => type === 'folderGone')).toHaveLength(1);
    await rename(`${inbox}-away`, inbox);
    await writePicture(join(inbox, 'b.png'), 220);
    await watching.heard(2);
    await watching.stop();
    expect(watching.states.map(({ type }) => type)).toContain('folderBack');
    expect(names(watching.records)).toEqual(['a.png', 'b.png']);
  });

  test('a folder that never was is refused', async () => {
    await expect(startWatching({ folder: join(folder, 'nowhere') }).ended).rejects.toMatchObject({
      code: 'folderMissing',
    });
  });

  test('only one watch writes to a results folder', async () => {
    const first = startWatching();
    await writePicture(join(inbox, 'a.png'), 20);
    await first.heard(1);
    await expect(startWatching().ended).rejects.toMatchObject({ code: 'watchedTwice' });
    await first.stop();
    const third = startWatching();
    await pause(100);
    expect((await third.stop()).totals.presented).toBe(1);
  });

  test('records that the sinks had not heard of are told after a restart, and nothing twice', async () => {
    for (let i = 0; i < 5; i++) await writePicture(join(inbox, `${String(i)}.png`), 220, 16, i);
    const first = startWatching();
    await first.heard(5);
    await first.stop();
    // As if the process had been killed after the third record was durable, with the sinks two behind.
    const journal = (await readFile(join(results, 'journal.jsonl'), 'utf8')).split('\n');
    await writeFile(join(results, 'journal.jsonl'), `${journal.slice(0, 3).join('\n')}\n`);
    const csv = (await readFile(join(results, 'results.csv'), 'utf8')).split('\n');
    await writeFile(join(results, 'results.csv'), `${csv.slice(0, 2).join('\n')}\n${csv[2]!.slice(0, 30)}`);
    await rm(join(results, 'overlays'), { recursive: true });
    const second = startWatching();
    await second.heard(5);
    await second.stop();
    expect(second.states[0]).toMatchObject({ type: 'started', judgedBefore: 3, retold: 3 });
    const ids = [...(await readFile(join(results, 'results.csv'), 'utf8')).matchAll(/,([0-9a-f]{32})\n/g)];
    expect(ids).toHaveLength(5);
    expect(new Set(ids.map((match) => match[1])).size).toBe(5);
    expect(await readdir(join(results, 'overlays'))).toHaveLength(5);
  });

  test("another program's file in the journal's place is not written to", async () => {
    await mkdir(results);
    await writeFile(join(results, 'journal.jsonl'), '{"hello":"world"}\n');
    await expect(startWatching().ended).rejects.toMatchObject({ code: 'journalForeign' });
    expect(await readFile(join(results, 'journal.jsonl'), 'utf8')).toBe('{"hello":"world"}\n');
  });
});
