import path from 'node:path';
import type { OnnxGraph } from '../onnx/graph.ts';
import type { GraphFile } from '../package/write-package.ts';
import { writeFileAtomic } from '../system/atomic-file.ts';

/** Writes a graph piece by piece into a folder. @throws UserError as `writeFileAtomic` */
export async function writeGraphFile(graph: OnnxGraph, folder: string): Promise<GraphFile> {
  const file = path.join(folder, 'graph.onnx');
  await writeFileAtomic(file, graph.chunks());
  return { path: file };
}
