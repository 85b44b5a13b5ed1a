import { expect, test } from '@playwright/test';
import { cpSync, existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import {
  ask,
  freshFolder,
  keepScreen,
  papers,
  removeFolder,
  startStation,
  train,
  until,
  cancelSampleTraining,
  makeProject,
} from './station.ts';

test('a study: planned, judged by keys, survives a restart, results and report; then a candidate beside the line', async () => {
  test.setTimeout(480_000);
  const data = freshFolder();
  let station = await startStation(data);
  try {
    let { window } = station;
    await cancelSampleTraining(window);
    await makeProject(window, 'Line 3');
    await window.getByRole('link', { name: 'Studies' }).click();
    const projectId = (await ask(window, 'projects.list', {})).find(({ name }) => name === 'Line 3')!.id;
    const kind = readdirSync(papers).sort()[0]!;
    cpSync(path.join(papers, kind), path.join(data, 'source', kind), { recursive: true });
    const source = path.join(data, 'source');
    await ask(window, 'pictures.importFolder', { projectId, path: source, classId: null, withGolden: true });
    await train(window, projectId, 'instant');
    const [model] = await ask(window, 'models.list', { projectId });

    await window.getByRole('button', { name: 'Plan a study' }).first().click();
    await window.getByLabel('Name of the study').fill('First look');
    await window.getByLabel('Good parts').fill('3');
    await window.getByLabel('Defective parts').fill('3');
    await window.getByLabel('Rounds').selectOption('1');
    await window.getByLabel('Person 1').fill('Ann');
    await keepScreen(window, 'study-plan');
    await window.getByRole('button', { name: 'Start the study' }).click();
    await window.getByRole('button', { name: 'Begin' }).click();
    for (let judged = 0; judged < 6; judged++) {
      await expect(window.getByText(`${String(judged)} of 6`, { exact: true })).toBeVisible();
      await expect(window.getByRole('button', { name: 'Pass' })).toBeEnabled();
      if (judged === 2) await keepScreen(window, 'study-judge');
      if (judged === 3) {
        // The program ends in the midst of it; what was answered stays, and it goes on at the same part.
        await station.close();
        station = await startStation(data);
        ({ window } = station);
        await window.getByRole('link', { name: 'Studies' }).click();
        await window.getByRole('button', { name: 'Go on' }).click();
        await expect(window.getByText('3 of 6', { exact: true })).toBeVisible();
        await expect(window.getByRole('button', { name: 'Pass' })).toBeEnabled();
      }
      await window.waitForTimeout(300);
      await window.keyboard.press(judged % 2 === 0 ? 'p' : 'f');
    }
    await expect(window.getByText('You have judged all parts.')).toBeVisible();
    const [study] = await until(
      'the end of the study',
      () => ask(window, 'study.list', { projectId }),
      ([one]) => one?.state === 'finished',
    );
    await window.getByRole('button', { name: 'All studies' }).click();
    await window.getByRole('button', { name: 'Results' }).click();
    await expect(window.getByText('Each appraiser against the truth')).toBeVisible();
    await keepScreen(window, 'study-results');
    const pdf = path.join(data, 'study.pdf');
    expect((await ask(window, 'reports.study', { studyId: study!.id, path: pdf })).pages).toBeGreaterThanOrEqual(1);
    expect(readFileSync(pdf).subarray(0, 5).toString()).toBe('%PDF-');
    const csv = await ask(window, 'study.export', { studyId: study!.id, path: path.join(data, 'answers.csv') });
    expect(existsSync(csv.partsPath)).toBe(true);
    // Person and model: six answers each.
    expect(readFileSync(csv.path, 'utf8').trim().split('\n')).toHaveLength(13);

    // A copy of the model beside the model itself: they never differ.
    const file = path.join(data, 'model.twin');
    await ask(window, 'models.export', { modelId: model!.id, path: file });
    const candidate = await ask(window, 'models.import', { projectId, path: file });
    const recipe = await ask(window, 'recipes.save', {
      ...{ id: null, projectId, name: 'Again and again', region: null, ignore: [], outputFolder: null, lot: '' },
      source: { kind: 'replay', path: path.join(source, kind, 'test', 'good'), intervalMs: 300 },
      cycleTimeMs: null,
    });
    await ask(window, 'feed.start', { recipeId: recipe.id });
    await window.getByRole('link', { name: 'Train' }).click();
    await window.getByRole('button', { name: new RegExp(`Model v${String(candidate.version)}`) }).click();
    await window.getByRole('button', { name: 'Let it judge alongside' }).click();
    await window.getByLabel('Parts', { exact: true }).fill('4');
    await window.keyboard.press('Enter');
    const panel = window.getByRole('region', { name: `Model v${String(candidate.version)} judges beside` });
    await expect(panel.getByText('complete')).toBeVisible({ timeout: 60_000 });
    await expect(panel.getByText('Same verdict on 4 of 4 parts')).toBeVisible();
    await keepScreen(window, 'shadow');
    await ask(window, 'feed.stop', { projectId });
    await panel.getByRole('button', { name: `Use model v${String(candidate.version)}` }).click();
    await expect(window.getByRole('dialog').getByText(/has to pass all checks/)).toBeVisible();
    await keepScreen(window, 'shadow-promote');
    const audit = await ask(window, 'audit.verify', {});
    expect(audit.problems).toEqual([]);
    const { events } = await ask(window, 'audit.page', { before: null, limit: 200, action: null });
    const actions = new Set(events.map(({ action }) => action));
    for (const action of [
      'study.started',
      'study.finished',
      'data.exported',
      'model.shadowStarted',
      'model.shadowEnded',
    ])
      expect(actions, action).toContain(action);
  } finally {
    await station.close();
    removeFolder(data);
  }
});
