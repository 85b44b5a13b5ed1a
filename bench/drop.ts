/**
 * Ten thousand picture files at once, dropped and in a watched folder: whether each gets its one verdict, how far memory
 * goes, and how long the process that owns the database is deaf meanwhile. Real files, the real processes (plain Node
 * instead of Electron), a real model of the bundled papers.
 *
 *   node bench/run.mjs bench/drop.ts [--files 10000]
 */
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { loadavg, tmpdir } from 'node:os';
import path from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import { formatTable } from '../main/cli/console.ts';
import { losslessPng } from '../main/processes/inference/evidence.ts';
import { NodeHost } from '../main/processes/node-host.ts';
import { removeBundles } from '../main/processes/process-entry.ts';
import type { StationContext } from '../main/station/context.ts';
import { FeedService } from '../main/station/feed.ts';
import { ModelService } from '../main/station/models.ts';
import { pictureHandlers } from '../main/station/pictures.ts';
import { makeSampleProject } from '../main/station/sample-project.ts';
import { TrainingService } from '../main/station/training.ts';
import { openStore } from '../main/store/store.ts';
import { systemCaller } from '../main/store/types.ts';

const { values: options } = parseArgs({ options: { files: { type: 'string', default: '10000' } } });
const files = Number(options.files);
const sidePx = 64;
const root = await mkdtemp(path.join(tmpdir(), 'twinspect-drop-'));
const store = await openStore(path.join(root, 'station'));
const context: StationContext = {
  folder: store.folder,
  store,
  now: () => new Date().toISOString(),
  emit: () => undefined,
};
const host = new NodeHost();
const feeds = new FeedService(context, { host });
const training = new TrainingService(context, { host, models: new ModelService(context, { feeds }) });

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 100));
}

/** Noise, so that no two are alike and none is quickly decoded from a cache. */
async function makeFiles(folder: string): Promise<string[]> {
  await mkdir(folder);
  const paths: string[] = [];
  for (let n = 0; n < files; n++) {
    const data = Uint8Array.from({ length: 3 * sidePx * sidePx }, (_, i) => (n * 7 + i * 31 + ((i * n) % 13)) % 256);
    const file = path.join(folder, `part ${String(n).padStart(5, '0')}.png`);
    await writeFile(file, await losslessPng({ width: sidePx, height: sidePx, data }));
    paths.push(file);
  }
  return paths;
}

const project = await makeSampleProject(context, {
  importFolder: pictureHandlers(context)['pictures.importFolder'],
  training,
  feeds,
  full: false,
  onFailure: (error) => {
    throw error;
  },
});
await training.ended;
const projectId = project!.id;
await until(() => (store.settings.get('sampleProject') as { finished: boolean }).finished);
await feeds.stop(projectId);
await training.close();
const [line] = store.recipes.list(projectId);

const residentMb = async (pid: number | undefined): Promise<number> => {
  const status = await readFile(`/proc/${String(pid)}/status`, 'utf8').catch(() => '');
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024;
};
const inferencePid = (): number | undefined => feeds.supervisor.status.pid;
const decided = (after: number): number => {
  const { pass, fail, review, noDecision } = store.parts.counters(projectId, after);
  return pass + fail + review + noDecision;
};

const head = [
  ...['', 'files', 'parts', 'no decision', 's to hand over', 's to the last verdict', 'station MB', 'inference MB'],
  ...['station deaf, ms: 99 % / longest', 'load'],
];
const rows: string[][] = [];
/** Runs one way of handing the files over, to the last verdict. */
async function measure(what: string, hand: (folder: string, paths: string[]) => unknown): Promise<void> {
  const folder = path.join(root, what);
  const paths = await makeFiles(folder);
  const before = store.parts.newestId();
  const delay = monitorEventLoopDelay({ resolution: 5 });
  const peak = { station: 0, inference: 0 };
  const watch = setInterval(() => {
    peak.station = Math.max(peak.station, process.memoryUsage.rss() / 2 ** 20);
    void residentMb(inferencePid()).then((mb) => (peak.inference = Math.max(peak.inference, mb)));
  }, 500);
  const start = [process.memoryUsage.rss() / 2 ** 20, await residentMb(inferencePid())] as const;
  delay.enable();
  const startMs = performance.now();
  await hand(folder, paths);
  const handedMs = performance.now() - startMs;
  await until(() => decided(before) >= files);
  const allMs = performance.now() - startMs;
  delay.disable();
  clearInterval(watch);
  const { counters } = await feeds.stop(projectId);
  const sum = store.parts.counters(projectId, before);
  if (sum.presented !== files || counters.presented !== files || store.parts.undecided().length > 0) {
    throw new Error(`${what}: ${String(files)} in, ${JSON.stringify(sum)} out`);
  }
  rows.push([
    what,
    String(files),
    String(sum.presented),
    String(sum.noDecision),
    (handedMs / 1000).toFixed(1),
    (allMs / 1000).toFixed(0),
    `${start[0].toFixed(0)} -> ${peak.station.toFixed(0)}`,
    `${start[1].toFixed(0)} -> ${peak.inference.toFixed(0)}`,
    `${(delay.percentile(99) / 1e6).toFixed(0)} / ${(delay.max / 1e6).toFixed(0)}`,
    loadavg()[0]!.toFixed(1),
  ]);
  console.log(formatTable(head, rows));
}

await measure('dropped', (_, paths) => feeds.handlers['feed.judgeFiles']({ projectId, paths }, systemCaller));
await measure('folder', (folder) =>
  feeds.start(
    store.recipes.save({
      ...line!,
      id: null,
      name: 'Folder',
      source: { kind: 'folder', path: folder, originals: 'keep', subFolder: 'none', namePattern: '' },
    }),
  ),
);
await feeds.close();
store.close();
await removeBundles();
await rm(root, { recursive: true, force: true });
