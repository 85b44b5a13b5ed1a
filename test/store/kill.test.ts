import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { verifyAuditLog } from '../../main/audit/verify.mjs';
import { eventLine } from '../../shared/audit/event.ts';
import { createRandom } from '../../shared/random.ts';
import { bundleWorker, startWorker } from '../killing.ts';
import { noFilter, temporaryFolder, temporaryStore } from './helpers.ts';

const rounds = 20;

/**
 * Everything the worker said to be durable before it was killed.
 * @param lines what it says before the kill comes: counted in its own work, for a busy machine or a slow disk does
 *   little in any time
 */
async function runUntilKilled(
  worker: string,
  folder: string,
  run: number,
  lines: number,
  thenMs: number,
): Promise<string[]> {
  let armed = false;
  const { ended } = startWorker(worker, [folder, String(run)], (said, child) => {
    if (armed || said.split('\n').length <= lines) return;
    armed = true;
    setTimeout(() => child.kill('SIGKILL'), thenMs);
  });
  const { code, out, err } = await ended;
  if (code !== null) throw new Error(`the worker ended by itself: ${err}`);
  // What comes after the last line feed was cut off.
  return out.split('\n').slice(0, -1);
}

it(
  `loses nothing that was said to be durable when killed at any moment, ${rounds} times`,
  { timeout: 300_000 },
  async () => {
    const folder = temporaryFolder();
    const worker = await bundleWorker(join(import.meta.dirname, 'kill-worker.ts'));
    const random = createRandom(3);
    const presented = new Set<number>();
    const decided = new Map<number, string>();
    const answered = new Set<number>();
    try {
      for (let run = 0; run < rounds; run++) {
        for (const line of await runUntilKilled(worker.file, folder, run, 3 + random.int(30), random.int(100))) {
          const [what, id, verdict] = line.split(' ');
          if (what === 'presented') presented.add(Number(id));
          if (what === 'decided') decided.set(Number(id), verdict!);
          if (what === 'answered') answered.add(Number(id));
        }
      }
    } finally {
      await worker.remove();
    }
    expect(decided.size).toBeGreaterThan(rounds);

    const store = await temporaryStore(folder);
    expect(store.notices.list()).toEqual([]);
    expect(store.database.value('PRAGMA integrity_check')).toBe('ok');
    expect(store.database.all('PRAGMA foreign_key_check')).toEqual([]);
    const projectId = store.projects.list()[0]!.id;
    for (const { partId } of store.parts.undecided())
      store.parts.decideNothing(partId, 'The station stopped.', new Date().toISOString());
    for (const id of presented) expect(store.parts.get(id)?.verdict).toMatch(/pass|fail|noDecision/);
    for (const [id, verdict] of decided) expect(store.parts.get(id)?.verdict).toBe(verdict);
    for (const id of answered) expect(store.parts.get(id)?.personVerdict).toBe('fail');
    // Every part that came has exactly one record, and the booked counts are those of the rows.
    const { counters } = store.history.statistics(noFilter(projectId), 'day');
    expect(counters.presented).toBe(counters.pass + counters.fail + counters.review + counters.noDecision);
    expect(counters.presented).toBe(store.database.value('SELECT count(*) FROM parts'));
    expect(counters.noDecision).toBe(store.database.value("SELECT count(*) FROM parts WHERE verdict = 'noDecision'"));
    expect(counters.noDecision).toBeLessThanOrEqual(rounds);
    // Each picture that is in the records is on the disk, whole.
    for (const { sha256 } of store.database.all<{ sha256: string }>('SELECT sha256 FROM pictures')) {
      const path = store.pictures.path(sha256);
      expect(path).not.toBeNull();
      expect(createHash('sha256').update(readFileSync(path!)).digest('hex')).toBe(sha256);
    }
    // Answers and their log entries stand together.
    expect(store.database.value('SELECT count(*) FROM events')).toBe(
      store.database.value('SELECT count(*) FROM person_answers'),
    );
    const log = [...store.events.iterate()].map((event) => `${eventLine(event)}\n`).join('');
    expect(verifyAuditLog({ log: Buffer.from(log) }).findings).toEqual([]);
  },
);
