import type { Page } from '@playwright/test';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Label, Recipe } from '../../shared/station/domain.ts';
import { covers, polygonOf } from '../../renderer/app/regions.ts';
import type { FakeOptions } from './fake-station.ts';
import { findChromium, startHarness, type Harness } from './harness.ts';
import { pagesOf, seriousFindings } from './pages.ts';

const chromium = findChromium();
/** Folder for pictures of the editor, to be looked at; none: no pictures. */
const shots = process.env['TWINSPECT_SHOTS'];

describe('shapes under a point', () => {
  const triangle = polygonOf([
    { x: 0.1, y: 0.1 },
    { x: 0.9, y: 0.1 },
    { x: 0.1, y: 0.9 },
  ])!;
  it('finds them under the point and not beside it', () => {
    expect(covers(triangle, { x: 0.3, y: 0.3 })).toBe(true);
    expect(covers(triangle, { x: 0.7, y: 0.7 })).toBe(false);
    const box = { shape: 'rectangle', x: 0.2, y: 0.2, width: 0.2, height: 0.4 } as const;
    expect(covers(box, { x: 0.2, y: 0.5 })).toBe(true);
    expect(covers(box, { x: 0.5, y: 0.5 })).toBe(false);
  });
  it('has no polygon of points on one line', () => {
    expect(polygonOf([0.1, 0.5, 0.9].map((at) => ({ x: at, y: at })))).toBeNull();
  });
});

