/**
 * Time of one picture with a paper preset at full size, seeded numbers for weights: the product's way (worker thread, all
 * outputs) against the bare ONNX session, and against the same network written in PyTorch, eagerly.
 *
 *   node bench/run.mjs bench/paper-inference.ts [--preset paper-small] [--input 224] [--threads 1] [--rounds 15] [--python PATH]
 *
 * Batch 1; all subjects take turns picture by picture.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { openDinov2Weights } from '../main/backbones/dinov2.ts';
import { writeSeededWeights } from '../main/backbones/seeded-weights.ts';
import { writeTeacherGraph } from '../main/backbones/teacher-graph.ts';
import { writeGraphFile } from '../main/detector/graph-file.ts';
import { runFused } from '../main/detector/open-detector.ts';
import { buildPaperGraph } from '../main/detector/paper-graph.ts';
import { initialise } from '../main/nn/init.ts';
import { makePaperModel } from '../main/nn/paper-model.ts';
import { paperModelOptions } from '../main/nn/presets.ts';
import { patchGrid } from '../main/nn/vit.ts';
import { openSession, openSessionInline, type GraphSession } from '../main/runtime/session.ts';
import { settlePaperPreset } from '../main/training/paper-settings.ts';
import { createRandom } from '../shared/random.ts';
import { pruneGraph } from './prune-graph.ts';
import { formatRows, interleave, loadLine, preparedPictures, samplePictures, type Subject } from './tools.ts';
import { startTorch } from './torch.ts';

const { values } = parseArgs({
  options: {
    preset: { type: 'string', default: 'paper-small' },
    input: { type: 'string', default: '224' },
    threads: { type: 'string', default: '1' },
    rounds: { type: 'string', default: '15' },
    python: { type: 'string' },
  },
});
const threads = Number(values.threads);
const { settings } = settlePaperPreset(values.preset, { classes: 2, kind: 'general' }, { crop: Number(values.input) });
const grid = patchGrid(settings.crop, settings.crop, settings.patch);
const folder = await mkdtemp(path.join(tmpdir(), 'twinspect-bench-'));
try {
  const file = path.join(folder, 'teacher.safetensors');
  await writeSeededWeights(file, { size: values.preset.replace('paper-', '') as 'small' | 'base' });
  const weights = await openDinov2Weights(file);
  const options = paperModelOptions(settings);
  const { params } = makePaperModel(options, 1, grid);
  const students = {
    params: initialise(params, createRandom(1)),
    centres: { shape: [1, settings.embedDim], data: new Float32Array(settings.embedDim) },
    options,
    scoring: { row: settings.scoreRow, sdScore: settings.sdScore, grid, crop: settings.crop, size: settings.resize },
  };
  const { posEmbed: positionMode, groups } = settings;
  const graph = await writeGraphFile(buildPaperGraph({ weights, positionMode, groups, students }), folder);
  const teacherFile = path.join(folder, 'teacher.onnx');
  await writeTeacherGraph(weights, { width: settings.crop, height: settings.crop, positionMode, groups }, teacherFile);

  const session = { provider: 'cpu', threads };
  const started = performance.now();
  const bare = await openSessionInline(graph.path, session);
  console.log(`session ready in ${((performance.now() - started) / 1000).toFixed(2)} s`);
  const product = await openSession(graph.path, session);
  const teacher = await openSessionInline(teacherFile, session);
  const whole = await readFile(graph.path);
  const encoder = await openSessionInline(pruneGraph(whole, ['semanticScore']), session);
  const decoder = await openSessionInline(pruneGraph(whole, ['localScore', 'anomalyMap']), session);
  const pictures = await preparedPictures(samplePictures, 5, settings.resize);
  const { embedDim, heads, depth, registers, resize, crop } = settings;
  const config = { threads, width: embedDim, heads, depth, registers, grid: grid.rows, size: resize, crop };
  const torch =
    values.python === undefined ? undefined : await startTorch(values.python, 'paper_inference_torch.py', config);
  if (torch !== undefined) console.log(`PyTorch: ${torch.about}`);

  let round = 0;
  const picture = () => pictures[Math.floor(round / 4) % pictures.length]!;
  const feeds = (side: number, data: Uint8Array) => ({
    pixels: { dtype: 'uint8' as const, dims: [1, side, side, 3], data },
  });
  const run = async (opened: GraphSession): Promise<undefined> => {
    round++;
    await opened.run(feeds(settings.resize, picture().data));
    return undefined;
  };
  const cropped = new Uint8Array(crop ** 2 * 3).fill(100);
  const subjects: Record<string, Subject> = {
    'product, worker thread': async () => {
      round++;
      await runFused(product, [picture()], settings.resize, ['part']);
      return undefined;
    },
    'bare session': () => run(bare),
    'teacher alone': async () => {
      round++;
      await teacher.run(feeds(crop, cropped));
      return undefined;
    },
    'teacher and encoder student': () => run(encoder),
    'teacher and decoder student': () => run(decoder),
    ...(torch && { PyTorch: async () => (await torch.run()).took }),
  };
  const times = await interleave(subjects, Number(values.rounds));
  console.log(`${values.preset} at ${settings.crop} px, ${threads} thread(s), batch 1, ${loadLine()}`);
  const reference = times['bare session']!;
  const rows = Object.entries(times).map(([name, { min, median, processor }]) => [
    name,
    min.toFixed(0),
    median.toFixed(0),
    processor.toFixed(0),
    (min / reference.min).toFixed(2),
    (median / reference.median).toFixed(2),
    (processor / reference.processor).toFixed(2),
  ]);
  console.log(formatRows([['', 'min ms', 'median', 'processor', 'x bare: min', 'median', 'processor'], ...rows]));
  torch?.end();
  await bare.close();
  await product.close();
  for (const opened of [teacher, encoder, decoder]) await opened.close();
} finally {
  await rm(folder, { recursive: true, force: true });
}
