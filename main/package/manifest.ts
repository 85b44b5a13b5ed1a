import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { ThresholdCalibration } from '../../shared/calibration/thresholds.ts';
import type { EvaluationTable } from '../../shared/metrics/evaluation-table.ts';
import { memberNames } from './zip-members.ts';

/** Version of the package's layout; a reader refuses newer ones by name. */
export const formatVersion = 1;

/** Distinguishes our zip files from everybody else's. */
export const packageFormat = 'twinspect-model';

/** Largest difference between the trainer's and the package's scores that the parity gate lets through. */
export const parityTolerance = 1e-4;

/** Outputs that every inference graph has, by these names (issue 3 section 5). */
export const requiredOutputs = ['predScore', 'localScore', 'semanticScore', 'memoryScore', 'anomalyMap'] as const;

/** Text that is safe to print: no control characters, so that a package can't steer the terminal it is shown on. */
const text = (longest: number) =>
  z
    .string()
    .max(longest)
    .regex(/^\P{Cc}*$/u, 'has control characters');
/** The same with line feeds. */
const paragraphs = (longest: number) =>
  z
    .string()
    .max(longest)
    .regex(/^[\n\P{Cc}]*$/u, 'has control characters');
const name = text(200).min(1);
const sha256 = z.string().regex(/^[0-9a-f]{64}$/, 'is not a sha256 in hexadecimal');
const count = z.int().min(0).max(10_000_000);
const share = z.number().min(0).max(1);

/** Values of a preset: whatever JSON holds, under plain names. */
const constants = z.record(z.string().regex(/^[\w.-]{1,80}$/), z.json());

const policySchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('normalsOnly'), maxFalseRejectRate: share }),
  z.strictObject({ kind: z.literal('maxF1') }),
  z.strictObject({ kind: z.literal('youden') }),
  z.strictObject({ kind: z.literal('maxEscapeRate'), rate: share }),
  z.strictObject({ kind: z.literal('maxFalseRejectRate'), rate: share }),
  z.strictObject({
    kind: z.literal('cost'),
    escape: z.number().positive(),
    reject: z.number().positive(),
    review: z.number().positive().optional(),
    defectRate: share,
  }),
]);

const basis = z.enum(['orderStatistic', 'extrapolated', 'assumed', 'roc']);

const calibratedThresholdsSchema = z
  .strictObject({
    review: z.number(),
    fail: z.number(),
    basis,
    reviewBasis: basis,
    normals: count,
    defects: count,
    moreNormalsNeeded: count,
    observed: z.strictObject({ escapes: count, falseRejects: count, reviews: count }),
    statement: text(4000),
  })
  .refine(({ review, fail }) => review <= fail, 'the review threshold is above the fail threshold');

/** Serialised {@link ThresholdCalibration}. */
export const thresholdCalibrationSchema = z.strictObject({
  policy: policySchema,
  maxReviewRate: share,
  confidence: share,
  pooled: calibratedThresholdsSchema,
  classes: z
    .array(
      z.strictObject({
        className: name,
        normals: count,
        defects: count,
        thresholds: calibratedThresholdsSchema.nullable(),
      }),
    )
    .max(10_000),
}) satisfies z.ZodType<ThresholdCalibration>;

const metric = share.nullable();
const imageMetrics = { imageAuroc: metric, imageAp: metric, imageF1Max: metric };
const allMetrics = { ...imageMetrics, pixelAuroc: metric, aupro: metric, latencyMs: z.number().min(0).nullable() };

/** Serialised {@link EvaluationTable}. */
export const evaluationTableSchema = z.strictObject({
  classes: z.array(z.strictObject({ name, images: count, defects: count, ...allMetrics })).max(10_000),
  mean: z.strictObject(allMetrics),
  pooled: z.strictObject({ images: count, defects: count, ...imageMetrics }),
}) satisfies z.ZodType<EvaluationTable>;

const classSchema = z.strictObject({
  name,
  /** Normal pictures of the snapshot, held-out ones included. */
  normalCount: count,
  /** Of these, kept apart for calibration. */
  heldOutCount: count,
  /** Fused score of the pictures calibrated on; null when there were none. */
  fusedScore: z.strictObject({ mean: z.number(), sd: z.number().min(0) }).nullable(),
});

