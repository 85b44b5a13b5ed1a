import { readdir, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import type { ChannelOutput } from '../../shared/ipc/contract.ts';
import type { HandlersOf } from '../ipc/handler.ts';
import { record } from './audit-trail.ts';
import type { StationContext } from './context.ts';
import { cleanStorage } from './retention.ts';
import { readSettings } from './settings.ts';

type StorageState = ChannelOutput<'storage.state'>;

const dayMs = 86_400_000;
/** Days that the pace is told from. */
const paceDays = 7;
/** How long the size of folders other than the pictures' is taken as known. */
const folderSizeMs = 5 * 60_000;

/** How much there is, how long it lasts, backups and cleaning. */
export function storageHandlers(context: StationContext): HandlersOf<'storage'> {
  const { store } = context;
  const others = new FolderSizes(context.folder);
  return {
    'storage.state': () => storageState(context, others),
    'storage.clean': async (_, caller) => {
      const result = await cleanStorage(context, readSettings(context).storage);
      others.forget();
      record(context, caller, 'data.deleted', 'pictures', { what: 'retention', ...result });
      return result;
    },
    'storage.backup': async ({ path }, caller) => {
      const bytes = await store.backup(path);
      record(context, caller, 'data.exported', 'station.db', { what: 'backup', path, bytes });
      return { bytes };
    },
  };
}

/** Bytes in pictures come from the database, all others from the disk, now and then. */
export async function storageState(
  context: StationContext,
  others = new FolderSizes(context.folder),
): Promise<StorageState> {
  const { store } = context;
  const now = Date.parse(context.now());
  const since = new Date(now - paceDays * dayMs).toISOString();
  const kept = store.database.get<{ pictures: number; bytes: number; recent: number; first: string | null }>(
    `SELECT count(*) AS pictures, coalesce(sum(bytes), 0) AS bytes,
       coalesce(sum(CASE WHEN added_at >= ? THEN bytes END), 0) AS recent,
       min(CASE WHEN added_at >= ? THEN added_at END) AS first
     FROM pictures WHERE file_removed_at IS NULL`,
    since,
    since,
  )!;
  const parts = store.database.value<number>('SELECT coalesce(sum(parts), 0) FROM part_groups WHERE by_lot = 0') ?? 0;
  const disk = await statfs(context.folder);
  const freeBytes = disk.bavail * disk.bsize;
  const usedBytes = kept.bytes + (await others.bytes());
  const limitBytes = readSettings(context).storage.limitGb * 1e9;
  const room = Math.max(0, Math.min(freeBytes, limitBytes - usedBytes));
  // A first day that isn't over is no day's pace: at least a day is counted.
  const days = kept.first === null ? 0 : Math.min(paceDays, Math.max(1, (now - Date.parse(kept.first)) / dayMs));
  return {
    folder: context.folder,
    usedBytes,
    freeBytes,
    pictures: kept.pictures,
    parts,
    daysLeft: kept.recent > 0 && days > 0 ? room / (kept.recent / days) : null,
    lastBackupAt: store.lastBackupAt(),
  };
}

/** Sizes of what lies beside the pictures: database, backups, models, heat maps, caches. */
export class FolderSizes {
  readonly #folder: string;
  #known: { at: number; bytes: number } | null = null;

  constructor(folder: string) {
    this.#folder = folder;
  }

  forget(): void {
    this.#known = null;
  }

  async bytes(): Promise<number> {
    if (this.#known !== null && performance.now() - this.#known.at < folderSizeMs) return this.#known.bytes;
    const bytes = await sizeOf(this.#folder, new Set(['pictures']));
    this.#known = { at: performance.now(), bytes };
    return bytes;
  }
}

async function sizeOf(folder: string, leftOut: ReadonlySet<string>): Promise<number> {
  let bytes = 0;
  for (const entry of await readdir(folder, { withFileTypes: true }).catch(() => [])) {
    if (leftOut.has(entry.name)) continue;
    const path = join(folder, entry.name);
    if (entry.isDirectory()) bytes += await sizeOf(path, new Set());
    else if (entry.isFile())
      bytes += await stat(path).then(
        ({ size }) => size,
        () => 0,
      );
  }
  return bytes;
}
