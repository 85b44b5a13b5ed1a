import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { Readable } from 'node:stream';
import { ZipFile } from 'yazl';
import { UserError } from '../../shared/errors.ts';
import { writeFileAtomic } from '../system/atomic-file.ts';
import {
  crossCheck,
  formatVersion,
  type Manifest,
  manifestSchema,
  type NormalPicture,
  normalsSchema,
  packageFormat,
  snapshotHashOf,
} from './manifest.ts';
import { dataMember, type MemberName, memberNames, sha256Of } from './zip-members.ts';

/** Everything a package says that is not computed while writing it. */
export interface ManifestContent extends Omit<
  Manifest,
  'format' | 'formatVersion' | 'members' | 'snapshotHash' | 'preset'
> {
  /** `constants`: any plain object; what JSON can't hold is left out. */
  preset: { name: string; constants: object };
}

/** A graph on disk, too large to be held in memory as often as it would be. */
export interface GraphFile {
  /** The ONNX model. */
  readonly path: string;
  /** File of its numbers, where they are apart; it lies beside the model and is named in it. */
  readonly dataPath?: string;
}

export interface PackageContent {
  manifest: ManifestContent;
  /** Snapshot in the order that `nearestNormal` counts in. */
  normals: readonly NormalPicture[];
  /** ONNX model; written as it is, not copied. */
  graph: Uint8Array | GraphFile;
  /** Anything JSON holds. */
  calibration?: unknown;
  /** A safetensors file. */
  statistics?: Uint8Array;
}

export interface WrittenPackage {
  path: string;
  /** sha256 of the file: the model's identity. */
  modelHash: string;
  fileBytes: number;
  manifest: Manifest;
}

/** yazl takes larger buffers only as streams. */
const largestBuffer = 0x3fffffff;
const pieceBytes = 2 ** 24;

/**
 * Writes a model package: one zip file, members uncompressed (weights hardly shrink, and so the reader needs no copy),
 * atomically. The same content gives the same bytes, so `modelHash` depends on nothing but the content.
 * @throws UserError `packageRefused` when the parts contradict each other (the parity gate included), and those of
 *   {@link writeFileAtomic}; nothing is written then
 */
export async function writePackage(path: string, content: PackageContent): Promise<WrittenPackage> {
  const { graph } = content;
  const { manifest, members } = assemble(path, content, {
    graph: graph instanceof Uint8Array ? graph : await measure(graph.path),
    data: graph instanceof Uint8Array || graph.dataPath === undefined ? undefined : await measure(graph.dataPath),
  });
  const hash = createHash('sha256');
  let fileBytes = 0;
  async function* pieces(): AsyncGenerator<Uint8Array> {
    for await (const piece of zipOf(members)) {
      hash.update(piece);
      fileBytes += piece.length;
      yield piece;
    }
  }
  await writeFileAtomic(path, pieces());
  return { path, modelHash: hash.digest('hex'), fileBytes, manifest };
}

/** A member that stays in its own file. */
interface FileMember {
  path: string;
  bytes: number;
  sha256: string;
}

async function measure(path: string): Promise<FileMember> {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const piece of createReadStream(path, { highWaterMark: pieceBytes })) {
    hash.update(piece as Buffer);
    bytes += (piece as Buffer).length;
  }
  return { path, bytes, sha256: hash.digest('hex') };
}

/** Checks the content and turns it into members, the manifest first. */
function assemble(
  path: string,
  content: PackageContent,
  { graph, data }: { graph: Uint8Array | FileMember; data: FileMember | undefined },
): { manifest: Manifest; members: Map<MemberName, Uint8Array | FileMember> } {
  const refuse = (why: string): UserError =>
    new UserError('packageRefused', `The model package "${path}" is not written: ${why}.`);
  const normals = normalsSchema.safeParse(content.normals);
  if (!normals.success) throw refuse(describeIssue('the snapshot', normals.error.issues));
  const others = new Map<MemberName, Uint8Array | FileMember>([
    ['graph.onnx', graph],
    ['normals.json', jsonBytes(normals.data)],
    ['attribution.txt', Buffer.from(`${content.manifest.attribution.join('\n\n')}\n`)],
  ]);
  if (data !== undefined) others.set(dataMember, data);
  if (content.calibration !== undefined) others.set('calibration.json', jsonBytes(content.calibration));
  if (content.statistics !== undefined) others.set('statistics.safetensors', content.statistics);
  const manifest = manifestSchema.safeParse({
    format: packageFormat,
    formatVersion,
    ...content.manifest,
    preset: { ...content.manifest.preset, constants: plain(content.manifest.preset.constants) },
    members: memberNames.flatMap((name) => {
      const member = others.get(name);
      if (member === undefined) return [];
      if (!(member instanceof Uint8Array)) return [{ name, sha256: member.sha256, bytes: member.bytes }];
      return [{ name, sha256: sha256Of(member), bytes: member.length }];
    }),
    snapshotHash: snapshotHashOf(normals.data),
  });
  if (!manifest.success) throw refuse(describeIssue('the manifest', manifest.error.issues));
  const disagreement = crossCheck(manifest.data, normals.data);
  if (disagreement !== null) throw refuse(disagreement);
  return {
    manifest: manifest.data,
    members: new Map<MemberName, Uint8Array | FileMember>([['manifest.json', jsonBytes(manifest.data)], ...others]),
  };
}

function plain(value: object): unknown {
  return JSON.parse(JSON.stringify(value));
}

function describeIssue(what: string, issues: readonly { path: PropertyKey[]; message: string }[]): string {
  const first = issues[0]!;
  return `${what} is not valid at ${JSON.stringify(first.path.map(String).join('.'))} (${first.message})`;
}

function jsonBytes(value: unknown): Buffer {
  return Buffer.from(`${JSON.stringify(value, null, 1)}\n`);
}

/** The zip file as a stream; a fixed date and no compression keep it the same everywhere. */
function zipOf(members: Map<MemberName, Uint8Array | FileMember>): AsyncIterable<Uint8Array> {
  const zip = new ZipFile();
  const output = zip.outputStream as Readable;
  zip.on('error', (error: Error) => output.destroy(error));
  // The first date a zip file knows, in local time as the library has it: the same bytes in every time zone.
  const options = { compress: false, mtime: new Date(1980, 0, 1), forceDosTimestamp: true, mode: 0o100644 };
  for (const name of memberNames) {
    const bytes = members.get(name);
    if (bytes === undefined) continue;
    if (!(bytes instanceof Uint8Array)) {
      zip.addReadStreamLazy(name, { ...options, size: bytes.bytes }, (give) =>
        give(null, createReadStream(bytes.path, { highWaterMark: pieceBytes })),
      );
      continue;
    }
    const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    if (buffer.length <= largestBuffer) zip.addBuffer(buffer, name, options);
    else {
      zip.addReadStreamLazy(name, { ...options, size: buffer.length }, (give) =>
        give(null, Readable.from(slices(buffer))),
      );
    }
  }
  zip.end();
  return output as AsyncIterable<Uint8Array>;
}

function* slices(buffer: Buffer): Generator<Buffer> {
  for (let i = 0; i < buffer.length; i += pieceBytes) yield buffer.subarray(i, i + pieceBytes);
}
