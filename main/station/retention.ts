import type { Settings } from '../../shared/ipc/settings.ts';
import type { SqlValue } from '../store/database.ts';
import { blockSize } from '../store/schema.ts';
import type { StationContext } from './context.ts';

const dayMs = 86_400_000;
/** Parts looked at in one go: between them the station does other things. */
const partsAtOnce = 20_000;

export interface Cleaned {
  removedPictures: number;
  freedBytes: number;
}

/**
 * What may go is told by a part's verdict. Kept whatever the age are the pictures that people labelled or put into a
 * set, and those a model was trained on. Records of parts always stay: retention takes pictures and heat maps.
 */
const protectedPicture = `
  EXISTS (SELECT 1 FROM project_pictures pp JOIN projects j ON j.id = pp.project_id WHERE pp.sha256 = p.picture_sha256
    AND j.removed_at IS NULL AND (pp.use <> 'inspected' OR pp.gt_label IS NOT NULL))
  OR EXISTS (SELECT 1 FROM snapshot_pictures sp WHERE sp.sha256 = p.picture_sha256)`;

/**
 * Removes pictures and heat maps that the rules no longer keep: passed parts' after some days but for every n-th,
 * all others' (failed, looked at, undecided, or answered by a person) after some more; pictures no project names any
 * more; and, when the station holds more than its limit, passed parts' from the oldest on, whatever their age.
 */
export async function cleanStorage(
  context: StationContext,
  rules: Settings['storage'],
  usedBytes?: number,
): Promise<Cleaned> {
  const now = Date.parse(context.now());
  const cleaner = new Cleaner(context);
  const plain = "p.verdict = 'pass' AND p.person_verdict IS NULL";
  const older = (days: number): number[] => [now - days * dayMs, firstWithin(context, now, days)];
  await cleaner.parts(`${plain} AND p.presented_at < ? AND p.id < ? AND p.id % ? <> 0`, [
    ...older(rules.keepPassesDays),
    rules.keepEveryNthPass,
  ]);
  await cleaner.parts('p.presented_at < ? AND p.id < ?', older(rules.keepFailsDays));
  await cleaner.unnamed(new Date(now - rules.keepFailsDays * dayMs).toISOString());
  const held = usedBytes ?? cleaner.pictureBytes();
  const excess = held - rules.limitGb * 1e9 - (usedBytes === undefined ? 0 : cleaner.cleaned.freedBytes);
  if (excess > 0) await cleaner.parts(plain, [], cleaner.cleaned.freedBytes + excess);
  return cleaner.cleaned;
}

/**
 * First part of the last days. Those after it are not older, whatever they say: the clock was set back when they came.
 * @returns its number; without one more than any
 */
function firstWithin({ store }: StationContext, now: number, days: number): number {
  const since = now - days * dayMs;
  const first = store.database.value<number>(
    `SELECT p.id FROM part_blocks b JOIN parts p ON p.id BETWEEN b.block * ${blockSize} AND b.block * ${blockSize} + ${blockSize - 1}
     WHERE b.max_at >= ? AND p.presented_at BETWEEN ? AND ? ORDER BY b.block, p.id LIMIT 1`,
    since,
    since,
    now + dayMs,
  );
  return first ?? Number.MAX_SAFE_INTEGER;
}

class Cleaner {
  readonly cleaned: Cleaned = { removedPictures: 0, freedBytes: 0 };
  readonly #context: StationContext;

  constructor(context: StationContext) {
    this.#context = context;
  }

  pictureBytes(): number {
    return (
      this.#context.store.database.value<number>(
        'SELECT coalesce(sum(bytes), 0) FROM pictures WHERE file_removed_at IS NULL',
      ) ?? 0
    );
  }

  /** Pictures and heat maps of parts, oldest first, until so many bytes are free. */
  async parts(condition: string, values: readonly SqlValue[], enoughBytes = Infinity): Promise<void> {
    const { store } = this.#context;
    const newest = store.parts.newestId();
    for (let after = 0; after < newest; after += partsAtOnce) {
      const rows = store.database.all<{ id: number; sha256: string | null; hasHeatMap: number }>(
        `SELECT p.id, f.sha256, p.has_heat_map AS hasHeatMap FROM parts p
         LEFT JOIN pictures f ON f.sha256 = p.picture_sha256 AND f.file_removed_at IS NULL
         WHERE p.id > ? AND p.id <= ? AND p.verdict IS NOT NULL AND (f.sha256 IS NOT NULL OR p.has_heat_map = 1)
           AND ${condition} AND NOT (${protectedPicture}) ORDER BY p.id`,
        after,
        after + partsAtOnce,
        ...values,
      );
      for (const { id, sha256, hasHeatMap } of rows) {
        if (this.cleaned.freedBytes >= enoughBytes) return;
        if (hasHeatMap === 1) {
          store.database.run('UPDATE parts SET has_heat_map = 0 WHERE id = ?', id);
          this.cleaned.freedBytes += await store.files.remove(store.files.heatMapPath(id));
        }
        // The same picture may belong to a part that still keeps it.
        if (sha256 !== null && !this.#keptElsewhere(sha256, id, condition, values)) await this.#removeFile(sha256);
      }
      await new Promise((done) => setImmediate(done));
    }
  }

  /** Pictures that are in no project, snapshot or part, and those of projects removed long ago. */
  async unnamed(removedBefore: string): Promise<void> {
    const { store } = this.#context;
    const gone = 'SELECT id FROM projects WHERE removed_at < ?';
    const orphans = store.database.all<{ sha256: string }>(
      `SELECT f.sha256 FROM pictures f WHERE f.file_removed_at IS NULL
         AND NOT EXISTS (SELECT 1 FROM project_pictures pp WHERE pp.sha256 = f.sha256
           AND pp.project_id NOT IN (${gone}))
         AND NOT EXISTS (SELECT 1 FROM parts p WHERE p.picture_sha256 = f.sha256 AND p.project_id NOT IN (${gone}))
         AND NOT EXISTS (SELECT 1 FROM snapshot_pictures sp JOIN snapshots s ON s.id = sp.snapshot_id
           WHERE sp.sha256 = f.sha256 AND s.project_id NOT IN (${gone}))`,
      removedBefore,
      removedBefore,
      removedBefore,
    );
    for (const { sha256 } of orphans) await this.#removeFile(sha256);
  }

  #keptElsewhere(sha256: string, partId: number, condition: string, values: readonly SqlValue[]): boolean {
    const other = `SELECT 1 FROM parts p WHERE p.picture_sha256 = ? AND p.id <> ? AND (p.id > ? OR NOT (${condition}))`;
    return this.#context.store.database.value(`${other} LIMIT 1`, sha256, partId, partId, ...values) !== undefined;
  }

  async #removeFile(sha256: string): Promise<void> {
    const { store } = this.#context;
    const path = store.pictures.path(sha256);
    // The record first: a picture that is still there and not in the record is found again by its hash.
    store.transaction(() => {
      store.database.run('UPDATE pictures SET file_removed_at = ? WHERE sha256 = ?', this.#context.now(), sha256);
      store.database.run("DELETE FROM project_pictures WHERE sha256 = ? AND use = 'inspected'", sha256);
    });
    if (path === null) return;
    this.cleaned.freedBytes += await store.files.remove(path);
    this.cleaned.removedPictures++;
  }
}
