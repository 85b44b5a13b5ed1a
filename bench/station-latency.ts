/**
 * What training costs inspection: latency of parts (from opening the file to the verdict) on a replayed line, without a
 * training and while one runs, both in the station's own processes (plain Node instead of Electron).
 *
 *   node bench/run.mjs bench/station-latency.ts [--parts 150] [--interval 200]
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, loadavg, tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { formatTable } from '../main/cli/console.ts';
import { NodeHost } from '../main/processes/node-host.ts';
import { removeBundles } from '../main/processes/process-entry.ts';
import { partitionThreads } from '../main/processes/threads.ts';
import type { StationContext } from '../main/station/context.ts';
import { FeedService } from '../main/station/feed.ts';
import { ModelService } from '../main/station/models.ts';
import { pictureHandlers } from '../main/station/pictures.ts';
import { makeSampleProject } from '../main/station/sample-project.ts';
import { TrainingService } from '../main/station/training.ts';
import { openStore } from '../main/store/store.ts';
import { systemCaller } from '../main/store/types.ts';

const { values: options } = parseArgs({
  options: { parts: { type: 'string', default: '150' }, interval: { type: 'string', default: '200' } },
});
const wanted = Number(options.parts);
const folder = await mkdtemp(path.join(tmpdir(), 'twinspect-latency-'));
const store = await openStore(folder);
const context: StationContext = { folder, store, now: () => new Date().toISOString(), emit: () => undefined };
const host = new NodeHost();
const feeds = new FeedService(context, { host });
const models = new ModelService(context, { feeds });
const training = new TrainingService(context, { host, models });

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 100));
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
await until(() => feeds.state(projectId).state !== 'stopped');
const [recipe] = store.recipes.list(projectId);
await until(() => store.pictures.forTraining(projectId, ['golden']).length >= 168);
const quick = store.recipes.save({
  ...recipe!,
  source: { ...recipe!.source, intervalMs: Number(options.interval) } as NonNullable<typeof recipe>['source'],
});

/** Latencies of the next parts, the first ten left out. */
async function measure(): Promise<number[]> {
  await feeds.stop(projectId);
  const first = store.parts.newestId() + 1;
  await feeds.start(quick);
  const isDecided = (id: number): boolean => (store.parts.get(id)?.verdict ?? null) !== null;
  await until(() => isDecided(first + wanted + 9));
  await feeds.stop(projectId);
  const parts = Array.from({ length: wanted }, (_, i) => store.parts.get(first + 10 + i)!);
  return parts.flatMap(({ latencyMs }) => (latencyMs === null ? [] : [latencyMs])).sort((x, y) => x - y);
}

const rows: string[][] = [];
function report(what: string, times: readonly number[]): void {
  const at = (share: number): string => times[Math.min(times.length - 1, Math.floor(share * times.length))]!.toFixed(1);
  rows.push([what, String(times.length), at(0.5), at(0.95), times.at(-1)!.toFixed(1), loadavg()[0]!.toFixed(1)]);
}

report('without training', await measure());
training.start({ projectId, preset: 'embedded', engine: 'auto', seed: 1, activate: false }, systemCaller);
await until(() => ['memory', 'students'].includes(training.current(projectId)!.phase));
report(`with training (${training.current(projectId)!.phase})`, await measure());
await until(
  () => training.current(projectId)!.phase === 'students' || training.current(projectId)!.state !== 'running',
);
report(`with training (${training.current(projectId)!.phase})`, await measure());
const { id, state } = training.current(projectId)!;
if (state === 'running') await training.handlers['training.cancel']({ id }, systemCaller);
report('without training', await measure());

const cores = availableParallelism();
const shares = partitionThreads(cores);
console.log(formatTable(['', 'parts', 'median ms', 'p95 ms', 'longest ms', 'load'], rows));
console.log(
  `${String(cores)} cores; threads: inspection ${String(shares.inference)}, training ${String(shares.training)}; a part every ${options.interval} ms`,
);
await training.close();
await feeds.close();
store.close();
await removeBundles();
await rm(folder, { recursive: true, force: true });
