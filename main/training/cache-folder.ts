import { homedir } from 'node:os';
import path from 'node:path';

/** The feature cache keeps at most this much; the records unused for longest go first. */
export const cacheLimitBytes = 8 * 1024 ** 3;

/** Folder of the feature cache: the one asked for, else the platform's own place for caches. Safe to delete. */
export function cacheFolder(asked: string | undefined): string {
  if (asked !== undefined) return path.resolve(asked);
  const { env, platform } = process;
  const base =
    platform === 'win32'
      ? (env['LOCALAPPDATA'] ?? path.join(homedir(), 'AppData', 'Local'))
      : platform === 'darwin'
        ? path.join(homedir(), 'Library', 'Caches')
        : (env['XDG_CACHE_HOME'] ?? path.join(homedir(), '.cache'));
  return path.join(base, 'twinspect', 'features');
}
