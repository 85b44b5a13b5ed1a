import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import type { z } from 'zod';
import { UserError } from '../../shared/errors.ts';
import {
  crossCheck,
  formatVersion,
  type Manifest,
  manifestSchema,
  type NormalPicture,
  normalsSchema,
  packageFormat,
} from './manifest.ts';
import {
  type Complain,
  dataMember,
  defaultLimits,
  type MemberName,
  type MemberPlace,
  type OpenFile,
  type PackageLimits,
  parseJson,
  quote,
  sha256Of,
  unpackMembers,
} from './zip-members.ts';

/**
 * Judges the graph of a package before anything runs it: opset, operators allowed, shapes. `dataBytes` is the size of its
 * data member, where it has one.
 * @throws UserError saying what is wrong
 */
export type GraphCheck = (graph: Uint8Array, manifest: Manifest, dataBytes?: number) => void;

export interface ReadPackageOptions {
  checkGraph: GraphCheck;
  limits?: Partial<PackageLimits>;
}

/** A package whose every part was checked. */
export interface ModelPackage {
  path: string;
  /** sha256 of the file: the model's identity in every record. */
  modelHash: string;
  fileBytes: number;
  manifest: Manifest;
  /** The snapshot; `nearestNormal` counts in this order. */
  normals: NormalPicture[];
  /** ONNX model. */
  graph: Uint8Array;
  /** Numbers of a model too large for one ONNX file: they stay in the package. */
  graphData: (MemberPlace & { sha256: string }) | undefined;
  /** Calibration data as JSON; undefined when the package has none. */
  calibration: unknown;
  /** Safetensors file; undefined when the package has none. */
  statistics: Uint8Array | undefined;
  attribution: string;
}

/**
 * Reads a model package as if an enemy had made it: size and shape of the zip, checksum of every member, schema,
 * agreement of the parts, and the graph through `checkGraph`.
 * @throws UserError naming the file, what is wrong and what to do: `packageMissing`, `packageUnreadable`,
 *   `packageForeign`, `packageDamaged`, `packageTooLarge`, `packageNewer`, `packageRefused`, or what `checkGraph` throws
 */
export async function readPackage(path: string, options: ReadPackageOptions): Promise<ModelPackage> {
  const limits = { ...defaultLimits, ...options.limits };
  const complain: Complain = (code, what) =>
    new UserError(code, `The model package "${path}" can't be used: ${what}.`, remedies[code]);
  const file = await openFile(path, limits.fileBytes, complain);
  let members, data, dataSha256, modelHash;
  try {
    ({ content: members, data } = await unpackMembers(file, limits, complain));
    if (data !== undefined) dataSha256 = await hashRange(file, data.start, data.bytes);
    modelHash = await hashRange(file, 0, file.bytes);
  } finally {
    await file.handle.close();
  }
  const member = (name: MemberName): Uint8Array => {
    const bytes = members.get(name);
    if (bytes === undefined) throw complain('packageDamaged', `"${name}" is missing`);
    return bytes;
  };

  const json = (name: MemberName): unknown => parseJson(name, member(name), limits.jsonDepth, complain);
  const raw = json('manifest.json');
  checkVersion(path, raw, complain);
  const manifest = parseAs(manifestSchema, raw, 'manifest.json', complain);
  const graphData = data && { ...data, sha256: dataSha256! };
  checkMembers(manifest, members, graphData, complain);
  const normals = parseAs(normalsSchema, json('normals.json'), 'normals.json', complain);
  const disagreement = crossCheck(manifest, normals);
  if (disagreement !== null) {
    throw new UserError(
      'packageRefused',
      `The model package "${path}" can't be used: ${disagreement}.`,
      remedies.packageDamaged,
    );
  }
  const graph = member('graph.onnx');
  checkGraphOf(path, graph, manifest, data?.bytes, options.checkGraph);
  return {
    path,
    modelHash,
    fileBytes: file.bytes,
    manifest,
    normals,
    graph,
    graphData,
    calibration: members.has('calibration.json') ? json('calibration.json') : undefined,
    statistics: members.get('statistics.safetensors'),
    attribution: new TextDecoder().decode(member('attribution.txt')),
  };
}

/** Names the package in what the graph check says: it knows only the bytes. */
function checkGraphOf(
  path: string,
  graph: Uint8Array,
  manifest: Manifest,
  dataBytes: number | undefined,
  check: GraphCheck,
): void {
  try {
    check(graph, manifest, dataBytes);
  } catch (error) {
    if (!(error instanceof UserError) || error.message.includes(path)) throw error;
    const { code, message, remedy } = error;
    const what = remedy !== undefined && message.endsWith(remedy) ? message.slice(0, -remedy.length).trim() : message;
    throw new UserError(code, `The model package "${path}" can't be used: ${what}`, remedy, { cause: error });
  }
}

