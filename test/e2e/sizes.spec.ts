import { expect, test, type CDPSession, type Locator, type Page } from '@playwright/test';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import {
  ask,
  everything,
  freshFolder,
  keepScreen,
  removeFolder,
  screenshots,
  startStation,
  until,
  type RunningStation,
} from './station.ts';

/** Least side of what an operator presses, CSS px. */
const leastTarget = 48;

/** What sticks out of the window sideways, or is pressed together to nothing. */
function cutOff(window: Page): Promise<string[]> {
  return window.evaluate(() =>
    [...document.querySelectorAll<HTMLElement>('button, a, input, select, h1, h2, dd, [role=meter]')].flatMap((one) => {
      const { left, right, width, height } = one.getBoundingClientRect();
      const hidden = one.closest('.sr-only, .skip, [hidden]') !== null || !one.checkVisibility();
      if (hidden || (width === 0 && height === 0)) return [];
      // What scrolls sideways inside its own box can be reached.
      const inside = left >= -1 && right <= innerWidth + 1;
      return inside ? [] : [`${one.tagName} "${one.innerText.slice(0, 30)}" ${left.toFixed(0)}..${right.toFixed(0)}`];
    }),
  );
}

/** A finger on the middle of something. */
async function tap(touch: CDPSession, what: Locator): Promise<void> {
  await expect(what).toBeEnabled();
  await what.scrollIntoViewIfNeeded();
  const box = (await what.boundingBox())!;
  const touchPoints = [{ x: box.x + box.width / 2, y: box.y + box.height / 2 }];
  await touch.send('Input.dispatchTouchEvent', { type: 'touchStart', touchPoints });
  await touch.send('Input.dispatchTouchEvent', { type: 'touchEnd', touchPoints: [] });
}

/** @param zoom how much larger everything is then shown, of itself and by Ctrl and plus */
async function resize({ app, window }: RunningStation, width: number, height: number, zoom: number): Promise<void> {
  await app.evaluate(
    ({ BrowserWindow }, [wide, high]) => {
      const [first] = BrowserWindow.getAllWindows();
      first!.setMinimumSize(1, 1);
      first!.setContentSize(wide, high);
    },
    [width, height] as const,
  );
  await until(
    `${String(width)} x ${String(height)}, ${String(zoom)} times larger`,
    () => window.evaluate(() => [innerWidth, innerHeight] as const),
    ([wide, high]) => Math.abs(wide - width / zoom) <= 2 && Math.abs(high - height / zoom) <= 2,
    60_000,
  );
}

/** Ctrl and a key, as the keyboard sends it: the driver's own keys go past the program's main process. */
async function control({ app }: RunningStation, keyCode: string): Promise<void> {
  await app.evaluate(({ BrowserWindow }, key) => {
    const [first] = BrowserWindow.getAllWindows();
    for (const type of ['keyDown', 'keyUp'] as const)
      first!.webContents.sendInputEvent({ type, keyCode: key, modifiers: ['control'] });
  }, keyCode);
}

/** What the window shows, also where it is zoomed. */
async function keepWhole({ app }: RunningStation, name: string): Promise<void> {
  const png = await app.evaluate(async ({ BrowserWindow }) => {
    const picture = await BrowserWindow.getAllWindows()[0]!.webContents.capturePage();
    return picture.toPNG().toString('base64');
  });
  mkdirSync(screenshots, { recursive: true });
  writeFileSync(path.join(screenshots, `${name}.png`), Buffer.from(png, 'base64'));
}

const screens = ['inspect', 'label', 'project', 'train', 'thresholds', 'history', 'settings'] as const;

