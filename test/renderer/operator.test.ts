import type { Page } from '@playwright/test';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { FakeOptions } from './fake-station.ts';
import { findChromium, startHarness, type Harness } from './harness.ts';
import { callsOf, pagesOf, seriousFindings } from './pages.ts';

/** What the operator, the labeller and the administrator rely on, in a browser against the fake station. */
const chromium = findChromium();

describe.skipIf(chromium === undefined)('at the line', { timeout: 300_000 }, () => {
  let harness: Harness;
  const complaints: string[] = [];
  beforeAll(async () => {
    harness = await startHarness(chromium!);
  }, 300_000);
  afterAll(() => harness.close());
  const open = pagesOf(() => harness, complaints);

  /** Judges pictures of the sample until one has this verdict. */
  async function judge(page: Page, verdict: string): Promise<void> {
    await page.evaluate(async (wanted) => {
      const { live, data } = (
        window as unknown as {
          fake: {
            live: { judgeNext(): Promise<number> };
            data: { parts: { id: number; verdict: string }[] };
          };
        }
      ).fake;
      for (let i = 0; i < 200; i++) {
        const id = await live.judgeNext();
        if (data.parts.find((part) => part.id === id)?.verdict === wanted) return;
      }
    }, verdict);
    await page.locator(`.word[data-verdict=${verdict}]`).waitFor();
  }
  async function running(fake: FakeOptions = {}): Promise<Page> {
    const page = await open('inspect', { intervalMs: 1_000_000, ...fake });
    await page.getByRole('button', { name: 'Start' }).first().click();
    return page;
  }

  it('shows what holds: a person’s answer large, and the model’s below it, until it is taken back', async () => {
    const page = await running();
    await judge(page, 'fail');
    expect(await page.locator('.word').innerText()).toBe('FAIL');
    await page.keyboard.press('p');
    await page.locator('.word[data-verdict=pass]').waitFor();
    expect(await page.locator('.person').innerText()).toMatch(/Ada Berger decided\s+PASS\s+The model said\s+FAIL/);
    await page.keyboard.press('u');
    await page.locator('.word[data-verdict=fail]').waitFor();
    expect(await page.locator('.person').count()).toBe(0);
    await page.context().close();
  });

  it('names place, kind and thresholds of a failed part, and keeps a passed one calm', async () => {
    const page = await running();
    await judge(page, 'fail');
    const panel = page.locator('.verdict-panel');
    expect(await panel.locator('.why').innerText()).toMatch(/^Most unusual: .+mm²\. Something small differs/);
    expect(await panel.locator('.head').innerText()).toMatch(/35\s+50/);
    await judge(page, 'pass');
    expect(await panel.locator('.why, .kinds').count()).toBe(0);
    await page.context().close();
  });

  it('lays nothing over the part: tools, toasts and banners of other parts stand beside it', async () => {
    const page = await running();
    await judge(page, 'pass');
    await judge(page, 'fail');
    await page.keyboard.press('ArrowLeft');
    await page.locator('.banner', { hasText: 'An earlier part' }).waitFor();
    await page.keyboard.press('u');
    await page.locator('.toast').waitFor();
    const covered = await page.evaluate(() => {
      const picture = document.querySelector('.stage .part')!.getBoundingClientRect();
      return [...document.querySelectorAll('.tool-column, .toast, .banner')]
        .map((one) => ({ name: one.className, box: one.getBoundingClientRect() }))
        .filter(
          ({ box }) =>
            box.left < picture.right - 1 &&
            box.right > picture.left + 1 &&
            box.top < picture.bottom - 1 &&
            box.bottom > picture.top + 1,
        )
        .map(({ name }) => name);
    });
    expect(covered).toEqual([]);
    await page.context().close();
  });

  it('comes back to the line from the review queue and from an earlier part by touch', async () => {
    const page = await running();
    await judge(page, 'pass');
    await page.getByRole('button', { name: /to review/ }).click();
    await page.getByText('wait for an answer').waitFor();
    await page.getByRole('button', { name: /Back to the line/ }).click();
    await page.locator('.word[data-verdict=pass]').waitFor();
    await judge(page, 'fail');
    await page.locator('.thumb').first().click();
    await page.getByText('An earlier part').waitFor();
    await page.getByRole('button', { name: /Back to the line/ }).click();
    await page.getByText('An earlier part').waitFor({ state: 'detached' });
    await page.locator('.word[data-verdict=fail]').waitFor();
    await page.context().close();
  });

  it('lays the most similar good part beside by key, and remembers that', async () => {
    const page = await running();
    await judge(page, 'fail');
    await page.keyboard.press('g');
    const beside = page.getByRole('img', { name: 'Most similar good part' });
    await beside.waitFor();
    expect(await seriousFindings(page)).toEqual([]);
    await page.reload();
    await page.getByRole('button', { name: 'Start' }).first().click();
    await judge(page, 'review');
    await beside.waitFor();
    await page.keyboard.press('g');
    await beside.waitFor({ state: 'detached' });
    await page.context().close();
  });

  it('says that the first model is on its way, how far it is and how long still', async () => {
    const page = await open('inspect');
    await page.getByLabel('Project', { exact: true }).selectOption({ label: 'Line 3 / Cookies' });
    await page.getByRole('button', { name: 'Train a model' }).waitFor();
    await page.evaluate(() => {
      const { tell } = (window as unknown as { fake: { tell(event: object): void } }).fake;
      tell({ type: 'importing', projectId: 'cookies', done: 12, total: 48 });
    });
    await page.getByText('12 of 48').waitFor();
    await page.evaluate(() => {
      const { tell } = (window as unknown as { fake: { tell(event: object): void } }).fake;
      tell({ type: 'importing', projectId: 'cookies', done: 48, total: 48 });
      const training = { projectId: 'cookies', state: 'running', share: 0.4, remainingMs: 92_000 };
      tell({ type: 'training', training });
    });
    await page.getByText('2 min left').waitFor();
    expect(await page.getByRole('progressbar').getAttribute('value')).toBe('0.4');
    expect(await page.getByRole('button', { name: 'Train a model' }).count()).toBe(0);
    await page.context().close();
  });

  it('blinks for a part without a decision until a person answers it', async () => {
    const page = await open('inspect');
    await page.evaluate(() => {
      const { data } = (window as unknown as { fake: { data: { parts: { verdict: string }[] } } }).fake;
      for (const part of data.parts) if (part.verdict === 'review') part.verdict = 'noDecision';
    });
    await page.keyboard.press('r');
    await page.locator('.word.open[data-verdict=noDecision]').waitFor();
    expect(await seriousFindings(page)).toEqual([]);
    await page.keyboard.press('f');
    await page.locator('.word[data-verdict=fail]:not(.open)').waitFor();
    await page.context().close();
  });

  it('changes language, colours and sound from any screen’s menu by keyboard', async () => {
    const page = await open('label');
    await page.getByRole('button', { name: 'Language, colours, sound' }).focus();
    await page.keyboard.press('Enter');
    await page.getByRole('radio', { name: 'Dark' }).press('Space');
    await page.waitForFunction(() => document.documentElement.dataset['theme'] === 'dark');
    await page.getByRole('switch').press('Space');
    await expect.poll(() => callsOf(page)).toContain('settings.setAppearance');
    expect(await seriousFindings(page)).toEqual([]);
    await page.getByRole('radio', { name: 'Deutsch' }).press('Space');
    await page.waitForFunction(() => document.documentElement.lang === 'de');
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    await page.context().close();
  });

  it('keeps a drawn region when the kind of defect is given later in the grid', async () => {
    const page = await open('label');
    await page.locator('.tile').first().waitFor();
    await page.keyboard.press('Enter');
    await page.keyboard.press('b');
    const layer = (await page.locator('.layer').boundingBox())!;
    await page.mouse.move(layer.x + 60, layer.y + 60);
    await page.mouse.down();
    await page.mouse.move(layer.x + 160, layer.y + 150);
    await page.mouse.up();
    await page.locator('.layer rect').waitFor();
    await page.keyboard.press('Escape');
    await page.locator('.tile').first().waitFor();
    await page.keyboard.press('2');
    const labels = () =>
      page.evaluate(() =>
        (
          window as unknown as { fake: { data: { labels: { defectClass: string | null; regions: unknown[] }[] } } }
        ).fake.data.labels.map(({ defectClass, regions }) => [defectClass, regions.length]),
      );
    await expect.poll(labels).toEqual([
      [null, 1],
      ['scratch', 1],
    ]);
    await page.context().close();
  });

  it('settles conflicts by key, and takes one settled back', async () => {
    const page = await open('label');
    await page.getByText('Conflicts').click();
    await page.locator('article').nth(1).waitFor();
    await page.keyboard.press('f');
    await page.locator('article').nth(1).waitFor({ state: 'detached' });
    const before = (await callsOf(page)).filter((name) => name === 'labels.undo').length;
    await page.keyboard.press('u');
    await expect
      .poll(async () => (await callsOf(page)).filter((name) => name === 'labels.undo').length)
      .toBe(before + 1);
    await page.locator('article').nth(1).waitFor();
    await page.context().close();
  });

  it('selects several pictures with a finger', async () => {
    const page = await open('label', {}, { hasTouch: true });
    for (const tile of [1, 3, 4]) await page.locator('.tile').nth(tile).tap();
    await page.getByText('3 selected').waitFor();
    await page.locator('.tile').nth(3).tap();
    await page.getByText('2 selected').waitFor();
    await page.context().close();
  });

  it('says why there is nothing to label and what to do about it', async () => {
    const page = await open('label');
    await page.getByLabel('Which answers').selectOption('unsure');
    await page.getByText('Nothing fits these filters.').waitFor();
    await page.getByRole('button', { name: 'Show all pictures' }).click();
    await page.locator('.tile').first().waitFor();
    await page.evaluate(() => {
      const { data } = (window as unknown as { fake: { data: { pictures: { gtLabel: string }[] } } }).fake;
      for (const picture of data.pictures) picture.gtLabel = 'pass';
    });
    await page.getByLabel('Which answers').selectOption('none');
    await page.getByText('Everything is labelled.').waitFor();
    await page.getByRole('button', { name: 'Settle 2 conflicts' }).click();
    await page.locator('article').first().waitFor();
    await page.context().close();
    const empty = await open('label', { empty: true });
    await empty.getByRole('button', { name: 'Create a project' }).waitFor();
    await empty.context().close();
  });

  it('has what was typed again after the window ended: settings, the reason for an alarm’s end', async () => {
    const page = await open('settings?part=station', { role: 'administrator', drift: true });
    await page.getByLabel('Name of the station').fill('Press 7');
    await page.reload();
    await expect.poll(() => page.getByLabel('Name of the station').inputValue()).toBe('Press 7');
    await page.getByText('Not saved yet.').waitFor();
    await page.getByRole('button', { name: 'Discard changes' }).click();
    await page.reload();
    await expect.poll(() => page.getByLabel('Name of the station').inputValue()).toBe('Station 3');
    await page.evaluate(() => (location.hash = '#/inspect'));
    await page.getByRole('button', { name: 'Look at it' }).click();
    await page.getByLabel('Reason').fill('The lamp was changed.');
    await page.reload();
    await page.getByRole('button', { name: 'Look at it' }).click();
    expect(await page.getByLabel('Reason').inputValue()).toBe('The lamp was changed.');
    await page.getByRole('button', { name: 'End the alarm' }).click();
    await page.getByText('Ended by Ada Berger').waitFor();
    await page.context().close();
  });

  it('broke nothing on the way', () => {
    expect(complaints).toEqual([]);
  });
});
