import { copyFile, mkdir, open, rename, rm, stat, type FileHandle } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { writeError, writeFileAtomic } from '../system/atomic-file.ts';
import { isGone } from './folder-scan.ts';
import type { WatchedPart } from './folder-feed.ts';
import { heatLayer } from './heat-map.ts';
import { encodeOverlay, layerSize } from './part-pictures.ts';
import type { Evidence, VerdictSink } from './pipeline.ts';
import type { InspectionRecord } from './record.ts';
import { csvHeader, csvLine } from './results-table.ts';

/** Far more than the lines of all records that a stop can leave untold. */
const tailBytes = 1 << 19;

/**
 * Appends every record to a CSV file, once: ids at the file's end tell which records of an earlier run are there
 * already, and a torn last line is cut off (a whole one ends with its id).
 */
export class CsvAppendSink implements VerdictSink<WatchedPart> {
  readonly #path: string;
  readonly #file: FileHandle;
  readonly #recent: Set<string>;

  private constructor(path: string, file: FileHandle, recent: Set<string>) {
    this.#path = path;
    this.#file = file;
    this.#recent = recent;
  }

  static async open(path: string): Promise<CsvAppendSink> {
    try {
      await mkdir(dirname(path), { recursive: true });
      const file = await open(path, 'a+');
      const { size } = await file.stat();
      const tail = Buffer.alloc(Math.min(size, tailBytes));
      await file.read(tail, 0, tail.length, size - tail.length);
      const lines = [...tail.toString('latin1').matchAll(/,([0-9a-f]{32})\r?\n/g)];
      const last = lines.at(-1);
      const header = last === undefined && size - tail.length === 0 ? 0 : undefined;
      const whole = header ?? size - tail.length + (last === undefined ? 0 : last.index + last[0].length);
      await file.truncate(whole);
      if (whole === 0) await file.appendFile(csvHeader);
      return new CsvAppendSink(path, file, new Set(lines.map((line) => line[1]!)));
    } catch (error) {
      throw writeError(path, error);
    }
  }

  async accept(record: InspectionRecord): Promise<void> {
    // Only records of an earlier run can come again.
    if (this.#recent.delete(record.id)) return;
    try {
      await this.#file.appendFile(csvLine(record));
    } catch (error) {
      throw writeError(this.#path, error);
    }
  }

  async settle(): Promise<void> {
    await this.#file.datasync();
  }

  async close(): Promise<void> {
    await this.#file.close();
  }
}

/** Draws the heat map onto every part that isn't a pass; the record's id names the file, so twice is once. */
export class OverlaySink implements VerdictSink<WatchedPart> {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  async accept(record: InspectionRecord, part: WatchedPart, evidence: Evidence | undefined): Promise<void> {
    if (evidence === undefined || record.thresholds === undefined) return;
    const { width, height } = layerSize(evidence.picture);
    const layer = heatLayer(evidence.result, record.thresholds, width, height);
    if (layer === undefined) return;
    await writeFileAtomic(
      join(this.#folder, `${fileNameOf(record, part)}.png`),
      await encodeOverlay(evidence.picture, layer),
    );
  }
}

/** Puts files without a decision apart, with a list of the reasons. */
export class QuarantineSink implements VerdictSink<WatchedPart> {
  readonly #folder: string;
  readonly #mode: 'copy' | 'move';
  readonly #list: CsvAppendSink;

  private constructor(folder: string, mode: 'copy' | 'move', list: CsvAppendSink) {
    this.#folder = folder;
    this.#mode = mode;
    this.#list = list;
  }

  /** @param mode `copy` leaves the original where it is, `move` takes it out of the watched folder */
  static async open(folder: string, mode: 'copy' | 'move'): Promise<QuarantineSink> {
    return new QuarantineSink(folder, mode, await CsvAppendSink.open(join(folder, 'quarantine.csv')));
  }

  async accept(record: InspectionRecord, part: WatchedPart): Promise<void> {
    if (record.verdict !== 'noDecision') return;
    const target = join(this.#folder, fileNameOf(record, part));
    try {
      // A file that is gone meanwhile was put apart before a restart, or taken away by its owner.
      await this.#putApart(part.path, target).catch((error: unknown) => {
        if (!isGone(error)) throw error;
      });
    } catch (error) {
      throw writeError(target, error);
    }
    await this.#list.accept(record);
  }

  async #putApart(source: string, target: string): Promise<void> {
    if (this.#mode === 'move') {
      if (await rename(source, target).then(() => true, isOtherDrive)) return;
    }
    const partial = `${target}.partial`;
    await copyFile(source, partial);
    await rename(partial, target);
    if (this.#mode === 'move' && (await stat(target)).isFile()) await rm(source);
  }

  async settle(): Promise<void> {
    await this.#list.settle();
  }

  async close(): Promise<void> {
    await this.#list.close();
  }
}

function isOtherDrive(error: unknown): false {
  if (error instanceof Error && 'code' in error && error.code === 'EXDEV') return false;
  throw error;
}

/** Unique by the record's id, readable by the file's own name. */
function fileNameOf(record: InspectionRecord, part: WatchedPart): string {
  const name = [...basename(part.relative)].slice(-40).join('');
  return `${record.id.slice(0, 12)}-${name}`;
}
