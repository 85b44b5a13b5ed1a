import { systemCaller } from '../store/types.ts';
import { record } from './audit-trail.ts';
import type { StationContext } from './context.ts';
import { cleanStorage } from './retention.ts';
import { readSettings } from './settings.ts';

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

const backupNotice = 'backupFailed';

/**
 * What a station that runs for months does by itself: a backup a day, and cleaning by its own rules once a day. Looks
 * every hour; a failure is told and tried again an hour later. Neither stops the other: cleaning may make the room that
 * the backup lacks.
 * @returns ends it
 */
export function startHousekeeping(context: StationContext, onFailure: (error: unknown) => void): () => void {
  let cleanedAt = -Infinity;
  const clean = async (): Promise<void> => {
    if (Math.abs(Date.parse(context.now()) - cleanedAt) < dayMs) return;
    cleanedAt = Date.parse(context.now());
    const cleaned = await cleanStorage(context, readSettings(context).storage);
    if (cleaned.removedPictures > 0)
      record(context, systemCaller, 'data.deleted', 'pictures', { what: 'retention', ...cleaned });
  };
  const run = async (): Promise<void> => {
    await clean().catch(onFailure);
    await backUp(context).catch(onFailure);
  };
  const timer = setInterval(() => void run(), hourMs);
  timer.unref();
  void run();
  return () => clearInterval(timer);
}

/** Without backups there is nothing to restore from: a person is told as long as there are none. */
async function backUp({ store, now, emit }: StationContext): Promise<void> {
  try {
    if (await store.backupIfDue(now())) store.notices.clear(backupNotice);
  } catch (error) {
    const message = `The daily backup could not be made: ${error instanceof Error ? error.message : String(error)}`;
    store.notices.set({ id: backupNotice, level: 'warning', message, at: now() });
    emit({ type: 'notice', id: backupNotice, message, level: 'warning' });
    throw error;
  }
}
