import { expect, test, type Locator, type Page } from '@playwright/test';
import { ask, everything, freshFolder, keepScreen, removeFolder, startStation, until } from './station.ts';

/** Presses Tab until a button of this name has the focus. */
async function tabTo(window: Page, name: RegExp): Promise<void> {
  for (let i = 0; i < 80; i++) {
    await window.keyboard.press('Tab');
    const focused = await window.evaluate(() => {
      const one = document.activeElement as HTMLElement | null;
      return one?.tagName === 'BUTTON' ? (one.ariaLabel ?? one.innerText).trim() : '';
    });
    if (name.test(focused)) return;
  }
  throw new Error(`Tab never came to a button ${String(name)}`);
}

test('first start: a model trains before our eyes, a part fails with its heat map, and a restart forgets nothing', async () => {
  test.setTimeout(540_000);
  const data = freshFolder();
  let station = await startStation(data);
  try {
    const { window } = station;
    expect(await station.app.evaluate(({ app }) => app.getPath('userData'))).toBe(data);

    const [project] = await until(
      'the sample project',
      () => ask(window, 'projects.list', {}),
      (projects) => projects.length === 1,
    );
    const projectId = project!.id;
    const { parts } = await until(
      'a failed part',
      () =>
        ask(window, 'history.page', {
          filter: { ...everything(projectId), verdict: 'fail' },
          before: null,
          limit: 1,
        }),
      (page) => page.parts.length > 0,
      300_000,
    );
    const failed = parts[0]!;
    expect(failed.hasHeatMap).toBe(true);
    expect(failed.pictureSha256).toMatch(/^[0-9a-f]{64}$/);
    expect(failed.predScore!).toBeGreaterThanOrEqual(failed.thresholds!.fail);

    // The operator's screen shows verdicts as they come.
    const verdict = window.getByRole('complementary', { name: 'Verdict' });
    await expect(verdict).toBeVisible();
    await expect(verdict.getByText(/PASS|FAIL|REVIEW/).first()).toBeVisible();
    await keepScreen(window, 'inspect-live');

    // By the keyboard alone an operator does all the work: stop, answer, take back, another lot, start.
    const button = (name: RegExp): Locator => window.getByRole('button', { name }).first();
    await tabTo(window, /^Stop/);
    await window.keyboard.press('Enter');
    await expect(button(/^Start/)).toBeVisible();
    await window.keyboard.press('f');
    await expect(verdict.getByText(/decided/)).toBeVisible();
    await window.keyboard.press('u');
    await expect(verdict.getByText(/decided/)).toHaveCount(0);
    await tabTo(window, /^Lot/);
    await window.keyboard.press('Enter');
    await expect(window.getByRole('dialog')).toBeVisible();
    await window.keyboard.type('K-1');
    await window.keyboard.press('Enter');
    await expect(window.getByRole('dialog')).toHaveCount(0);
    await expect(button(/^Lot/)).toContainText('K-1');
    await tabTo(window, /^Start/);
    await window.keyboard.press('Enter');
    await expect(button(/^Stop/)).toBeVisible();

    // What is stored is served to the window, and only in the forms it needs.
    const served = await window.evaluate(
      async ([id, sha256, part]) => {
        const load = (url: string): Promise<{ width: number; height: number } | null> =>
          new Promise((resolve) => {
            const image = new Image();
            image.onload = () => resolve({ width: image.naturalWidth, height: image.naturalHeight });
            image.onerror = () => resolve(null);
            image.src = url;
          });
        return {
          small: await load(`station://picture/${id}/${sha256}?side=160`),
          heat: await load(`station://heat/${part}`),
          foreign: await load(`station://picture/${id}/../../../../etc/passwd`),
        };
      },
      [projectId, failed.pictureSha256, failed.id] as const,
    );
    expect(served.small!.width).toBeGreaterThan(0);
    expect(Math.max(served.small!.width, served.small!.height)).toBeLessThanOrEqual(160);
    expect(served.heat!.width).toBeGreaterThan(0);
    expect(served.foreign).toBeNull();

    await ask(window, 'feed.setLot', { projectId, lot: 'L-4711' });
    const before = await ask(window, 'feed.stop', { projectId });
    const { presented, pass, fail, review, noDecision } = before.counters;
    expect(presented).toBe(pass + fail + review + noDecision);
    await station.close();

    station = await startStation(data);
    const page = await ask(station.window, 'history.page', {
      filter: everything(projectId),
      before: null,
      limit: 500,
    });
    expect(page.parts.length).toBeGreaterThanOrEqual(Math.min(500, presented));
    expect(page.parts.every((part) => part.verdict !== null)).toBe(true);
    // Before any part comes the line shows the lot that the next one will have.
    await expect(station.window.getByRole('button', { name: /^Lot/ })).toContainText('L-4711');
  } finally {
    await station.close();
    removeFolder(data);
  }
});
