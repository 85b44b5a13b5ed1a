/** Writes ONNX graphs whose constants may be larger than memory. */
import { createHash } from 'node:crypto';
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { UserError } from '../../shared/errors.ts';
import { onnxFileLimitBytes, type OnnxGraph } from '../onnx/graph.ts';
import { writeFileAtomic, type FileSystem } from '../system/atomic-file.ts';

export interface WrittenGraph {
  /** Path of the ONNX file, and of its data file where there is one. */
  readonly files: readonly string[];
  readonly bytes: number;
  /** sha256 of the ONNX file, followed by its data file where there is one. */
  readonly graphHash: string;
}

/**
 * Writes a graph whose constants may be lazy, one constant in memory at a time; each file is written atomically, the data
 * file first.
 * @throws UserError `diskFull` | `notWritable` | `writeFailed`, and whatever reading the weights throws
 */
export async function writeGraph(
  graph: OnnxGraph,
  outPath: string,
  storage?: 'inline' | 'external',
  fs?: FileSystem,
): Promise<WrittenGraph> {
  const hash = createHash('sha256');
  let bytes = 0;
  let failure: unknown;
  async function* counted(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    try {
      for await (const piece of pieces) {
        hash.update(piece);
        bytes += piece.length;
        yield piece;
      }
    } catch (error) {
      failure = error;
      throw error;
    }
  }
  const dataPath = `${outPath}.data`;
  const isInline = (storage ?? (graph.fileBytes <= onnxFileLimitBytes ? 'inline' : 'external')) === 'inline';
  try {
    if (isInline) {
      await writeFileAtomic(outPath, counted(graph.chunks()), fs);
      return { files: [outPath], bytes, graphHash: hash.digest('hex') };
    }
    const { model, data } = graph.external(path.basename(dataPath));
    hash.update(model);
    bytes += model.length;
    await writeFileAtomic(dataPath, counted(data), fs);
    try {
      await writeFileAtomic(outPath, model, fs);
    } catch (error) {
      await rm(dataPath, { force: true });
      throw error;
    }
    return { files: [outPath, dataPath], bytes, graphHash: hash.digest('hex') };
  } catch (error) {
    // What reading the weights says is the better message than what writing makes of it.
    throw failure instanceof UserError ? failure : error;
  }
}