test('4K, 1280 x 800, 200 % zoom: nothing is cut; by touch and in the kiosk the operator reaches everything', async () => {
  test.setTimeout(420_000);
  const data = freshFolder();
  const station = await startStation(data);
  const { window } = station;
  try {
    const verdict = window.getByRole('complementary', { name: 'Verdict' });
    await expect(verdict.getByText(/^(PASS|FAIL|REVIEW)$/).first()).toBeVisible({ timeout: 240_000 });
    const [project] = await ask(window, 'projects.list', {});
    const projectId = project!.id;

    const findings: string[] = [];
    for (const [name, width, height, zoom, keys] of [
      // A 4K screen that the system does not scale shows everything twice as large, not half as large.
      ['4k', 3840, 2160, 2, []],
      ['1280', 1280, 800, 1, []],
      ['zoomed', 1920, 1080, 2, ['=', '=', '=', '=']],
    ] as const) {
      for (const key of keys) await control(station, key);
      await resize(station, width, height, zoom);
      for (const screen of screens) {
        await window.evaluate((hash) => (location.hash = hash), `#/${screen}`);
        await expect(window.getByRole('main')).not.toBeEmpty();
        await window.waitForTimeout(600);
        await keepWhole(station, `${screen}-${name}`);
        findings.push(...(await cutOff(window)).map((found) => `${screen} (${name}): ${found}`));
      }
    }
    expect(findings).toEqual([]);

    // By touch, on the smallest screen.
    await control(station, '0');
    await resize(station, 1280, 800, 1);
    await window.evaluate(() => (location.hash = '#/inspect'));
    const touch = await window.context().newCDPSession(window);
    await touch.send('Emulation.setTouchEmulationEnabled', { enabled: true, maxTouchPoints: 5 });
    const button = (name: string | RegExp): Locator => window.getByRole('button', { name }).first();
    const small = await window.evaluate(
      (least) =>
        [...document.querySelectorAll<HTMLElement>('.rail a, header button, main button, main select')]
          .filter((one) => one.checkVisibility())
          .map((one) => ({ name: one.innerText || one.ariaLabel, box: one.getBoundingClientRect() }))
          .filter(({ box }) => Math.min(box.width, box.height) < least - 0.5)
          .map(({ name, box }) => `${String(name)} ${box.width.toFixed(0)} x ${box.height.toFixed(0)}`),
      leastTarget,
    );
    expect(small).toEqual([]);

    await tap(touch, button('Stop'));
    await expect(button('Start')).toBeVisible();
    await keepScreen(window, 'inspect-stopped');
    await tap(touch, button(/^Pass/));
    await expect(verdict.getByText(/decided/)).toBeVisible();
    await tap(touch, button(/^Fail/));
    await expect(verdict.getByRole('group', { name: 'Kind of defect' })).toBeVisible();
    await tap(touch, verdict.getByRole('group', { name: 'Kind of defect' }).getByRole('button').first());
    await keepScreen(window, 'inspect-answered');
    for (let i = 0; i < 3; i++) await tap(touch, button(/^Undo/));
    await expect(verdict.getByText(/decided/)).toHaveCount(0);
    await tap(touch, button('Heat map (H)'));
    await expect(button('Heat map (H)')).toHaveAttribute('aria-pressed', 'false');
    await tap(touch, button('Heat map (H)'));
    await tap(touch, button('Contour at the fail threshold (C)'));
    await expect(button('Contour at the fail threshold (C)')).toHaveAttribute('aria-pressed', 'false');
    await tap(touch, button('Contour at the fail threshold (C)'));
    await tap(touch, window.getByRole('slider', { name: 'Strength of the heat map' }).first());
    await tap(touch, button('Zoom (Z)'));
    await expect(button('Zoom (Z)')).toHaveAttribute('aria-pressed', 'true');
    await tap(touch, button('Zoom (Z)'));
    await tap(touch, window.getByRole('group', { name: 'Last parts' }).getByRole('button').first());
    await expect(window.getByText('An earlier part')).toBeVisible();
    await tap(touch, button(/^Lot/));
    await window.keyboard.type('L-77');
    await tap(touch, window.getByRole('dialog').getByRole('button', { name: 'Use this lot' }));
    await expect(button(/^Lot L-77/)).toBeVisible();
    await tap(touch, button('Start'));
    await expect(button('Stop')).toBeVisible();
    const touched = await until(
      'a part of the new lot',
      () => ask(window, 'history.page', { filter: everything(projectId), before: null, limit: 1 }),
      ({ parts }) => parts[0]?.lot === 'L-77',
    );
    expect(touched.parts[0]!.verdict).not.toBeUndefined();

    // The kiosk: nothing but the operator's work, and a way out.
    await tap(touch, button('Full screen'));
    await expect(window.getByRole('navigation')).toHaveCount(0);
    await expect(button('Leave full screen')).toBeVisible();
    await keepScreen(window, 'inspect-kiosk');
    await tap(touch, button('Leave full screen'));
    await expect(window.getByRole('navigation').first()).toBeVisible();

    await faultIsLoud(station, projectId, path.join(data, 'inbox'));
    await tap(touch, button('I have seen it'));
  } finally {
    await station.close();
    removeFolder(data);
  }
});

/** The feed's folder is gone: said in the middle of the screen, with what happens to parts and what to do. */
async function faultIsLoud({ window }: RunningStation, projectId: string, inbox: string): Promise<void> {
  await ask(window, 'feed.stop', { projectId });
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
    lot: '',
  });
  await ask(window, 'feed.start', { recipeId: recipe.id });
  await expect(window.getByRole('status').getByText('Waiting').first()).toBeVisible();
  await keepScreen(window, 'inspect-waiting');
  rmSync(inbox, { recursive: true });
  const alarm = window
    .getByRole('alert')
    .filter({ has: window.getByRole('heading') })
    .first();
  await expect(alarm).toBeVisible({ timeout: 60_000 });
  await keepScreen(window, 'inspect-fault');
  await expect(alarm).toContainText('Inbox'.toLowerCase());
}