const remedies = {
  packageDamaged: 'Copy it again from where it was made, or train the model again with "twinspect train".',
  packageForeign: 'Give a .twin file made by "twinspect train".',
  packageTooLarge: 'Give a .twin file made by "twinspect train"; this one may be meant to do harm.',
} as const;

async function openFile(path: string, most: number, complain: Complain): Promise<OpenFile> {
  try {
    const handle = await open(path, 'r');
    try {
      const stats = await handle.stat();
      if (!stats.isFile()) throw complain('packageForeign', 'it is not a file');
      if (stats.size > most) {
        throw complain('packageTooLarge', `it has ${stats.size} bytes, at most ${most} are allowed`);
      }
      if (stats.size === 0) throw complain('packageDamaged', 'it is empty');
      return { handle, bytes: stats.size };
    } catch (error) {
      await handle.close();
      throw error;
    }
  } catch (error) {
    if (error instanceof UserError) throw error;
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    if (code === 'ENOENT' || code === 'ENOTDIR') {
      throw new UserError(
        'packageMissing',
        `There is no model package "${path}".`,
        'Check the path, or make one with "twinspect train --out FILE.twin".',
        { cause: error },
      );
    }
    throw new UserError(
      'packageUnreadable',
      `The model package "${path}" can't be read${code === '' ? '' : ` (${code})`}.`,
      'Check that the file may be read and that the drive is present.',
      { cause: error },
    );
  }
}

/** sha256 of a stretch of the file, a piece at a time. */
async function hashRange({ handle }: OpenFile, start: number, bytes: number): Promise<string> {
  const hash = createHash('sha256');
  const piece = Buffer.allocUnsafe(Math.min(bytes, 2 ** 22));
  for (let at = 0; at < bytes;) {
    const { bytesRead } = await handle.read(piece, 0, Math.min(piece.length, bytes - at), start + at);
    if (bytesRead === 0) break;
    hash.update(piece.subarray(0, bytesRead));
    at += bytesRead;
  }
  return hash.digest('hex');
}

/** Before the schema: a newer package must be told from a damaged one. */
function checkVersion(path: string, raw: unknown, complain: Complain): void {
  const isOurs = typeof raw === 'object' && raw !== null && 'format' in raw && raw.format === packageFormat;
  if (!isOurs || !('formatVersion' in raw)) {
    throw complain('packageForeign', 'its manifest.json is not that of a Twinspect model package');
  }
  const version = raw.formatVersion;
  if (typeof version === 'number' && Number.isInteger(version) && version > formatVersion) {
    const maker = 'productVersion' in raw && typeof raw.productVersion === 'string' ? raw.productVersion : '';
    throw new UserError(
      'packageNewer',
      `The model package "${path}" was made by a newer Twinspect${maker === '' ? '' : ` (${quote(maker)})`}:` +
        ` its format is ${version}, this version reads format ${formatVersion}.`,
      'Update Twinspect on this station, or train the model with this version.',
    );
  }
}

function parseAs<T>(schema: z.ZodType<T>, raw: unknown, name: MemberName, complain: Complain): T {
  const result = schema.safeParse(raw);
  if (result.success) return result.data;
  const issues = result.error.issues;
  const first = issues[0]!;
  const place = first.path.map(String).join('.').slice(0, 200);
  const more = issues.length > 1 ? ` and ${issues.length - 1} more` : '';
  throw complain(
    'packageDamaged',
    `"${name}" is not as it should be${place === '' ? '' : ` at ${quote(place)}`}: ${quote(first.message)}${more}`,
  );
}

/** The manifest lists every other member with its checksum; nothing may be missing, changed or added. */
function checkMembers(
  manifest: Manifest,
  members: Map<MemberName, Uint8Array>,
  graphData: ModelPackage['graphData'],
  complain: Complain,
): void {
  const listed = new Set<string>(['manifest.json']);
  for (const { name, bytes, sha256 } of manifest.members) {
    if (listed.has(name)) throw complain('packageDamaged', `its manifest lists "${name}" twice`);
    listed.add(name);
    const content = members.get(name);
    const found = name === dataMember ? graphData : content && { bytes: content.length, sha256: sha256Of(content) };
    if (found === undefined) throw complain('packageDamaged', `"${name}" is missing`);
    if (found.bytes !== bytes) {
      throw complain('packageDamaged', `"${name}" has ${found.bytes} bytes instead of ${bytes}`);
    }
    if (found.sha256 !== sha256) {
      throw complain('packageDamaged', `"${name}" was changed: its checksum (sha256) is not the one in the manifest`);
    }
  }
  const there = [...members.keys(), ...(graphData === undefined ? [] : [dataMember])];
  const extra = there.find((name) => !listed.has(name));
  if (extra !== undefined) throw complain('packageDamaged', `"${extra}" is not listed in its manifest`);
}
