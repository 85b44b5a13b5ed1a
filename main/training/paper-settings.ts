import { z } from 'zod';
import { UserError } from '../../shared/errors.ts';
import { fittingSide } from '../backbones/teacher-graph.ts';
import { presets, type PaperPreset } from '../nn/presets.ts';
import { positionModes } from '../nn/resample.ts';
import type { DataKind } from './assignments.ts';

const share = z.number().min(0).max(1);
const rate = z.number().min(0).max(0.99);
const positive = z.number().positive();
const count = z.int().min(1);
const layers = z.array(count).min(1).max(64);

/** Settings of a paper preset by their dotted names: everything that `--set` can change. */
const settingsSchema = z.strictObject({
  embedDim: count.max(4096),
  heads: count.max(64),
  depth: count.max(64),
  registers: z.int().min(0).max(64),
  resize: count.max(4096),
  crop: count.max(4096),
  // Inspection resizes bilinearly: another filter would train on other pictures than are judged.
  resizeFilter: z.literal('bilinear'),
  posEmbed: z.enum(positionModes),
  groups: z.tuple([layers, layers]),
  decoderOrder: z.enum(['mirrored', 'forward']),
  decoder: z.strictObject({ depth: count.max(64), layerNormEps: positive, dropout: rate }),
  encoderStudent: z.strictObject({
    embeddings: z.enum(['shared', 'own']),
    layerNormEps: positive,
    layerScaleInit: z.number(),
    linearStd: z.number().min(0),
  }),
  seReduction: z.enum(['mean', 'sum']),
  sdHardMining: z.strictObject({ pFinal: rate, ramp: count, factor: share }).nullable(),
  objective: z.enum(['noisy-or', 'sum', 'encoder', 'decoder']),
  defectErrorCap: positive.nullable(),
  scoreRow: z.literal([1, 2, 3, 4, 5, 6]),
  sdScore: z.enum(['global', 'map-top1pct']),
  optimizer: z.strictObject({
    amsgrad: z.boolean(),
    betas: z.tuple([share, share]),
    eps: positive,
    weightDecay: z.number().min(0),
    clipThreshold: positive,
    gradClip: positive.nullable(),
  }),
  schedule: z.strictObject({ base: positive, final: z.number().min(0), warmup: z.int().min(0), total: count }),
  batch: count.max(4096),
  /** Pictures whose gradients are computed at once; a divisor of `batch`. Equal to `batch`: no accumulation. */
  microBatch: count.max(4096),
  learnFromAll: z.boolean(),
  teacherPrecision: z.enum(['float32', 'float16-storage', 'int8']),
});

/** A paper preset with all its values settled for one run. */
export type PaperSettings = z.infer<typeof settingsSchema> &
  Pick<PaperPreset, 'kind' | 'backbone' | 'patch' | 'storedGrid'>;

/** What decides the defaults that the papers vary with the data. */
export interface DataFacts {
  classes: number;
  kind: DataKind;
}

export interface SettledPreset {
  settings: PaperSettings;
  /** What was changed that the person should know of. */
  warnings: string[];
}

/**
 * The values of a paper preset for one run: the preset, what the kind of data changes (one class: 5,000 steps, eps 1e-8;
 * Real-IAD with several classes: 50,000 steps, dropout 0.4), and what the person set, which wins.
 * @param name `paper-small` | `paper-base` | `paper-large`
 * @param steps training steps asked for, like the setting `schedule.total`
 * @throws UserError `settingInvalid` naming the setting and what it may be
 */
