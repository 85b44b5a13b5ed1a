/**
 * Memory of the real program while a line runs: every process each minute, and whether any of it grows. The bundled
 * sample's line is replayed at one part a second, first with the model of the first minute, then with the full one that
 * trains beside it and is swapped in.
 *
 *   xvfb-run -a node bench/run.mjs bench/station-soak.ts [--minutes 60] [--warm-up 20] [--out soak.json]
 *
 * The slope is a least-squares line through the minutes after the warm-up; its 95 % interval comes from a bootstrap of
 * the residuals in blocks of five minutes, for one minute's memory resembles the next's.
 */
import { DatabaseSync } from '@photostructure/sqlite';
import { existsSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { availableParallelism, loadavg } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { formatTable } from '../main/cli/console.ts';
import { createRandom } from '../shared/random.ts';
import { memoryOf, startPrivately } from './station-app.ts';

const { values: options } = parseArgs({
  options: {
    minutes: { type: 'string', default: '60' },
    'warm-up': { type: 'string', default: '20' },
    out: { type: 'string' },
  },
});
const minutes = Number(options.minutes);
const warmUp = Number(options['warm-up']);
const sampleMs = 5_000;

interface Minute {
  minute: number;
  parts: number;
  models: number;
  /** Medians of the minute's samples per process. */
  privateMb: Record<string, number>;
  residentMb: Record<string, number>;
  load: number;
}

const station = await startPrivately(['--disable-gpu']);
const started = performance.now();
const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0;
const names = new Map<number, string>();
let nodes = 0;

/** A process keeps its name; Node processes are numbered as they come. */
function nameOf({ pid, kind }: { pid: number; kind: string }): string {
  const known = names.get(pid);
  if (known !== undefined) return known;
  const name = kind === 'node' ? `node ${String(++nodes)} (${String(pid)})` : kind;
  names.set(pid, name);
  return name;
}

function facts(): { parts: number; models: number } {
  const file = path.join(station.data, 'station.db');
  if (!existsSync(file)) return { parts: 0, models: 0 };
  const store = new DatabaseSync(file, { readOnly: true });
  try {
    const count = (sql: string): number => Number(store.prepare(sql).get()?.['n'] ?? 0);
    return {
      parts: count('SELECT count(*) AS n FROM parts WHERE verdict IS NOT NULL'),
      models: count('SELECT count(*) AS n FROM models'),
    };
  } catch {
    return { parts: 0, models: 0 };
  } finally {
    store.close();
  }
}

const rows: Minute[] = [];
for (let minute = 1; minute <= minutes; minute++) {
  const samples = new Map<string, { privateMb: number[]; residentMb: number[] }>();
  while (performance.now() - started < minute * 60_000) {
    if (station.child.exitCode !== null) throw new Error(`the program ended with ${String(station.child.exitCode)}`);
    const now = new Map<string, { privateMb: number; residentMb: number }>();
    for (const one of memoryOf(station.child.pid!)) {
      const name = nameOf(one);
      const sum = now.get(name) ?? { privateMb: 0, residentMb: 0 };
      now.set(name, { privateMb: sum.privateMb + one.privateMb, residentMb: sum.residentMb + one.residentMb });
    }
    const total = { privateMb: 0, residentMb: 0 };
    for (const { privateMb, residentMb } of now.values()) {
      total.privateMb += privateMb;
      total.residentMb += residentMb;
    }
    now.set('all', total);
    for (const [name, { privateMb, residentMb }] of now) {
      const list = samples.get(name) ?? { privateMb: [], residentMb: [] };
      list.privateMb.push(privateMb);
      list.residentMb.push(residentMb);
      samples.set(name, list);
    }
    await new Promise((resolve) => setTimeout(resolve, sampleMs));
  }
  const row: Minute = { minute, ...facts(), privateMb: {}, residentMb: {}, load: loadavg()[0]! };
  for (const [name, { privateMb, residentMb }] of samples) {
    row.privateMb[name] = Math.round(median(privateMb) * 10) / 10;
    row.residentMb[name] = Math.round(median(residentMb) * 10) / 10;
  }
  rows.push(row);
  console.log(JSON.stringify(row));
  if (options.out !== undefined) writeFileSync(options.out, JSON.stringify(rows, null, 1));
}

/** MB per hour of a line through the minutes, with its 95 % interval. */
function slope(values: readonly number[]): { perHour: number; low: number; high: number } {
  const n = values.length;
  const meanX = (n - 1) / 2;
  const spread = values.reduce((sum, _, i) => sum + (i - meanX) ** 2, 0);
  const fit = (y: readonly number[]): { at: number; by: number } => {
    const at = y.reduce((sum, value) => sum + value, 0) / n;
    return { at, by: y.reduce((sum, value, i) => sum + (i - meanX) * (value - at), 0) / spread };
  };
  const { at, by } = fit(values);
  const line = values.map((_, i) => at + by * (i - meanX));
  const residuals = values.map((value, i) => value - line[i]!);
  const random = createRandom(1);
  const block = Math.min(5, n);
  const slopes: number[] = [];
  for (let round = 0; round < 2_000; round++) {
    const noise: number[] = [];
    while (noise.length < n) {
      const from = Math.floor(random.next() * (n - block + 1));
      noise.push(...residuals.slice(from, from + block));
    }
    slopes.push(fit(line.map((value, i) => value + noise[i]!)).by * 60);
  }
  slopes.sort((a, b) => a - b);
  return { perHour: by * 60, low: slopes[50]!, high: slopes[1_949]! };
}

const after = rows.filter(({ minute }) => minute > warmUp);
const lasting = Object.keys(after.at(-1)?.privateMb ?? {}).filter((name) =>
  after.every((row) => name in row.privateMb),
);
const table = lasting.map((name) => {
  const values = after.map((row) => row.residentMb[name]!);
  const { perHour, low, high } = slope(values);
  const mb = (value: number): string => value.toFixed(1);
  return [
    name,
    mb(values[0]!),
    mb(values.at(-1)!),
    mb(after.at(-1)!.privateMb[name]!),
    mb(perHour),
    `${mb(low)} .. ${mb(high)}`,
  ];
});
console.log(
  formatTable(['process', 'resident MB, first', 'last', 'written MB, last', 'resident MB/h', '95 % interval'], table),
);
console.log(
  `${String(rows.at(-1)?.parts ?? 0)} parts in ${String(minutes)} minutes; slopes from minute ${String(warmUp + 1)}; ${String(availableParallelism())} cores`,
);
await station.stop();
await rm(station.folder, { recursive: true, force: true, maxRetries: 5 });