/** `manifest.json` of a model package: everything there is to know about a model but its weights. */
export const manifestSchema = z.strictObject({
  format: z.literal(packageFormat),
  formatVersion: z.literal(formatVersion),
  id: z.string().regex(/^[\w.-]{1,100}$/),
  createdAt: z.iso.datetime(),
  productVersion: text(50).min(1),
  preset: z.strictObject({ name, constants }),
  seed: z.int().min(0),
  /** What trained it. */
  engine: z.strictObject({ engine: name, provider: name, threads: z.int().min(0).max(4096), mode: name }),
  /** Name and version of each library that had a part in it. */
  libraries: z.record(z.string().regex(/^[@\w./-]{1,100}$/), text(100)),
  backbone: z.strictObject({ id: name, sha256 }),
  /** Side of the square network input in pixels. */
  inputSize: z.int().min(16).max(4096),
  /** Names of the graph's outputs. */
  outputs: z.array(text(100).min(1)).max(64),
  classes: z.array(classSchema).min(1).max(10_000),
  thresholds: thresholdCalibrationSchema,
  parity: z.strictObject({
    /** Largest difference of the fused score between trainer and package. */
    maxAbsDifference: z.number().min(0),
    /** Verdicts that differ although the score is further from the threshold than rounding goes. */
    verdictFlips: count,
    pictures: count,
    tolerance: z.number().positive().max(parityTolerance),
  }),
  metrics: evaluationTableSchema.nullable(),
  /** All members but this one. */
  members: z.array(z.strictObject({ name: z.enum(memberNames), sha256, bytes: z.int().min(0) })).max(64),
  /** See {@link snapshotHashOf}. */
  snapshotHash: sha256,
  /** Credits for backbone and pictures, one each; the same as attribution.txt. */
  attribution: z.array(text(2000)).max(200),
  notes: paragraphs(10_000),
});
export type Manifest = z.infer<typeof manifestSchema>;

const fileName = text(1024)
  .min(1)
  .refine(
    (path) => !/^(?:[\\/]|[A-Za-z]:)/.test(path) && !path.split(/[\\/]/).includes('..'),
    'is not a path below the class folder',
  );

/** `normals.json`: the snapshot, in the order that `nearestNormal` counts in. */
export const normalsSchema = z
  .array(
    z.strictObject({
      /** Content of the picture file. */
      sha256,
      /** Name below the class's folder, with forward slashes. */
      fileName,
      className: name,
      /** Kept apart for calibration. */
      heldOut: z.boolean(),
    }),
  )
  .max(1_000_000);
export type NormalPicture = z.infer<typeof normalsSchema>[number];

/** Identity of a snapshot: the same pictures in the same classes give the same hash, whatever their names and order. */
export function snapshotHashOf(normals: readonly NormalPicture[]): string {
  const lines = normals.map((picture) => `${JSON.stringify(picture.className)} ${picture.sha256}\n`).sort();
  const hash = createHash('sha256');
  for (const line of lines) hash.update(line);
  return hash.digest('hex');
}

/**
 * What a schema can't see: parts of a manifest and its snapshot that must agree.
 * @returns what is wrong, in words; null when all agrees
 */
export function crossCheck(manifest: Manifest, normals: readonly NormalPicture[]): string | null {
  const counted = new Map<string, { normalCount: number; heldOutCount: number }>();
  for (const { className, heldOut } of normals) {
    const entry = counted.get(className) ?? { normalCount: 0, heldOutCount: 0 };
    entry.normalCount++;
    if (heldOut) entry.heldOutCount++;
    counted.set(className, entry);
  }
  const names = new Set(manifest.classes.map((entry) => entry.name));
  if (names.size !== manifest.classes.length) return 'a class is listed twice';
  for (const entry of manifest.classes) {
    const { normalCount, heldOutCount } = counted.get(entry.name) ?? { normalCount: 0, heldOutCount: 0 };
    if (normalCount !== entry.normalCount || heldOutCount !== entry.heldOutCount) {
      return (
        `the class "${entry.name}" should have ${entry.normalCount} normal pictures, ${entry.heldOutCount} of them` +
        ` held out, but the snapshot lists ${normalCount} and ${heldOutCount}`
      );
    }
    counted.delete(entry.name);
  }
  const stray = [...counted.keys()][0];
  if (stray !== undefined) return `the snapshot has pictures of "${stray}", which is not a class of the model`;
  if (snapshotHashOf(normals) !== manifest.snapshotHash) return 'the snapshot does not have the hash that is stated';
  const calibrated = manifest.thresholds.classes.map((entry) => entry.className);
  if (new Set(calibrated).size !== calibrated.length) return 'a class has thresholds twice';
  const unknown = calibrated.find((className) => !names.has(className));
  if (unknown !== undefined) return `there are thresholds for "${unknown}", which is not a class of the model`;
  const missing = requiredOutputs.find((output) => !manifest.outputs.includes(output));
  if (missing !== undefined) return `the graph has no output "${missing}"`;
  const { maxAbsDifference, tolerance, verdictFlips } = manifest.parity;
  if (maxAbsDifference > tolerance || verdictFlips > 0) {
    return (
      `it failed the parity gate: its scores differ from the trainer's by up to ${maxAbsDifference.toPrecision(2)}` +
      ` (allowed: ${tolerance}), with ${verdictFlips} changed verdicts`
    );
  }
  return null;
}
