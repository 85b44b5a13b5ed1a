import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { UserError } from '../../../shared/errors.ts';
import type { CameraFrame } from '../../../shared/ipc/live.ts';
import type { CameraFeed, FrameAnswer } from '../../feeds/camera.ts';
import type { FedPart } from '../../feeds/feed.ts';
import { openFeed } from '../../feeds/open-feed.ts';
import { PartQueue } from '../../feeds/part-queue.ts';
import { pixelGeometry, wholePicture } from '../../feeds/recipe-geometry.ts';
import { stateKey } from '../../inspection/folder-scan.ts';
import { listParts } from '../../inspection/picture-files.ts';
import { inspectParts, type DecodedFile, type Evidence } from '../../inspection/pipeline.ts';
import type { InspectionRecord } from '../../inspection/record.ts';
import { SeenSet } from '../../inspection/seen-set.ts';
import { preparePicture } from '../../pictures/prepare.ts';
import type { DriftBaseline } from '../../../shared/drift/types.ts';
import type { StationFiles } from '../../store/files.ts';
import type {
  DecidedAnswer,
  FeedRun,
  ModelUse,
  OpenedModel,
  StationMethods,
  StoredPicture,
} from '../inference-protocol.ts';
import { faultOf } from '../fault.ts';
import type { Peer } from '../rpc.ts';
import { heatBytes, heatPng } from './evidence.ts';
import { insist, mayPass, Troubles } from './insist.ts';
import { LightGuard } from './light-guard.ts';
import type { LiveLink } from './live-link.ts';
import { openModel, type LoadedModel } from './open-model.ts';
import { decidedNews, livePart, pendingPart, unreadable } from './part-messages.ts';
import { moveOriginal, OutputFolder } from './output-folder.ts';
import { ShadowRunner } from './shadow-runner.ts';
import { recordOf, toldPart } from './told-part.ts';
import { outputId, readPart, type ReadPart } from './read-part.ts';

export interface RunnerParts {
  station: Peer<StationMethods>;
  files: StationFiles;
  live: () => LiveLink | undefined;
  /** Tests hand in their own. */
  openModel?: typeof openModel;
}

/** A part on its way: presented, and what of it was kept. */
interface OnItsWay {
  partId: number;
  read: ReadPart;
  stored: StoredPicture | null;
  answer: DecidedAnswer | undefined;
}

/**
 * One feed being judged: every part is made known to the station (durable, with its number), judged, decided (durable)
 * and only then shown and passed on. The station's answers are awaited, so a process that dies loses nothing.
 */
export class FeedRunner {
  readonly #run: FeedRun;
  readonly #parts: RunnerParts;
  readonly #queue: PartQueue<FedPart>;
  readonly #camera: CameraFeed | undefined;
  /** Ends the feed; parts on their way are still judged. */
  readonly #ending = new AbortController();
  /** Ends even what waits for room on a full disk. */
  readonly #giveUp = new AbortController();
  readonly #troubles: Troubles;
  readonly #light: LightGuard;
  readonly #onWay = new Map<FedPart, OnItsWay>();
  readonly #keysOnWay = new Set<string>();
  #model: LoadedModel;
  #nextModel: LoadedModel | undefined;
  #shadow: ShadowRunner | undefined;
  #lot: string;
  #outputs: OutputFolder | undefined;
  #presenting: Promise<void> = Promise.resolve();
  #ended: Promise<void> | undefined;

  private constructor(run: FeedRun, parts: RunnerParts, model: LoadedModel) {
    this.#run = run;
    this.#parts = parts;
    this.#model = model;
    this.#lot = run.lot;
    const { projectId } = run;
    this.#troubles = new Troubles((fault) => parts.station.tell('feedFault', { projectId, fault }));
    this.#light = new LightGuard((alarm) => {
      parts.station.tell('drift', { projectId, modelId: this.#model.use.modelId, alarm });
    });
    const knownFiles = new SeenSet();
    for (const key of run.knownFiles) knownFiles.add(key);
    const feed =
      run.recipe === null || !run.withFeed
        ? undefined
        : openFeed(run.recipe.source, {
            lot: () => this.#lot,
            knownFiles,
            outputFolder: run.recipe.outputFolder,
            signal: this.#ending.signal,
            onNews: (news) => {
              if (news.type === 'lost') {
                this.#troubles.raise({ code: 'feedLost', message: news.message, remedy: news.remedy });
              } else if (news.type === 'back') this.#troubles.clear('feedLost');
              else if (news.type === 'skipped') parts.station.tell('skipped', { projectId, frames: news.frames });
            },
          });
    this.#camera = feed?.camera;
    this.#queue = new PartQueue(feed?.parts);
    this.#queue.push(...run.pending.map(pendingPart));
  }

