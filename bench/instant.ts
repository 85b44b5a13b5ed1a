/**
 * Instant mode end to end: from the start of `twinspect train --instant` on 30 pictures of one class to the first
 * verdict of `twinspect inspect`, both as processes of their own, with an empty feature cache.
 *
 *   node bench/run.mjs bench/instant.ts [--data DIR] [--pictures 30] [--rounds 3] [--threads N]
 *
 * DIR is one class; its good pictures are taken whatever split they are in. The program must be built (`npm run build`).
 */
import { spawn } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { readDataset } from '../main/datasets/read.ts';
import { projectRoot } from '../main/system/project-root.ts';
import { loadLine, median, samplePictures } from './tools.ts';

const { values: options } = parseArgs({
  options: {
    data: { type: 'string', default: path.join(samplePictures, 'PA_BRG01_RL') },
    pictures: { type: 'string', default: '30' },
    rounds: { type: 'string', default: '3' },
    threads: { type: 'string' },
  },
});
const program = path.join(projectRoot(), 'main', 'cli', 'twinspect.mjs');
const threads = options.threads === undefined ? [] : ['--threads', options.threads];

interface Run {
  endMs: number;
  /** Until the first line of JSON with a verdict. */
  verdictMs: number | undefined;
  /** Standard output. */
  text: string;
}

/** Runs the command line as a process of its own. */
function run(args: readonly string[], cache: string): Promise<Run> {
  const start = performance.now();
  const child = spawn(process.execPath, [program, ...args, ...threads], {
    stdio: ['ignore', 'pipe', 'pipe'],
    // Where the feature cache lies, by platform.
    env: { ...process.env, XDG_CACHE_HOME: cache, LOCALAPPDATA: cache },
  });
  let text = '';
  let complaints = '';
  child.stderr.on('data', (chunk: Buffer) => (complaints += chunk.toString()));
  let verdictMs: number | undefined;
  child.stdout.on('data', (chunk: Buffer) => {
    text += chunk.toString();
    if (text.includes('"verdict"')) verdictMs ??= performance.now() - start;
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (code) => {
      if (code === 0) resolve({ endMs: performance.now() - start, verdictMs, text });
      else reject(new Error(`twinspect ${args.join(' ')} ended with ${code}\n${complaints}`));
    });
  });
}

const dataset = await readDataset([options.data]);
const good = dataset.pictures.filter(({ gtLabel }) => gtLabel === 'good').slice(0, Number(options.pictures));
const judged = dataset.pictures.find(({ gtLabel }) => gtLabel === 'defect') ?? good[0]!;
const times: { train: number; verdict: number; all: number }[] = [];
const phases = new Map<string, number[]>();

/** Notes how long each phase took, from the events that `train --json` prints. */
function notePhases(text: string): void {
  for (const line of text.split('\n').filter((each) => each.includes('"phaseDone"'))) {
    const { phase, elapsedMs } = JSON.parse(line) as { phase: string; elapsedMs: number };
    phases.set(phase, [...(phases.get(phase) ?? []), elapsedMs]);
  }
}

console.log(`${good.length} good pictures of ${dataset.classes.join(', ')}; ${loadLine()}`);
for (let round = 0; round < Number(options.rounds); round++) {
  const work = await mkdtemp(path.join(tmpdir(), 'twinspect-bench-'));
  try {
    const folder = path.join(work, 'part', 'train', 'good');
    await mkdir(folder, { recursive: true });
    for (const [i, picture] of good.entries()) {
      await copyFile(picture.path, path.join(folder, `${i}${path.extname(picture.path)}`));
    }
    const model = path.join(work, 'part.twin');
    const cache = path.join(work, 'cache');
    const trained = await run(
      ['train', '--data', path.join(work, 'part'), '--out', model, '--instant', '--json'],
      cache,
    );
    notePhases(trained.text);
    const inspected = await run(['inspect', '--model', model, judged.path, '--json'], cache);
    if (inspected.verdictMs === undefined) throw new Error('twinspect inspect printed no verdict');
    times.push({ train: trained.endMs, verdict: inspected.verdictMs, all: trained.endMs + inspected.verdictMs });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}
const seconds = (key: 'train' | 'verdict' | 'all'): string => {
  const values = times.map((time) => time[key] / 1000);
  return `median ${median(values).toFixed(1)} s, minimum ${Math.min(...values).toFixed(1)} s`;
};
console.log(`train --instant, process start to end: ${seconds('train')}`);
const each = [...phases].map(([phase, ms]) => `${phase} ${(median(ms) / 1000).toFixed(1)}`);
console.log(`  of it, seconds: ${each.join(', ')}`);
console.log(`inspect, process start to first verdict: ${seconds('verdict')}`);
console.log(`together: ${seconds('all')} (to reach: at most 15 s); ${loadLine()}`);
