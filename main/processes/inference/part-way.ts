import { readFile } from 'node:fs/promises';
import type { HottestPlace, PartGeometry } from '../../../shared/station/domain.ts';
import type { FedPart } from '../../feeds/feed.ts';
import { isWhole } from '../../feeds/recipe-geometry.ts';
import { stateKey } from '../../inspection/folder-scan.ts';
import type { DecodedFile, Evidence } from '../../inspection/pipeline.ts';
import type { InspectionRecord } from '../../inspection/record.ts';
import type { StationFiles } from '../../store/files.ts';
import { faultOf } from '../fault.ts';
import type { DecidedAnswer, FeedRun, StationMethods, StoredPicture } from '../inference-protocol.ts';
import type { Peer } from '../rpc.ts';
import { heatBytes, heatPng, hottest, type HeatBytes } from './evidence.ts';
import { insist, mayPass, type Troubles } from './insist.ts';
import type { LiveLink } from './live-link.ts';
import type { LoadedModel } from './open-model.ts';
import { moveOriginal, OutputFolder } from './output-folder.ts';
import { decidedNews, livePart, unreadable } from './part-messages.ts';
import { outputId, readPart, type ReadPart } from './read-part.ts';
import { recordOf, toldPart } from './told-part.ts';

/** What a part's way leads through. */
export interface WayParts {
  station: Peer<StationMethods>;
  files: StationFiles;
  live: () => LiveLink | undefined;
  troubles: Troubles;
  /** Ends even what waits for room on a full disk. */
  giveUp: AbortSignal;
}

/** What a judged part's map shows. */
export interface Findings {
  heat: HeatBytes;
  hottest: HottestPlace | null;
}

/** A part on its way: presented, and what of it was kept. */
interface OnItsWay {
  partId: number;
  read: ReadPart;
  stored: StoredPicture | null;
  answer: DecidedAnswer | undefined;
  findings: Findings | undefined;
}

/**
 * The way of every part of a run past the station: made known (durable, with its number), kept with its verdict
 * (durable), and only then shown and passed on. The station's answers are awaited, so a process that dies loses
 * nothing.
 */
export class PartWay {
  readonly #run: FeedRun;
  readonly #parts: WayParts;
  readonly #onWay = new Map<FedPart, OnItsWay>();
  readonly #keysOnWay = new Set<string>();
  #outputs: OutputFolder | undefined;
  #presenting: Promise<void> = Promise.resolve();

  constructor(run: FeedRun, parts: WayParts) {
    this.#run = run;
    this.#parts = parts;
  }

  /** Opens the outputs, and tells them what the process before may not have told them. */
  async open(): Promise<void> {
    const folder = this.#run.recipe?.outputFolder ?? null;
    if (folder !== null) {
      this.#outputs = await insist(() => OutputFolder.open(folder), this.#parts.troubles, this.#parts.giveUp);
    }
    for (const { part, picturePath } of this.#run.untold) {
      const bytes = picturePath === null ? undefined : await readFile(picturePath).catch(() => undefined);
      await this.#output(recordOf(part), toldPart(part, this.#run.recipe), part.id, bytes);
      this.#parts.station.tell('told', { projectId: this.#run.projectId, partId: part.id });
    }
  }

  async close(): Promise<void> {
    await this.#outputs?.close().catch(() => undefined);
  }

  /** Reads a part and makes it known, in the order in which parts came. Never rejects. */
  async take(part: FedPart): Promise<DecodedFile | undefined> {
    const before = this.#presenting;
    let done: () => void = () => undefined;
    this.#presenting = new Promise((resolve) => (done = resolve));
    try {
      const read = await readPart(part).catch((error: unknown): ReadPart => unreadable(part, error));
      await before;
      if (read !== undefined) return await this.#present(part, read);
      part.onTaken?.(null, 'The picture is gone.');
      return undefined;
    } catch (error) {
      // Not durable, so not a part: it comes again, or the camera is told.
      part.onTaken?.(null, faultOf(error).message);
      return undefined;
    } finally {
      done();
    }
  }

