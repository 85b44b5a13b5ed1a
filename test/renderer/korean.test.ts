import type { Page } from '@playwright/test';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import words from '../../renderer/app/i18n/ko/train.json' with { type: 'json' };
import { englishIn } from '../phrases/source-texts.ts';
import type { FakeOptions } from './fake-station.ts';
import { findChromium, startHarness, type Harness } from './harness.ts';

const chromium = findChromium();
/** Folder for pictures of every screen, to be looked at; none: no pictures. */
const shots = process.env['TWINSPECT_SHOTS'];

/** What people, files and machines are called, and what somebody typed: not the station's words. */
const own = [
  /\/[\w./ -]+/g, // paths
  /\S+\.(png|pdf|twin|csv|xlsx|json|twinproject)/g,
  /Ada Berger|Minh Trần|Jo Park|Station 3|Twinspect|First setting\.|Audit 12\.|Lint\./g,
  /onnxruntime-node|ONNX Runtime( \([^)]*\))?|twinspect backbone \w+( \S+)*/g,
  /\b(DINOv2|AUROC|ROC|PNG|JPEG|TIFF|BMP|WebP|CSV|XLSX|JSON|PDF|PIN|SHA-256|Linux|CPU|CUDA|NVIDIA|DirectML|WebGPU|F1|Youden)\b/g,
  /Replay of the sample|printed papers?/gi,
];

/** English in what a person sees or hears of a page: text, labels, hints, titles, what stands in fields. */
async function englishOn(page: Page): Promise<string[]> {
  const texts = await page.evaluate(() => {
    const found: string[] = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node !== null; node = walker.nextNode()) {
      if (!['SCRIPT', 'STYLE'].includes(node.parentElement?.tagName ?? '')) found.push(node.textContent ?? '');
    }
    for (const element of document.querySelectorAll('[aria-label], [title], [placeholder], [alt], [aria-valuetext]'))
      for (const name of ['aria-label', 'title', 'placeholder', 'alt', 'aria-valuetext'])
        found.push(element.getAttribute(name) ?? '');
    return found;
  });
  return texts
    .map((text) => own.reduce((rest, pattern) => rest.replace(pattern, ' · '), text))
    .filter((text) => englishIn(text) !== null);
}

describe.skipIf(chromium === undefined)('a station that speaks Korean', () => {
  let harness: Harness;
  beforeAll(async () => {
    harness = await startHarness(chromium!);
    if (shots !== undefined) mkdirSync(shots, { recursive: true });
  });
  afterAll(() => harness.close());

  async function look(page: Page, name: string): Promise<void> {
    await page.waitForTimeout(300);
    if (shots !== undefined) await page.screenshot({ path: join(shots, `${name}.png`) });
    expect.soft(await englishOn(page), name).toEqual([]);
  }
  async function open(path: string, fake: FakeOptions = {}): Promise<Page> {
    const page = await harness.open(path, { fake: { language: 'ko', ...fake } });
    await page.locator('main').waitFor();
    return page;
  }
  const goTo = (page: Page, path: string) => page.evaluate((to) => (location.hash = `#/${to}`), path);

  it('shows no English sentence on any screen', async () => {
    const page = await open('inspect');
    await look(page, 'inspect');
    for (const screen of ['label', 'project', 'train', 'thresholds', 'history', 'study']) {
      await goTo(page, screen);
      await look(page, screen);
    }
    for (const part of ['appearance', 'station', 'people', 'storage', 'system', 'audit']) {
      await goTo(page, `settings?part=${part}`);
      await look(page, `settings-${part}`);
    }
    await page.context().close();
  });

  it('shows none while a model is trained, when its checks are read, and on a part of the history', async () => {
    const page = await open('train');
    await page.locator('.train .panel .row button').first().click();
    await page.locator('progress').first().waitFor();
    await page.locator('main [aria-expanded]').first().click();
    await page.locator('.log li').first().waitFor();
    await look(page, 'training');
    await page.locator('.models > ul button').nth(1).click();
    await page.getByRole('button', { name: words.check, exact: true }).click();
    await page.locator('.gates').waitFor();
    await look(page, 'gates');
    await goTo(page, 'history');
    await page.getByRole('grid').press('ArrowDown');
    await page.getByRole('grid').press('Enter');
    await look(page, 'part');
    await page.context().close();
  });

  it('shows none in a fault, on the lock screen, in refusals and where nothing is yet', async () => {
    const fault = await open('inspect', { feed: 'fault' });
    await fault.getByRole('alert').first().waitFor();
    await look(fault, 'fault');
    const locked = await open('inspect', { locked: true });
    await look(locked, 'lock');
    const empty = await open('inspect', { empty: true });
    for (const screen of ['inspect', 'label', 'project', 'train', 'thresholds', 'history']) {
      await goTo(empty, screen);
      await look(empty, `empty-${screen}`);
    }
    const refused = await open('train', { failing: ['training.start'] });
    await refused.locator('.train .panel .row button').first().click();
    await look(refused, 'refused');
    for (const page of [fault, locked, empty, refused]) await page.context().close();
  });
});
