import { join } from 'node:path';
import { UserError } from '../../shared/errors.ts';
import { stateKey } from './folder-scan.ts';
import type { WatchedPart } from './folder-feed.ts';
import { Journal } from './journal.ts';
import { emptyCounters, type Counters, type InspectionRecord } from './record.ts';
import { SeenSet } from './seen-set.ts';
import { continuationIn, olderJournals, readMemory, rotateJournal, type Continuation } from './watch-rotation.ts';

/** A record that the sinks may not have heard of. */
export interface UntoldRecord {
  record: InspectionRecord;
  part: WatchedPart;
}

type Entry =
  | { record: InspectionRecord; relative: string; size: number; mtimeMs: number }
  /** The sinks have heard of the first n records. */
  | { told: number };

/** Sinks hear of a record at once, but that they have is noted only every so often. */
const toldEvery = 16;

/** A start that reads this many records begins a new journal: the next one reads only what has come since. */
const recordsPerJournal = 20_000;

/**
 * What `watch` knows for good: a record per file and content, written before anyone hears of it. In memory it keeps 32
 * bytes a record.
 */
export class WatchJournal {
  /** File states that were judged. */
  readonly states = new SeenSet();
  /** Verdicts over the whole life of the journal. */
  readonly totals: Counters = emptyCounters();
  /** Records of an earlier run that the sinks may not have heard of, in order. */
  readonly untold: UntoldRecord[] = [];
  readonly #contents = new SeenSet();
  readonly #folder: string;
  readonly #path: string;
  #journal: Journal | undefined;
  #head: Continuation | undefined;
  /** Records that the first line counts, those behind it that were untold then among them. */
  #countedBefore = 0;
  #kept = 0;
  #told = 0;
  #noted = 0;

  private constructor(path: string, folder: string) {
    this.#path = path;
    this.#folder = folder;
  }

