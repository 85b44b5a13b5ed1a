/**
 * Changes the model of a station, and kills itself before one of the database's steps:
 *   node switch-worker.mjs FOLDER PROJECT activate|rollback STEP
 * Says `done` when there are no that many steps.
 */
import { ModelService } from '../../main/station/models.ts';
import { openDyingStore } from './dying-store.ts';

const [folder = '', projectId = '', what = '', step = '0'] = process.argv.slice(2);
const store = await openDyingStore(folder, Number(step));
const context = { folder: store.folder, store, emit: () => undefined, now: () => new Date().toISOString() };
const models = new ModelService(context, {
  feeds: {
    score: () => Promise.resolve([]),
    scoreWith: () => Promise.resolve([]),
    cancelScoring: () => Promise.resolve(),
    modelChanged: () => Promise.resolve(),
  },
});
const ann = { userId: null, name: 'Ann', role: 'quality' as const };
if (what === 'activate') await models.activate('m3', ann, { reason: 'The line waits for it.' }, null);
else await models.handlers['models.rollback']({ projectId, reason: 'Too strict.', secret: null }, ann);
store.close();
process.stdout.write('done\n');
