import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { bundleOptions } from '../../main/system/bundle-options.mjs';
import { projectRoot } from '../../main/system/project-root.ts';
import { seededRandom } from '../inspection/watch-process.ts';
import { temporaryFolder, temporaryStore } from '../store/helpers.ts';

const papers = join(projectRoot(), 'models', 'sample', 'papers');
let bundleFolder: string;
let worker: string;
beforeAll(async () => {
  // Beside the repository's packages, so that the worker finds the native ones.
  bundleFolder = mkdtempSync(join(projectRoot(), 'node_modules', '.twinspect-sample-'));
  worker = join(bundleFolder, 'worker.mjs');
  await build({ ...bundleOptions, entryPoints: [join(import.meta.dirname, 'sample-worker.ts')], outfile: worker });
});
afterAll(() => rmSync(bundleFolder, { recursive: true, force: true }));

/** Two classes with a few pictures each. */
function fewPapers(folder: string): string {
  for (const part of readdirSync(papers).sort().slice(0, 2)) {
    for (const kind of ['train/good', 'calibration/good', 'test/good', 'test/impurity']) {
      const from = join(papers, part, kind);
      mkdirSync(join(folder, part, kind), { recursive: true });
      for (const name of readdirSync(from).sort().slice(0, 3)) cpSync(join(from, name), join(folder, part, kind, name));
    }
  }
  return folder;
}

const start = (folder: string, pictures: string, step: number) =>
  spawnSync(process.execPath, [worker, folder, pictures, String(step)], { encoding: 'utf8' });

/** All that the set-up makes, but for ids and times. */
async function whatIsThere(folder: string): Promise<object> {
  const store = await temporaryStore(folder);
  try {
    const [project, ...others] = store.projects.list();
    const { id } = project!;
    const counted = store.database.all<{ use: string; label: string | null; n: number }>(
      'SELECT use, gt_label AS label, count(*) AS n FROM project_pictures WHERE project_id = ? GROUP BY 1, 2 ORDER BY 1, 2',
      id,
    );
    return {
      others: others.length,
      sample: project!.sample,
      recipes: store.recipes.list(id).map(({ name, lot }) => ({ name, lot })),
      classes: store.projects
        .classes(id)
        .map(({ name, normalPictures, goldenPictures }) => ({ name, normalPictures, goldenPictures })),
      counted,
      labels: store.database.value<number>('SELECT count(*) FROM labels'),
      // The full one may still be in training when all else is whole; its run is taken up by the training itself.
      hasModel: store.models.active(id) !== null,
      line: readdirSync(join(folder, 'sample-line'))
        .filter((name) => !name.endsWith('.partial'))
        .map((name) => [name, statSync(join(folder, 'sample-line', name)).size]),
      sound: store.database.value('PRAGMA integrity_check'),
    };
  } finally {
    store.close();
  }
}

it('is whole in the end, whenever the station was killed while it was being set up', { timeout: 600_000 }, async () => {
  const pictures = fewPapers(join(temporaryFolder(), 'papers'));
  const whole = temporaryFolder();
  const told = start(whole, pictures, 0);
  expect(told.stdout, told.stderr).toBe('done {"feedStarts":1,"trained":["instant","embedded"]}\n');
  const wanted = await whatIsThere(whole);
  expect(wanted).toMatchObject({ others: 0, labels: 12, hasModel: true });

  const random = seededRandom(11);
  let kills = 0;
  for (let chain = 0; chain < 2; chain++) {
    const folder = temporaryFolder();
    for (let attempt = 0; ; attempt++) {
      // The first ones early, where most is in its midst; the steps of a whole set-up are some 250.
      const step = 1 + Math.floor(random() * (attempt < 3 ? 60 : 150));
      const ended = start(folder, pictures, step);
      if (ended.stdout.startsWith('done')) break;
      expect(ended.signal, ended.stderr).toBe('SIGKILL');
      kills += 1;
      if (attempt > 30) throw new Error('it never comes to an end');
    }
    const found = await whatIsThere(folder);
    expect(found).toEqual(wanted);
    for (const name of readdirSync(join(folder, 'sample-line')))
      expect(readFileSync(join(folder, 'sample-line', name))).toEqual(readFileSync(join(whole, 'sample-line', name)));
    // Once it's whole, nothing happens by itself any more: no feed, no training.
    expect(start(folder, pictures, 0).stdout).toBe('done {"feedStarts":0,"trained":[]}\n');
  }
  expect(kills).toBeGreaterThanOrEqual(4);
});