describe.skipIf(chromium === undefined)('regions by keyboard alone', { timeout: 300_000 }, () => {
  let harness: Harness;
  const complaints: string[] = [];
  beforeAll(async () => {
    harness = await startHarness(chromium!);
    if (shots !== undefined) mkdirSync(shots, { recursive: true });
  }, 300_000);
  afterAll(() => harness.close());
  const openAny = pagesOf(() => harness, complaints);

  /** Presses keys; `ArrowLeft*20` twenty times. */
  async function press(page: Page, ...keys: string[]): Promise<void> {
    for (const key of keys) {
      const [name, times = '1'] = key.split('*');
      for (let i = 0; i < Number(times); i++) await page.keyboard.press(name!);
    }
  }
  const surfaceOf = (page: Page) => page.getByRole('application');
  const hears = (page: Page, words: string) =>
    page.locator('[role=status]').getByText(words, { exact: true }).waitFor();
  async function look(page: Page, name: string): Promise<void> {
    if (shots !== undefined) await page.screenshot({ path: join(shots, `${name}.png`) });
    expect(await seriousFindings(page), name).toEqual([]);
  }
  async function tabTo(page: Page, name: string | RegExp, role: 'application' | 'button' | 'radio'): Promise<void> {
    const wanted = page.getByRole(role, { name }).first();
    for (let i = 0; i < 80; i++) {
      if (await wanted.evaluate((element) => element === document.activeElement)) return;
      await page.keyboard.press('Tab');
    }
    throw new Error(`Tab never reached ${String(name)}.`);
  }

  async function feeds(fake: FakeOptions = {}): Promise<Page> {
    const page = await openAny('project', fake);
    await page.getByText('Feeds', { exact: true }).click();
    await page.locator('.stage canvas').first().waitFor();
    return page;
  }
  const recipe = (page: Page): Promise<Recipe> =>
    page.evaluate(() =>
      (window as unknown as { fake: { data: { recipes: Recipe[] } } }).fake.data.recipes.find(({ id }) => id === 'r1')!,
    );

  it('draws a box and a polygon in a feed, takes corners back, removes a shape, and saves', async () => {
    const page = await feeds();
    await tabTo(page, 'Look', 'radio');
    await press(page, 'ArrowRight');
    await tabTo(page, /^Draw by keyboard\. Arrows move/, 'application');
    await page.getByText('Arrows move the crosshair').waitFor();
    await press(page, 'ArrowLeft*1', 'Shift+ArrowLeft*6', 'Shift+ArrowUp*8');
    await hears(page, '19 % from the left, 10 % from the top.');
    await press(page, 'Enter');
    await hears(page, 'Corner 1 set, 19 % from the left, 10 % from the top.');
    await press(page, 'Backspace');
    await hears(page, 'Corner taken back, 0 left.');
    await press(page, 'Space', 'Enter');
    await hears(page, 'This shape would have no area; move on first.');
    await press(page, 'Shift+ArrowRight*12', 'ArrowRight', 'Shift+ArrowDown*14');
    await look(page, 'region-box');
    await press(page, 'Enter');
    await hears(page, 'Shape drawn.');
    await page.locator('.unseen path').waitFor();

    // A shape that is left out; another is dropped half drawn.
    await press(page, 'Shift+Tab', 'Shift+Tab');
    await press(page, 'ArrowRight', 'ArrowRight', 'ArrowRight');
    await tabTo(page, /once more on the last/, 'application');
    await press(page, 'Enter', 'ArrowUp', 'Enter', 'ArrowDown', 'Escape');
    await hears(page, 'Drawing dropped.');
    await press(page, 'Enter', 'Shift+ArrowUp*6', 'Enter', 'Shift+ArrowLeft*8', 'Enter');
    await press(page, 'Shift+ArrowRight*8', 'Shift+ArrowDown*6');
    await hears(page, '80 % from the left, 80 % from the top. First corner: Enter closes the shape.');
    await look(page, 'region-polygon');
    await press(page, 'Enter');
    expect(await page.locator('.unseen path').count()).toBe(2);

    await tabTo(page, 'Save', 'button');
    await press(page, 'Enter');
    await expect.poll(async () => (await recipe(page)).ignore.length).toBe(1);
    const { region, ignore } = await recipe(page);
    expect(region).toMatchObject({ shape: 'rectangle', x: 0.19, y: 0.1 });
    expect(region?.shape === 'rectangle' && [region.width, region.height].map((one) => Number(one.toFixed(6)))).toEqual(
      [0.61, 0.7],
    );
    expect(ignore).toEqual([
      {
        shape: 'polygon',
        points: [
          { x: 0.8, y: 0.8 },
          { x: 0.8, y: 0.5 },
          { x: 0.4, y: 0.5 },
        ],
      },
    ]);
    await page.context().close();
  });

  it('removes the shape under the crosshair, and leaves the form alone while it draws', async () => {
    const page = await feeds({ theme: 'dark' });
    await tabTo(page, 'Look', 'radio');
    await press(page, 'ArrowRight*3');
    await tabTo(page, /^Draw by keyboard/, 'application');
    await press(page, 'Enter', 'Shift+ArrowRight*3', 'Shift+ArrowDown*3', 'Enter');
    await press(page, 'ArrowRight*2', 'Delete');
    await hears(page, 'No shape under the crosshair.');
    await press(page, 'ArrowLeft*4');
    await hears(page, '63 % from the left, 65 % from the top. On shape 1.');
    await look(page, 'region-dark');
    await press(page, 'Delete');
    await hears(page, 'Shape removed.');
    expect(await page.locator('.unseen path').count()).toBe(0);
    expect(await surfaceOf(page).evaluate((element) => element === document.activeElement)).toBe(true);
    expect((await recipe(page)).ignore).toEqual([]);
    await page.context().close();
  });

  it('leaves pointer drawing as it was: the surface takes no focus from it', async () => {
    const page = await feeds();
    await page.getByText('Region: box').click();
    const layer = page.locator('.stage .layer');
    await layer.scrollIntoViewIfNeeded();
    await surfaceOf(page).focus();
    const box = (await layer.boundingBox())!;
    await page.mouse.move(box.x + 0.25 * box.width, box.y + 0.25 * box.height);
    await page.mouse.down();
    await page.mouse.move(box.x + 0.75 * box.width, box.y + 0.75 * box.height);
    await page.mouse.up();
    await page.locator('.unseen path').waitFor();
    expect(await surfaceOf(page).evaluate((element) => element === document.activeElement)).toBe(false);
    await page.context().close();
  });

  it('marks a defect with a box in Label, without going on to the next picture', async () => {
    const page = await openAny('label');
    await page.locator('.tile').first().waitFor();
    await press(page, 'Enter');
    await page.locator('.single').waitFor();
    const name = await page.locator('aside .name').textContent();
    await press(page, 'b', 'Enter');
    await page.getByText('Arrows move the crosshair').waitFor();
    await press(page, 'Shift+ArrowLeft*2', 'Shift+ArrowUp', 'Enter', 'Shift+ArrowRight*4', 'Shift+ArrowDown*2');
    await look(page, 'label-box');
    await press(page, 'Enter');
    await page.locator('.layer rect').waitFor();
    const labels = (): Promise<Label[]> =>
      page.evaluate(() => (window as unknown as { fake: { data: { labels: Label[] } } }).fake.data.labels);
    await expect.poll(async () => (await labels()).length).toBe(1);
    const [label] = await labels();
    expect(label?.gtLabel).toBe('fail');
    expect(label?.regions).toMatchObject([{ shape: 'rectangle', x: 0.4, y: 0.45 }]);
    expect(await page.locator('aside .name').textContent()).toBe(name);
    await page.context().close();
  });

  it('takes a zoomed picture along with the crosshair', async () => {
    const page = await openAny('label');
    await page.locator('.tile').first().waitFor();
    await press(page, 'Enter');
    await page.locator('.layer').waitFor();
    await expect.poll(async () => (await page.locator('.layer').boundingBox())!.width).toBeGreaterThan(100);
    await press(page, 'z', 'g', 'Enter', 'Shift+ArrowRight*10', 'Shift+ArrowDown*10');
    await hears(page, '100 % from the left, 100 % from the top.');
    const [layer, part] = [
      (await page.locator('.layer').boundingBox())!,
      (await page.locator('.stage .part').boundingBox())!,
    ];
    expect(layer.width).toBeGreaterThan(part.width);
    expect(layer.x + layer.width).toBeCloseTo(part.x + part.width, 0);
    expect(layer.y + layer.height).toBeCloseTo(part.y + part.height, 0);
    await page.context().close();
  });

  it('goes on to the next picture by arrow, and closes a clicked polygon by Enter', async () => {
    const page = await openAny('label');
    await page.locator('.tile').first().waitFor();
    await press(page, 'Enter', 'g', 'ArrowRight');
    await page.getByText(/^2 of /).waitFor();
    const box = (await page.locator('.layer').boundingBox())!;
    for (const [x, y] of [
      [0.3, 0.3],
      [0.6, 0.3],
      [0.4, 0.6],
    ] as const)
      await page.mouse.click(box.x + x * box.width, box.y + y * box.height);
    await press(page, 'Enter');
    await page.locator('.layer polygon').waitFor();
    await page.context().close();
  });

  it('names the keys in every language, beside a picture that stays whole', async () => {
    for (const language of ['de', 'ko', 'zh-CN'] as const) {
      const page = await openAny('project', { language });
      await page.locator('.segments label').nth(2).click();
      await page.locator('.stage canvas').first().waitFor();
      await page.locator('.tools label').nth(4).click();
      await press(page, 'Tab');
      const surface = surfaceOf(page);
      if (!(await surface.evaluate((element) => element === document.activeElement))) await press(page, 'Tab');
      const label = (await surface.getAttribute('aria-label'))!;
      expect(label).toContain(language === 'de' ? 'Umschalt' : 'Shift');
      await look(page, `region-${language}`);
      await page.context().close();
    }
  });

  it('broke nothing on the way', () => {
    expect(complaints).toEqual([]);
  });
});
