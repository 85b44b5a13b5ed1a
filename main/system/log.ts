import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { pino, type Logger } from 'pino';
import { createStream } from 'rotating-file-stream';

export type Log = Logger;

/** Log files kept; the oldest goes first. */
const keptFiles = 10;

/**
 * The station's log: one JSON object a line in `<folder>/logs/station.log`, rotated at 5 MB. It never holds pictures,
 * secrets or what people typed.
 */
export function openLog(folder: string): Log {
  const logs = path.join(folder, 'logs');
  try {
    mkdirSync(logs, { recursive: true });
  } catch {
    // Nowhere to write to: whoever opens the station there says so, in words.
  }
  const stream = createStream('station.log', { path: logs, size: '5M', maxFiles: keptFiles });
  // A full disk must not stop the line because of its log.
  stream.on('error', () => undefined);
  return pino({ level: 'info', base: null, timestamp: pino.stdTimeFunctions.isoTime }, stream);
}
