import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { inflateRawSync } from 'node:zlib';
import yauzl from 'yauzl';
import { UserError } from '../../shared/errors.ts';

/** Members a package may have. `manifest.json` comes first, so that damage to it is found first. */
export const memberNames = [
  'manifest.json',
  'graph.onnx',
  'graph.onnx.data',
  'normals.json',
  'attribution.txt',
  'calibration.json',
  'statistics.safetensors',
] as const;
export type MemberName = (typeof memberNames)[number];

/** The one member that is never held in memory: numbers of a graph too large for one ONNX file. */
export const dataMember = 'graph.onnx.data';

/** Where a member lies in its package, uncompressed. */
export interface MemberPlace {
  /** Offset in the file, bytes. */
  readonly start: number;
  readonly bytes: number;
}

const MiB = 2 ** 20;

/** What the reader takes at most; all are checked before anything is unpacked. */
export interface PackageLimits {
  /** Size of the package file. */
  fileBytes: number;
  /** Unpacked size of each member. */
  memberBytes: Record<MemberName, number>;
  /** Unpacked over packed size of a compressed member. */
  compressionRatio: number;
  /** Levels of nesting in a JSON member. */
  jsonDepth: number;
}

export const defaultLimits: PackageLimits = {
  fileBytes: 6144 * MiB,
  memberBytes: {
    'manifest.json': 8 * MiB,
    'graph.onnx': 2048 * MiB - 1,
    'graph.onnx.data': 5120 * MiB,
    'normals.json': 128 * MiB,
    'attribution.txt': MiB,
    'calibration.json': 32 * MiB,
    'statistics.safetensors': 512 * MiB,
  },
  compressionRatio: 200,
  jsonDepth: 32,
};

/** The packed bytes of one member, before its content is believed. */
interface StoredMember {
  name: MemberName;
  start: number;
  end: number;
  bytes: number;
  compressed: boolean;
  crc32: number;
}

/** Builds the error for a package that can't be used, always naming the file and what is wrong with it. */
export type Complain = (code: 'packageDamaged' | 'packageForeign' | 'packageTooLarge', what: string) => UserError;

/** A package that is open for reading. */
export interface OpenFile {
  readonly handle: FileHandle;
  readonly bytes: number;
}

/**
 * Lists and unpacks the members of a package that nobody vouches for. Refused are: anything but plain files with the
 * known names, names with paths, links, encryption, members twice or overlapping, sizes over the limits, compression
 * that is too good to be true.
 * @returns the members' bytes, and the place of {@link dataMember}, which stays in the file
 * @throws UserError from `complain`
 */
export async function unpackMembers(
  file: OpenFile,
  limits: PackageLimits,
  complain: Complain,
): Promise<{ content: Map<MemberName, Uint8Array>; data: MemberPlace | undefined }> {
  const magic = file.bytes < 4 ? undefined : await readRange(file, 0, 4);
  if (magic?.readUInt32LE(0) !== 0x04034b50) throw complain('packageForeign', 'it is not a Twinspect model package');
  const stored = await listMembers(file, limits, complain);
  const content = new Map<MemberName, Uint8Array>();
  let data: MemberPlace | undefined;
  for (const member of stored) {
    if (member.name !== dataMember) content.set(member.name, await unpack(file, member, complain));
    else if (member.compressed) throw complain('packageForeign', `"${member.name}" is compressed`);
    else data = { start: member.start, bytes: member.bytes };
  }
  // All others have a sha256 in the manifest; this is what tells a flipped bit in the manifest itself.
  const manifest = stored.find((member) => member.name === 'manifest.json');
  if (manifest !== undefined && crc32(content.get('manifest.json')!) !== manifest.crc32) {
    throw complain('packageDamaged', '"manifest.json" was changed: its checksum is wrong');
  }
  return { content, data };
}

