import { copyFile, open, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openDinov2Weights } from '../../main/backbones/dinov2.ts';
import { checkFusedGraph } from '../../main/detector/check-graph.ts';
import { fusedOutputs } from '../../main/detector/fused-graph.ts';
import { writeGraphFile } from '../../main/detector/graph-file.ts';
import { openDetector } from '../../main/detector/open-detector.ts';
import { buildPaperGraph } from '../../main/detector/paper-graph.ts';
import { initialise } from '../../main/nn/init.ts';
import { makePaperModel } from '../../main/nn/paper-model.ts';
import { paperModelOptions } from '../../main/nn/presets.ts';
import { patchGrid } from '../../main/nn/vit.ts';
import { readPackage } from '../../main/package/read-package.ts';
import { writePackage, type GraphFile } from '../../main/package/write-package.ts';
import { dataMember } from '../../main/package/zip-members.ts';
import { preparePicture } from '../../main/pictures/prepare.ts';
import { settlePaperPreset } from '../../main/training/paper-settings.ts';
import { createRandom } from '../../shared/random.ts';
import { sampleContent } from '../package/sample-package.ts';
import { Workplace } from '../training/small-data.ts';
import { tinySettings, writeTinyTeacher } from '../training/tiny-paper.ts';

let place: Workplace;

/** A fused graph with fresh students, written in one file or in two. */
async function tinyGraph(storage: 'inline' | 'external', folder: string): Promise<GraphFile> {
  const { settings } = settlePaperPreset('paper-small', { classes: 2, kind: 'general' }, tinySettings);
  const weights = await openDinov2Weights(await writeTinyTeacher(place), { customHeads: 2 });
  const options = { ...paperModelOptions(settings), storedGrid: weights.storedGrid };
  const { crop, resize: size, posEmbed: positionMode, groups, embedDim } = settings;
  const grid = patchGrid(crop, crop, settings.patch);
  const students = {
    params: initialise(makePaperModel(options, 1, grid).params, createRandom(1)),
    centres: { shape: [2, embedDim], data: Float32Array.from({ length: 2 * embedDim }, (_, i) => i % 3) },
    options,
    scoring: { row: settings.scoreRow, sdScore: settings.sdScore, grid, crop, size },
  };
  return writeGraphFile(buildPaperGraph({ weights, positionMode, groups, students }), folder, storage);
}

async function packaged(storage: 'inline' | 'external'): Promise<string> {
  const file = path.join(place.root, `${storage}.twin`);
  const graph = await tinyGraph(storage, path.join(place.root, storage));
  const content = sampleContent();
  const manifest = { ...content.manifest, inputSize: 96, outputs: [...fusedOutputs] };
  await writePackage(file, { ...content, manifest, graph });
  return file;
}

const picture = preparePicture(
  { width: 120, height: 90, data: Uint8Array.from({ length: 120 * 90 * 3 }, (_, i) => (i * 37) % 256) },
  { size: 96 },
);
const read = (file: string) => readPackage(file, { checkGraph: checkFusedGraph });
let inline: string;
let external: string;

beforeAll(async () => {
  place = await Workplace.make('graph file');
  inline = await packaged('inline');
  external = await packaged('external');
}, 300_000);

afterAll(() => place.remove());

describe('a graph whose numbers lie in a file of their own', () => {
  it('is packaged, checked and run like any other, and leaves nothing behind', async () => {
    const model = await read(external);
    expect(model.manifest.members.map(({ name }) => name)).toContain(dataMember);
    expect(model.graph.length).toBeLessThan(model.graphData!.bytes);
    expect((await read(inline)).graphData).toBeUndefined();
    const before = (await readdir(tmpdir())).filter((name) => name.startsWith('twinspect-model-'));
    const results = [];
    for (const file of [inline, external]) {
      const detector = await openDetector(file, { engine: 'cpu', threads: 1 });
      results.push(await detector.inspect([picture]));
      await detector.close();
    }
    expect(results[1]).toEqual(results[0]);
    const after = (await readdir(tmpdir())).filter((name) => name.startsWith('twinspect-model-'));
    expect(after.filter((name) => !before.includes(name))).toEqual([]);
  });

  it('is refused when its numbers were changed or cut off', async () => {
    const { graphData } = await read(external);
    const changed = path.join(place.root, 'changed.twin');
    await copyFile(external, changed);
    const handle = await open(changed, 'r+');
    await handle.write(Buffer.of(0x55), 0, 1, graphData!.start + graphData!.bytes - 3);
    await handle.close();
    await expect(read(changed)).rejects.toMatchObject({ code: 'packageDamaged' });
    await writeFile(changed, (await readFile(external)).subarray(0, graphData!.start + 100));
    await expect(read(changed)).rejects.toMatchObject({ code: 'packageDamaged' });
  });

  it('is refused when it points to another file, or beyond its own', async () => {
    const folder = path.join(place.root, 'crafted');
    const { path: file, dataPath } = await tinyGraph('external', folder);
    const model = await readFile(file);
    const at = model.indexOf(dataMember);
    expect(at).toBeGreaterThan(0);
    const elsewhere = Buffer.from(model);
    // The same length, so that the rest of the model stays sound.
    for (let i = elsewhere.indexOf(dataMember); i >= 0; i = elsewhere.indexOf(dataMember)) {
      elsewhere.write('../../etc/shado', i);
    }
    const content = sampleContent();
    const crafted = async (graph: Uint8Array): Promise<string> => {
      await writeFile(file, graph);
      const out = path.join(place.root, 'crafted.twin');
      const manifest = { ...content.manifest, inputSize: 96, outputs: [...fusedOutputs] };
      await writePackage(out, { ...content, manifest, graph: { path: file, dataPath: dataPath! } });
      return out;
    };
    await expect(read(await crafted(elsewhere))).rejects.toMatchObject({ code: 'graphRefused' });
    await writeFile(dataPath!, (await readFile(dataPath!)).subarray(0, 5000));
    const error: unknown = await read(await crafted(model)).catch((e: unknown) => e);
    expect(error).toMatchObject({ code: 'graphRefused' });
    expect(String(error)).toContain('outside its file');
    await rm(folder, { recursive: true });
  });
});