export function settlePaperPreset(
  name: string,
  data: DataFacts,
  assignments: Readonly<Record<string, unknown>>,
  steps?: number,
): SettledPreset {
  const preset = Object.hasOwn(presets, name) ? presets[name as keyof typeof presets] : undefined;
  if (preset?.kind !== 'paper') throw new Error(`"${name}" is no paper preset`);
  const { kind, backbone, patch, storedGrid, ...defaults } = preset;
  const values: Record<string, unknown> = structuredClone({ ...defaults, microBatch: 0 });
  for (const [key, value] of dataDefaults(data)) assign(values, key, value);
  for (const [key, value] of Object.entries(assignments)) assign(values, key, value);
  if (steps !== undefined) assign(values, 'schedule.total', steps);
  if (!Object.hasOwn(assignments, 'microBatch')) values['microBatch'] = values['batch'];

  const warnings: string[] = [];
  const crop = values['crop'];
  if (typeof crop === 'number' && Number.isInteger(crop) && crop > 0 && crop % patch !== 0) {
    values['crop'] = fittingSide(crop, patch);
    warnings.push(
      `The input of ${crop} px is not made of whole patches of ${patch} px: ${String(values['crop'])} px are used.`,
    );
  }
  // The same share of the picture is cut off at the rim as with 448 and 392.
  if (
    Object.hasOwn(assignments, 'crop') &&
    !Object.hasOwn(assignments, 'resize') &&
    typeof values['crop'] === 'number'
  ) {
    values['resize'] = Math.round((values['crop'] * defaults.resize) / defaults.crop);
  }
  const parsed = settingsSchema.safeParse(values);
  if (!parsed.success) {
    // Of what follows from a wrong value, the value that was given is what the person can correct.
    const given = Object.keys(assignments).map((key) => key.split('.')[0]);
    const { issues } = parsed.error;
    const issue = issues.find(({ path: [key] }) => given.includes(String(key))) ?? issues[0]!;
    const key = issue.path.map(String).join('.');
    throw invalid(key === '' ? 'the settings' : `"${key}"`, issue.message);
  }
  const settings: PaperSettings = { ...parsed.data, kind, backbone, patch, storedGrid };
  check(settings);
  return { settings, warnings };
}

function dataDefaults({ classes, kind }: DataFacts): [string, unknown][] {
  if (classes === 1) {
    return [
      ['schedule.total', 5000],
      ['optimizer.eps', 1e-8],
    ];
  }
  if (kind === 'real-iad') {
    return [
      ['schedule.total', 50000],
      ['decoder.dropout', 0.4],
    ];
  }
  return [];
}

/** What no schema says: settings that must fit each other. */
function check(settings: PaperSettings): void {
  const { embedDim, heads, patch, resize, crop, groups, depth, decoder, batch, microBatch } = settings;
  const { objective, scoreRow, schedule, decoderOrder } = settings;
  if (embedDim % heads !== 0) throw invalid('"heads"', `${embedDim} channels can't be shared among ${heads} heads`);
  if (crop % patch !== 0 || crop < patch) throw invalid('"crop"', `it must be at least ${patch}`);
  if (resize < crop) throw invalid('"resize"', `${resize} is smaller than the crop of ${crop}`);
  if (groups.flat().some((layer) => layer > depth)) throw invalid('"groups"', `the teacher has ${depth} layers only`);
  if (decoder.depth % 2 !== 0)
    throw invalid('"decoder.depth"', `its ${decoderOrder} blocks form two groups: even only`);
  if (batch % microBatch !== 0) throw invalid('"microBatch"', `${batch} is no multiple of ${microBatch}`);
  if (schedule.final > schedule.base) throw invalid('"schedule.final"', 'it is above "schedule.base"');
  const scored = { 'noisy-or': [1, 2, 3, 4, 5, 6], sum: [1, 2, 3, 4, 5, 6], encoder: [1, 3], decoder: [2] }[objective];
  if (!scored.includes(scoreRow)) {
    throw invalid('"scoreRow"', `row ${scoreRow} of the ablation needs a student that "${objective}" does not train`);
  }
}

/** Sets a dotted key that is there. @throws UserError naming what there is */
function assign(values: Record<string, unknown>, key: string, value: unknown): void {
  const parts = key.split('.');
  let at = values;
  for (const [i, part] of parts.entries()) {
    if (!Object.hasOwn(at, part)) {
      const known = Object.keys(at)
        .map((name) => [...parts.slice(0, i), name].join('.'))
        .join(', ');
      throw invalid(`"${key}"`, `there is no such setting; there are ${known}`);
    }
    if (i === parts.length - 1) {
      at[part] = value;
      return;
    }
    const inner = at[part];
    if (typeof inner !== 'object' || inner === null) throw invalid(`"${key}"`, `"${part}" has no parts`);
    at = inner as Record<string, unknown>;
  }
}

function invalid(what: string, why: string): UserError {
  return new UserError('settingInvalid', `The setting ${what} can't be used: ${why}.`, 'Correct it and start again.');
}
