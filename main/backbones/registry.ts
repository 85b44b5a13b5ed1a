import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { UserError } from '../../shared/errors.ts';

const sha256Schema = z.string().regex(/^[0-9a-f]{64}$/);
const positive = z.number().int().positive();

/** One architecture family a teacher can have; a new family is one more member here and one graph builder. */
const architectureSchema = z.discriminatedUnion('family', [
  z.strictObject({
    family: z.literal('efficientnet-lite'),
    stages: z.array(
      z.strictObject({ blocks: positive, stride: z.union([z.literal(1), z.literal(2)]), channels: positive }),
    ),
    stemChannels: positive,
    headChannels: positive,
  }),
  z.strictObject({
    family: z.literal('dinov2'),
    embedDim: positive,
    depth: positive,
    heads: positive,
    patch: positive,
    registers: z.number().int().min(0),
    positionGrid: positive,
  }),
]);

const backboneSchema = z.strictObject({
  id: z.string().regex(/^[a-z0-9-]+$/),
  title: z.string(),
  bundled: z.boolean(),
  files: z.array(z.strictObject({ path: z.string(), sha256: sha256Schema, bytes: positive })).min(1),
  licence: z.string(),
  licenceFile: z.string().optional(),
  attribution: z.string(),
  source: z.string(),
  parameters: positive,
  input: z.strictObject({
    /** Side of the square network input, pixels. */
    size: positive,
    filter: z.enum(['bilinear', 'bicubic']),
    /** `(value - mean) / scale` per RGB channel, on 0..255 values. */
    mean: z.tuple([z.number(), z.number(), z.number()]),
    scale: z.tuple([z.number().positive(), z.number().positive(), z.number().positive()]),
  }),
  architecture: architectureSchema,
});

const registrySchema = z.strictObject({ formatVersion: z.literal(1), backbones: z.array(backboneSchema) });

/** One backbone as `models/registry.json` describes it. */
export type BackboneEntry = z.infer<typeof backboneSchema>;
export type EfficientNetLiteArchitecture = Extract<BackboneEntry['architecture'], { family: 'efficientnet-lite' }>;

/** The registry together with the folder its file paths are relative to. */
export interface BackboneRegistry {
  modelsDir: string;
  backbones: BackboneEntry[];
}

/**
 * Reads and checks `registry.json` of a models folder.
 * @throws UserError `registryUnreadable` | `registryInvalid`
 */
export async function readRegistry(modelsDir: string): Promise<BackboneRegistry> {
  const file = path.join(modelsDir, 'registry.json');
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    throw new UserError('registryUnreadable', `The backbone registry ${file} can't be read.`, 'Reinstall Twinspect.', {
      cause: error,
    });
  }
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new UserError('registryInvalid', `The backbone registry ${file} is not valid JSON.`, 'Reinstall Twinspect.', {
      cause: error,
    });
  }
  const parsed = registrySchema.safeParse(json);
  if (!parsed.success) {
    const detail = z.prettifyError(parsed.error);
    throw new UserError(
      'registryInvalid',
      `The backbone registry ${file} is not as expected: ${detail}`,
      'Reinstall Twinspect.',
    );
  }
  return { modelsDir, backbones: parsed.data.backbones };
}

/**
 * @throws UserError `backboneUnknown` naming what there is
 */
export function findBackbone(registry: BackboneRegistry, id: string): BackboneEntry {
  const entry = registry.backbones.find((backbone) => backbone.id === id);
  if (entry === undefined) {
    const known = registry.backbones.map((backbone) => backbone.id).join(', ');
    throw new UserError('backboneUnknown', `There is no backbone "${id}".`, `Choose one of: ${known}.`);
  }
  return entry;
}

/**
 * Streams a backbone's files and compares size and sha256 with the registry.
 * @returns absolute paths of the verified files, in registry order
 * @throws UserError `backboneMissing` | `backboneDamaged`
 */
export async function verifyBackbone(registry: BackboneRegistry, entry: BackboneEntry): Promise<string[]> {
  const paths: string[] = [];
  for (const file of entry.files) {
    const full = path.join(registry.modelsDir, file.path);
    const info = await stat(full).catch((error: unknown) => {
      throw new UserError(
        'backboneMissing',
        `The weight file ${full} of backbone "${entry.id}" is missing.`,
        entry.bundled ? 'Reinstall Twinspect.' : `Run: twinspect backbone fetch ${entry.id}`,
        { cause: error },
      );
    });
    const hash = createHash('sha256');
    for await (const chunk of createReadStream(full)) hash.update(chunk as Buffer);
    const found = hash.digest('hex');
    if (info.size !== file.bytes || found !== file.sha256) {
      throw new UserError(
        'backboneDamaged',
        `The weight file ${full} is not the one the registry names (${info.size} bytes, sha256 ${found.slice(0, 12)}...; expected ${file.bytes} bytes, ${file.sha256.slice(0, 12)}...).`,
        entry.bundled ? 'Reinstall Twinspect.' : 'Fetch or import it again.',
      );
    }
    paths.push(full);
  }
  return paths;
}
