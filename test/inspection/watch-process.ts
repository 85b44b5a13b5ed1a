import type { ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { greyPng } from '../cli/pictures.ts';
import { bundleWorker, startWorker, type RunningWorker, type Worker } from '../killing.ts';

/** Bundles the worker, so that plain Node can run it. */
export const bundleWatchWorker = (): Promise<Worker> => bundleWorker(join(import.meta.dirname, 'watch-worker.ts'));

export const startWatch = (worker: string, args: readonly string[], env: Record<string, string> = {}): RunningWorker =>
  startWorker(worker, ['watch', '--model', 'fake.twin', '--json', ...args], undefined, env);

/** A file as it is to end up, and the verdict it must get. */
interface ExpectedFile {
  contentHash: string;
  verdict: string;
}

/** Feeds a folder as a camera, a copying person and an unreliable network drive would. */
export class Feeder {
  readonly expected = new Map<string, ExpectedFile>();
  readonly #folder: string;
  readonly #random: () => number;
  #count = 0;

  constructor(folder: string, random: () => number) {
    this.#folder = folder;
    this.#random = random;
  }

  /** Adds one file, in one of many ways. */
  async add(): Promise<void> {
    const n = this.#count++;
    const brightness = Math.floor(this.#random() * 256);
    const kind = this.#random();
    const name = `${n % 7 === 0 ? 'Ünter ordner/' : ''}teil ${String(n).padStart(5, '0')} 부품.png`;
    const path = join(this.#folder, name);
    await mkdir(dirname(path), { recursive: true });
    const picture = greyPng(brightness, 16, n);
    if (kind < 0.08) {
      // Torn for good: no decision.
      await this.#write(name, picture.subarray(0, picture.length - 20), 'noDecision');
    } else if (kind < 0.4) {
      // Renamed into the folder.
      const outside = `${this.#folder}.incoming-${String(n)}`;
      await writeFile(outside, picture);
      await rename(outside, path);
      this.#expect(name, picture, verdictOf(brightness));
    } else if (kind < 0.5) {
      // Written slowly.
      await writeFile(path, picture.subarray(0, 30));
      await pause(5);
      await this.#write(name, picture, verdictOf(brightness));
    } else if (kind < 0.6 && n > 10) {
      // An older file gets a new content: that's a new part.
      const old = [...this.expected.keys()][Math.floor(this.#random() * this.expected.size)]!;
      await this.#write(old, picture, verdictOf(brightness));
    } else {
      await this.#write(name, picture, verdictOf(brightness));
    }
  }

  async #write(name: string, bytes: Uint8Array, verdict: string): Promise<void> {
    await writeFile(join(this.#folder, name), bytes);
    this.#expect(name, bytes, verdict);
  }

  #expect(name: string, bytes: Uint8Array, verdict: string): void {
    this.expected.set(name, { contentHash: createHash('sha256').update(bytes).digest('hex'), verdict });
  }
}

/** The brightness detector's rule, see `brightnessDetector`: one odd pixel in 256 moves it by less than the margin. */
function verdictOf(brightness: number): string {
  const score = brightness / 64;
  if (Math.abs(score - 1.5) < 0.05 || Math.abs(score - 2.5) < 0.05) return 'any';
  return score >= 2.5 ? 'fail' : score >= 1.5 ? 'review' : 'pass';
}

export interface KillReport {
  kills: number;
  /** Kills that hit a process which had judged something by then; the others hit it while it started. */
  killsAtWork: number;
  files: number;
  records: number;
  /** What is not as it must be; empty when all is well. */
  faults: string[];
}

/**
 * Kills `watch` with SIGKILL at random moments while files come in, lets a last run finish the rest, and checks that
 * every file has exactly one verdict, in the journal and in results.csv.
 */
export async function killRepeatedly(settings: {
  worker: string;
  folder: string;
  kills: number;
  filesPerRun: number;
  random: () => number;
  onRun?: (run: number) => void;
}): Promise<KillReport> {
  const { worker, folder, kills, filesPerRun, random } = settings;
  const inbox = join(folder, 'inbox');
  const results = join(folder, 'results');
  await mkdir(inbox, { recursive: true });
  const feeder = new Feeder(inbox, random);
  const args = [inbox, '--out', results, '--settle', '25', '--interval', '100'];
  const heard: string[] = [];
  let killsAtWork = 0;
  for (let run = 0; run < kills; run++) {
    settings.onRun?.(run);
    for (let i = 0; i < filesPerRun / 2; i++) await feeder.add();
    const { child, ended } = startWatch(worker, args, { DETECTOR_DELAY_MS: '2' });
    const atWork = random() < 0.8;
    const killed = atWork
      ? killAfterRecords(child, 1 + Math.floor(random() * 12), random() * 25)
      : killAfter(child, 600 * random());
    for (let i = 0; i < filesPerRun / 2; i++) {
      await feeder.add();
      await pause(5);
    }
    await killed;
    const { out } = await ended;
    if (out !== '') killsAtWork += 1;
    heard.push(out);
  }
  const last = startWatch(worker, [...args, '--until-idle', '1']);
  const { code, out, err } = await last.ended;
  heard.push(out);
  const report = {
    kills,
    killsAtWork,
    files: feeder.expected.size,
    records: 0,
    faults: [`the last run failed: ${err}`],
  };
  if (code !== 0) return report;
  return { ...report, records: (await readRecords(results)).length, faults: await check(results, feeder, heard) };
}

async function killAfter(child: ChildProcess, ms: number): Promise<void> {
  await pause(ms);
  child.kill('SIGKILL');
}

/** Lets it judge some parts, then kills it a moment later: in the midst of reading, scoring, writing or telling. */
async function killAfterRecords(child: ChildProcess, count: number, ms: number): Promise<void> {
  let heard = 0;
  await new Promise<void>((done) => {
    const timer = setTimeout(done, 60_000);
    child.stdout?.on('data', (text: string) => {
      heard += text.split('\n').length - 1;
      if (heard < count) return;
      clearTimeout(timer);
      done();
    });
  });
  await killAfter(child, ms);
}

interface JournalLine {
  record: { id: string; verdict: string; contentHash?: string };
  relative: string;
}

async function readRecords(results: string): Promise<JournalLine[]> {
  const text = await readFile(join(results, 'journal.jsonl'), 'utf8');
  return text
    .split('\n')
    .filter((line) => line.startsWith('{"record"'))
    .map((line) => JSON.parse(line) as JournalLine);
}

async function check(results: string, feeder: Feeder, heard: readonly string[]): Promise<string[]> {
  const faults: string[] = [];
  const records = await readRecords(results);
  const judged = new Map<string, JournalLine['record'][]>();
  for (const { record, relative } of records) {
    const key = `${relative}\0${record.contentHash ?? ''}`;
    judged.set(key, [...(judged.get(key) ?? []), record]);
  }
  for (const [key, found] of judged) {
    if (found.length !== 1) faults.push(`${key}: ${String(found.length)} verdicts`);
  }
  for (const [name, { contentHash, verdict }] of feeder.expected) {
    const found = judged.get(`${name}\0${contentHash}`)?.[0];
    if (found === undefined) faults.push(`${name}: no verdict`);
    else if (verdict !== 'any' && found.verdict !== verdict) faults.push(`${name}: ${found.verdict}, not ${verdict}`);
  }
  const ids = records.map(({ record }) => record.id).sort();
  const csvIds = await idsOf(join(results, 'results.csv'));
  if (ids.join() !== csvIds.join())
    faults.push(`results.csv: ${String(csvIds.length)} of ${String(ids.length)} records`);
  const apart = records
    .filter(({ record }) => record.verdict === 'noDecision')
    .map(({ record }) => record.id)
    .sort();
  const listed = await idsOf(join(results, 'quarantine', 'quarantine.csv'));
  if (apart.join() !== listed.join())
    faults.push(`quarantine.csv: ${String(listed.length)} of ${String(apart.length)}`);
  // Nobody may have heard of a verdict that was not durable.
  const known = new Set(ids);
  for (const [, id] of heard.join('').matchAll(/"id":"([0-9a-f]{32})"/g)) {
    if (!known.has(id!)) faults.push(`${id!}: told, but not in the journal`);
  }
  return faults;
}

async function idsOf(csv: string): Promise<string[]> {
  const text = await readFile(csv, 'utf8');
  return [...text.matchAll(/,([0-9a-f]{32})\n/g)].map((match) => match[1]!).sort();
}

/** Seeded numbers in [0, 1): a failing run can be repeated. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}
