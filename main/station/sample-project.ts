import { copyFile, mkdir, readdir, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { Project, Recipe } from '../../shared/station/domain.ts';
import type { Handlers } from '../ipc/handler.ts';
import { systemCaller } from '../store/types.ts';
import { projectRoot } from '../system/project-root.ts';
import type { StationContext } from './context.ts';
import type { FeedService } from './feed.ts';
import type { TrainingService } from './training.ts';

export interface SampleParts {
  importFolder: Handlers['pictures.importFolder'];
  training: Pick<TrainingService, 'start' | 'ended'>;
  feeds: Pick<FeedService, 'start'>;
  /** Pictures to learn from and to replay; default: the bundled papers. */
  folder?: string;
  /** Whether the full training follows the instant one; default true. */
  full?: boolean;
  onFailure: (error: unknown) => void;
}

const settingsKey = 'sampleProject';
/** How far it came: each step is noted when it's whole, and what is not is done again, which changes nothing that is. */
const progress = z.object({
  projectId: z.string(),
  recipeId: z.string(),
  /** Pictures to learn from are in. */
  learned: z.boolean(),
  /** Golden pictures are in. */
  golden: z.boolean(),
  /** Nothing is left to do, or to be done by itself. */
  finished: z.boolean(),
});
type Progress = z.infer<typeof progress>;

const intervalMs = 1000;
/** Sheets of each kind of defect, for each kind of paper, on the replayed line. */
const badPerKind = 1;
/** Pictures per class that the first model learns from: enough to tell these sheets apart, and soon done. */
const firstShots = 8;

/**
 * On a station's first start: a project of twelve kinds of paper with its golden set, a line that is replayed, a model
 * that is ready in seconds, and then the full one in the background. Cut short at any moment, the next start goes on
 * where it was; call it after the training has been recovered. Nothing is done when there is, or was, a project.
 * @returns the project, once its pictures are in and the first training runs; null when there is nothing to do
 */
export async function makeSampleProject(context: StationContext, parts: SampleParts): Promise<Project | null> {
  const { store } = context;
  const line = join(context.folder, 'sample-line');
  const made = begin(context, line);
  if (made === null) return null;
  const { projectId, recipeId } = made;
  const project = store.projects.find(projectId);
  const recipe = store.recipes.list(projectId).find(({ id }) => id === recipeId);
  if (made.finished || project === null || recipe === undefined) return null;
  context.emit({ type: 'projects' });
  const source = parts.folder ?? join(projectRoot(), 'models', 'sample', 'papers');
  await copyLine(source, line);
  const input = { projectId, path: source, classId: null };
  if (!made.learned) {
    await parts.importFolder({ ...input, withGolden: false }, systemCaller);
    note(context, { learned: true });
    context.emit({ type: 'projects' });
  }
  const request = { projectId, engine: 'auto', seed: 0, activate: true } as const;
  // A training that was cut short goes on by itself, and may bring the first model.
  if (store.models.active(projectId) === null) await parts.training.ended;
  if (store.models.active(projectId) === null) {
    parts.training.start({ ...request, preset: 'instant' }, systemCaller, firstShots);
  }
  void untilActive(context, parts, projectId)
    .then(async (isActive) => {
      if (!isActive) return;
      // Whatever ails the line: the golden set is needed all the same.
      await parts.feeds.start(recipe).catch(parts.onFailure);
      if (!made.golden) {
        await parts.importFolder({ ...input, withGolden: true }, systemCaller);
        note(context, { golden: true });
        context.emit({ type: 'projects' });
      }
      // A full training that was cut short is going on already.
      await parts.training.ended;
      if (parts.full !== false && store.models.list(projectId).every(({ preset }) => preset === 'instant')) {
        parts.training.start({ ...request, preset: 'embedded' }, systemCaller);
      }
      note(context, { finished: true });
    })
    .catch(parts.onFailure);
  return store.projects.get(projectId);
}

async function untilActive({ store }: StationContext, { training }: SampleParts, projectId: string): Promise<boolean> {
  if (store.models.active(projectId) === null) await training.ended;
  return store.models.active(projectId) !== null;
}

/** Project, recipe and the note of both, all or nothing. @returns how far it is; null: this station wants none */
function begin(context: StationContext, line: string): Progress | null {
  const { store, now } = context;
  const known = progress.safeParse(store.settings.get(settingsKey));
  if (known.success) return known.data;
  if (store.projects.list().length > 0) return null;
  return store.transaction(() => {
    const project = store.projects.create({
      name: 'Sample: papers',
      note: 'Twelve kinds of printed paper, good sheets and sheets with impurities. PIPED by F. Bianconi, L. Ceccarelli, S. Saetta (CC BY 4.0).',
      createdAt: now(),
      sample: true,
    });
    const recipe: Recipe = store.recipes.save({
      id: null,
      projectId: project.id,
      name: 'Replayed line',
      source: { kind: 'replay', path: line, intervalMs },
      region: null,
      ignore: [],
      outputFolder: null,
      cycleTimeMs: null,
      lot: 'SAMPLE-1',
      updatedAt: now(),
    });
    const begun: Progress = {
      projectId: project.id,
      recipeId: recipe.id,
      learned: false,
      golden: false,
      finished: false,
    };
    store.settings.set(settingsKey, begun);
    return begun;
  });
}

function note({ store }: StationContext, step: Partial<Progress>): void {
  store.settings.set(settingsKey, { ...progress.parse(store.settings.get(settingsKey)), ...step });
}

/**
 * The sheets that no model learns from, as if they came down a line: all good ones, and of the bad ones few, since a line
 * with every second part bad is rightly taken for one that has changed. Those that are there whole stay.
 */
async function copyLine(source: string, target: string): Promise<void> {
  await mkdir(target, { recursive: true });
  for (const className of await readdir(source)) {
    const test = join(source, className, 'test');
    for (const kind of await readdir(test).catch(() => [])) {
      const names = (await readdir(join(test, kind))).sort();
      for (const name of kind === 'good' ? names : names.slice(0, badPerKind)) {
        const [from, to] = [join(test, kind, name), join(target, name)];
        const { size } = await stat(from);
        const there = await stat(to).catch(() => undefined);
        if (there?.size === size) continue;
        await copyFile(from, `${to}.partial`);
        await rename(`${to}.partial`, to);
      }
    }
  }
}