  async #present(part: FedPart, read: ReadPart): Promise<DecodedFile | undefined> {
    const { recordKey, contentHash } = read;
    if (this.#keysOnWay.has(recordKey)) return undefined;
    const { station, troubles, giveUp } = this.#parts;
    const { partId, verdict } = await insist(
      () =>
        station.call('present', {
          projectId: this.#run.projectId,
          source: part.file,
          recordKey,
          serial: part.serial,
          lot: part.lot,
          path: part.content === undefined ? part.path : null,
          fileState: part.found === undefined ? null : stateKey(part.found),
        }),
      troubles,
      giveUp,
    );
    part.onTaken?.(partId);
    if (verdict !== null) {
      await moveOriginal(this.#run.recipe, part, verdict, outputId(part.file, partId)).catch(() => undefined);
      return undefined;
    }
    this.#keysOnWay.add(recordKey);
    const onWay: OnItsWay = { partId, read, stored: null, answer: undefined, findings: undefined };
    this.#onWay.set(part, onWay);
    const hash = contentHash === undefined ? {} : { contentHash };
    if (read.picture === undefined || read.bytes === undefined) {
      return { ...hash, reason: read.reason ?? 'The picture could not be read.' };
    }
    try {
      onWay.stored = await this.#store(part, read, read.picture, read.bytes);
    } catch (error) {
      if (mayPass(error)) troubles.raise(faultOf(error));
      return { ...hash, reason: `The picture could not be kept. ${faultOf(error).message}` };
    }
    return { ...hash, picture: read.picture };
  }

  async #store(
    part: FedPart,
    { extension }: ReadPart,
    { width, height }: { width: number; height: number },
    bytes: Uint8Array,
  ): Promise<StoredPicture> {
    const sha256 = await this.#parts.files.addPicture(bytes, extension);
    const fileName = [...(part.file.split(/[\\/]/).at(-1) ?? part.file)].slice(-120).join('');
    return { sha256, extension, fileName, bytes: bytes.length, widthPx: width, heightPx: height };
  }

  /** Makes a verdict durable. @param model the one that judged */
  async keep(record: InspectionRecord, part: FedPart, evidence: Evidence | undefined, model: LoadedModel) {
    const onWay = this.#onWay.get(part)!;
    const { partId, stored } = onWay;
    const { station, files, troubles, giveUp } = this.#parts;
    onWay.findings = findingsOf(record, evidence, model.use.geometry);
    const heat = onWay.findings?.heat;
    const hasHeatMap =
      heat !== undefined &&
      (await files.saveHeatMap(partId, heatPng(heat)).then(
        () => true,
        () => false,
      ));
    const { projectId } = this.#run;
    const found = onWay.findings?.hottest ?? null;
    const known = { projectId, partId, stored, hasHeatMap, model, hottest: found, geometry: storedGeometry(model) };
    const news = decidedNews(record, part, evidence, known);
    onWay.answer = await insist(() => station.call('decide', news), troubles, giveUp);
  }

  /**
   * Shows a part and passes it on, after its record is durable.
   * @returns the part's number
   */
  async tell(record: InspectionRecord, part: FedPart, evidence: Evidence | undefined): Promise<number> {
    const { partId, read, answer, findings } = this.#onWay.get(part)!;
    this.#onWay.delete(part);
    if (answer !== undefined) this.#parts.live()?.show(() => livePart(record, evidence, answer, findings));
    await this.#output(record, part, partId, read.bytes);
    this.#keysOnWay.delete(read.recordKey);
    this.#parts.station.tell('told', { projectId: this.#run.projectId, partId });
    return partId;
  }

  async #output(record: InspectionRecord, part: FedPart, partId: number, bytes: Uint8Array | undefined) {
    const id = outputId(part.file, partId);
    const write = async (): Promise<void> => {
      await this.#outputs?.accept({ ...record, id }, part, bytes);
      await moveOriginal(this.#run.recipe, part, record.verdict, id);
    };
    await insist(write, this.#parts.troubles, this.#parts.giveUp);
  }
}

function findingsOf(
  record: InspectionRecord,
  evidence: Evidence | undefined,
  { region }: PartGeometry,
): Findings | undefined {
  if (evidence === undefined || record.thresholds === undefined) return undefined;
  const { result, picture } = evidence;
  const heat = heatBytes(result, record.thresholds, region);
  return { heat, hottest: hottest(result, heat, region, picture, record.verdict === 'fail') };
}

/** What of a picture a model looks at; null: all of it. */
function storedGeometry({ use: { geometry } }: LoadedModel): PartGeometry | null {
  return isWhole(geometry) ? null : geometry;
}
