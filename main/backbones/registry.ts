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

/** A file that comes with the program: always pinned. */
const pinnedFileSchema = z.strictObject({ path: z.string(), sha256: sha256Schema, bytes: positive });

/** A file that the person fetches or carries in. */
const externalFileSchema = z.strictObject({
  /** File name as published. */
  name: z.string().regex(/^[A-Za-z0-9._-]+$/),
  /** Where it lies in the folder of fetched backbones, `<id>/<name>`. */
  path: z.string(),
  url: z.url({ protocol: /^https$/ }).optional(),
  /** Left out where nobody could check it for this registry: then the size of the first import is recorded. */
  bytes: positive.optional(),
  /**
   * Left out means "not pinned": nobody could check the published file for this registry, so the sha256 found at the
   * first fetch or import is recorded and compared from then on.
   */
  sha256: sha256Schema.optional(),
});

const commonFields = {
  id: z.string().regex(/^[a-z0-9-]+$/),
  title: z.string(),
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
};

const backboneSchema = z.discriminatedUnion('bundled', [
  /** Needs all its files. */
  z.strictObject({ ...commonFields, bundled: z.literal(true), files: z.array(pinnedFileSchema).min(1) }),
  /** The files are forms of the same weights: the first is what is fetched, any one of them is enough. */
  z.strictObject({ ...commonFields, bundled: z.literal(false), files: z.array(externalFileSchema).min(1) }),
]);

const registrySchema = z.strictObject({ formatVersion: z.literal(1), backbones: z.array(backboneSchema) });

/** One backbone as `models/registry.json` describes it. */
export type BackboneEntry = z.infer<typeof backboneSchema>;
/** One that comes with the program. */
export type BundledBackbone = Extract<BackboneEntry, { bundled: true }>;
/** One whose weight file the person fetches or carries in. */
export type ExternalBackbone = Extract<BackboneEntry, { bundled: false }>;
export type ExternalBackboneFile = ExternalBackbone['files'][number];
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
 * @throws UserError `backboneUnknown` | `backboneNotBundled`
 */
export function findBundledBackbone(registry: BackboneRegistry, id: string): BundledBackbone {
  const entry = findBackbone(registry, id);
  if (entry.bundled) return entry;
  throw new UserError('backboneNotBundled', `The backbone "${id}" does not come with Twinspect.`);
}

/**
 * Streams the files of a backbone and compares size and sha256 with the registry, as far as the registry knows them. Of a
 * backbone that is not bundled, the first form found is taken.
 * @param folder folder the files' paths are relative to; default: the models folder of the registry
 * @returns absolute paths of the verified files, in registry order
 * @throws UserError `backboneMissing` | `backboneDamaged`
 */
export async function verifyBackbone(
  registry: BackboneRegistry,
  entry: BackboneEntry,
  folder = registry.modelsDir,
): Promise<string[]> {
  const paths: string[] = [];
  for (const file of entry.files) {
    const full = path.join(folder, file.path);
    const info = await stat(full).catch((error: unknown) => {
      if (!entry.bundled) return undefined;
      throw new UserError(
        'backboneMissing',
        `The weight file ${full} of backbone "${entry.id}" is missing.`,
        'Reinstall Twinspect.',
        { cause: error },
      );
    });
    if (info === undefined) continue;
    const hash = createHash('sha256');
    for await (const chunk of createReadStream(full)) hash.update(chunk as Buffer);
    const found = hash.digest('hex');
    if (info.size !== (file.bytes ?? info.size) || found !== (file.sha256 ?? found)) {
      const expected = `expected ${file.bytes ?? 'any number of'} bytes, ${file.sha256?.slice(0, 12) ?? 'any sha256'}...`;
      throw new UserError(
        'backboneDamaged',
        `The weight file ${full} is not the one the registry names (${info.size} bytes, sha256 ${found.slice(0, 12)}...; ${expected}).`,
        entry.bundled ? 'Reinstall Twinspect.' : 'Fetch or import it again.',
      );
    }
    paths.push(full);
    if (!entry.bundled) return paths;
  }
  if (paths.length === 0) {
    throw new UserError(
      'backboneMissing',
      `The weights of backbone "${entry.id}" are not here.`,
      `Run: twinspect backbone fetch ${entry.id}`,
    );
  }
  return paths;
}
