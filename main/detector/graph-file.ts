import path from 'node:path';
import { writeGraph } from '../backbones/teacher-graph.ts';
import type { OnnxGraph } from '../onnx/graph.ts';
import type { GraphFile } from '../package/write-package.ts';

/**
 * Writes a graph piece by piece into a folder; what doesn't fit into one ONNX file (2 GB) has its numbers in a second one.
 * @throws UserError as `writeGraph`
 */
export async function writeGraphFile(graph: OnnxGraph, folder: string): Promise<GraphFile> {
  const {
    files: [file, data],
  } = await writeGraph(graph, path.join(folder, 'graph.onnx'));
  return data === undefined ? { path: file! } : { path: file!, dataPath: data };
}