  /** @throws UserError when the model can't be opened */
  static async start(run: FeedRun, parts: RunnerParts): Promise<FeedRunner> {
    const runner = new FeedRunner(run, parts, await (parts.openModel ?? openModel)(run.model));
    runner.#ended = runner.#judgeAll();
    return runner;
  }

  get opened(): OpenedModel {
    return this.#model.opened;
  }

  /** Settles when the run has ended, by itself or because it was stopped. */
  get ended(): Promise<void> {
    return this.#ended ?? Promise.resolve();
  }

  async useModel(use: ModelUse): Promise<OpenedModel> {
    const loaded = await (this.#parts.openModel ?? openModel)(use);
    const replaced = this.#nextModel;
    this.#nextModel = loaded;
    await replaced?.detector.close();
    this.#queue.cut();
    return loaded.opened;
  }

  /** Side of the model's input, pixels. @throws UserError `feedStopped` when another model judges */
  inputSize(modelHash: string): number {
    const model = [this.#model, this.#nextModel].find((loaded) => loaded?.use.modelHash === modelHash);
    if (model === undefined) throw new UserError('feedStopped', 'Another model judges by now.');
    return model.detector.inputSize;
  }

  watchDrift(baseline: DriftBaseline): void {
    this.#light.watch(baseline);
  }

  async startShadow(use: ModelUse): Promise<void> {
    const { station } = this.#parts;
    const { projectId, recipe } = this.#run;
    const model = await (this.#parts.openModel ?? openModel)(use);
    await this.stopShadow();
    if (this.#ending.signal.aborted) return model.detector.close();
    this.#shadow = new ShadowRunner(model, recipe ?? wholePicture, (news) =>
      station.tell('shadowed', { projectId, ...news }),
    );
  }

  async stopShadow(): Promise<void> {
    const shadow = this.#shadow;
    this.#shadow = undefined;
    await shadow?.close();
  }

  setLot(lot: string): void {
    this.#lot = lot;
  }

  /** Judges files and folders beside the feed. @returns how many parts they are */
  async judgeFiles(paths: readonly string[]): Promise<number> {
    const found = await listParts(paths);
    // A person who hands a file over again wants it judged again, by the model that holds now.
    const drop = randomUUID();
    this.#queue.push(
      ...found.map((part, i) => ({
        ...part,
        recordKey: `dropped:${drop}:${String(i)}`,
        serial: null,
        lot: this.#lot,
        className: null,
      })),
    );
    return found.length;
  }

  takeFrame(frame: CameraFrame): Promise<FrameAnswer> {
    if (this.#camera === undefined) return Promise.resolve({ partId: null, reason: 'No camera feed is running.' });
    return this.#camera.take(frame);
  }

  /** Judges what is on its way, then ends. @param graceMs after that, even waiting for a full disk ends */
  async stop(graceMs = 3000): Promise<void> {
    this.#ending.abort();
    for (const part of this.#queue.close()) part.onTaken?.(null, 'The feed was stopped.');
    const timer = setTimeout(() => this.#giveUp.abort(), graceMs);
    await this.ended.catch(() => undefined);
    clearTimeout(timer);
  }

  async #judgeAll(): Promise<void> {
    const { projectId, recipe } = this.#run;
    const geometry = recipe ?? wholePicture;
    let fault = null;
    try {
      const folder = recipe?.outputFolder ?? null;
      if (folder !== null) {
        this.#outputs = await insist(() => OutputFolder.open(folder), this.#troubles, this.#giveUp.signal);
      }
      await this.#tellAgain();
      while (!this.#queue.done) {
        const { detector, use } = this.#model;
        await inspectParts(this.#queue.stretch(), {
          detector,
          ...(use.note !== undefined && { note: use.note }),
          decode: (part) => this.#take(part),
          prepare: (picture, size) => {
            const prepared = preparePicture(picture, { size, ...pixelGeometry(geometry, picture) });
            this.#light.measure(picture, prepared);
            return prepared;
          },
          keep: (record, part, evidence) => this.#keep(record, part, evidence),
          sinks: [{ accept: (record, part, evidence) => this.#tell(record, part, evidence) }],
        });
        await this.#swap();
      }
    } catch (error) {
      fault = faultOf(error);
    } finally {
      this.#ending.abort();
      this.#queue.close();
      await this.#outputs?.close().catch(() => undefined);
      await this.stopShadow();
      await this.#model.detector.close();
      await this.#nextModel?.detector.close();
    }
    this.#parts.station.tell('runEnded', { projectId, fault });
  }

  /** Outputs hear of what the process before may not have told them. */
  async #tellAgain(): Promise<void> {
    for (const { part, picturePath } of this.#run.untold) {
      const bytes = picturePath === null ? undefined : await readFile(picturePath).catch(() => undefined);
      await this.#output(recordOf(part), toldPart(part, this.#run.recipe), part.id, bytes);
      this.#parts.station.tell('told', { projectId: this.#run.projectId, partId: part.id });
    }
  }

  async #output(record: InspectionRecord, part: FedPart, partId: number, bytes: Uint8Array | undefined) {
    const id = outputId(part.file, partId);
    const write = async (): Promise<void> => {
      await this.#outputs?.accept({ ...record, id }, part, bytes);
      await moveOriginal(this.#run.recipe, part, record.verdict, id);
    };
    await insist(write, this.#troubles, this.#giveUp.signal);
  }

  async #swap(): Promise<void> {
    if (this.#nextModel === undefined) return;
    const before = this.#model;
    this.#model = this.#nextModel;
    this.#nextModel = undefined;
    await before.detector.close();
  }

  /** Reads a part and makes it known, in the order in which parts came. Never rejects. */
  async #take(part: FedPart): Promise<DecodedFile | undefined> {
    const before = this.#presenting;
    let done: () => void = () => undefined;
    this.#presenting = new Promise((resolve) => (done = resolve));
    try {
      const read = await readPart(part).catch((error: unknown): ReadPart => unreadable(part, error));
      await before;
      return read === undefined ? this.#withdrawn(part) : await this.#present(part, read);
    } catch (error) {
      // Not durable, so not a part: it comes again, or the camera is told.
      part.onTaken?.(null, faultOf(error).message);
      return undefined;
    } finally {
      done();
    }
  }

  #withdrawn(part: FedPart): undefined {
    part.onTaken?.(null, 'The picture is gone.');
    return undefined;
  }

  async #present(part: FedPart, read: ReadPart): Promise<DecodedFile | undefined> {
    const { recordKey, contentHash } = read;
    if (this.#keysOnWay.has(recordKey)) return undefined;
    const { projectId } = this.#run;
    const { partId, verdict } = await insist(
      () =>
        this.#parts.station.call('present', {
          projectId,
          source: part.file,
          recordKey,
          serial: part.serial,
          lot: part.lot,
          path: part.content === undefined ? part.path : null,
          fileState: part.found === undefined ? null : stateKey(part.found),
        }),
      this.#troubles,
      this.#giveUp.signal,
    );
    part.onTaken?.(partId);
    if (verdict !== null) {
      await moveOriginal(this.#run.recipe, part, verdict, outputId(part.file, partId)).catch(() => undefined);
      return undefined;
    }
    this.#keysOnWay.add(recordKey);
    const onWay: OnItsWay = { partId, read, stored: null, answer: undefined };
    this.#onWay.set(part, onWay);
    const hash = contentHash === undefined ? {} : { contentHash };
    if (read.picture === undefined || read.bytes === undefined) {
      return { ...hash, reason: read.reason ?? 'The picture could not be read.' };
    }
    try {
      onWay.stored = await this.#store(part, read, read.picture, read.bytes);
    } catch (error) {
      if (mayPass(error)) this.#troubles.raise(faultOf(error));
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

  async #keep(record: InspectionRecord, part: FedPart, evidence: Evidence | undefined): Promise<void> {
    const onWay = this.#onWay.get(part)!;
    let hasHeatMap = false;
    if (evidence !== undefined && record.thresholds !== undefined) {
      const heat = heatBytes(evidence.result, record.thresholds, this.#run.recipe?.region ?? null);
      hasHeatMap = await this.#parts.files.saveHeatMap(onWay.partId, heatPng(heat)).then(
        () => true,
        () => false,
      );
    }
    const { partId, stored } = onWay;
    const news = decidedNews(record, part, evidence, {
      projectId: this.#run.projectId,
      partId,
      stored,
      hasHeatMap,
      model: this.#model,
    });
    onWay.answer = await insist(() => this.#parts.station.call('decide', news), this.#troubles, this.#giveUp.signal);
  }

  /** Shows a part and passes it on, after its record is durable. */
  async #tell(record: InspectionRecord, part: FedPart, evidence: Evidence | undefined): Promise<void> {
    const onWay = this.#onWay.get(part)!;
    const { partId, read, answer } = onWay;
    this.#onWay.delete(part);
    const region = this.#run.recipe?.region ?? null;
    if (answer !== undefined) this.#parts.live()?.show(() => livePart(record, evidence, answer, region));
    await this.#output(record, part, partId, read.bytes);
    this.#keysOnWay.delete(read.recordKey);
    this.#parts.station.tell('told', { projectId: this.#run.projectId, partId });
    this.#light.observe(record, evidence);
    this.#shadow?.take(partId, this.#model.use.modelId, record, evidence);
  }
}
