/**
 * What the inspection flow costs over the bare ONNX session, batch 1.
 *
 *   node bench/run.mjs bench/pipeline.ts [--model FILE] [--threads 1] [--rounds 15] [--pictures DIR] [--count 12]
 *
 * `session`: the fused graph alone, in this thread. `prepared`: the flow (pipeline, detector in its worker, decision,
 * record) on pictures that are decoded and resized already. `files`: the same from files as they are. `frames`: the
 * same from JPEG files of 1280 x 720 made of them, as a camera has them. They take turns round by round; a round is
 * `--count` pictures, and times are a picture's share of it.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { checkFusedGraph } from '../main/detector/check-graph.ts';
import { detectorOf } from '../main/detector/open-detector.ts';
import { decodeFile } from '../main/inspection/decode-file.ts';
import { encodeJpeg } from '../main/inspection/part-pictures.ts';
import { listParts } from '../main/inspection/picture-files.ts';
import { inspectParts, type PresentedPart } from '../main/inspection/pipeline.ts';
import { readPackage } from '../main/package/read-package.ts';
import { readPicture } from '../main/pictures/decode.ts';
import type { Picture, PreparedPicture } from '../main/pictures/picture.ts';
import { preparePicture } from '../main/pictures/prepare.ts';
import { resample } from '../main/pictures/resample.ts';
import { openSessionInline } from '../main/runtime/session.ts';
import { formatRows, interleave, loadLine, median, modelToMeasure, samplePictures } from './tools.ts';

const { values: options } = parseArgs({
  options: {
    model: { type: 'string' },
    threads: { type: 'string', default: '1' },
    rounds: { type: 'string', default: '15' },
    pictures: { type: 'string', default: samplePictures },
    count: { type: 'string', default: '12' },
  },
});
const threads = Number(options.threads);
const count = Number(options.count);

async function* each(parts: readonly PresentedPart[]): AsyncGenerator<PresentedPart> {
  yield* parts;
}

const packaged = await readPackage(await modelToMeasure(options.model), { checkGraph: checkFusedGraph });
const side = packaged.manifest.inputSize;
const session = await openSessionInline(packaged.graph, { threads });
const detector = await detectorOf(packaged, { engine: 'cpu', threads });

const listed = await listParts([options.pictures]);
const every = Math.max(1, Math.floor(listed.length / count));
const parts = listed.filter((_, i) => i % every === 0).slice(0, count);
const prepare = (picture: Picture, size: number): PreparedPicture => preparePicture(picture, { size });
const ready = new Map<string, Picture>();
const preparedOf = new Map<Picture, PreparedPicture>();
const loadMs: number[] = [];
for (const { path: file } of parts) {
  const start = performance.now();
  const picture = await readPicture(file);
  const prepared = prepare(picture, side);
  loadMs.push(performance.now() - start);
  ready.set(file, picture);
  preparedOf.set(picture, prepared);
}

const folder = await mkdtemp(path.join(tmpdir(), 'twinspect-bench-'));
const frames: PresentedPart[] = [];
for (const [i, picture] of [...ready.values()].entries()) {
  const file = path.join(folder, `${i}.jpg`);
  await writeFile(file, await encodeJpeg(resample(picture, 1280, 720, 'bicubic')));
  frames.push({ file, path: file });
}

const times = await interleave(
  {
    session: async () => {
      for (const { data } of preparedOf.values()) {
        await session.run({ pixels: { dtype: 'uint8', dims: [1, side, side, 3], data } });
      }
      return undefined;
    },
    prepared: async () => {
      await inspectParts(each(parts), {
        detector,
        decode: (part) => Promise.resolve({ picture: ready.get(part.path)!, contentHash: part.path }),
        prepare: (picture) => preparedOf.get(picture)!,
        sinks: [],
      });
      return undefined;
    },
    files: async () => {
      await inspectParts(each(parts), { detector, decode: decodeFile, prepare, sinks: [] });
      return undefined;
    },
    frames: async () => {
      await inspectParts(each(frames), { detector, decode: decodeFile, prepare, sinks: [] });
      return undefined;
    },
  },
  Number(options.rounds),
  parts.length,
);
await detector.close();
await session.close();
await rm(folder, { recursive: true, force: true });

const [first] = ready.values();
console.log(
  `${parts.length} pictures a round (the first ${first!.width} x ${first!.height}), ${options.rounds} rounds, input ` +
    `${side} px, ${threads} thread(s); decode and resize take ${median(loadMs).toFixed(1)} ms by themselves; ${loadLine()}`,
);
const words = {
  session: 'bare session, prepared pictures',
  prepared: 'inspection flow, prepared pictures (to reach: 5 %)',
  files: 'inspection flow, from files (to reach: 25 %)',
  frames: 'inspection flow, from 1280 x 720 JPEG files',
};
const more = (time: number, base: number): string => `${(100 * (time / base - 1)).toFixed(1)} %`;
console.log(
  formatRows([
    ['what', 'median ms', 'minimum ms', 'processor ms', 'more by median', 'by minimum', 'by processor'],
    ...(['session', 'prepared', 'files', 'frames'] as const).map((what) => [
      words[what],
      times[what].median.toFixed(2),
      times[what].min.toFixed(2),
      times[what].processor.toFixed(2),
      more(times[what].median, times.session.median),
      more(times[what].min, times.session.min),
      more(times[what].processor, times.session.processor),
    ]),
  ]),
);
