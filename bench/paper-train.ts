/**
 * A whole training of a paper preset at full size, with weights of the real shapes and seeded numbers: shows that nothing
 * breaks and what time and memory it takes. The scores mean nothing.
 *
 *   node bench/run.mjs bench/paper-train.ts [--preset paper-small] [--input 224] [--steps 3] [--batch 16] [--micro 16]
 *     [--pictures 20] [--precision full|half] [--teacher float32|float16-storage|int8] [--threads 2] [--keep MODEL.twin]
 */
import { cp, mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { writeSeededWeights } from '../main/backbones/seeded-weights.ts';
import { openDetector } from '../main/detector/open-detector.ts';
import { readPicture } from '../main/pictures/decode.ts';
import { preparePicture } from '../main/pictures/prepare.ts';
import { projectRoot } from '../main/system/project-root.ts';
import type { CachePrecision } from '../main/training/feature-cache.ts';
import { trainModel } from '../main/training/run.ts';

const { values } = parseArgs({
  options: {
    preset: { type: 'string', default: 'paper-small' },
    input: { type: 'string', default: '224' },
    steps: { type: 'string', default: '3' },
    batch: { type: 'string', default: '16' },
    micro: { type: 'string' },
    pictures: { type: 'string', default: '20' },
    precision: { type: 'string', default: 'full' },
    teacher: { type: 'string', default: 'float32' },
    threads: { type: 'string' },
    keep: { type: 'string' },
  },
});
const size = values.preset.replace('paper-', '') as 'small' | 'base' | 'large';
const [input, steps, batch, count] = [values.input, values.steps, values.batch, values.pictures].map(Number) as [
  number,
  number,
  number,
  number,
];
const gibibytes = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(2)} GiB`;

const folder = await mkdtemp(path.join(os.tmpdir(), 'twinspect-bench-'));
try {
  const teacher = path.join(folder, 'teacher.safetensors');
  await writeSeededWeights(teacher, { size });
  const papers = path.join(projectRoot(), 'models', 'sample', 'papers');
  for (const part of (await readdir(papers)).sort().slice(0, 2)) {
    const good = path.join('train', 'good');
    const target = path.join(folder, 'data', part, good);
    await mkdir(target, { recursive: true });
    for (const file of (await readdir(path.join(papers, part, good))).sort().slice(0, count / 2)) {
      await cp(path.join(papers, part, good, file), path.join(target, file));
    }
  }
  const out = values.keep ?? path.join(folder, 'model.twin');
  const settings = {
    crop: input,
    batch,
    teacherPrecision: values.teacher,
    ...(values.micro && { microBatch: Number(values.micro) }),
  };
  console.log(
    `${values.preset} at ${input} px, ${steps} steps of ${batch} pictures (${values.micro ?? batch} at once), load ${os.loadavg()[0]!.toFixed(1)}`,
  );
  let phase = '';
  const summary = await trainModel(
    {
      dataDirs: [path.join(folder, 'data')],
      preset: values.preset,
      seed: 1,
      out,
      engine: 'cpu',
      ...(values.threads && { threads: Number(values.threads) }),
      steps,
      resume: false,
      instant: false,
      settings,
      backboneFile: teacher,
      cacheDir: path.join(folder, 'cache'),
      cachePrecision: values.precision as CachePrecision,
    },
    (event) => {
      if (event.type === 'phase') phase = event.phase;
      if (event.type === 'notice') console.log(`  ${event.message}`);
      if (event.type === 'progress' && phase === 'students') {
        console.log(`  step ${event.done}: loss ${event.losses?.total.toFixed(6) ?? ''}`);
      }
      if (event.type === 'phaseDone') {
        const peak = gibibytes(process.resourceUsage().maxRSS * 1024);
        console.log(`${event.phase}: ${(event.elapsedMs / 1000).toFixed(1)} s, peak memory so far ${peak}`);
      }
    },
    new AbortController().signal,
  );
  console.log(`parity: ${summary.parity.maxAbsDifference.toExponential(1)} over ${summary.parity.pictures} pictures`);

  await rm(teacher);
  const started = performance.now();
  const detector = await openDetector(out, { engine: 'cpu' });
  console.log(`package opened in ${((performance.now() - started) / 1000).toFixed(1)} s, weight file removed`);
  const scores: string[] = [];
  for (const part of summary.classes) {
    const good = path.join(folder, 'data', part, 'train', 'good');
    for (const file of (await readdir(good)).sort()) {
      const picture = preparePicture(await readPicture(path.join(good, file)), { size: detector.inputSize });
      const [result] = await detector.inspect([picture]);
      scores.push(result!.predScore.toFixed(7));
    }
  }
  console.log(`scores ${scores.join(' ')}`);
  await detector.close();
  console.log(`peak memory ${gibibytes(process.resourceUsage().maxRSS * 1024)}`);
} finally {
  await rm(folder, { recursive: true, force: true });
}
