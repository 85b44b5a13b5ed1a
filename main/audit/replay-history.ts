import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { UserError } from '../../shared/errors.ts';
import type { Detector } from '../detector/detector.ts';
import { replayRecord, type ReplayableRecord, type ReplayResult } from './replay.ts';

/** What became of one record. */
export type HistoryOutcome = ReplayResult['outcome'] | 'noDecision' | 'pictureGone' | 'otherModel';

/** A whole history repeated. */
export interface HistoryReplay {
  records: number;
  counts: Record<HistoryOutcome, number>;
  /** Largest difference of a score. */
  maxDifference: number;
  /** Records that can't be repeated as they stand, first fifty. */
  different: { file: string; fields: ReplayResult['fields'] }[];
}

const mostListed = 50;
const pictureName = /^([0-9a-f]{64})\.[a-z]+$/;

/** Pictures of a folder by their content: the station's own are named by it, others are read once. */
export class PictureFolder {
  readonly #byHash: Map<string, string>;

  private constructor(byHash: Map<string, string>) {
    this.#byHash = byHash;
  }

  /** @throws UserError `pathMissing` */
  static async open(folder: string): Promise<PictureFolder> {
    const byHash = new Map<string, string>();
    const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch((cause: unknown) => {
      throw new UserError('pathMissing', `"${folder}" can't be read.`, 'Check the path.', { cause });
    });
    for (const entry of entries) {
      if (!entry.isFile()) continue;
      const file = path.join(entry.parentPath, entry.name);
      const named = pictureName.exec(entry.name)?.[1];
      if (named !== undefined) byHash.set(named, file);
      else if (/\.(png|jpe?g|bmp|webp|tiff?)$/i.test(entry.name)) {
        byHash.set(
          createHash('sha256')
            .update(await readFile(file))
            .digest('hex'),
          file,
        );
      }
    }
    return new PictureFolder(byHash);
  }

  /** @returns undefined when it's not there */
  async read(contentHash: string): Promise<Uint8Array | undefined> {
    const file = this.#byHash.get(contentHash);
    return file === undefined ? undefined : readFile(file).catch(() => undefined);
  }
}

/**
 * Judges all parts of a history again and compares with what was recorded.
 * @param detectors one for each model that is to be repeated
 * @param tolerance for another execution provider than the records'
 * @throws UserError `replayOtherPicture` when a picture's content isn't what its name says
 */
export async function replayHistory(
  records: readonly ReplayableRecord[],
  pictures: Pick<PictureFolder, 'read'>,
  detectors: readonly Detector[],
  tolerance: number,
  { onRecord, signal }: { onRecord?: (done: number) => void; signal?: AbortSignal } = {},
): Promise<HistoryReplay> {
  const counts = { identical: 0, withinTolerance: 0, different: 0, noDecision: 0, pictureGone: 0, otherModel: 0 };
  const different: HistoryReplay['different'] = [];
  let maxDifference = 0;
  for (const [done, record] of records.entries()) {
    signal?.throwIfAborted();
    onRecord?.(done);
    const detector = detectors.find(({ modelHash }) => record.modelHash === modelHash);
    if (record.predScore === null) counts.noDecision++;
    else if (detector === undefined) counts.otherModel++;
    else {
      const picture = record.contentHash === undefined ? undefined : await pictures.read(record.contentHash);
      if (picture === undefined) {
        counts.pictureGone++;
        continue;
      }
      const result = await replayRecord(record, picture, detector, tolerance);
      counts[result.outcome]++;
      maxDifference = Math.max(maxDifference, result.maxDifference ?? Infinity);
      if (result.outcome === 'different' && different.length < mostListed) {
        different.push({ file: record.file, fields: result.fields.filter(({ same }) => !same) });
      }
    }
  }
  return { records: records.length, counts, maxDifference, different };
}
