import type { Page } from '@playwright/test';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeFilm } from './camera-film.ts';
import type { FakeOptions } from './fake-station.ts';
import { findChromium, startHarness, type Harness } from './harness.ts';
import { callsOf, pagesOf, seriousFindings } from './pages.ts';

/** The window in a browser of this machine, against the fake station. Electron itself is tested elsewhere. */
const chromium = findChromium();
const screens = ['inspect', 'label', 'project', 'train', 'thresholds', 'study', 'history', 'settings'] as const;

describe.skipIf(chromium === undefined)('the window', { timeout: 300_000 }, () => {
  let harness: Harness;
  let film: string;
  const complaints: string[] = [];

  beforeAll(async () => {
    film = join(mkdtempSync(join(tmpdir(), 'twinspect-film-')), 'film.y4m');
    writeFilm(film);
    harness = await startHarness(chromium!, [
      '--use-fake-device-for-media-stream',
      '--use-fake-ui-for-media-stream',
      `--use-file-for-fake-video-capture=${film}`,
    ]);
  }, 300_000);
  afterAll(async () => {
    await harness.close();
    rmSync(dirname(film), { recursive: true, force: true });
  });

  const open = pagesOf(() => harness, complaints);

  const shown = (page: Page) => page.locator('.verdict-panel .verdict.hero').textContent();

  for (const theme of ['light', 'dark', 'contrast'] as const) {
    it(`has nothing serious for axe on any screen, ${theme}`, async () => {
      const page = await open(screens[0], { theme });
      for (const screen of screens) {
        await page.evaluate((path) => (location.hash = `#/${path}`), screen);
        await page.waitForTimeout(500);
        expect(await seriousFindings(page), screen).toEqual([]);
      }
      await page.context().close();
    });
  }

  it('has nothing serious for axe on a judged part, a fault, the lock screen, a dialog and single view', async () => {
    const judged = await open('inspect');
    await judged.getByRole('button', { name: 'Start' }).first().click();
    await judged.locator('.verdict-panel').waitFor();
    expect(await seriousFindings(judged), 'judged').toEqual([]);
    await judged.getByRole('button', { name: /Lot/ }).click();
    await judged.getByRole('dialog').waitFor();
    expect(await seriousFindings(judged), 'dialog').toEqual([]);
    const fault = await open('inspect', { feed: 'fault' });
    await fault.getByRole('alert').waitFor();
    expect(await seriousFindings(fault), 'fault').toEqual([]);
    const locked = await open('inspect', { locked: true });
    expect(await seriousFindings(locked), 'lock').toEqual([]);
    const single = await open('label');
    await single.getByText('Single').click();
    await single.locator('aside').waitFor();
    expect(await seriousFindings(single), 'single').toEqual([]);
    for (const page of [judged, fault, locked, single]) await page.context().close();
  });

  it('has nothing serious for axe on the parts of the settings, in dialogs and on the other sides of screens', async () => {
    const page = await open('settings', { role: 'administrator' });
    for (const part of ['appearance', 'station', 'people', 'storage', 'system', 'audit']) {
      await page.evaluate((name) => (location.hash = `#/settings?part=${name}`), part);
      await page.waitForTimeout(300);
      expect(await seriousFindings(page), part).toEqual([]);
    }
    await page.getByRole('grid').press('ArrowDown');
    await page.getByRole('grid').press('Enter');
    await page.getByRole('dialog').waitFor();
    expect(await seriousFindings(page), 'event').toEqual([]);
    await page.keyboard.press('Escape');
    await page.evaluate(() => (location.hash = '#/history'));
    await page.getByText('Statistics').click();
    await page.locator('.statistics').waitFor();
    expect(await seriousFindings(page), 'statistics').toEqual([]);
    await page.evaluate(() => (location.hash = '#/project'));
    await page.getByText('Feeds').click();
    await page.locator('.feeds form').waitFor();
    expect(await seriousFindings(page), 'feeds').toEqual([]);
    await page.evaluate(() => (location.hash = '#/train'));
    await page.getByRole('button', { name: /Model v1/ }).click();
    await page.getByRole('button', { name: 'Check it' }).click();
    await page.locator('.gates').waitFor();
    expect(await seriousFindings(page), 'gates').toEqual([]);
    await page.context().close();
  });

  it('makes an account by keyboard alone', async () => {
    const page = await open('settings?part=people', { role: 'administrator' });
    await page.locator('.content li').nth(2).waitFor();
    await page.getByRole('button', { name: 'Add a person' }).focus();
    await page.keyboard.press('Enter');
    await page.getByRole('dialog').waitFor();
    await page.getByLabel('Name', { exact: true }).focus();
    await page.keyboard.type('Jo Park');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Tab');
    await page.keyboard.type('4711');
    await page.keyboard.press('Tab');
    await page.keyboard.type('4712');
    await page.getByText('The two are not the same.').waitFor();
    expect(await page.getByRole('button', { name: 'Save' }).isDisabled()).toBe(true);
    await page.keyboard.press('Backspace');
    await page.keyboard.type('1');
    await page.keyboard.press('Enter');
    await page.locator('.content li', { hasText: 'Jo Park' }).waitFor();
    await page.context().close();
  });

  it('keeps what was typed into the settings while another screen is looked at, and saves it', async () => {
    const page = await open('settings?part=station', { role: 'administrator' });
    await page.getByLabel('Name of the station').fill('Press 7');
    await page.getByText('Not saved yet.').waitFor();
    await page.getByRole('link', { name: 'History' }).click();
    await page.getByRole('grid').waitFor();
    await page.evaluate(() => (location.hash = '#/settings?part=station'));
    expect(await page.getByLabel('Name of the station').inputValue()).toBe('Press 7');
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByText('The settings are saved.').waitFor();
    expect(await page.getByRole('button', { name: 'Save' }).isDisabled()).toBe(true);
    await page.context().close();
  });

  it('shows an operator only the parts of the settings that are everybody’s', async () => {
    const page = await open('settings', { role: 'operator' });
    await page.locator('.settings nav button').first().waitFor();
    expect(await page.locator('.settings nav button').allTextContents()).toEqual([
      'Appearance',
      'Storage and backup',
      'System',
    ]);
    await page.context().close();
  });

  it('takes good parts straight from the camera by key', async () => {
    const page = await open('project');
    await page.getByRole('button', { name: 'From the camera' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Take' }).waitFor();
    await page.waitForFunction(() => !document.querySelector<HTMLButtonElement>('[role=dialog] .primary')!.disabled);
    for (const taken of ['1 of 30', '2 of 30']) {
      await page.keyboard.press('t');
      await page.getByRole('dialog').getByText(taken).waitFor();
    }
    expect(await seriousFindings(page)).toEqual([]);
    await page.context().close();
  });

  it('sets a camera up: what it sees, its controls, and what is held fast goes into the recipe', async () => {
    const page = await open('project');
    // Chromium's fake camera has no controls; this one has two.
    await page.evaluate(() => {
      const set: Record<string, unknown> = { exposureMode: 'continuous', exposureTime: 250 };
      MediaStreamTrack.prototype.getCapabilities = () =>
        ({ exposureMode: ['continuous', 'manual'], exposureTime: { min: 3, max: 2047, step: 1 } }) as object;
      MediaStreamTrack.prototype.getSettings = () => set as object;
      MediaStreamTrack.prototype.applyConstraints = (wanted) => {
        for (const one of wanted?.advanced ?? []) Object.assign(set, one);
        return Promise.resolve();
      };
    });
    await page.getByText('Feeds').click();
    const camera = page.getByRole('button', { name: /^Camera 1 ?Camera/ });
    await camera.first().click();
    await page.getByRole('button', { name: 'Set the camera up' }).click();
    await page.getByText(/frames\/s/).waitFor({ timeout: 15_000 });
    await page.getByRole('button', { name: 'Hold all as they are now' }).click();
    await page.getByText('2 settings are held.').waitFor();
    expect(await page.getByLabel('Exposure', { exact: true }).inputValue()).toBe('manual');
    const held = page.getByRole('checkbox', { name: /^Hold: / });
    expect(await held.first().isChecked()).toBe(true);
    await held.first().uncheck();
    expect(await held.first().isChecked()).toBe(false);
    expect(await seriousFindings(page)).toEqual([]);
    if (process.env['SCREENS'] !== undefined)
      await page.screenshot({ path: `${process.env['SCREENS']}/camera-set-up.png` });
    await page.getByRole('button', { name: 'Camera is set up' }).click();
    expect(await page.locator('.set-up video').count()).toBe(0);
    await page.context().close();
  });

  it('says so when something could not be read, and tries again', async () => {
    const failing = ['history.page', 'thresholds.evidence', 'pictures.list', 'audit.page'] as const;
    for (const path of ['history', 'thresholds', 'project', 'settings?part=audit']) {
      const page = await open(path, { failing: [...failing] });
      await page.getByText('This could not be read.').waitFor();
      await page.evaluate(() => ((window as unknown as { fakeOptions: FakeOptions }).fakeOptions.failing = []));
      await page.getByRole('button', { name: 'Try again' }).click();
      await page.getByText('This could not be read.').waitFor({ state: 'detached' });
      await page.context().close();
    }
  });

  it('shows judged parts with their verdict, and takes answers by key', async () => {
    const page = await open('inspect', { intervalMs: 150 });
    await page.getByRole('button', { name: 'Start' }).first().click();
    await page.locator('.thumb').nth(3).waitFor();
    await page.getByRole('button', { name: 'Stop' }).click();
    expect(['PASS', 'FAIL', 'REVIEW']).toContain(await shown(page));
    await page.keyboard.press('f');
    await page.locator('.person').waitFor();
    expect(await page.locator('.person').textContent()).toContain('FAIL');
    await page.keyboard.press('1');
    await page.locator('.person', { hasText: 'impurity' }).waitFor();
    await page.keyboard.press('u');
    await page.keyboard.press('u');
    await page.locator('.person').waitFor({ state: 'detached' });
    await page.keyboard.press('ArrowLeft');
    await page.locator('.banner', { hasText: 'An earlier part' }).waitFor();
    await page.keyboard.press('Escape');
    await page.locator('.banner', { hasText: 'Stopped' }).waitFor();
    await page.context().close();
  });

  it('works off the review queue by key', async () => {
    const page = await open('inspect');
    await page.keyboard.press('r');
    await page.locator('.banner', { hasText: 'wait for an answer' }).waitFor();
    const first = await page.locator('.identity').textContent();
    await page.keyboard.press('p');
    await page.waitForFunction((before) => document.querySelector('.identity')?.textContent !== before, first);
    expect((await callsOf(page)).filter((name) => name === 'parts.answer')).toHaveLength(1);
    await page.context().close();
  });

  it('is loud about a fault until it was acknowledged', async () => {
    const page = await open('inspect', { feed: 'fault' });
    await page.locator('.fault-panel.loud').waitFor();
    expect(await page.locator('.fault-panel').textContent()).toContain('treat every one as failed');
    await page.getByRole('button', { name: 'I have seen it' }).click();
    await page.locator('.fault-panel:not(.loud)').waitFor();
    await page.getByRole('button', { name: 'Start again' }).waitFor();
    await page.context().close();
  });

  it('says what has drifted and since when until an engineer ends the alarm with a reason', async () => {
    const page = await open('inspect', { drift: true });
    await page.locator('.drift', { hasText: 'The light has changed: brightness -19 %' }).waitFor();
    await page.getByRole('button', { name: 'Look at it' }).click();
    expect(await seriousFindings(page)).toEqual([]);
    const end = page.getByRole('button', { name: 'End the alarm' });
    expect(await end.isDisabled()).toBe(true);
    await page.getByLabel('Reason').fill('A new lamp.');
    await end.click();
    await page.getByText('Ended by Ada Berger').waitFor();
    await page.keyboard.press('Escape');
    await page.locator('.drift').waitFor({ state: 'detached' });
    await page.getByRole('button', { name: 'Drift guard: the calibration covers what is seen' }).waitFor();
    await page.context().close();
    const operator = await open('inspect', { drift: true, role: 'operator' });
    await operator.getByRole('button', { name: 'Look at it' }).click();
    await operator.getByText('An engineer or quality manager can end the alarm.').waitFor();
    await operator.context().close();
  });

  it('explains a part, and shows a changed picture as both models see it', async () => {
    const page = await open('history');
    await page.getByRole('row').nth(1).click();
    await page.getByRole('button', { name: 'Explain' }).click();
    await page.getByText('the same score, bit for bit').waitFor();
    expect(await page.locator('.explanation').textContent()).toContain('filled from its surroundings: score 1.120');
    await page.context().close();
  });

  it('judges dropped files', async () => {
    const page = await open('inspect');
    await page.evaluate(() => {
      const files = new DataTransfer();
      for (const name of ['b10.png', 'b9.png']) files.items.add(new File(['x'], name));
      window.dispatchEvent(new DragEvent('dragenter', { dataTransfer: files }));
      window.dispatchEvent(new DragEvent('drop', { dataTransfer: files, cancelable: true }));
    });
    await page.getByText('2 pictures are being judged.').waitFor();
    await page.context().close();
  });

  it('labels by keyboard alone, draws a region, and undoes', async () => {
    const page = await open('label');
    await page.locator('.tile').first().waitFor();
    const labelled = async (): Promise<number> =>
      page.evaluate(() => (window as unknown as { fake: { data: { labels: unknown[] } } }).fake.data.labels.length);
    await page.keyboard.press('p');
    await page.keyboard.press('2');
    await page.keyboard.press('n');
    await page.waitForFunction(
      () => (window as unknown as { fake: { data: { labels: unknown[] } } }).fake.data.labels.length === 3,
    );
    await page.keyboard.press('Enter');
    await page.locator('.single').waitFor();
    await page.keyboard.press('b');
    const layer = (await page.locator('.layer').boundingBox())!;
    await page.mouse.move(layer.x + 100, layer.y + 100);
    await page.mouse.down();
    await page.mouse.move(layer.x + 180, layer.y + 190);
    await page.mouse.up();
    await page.locator('.layer rect').waitFor();
    await page.keyboard.press('d');
    await page.mouse.move(layer.x + 240, layer.y + 240);
    await page.mouse.down();
    await page.mouse.move(layer.x + 320, layer.y + 260);
    await page.mouse.up();
    await page.locator('.layer polygon').waitFor();
    await expect.poll(labelled).toBe(5);
    await page.keyboard.press('u');
    await page.locator('.layer polygon').waitFor({ state: 'detached' });
    await page.keyboard.press('u');
    await page.locator('.layer rect').waitFor({ state: 'detached' });
    await expect.poll(labelled).toBe(3);
    await page.context().close();
  });

  it('settles a conflict', async () => {
    const page = await open('label');
    await page.getByText('Conflicts').click();
    await page.locator('article').nth(1).waitFor();
    await page.locator('article').first().getByRole('button', { name: 'Fail' }).click();
    await page.locator('article').nth(1).waitFor({ state: 'detached' });
    await page.context().close();
  });

  it('lets nobody past the lock screen without the right secret', async () => {
    const page = await open('inspect', { locked: true });
    await page.getByRole('button', { name: /Minh/ }).click();
    for (const digit of '9999') await page.getByRole('button', { name: digit, exact: true }).click();
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByText('Name and secret do not match.').waitFor();
    await page.keyboard.type('1234');
    await page.keyboard.press('Enter');
    await page.locator('.inspect').waitFor();
    // An operator has no screens that only others may use.
    expect(await page.getByRole('link', { name: 'Train' }).count()).toBe(0);
    expect(await page.getByRole('link', { name: 'Label' }).count()).toBe(1);
    await page.context().close();
  });

  it('reads a camera in its worker: one part for each trigger, and goes on after it was unplugged', async () => {
    const page = await open('inspect');
    await page.locator('.recipe').selectOption({ label: 'Camera 1' });
    await page.getByRole('button', { name: 'Start' }).first().click();
    await page.getByText(/frames\/s/).waitFor();
    const frames = () =>
      page.evaluate(
        () =>
          (window as unknown as { fake: { live: { frames: { width: number; triggered: boolean }[] } } }).fake.live
            .frames,
      );
    for (let i = 0; i < 3; i++) {
      await page.keyboard.press('t');
      await page.waitForFunction(
        (count) => (window as unknown as { fake: { live: { frames: unknown[] } } }).fake.live.frames.length === count,
        i + 1,
      );
    }
    expect(await frames()).toHaveLength(3);
    expect((await frames()).every(({ width, triggered }) => width > 0 && triggered)).toBe(true);
    await page.locator('.thumb').nth(2).waitFor();
    // The drift guard hears how the camera is set.
    await page.waitForFunction(() =>
      (window as unknown as { fakeLog: string[] }).fakeLog.includes('drift.cameraSettings'),
    );

    await page.evaluate(() => {
      const video = document.querySelector('video')!;
      for (const track of (video.srcObject as MediaStream).getVideoTracks()) track.dispatchEvent(new Event('ended'));
    });
    await page.locator('.fault-panel', { hasText: 'unplugged' }).waitFor();
    await page.locator('.fault-panel').waitFor({ state: 'detached' });
    await page.getByText(/frames\/s/).waitFor();
    await page.keyboard.press('t');
    await page.waitForFunction(
      () => (window as unknown as { fake: { live: { frames: unknown[] } } }).fake.live.frames.length === 4,
    );
    await page.context().close();
  });

  it('takes every part that comes into view and lies still, once', async () => {
    const page = await open('inspect');
    await page.locator('.recipe').selectOption({ label: 'Camera 1, by itself' });
    await page.getByRole('button', { name: 'Start' }).first().click();
    await page.getByText('Taken. Remove the part.').waitFor();
    await page.getByText('The view is empty.').waitFor();
    const takenAt = () =>
      page.evaluate(() =>
        (window as unknown as { fake: { live: { frames: { takenAt: number }[] } } }).fake.live.frames.map(
          (frame) => frame.takenAt,
        ),
      );
    await expect.poll(async () => (await takenAt()).length, { timeout: 300_000 }).toBeGreaterThanOrEqual(3);
    // The film brings a part every four seconds; the same one taken twice would be moments apart.
    const times = await takenAt();
    for (let i = 1; i < times.length; i++) expect(times[i]! - times[i - 1]!).toBeGreaterThan(1000);
    await page.context().close();
  });

  it('speaks every language on the operator’s screen', async () => {
    for (const [language, word] of [
      ['de', 'Angehalten'],
      ['ko', '정지됨'],
      ['zh-CN', '已停止'],
    ] as const) {
      const page = await open('inspect', { language });
      await page.getByText(word).first().waitFor();
      expect(await page.evaluate(() => document.documentElement.lang)).toBe(language);
      await page.context().close();
    }
  });

  it('broke nothing on the way: no error, nothing refused by the content security policy', () => {
    expect(complaints).toEqual([]);
  });
});
