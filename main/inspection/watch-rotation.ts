import { createHash } from 'node:crypto';
import { link, readFile, readdir, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { writeError, writeFileAtomic } from '../system/atomic-file.ts';
import type { Counters } from './record.ts';
import type { SeenSet } from './seen-set.ts';

/** First line of a journal that another one went before: what must be known of all that is no longer in it. */
export interface Continuation {
  /** Number of the journal before: `journal-000001.jsonl`, whose memory is `journal-000001.seen`. */
  continues: number;
  /** sha256 of the memory's file, 64 hex digits. */
  seenSha256: string;
  /** Records kept and told before, untold ones not counted: those are written again behind this line. */
  before: number;
  totals: Counters;
}

/** File states and contents that were judged. */
export interface WatchMemory {
  states: SeenSet;
  contents: SeenSet;
}

/** The entry as what a journal's first line says of those before it; undefined for any other. */
export function continuationIn(entry: Partial<Record<string, unknown>>): Continuation | undefined {
  const { continues, seenSha256, before, totals } = entry;
  const isWhole =
    typeof continues === 'number' &&
    typeof seenSha256 === 'string' &&
    typeof before === 'number' &&
    typeof totals === 'object' &&
    totals !== null;
  return isWhole ? { continues, seenSha256, before, totals: totals as Counters } : undefined;
}

const numbered = (path: string, number: number, extension: string): string =>
  join(dirname(path), `journal-${String(number).padStart(6, '0')}.${extension}`);

/** Journals that went before, oldest first. */
export async function olderJournals(path: string): Promise<{ path: string; number: number }[]> {
  const names = await readdir(dirname(path)).catch(() => []);
  return names
    .flatMap((name) => {
      const number = /^journal-(\d{6,})\.jsonl$/.exec(name)?.[1];
      return number === undefined ? [] : [{ path: join(dirname(path), name), number: Number(number) }];
    })
    .sort((a, b) => a.number - b.number);
}

/**
 * Puts a journal aside and a short one in its place, which knows all that was in it. Killed at any moment, there is
 * either the old journal or the new one, each whole: the memory is on the disk before the new journal names it, and the
 * new one takes the old one's place in one step. The old one's records stay, in a file of their own.
 * @param path  of the journal, which nobody has open
 * @param lines what follows the first line, each with its line feed
 * @throws UserError `diskFull` and the like: nothing has changed then
 */
export async function rotateJournal(
  path: string,
  memory: WatchMemory,
  head: Omit<Continuation, 'continues' | 'seenSha256'> & { continues: number },
  lines: readonly string[],
): Promise<void> {
  const { continues } = head;
  const seen = Buffer.concat([memory.states.toBytes(), memory.contents.toBytes()]);
  const seenSha256 = createHash('sha256').update(seen).digest('hex');
  const aside = numbered(path, continues, 'jsonl');
  try {
    await writeFileAtomic(numbered(path, continues, 'seen'), seen);
    const first: Continuation = { ...head, seenSha256 };
    // Left by a start that was cut short right here: it's the same file.
    await rm(aside, { force: true });
    // A second name for the old journal, so that its own can pass to the new one in a single step.
    const hasSecondName = await link(path, aside).then(
      () => true,
      () => false,
    );
    if (!hasSecondName) await writeFileAtomic(aside, await readFile(path));
    await writeFileAtomic(path, `${JSON.stringify(first)}\n${lines.join('')}`);
  } catch (error) {
    throw writeError(path, error);
  }
  await removeMemories(path, continues);
}

/** Adds what the journals before have seen. @returns false when their memory is missing or damaged */
export async function readMemory(
  path: string,
  { continues, seenSha256 }: Continuation,
  memory: WatchMemory,
): Promise<boolean> {
  const bytes = await readFile(numbered(path, continues, 'seen')).catch(() => undefined);
  if (bytes === undefined || createHash('sha256').update(bytes).digest('hex') !== seenSha256) return false;
  const taken = memory.states.addBytes(bytes);
  memory.contents.addBytes(bytes.subarray(taken));
  return true;
}

/** Memories of journals before this one are in its own. */
async function removeMemories(path: string, number: number): Promise<void> {
  for (const name of await readdir(dirname(path)).catch(() => [])) {
    const found = /^journal-(\d{6,})\.seen$/.exec(basename(name))?.[1];
    if (found !== undefined && Number(found) < number) await rm(join(dirname(path), name), { force: true });
  }
}
