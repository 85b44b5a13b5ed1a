/**
 * Sets the sample project up, and kills itself at a step:
 *   node sample-worker.mjs FOLDER PICTURES STEP
 * A step is a statement of the database. Says `done` when it came through to the end.
 */
import { makeSampleProject } from '../../main/station/sample-project.ts';
import { pictureHandlers } from '../../main/station/pictures.ts';
import { newModel } from '../store/new-model.ts';
import { openDyingStore } from './dying-store.ts';

const [folder = '', pictures = '', step = '0'] = process.argv.slice(2);
const store = await openDyingStore(folder, Number(step));

/** Trains in no time. Of a run that was killed nothing is left: taking one up again is the training's own business. */
class QuickTraining {
  ended: Promise<void> = Promise.resolve();
  starts: string[] = [];

  start({ projectId, preset }: { projectId: string; preset: string }): never {
    this.starts.push(preset);
    this.ended = new Promise((done) => setTimeout(done, 5)).then(() => {
      const id = preset === 'instant' ? 'quick' : 'full';
      store.transaction(() => {
        store.models.add({ ...newModel(projectId, id), preset });
        store.models.activate(id);
      });
    });
    return undefined as never;
  }
}
const training = new QuickTraining();
const context = { folder: store.folder, store, emit: () => undefined, now: () => new Date().toISOString() };
let feedStarts = 0;
await makeSampleProject(context, {
  importFolder: pictureHandlers(context)['pictures.importFolder'],
  training,
  feeds: {
    start: () => {
      feedStarts += 1;
      return Promise.resolve(undefined as never);
    },
  },
  folder: pictures,
  onFailure: (error) => {
    throw error;
  },
});
const isFinished = (): boolean =>
  (store.settings.get('sampleProject') as { finished?: boolean } | undefined)?.finished === true;
while (!isFinished()) await new Promise((done) => setTimeout(done, 5));
await training.ended;
store.close();
process.stdout.write(`done ${JSON.stringify({ feedStarts, trained: training.starts })}\n`);
