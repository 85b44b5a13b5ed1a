/** What the benchmarks share: interleaved timing, medians, tables, a model to measure. */
import { rmSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { loadavg, tmpdir } from 'node:os';
import path from 'node:path';
import { listParts } from '../main/inspection/picture-files.ts';
import { readPicture } from '../main/pictures/decode.ts';
import { preparePicture } from '../main/pictures/prepare.ts';
import type { PreparedPicture } from '../main/pictures/picture.ts';
import { modelsDir } from '../main/system/project-root.ts';
import { trainModel } from '../main/training/run.ts';

/** The bundled pictures. */
export const samplePictures = path.join(modelsDir(), 'sample', 'papers');

/** Middle value; NaN for an empty list. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
}

/** Mean of the values that are there; NaN where none is. */
export function meanOf(values: readonly (number | null | undefined)[]): number {
  const known = values.filter((value) => typeof value === 'number' && !Number.isNaN(value)) as number[];
  return known.reduce((sum, value) => sum + value, 0) / known.length;
}

/** How busy the machine is: a time measured on a busy machine says little. */
export function loadLine(): string {
  return `load average ${loadavg()
    .map((value) => value.toFixed(1))
    .join(', ')}`;
}

/** Milliseconds. */
export interface Timing {
  min: number;
  median: number;
  /** Median of processor time, all threads of the process together: a busy machine disturbs it least. */
  processor: number;
}

/** Milliseconds of one round on the clock and of processor time. */
export interface Took {
  clock: number;
  processor: number;
}

/** One round of something to measure. What it gives is its own time where another process does the work. */
export type Subject = () => Promise<Took | undefined>;

/**
 * Lets subjects take turns, so that whatever else the machine does meets all of them.
 * @param rounds counted rounds; two more come first to warm up
 * @param perRound what a subject's time is divided by
 */
export async function interleave<Name extends string>(
  subjects: Readonly<Record<Name, Subject>>,
  rounds: number,
  perRound = 1,
): Promise<Record<Name, Timing>> {
  const entries = Object.entries<Subject>(subjects);
  const times = entries.map((): Took[] => []);
  for (let round = -2; round < rounds; round++) {
    for (const [i, [, run]] of entries.entries()) {
      const [start, used] = [performance.now(), process.cpuUsage()];
      const own = await run();
      const clock = performance.now() - start;
      const { user, system } = process.cpuUsage(used);
      if (round >= 0) times[i]!.push(own ?? { clock, processor: (user + system) / 1000 });
    }
  }
  return Object.fromEntries(
    entries.map(([name], i) => {
      const clock = times[i]!.map((took) => took.clock / perRound);
      const processor = median(times[i]!.map((took) => took.processor / perRound));
      return [name, { min: Math.min(...clock), median: median(clock), processor }];
    }),
  ) as Record<Name, Timing>;
}

/** `0.1234`, or a dash where there is no value. */
export function cell(value: number | null | undefined, digits = 4): string {
  return value === null || value === undefined || Number.isNaN(value) ? '-' : value.toFixed(digits);
}

/** Aligned text: the first column to the left, the others to the right. */
export function formatRows(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows
    .map((row) => row.map((text, i) => (i === 0 ? text.padEnd(widths[0]!) : text.padStart(widths[i]!))).join('  '))
    .join('\n');
}

/**
 * The model package asked for, or one trained on the bundled pictures with a handful of steps. What that one says is of
 * no use, and its memory is small: a model with large classes takes longer.
 */
export async function modelToMeasure(model: string | undefined): Promise<string> {
  if (model !== undefined) return path.resolve(model);
  const folder = await mkdtemp(path.join(tmpdir(), 'twinspect-bench-'));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  const out = path.join(folder, 'sample.twin');
  console.log('No --model given: training one on the bundled pictures, 3 steps. Large classes would make it slower.');
  const request = { dataDirs: [samplePictures], preset: 'embedded', seed: 0, out, engine: 'cpu', steps: 3 } as const;
  await trainModel({ ...request, resume: false, instant: false }, () => undefined, new AbortController().signal);
  return out;
}

/** Evenly spaced pictures of a folder, ready for a network of `size`. */
export async function preparedPictures(folder: string, count: number, size: number): Promise<PreparedPicture[]> {
  const parts = await listParts([folder]);
  const every = Math.max(1, Math.floor(parts.length / count));
  const out: PreparedPicture[] = [];
  for (const { path: file } of parts.filter((_, i) => i % every === 0).slice(0, count)) {
    out.push(preparePicture(await readPicture(file), { size }));
  }
  return out;
}
