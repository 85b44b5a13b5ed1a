/**
 * The teacher at full size, with seeded weights of the real shapes: from weight file to ready session, speed, and what
 * int8 and float16 change.
 *
 *   node bench/run.mjs bench/teacher.ts [--sizes small,base,large] [--side 224] [--threads 1] [--rounds 15]
 *     [--folder DIR] [--python PATH] [--skip-load] [--skip-speed]
 *
 * Loading runs in a process of its own for each size; its peak is the largest resident memory of that process. Speed is
 * measured in turns, batch 1. `--python` is an interpreter with torch: it runs the same network in PyTorch, eagerly.
 */
import { spawnSync } from 'node:child_process';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { openDinov2Weights, type Dinov2Size } from '../main/backbones/dinov2.ts';
import { writeSeededWeights } from '../main/backbones/seeded-weights.ts';
import { writeTeacherGraph, type TeacherGraphOptions } from '../main/backbones/teacher-graph.ts';
import { openSession, openSessionInline, type GraphSession } from '../main/runtime/session.ts';
import { formatRows, interleave, loadLine, type Subject, type Timing } from './tools.ts';
import { startTorch, type TorchSide } from './torch.ts';

const { values: options } = parseArgs({
  options: {
    sizes: { type: 'string', default: 'small' },
    side: { type: 'string', default: '224' },
    threads: { type: 'string', default: '1' },
    rounds: { type: 'string', default: '15' },
    folder: { type: 'string' },
    python: { type: 'string' },
    'skip-load': { type: 'boolean', default: false },
    'skip-speed': { type: 'boolean', default: false },
  },
});
const threads = Number(options.threads);
const side = Number(options.side);

function graphOptions(size: Dinov2Size): TeacherGraphOptions & { groups: readonly (readonly number[])[] } {
  const groups =
    size === 'large'
      ? [
          [5, 7, 9, 11],
          [13, 15, 17, 19],
        ]
      : [
          [3, 4, 5, 6],
          [7, 8, 9, 10],
        ];
  return { width: side, height: side, positionMode: 'scale_offset', groups };
}

interface Loaded {
  /** Milliseconds. */
  open: number;
  write: number;
  session: number;
  /** Largest resident memory in bytes: before anything was read, when the graph was written, with the session. */
  basis: number;
  built: number;
  peak: number;
}

/** Weight file to ready session, in a process of its own that has loaded nothing else. */
async function reportLoading(files: Readonly<Record<string, string>>): Promise<void> {
  const built = spawnSync(process.execPath, ['bench/run.mjs', '--bundle', 'bench/teacher-load.ts'], {
    encoding: 'utf8',
  });
  if (built.status !== 0) throw new Error(built.stderr);
  const bundle = built.stdout.trim();
  const header = ['size, storage', 'file MB', 'hash s', 'write s', 'session s', 'total s'];
  const rows = [[...header, 'bare MB', 'built MB', 'peak MB', 'built / file', 'peak / file']];
  try {
    for (const [size, file] of Object.entries(files)) {
      const { size: bytes } = await stat(file);
      for (const storage of ['inline', 'external']) {
        const args = [
          bundle,
          '--file',
          file,
          '--storage',
          storage,
          '--side',
          String(side),
          '--threads',
          String(threads),
        ];
        const child = spawnSync(process.execPath, args, { encoding: 'utf8' });
        if (child.status !== 0) throw new Error(child.stderr);
        const took = JSON.parse(child.stdout.trim().split('\n').at(-1)!) as Loaded;
        const seconds = [took.open, took.write, took.session, took.open + took.write + took.session];
        rows.push([
          `${size}, ${storage}`,
          (bytes / 1e6).toFixed(0),
          ...seconds.map((ms) => (ms / 1000).toFixed(2)),
          ...[took.basis, took.built, took.peak].map((memory) => (memory / 1e6).toFixed(0)),
          (took.built / bytes).toFixed(2),
          (took.peak / bytes).toFixed(2),
        ]);
      }
    }
  } finally {
    await rm(bundle);
  }
  console.log(`Weight file to ready session, ${threads} thread(s); memory is the whole process's; ${loadLine()}`);
  console.log(formatRows(rows));
}

/** Mean of the cosine similarity between two sets of vectors of `width` numbers, and the relative distance. */
function compare(a: Float32Array, b: Float32Array, width: number): { cosine: number; relative: number } {
  let [cosines, away, length] = [0, 0, 0];
  for (let at = 0; at < a.length; at += width) {
    let [ab, aa, bb] = [0, 0, 0];
    for (let i = at; i < at + width; i += 1) {
      ab += a[i]! * b[i]!;
      aa += a[i]! ** 2;
      bb += b[i]! ** 2;
      away += (a[i]! - b[i]!) ** 2;
      length += a[i]! ** 2;
    }
    cosines += ab / Math.sqrt(aa * bb);
  }
  return { cosine: cosines / (a.length / width), relative: Math.sqrt(away / length) };
}

/** The network as its authors write it, with fused attention; and our own graph, one PyTorch call per node. */
const written = 'PyTorch eager, written by hand';
const stepped = 'PyTorch eager, our graph node by node';
const behindWorker = 'float32, in a worker thread';

