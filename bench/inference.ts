/**
 * Time of one picture: the whole embedded detector against the bare backbone, by parts, and against PyTorch.
 *
 *   node bench/run.mjs bench/inference.ts [--model FILE] [--threads 1] [--rounds 25] [--pictures DIR] [--python PATH]
 *     [--exact FILE]
 *
 * Batch 1, sessions in this thread; all subjects take turns picture by picture. `--python` is an interpreter with torch
 * and onnx: it runs the same graphs in PyTorch, operator by operator. `--exact` is the same training with the exact search
 * (`bench/detection.ts --search exact --keep FILE`): the function that the search in two passes stands for, as PyTorch
 * would compute it.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { buildEfficientNetLite, buildNormalisedImage } from '../main/backbones/efficientnet-lite.ts';
import { findBackbone, readRegistry, verifyBackbone } from '../main/backbones/registry.ts';
import { readSafetensors } from '../main/backbones/safetensors.ts';
import { checkFusedGraph } from '../main/detector/check-graph.ts';
import { OnnxGraph } from '../main/onnx/graph.ts';
import { readPackage } from '../main/package/read-package.ts';
import type { PreparedPicture } from '../main/pictures/picture.ts';
import { openSessionInline, type GraphSession } from '../main/runtime/session.ts';
import { modelsDir } from '../main/system/project-root.ts';
import { pruneGraph } from './prune-graph.ts';
import {
  formatRows,
  interleave,
  loadLine,
  modelToMeasure,
  preparedPictures,
  samplePictures,
  type Subject,
  type Timing,
} from './tools.ts';
import { startTorch, type TorchSide } from './torch.ts';

const { values: options } = parseArgs({
  options: {
    model: { type: 'string' },
    threads: { type: 'string', default: '1' },
    rounds: { type: 'string', default: '25' },
    pictures: { type: 'string', default: samplePictures },
    python: { type: 'string' },
    exact: { type: 'string' },
  },
});
const threads = Number(options.threads);
/** Different pictures that the rounds go through. */
const pictureCount = 5;

/** The backbone alone at the model's input size: pixels to the mean of the head, as for classification. */
async function backboneGraph(id: string, side: number): Promise<Uint8Array> {
  const registry = await readRegistry(modelsDir());
  const entry = findBackbone(registry, id);
  if (entry.architecture.family !== 'efficientnet-lite') throw new Error(`${id} is no EfficientNet-Lite`);
  const { tensors } = await readSafetensors((await verifyBackbone(registry, entry))[0]!, { rejectNonFinite: true });
  const graph = new OnnxGraph('backbone');
  const image = buildNormalisedImage(graph, graph.input('pixels', 'uint8', ['batch', side, side, 3]), entry.input);
  const { head } = buildEfficientNetLite(graph, image, tensors, entry.architecture);
  const mean = graph.node('ReduceMean', [head, graph.ints([2, 3])], { keepdims: { int: 0 } })[0];
  graph.output('headMean', mean, 'float32', ['batch', entry.architecture.headChannels]);
  return graph.toBytes();
}

/** Starts bench/inference_torch.py with graphs and pictures in `folder`. */
async function startOnnxInTorch(
  python: string,
  folder: string,
  graphs: Readonly<Record<string, Uint8Array>>,
  pictures: readonly PreparedPicture[],
): Promise<TorchSide> {
  for (const [name, bytes] of Object.entries(graphs)) await writeFile(path.join(folder, `${name}.onnx`), bytes);
  const pixels = new Uint8Array(pictures.reduce((sum, { data }) => sum + data.length, 0));
  pictures.forEach(({ data }, i) => pixels.set(data, i * data.length));
  await writeFile(path.join(folder, 'pixels.raw'), pixels);
  const config = { folder, threads, graphs: Object.keys(graphs), side: pictures[0]!.width };
  return startTorch(python, 'inference_torch.py', config);
}

const model = await modelToMeasure(options.model);
const { manifest, graph } = await readPackage(model, { checkGraph: checkFusedGraph });
const side = manifest.inputSize;
const pictures = await preparedPictures(options.pictures, pictureCount, side);
const hasStudents = manifest.outputs.includes('studentScore') && !manifest.notes.startsWith('Instant');
const graphs: Record<string, Uint8Array> = {
  backbone: await backboneGraph(manifest.backbone.id, side),
  whole: graph,
  // What a score needs; the difference to the features is its own part.
  features: pruneGraph(graph, ['classIndex']),
  'features + deep and fine search': pruneGraph(graph, ['classIndex', 'anomalyMap']),
  'features + memory': pruneGraph(graph, ['classIndex', 'memoryScore']),
  ...(hasStudents && {
    'features + decoder student': pruneGraph(graph, ['classIndex', 'localScore']),
    'features + encoder student': pruneGraph(graph, ['classIndex', 'semanticScore']),
  }),
};
const exact =
  options.exact === undefined ? undefined : await readPackage(options.exact, { checkGraph: checkFusedGraph });
