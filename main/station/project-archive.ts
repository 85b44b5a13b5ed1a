import { createHash, randomUUID } from 'node:crypto';
import { createWriteStream, existsSync } from 'node:fs';
import { mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import yauzl, { type Entry } from 'yauzl';
import { ZipFile } from 'yazl';
import { UserError } from '../../shared/errors.ts';
import type { Project } from '../../shared/station/domain.ts';
import { maxFileBytes } from '../pictures/header.ts';
import type { SqlValue } from '../store/database.ts';
import { writeError } from '../system/atomic-file.ts';
import type { Complain } from './project-archive-lines.ts';
import { archiveTableNames, archiveTables, pictureExtensions, rowsOfProject } from './project-archive-tables.ts';
import { readProjectTables } from './project-archive-rows.ts';
import type { StationContext } from './context.ts';

/** First member of an archive: what it is. */
const manifestText = JSON.stringify({ format: 'twinspect-project', version: 1 });
const manifestName = 'twinspect-project.json';

/**
 * Writes everything of a project into one zip archive: its rows as JSON lines, its pictures, heat maps and models. The
 * station goes on meanwhile; the file is complete or not there.
 * @returns its bytes
 * @throws UserError `projectUnknown`, and as `writeFileAtomic`
 */
export async function exportProject(context: StationContext, projectId: string, path: string): Promise<number> {
  const { store } = context;
  store.projects.get(projectId);
  const partial = `${path}.partial`;
  const zip = new ZipFile();
  zip.addBuffer(Buffer.from(manifestText), manifestName, { compress: false });
  for (const table of archiveTableNames) {
    const columns = Object.keys(archiveTables[table].shape).map((column) => `t.${column}`);
    const sql = `SELECT ${columns.join(', ')} FROM ${rowsOfProject[table]}`;
    zip.addReadStreamLazy(`tables/${table}.jsonl`, (give) => give(null, Readable.from(lines(context, sql, projectId))));
  }
  for (const { sha256, extension } of store.database.all<{ sha256: string; extension: string }>(
    `SELECT t.sha256, t.extension FROM ${rowsOfProject.pictures} AND t.file_removed_at IS NULL`,
    projectId,
  )) {
    const file = store.files.picturePath(sha256, extension);
    if (existsSync(file)) zip.addFile(file, `pictures/${sha256}.${extension}`, { compress: false });
  }
  for (const { file_name: name } of store.database.all<{ file_name: string }>(
    'SELECT DISTINCT file_name FROM models WHERE project_id = ?',
    projectId,
  )) {
    const file = store.files.modelPath(name);
    if (existsSync(file)) zip.addFile(file, `models/${name}`, { compress: false });
  }
  for (const { id } of store.database.iterate<{ id: number }>(
    'SELECT id FROM parts WHERE project_id = ? AND has_heat_map = 1',
    projectId,
  )) {
    const file = store.files.heatMapPath(id);
    if (existsSync(file)) zip.addFile(file, `heat-maps/${id}.png`, { compress: false });
  }
  zip.end();
  try {
    await mkdir(dirname(path), { recursive: true });
    // An error of the archive's own (a file that went away meanwhile) must end the writing, too.
    zip.on('error', (error) => (zip.outputStream as Readable).destroy(error));
    await pipeline(zip.outputStream as Readable, createWriteStream(partial));
    const file = await open(partial, 'r+');
    await file.sync();
    const { size } = await file.stat();
    await file.close();
    await rename(partial, path);
    return size;
  } catch (error) {
    await rm(partial, { force: true });
    throw writeError(path, error);
  }
}

/** Rows as JSON lines, some at a time; keyset paging by offset is not needed, the statement stays open. */
function* lines(context: StationContext, sql: string, projectId: string): Generator<Buffer> {
  let piece: string[] = [];
  for (const row of context.store.database.iterate<Record<string, SqlValue>>(sql, projectId)) {
    piece.push(`${JSON.stringify(row)}\n`);
    if (piece.length < 200) continue;
    yield Buffer.from(piece.join(''));
    piece = [];
  }
  yield Buffer.from(piece.join(''));
}

/** What the reader takes at most; checked before anything is unpacked. */
const limits = {
  entries: 20_000_000,
  tableBytes: 32 * 2 ** 30,
  modelBytes: 4 * 2 ** 30,
  heatMapBytes: 64 * 2 ** 20,
  compressionRatio: 300,
};

const memberNames = {
  table: new RegExp(`^tables/(${archiveTableNames.join('|')})\\.jsonl$`),
  picture: new RegExp(`^pictures/([0-9a-f]{64})\\.(${pictureExtensions.join('|')})$`),
  model: /^models\/([A-Za-z0-9_-]{1,100}\.twin)$/,
  heatMap: /^heat-maps\/([1-9]\d{0,14})\.png$/,
} as const;
type MemberKind = keyof typeof memberNames | 'manifest';

/** A member whose name and sizes have been checked. */
export interface ArchiveMember {
  kind: MemberKind;
  /** Table, sha256, file name or part number. */
  key: string;
  extension: string;
  entry: Entry;
}

/**
 * Reads an archive that nobody vouches for into a new project: names, sizes and every row are checked, pictures must
 * have the hash they are called by. All numbers and ids are given anew, so that an archive can be read beside its
 * original. Nothing is seen of the project until all of it is there.
 * @throws UserError `archiveForeign`, `archiveDamaged`, `archiveTooLarge`, `archiveMissing`, `diskFull`
 */
export async function importProject(context: StationContext, path: string): Promise<Project> {
  const { store } = context;
  const complain = (code: 'archiveForeign' | 'archiveDamaged' | 'archiveTooLarge', what: string): UserError =>
    new UserError(
      code,
      `"${path}" can't be read as a project: ${what}.`,
      'Export the project again; nothing was taken.',
    );
  const zip = await openArchive(path, complain);
  const folder = join(context.folder, 'importing', randomUUID());
  const placed = new Map<string, string>();
  try {
    const members = await listMembers(zip, complain);
    await mkdir(folder, { recursive: true });
    for (const member of members) {
      if (member.kind !== 'table' && member.kind !== 'picture') continue;
      if (member.kind === 'table') {
        await unpack(zip, member, join(folder, `${member.key}.jsonl`), complain);
        continue;
      }
      const target = store.files.picturePath(member.key, member.extension);
      if (existsSync(target)) continue;
      const unpacked = join(folder, 'picture');
      if ((await unpack(zip, member, unpacked, complain)) !== member.key)
        throw complain('archiveDamaged', `the picture "${member.key.slice(0, 12)}…" was changed`);
      await mkdir(dirname(target), { recursive: true });
      await rename(unpacked, target);
      placed.set(member.key, target);
    }
    const ids = await readProjectTables(context, folder, complain);
    for (const member of members) {
      const target =
        member.kind === 'model'
          ? ids.modelFiles.get(member.key)
          : member.kind === 'heatMap'
            ? ids.heatMaps(member.key)
            : undefined;
      if (target === undefined) continue;
      await mkdir(dirname(target), { recursive: true });
      await unpack(zip, member, `${target}.partial`, complain);
      await rename(`${target}.partial`, target);
    }
    store.database.run('UPDATE projects SET removed_at = NULL WHERE id = ?', ids.projectId);
    return store.projects.get(ids.projectId);
  } catch (error) {
    // Pictures that no row came to know would lie there for good.
    for (const [sha256, target] of placed) if (store.pictures.path(sha256) === null) await rm(target, { force: true });
    throw writeError(folder, error);
  } finally {
    zip.close();
    await rm(folder, { recursive: true, force: true });
  }
}

type OpenZip = Awaited<ReturnType<typeof yauzl.openPromise>>;

async function openArchive(path: string, complain: Complain): Promise<OpenZip> {
  const found = await stat(path).catch(() => null);
  if (found === null || !found.isFile())
    throw new UserError('archiveMissing', `There is no file "${path}".`, 'Choose an exported project.');
  try {
    return await yauzl.openPromise(path, { strictFileNames: true, validateEntrySizes: true, autoClose: false });
  } catch (error) {
    throw complain('archiveForeign', `it is not a zip archive, or cut off (${messageOf(error)})`);
  }
}

async function listMembers(zip: OpenZip, complain: Complain): Promise<ArchiveMember[]> {
  if (zip.entryCount > limits.entries) throw complain('archiveTooLarge', `it has ${zip.entryCount} members`);
  const members: ArchiveMember[] = [];
  const seen = new Set<string>();
  try {
    for await (const entry of zip.eachEntry()) {
      const member = memberOf(entry);
      if (member === undefined)
        throw complain('archiveForeign', `it has a member ${JSON.stringify(entry.fileName.slice(0, 80))}`);
      if (seen.has(entry.fileName)) throw complain('archiveDamaged', `it has "${entry.fileName}" twice`);
      seen.add(entry.fileName);
      checkEntry(member, complain);
      members.push(member);
    }
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw complain('archiveDamaged', `its table of contents can't be read (${messageOf(error)})`);
  }
  if (members[0]?.kind !== 'manifest') throw complain('archiveForeign', 'it is no project of Twinspect');
  return members;
}

function memberOf(entry: Entry): ArchiveMember | undefined {
  if (entry.fileName === manifestName) return { kind: 'manifest', key: '', extension: 'json', entry };
  for (const [kind, pattern] of Object.entries(memberNames) as [keyof typeof memberNames, RegExp][]) {
    const match = pattern.exec(entry.fileName);
    if (match !== null) return { kind, key: match[1]!, extension: match[2] ?? '', entry };
  }
  return undefined;
}

function checkEntry({ kind, entry }: ArchiveMember, complain: Complain): void {
  const { fileName, uncompressedSize, compressedSize } = entry;
  const fileType = (entry.externalFileAttributes >>> 28) & 0xf; // Unix: 8 is a plain file, 0 not stated.
  if (fileType !== 8 && fileType !== 0) throw complain('archiveForeign', `"${fileName}" is not a plain file in it`);
  if (entry.isEncrypted()) throw complain('archiveForeign', `"${fileName}" is encrypted`);
  const most = {
    manifest: 10_000,
    table: limits.tableBytes,
    picture: maxFileBytes,
    model: limits.modelBytes,
    heatMap: limits.heatMapBytes,
  }[kind];
  if (uncompressedSize > most) throw complain('archiveTooLarge', `"${fileName}" claims ${uncompressedSize} bytes`);
  if (uncompressedSize > 65_536 && uncompressedSize > compressedSize * limits.compressionRatio)
    throw complain(
      'archiveTooLarge',
      `"${fileName}" claims to unpack to ${uncompressedSize} bytes from ${compressedSize}`,
    );
}

/** @returns the content's sha256 */
async function unpack(zip: OpenZip, member: ArchiveMember, target: string, complain: Complain): Promise<string> {
  const hash = createHash('sha256');
  try {
    const stream = await zip.openReadStreamPromise(member.entry);
    stream.on('data', (piece: Buffer) => hash.update(piece));
    await pipeline(stream, createWriteStream(target));
  } catch (error) {
    const said = writeError(target, error);
    if (said instanceof UserError) throw said;
    throw complain('archiveDamaged', `"${basename(member.entry.fileName)}" can't be unpacked (${messageOf(error)})`);
  }
  return hash.digest('hex');
}

function messageOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.replace(/\p{Cc}/gu, ' ').slice(0, 200);
}
