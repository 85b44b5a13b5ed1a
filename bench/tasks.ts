/**
 * How many clicks, keys and seconds the daily tasks take, in the real program: somebody clicks and types at its window,
 * and the window counts what arrives.
 *
 *   xvfb-run -a -s "-screen 0 1920x1080x24" node bench/run.mjs bench/tasks.ts [--only words] [--out tasks.json]
 *
 * Clicks in windows that the system draws (file dialogs, lists of choices) can't be seen from inside: each such dialog
 * or list counts as two. Seconds are those of the keystroke-level model, plus what the program made a person wait.
 */
import { DatabaseSync } from '@photostructure/sqlite';
import { _electron, expect } from '@playwright/test';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, loadavg, tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { formatTable } from '../main/cli/console.ts';
import { projectRoot } from '../main/system/project-root.ts';
import { ask, until } from '../test/e2e/station.ts';
import { readyToStart } from './station-app.ts';
import { atInspect, tasks, type Given } from './tasks-list.ts';
import { Person, type Effort } from './tasks-person.ts';

const { values: options } = parseArgs({ options: { only: { type: 'string' }, out: { type: 'string' } } });
const executablePath = await readyToStart();
const root = projectRoot();
const papers = path.join(root, 'models', 'sample', 'papers');
const folder = mkdtempSync(path.join(tmpdir(), 'twinspect-tasks-'));
const rows: { task: string; who: string; effort: Effort }[] = [];

function report({ clicks, keys, waitedS, personS }: Effort): string[] {
  return [String(clicks), String(keys), waitedS.toFixed(1), personS.toFixed(1)];
}

const started = performance.now();
const app = await _electron.launch({
  executablePath,
  args: [root, `--user-data-dir=${path.join(folder, 'data')}`, '--disable-gpu'],
  timeout: 120_000,
});
try {
  const window = await app.firstWindow();
  window.setDefaultTimeout(120_000);
  const verdict = window.getByRole('complementary', { name: 'Verdict' });
  await expect(verdict.getByText('FAIL', { exact: true }).first()).toBeVisible({ timeout: 300_000 });
  const firstS = (performance.now() - started) / 1000;
  rows.push({
    task: 'First verdict: from the very first start to a failed part with its heat map',
    who: 'operator',
    effort: { clicks: 0, keys: 0, steps: 0, waitedS: firstS, personS: firstS },
  });
  const [project] = await ask(window, 'projects.list', {});
  const projectId = project!.id;
  // The full training would only take the machine's time.
  const run = await until(
    'the full training',
    () => ask(window, 'training.current', { projectId }),
    (state) => state?.state === 'running' && state.request.preset === 'embedded',
    300_000,
  );
  await ask(window, 'training.cancel', { id: run!.id });
  await until(
    'its end',
    () => ask(window, 'training.current', { projectId }),
    (state) => state?.state === 'cancelled',
  );
  await makeSerials();
  const person = await Person.sitDown(app, window);
  const store = new DatabaseSync(path.join(folder, 'data', 'station', 'station.db'), { readOnly: true });
  const labels = (): number => Number(store.prepare('SELECT count(*) AS n FROM labels').get()?.['n'] ?? 0);
  const given: Given = { person, window, projectId, folder: path.join(folder, 'out'), papers, labels };
  mkdirSync(given.folder);
  for (const task of tasks) {
    if (options.only !== undefined && !task.name.toLowerCase().includes(options.only.toLowerCase())) continue;
    try {
      await atInspect(window, projectId);
      await task.before?.(given);
      await person.effort();
      await task.run(given);
      rows.push({ task: task.name, who: task.who, effort: await person.effort() });
      await task.after?.(given);
    } catch (error) {
      // The other tasks are still worth knowing.
      process.exitCode = 1;
      const picture = path.join(tmpdir(), `twinspect-task-${String(tasks.indexOf(task))}.png`);
      await window.screenshot({ path: picture });
      console.error(`${task.name}: ${String(error).split('\n').slice(0, 3).join(' ')} (see ${picture})`);
      await window.keyboard.press('Escape');
      await person.effort().catch(() => undefined);
    }
  }
  store.close();

  /** Parts with serials, as a folder feed names them. */
  async function makeSerials(): Promise<void> {
    await ask(window, 'feed.stop', { projectId });
    const inbox = path.join(folder, 'inbox');
    mkdirSync(inbox);
    const kind = path.join(papers, readdirSync(papers).sort()[0]!, 'test', 'good');
    readdirSync(kind)
      .slice(0, 8)
      .forEach((name, i) => cpSync(path.join(kind, name), path.join(inbox, `SN-000${String(i)}.png`)));
    const recipe = await ask(window, 'recipes.save', {
      id: null,
      projectId,
      name: 'Inbox',
      source: { kind: 'folder', path: inbox, originals: 'keep', subFolder: 'none', namePattern: '{serial}' },
      region: null,
      ignore: [],
      outputFolder: null,
      cycleTimeMs: null,
      lot: 'L-2291',
    });
    const before = (await ask(window, 'feed.state', { projectId })).counters.presented;
    await ask(window, 'feed.start', { recipeId: recipe.id });
    await until(
      'the parts with serials',
      () => ask(window, 'feed.state', { projectId }),
      ({ counters: { presented, pass, fail, review, noDecision } }) =>
        presented > 0 && presented - before !== 0 && pass + fail + review + noDecision === presented,
    );
  }
} finally {
  await app.close();
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
}
const head = ['task', 'who', 'clicks', 'keys', 'waited s', 'practised person s'];
console.log(
  formatTable(
    head,
    rows.map(({ task, who, effort }) => [task, who, ...report(effort)]),
  ),
);
console.log(
  `${String(availableParallelism())} cores, load average ${loadavg()
    .map((load) => load.toFixed(1))
    .join(', ')}`,
);
if (options.out !== undefined) writeFileSync(options.out, JSON.stringify(rows, null, 1));
