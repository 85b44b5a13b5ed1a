import { systemCaller } from '../store/types.ts';
import { record } from './audit-trail.ts';
import type { StationContext } from './context.ts';
import { cleanStorage } from './retention.ts';
import { readSettings } from './settings.ts';

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

/**
 * What a station that runs for months does by itself: a backup a day, and cleaning by its own rules once a day. Looks
 * every hour; a failure is told and tried again an hour later.
 * @returns ends it
 */
export function startHousekeeping(context: StationContext, onFailure: (error: unknown) => void): () => void {
  let cleanedAt = -Infinity;
  const work = async (): Promise<void> => {
    await context.store.backupIfDue(context.now());
    if (Math.abs(Date.parse(context.now()) - cleanedAt) < dayMs) return;
    cleanedAt = Date.parse(context.now());
    const cleaned = await cleanStorage(context, readSettings(context).storage);
    if (cleaned.removedPictures > 0)
      record(context, systemCaller, 'data.deleted', 'pictures', { what: 'retention', ...cleaned });
  };
  const run = (): void => void work().catch(onFailure);
  const timer = setInterval(run, hourMs);
  timer.unref();
  run();
  return () => clearInterval(timer);
}
