/**
 * The teacher's feature cache at the size of a published set: 10,000 pictures, several epochs, none read twice.
 *
 *   node bench/run.mjs bench/feature-cache.ts [--pictures 10000] [--epochs 2] [--precision full|half] [--memory-mb 256]
 *     [--folder DIR] [--skip-training] [--skip-records]
 *
 * First a whole training of the paper's students behind a small teacher with seeded numbers, on generated pictures of
 * 32 x 32; while the students learn, the pictures are moved away. Then records of the real size (ViT-S at 224 px) with
 * made-up numbers, little memory allowed, so that every batch comes from the disk: how long a batch takes is how fast the
 * trainer may be before it waits.
 */
import { encode } from 'fast-png';
import { mkdir, mkdtemp, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { writeSeededWeights } from '../main/backbones/seeded-weights.ts';
import { FeatureCache, type CachePrecision } from '../main/training/feature-cache.ts';
import { FeatureStore } from '../main/training/feature-store.ts';
import { PaperBatchMaker } from '../main/training/paper-batches.ts';
import { settlePaperPreset } from '../main/training/paper-settings.ts';
import { PaperLayout, paperShapes } from '../main/training/paper-teacher.ts';
import { trainModel } from '../main/training/run.ts';
import { createRandom } from '../shared/random.ts';
import { formatRows, loadLine, median } from './tools.ts';

const { values } = parseArgs({
  options: {
    pictures: { type: 'string', default: '10000' },
    epochs: { type: 'string', default: '2' },
    precision: { type: 'string', default: 'full' },
    'memory-mb': { type: 'string', default: '256' },
    folder: { type: 'string' },
    'skip-training': { type: 'boolean', default: false },
    'skip-records': { type: 'boolean', default: false },
  },
});
const count = Number(values.pictures);
const epochs = Number(values.epochs);
const precision = values.precision as CachePrecision;
const signal = new AbortController().signal;
const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(0);

/** Resident memory, sampled while something runs. */
class MemoryWatch {
  readonly #samples: number[] = [];
  readonly #timer = setInterval(() => this.#samples.push(process.memoryUsage().rss), 500);

  /** Median of each third: flat when they agree. */
  end(): string {
    clearInterval(this.#timer);
    const third = Math.max(1, Math.ceil(this.#samples.length / 3));
    const parts = [0, 1, 2].map((i) => median(this.#samples.slice(i * third, (i + 1) * third)));
    return parts.map((bytes) => (Number.isNaN(bytes) ? '-' : `${megabytes(bytes)} MB`)).join(', ');
  }
}

async function folderBytes(folder: string): Promise<{ bytes: number; files: number }> {
  let [bytes, files] = [0, 0];
  for (const entry of await readdir(folder, { withFileTypes: true, recursive: true })) {
    if (!entry.isFile()) continue;
    bytes += (await stat(path.join(entry.parentPath, entry.name))).size;
    files++;
  }
  return { bytes, files };
}

/** Soft coloured patterns, no two alike, in two classes. */
async function writePictures(folder: string): Promise<string[]> {
  const side = 32;
  const files: string[] = [];
  for (const [c, name] of ['stripes', 'waves'].entries()) {
    const target = path.join(folder, name, 'train', 'good');
    await mkdir(target, { recursive: true });
    for (let n = c; n < count; n += 2) {
      const random = createRandom(n);
      const [a, b, phase] = [0.1 + random.next(), 0.1 + random.next(), 6 * random.next()];
      const data = Uint8Array.from({ length: side * side * 3 }, (_, i) => {
        const [x, y] = [Math.floor(i / 3) % side, Math.floor(i / 3 / side)];
        return 128 + 90 * Math.sin(a * x + (c === 0 ? 0 : b * y) + phase + (i % 3)) + 20 * random.next();
      });
      const file = path.join(target, `${String(n).padStart(6, '0')}.png`);
      await writeFile(file, encode({ width: side, height: side, data, channels: 3 }));
      files.push(file);
    }
  }
  return files;
}

/** Everything, with a network small enough that {@link count} pictures take minutes. */
async function wholeTraining(folder: string, pictures: string): Promise<void> {
  const teacher = path.join(folder, 'teacher.safetensors');
  await writeSeededWeights(teacher, { size: { embedDim: 64, depth: 4, storedGrid: 5 }, registers: 4 });
  const batch = 16;
  const steps = Math.floor((count * 0.9) / batch) * epochs;
  const away = `${pictures}.away`;
  let memory: MemoryWatch | undefined;
  const rows = [['phase', 'seconds', 'resident memory by thirds']];
  await trainModel(
    {
      dataDirs: [pictures],
      preset: 'paper-small',
      seed: 1,
      out: path.join(folder, 'model.twin'),
      engine: 'cpu',
      steps,
      resume: false,
      instant: false,
      backboneFile: teacher,
      cacheDir: path.join(folder, 'cache-training'),
      cachePrecision: precision,
      settings: {
        embedDim: 64,
        heads: 1,
        depth: 4,
        crop: 28,
        resize: 32,
        groups: [
          [1, 2],
          [3, 4],
        ],
        'decoder.depth': 4,
        batch,
      },
    },
    (event) => {
      if (event.type === 'phase') memory = new MemoryWatch();
      if (event.type === 'phaseDone') {
        rows.push([event.phase, (event.elapsedMs / 1000).toFixed(1), memory!.end()]);
      }
      if (event.type === 'notice' && event.message.includes('waited')) console.log(event.message);
      // Between these two nothing may look at a picture.
      if (event.type === 'phase' && event.phase === 'students') void rename(pictures, away);
      if (event.type === 'phaseDone' && event.phase === 'students') void rename(away, pictures);
    },
    signal,
  );
  const { bytes, files } = await folderBytes(path.join(folder, 'cache-training'));
  console.log(`\nWhole training, ${count} pictures, ${epochs} epochs of ${batch}: ${steps} steps; ${loadLine()}`);
  console.log('The pictures were away while the students learned.');
  console.log(formatRows(rows));
  console.log(`cache: ${files} files, ${megabytes(bytes)} MB (${precision} precision)`);
}

/** Records of ViT-S at 224 px, from the disk. */
async function realRecords(folder: string, files: readonly string[]): Promise<void> {
  const facts = { classes: 2, kind: 'general' } as const;
  const { settings } = settlePaperPreset('paper-small', facts, { crop: 224 });
  const layout = new PaperLayout(paperShapes(settings));
  const base = Float32Array.from({ length: layout.length }, (_, i) => Math.sin(i));
  const teacher = {
    entry: { input: { size: 32, filter: 'bilinear' as const } },
    layout,
    features: (pictures: readonly { data: Uint8Array }[]): Promise<Float32Array[]> =>
      Promise.resolve(
        pictures.map(({ data }) => {
          const record = base.slice();
          record.set(data.subarray(0, 1024));
          return record;
        }),
      ),
  };
  const dir = path.join(folder, 'cache-records');
  const cache = new FeatureCache(dir, 'made-up', layout.length, { precision });
  const store = new FeatureStore(files, teacher, cache, Number(values['memory-mb']) * 1e6);
  let memory = new MemoryWatch();
  let started = performance.now();
  await store.fill(signal, () => undefined);
  const filled = (performance.now() - started) / 1000;
  console.log(
    `\nRecords of ViT-S at 224 px, ${count} pictures, ${values['memory-mb']} MB of memory allowed; ${loadLine()}`,
  );
  console.log(`written in ${filled.toFixed(0)} s; resident memory by thirds: ${memory.end()}`);
  const { bytes, files: records } = await folderBytes(dir);
  console.log(`disk: ${records} files, ${(bytes / 1e9).toFixed(2)} GB (${precision} precision)`);

  // From here on a look at a picture would fail.
  for (const file of files) await rm(file);
  const positions = files.map((_, i) => i);
  const maker = new PaperBatchMaker(positions, [], store, settings, 1);
  const steps = Math.floor(count / settings.batch) * epochs;
  const [read, made]: [number[], number[]] = [[], []];
  memory = new MemoryWatch();
  started = performance.now();
  for (let step = 0; step < steps; step++) {
    const from = performance.now();
    for (const picture of maker.picturesOf(step)) await store.get(picture);
    read.push(performance.now() - from);
    // Every twentieth batch in full, dropout masks included: they are the larger part and the same every time.
    if (step % 20 !== 0) continue;
    const whole = performance.now();
    await maker.make(step);
    made.push(performance.now() - whole);
  }
  const total = (performance.now() - started) / 1000;
  console.log(
    `${epochs} epochs, ${steps} batches of ${settings.batch} in ${total.toFixed(0)} s, pictures deleted before`,
  );
  console.log(`reading a batch: median ${median(read).toFixed(0)} ms, slowest ${Math.max(...read).toFixed(0)} ms`);
  console.log(`the batch in full, its records in memory: median ${median(made).toFixed(0)} ms`);
  console.log(`resident memory by thirds: ${memory.end()}`);
  const needed = median(read) + median(made);
  for (const stepMs of [8000, 1000, 250]) {
    // The next batch is made while the engine works on the one before.
    const busy = Math.min(1, stepMs / needed);
    console.log(`a step of ${stepMs} ms: the trainer is busy ${(100 * busy).toFixed(0)} % of the time`);
  }
}

const folder = await mkdtemp(path.join(values.folder ?? tmpdir(), 'twinspect-bench-'));
try {
  const pictures = path.join(folder, 'pictures');
  const started = performance.now();
  const files = await writePictures(pictures);
  console.log(`${files.length} pictures written in ${((performance.now() - started) / 1000).toFixed(0)} s`);
  if (!values['skip-training']) await wholeTraining(folder, pictures);
  if (!values['skip-records']) await realRecords(folder, files);
} finally {
  await rm(folder, { recursive: true, force: true });
}
