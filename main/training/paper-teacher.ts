import path from 'node:path';
import type { Dinov2Weights } from '../backbones/dinov2.ts';
import { writeTeacherGraph } from '../backbones/teacher-graph.ts';
import { patchGrid } from '../nn/vit.ts';
import { cropPicture, type PreparedPicture } from '../pictures/picture.ts';
import { centreCrop } from '../pictures/prepare.ts';
import { openSession, type GraphSession, type SessionOptions } from '../runtime/session.ts';
import type { FeatureSource } from './feature-store.ts';
import type { PaperSettings } from './paper-settings.ts';

/** One picture's teacher features as views into one record; T = 1 + registers + N tokens, m = depth + 1, row-major. */
export interface PaperFeatures {
  /** Means of the teacher's layers in two groups, `[T, C]` each. */
  group1: Float32Array;
  group2: Float32Array;
  /** `[m, C]` */
  classTokens: Float32Array;
  /** What the encoder student looks at: tokens `[T, C]`, or pixels `[N, 3*patch^2]` where it has its own embedding. */
  seen: Float32Array;
}

/** Shapes of {@link PaperFeatures}. */
export interface PaperShapes {
  tokens: readonly [number, number];
  classTokens: readonly [number, number];
  seen: readonly [number, number];
}

/** @see PaperShapes */
export function paperShapes(settings: PaperSettings): PaperShapes {
  const { rows, columns } = patchGrid(settings.crop, settings.crop, settings.patch);
  const tokens = [1 + settings.registers + rows * columns, settings.embedDim] as const;
  const own = settings.encoderStudent.embeddings === 'own';
  return {
    tokens,
    classTokens: [settings.depth + 1, settings.embedDim],
    seen: own ? [rows * columns, 3 * settings.patch ** 2] : tokens,
  };
}

/** How the feature arrays lie in one record. */
export class PaperLayout {
  readonly length: number;
  readonly #sizes: readonly [number, number, number, number];

  constructor({ tokens, classTokens, seen }: PaperShapes) {
    const group = tokens[0] * tokens[1];
    this.#sizes = [group, group, classTokens[0] * classTokens[1], seen[0] * seen[1]];
    this.length = this.#sizes.reduce((sum, size) => sum + size, 0);
  }

  /** Splits one record into its arrays, without copying. */
  split(record: Float32Array): PaperFeatures {
    let at = 0;
    const next = (count: number): Float32Array => record.subarray(at, (at += count));
    const [group1, group2, classTokens, seen] = this.#sizes;
    return { group1: next(group1), group2: next(group2), classTokens: next(classTokens), seen: next(seen) };
  }
}

/** The paper's frozen teacher during training: pictures to all that the students ever need. */
export class PaperTeacher implements FeatureSource<PaperFeatures> {
  readonly entry: FeatureSource['entry'];
  readonly layout: PaperLayout;
  /** sha256 of the graph that makes the features. */
  readonly graphHash: string;
  readonly #crop: number;
  readonly #seenOutput: 'tokens0' | 'patches';
  readonly #session: GraphSession;

  private constructor(settings: PaperSettings, graphHash: string, session: GraphSession) {
    this.entry = { input: { size: settings.resize, filter: settings.resizeFilter } };
    this.layout = new PaperLayout(paperShapes(settings));
    this.graphHash = graphHash;
    this.#crop = settings.crop;
    this.#seenOutput = seenOutput(settings);
    this.#session = session;
  }

  /**
   * Writes the teacher's graph and opens it.
   * @param folder where to write it; it must stay until the teacher is closed
   * @throws UserError as `writeTeacherGraph`
   */
  static async open(
    weights: Dinov2Weights,
    settings: PaperSettings,
    options: SessionOptions,
    folder: string,
  ): Promise<PaperTeacher> {
    const file = path.join(folder, 'teacher.onnx');
    const { graphHash } = await writeTeacherGraph(
      weights,
      {
        width: settings.crop,
        height: settings.crop,
        positionMode: settings.posEmbed,
        groups: settings.groups,
        classTokens: true,
        tokens0: seenOutput(settings) === 'tokens0',
        patches: seenOutput(settings) === 'patches',
        // The session maps the numbers then, instead of reading them into memory.
        storage: 'external',
      },
      file,
    );
    return new PaperTeacher(settings, graphHash, await openSession(file, options));
  }

  /** One teacher pass on the pictures' centre crops. @returns one record per picture, laid out by `layout` */
  async features(pictures: readonly PreparedPicture[]): Promise<Float32Array[]> {
    const side = this.#crop;
    const bytes = side * side * 3;
    const pixels = new Uint8Array(pictures.length * bytes);
    pictures.forEach((picture, i) => {
      pixels.set(cropPicture(picture, centreCrop(picture.width, side)).data, i * bytes);
    });
    const out = await this.#session.run({
      pixels: { dtype: 'uint8', dims: [pictures.length, side, side, 3], data: pixels },
    });
    return pictures.map((_, i) => {
      const record = new Float32Array(this.layout.length);
      const parts = this.layout.split(record);
      const fill = (target: Float32Array, output: string): void => {
        const data = out[output]!.data as Float32Array;
        target.set(data.subarray(i * target.length, (i + 1) * target.length));
      };
      fill(parts.group1, 'teacherGroup1');
      fill(parts.group2, 'teacherGroup2');
      fill(parts.classTokens, 'teacherClassTokens');
      fill(parts.seen, this.#seenOutput);
      return record;
    });
  }

  close(): Promise<void> {
    return this.#session.close();
  }
}

function seenOutput({ encoderStudent }: PaperSettings): 'tokens0' | 'patches' {
  return encoderStudent.embeddings === 'own' ? 'patches' : 'tokens0';
}
