import { auroc } from '../../shared/metrics/ranking.ts';
import { findBundledBackbone, readRegistry, verifyBackbone } from '../backbones/registry.ts';
import { readSafetensors } from '../backbones/safetensors.ts';
import { presets } from '../nn/presets.ts';
import { readPicture } from '../pictures/decode.ts';
import { preparePicture } from '../pictures/prepare.ts';
import { modelsDir } from '../system/project-root.ts';
import { Teacher } from '../training/teacher.ts';
import type { Plan } from './plan.ts';
import type { Baseline } from './report.ts';

export interface KnnOptions {
  provider: string;
  threads?: number;
  signal: AbortSignal;
  onProgress(done: number, total: number): void;
}

/** One vector per picture, by path, of unit length. */
export type PictureVectors = ReadonlyMap<string, Float32Array>;

const batch = 4;

/**
 * The paper's simplest rival, measured on the same pictures: distance (cosine) to the nearest training picture, on the
 * embedded backbone's pooled features. Two vectors: the mean of the last stage, and the mean behind the head.
 */
export async function knnBaselines(plan: Plan, options: KnnOptions): Promise<Baseline[]> {
  const preset = presets.embedded;
  const registry = await readRegistry(modelsDir());
  const found = findBundledBackbone(registry, preset.backbone);
  const [file] = await verifyBackbone(registry, found);
  const entry = { ...found, input: { ...found.input, size: preset.inputSize } };
  const { tensors } = await readSafetensors(file!, { rejectNonFinite: true });
  const { provider, threads } = options;
  const teacher = await Teacher.open(entry, tensors, { provider, ...(threads !== undefined && { threads }) });
  const lastStage = new Map<string, Float32Array>();
  const head = new Map<string, Float32Array>();
  try {
    const units = plan.units.filter(({ seed }) => seed === 0);
    const paths = new Set(
      units.flatMap(({ train, groups }) =>
        [...train, ...groups.flatMap(({ pictures }) => pictures)].map((p) => p.path),
      ),
    );
    const all = [...paths];
    const { stage7, stageMeans } = teacher.shapes;
    for (let first = 0; first < all.length; first += batch) {
      options.signal.throwIfAborted();
      const some = all.slice(first, first + batch);
      const prepared = await Promise.all(
        some.map(async (path) => preparePicture(await readPicture(path), { size: preset.inputSize })),
      );
      const records = await teacher.features(prepared);
      records.forEach((record, i) => {
        const { vector } = teacher.layout.split(record);
        lastStage.set(some[i]!, unit(vector.slice(stageMeans - stage7, stageMeans)));
        head.set(some[i]!, unit(vector.slice(teacher.headPart.from, teacher.headPart.to)));
      });
      options.onProgress(Math.min(all.length, first + batch), all.length);
    }
  } finally {
    await teacher.close();
  }
  return [
    { name: 'kNN, last stage', imageAuroc: nearestAuroc(plan, lastStage) },
    { name: 'kNN, head', imageAuroc: nearestAuroc(plan, head) },
  ];
}

/** AUROC of the distance to the nearest training picture, by group, for the first seed. */
export function nearestAuroc(plan: Plan, vectors: PictureVectors): Record<string, number | null> {
  const out: Record<string, number | null> = {};
  for (const { train, groups, seed } of plan.units) {
    if (seed !== 0) continue;
    const known = train.filter(({ split }) => split === 'train').map(({ path }) => vectors.get(path)!);
    for (const { name, pictures } of groups) {
      if (Object.hasOwn(out, name)) continue;
      const scores = pictures.map(({ path }) => {
        const vector = vectors.get(path)!;
        return 1 - known.reduce((best, other) => Math.max(best, dot(vector, other)), -1);
      });
      out[name] = auroc(
        pictures.map(({ gtLabel }) => gtLabel === 'defect'),
        scores,
      );
    }
  }
  return out;
}

function unit(vector: Float32Array): Float32Array {
  const length = Math.sqrt(dot(vector, vector)) || 1;
  return vector.map((value) => value / length);
}

function dot(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}
