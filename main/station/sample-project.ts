import { readdir } from 'node:fs/promises';
import { copyFile, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Project } from '../../shared/station/domain.ts';
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

const settingsKey = 'sampleProjectMade';
const intervalMs = 1000;
/** Pictures per class that the first model learns from: enough to tell these sheets apart, and soon done. */
const firstShots = 8;

/**
 * On a station's first start: a project of twelve kinds of paper with its golden set, a line that is replayed, a model
 * that is ready in seconds, and then the full one in the background. Nothing is done when there is, or was, a project.
 * @returns the project, once its pictures are in and the first training runs; null when it was made before
 */
export async function makeSampleProject(context: StationContext, parts: SampleParts): Promise<Project | null> {
  const { store } = context;
  if (store.settings.get(settingsKey) === true || store.projects.list().length > 0) return null;
  store.settings.set(settingsKey, true);
  const source = parts.folder ?? join(projectRoot(), 'models', 'sample', 'papers');
  const project = store.projects.create({
    name: 'Sample: papers',
    note: 'Twelve kinds of printed paper, good sheets and sheets with impurities. PIPED by F. Bianconi, L. Ceccarelli, S. Saetta (CC BY 4.0).',
    createdAt: context.now(),
    sample: true,
  });
  context.emit({ type: 'projects' });
  const line = join(context.folder, 'sample-line');
  await copyLine(source, line);
  const recipe = store.recipes.save({
    id: null,
    projectId: project.id,
    name: 'Replayed line',
    source: { kind: 'replay', path: line, intervalMs },
    region: null,
    ignore: [],
    outputFolder: null,
    cycleTimeMs: null,
    lot: 'SAMPLE-1',
    updatedAt: context.now(),
  });
  const input = { projectId: project.id, path: source, classId: null };
  await parts.importFolder({ ...input, withGolden: false }, systemCaller);
  context.emit({ type: 'projects' });
  const request = { projectId: project.id, engine: 'auto', seed: 0, activate: true } as const;
  parts.training.start({ ...request, preset: 'instant' }, systemCaller, firstShots);
  void parts.training.ended
    .then(async () => {
      if (store.models.active(project.id) === null) return;
      await parts.feeds.start(recipe);
      await parts.importFolder({ ...input, withGolden: true }, systemCaller);
      context.emit({ type: 'projects' });
      if (parts.full === false) return;
      parts.training.start({ ...request, preset: 'embedded' }, systemCaller);
    })
    .catch(parts.onFailure);
  return store.projects.get(project.id);
}

/** The sheets that no model learns from, good and bad, as if they came down a line. */
async function copyLine(source: string, target: string): Promise<void> {
  await mkdir(target, { recursive: true });
  for (const className of await readdir(source)) {
    const test = join(source, className, 'test');
    for (const kind of await readdir(test).catch(() => [])) {
      for (const name of await readdir(join(test, kind))) await copyFile(join(test, kind, name), join(target, name));
    }
  }
}
