import { createHash } from 'node:crypto';
import { mkdir, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { UserError } from '../../shared/errors.ts';
import { readPictureFile } from '../pictures/decode.ts';
import { writeError } from '../system/atomic-file.ts';
import { decodeBytes } from './decode-file.ts';
import { watchFolder, type FeedState, type WatchedPart } from './folder-feed.ts';
import { isGone } from './folder-scan.ts';
import { inspectParts, type DecodedFile, type Evidence, type InspectionParts, type VerdictSink } from './pipeline.ts';
import type { Counters, InspectionRecord } from './record.ts';
import { holdAlone } from './single-instance.ts';
import { WatchJournal } from './watch-journal.ts';
import { CsvAppendSink, OverlaySink, QuarantineSink } from './watch-sinks.ts';

export interface WatchOptions {
  folder: string;
  /** Journal, results.csv, overlays/ and quarantine/ go here. */
  resultsDir: string;
  quarantine: 'copy' | 'move';
  settleMs: number;
  scanIntervalMs: number;
  emptyPatienceMs: number;
  /** Ends when nothing has been waiting for this long; undefined: never. */
  untilIdleMs?: number;
}

export interface WatchParts {
  detector: InspectionParts['detector'];
  prepare: InspectionParts['prepare'];
  /** Hears of every record last, after it is in the journal and in the files. */
  onRecord(record: InspectionRecord): void;
  onState(state: WatchState): void;
  signal: AbortSignal;
}

export type WatchState =
  | FeedState
  /** @param retold records of an earlier run that the sinks are told again */
  | { type: 'started'; judgedBefore: number; retold: number };

export interface WatchSummary {
  /** This run. */
  counters: Counters;
  /** All runs with this results folder. */
  totals: Counters;
  /** Files that changed in nothing but their time, or vanished before they could be read: no part. */
  withdrawn: number;
}

/**
 * Judges every picture that comes into a folder, exactly once per file and content, until the signal ends it.
 * @throws UserError `folderMissing`, `watchedTwice`, `journalDamaged`, `diskFull`, ...
 */
export async function watchAndInspect(options: WatchOptions, parts: WatchParts): Promise<WatchSummary> {
  const folder = resolve(options.folder);
  const resultsDir = resolve(options.resultsDir);
  await checkFolder(folder);
  await mkdir(resultsDir, { recursive: true }).catch((error: unknown) => {
    throw writeError(resultsDir, error);
  });
  const release = await holdAlone(resultsDir);
  const opened: { close(): Promise<void> }[] = [];
  try {
    const keep = <Opened extends { close(): Promise<void> }>(thing: Opened): Opened => {
      opened.unshift(thing);
      return thing;
    };
    const journal = keep(await WatchJournal.open(join(resultsDir, 'journal.jsonl'), folder));
    const csv = keep(await CsvAppendSink.open(join(resultsDir, 'results.csv')));
    const quarantine = keep(await QuarantineSink.open(join(resultsDir, 'quarantine'), options.quarantine));
    const sinks = [
      csv,
      new OverlaySink(join(resultsDir, 'overlays')),
      quarantine,
      lastSink(journal, parts, csv, quarantine),
    ];
    const settle = (): Promise<void> => settleAll(csv, quarantine);

    parts.onState({ type: 'started', judgedBefore: journal.totals.presented, retold: journal.untold.length });
    for (const { record, part } of journal.untold.splice(0)) {
      const evidence = await evidenceAgain(record, part, parts);
      for (const sink of sinks) await sink.accept(record, part, evidence);
    }
    await journal.noteTold(settle);

    const run = new RunState(options.untilIdleMs, parts);
    const feed = watchFolder({
      ...options,
      folder,
      resultsDir,
      states: journal.states,
      onState: run.onState,
      signal: run.signal,
    });
    try {
      const counters = await inspectParts(feed, {
        detector: parts.detector,
        decode: (part: WatchedPart) => decodeOnce(part, journal, run),
        prepare: parts.prepare,
        keep: (record, part) => journal.keep(record, part),
        sinks,
      });
      await journal.noteTold(settle);
      return { counters, totals: journal.totals, withdrawn: run.withdrawn };
    } finally {
      run.end();
    }
  } finally {
    for (const thing of opened) await thing.close();
    await release();
  }
}

/** Ends the run on Ctrl-C, on an error, or when nothing has come for long enough. */
class RunState {
  readonly #controller = new AbortController();
  readonly #untilIdleMs: number | undefined;
  readonly #parts: WatchParts;
  withdrawn = 0;

  constructor(untilIdleMs: number | undefined, parts: WatchParts) {
    this.#untilIdleMs = untilIdleMs;
    this.#parts = parts;
    parts.signal.addEventListener('abort', this.end, { once: true });
    if (parts.signal.aborted) this.end();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  readonly end = (): void => {
    this.#parts.signal.removeEventListener('abort', this.end);
    this.#controller.abort();
  };

  readonly onState = (state: FeedState): void => {
    this.#parts.onState(state);
    if (state.type === 'idle' && this.#untilIdleMs !== undefined && state.forMs >= this.#untilIdleMs) this.end();
  };
}

/** Reads a part's file, unless it was judged with this very content before. */
async function decodeOnce(part: WatchedPart, journal: WatchJournal, run: RunState): Promise<DecodedFile | undefined> {
  let bytes: Uint8Array;
  try {
    bytes = await readPictureFile(part.path);
  } catch (error) {
    if (isGone(error) || (error instanceof Error && isGone(error.cause))) {
      run.withdrawn += 1;
      return undefined;
    }
    return { reason: error instanceof Error ? error.message : String(error) };
  }
  // Still being written after all; its new state will be seen.
  const complete = bytes.length === part.size;
  if (!complete || !journal.claim(part.relative, sha256(bytes))) {
    run.withdrawn += 1;
    return undefined;
  }
  return decodeBytes(bytes, part.file);
}

/** Tells the person, then notes that all sinks are through with the record. */
function lastSink(
  journal: WatchJournal,
  parts: WatchParts,
  csv: CsvAppendSink,
  quarantine: QuarantineSink,
): VerdictSink<WatchedPart> {
  return {
    accept: async (record) => {
      parts.onRecord(record);
      await journal.markTold(() => settleAll(csv, quarantine));
    },
  };
}

async function settleAll(csv: CsvAppendSink, quarantine: QuarantineSink): Promise<void> {
  await csv.settle();
  await quarantine.settle();
}

/** Picture and map of a record of an earlier run, if its file is still there with that content. */
async function evidenceAgain(
  record: InspectionRecord,
  part: WatchedPart,
  { detector, prepare }: WatchParts,
): Promise<Evidence | undefined> {
  if (record.verdict !== 'fail' && record.verdict !== 'review') return undefined;
  try {
    const bytes = await readPictureFile(part.path);
    if (sha256(bytes) !== record.contentHash) return undefined;
    const { picture } = await decodeBytes(bytes, part.file);
    if (picture === undefined) return undefined;
    const result = (await detector.inspect([prepare(picture, detector.inputSize)]))[0];
    return result === undefined ? undefined : { picture, result };
  } catch {
    // The record stands; only its drawing can't be made again.
    return undefined;
  }
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

async function checkFolder(folder: string): Promise<void> {
  const info = await stat(folder).catch(() => undefined);
  if (info?.isDirectory() === true) return;
  throw new UserError(
    'folderMissing',
    `There is no folder "${folder}" to watch.`,
    'Check the path, or make the folder.',
  );
}