if (exact !== undefined) graphs['whole, exact search'] = exact.graph;
const sessions: Record<string, GraphSession> = {};
for (const [name, bytes] of Object.entries(graphs)) sessions[name] = await openSessionInline(bytes, { threads });
const feedsOf = ({ data }: PreparedPicture) => ({
  pixels: { dtype: 'uint8' as const, dims: [1, side, side, 3], data },
});

const folder = await mkdtemp(path.join(tmpdir(), 'twinspect-bench-'));
const compared: Record<string, Uint8Array> = {
  backbone: graphs['backbone']!,
  whole: graphs['whole']!,
  ...(exact !== undefined && { exact: exact.graph }),
};
const torch =
  options.python === undefined ? undefined : await startOnnxInTorch(options.python, folder, compared, pictures);

let turn = 0;
const picture = (): number => Math.floor(turn++ / subjectCount) % pictures.length;
const subjects: Record<string, Subject> = {};
for (const [name, session] of Object.entries(sessions)) {
  subjects[name] = async () => {
    await session.run(feedsOf(pictures[picture()]!));
    return undefined;
  };
}
if (torch !== undefined) {
  for (const layout of ['', ' channels-last'] as const) {
    for (const name of Object.keys(compared)) {
      subjects[`${name}, PyTorch${layout}`] = async () =>
        (await torch.run(`${name}${layout.replace(' ', ':')} ${picture()}`)).took;
    }
  }
}
const subjectCount = Object.keys(subjects).length;
const times = await interleave(subjects, Number(options.rounds));

console.log(
  `Input ${side} px, batch 1, ${threads} thread(s), ${manifest.classes.length} classes, ` +
    `${options.rounds} rounds; ${loadLine()}`,
);
const base = times['backbone']!;
const quotients = (a: Timing, b: Timing): string =>
  `${(a.median / b.median).toFixed(2)} by medians, ${(a.min / b.min).toFixed(2)} by minima, ` +
  `${(a.processor / b.processor).toFixed(2)} by processor time`;
console.log(
  formatRows([
    ['what', 'median ms', 'minimum ms', 'processor ms', '/ backbone'],
    ...Object.entries(times).map(([name, time]) => [
      name,
      time.median.toFixed(1),
      time.min.toFixed(1),
      time.processor.toFixed(1),
      (time.processor / base.processor).toFixed(2),
    ]),
  ]),
);
console.log('processor: median of processor time, which a busy machine disturbs least; / backbone is by it.');
console.log(`Whole detector over the bare backbone: ${quotients(times['whole']!, base)} (to reach: at most 2.9).`);
if (torch === undefined) console.log('No --python given: not compared with PyTorch.');
else {
  console.log(`PyTorch: ${torch.about}`);
  for (const name of Object.keys(compared)) {
    for (const layout of ['', ' channels-last']) {
      const own = name === 'exact' ? 'whole' : name;
      const faster = quotients(times[`${name}, PyTorch${layout}`]!, times[own]!);
      const what =
        name === 'exact' ? 'whole against PyTorch eager with the exact search' : `${name} against PyTorch eager`;
      console.log(`${what}${layout}, times as fast: ${faster} (to reach: at least 1.8).`);
    }
  }
  const scoreOf = async (name: string, picture: PreparedPicture): Promise<number> =>
    ((await sessions[name]!.run(feedsOf(picture), ['predScore']))['predScore']!.data as Float32Array)[0]!;
  let [worst, byPass] = [0, 0];
  for (const [i, each] of pictures.entries()) {
    const own = await scoreOf('whole', each);
    worst = Math.max(worst, Math.abs(own - (await torch.run(`whole ${i}`)).more[0]!));
    if (exact !== undefined) byPass = Math.max(byPass, Math.abs(own - (await scoreOf('whole, exact search', each))));
  }
  console.log(`Largest difference of predScore between ONNX Runtime and PyTorch: ${worst.toExponential(1)}`);
  if (exact !== undefined) console.log(`Between the two searches: ${byPass.toExponential(1)}`);
  torch.end();
}
for (const session of Object.values(sessions)) await session.close();
await rm(folder, { recursive: true, force: true });
