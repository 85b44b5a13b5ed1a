import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { UserError } from '../../shared/errors.ts';
import { writeGraph } from '../backbones/teacher-graph.ts';
import type { OnnxGraph } from '../onnx/graph.ts';
import { writeFileAtomic } from '../system/atomic-file.ts';
import type { ModelPackage } from '../package/read-package.ts';
import type { GraphFile } from '../package/write-package.ts';
import { dataMember } from '../package/zip-members.ts';

/**
 * Writes a graph piece by piece into a folder; what doesn't fit into one ONNX file (2 GB) has its numbers in a second one.
 * @param storage default: in one file where it fits
 * @throws UserError as `writeGraph`
 */
export async function writeGraphFile(
  graph: OnnxGraph,
  folder: string,
  storage?: 'inline' | 'external',
): Promise<GraphFile> {
  const {
    files: [file, data],
  } = await writeGraph(graph, path.join(folder, 'graph.onnx'), storage);
  return data === undefined ? { path: file! } : { path: file!, dataPath: data };
}

/**
 * What a session opens for a package: the graph itself, or, where its numbers are a member of their own, a copy of both in
 * a temporary folder, from which ONNX Runtime maps the numbers instead of holding them twice.
 * @returns `cleanUp` for when the session is closed
 * @throws UserError `packageDamaged` when the package was changed since it was read; as `writeFileAtomic`
 */
export async function graphSource(
  model: Pick<ModelPackage, 'path' | 'graph' | 'graphData'>,
): Promise<{ source: Uint8Array | string; cleanUp: () => Promise<void> }> {
  const { graphData } = model;
  if (graphData === undefined) return { source: model.graph, cleanUp: () => Promise.resolve() };
  const folder = await mkdtemp(path.join(tmpdir(), 'twinspect-model-'));
  const cleanUp = (): Promise<void> => rm(folder, { recursive: true, force: true, maxRetries: 3 });
  try {
    const source = path.join(folder, 'graph.onnx');
    await writeFile(source, model.graph);
    const hash = createHash('sha256');
    const range = { start: graphData.start, end: graphData.start + graphData.bytes - 1, highWaterMark: 2 ** 22 };
    async function* pieces(): AsyncGenerator<Uint8Array> {
      for await (const piece of createReadStream(model.path, range)) {
        hash.update(piece as Buffer);
        yield piece as Buffer;
      }
    }
    await writeFileAtomic(path.join(folder, dataMember), pieces());
    if (hash.digest('hex') !== graphData.sha256) {
      throw new UserError(
        'packageDamaged',
        `The model package "${model.path}" was changed while it was opened.`,
        'Open it again.',
      );
    }
    return { source, cleanUp };
  } catch (error) {
    await cleanUp();
    throw error;
  }
}