async function reportSpeed(folder: string, size: Dinov2Size, file: string): Promise<void> {
  const weights = await openDinov2Weights(file);
  const pixels = Uint8Array.from({ length: side * side * 3 }, (_, i) => {
    const [x, y] = [Math.floor(i / 3) % side, Math.floor(i / 3 / side)];
    return 128 + 60 * Math.sin(x / 17 + (i % 3)) + 60 * Math.cos((y * x) / 900);
  });
  const feeds = { pixels: { dtype: 'uint8' as const, dims: [1, side, side, 3], data: pixels } };
  const sessions: Record<string, GraphSession> = {};
  const outputs: Record<string, Record<string, Float32Array>> = {};
  const rows = [['precision', 'graph MB', 'cosine of class tokens', 'of groups', 'relative change of groups']];
  for (const precision of ['float32', 'float16-storage', 'int8'] as const) {
    const graph = path.join(folder, `${size}-${precision}.onnx`);
    const { bytes } = await writeTeacherGraph(weights, { ...graphOptions(size), precision }, graph);
    const session = await openSessionInline(graph, { threads });
    sessions[precision] = session;
    const results = await session.run(feeds);
    const tokens = results['teacherClassTokens']!.data as Float32Array;
    const groups = results['teacherGroup2']!.data as Float32Array;
    outputs[precision] = { tokens, groups };
    const exact = outputs['float32']!;
    const change = compare(exact['groups']!, groups, weights.embedDim);
    rows.push([
      precision,
      (bytes / 1e6).toFixed(1),
      compare(exact['tokens']!, tokens, weights.embedDim).cosine.toFixed(6),
      change.cosine.toFixed(6),
      change.relative.toFixed(5),
    ]);
  }
  const subjects: Record<string, Subject> = {};
  for (const [name, session] of Object.entries(sessions)) {
    subjects[name] = async () => {
      await session.run(feeds);
      return undefined;
    };
  }
  // What the product runs: the same graph behind a worker thread, against the bare session in this one.
  const worker = await openSession(path.join(folder, `${size}-float32.onnx`), { threads });
  subjects[behindWorker] = async () => {
    await worker.run(feeds, ['teacherGroup1', 'teacherGroup2', 'teacherClassTokens']);
    return undefined;
  };
  const torches: TorchSide[] = [];
  let worst = 0;
  if (options.python !== undefined) {
    const original = path.join(folder, `${size}.pth`);
    await writeSeededWeights(original, { size, naming: 'original' });
    await writeFile(path.join(folder, 'pixels.raw'), pixels);
    await writeFile(path.join(folder, 'class_tokens.raw'), new Uint8Array(outputs['float32']!['tokens']!.buffer));
    const { heads, depth } = weights;
    const config = { folder, weights: original, threads, heads, depth, side, groups: graphOptions(size).groups };
    const model = await startTorch(options.python, 'teacher_torch.py', config);
    const name = `${size}-float32`;
    const nodes = await startTorch(options.python, 'inference_torch.py', { folder, threads, side, graphs: [name] });
    torches.push(model, nodes);
    subjects[written] = async () => {
      const { took, more } = await model.run();
      worst = Math.max(worst, more[0]!);
      return took;
    };
    subjects[stepped] = async () => (await nodes.run(`${name} 0`)).took;
  }
  const times = await interleave(subjects, Number(options.rounds));
  console.log(`\nViT-${size}, ${side} px, batch 1, ${threads} thread(s), ${options.rounds} rounds; ${loadLine()}`);
  console.log('Seeded random weights: the changes say what rounding does to this network, not to real features.');
  console.log(formatRows(rows));
  console.log(
    formatRows([
      ['what', 'median ms', 'minimum ms', 'processor ms'],
      ...Object.entries(times).map(([name, time]) => [
        name,
        time.median.toFixed(1),
        time.min.toFixed(1),
        time.processor.toFixed(1),
      ]),
    ]),
  );
  const quotients = (a: Timing, b: Timing): string =>
    `${(a.median / b.median).toFixed(2)} by medians, ${(a.min / b.min).toFixed(2)} by minima, ` +
    `${(a.processor / b.processor).toFixed(2)} by processor time`;
  console.log(`int8 against float32, times as fast: ${quotients(times['float32']!, times['int8']!)} (to reach 1.15).`);
  await worker.close();
  console.log(
    `In a worker thread over the bare session: ${quotients(times[behindWorker]!, times['float32']!)} (at most 1.1).`,
  );
  for (const torch of torches) torch.end();
  if (torches.length > 0) {
    console.log(`PyTorch: ${torches[0]!.about}; class tokens differ from ours by at most ${worst.toExponential(1)}.`);
    for (const name of [written, stepped]) {
      const faster = quotients(times[name]!, times['float32']!);
      console.log(`float32 against ${name}, times as fast: ${faster} (to reach 1.4).`);
    }
  }
  for (const session of Object.values(sessions)) await session.close();
}

const folder = await mkdtemp(path.join(options.folder ?? tmpdir(), 'twinspect-bench-'));
try {
  const files: Record<string, string> = {};
  for (const size of options.sizes.split(',')) {
    files[size] = path.join(folder, `${size}.safetensors`);
    await writeSeededWeights(files[size], { size: size as Dinov2Size });
  }
  if (!options['skip-load']) await reportLoading(files);
  if (!options['skip-speed']) {
    for (const [size, file] of Object.entries(files)) await reportSpeed(folder, size as Dinov2Size, file);
  }
} finally {
  await rm(folder, { recursive: true, force: true });
}
