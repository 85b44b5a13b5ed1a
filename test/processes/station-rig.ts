import { cp, mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { StationEvent } from '../../shared/ipc/contract.ts';
import type { FeedState } from '../../shared/ipc/inspection.ts';
import { NodeHost } from '../../main/processes/node-host.ts';
import { projectRoot } from '../../main/system/project-root.ts';
import { openStore, type Store } from '../../main/store/store.ts';
import type { StationContext } from '../../main/station/context.ts';
import { FeedService, type FeedParts } from '../../main/station/feed.ts';
import { ModelService } from '../../main/station/models.ts';
import { pictureHandlers } from '../../main/station/pictures.ts';
import { makeSampleProject } from '../../main/station/sample-project.ts';
import { TrainingService } from '../../main/station/training.ts';

export const papers = path.join(projectRoot(), 'models', 'sample', 'papers');

/** Short waits, so that a test that kills processes doesn't wait for them. */
const times = { heartbeatMs: 500, hangMs: 20_000, firstWaitMs: 20, longestWaitMs: 50 };

/** A station without a window, in a folder of its own, with real processes. */
export class StationRig {
  readonly root: string;
  readonly store: Store;
  readonly context: StationContext;
  readonly feeds: FeedService;
  readonly models: ModelService;
  readonly training: TrainingService;
  readonly events: StationEvent[] = [];
  #listeners = new Set<() => void>();

  private constructor(root: string, store: Store, live?: FeedParts['openLivePort']) {
    this.root = root;
    this.store = store;
    this.context = {
      folder: store.folder,
      store,
      emit: (event) => {
        this.events.push(event);
        for (const listener of [...this.#listeners]) listener();
      },
      now: () => new Date().toISOString(),
    };
    const host = new NodeHost();
    this.feeds = new FeedService(this.context, { host, cores: 2, times, ...(live && { openLivePort: live }) });
    this.models = new ModelService(this.context, { feeds: this.feeds });
    const { models } = this;
    this.training = new TrainingService(this.context, { host, models, cores: 2, times, steps: 6 });
  }

  static async open(options: { root?: string; live?: FeedParts['openLivePort'] } = {}): Promise<StationRig> {
    const root = options.root ?? (await mkdtemp(path.join(tmpdir(), 'twinspect Ställe ')));
    return new StationRig(root, await openStore(path.join(root, 'station')), options.live);
  }

  /** Some pictures of some papers, in the layout of a data set. */
  async data(parts: readonly string[], counts: { train: number; test: number }): Promise<string> {
    const folder = path.join(this.root, 'data');
    for (const part of parts) {
      for (const [kind, count] of [
        ['train/good', counts.train],
        ['calibration/good', 3],
        ['test/good', counts.test],
        ['test/impurity', counts.test],
      ] as const) {
        await mkdir(path.join(folder, part, kind), { recursive: true });
        for (const name of (await readdir(path.join(papers, part, kind))).sort().slice(0, count)) {
          await cp(path.join(papers, part, kind, name), path.join(folder, part, kind, name));
        }
      }
    }
    return folder;
  }

  /** The sample project from a few pictures, with its instant model active and its feed running. */
  async sample(): Promise<string> {
    const project = await makeSampleProject(this.context, {
      importFolder: pictureHandlers(this.context)['pictures.importFolder'],
      training: this.training,
      feeds: this.feeds,
      folder: await this.data(['PA_BDP01_TL', 'PA_ZPB01_RL'], { train: 8, test: 4 }),
      full: false,
      onFailure: (error) => {
        throw error;
      },
    });
    if (project === null) throw new Error('there is a project already');
    return project.id;
  }

  /** The same with its feed stopped. */
  async idleSample(): Promise<string> {
    const projectId = await this.sample();
    await this.training.ended;
    await this.until('the feed', () => this.feed(projectId).state !== 'stopped');
    await this.feeds.stop(projectId);
    return projectId;
  }

  feed(projectId: string): FeedState {
    return this.feeds.state(projectId);
  }

  /** Waits for something that events lead to. */
  async until(what: string, isSo: () => boolean, longestMs = 150_000): Promise<void> {
    const start = Date.now();
    while (!isSo()) {
      if (Date.now() - start > longestMs) throw new Error(`did not come: ${what}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(done, 100);
        const listeners = this.#listeners;
        function done(): void {
          clearTimeout(timer);
          listeners.delete(done);
          resolve();
        }
        listeners.add(done);
      });
    }
  }

  async close(): Promise<void> {
    await this.training.close();
    await this.feeds.close();
    this.store.close();
  }

  async remove(): Promise<void> {
    await this.close();
    await rm(this.root, { recursive: true, force: true, maxRetries: 3 });
  }
}
