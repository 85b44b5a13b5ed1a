import type { Page } from '@playwright/test';
import type axe from 'axe-core';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { FakeOptions } from './fake-station.ts';
import type { Harness } from './harness.ts';

const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** Opens a screen; errors and what the content security policy refuses on any page are gathered in `complaints`. */
export function pagesOf(harness: () => Harness, complaints: string[]) {
  return async (path: string, fake: FakeOptions = {}, context: { hasTouch?: boolean } = {}): Promise<Page> => {
    const page = await harness().open(path, { fake, context });
    // Nothing here measures time: a busy machine may take long.
    page.setDefaultTimeout(120_000);
    page.on('pageerror', (error) => complaints.push(`${path}: ${error.message}`));
    page.on('console', (message) => {
      // Pictures of parts that the fake station never kept are missing on purpose.
      if (message.type() === 'error' && !message.text().includes('404')) complaints.push(`${path}: ${message.text()}`);
    });
    await page.locator('main').waitFor();
    return page;
  };
}

/** What axe finds that keeps somebody from using the screen. */
export async function seriousFindings(page: Page): Promise<string[]> {
  // What is still fading has other colours than it will have.
  await page.evaluate(() =>
    Promise.allSettled(
      document
        .getAnimations()
        .filter(({ effect }) => effect?.getComputedTiming().endTime !== Infinity)
        .map(({ finished }) => finished),
    ),
  );
  await page.evaluate(axeSource);
  const found = await page.evaluate(() =>
    (window as unknown as { axe: typeof axe }).axe.run(document, { resultTypes: ['violations'] }),
  );
  return found.violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .flatMap(({ id, nodes }) =>
      nodes.map(({ html, failureSummary }) => `${id}: ${html.slice(0, 160)} ${failureSummary ?? ''}`),
    );
}

/** What the fake station was asked, in order. */
export const callsOf = (page: Page): Promise<string[]> =>
  page.evaluate(() => (window as unknown as { fakeLog: string[] }).fakeLog);
