import type { Page } from '@playwright/test';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findChromium, startHarness, type Harness } from './harness.ts';
import { callsOf, pagesOf, seriousFindings } from './pages.ts';

/** Models and pictures in from files and out to them, in a browser of this machine against the fake station. */
const chromium = findChromium();
/** Pictures of the screens, for people to look at. */
const screens = join(import.meta.dirname, '../../.twinspect/renderer/screens');

describe.skipIf(chromium === undefined)('files in and out', { timeout: 300_000 }, () => {
  let harness: Harness;
  const complaints: string[] = [];
  beforeAll(async () => {
    mkdirSync(screens, { recursive: true });
    harness = await startHarness(chromium!);
  }, 300_000);
  afterAll(() => harness.close());

  const open = pagesOf(() => harness, complaints);
  const keep = (page: Page, name: string) => page.screenshot({ path: join(screens, `${name}.png`) });
  const press = async (page: Page, name: string): Promise<void> => {
    await page.getByRole('button', { name, exact: true }).focus();
    await page.keyboard.press('Enter');
  };
  /** Holds files over the window, and lets them go. */
  const drop = (page: Page, names: string[], letGo: boolean) =>
    page.evaluate(
      ([given, now]) => {
        const files = new DataTransfer();
        for (const name of given) files.items.add(new File(['x'], name));
        const event = { dataTransfer: files, cancelable: true };
        window.dispatchEvent(new DragEvent(now ? 'drop' : 'dragenter', event));
      },
      [names, letGo] as const,
    );

  for (const theme of ['light', 'dark'] as const) {
    it(`imports, exports and removes a model by keyboard alone, ${theme}`, async () => {
      const page = await open('train', { theme });
      await page.locator('.models li').first().waitFor();
      await press(page, 'Import a model');
      await page.getByText('Model v3 is here.').waitFor();
      const made = page.locator('.models li', { hasText: 'Model v3' }).getByRole('button');
      expect(await made.getAttribute('aria-pressed')).toBe('true');
      await page.locator('.models').scrollIntoViewIfNeeded();
      await keep(page, `models-${theme}`);
      expect(await seriousFindings(page), 'list').toEqual([]);
      await press(page, 'Export');
      await page.getByText('Written: /home/station/model-v3.twin').waitFor();
      // Closed without a word, nothing is lost.
      await press(page, 'Remove');
      await page.getByRole('dialog').getByText('Remove model v3?').waitFor();
      await keep(page, `models-remove-${theme}`);
      expect(await seriousFindings(page), 'question').toEqual([]);
      await page.keyboard.press('Escape');
      await page.getByRole('dialog').waitFor({ state: 'detached' });
      expect(await callsOf(page)).not.toContain('models.remove');
      await press(page, 'Remove');
      await page.getByRole('dialog').getByRole('button', { name: 'Remove', exact: true }).focus();
      await page.keyboard.press('Enter');
      await page.getByText('Model v3 was removed.').waitFor();
      expect(await page.locator('.models li').count()).toBe(2);
      // The keyboard goes on from the list.
      await page.waitForFunction(() => document.activeElement?.textContent.includes('Model v2'));
      await page.context().close();
    });

    it(`takes in pictures that are chosen or dropped, ${theme}`, async () => {
      const page = await open('project', { theme });
      await page.locator('.pictures .total').waitFor();
      await keep(page, `pictures-${theme}`);
      await press(page, 'From files');
      await page.getByText('3 pictures chosen.').waitFor();
      await page.getByLabel('Kept for').last().selectOption('golden');
      await page.getByText('once somebody has labelled them').waitFor();
      await keep(page, `pictures-files-${theme}`);
      expect(await seriousFindings(page), 'dialog').toEqual([]);
      await press(page, 'Take them in');
      await page.getByText('2 pictures added, 0 were known, 1 refused.').waitFor();
      await page.getByText('/home/station/notes.png').first().waitFor();
      // They are seen where they went.
      expect(await page.getByLabel('Kept for').inputValue()).toBe('golden');

      await drop(page, ['b10.png', 'b9.png'], false);
      await page.getByText('Drop pictures to take them into the project.').waitFor();
      await keep(page, `pictures-drop-${theme}`);
      expect(await seriousFindings(page), 'held above it').toEqual([]);
      await drop(page, ['b10.png', 'b9.png'], true);
      await page.getByText('2 pictures chosen.').waitFor();
      await press(page, 'Take them in');
      await page.getByText('2 pictures added, 0 were known, 0 refused.').waitFor();
      expect((await callsOf(page)).filter((name) => name === 'pictures.importFiles')).toHaveLength(2);
      await page.context().close();
    });
  }

  it('keeps the model that judges and the way back, and says why when the station refuses', async () => {
    const page = await open('train', { failing: ['models.import', 'models.export', 'models.remove'] });
    const remove = page.getByRole('button', { name: 'Remove', exact: true });
    for (const state of ['active', 'previous'] as const) {
      const version = await page.evaluate((wanted) => {
        const { data } = (window as unknown as { fake: { data: { models: { state: string; version: number }[] } } })
          .fake;
        return data.models.find((model) => model.state === wanted)?.version;
      }, state);
      expect(version, state).toBeDefined();
      await page.getByRole('button', { name: new RegExp(`Model v${version}`) }).click();
      await page.locator('article h2', { hasText: `Model v${version}` }).waitFor();
      expect(await remove.count(), state).toBe(0);
    }
    for (const name of ['Import a model', 'Export']) {
      await press(page, name);
      const toast = page.getByText('Another program is using');
      await toast.waitFor();
      await page.getByRole('button', { name: 'Close' }).click();
      await toast.waitFor({ state: 'detached' });
    }
    expect(await page.locator('.models li').count()).toBe(2);
    await page.context().close();
  });

  it('opens a dropped folder as one, wants a class first, and takes nothing from an operator', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'twinspect-drop-'));
    try {
      const page = await open('project');
      await page.locator('.pictures .total').waitFor();
      // The browser alone can hold a folder: no script can make one.
      const devtools = await page.context().newCDPSession(page);
      const data = { items: [], files: [folder], dragOperationsMask: 1 };
      for (const type of ['dragEnter', 'dragOver', 'drop'] as const)
        await devtools.send('Input.dispatchDragEvent', { type, x: 640, y: 500, data });
      await page.getByRole('dialog').getByText('What the folder holds').waitFor();
      await page.context().close();
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
    const bare = await open('project');
    await bare.evaluate(() => {
      const { data, tell } = (
        window as unknown as { fake: { data: { classes: unknown[] }; tell: (event: { type: 'projects' }) => void } }
      ).fake;
      data.classes.splice(0);
      tell({ type: 'projects' });
    });
    await bare.locator('button:disabled', { hasText: 'From files' }).waitFor();
    await drop(bare, ['a.png'], true);
    await bare.getByText('Pictures need a class to go into').waitFor();
    await bare.context().close();
    const operator = await open('project', { role: 'operator' });
    await operator.locator('.pictures .total').waitFor();
    expect(await operator.getByRole('button', { name: 'From files' }).count()).toBe(0);
    await drop(operator, ['a.png'], false);
    await drop(operator, ['a.png'], true);
    await operator.waitForTimeout(300);
    expect(await operator.getByText('Drop pictures').count()).toBe(0);
    expect(await operator.getByRole('dialog').count()).toBe(0);
    // Whoever signs in while the screen is open may do no more than elsewhere.
    await operator.evaluate(() => (location.hash = '#/train'));
    await operator.locator('.models li').first().waitFor();
    for (const name of ['Import a model', 'Export', 'Remove'])
      expect(await operator.getByRole('button', { name, exact: true }).count(), name).toBe(0);
    await operator.context().close();
  });

  it('fits in every language', async () => {
    for (const language of ['de', 'ko', 'zh-CN'] as const) {
      const page = await open('train', { language });
      for (const path of ['train', 'project']) {
        await page.evaluate((hash) => (location.hash = `#/${hash}`), path);
        await page
          .locator(path === 'train' ? '.models li' : '.pictures .total')
          .first()
          .waitFor();
        if (path === 'train') await page.locator('.models > ul button').last().click();
        const overflow = await page.evaluate(() => {
          const screen = document.querySelector('main')!.firstElementChild!;
          return screen.scrollWidth - screen.clientWidth;
        });
        expect(overflow, `${language} ${path}`).toBeLessThanOrEqual(1);
        await keep(page, `files-${path}-${language}`);
      }
      await page.context().close();
    }
  });

  it('broke nothing on the way', () => {
    expect(complaints).toEqual([]);
  });
});
