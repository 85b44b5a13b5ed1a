import { UserError } from '../../../shared/errors.ts';
import type { DriftBaseline } from '../../../shared/drift/types.ts';
import type { CameraFrame, CameraWord } from '../../../shared/ipc/live.ts';
import type { CameraFeed, FrameAnswer } from '../../feeds/camera.ts';
import type { FedPart } from '../../feeds/feed.ts';
import { openFeed } from '../../feeds/open-feed.ts';
import { PartQueue } from '../../feeds/part-queue.ts';
import { pixelGeometry } from '../../feeds/recipe-geometry.ts';
import { inspectParts } from '../../inspection/pipeline.ts';
import { SeenSet } from '../../inspection/seen-set.ts';
import { preparePicture } from '../../pictures/prepare.ts';
import type { StationFiles } from '../../store/files.ts';
import { faultOf } from '../fault.ts';
import type { FeedRun, ModelUse, OpenedModel, PendingPart, StationMethods } from '../inference-protocol.ts';
import type { Peer } from '../rpc.ts';
import { Troubles } from './insist.ts';
import { DriftMeter } from './drift-meter.ts';
import type { LiveLink } from './live-link.ts';
import { openModel, type LoadedModel } from './open-model.ts';
import { pendingPart } from './part-messages.ts';
import { PartWay } from './part-way.ts';
import { ShadowRunner } from './shadow-runner.ts';

export interface RunnerParts {
  station: Peer<StationMethods>;
  files: StationFiles;
  live: () => LiveLink | undefined;
  /** Tests hand in their own. */
  openModel?: typeof openModel;
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
  readonly #drift: DriftMeter;
  readonly #way: PartWay;
  #model: LoadedModel;
  #nextModel: LoadedModel | undefined;
  #shadow: ShadowRunner | undefined;
  #lot: string;
  /** What the feed's loss was last called. */
  #lostCode = 'feedLost';
  #changing: Promise<unknown> = Promise.resolve();
  #ended: Promise<void> | undefined;

  private constructor(run: FeedRun, parts: RunnerParts, model: LoadedModel) {
    this.#run = run;
    this.#parts = parts;
    this.#model = model;
    this.#lot = run.lot;
    const { projectId } = run;
    this.#troubles = new Troubles((fault) => parts.station.tell('feedFault', { projectId, fault }));
    this.#way = new PartWay(run, { ...parts, troubles: this.#troubles, giveUp: this.#giveUp.signal });
    this.#drift = new DriftMeter((values) => parts.station.tell('driftValues', { projectId, ...values }));
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
                const { code = 'feedLost', message, remedy } = news;
                this.#troubles.clear(this.#lostCode);
                this.#lostCode = code;
                this.#troubles.raise({ code, message, remedy });
              } else if (news.type === 'back') this.#troubles.clear(this.#lostCode);
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

  /** From the next part on. Changes hold in the order in which they were asked for, however long a model takes to open. */
  useModel(use: ModelUse): Promise<OpenedModel> {
    const change = this.#changing.then(async () => {
      const loaded = await (this.#parts.openModel ?? openModel)(use);
      if (this.#ending.signal.aborted) {
        await loaded.detector.close();
        throw new UserError('feedStopped', 'The feed was stopped.');
      }
      const replaced = this.#nextModel;
      this.#nextModel = loaded;
      this.#queue.cut();
      await replaced?.detector.close();
      return loaded.opened;
    });
    this.#changing = change.catch(() => undefined);
    return change;
  }

  /** The model that judges, or will soon. @throws UserError `feedStopped` when another one judges */
  model(modelHash: string): LoadedModel {
    const model = [this.#model, this.#nextModel].find((loaded) => loaded?.use.modelHash === modelHash);
    if (model === undefined) throw new UserError('feedStopped', 'Another model judges by now.');
    return model;
  }

  watchDrift(baseline: DriftBaseline): void {
    this.#drift.watch(baseline);
  }

  async startShadow(use: ModelUse): Promise<void> {
    const { station } = this.#parts;
    const { projectId } = this.#run;
    const model = await (this.#parts.openModel ?? openModel)(use);
    await this.stopShadow();
    if (this.#ending.signal.aborted) return model.detector.close();
    this.#shadow = new ShadowRunner(model, (news) => station.tell('shadowed', { projectId, ...news }));
  }

  async stopShadow(): Promise<void> {
    const shadow = this.#shadow;
    this.#shadow = undefined;
    await shadow?.close();
  }

  setLot(lot: string): void {
    this.#lot = lot;
  }

  /** Judges parts beside the feed that are durable already. */
  judgeParts(parts: readonly PendingPart[]): void {
    this.#queue.push(...parts.map(pendingPart));
  }

  takeFrame(frame: CameraFrame): Promise<FrameAnswer> {
    if (this.#camera === undefined) return Promise.resolve({ partId: null, reason: 'No camera feed is running.' });
    return this.#camera.take(frame);
  }

  hearCamera(word: CameraWord): void {
    this.#camera?.hear(word);
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
    const { projectId } = this.#run;
    let fault = null;
    try {
      await this.#way.open();
      while (!this.#queue.done) {
        const model = this.#model;
        const { detector, use } = model;
        // Every part of a stretch is taken, judged and written down before the next model comes: none is a mixture.
        await inspectParts(this.#queue.stretch(), {
          detector,
          ...(use.note !== undefined && { note: use.note }),
          decode: (part) => this.#way.take(part),
          prepare: (picture, size) => {
            const prepared = preparePicture(picture, { size, ...pixelGeometry(use.geometry, picture) });
            this.#drift.measure(picture, prepared);
            return prepared;
          },
          keep: (record, part, evidence) => this.#way.keep(record, part, evidence, model),
          sinks: [
            {
              accept: async (record, part, evidence) => {
                const partId = await this.#way.tell(record, part, evidence);
                this.#drift.observe(record, evidence);
                this.#shadow?.take(partId, use.modelId, record, evidence);
              },
            },
          ],
        });
        // Another one may have come while the one before was being closed.
        while (this.#nextModel !== undefined) await this.#swap();
      }
    } catch (error) {
      fault = faultOf(error);
    } finally {
      this.#ending.abort();
      this.#queue.close();
      await this.#way.close();
      await this.stopShadow();
      await this.#changing;
      await this.#model.detector.close();
      await this.#nextModel?.detector.close();
    }
    this.#parts.station.tell('runEnded', { projectId, fault });
  }

  async #swap(): Promise<void> {
    if (this.#nextModel === undefined) return;
    const before = this.#model;
    this.#model = this.#nextModel;
    this.#nextModel = undefined;
    await before.detector.close();
  }
}
