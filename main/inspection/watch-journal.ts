import { join } from 'node:path';
import { UserError } from '../../shared/errors.ts';
import { stateKey } from './folder-scan.ts';
import type { WatchedPart } from './folder-feed.ts';
import { Journal } from './journal.ts';
import { emptyCounters, type Counters, type InspectionRecord } from './record.ts';
import { SeenSet } from './seen-set.ts';

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
  #journal: Journal | undefined;
  #kept = 0;
  #told = 0;
  #noted = 0;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /**
   * @param folder the watched folder
   * @throws UserError `journalDamaged`, `journalForeign`
   */
  static async open(path: string, folder: string): Promise<WatchJournal> {
    const opened = new WatchJournal(folder);
    opened.#journal = await Journal.open(path, (entry) => {
      opened.#replay(path, entry as Partial<Record<string, unknown>>);
    });
    opened.#noted = opened.#told;
    return opened;
  }

  #replay(path: string, entry: Partial<Record<string, unknown>>): void {
    const { told, record, relative, size, mtimeMs } = entry;
    if (typeof told === 'number') {
      this.untold.splice(0, told - this.#told);
      this.#told = told;
    } else if (isRecord(record) && typeof relative === 'string' && isNumber(size) && isNumber(mtimeMs)) {
      this.#remember({ record, relative, size, mtimeMs });
      this.untold.push({
        record,
        part: { relative, size, mtimeMs, file: record.file, path: join(this.#folder, relative) },
      });
    } else {
      throw new UserError(
        'journalForeign',
        `"${path}" is not a journal of this version of twinspect watch.`,
        'Choose another folder with --out.',
      );
    }
  }

  #remember({ record, relative, size, mtimeMs }: Extract<Entry, { record: unknown }>): void {
    this.#kept += 1;
    this.totals.presented += 1;
    this.totals[record.verdict] += 1;
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
