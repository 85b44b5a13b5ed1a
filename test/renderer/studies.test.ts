import type { Page } from '@playwright/test';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findChromium, startHarness, type Harness } from './harness.ts';
import { callsOf, pagesOf, seriousFindings } from './pages.ts';

/** Studies and a candidate beside the active model, in a browser of this machine against the fake station. */
const chromium = findChromium();
/** Pictures of the screens, for people to look at. */
const screens = join(import.meta.dirname, '../../.twinspect/renderer/screens');

describe.skipIf(chromium === undefined)('studies and the candidate beside the active model', () => {
  let harness: Harness;
  const complaints: string[] = [];
  beforeAll(async () => {
    mkdirSync(screens, { recursive: true });
    harness = await startHarness(chromium!);
  });
  afterAll(() => harness.close());

  const open = pagesOf(() => harness, complaints);
  const keep = (page: Page, name: string) => page.screenshot({ path: join(screens, `${name}.png`) });

  it('is planned, judged by keys, and shows its results', async () => {
    const page = await open('study');
    await page.getByText('Line 3, summer').first().waitFor();
    await page.getByRole('button', { name: 'Plan a study' }).click();
    await page.getByLabel('Name of the study').fill('Two parts');
    await page.getByLabel('Good parts').fill('2');
    await page.getByLabel('Defective parts').fill('2');
    await page.getByLabel('Person 1').fill('Ann');
    await page.getByText('Each judges 8 pictures').waitFor();
    expect(await seriousFindings(page)).toEqual([]);
    await page.getByRole('button', { name: 'Start the study' }).click();
    const mine = page.locator('.waiting li', { hasText: 'Two parts' });
    await mine.getByRole('button', { name: 'Begin' }).click();
    await page.getByText('0 of 8').waitFor();
    for (let judged = 0; judged < 8; judged++) {
      await page.getByText(`${String(judged)} of 8`, { exact: true }).waitFor();
      await page.locator('.answer:not([disabled])').first().waitFor();
      // Faster than anybody can look is no answer.
      await page.waitForTimeout(300);
      await page.keyboard.press(judged % 2 === 0 ? 'p' : 'f');
    }
    await page.getByText('You have judged all parts.').waitFor();
    expect((await callsOf(page)).filter((name) => name === 'study.answer')).toHaveLength(8);
    await page.keyboard.press('Escape');
    await page.locator('.study', { hasText: 'Two parts' }).getByRole('button', { name: 'Results' }).click();
    await page.getByText('Each appraiser against the truth').waitFor();
    await page.getByRole('button', { name: 'Report (PDF)' }).click();
    await page.getByText('Two-parts.pdf').waitFor();
    await page.context().close();
  });

  it('shows a judge a picture, two large buttons and how far it is, and nothing else', async () => {
    const page = await open('study/s2/Ada Berger');
    await page.locator('.answer:not([disabled])').first().waitFor();
    const text = await page.locator('.judge').innerText();
    expect(text.replaceAll(/\s+/g, ' ')).toMatch(/^Judging as Ada Berger 0 of 12 Pause ?Esc Pass ?P Fail ?F$/);
    for (const name of ['Pass', 'Fail', 'Pause']) {
      const box = (await page.getByRole('button', { name }).boundingBox())!;
      expect(box.height, name).toBeGreaterThanOrEqual(48);
      expect(box.width, name).toBeGreaterThanOrEqual(48);
    }
    // A second press before one can have seen the next part counts for nothing.
    await page.waitForTimeout(300);
    await page.keyboard.press('f');
    await page.keyboard.press('f');
    await page.getByText('1 of 12').waitFor();
    await page.waitForTimeout(400);
    expect((await callsOf(page)).filter((name) => name === 'study.answer')).toHaveLength(1);
    // It goes on where it stopped.
    await page.getByRole('button', { name: 'Pause' }).click();
    await page.getByRole('button', { name: 'Go on' }).click();
    await page.getByText('1 of 12').waitFor();
    await page.context().close();
  });

  it('asks people who can sign in, where there are accounts', async () => {
    const page = await open('study', { role: 'quality' });
    await page.getByRole('button', { name: 'Plan a study' }).click();
    await page.getByLabel('Name of the study').fill('With accounts');
    await page.getByRole('checkbox', { name: /Ada Berger/ }).check();
    await page.getByRole('checkbox', { name: /김서연/ }).check();
    await page.getByText('People: 2.').waitFor();
    expect(await seriousFindings(page)).toEqual([]);
    await page.getByRole('button', { name: 'Start the study' }).click();
    await page.locator('.study', { hasText: 'With accounts' }).getByText('김서연').waitFor();
    await page.context().close();
  });

  it('speaks every language: no key shows itself, nothing is cut off at the side', async () => {
    for (const language of ['de', 'ko', 'zh-CN'] as const) {
      const page = await open('study/s1', { language });
      for (const path of ['study/s1', 'study', 'study/s2/Ada Berger', 'train']) {
        await page.evaluate((hash) => (location.hash = `#/${hash}`), path);
        await page.waitForTimeout(500);
        if (path === 'train') {
          await page.locator('.models > ul button').last().click();
          await page.locator('article .head button').nth(1).click();
          await page.getByRole('dialog').waitFor();
          await page.keyboard.press('Enter');
          await page.locator('.shadow ul.words').waitFor();
        }
        expect(await page.evaluate(() => document.body.innerText)).not.toMatch(/\b(?:study|shadow|train)\.[a-z]\w+\b/);
        const overflow = await page.evaluate(() => {
          const screen = document.querySelector('main')!.firstElementChild!;
          return screen.scrollWidth - screen.clientWidth;
        });
        expect(overflow, `${language} ${path}`).toBeLessThanOrEqual(1);
        await keep(page, `${path.replaceAll(/[^a-z0-9]/gi, '-')}-${language}`);
      }
      await page.context().close();
    }
  });

  it('lets an operator see only what it has to judge', async () => {
    const page = await open('study', { role: 'operator' });
    await page.getByText('Waiting for you').waitFor();
    expect(await page.getByRole('button', { name: 'Plan a study' }).count()).toBe(0);
    expect(await page.getByText('Line 3, spring').count()).toBe(0);
    expect((await callsOf(page)).filter((name) => name === 'study.list')).toEqual([]);
    await page.context().close();
    const none = await open('inspect', { role: 'operator', failing: ['study.mine'] });
    await none.getByRole('link', { name: 'Label' }).waitFor();
    expect(await none.getByRole('link', { name: 'Studies' }).count()).toBe(0);
    await none.context().close();
  });

  it('lets a candidate judge beside the active model, lists where they differ, stops, and leads to its promotion', async () => {
    const page = await open('train');
    await page.getByRole('button', { name: /Model v1/ }).click();
    await page.getByRole('button', { name: 'Let it judge alongside' }).click();
    await page.getByLabel('Parts', { exact: true }).fill('400');
    expect(await seriousFindings(page)).toEqual([]);
    await page.keyboard.press('Enter');
    const panel = page.locator('.shadow');
    await panel.getByText('Parts judged by both: 212 of 400').waitFor();
    await panel.getByText('Same verdict on 203 of 212 parts').waitFor();
    await panel.getByText('longer than its cycle time').waitFor();
    await panel.getByRole('grid').press('ArrowDown');
    await panel.getByRole('grid').press('Enter');
    await page.getByRole('dialog').locator('.detail').waitFor();
    expect(await seriousFindings(page)).toEqual([]);
    await page.keyboard.press('Escape');
    await panel.getByRole('button', { name: 'Stop' }).click();
    await panel.getByRole('button', { name: 'Use model v1' }).click();
    await page.getByRole('dialog').getByText('Use model v1?').waitFor();
    await page.context().close();
  });

  for (const theme of ['light', 'dark', 'contrast'] as const) {
    it(`has nothing serious for axe, ${theme}`, async () => {
      const page = await open('study', { theme });
      await page.getByText('Line 3, spring').waitFor();
      await keep(page, `study-${theme}`);
      expect(await seriousFindings(page), 'list').toEqual([]);
      await page.getByRole('button', { name: 'Plan a study' }).click();
      await page.getByLabel('Name of the study').waitFor();
      await keep(page, `study-plan-${theme}`);
      await page.keyboard.press('Escape');
      await page.evaluate(() => (location.hash = '#/study/s2/Ada Berger'));
      await page.locator('.answer:not([disabled])').first().waitFor();
      await keep(page, `study-judge-${theme}`);
      expect(await seriousFindings(page), 'judge').toEqual([]);
      await page.evaluate(() => (location.hash = '#/study/s1'));
      await page.getByText('Each appraiser against the truth').waitFor();
      await page.waitForTimeout(300);
      await keep(page, `study-results-${theme}`);
      expect(await seriousFindings(page), 'results').toEqual([]);
      await page.locator('.results li button').first().scrollIntoViewIfNeeded();
      await page.waitForTimeout(300);
      await keep(page, `study-disagreements-${theme}`);
      await page.evaluate(() => (location.hash = '#/train'));
      await page.getByRole('button', { name: /Model v1/ }).click();
      await page.getByRole('button', { name: 'Let it judge alongside' }).click();
      await page.getByRole('dialog').getByRole('button', { name: 'Start' }).click();
      await page.locator('.shadow ul.words').waitFor();
      await page.locator('.shadow').scrollIntoViewIfNeeded();
      await page.waitForTimeout(300);
      await keep(page, `shadow-${theme}`);
      expect(await seriousFindings(page), 'shadow').toEqual([]);
      await page.context().close();
    });
  }

  it('broke nothing on the way', () => {
    expect(complaints).toEqual([]);
  });
});
