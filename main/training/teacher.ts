import { createHash } from 'node:crypto';
import type { BackboneEntry } from '../backbones/registry.ts';
import type { Safetensor } from '../backbones/safetensors.ts';
import {
  buildEmbeddedTeacher,
  buildMemoryTokens,
  featureShapes,
  featureSizes,
  type FeatureShapes,
  type FeatureSizes,
} from '../detector/embedded-features.ts';
import { OnnxGraph } from '../onnx/graph.ts';
import type { PreparedPicture } from '../pictures/picture.ts';
import { openSession, type GraphSession, type SessionOptions } from '../runtime/session.ts';
import { FeatureLayout, type TeacherFeatures } from './feature-cache.ts';

/** Memory tokens of one picture, row-major. */
export interface PictureTokens {
  /** `[deepTokens, deepDims]` */
  deep: Float32Array;
  /** `[fineTokens, fineDims]` */
  fine: Float32Array;
  /** `[coarseTokens, stage6]` */
  coarse: Float32Array;
}

/** The frozen teacher during training: pictures to features, features to memory tokens. */
export class Teacher {
  readonly entry: BackboneEntry;
  readonly weights: ReadonlyMap<string, Safetensor>;
  readonly shapes: FeatureShapes;
  readonly sizes: FeatureSizes;
  readonly layout: FeatureLayout;
  /** sha256 of the graph that makes the features: the same graph gives the same features for the same pixels. */
  readonly graphHash: string;
  readonly #features: GraphSession;
  readonly #tokens: GraphSession;

  private constructor(
    entry: BackboneEntry,
    weights: ReadonlyMap<string, Safetensor>,
    graphHash: string,
    sessions: { features: GraphSession; tokens: GraphSession },
  ) {
    this.entry = entry;
    this.weights = weights;
    this.shapes = featureShapes(entry);
    this.sizes = featureSizes(this.shapes);
    this.graphHash = graphHash;
    this.layout = new FeatureLayout(this.shapes, this.sizes);
    this.#features = sessions.features;
    this.#tokens = sessions.tokens;
  }

  /** What the teacher runs on, in the words of a training engine. */
  get engine(): { engine: string; provider: string; threads: number; mode: string } {
    const { provider, threads } = this.#features.description;
    return { engine: 'onnxruntime', provider, threads, mode: 'memory only' };
  }

  /** Where the class vector lies in a record's `vector`: means of stages 5 to 7. */
  get classPart(): { from: number; to: number } {
    return { from: this.shapes.stageMeans - this.sizes.classDims, to: this.shapes.stageMeans };
  }

  /** Where the head's means lie in a record's `vector`. */
  get headPart(): { from: number; to: number } {
    return { from: this.shapes.stageMeans, to: this.shapes.stageMeans + this.shapes.head };
  }

  /** Where the global vector lies in a record's `vector`. */
  get globalPart(): { from: number; to: number } {
    return { from: this.sizes.vectorDims - this.sizes.globalDims, to: this.sizes.vectorDims };
  }

  /** @throws UserError when the preset doesn't fit the backbone or a session can't be made */
  static async open(
    entry: BackboneEntry,
    weights: ReadonlyMap<string, Safetensor>,
    options: SessionOptions,
  ): Promise<Teacher> {
    const graph = featureGraph(entry, weights);
    const graphHash = createHash('sha256').update(graph).digest('hex');
    const features = await openSession(graph, options);
    try {
      const tokens = await openSession(tokenGraph(entry), options);
      return new Teacher(entry, weights, graphHash, { features, tokens });
    } catch (error) {
      await features.close();
      throw error;
    }
  }

  /** One teacher pass. @returns one record per picture, laid out by `layout` */
  async features(pictures: readonly PreparedPicture[]): Promise<Float32Array[]> {
    const side = this.entry.input.size;
    const pixels = new Uint8Array(pictures.length * side * side * 3);
    pictures.forEach((picture, i) => pixels.set(picture.data, i * side * side * 3));
    const out = await this.#features.run({
      pixels: { dtype: 'uint8', dims: [pictures.length, side, side, 3], data: pixels },
    });
    return pictures.map((_, i) => {
      const record = new Float32Array(this.layout.length);
      const parts = this.layout.split(record);
      for (const name of ['stage3', 'tokens', 'coarse', 'encoderTokens', 'vector'] as const) {
        const data = out[name]!.data as Float32Array;
        const length = parts[name].length;
        parts[name].set(data.subarray(i * length, (i + 1) * length));
      }
      return record;
    });
  }

  /** Memory tokens of one picture from its features. */
  async memoryTokens(features: TeacherFeatures): Promise<PictureTokens> {
    const out = await this.#tokens.run({
      stage3: {
        dtype: 'float32',
        dims: [1, this.shapes.stage3, this.sizes.fineTokens],
        data: features.stage3.slice(),
      },
      tokens: {
        dtype: 'float32',
        dims: [1, this.sizes.deepTokens, this.sizes.deepDims],
        data: features.tokens.slice(),
      },
      coarse: {
        dtype: 'float32',
        dims: [1, this.sizes.coarseTokens, this.shapes.stage6],
        data: features.coarse.slice(),
      },
    });
    return {
      deep: out['deep']!.data as Float32Array,
      fine: out['fine']!.data as Float32Array,
      coarse: features.coarse,
    };
  }

  async close(): Promise<void> {
    await this.#features.close();
    await this.#tokens.close();
  }
}

function featureGraph(entry: BackboneEntry, weights: ReadonlyMap<string, Safetensor>): Uint8Array {
  const sizes = featureSizes(featureShapes(entry));
  const graph = new OnnxGraph('teacher');
  const side = entry.input.size;
  const values = buildEmbeddedTeacher(graph, graph.input('pixels', 'uint8', ['batch', side, side, 3]), entry, weights);
  graph.output('stage3', values.stage3, 'float32', ['batch', featureShapes(entry).stage3, sizes.fineTokens]);
  graph.output('tokens', values.tokens, 'float32', ['batch', sizes.deepTokens, sizes.deepDims]);
  graph.output('coarse', values.coarse, 'float32', ['batch', sizes.coarseTokens, featureShapes(entry).stage6]);
  graph.output('encoderTokens', values.encoderTokens, 'float32', ['batch', sizes.encoderTokens, sizes.encoderDims]);
  graph.output('vector', values.vector, 'float32', ['batch', sizes.vectorDims]);
  return graph.toBytes();
}

function tokenGraph(entry: BackboneEntry): Uint8Array {
  const shapes = featureShapes(entry);
  const sizes = featureSizes(shapes);
  const graph = new OnnxGraph('memory-tokens');
  const stage3 = graph.input('stage3', 'float32', ['batch', shapes.stage3, sizes.fineTokens]);
  const tokens = graph.input('tokens', 'float32', ['batch', sizes.deepTokens, sizes.deepDims]);
  const coarse = graph.input('coarse', 'float32', ['batch', sizes.coarseTokens, shapes.stage6]);
  const { deep, fine } = buildMemoryTokens(graph, { stage3, tokens, coarse }, shapes);
  graph.output('deep', deep, 'float32', ['batch', sizes.deepTokens, sizes.deepDims]);
  graph.output('fine', fine, 'float32', ['batch', sizes.fineTokens, sizes.fineDims]);
  return graph.toBytes();
}
