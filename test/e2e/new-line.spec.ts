import { expect, test } from '@playwright/test';
import { cpSync, existsSync, mkdirSync, readdirSync } from 'node:fs';
import path from 'node:path';
import PDFParser from 'pdf2json';
import {
  ask,
  everything,
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

/** The text of a PDF, page by page. */
function readPdf(file: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const parser = new PDFParser(null, true);
    parser.on('pdfParser_dataReady', () => resolve(parser.getRawTextContent()));
    parser.on('pdfParser_dataError', (error) => reject(error instanceof Error ? error : error.parserError));
    void parser.loadPDF(file);
  });
}

test('a new line: folder, train, thresholds, inspect, answer, one more product, old ones not worse, reports', async () => {
  test.setTimeout(480_000);
  const data = freshFolder();
  const [first, second] = readdirSync(papers).sort();
  const source = path.join(data, 'source');
  cpSync(path.join(papers, first!), path.join(source, first!), { recursive: true });
  const station = await startStation(data);
  const { window } = station;
  try {
    await cancelSampleTraining(window);

    // By the window's own form.
    await makeProject(window, 'Line 3');
    const project = (await ask(window, 'projects.list', {})).find(({ name }) => name === 'Line 3')!;
    const projectId = project.id;

    const look = await ask(window, 'pictures.lookAtFolder', { path: source });
    expect(look.classes.map(({ name }) => name)).toEqual([first]);
    const taken = await ask(window, 'pictures.importFolder', {
      projectId,
      path: source,
      classId: null,
      withGolden: true,
    });
    expect(taken.added).toBeGreaterThan(20);
    expect(taken.refused).toEqual([]);
    await keepScreen(window, 'projects-pictures');

    await train(window, projectId, 'instant');
    const [model] = await ask(window, 'models.list', { projectId });
    expect(model!.state).toBe('active');
    expect(model!.metrics[0]!.imageAuroc!).toBeGreaterThan(0.9);

    // Thresholds from labelled pictures, kept with their reason.
    const evidence = await ask(window, 'thresholds.evidence', { modelId: model!.id });
    const good = evidence.evidence.filter(({ gtLabel }) => gtLabel === 'pass').map(({ predScore }) => predScore);
    const bad = evidence.evidence.filter(({ gtLabel }) => gtLabel === 'fail').map(({ predScore }) => predScore);
    expect(good.length).toBeGreaterThan(0);
    expect(bad.length).toBeGreaterThan(0);
    const fail = (Math.max(...good) + Math.max(...bad)) / 2;
    await ask(window, 'thresholds.apply', {
      modelId: model!.id,
      thresholds: { review: Math.max(...good) + 1e-6, fail },
      basis: 'Between the highest good part and the highest defect.',
      reason: 'First settings of the line.',
      secret: null,
    });
    const changes = await ask(window, 'thresholds.history', { modelId: model!.id });
    expect(changes[0]).toMatchObject({ reason: 'First settings of the line.', thresholds: { fail } });

    // A folder feed: every file one verdict, by the thresholds just set.
    const inbox = path.join(data, 'inbox');
    mkdirSync(inbox);
    const recipe = await ask(window, 'recipes.save', {
      id: null,
      projectId,
      name: 'Inbox',
      source: { kind: 'folder', path: inbox, originals: 'keep', subFolder: 'none', namePattern: '' },
      region: null,
      ignore: [],
      outputFolder: null,
      cycleTimeMs: null,
      lot: 'L-2291',
    });
    await ask(window, 'feed.start', { recipeId: recipe.id });
    const test_ = path.join(papers, first!, 'test');
    let files = 0;
    for (const kind of readdirSync(test_)) {
      for (const name of readdirSync(path.join(test_, kind)).slice(0, 6)) {
        cpSync(path.join(test_, kind, name), path.join(inbox, `${kind}_${name}`));
        files++;
      }
    }
    const state = await until(
      'a verdict for every file',
      () => ask(window, 'feed.state', { projectId }),
      ({ counters }) => counters.pass + counters.fail + counters.review + counters.noDecision === files,
    );
    expect(state.counters.noDecision).toBe(0);
    expect(state.counters.presented).toBe(files);
    const page = await ask(window, 'history.page', { filter: everything(projectId), before: null, limit: 100 });
    expect(page.parts).toHaveLength(files);
    for (const part of page.parts) {
      expect(part.thresholds!.fail).toBe(fail);
      if (part.source.includes('good_')) expect(part.verdict).toBe('pass');
    }
    const failed = page.parts.find(({ verdict }) => verdict === 'fail')!;
    expect(failed.lot).toBe('L-2291');

    // A person answers, takes it back, answers again: nothing is overwritten.
    await ask(window, 'parts.answer', { partId: failed.id, verdict: 'pass', defectClass: null, why: null });
    expect((await ask(window, 'parts.undo', { projectId })).part!.personVerdict).toBeNull();
    const answered = await ask(window, 'parts.answer', {
      partId: failed.id,
      verdict: 'fail',
      defectClass: 'impurity',
      why: null,
    });
    expect(answered.personVerdict).toBe('fail');
    await ask(window, 'feed.stop', { projectId });
    await window.getByRole('link', { name: 'History' }).click();
    await expect(window.getByRole('grid')).toBeVisible();
    await keepScreen(window, 'history-parts');

    // Reports say what the records say.
    const lotPdf = path.join(data, 'lot.pdf');
    const written = await ask(window, 'reports.lot', {
      filter: { ...everything(projectId), lot: 'L-2291' },
      path: lotPdf,
    });
    expect(written.pages).toBeGreaterThanOrEqual(1);
    const lotText = await readPdf(lotPdf);
    expect(lotText).toContain('L-2291');
    expect(lotText).toContain(`Parts: ${files}`);
    expect(lotText).toContain(model!.modelHash);
    const partPdf = path.join(data, 'part.pdf');
    await ask(window, 'reports.part', { partId: failed.id, path: partPdf });
    const partText = (await readPdf(partPdf)).replaceAll(/\s+/g, '');
    expect(partText).toContain(failed.pictureSha256!);
    expect(partText).toContain('impurity');

    // One more product line into the running project: the old one must not get worse.
    cpSync(path.join(papers, second!), path.join(data, 'more', second!), { recursive: true });
    await ask(window, 'pictures.importFolder', {
      projectId,
      path: path.join(data, 'more'),
      classId: null,
      withGolden: true,
    });
    await train(window, projectId, 'instant');
    const models = await ask(window, 'models.list', { projectId });
    const newest = models.reduce((a, b) => (a.version > b.version ? a : b));
    expect(newest.classes.sort()).toEqual([first, second]);
    const gates = await ask(window, 'models.gates', { modelId: newest.id });
    expect(gates.find(({ gate }) => gate === 'parity')).toMatchObject({ passed: true });
    // A dozen pictures can't show that the old product is no worse; the gate says how many would.
    const old = gates.find(({ gate }) => gate === 'oldProducts')!;
    expect(old.statement).toMatch(/Further parts needed: \d+/);
    expect(newest.state).toBe('candidate');
    const refused = await ask(window, 'models.activate', { modelId: newest.id, override: null, secret: null });
    expect(refused.activated).toBe(false);
    const reason = 'Seen by hand: nothing changed on the old product.';
    const forced = await ask(window, 'models.activate', { modelId: newest.id, override: { reason }, secret: null });
    expect(forced.activated).toBe(true);
    await window.getByRole('link', { name: 'Train' }).click();
    await expect(window.getByRole('heading', { name: 'Train', exact: true })).toBeVisible();
    await keepScreen(window, 'train-models');

    // Back to the model before, in one step.
    const back = await ask(window, 'models.rollback', { projectId, reason: 'Trying the way back.', secret: null });
    expect(back.id).toBe(model!.id);
    const audit = await ask(window, 'audit.verify', {});
    expect(audit.problems).toEqual([]);
    expect(audit.events).toBeGreaterThan(8);
    expect(existsSync(lotPdf)).toBe(true);
  } finally {
    await station.close();
    removeFolder(data);
  }
});