  /**
   * @param folder      the watched folder
   * @param mostRecords of one file; tests take fewer
   * @throws UserError `journalDamaged`, `journalForeign`
   */
  static async open(path: string, folder: string, mostRecords = recordsPerJournal): Promise<WatchJournal> {
    const opened = new WatchJournal(path, folder);
    opened.#journal = await Journal.open(path, (entry) => {
      opened.#replay(path, entry as Partial<Record<string, unknown>>);
    });
    opened.#noted = opened.#told;
    if (opened.#head !== undefined) await opened.#recall(opened.#head);
    if (opened.#kept - (opened.#head?.before ?? 0) >= mostRecords) await opened.#rotate();
    return opened;
  }

  /** Reads what the journals before this one knew, if need be from them. @throws UserError `journalDamaged` */
  async #recall(head: Continuation): Promise<void> {
    const memory = { states: this.states, contents: this.#contents };
    if (await readMemory(this.#path, head, memory)) return;
    const older = (await olderJournals(this.#path)).filter(({ number }) => number <= head.continues);
    if (older.length !== head.continues) {
      throw new UserError(
        'journalDamaged',
        `What "${this.#path}" knows of the journals before it is missing, and so are some of those.`,
        'Restore the results folder from a copy, or move it away to judge everything in the folder again.',
      );
    }
    for (const { path } of older) {
      const journal = await Journal.open(path, (entry) => {
        const found = recordIn(entry as Partial<Record<string, unknown>>);
        if (found === undefined) return;
        memory.states.add(stateKey(found));
        memory.contents.add(contentKey(found.relative, found.record.contentHash));
      });
      await journal.close();
    }
  }

  /**
   * Begins a new file, so that the next start need not read this one. Only before the first part comes: what is known
   * then is what is durable, and nothing that is still on its way. A full disk changes nothing.
   */
  async #rotate(): Promise<void> {
    await this.#journal?.close();
    const memory = { states: this.states, contents: this.#contents };
    const head = { continues: (this.#head?.continues ?? 0) + 1, before: this.#told, totals: { ...this.totals } };
    const lines = this.untold.map(({ record, part: { relative, size, mtimeMs } }) => {
      return `${JSON.stringify({ record, relative, size, mtimeMs } satisfies Entry)}\n`;
    });
    // What fails is tried again at the next start; until then the long one serves.
    await rotateJournal(this.#path, memory, head, lines).catch((error: unknown) => {
      if (!(error instanceof UserError)) throw error;
    });
    this.#journal = await Journal.open(this.#path, () => undefined);
  }

  #replay(path: string, entry: Partial<Record<string, unknown>>): void {
    const { told } = entry;
    const head = continuationIn(entry);
    if (head !== undefined && this.#kept === 0) {
      this.#head = head;
      this.#kept = head.before;
      this.#told = head.before;
      this.#countedBefore = head.totals.presented;
      Object.assign(this.totals, head.totals);
      return;
    }
    const found = recordIn(entry);
    if (typeof told === 'number') {
      this.untold.splice(0, told - this.#told);
      this.#told = told;
    } else if (found !== undefined) {
      this.#remember(found);
      const { record, relative, size, mtimeMs } = found;
      const part = { relative, size, mtimeMs, file: record.file, path: join(this.#folder, relative) };
      this.untold.push({ record, part });
    } else {
      throw new UserError(
        'journalForeign',
        `"${path}" is not a journal of this version of twinspect watch.`,
        'Choose another folder with --out.',
      );
    }
  }

  #remember({ record, relative, size, mtimeMs }: KeptRecord): void {
    this.#kept += 1;
    // Records that were untold when this file was begun are counted in its first line.
    if (this.#kept > this.#countedBefore) {
      this.totals.presented += 1;
      this.totals[record.verdict] += 1;
    }
    this.states.add(stateKey({ relative, size, mtimeMs }));
    this.#contents.add(contentKey(relative, record.contentHash));
  }

  /** Whether this file was not judged with this content before; if so, it counts as judged from now on. */
  claim(relative: string, contentHash: string): boolean {
    return this.#contents.add(contentKey(relative, contentHash));
  }

  /** Makes a record durable. */
  async keep(record: InspectionRecord, { relative, size, mtimeMs }: WatchedPart): Promise<void> {
    await this.#journal?.append({ record, relative, size, mtimeMs } satisfies Entry);
    this.#remember({ record, relative, size, mtimeMs });
  }

  /**
   * Notes that the sinks have heard of one more record. Until that's written, a restart tells them again.
   * @param settle makes durable what the sinks hold, before it's noted
   */
  async markTold(settle: () => Promise<void>, atOnce = false): Promise<void> {
    this.#told += 1;
    if (this.#told - this.#noted >= toldEvery || atOnce) await this.noteTold(settle);
  }

  async noteTold(settle: () => Promise<void>): Promise<void> {
    if (this.#told === this.#noted) return;
    await settle();
    await this.#journal?.append({ told: this.#told } satisfies Entry, false);
    this.#noted = this.#told;
  }

  /** Records whose sinks are through with them, of all that were kept. */
  get backlog(): number {
    return this.#kept - this.#told;
  }

  async close(): Promise<void> {
    await this.#journal?.close();
  }
}

type KeptRecord = Extract<Entry, { record: unknown }>;

function recordIn({ record, relative, size, mtimeMs }: Partial<Record<string, unknown>>): KeptRecord | undefined {
  const isWhole = isRecord(record) && typeof relative === 'string' && isNumber(size) && isNumber(mtimeMs);
  return isWhole ? { record, relative, size, mtimeMs } : undefined;
}

function contentKey(relative: string, contentHash: string | undefined): string {
  return `${relative}\0${contentHash ?? ''}`;
}

function isNumber(value: unknown): value is number {
  return typeof value === 'number';
}

function isRecord(value: unknown): value is InspectionRecord {
  if (typeof value !== 'object' || value === null) return false;
  const { id, file, verdict } = value as Partial<InspectionRecord>;
  const verdicts: unknown[] = ['pass', 'fail', 'review', 'noDecision'];
  return typeof id === 'string' && typeof file === 'string' && verdicts.includes(verdict);
}
