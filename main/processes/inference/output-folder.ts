import { copyFile, lstat, mkdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Verdict } from '../../../shared/detection.ts';
import type { FedPart } from '../../feeds/feed.ts';
import { judgedFolder } from '../../feeds/folder.ts';
import { isGone } from '../../inspection/folder-scan.ts';
import type { InspectionRecord } from '../../inspection/record.ts';
import { CsvAppendSink } from '../../inspection/watch-sinks.ts';
import { writeError, writeFileAtomic } from '../../system/atomic-file.ts';
import type { Recipe } from '../../../shared/station/domain.ts';

/** Sorted copies and CSV lines of every judged part, in a folder that a person chose. May be told of a part twice. */
export class OutputFolder {
  readonly #folder: string;
  readonly #csv: CsvAppendSink;

  private constructor(folder: string, csv: CsvAppendSink) {
    this.#folder = folder;
    this.#csv = csv;
  }

  /** @throws UserError when it can't be written */
  static async open(folder: string): Promise<OutputFolder> {
    return new OutputFolder(folder, await CsvAppendSink.open(join(folder, 'results.csv')));
  }

  /** @param bytes the picture as it came; undefined when it could not be read */
  async accept(record: InspectionRecord, part: FedPart, bytes: Uint8Array | undefined): Promise<void> {
    if (bytes !== undefined) {
      await writeFileAtomic(join(this.#folder, record.verdict, outputName(part, record.id, bytes)), bytes);
    }
    await this.#csv.accept(record);
  }

  async close(): Promise<void> {
    await this.#csv.settle();
    await this.#csv.close();
  }
}

/** Readable by the part's own name, unique by its record. */
function outputName(part: FedPart, id: string, bytes: Uint8Array): string {
  const name = [...basename(part.file.replaceAll(/[\\:*?"<>|#]/g, '_'))].slice(-60).join('').trim();
  const isPng = bytes[0] === 0x89 && bytes[1] === 0x50;
  const named = /\.[a-z0-9]{2,5}$/i.test(name) ? name : `${name}.${isPng ? 'png' : 'jpg'}`;
  return `${id.slice(0, 12)}-${named}`;
}

/**
 * Takes a judged file out of the watched folder, where the recipe says so: into `<folder>-judged/<verdict>/`. A file
 * that is gone already was taken before.
 */
export async function moveOriginal(recipe: Recipe | null, part: FedPart, verdict: Verdict, id: string): Promise<void> {
  const source = recipe?.source;
  if (source?.kind !== 'folder' || source.originals !== 'move' || part.found === undefined) return;
  const place = join(judgedFolder(source.path), verdict, dirname(part.found.relative));
  const target = join(place, `${id.slice(0, 12)}-${basename(part.path)}`);
  try {
    await mkdir(place, { recursive: true });
    // A link may lead to its file from where it lies only: what is moved is the picture.
    const isLink = (await lstat(part.path)).isSymbolicLink();
    const moved = !isLink && (await rename(part.path, target).then(() => true, isOtherDrive));
    if (moved) return;
    await copyFile(part.path, `${target}.partial`);
    await rename(`${target}.partial`, target);
    await rm(part.path);
  } catch (error) {
    if (!isGone(error)) throw writeError(target, error);
  }
}

/** @returns false for a drive that files can't be renamed to @throws any other error */
function isOtherDrive(error: unknown): false {
  if (error instanceof Error && 'code' in error && error.code === 'EXDEV') return false;
  throw error;
}
