/**
 * The first minute of a new station: from an empty folder to the first failed part of the bundled sample, and to the
 * full model, with the station's real processes (plain Node instead of Electron).
 *
 *   node bench/run.mjs bench/station-start.ts [--full]
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, loadavg, tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { FeedService } from '../main/station/feed.ts';
import { ModelService } from '../main/station/models.ts';
import { pictureHandlers } from '../main/station/pictures.ts';
import { makeSampleProject } from '../main/station/sample-project.ts';
import { TrainingService } from '../main/station/training.ts';
import { NodeHost } from '../main/processes/node-host.ts';
import { removeBundles } from '../main/processes/process-entry.ts';
import { openStore } from '../main/store/store.ts';

const { values: options } = parseArgs({ options: { full: { type: 'boolean', default: false } } });
const folder = await mkdtemp(path.join(tmpdir(), 'twinspect-start-'));
const started = performance.now();
const say = (what: string): void => {
  console.log(`${((performance.now() - started) / 1000).toFixed(1).padStart(7)} s  ${what}`);
};
const said = new Set<string>();
const sayOnce = (what: string): void => {
  if (said.has(what)) return;
  said.add(what);
  say(what);
};

const store = await openStore(folder);
let done: () => void = () => undefined;
const finished = new Promise<void>((resolve) => (done = resolve));
const context = {
  folder,
  store,
  now: () => new Date().toISOString(),
  emit: (event: Parameters<ConstructorParameters<typeof FeedService>[0]['emit']>[0]) => {
    if (event.type === 'training') {
      const { request, phase, state } = event.training;
      sayOnce(`${request.preset}: ${state === 'running' ? phase : state}`);
      if (state === 'failed') console.log(event.training.error);
      if (request.preset === 'embedded' && state !== 'running') setTimeout(done, 3000);
    }
    if (event.type === 'feed') {
      const { counters, state } = event.feed;
      sayOnce(`feed ${state}`);
      if (counters.pass > 0) sayOnce('first passed part');
      if (counters.fail > 0) sayOnce('first failed part');
      if (counters.fail > 0 && !options.full) done();
    }
  },
};
const host = new NodeHost();
const feeds = new FeedService(context, { host });
const models = new ModelService(context, { feeds });
const training = new TrainingService(context, { host, models });
await makeSampleProject(context, {
  importFolder: pictureHandlers(context)['pictures.importFolder'],
  training,
  feeds,
  full: options.full,
  onFailure: (error) => console.error(error),
});
say('the sample pictures are in');
await finished;
// The golden set comes in behind the first verdicts: nothing is closed under it.
const goldenPictures = (): number =>
  store.projects.list().reduce((sum, { id }) => sum + store.pictures.forTraining(id, ['golden']).length, 0);
for (let before = -1; before < goldenPictures() || before === 0;) {
  before = goldenPictures();
  await new Promise((resolve) => setTimeout(resolve, 2_000));
}
const [project] = store.projects.list();
for (const { version, preset, state, metrics } of store.models.list(project!.id)) {
  const aurocs = metrics.flatMap(({ imageAuroc }) => (imageAuroc === null ? [] : [imageAuroc]));
  const mean = aurocs.reduce((sum, value) => sum + value, 0) / aurocs.length;
  console.log(`model v${String(version)}: ${preset}, ${state}, mean AUROC on the golden set ${mean.toFixed(4)}`);
}
console.log(feeds.state(project!.id));
console.log(
  `${String(availableParallelism())} cores, load average ${loadavg()
    .map((load) => load.toFixed(1))
    .join(', ')}`,
);
await training.close();
await feeds.close();
store.close();
await removeBundles();
await rm(folder, { recursive: true, force: true });