/** Bytes of the file; fewer where it ends before. */
async function readRange({ handle }: OpenFile, start: number, bytes: number): Promise<Buffer> {
  const out = Buffer.allocUnsafe(bytes);
  let filled = 0;
  while (filled < bytes) {
    const { bytesRead } = await handle.read(out, filled, Math.min(bytes - filled, 2 ** 28), start + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return out.subarray(0, filled);
}

async function listMembers(file: OpenFile, limits: PackageLimits, complain: Complain): Promise<StoredMember[]> {
  const members: StoredMember[] = [];
  try {
    const zip = await yauzl.fromFdPromise(file.handle.fd, {
      autoClose: false,
      strictFileNames: true,
      validateEntrySizes: true,
    });
    if (zip.entryCount > memberNames.length) {
      throw complain('packageForeign', `it has ${zip.entryCount} members, a package has at most ${memberNames.length}`);
    }
    for await (const entry of zip.eachEntry()) {
      const name = memberNames.find((known) => known === entry.fileName);
      if (name === undefined)
        throw complain('packageForeign', `it has a member ${quote(entry.fileName)}, which no package has`);
      if (members.some((other) => other.name === name)) throw complain('packageDamaged', `it has "${name}" twice`);
      const kind = (entry.externalFileAttributes >>> 28) & 0xf; // Unix file type; 8 is a plain file, 0 not stated.
      if (kind !== 8 && kind !== 0) throw complain('packageForeign', `"${name}" is not a plain file in it`);
      if (entry.isEncrypted()) throw complain('packageForeign', `"${name}" is encrypted`);
      if (entry.compressionMethod !== 0 && entry.compressionMethod !== 8) {
        throw complain('packageForeign', `"${name}" is compressed by an unknown method (${entry.compressionMethod})`);
      }
      checkSize(name, entry, limits, complain);
      const local = await zip.readLocalFileHeaderPromise(entry);
      if (local.fileName.toString('latin1') !== name) {
        throw complain('packageDamaged', `the two headers of "${name}" contradict each other`);
      }
      members.push({
        name,
        start: local.fileDataStart,
        end: local.fileDataStart + entry.compressedSize,
        bytes: entry.uncompressedSize,
        compressed: entry.compressionMethod === 8,
        crc32: entry.crc32,
      });
    }
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw complain('packageDamaged', `its table of contents can't be read (${messageOf(error)})`);
  }
  const inOrder = [...members].sort((a, b) => a.start - b.start);
  for (let i = 1; i < inOrder.length; i++) {
    if (inOrder[i]!.start < inOrder[i - 1]!.end) {
      throw complain('packageDamaged', `"${inOrder[i - 1]!.name}" and "${inOrder[i]!.name}" overlap`);
    }
  }
  return members;
}

function checkSize(name: MemberName, entry: yauzl.Entry, limits: PackageLimits, complain: Complain): void {
  const { uncompressedSize, compressedSize } = entry;
  const most = limits.memberBytes[name];
  if (uncompressedSize > most) {
    throw complain('packageTooLarge', `"${name}" claims ${uncompressedSize} bytes, at most ${most} are allowed`);
  }
  if (uncompressedSize > 65_536 && uncompressedSize > compressedSize * limits.compressionRatio) {
    throw complain('packageTooLarge', `"${name}" claims to unpack to ${uncompressedSize} bytes from ${compressedSize}`);
  }
}

async function unpack(file: OpenFile, member: StoredMember, complain: Complain): Promise<Uint8Array> {
  const packed = await readRange(file, member.start, member.end - member.start);
  if (packed.length < member.end - member.start) throw complain('packageDamaged', `"${member.name}" is cut off`);
  if (!member.compressed) return packed;
  try {
    const content = inflateRawSync(packed, { maxOutputLength: Math.max(1, member.bytes) });
    if (content.length === member.bytes) return content;
  } catch {
    // Too long or not a deflate stream: the same to the reader.
  }
  throw complain('packageDamaged', `"${member.name}" can't be unpacked`);
}

/**
 * Parses a JSON member: strict UTF-8, bounded nesting, finite numbers, no keys that could reach an object's prototype.
 * @throws UserError from `complain`
 */
export function parseJson(name: MemberName, bytes: Uint8Array, jsonDepth: number, complain: Complain): unknown {
  let json: string;
  try {
    json = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw complain('packageDamaged', `"${name}" is not UTF-8 text`);
  }
  if (nesting(json) > jsonDepth)
    throw complain('packageDamaged', `"${name}" is nested deeper than ${jsonDepth} levels`);
  try {
    return JSON.parse(json, (key, value: unknown) => {
      if (key === '__proto__') throw new Error('a key "__proto__"');
      if (typeof value === 'number' && !Number.isFinite(value)) throw new Error('a number that is too large');
      return value;
    });
  } catch (error) {
    throw complain('packageDamaged', `"${name}" is not valid JSON (${messageOf(error)})`);
  }
}

/** Deepest nesting of a JSON text, without parsing it. */
function nesting(json: string): number {
  let depth = 0;
  let deepest = 0;
  let inString = false;
  for (let i = 0; i < json.length; i++) {
    const character = json.charCodeAt(i);
    if (inString) {
      if (character === 0x5c) i++;
      else if (character === 0x22) inString = false;
    } else if (character === 0x22) inString = true;
    else if (character === 0x5b || character === 0x7b) deepest = Math.max(deepest, ++depth);
    else if (character === 0x5d || character === 0x7d) depth--;
  }
  return deepest;
}

/** The zip format's checksum (polynomial 0xedb88320); node:zlib has it only from Node 20.15 on. */
function crc32(bytes: Uint8Array): number {
  const table = new Uint32Array(256).map((_, i) => {
    let value = i;
    for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
    return value;
  });
  let crc = 0xffffffff;
  for (const byte of bytes) crc = table[(crc ^ byte) & 0xff]! ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}

/** Sha256 of bytes, in hexadecimal. */
export function sha256Of(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** Shows a name from a package: cut, and with nothing that could steer a terminal. */
export function quote(value: string): string {
  return JSON.stringify(value.length > 80 ? `${value.slice(0, 80)}…` : value);
}

function messageOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.replace(/\p{Cc}/gu, ' ').slice(0, 200);
}
