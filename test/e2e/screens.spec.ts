import { expect, test, type Page } from '@playwright/test';
import { createRequire } from 'node:module';
import { ask, freshFolder, keepScreen, removeFolder, startStation, until } from './station.ts';

const axe = createRequire(import.meta.url).resolve('axe-core/axe.min.js');
const screens = ['inspect', 'label', 'project', 'train', 'thresholds', 'study', 'history', 'settings'] as const;

/** What axe finds that keeps somebody from using the screen. */
async function seriousFindings(window: Page): Promise<string[]> {
  // Through the debugger: the page's own policy lets no script in.
  const hasAxe = await window.evaluate(() => 'axe' in globalThis);
  if (!hasAxe) {
    const { readFileSync } = await import('node:fs');
    const client = await window.context().newCDPSession(window);
    await client.send('Runtime.evaluate', { expression: readFileSync(axe, 'utf8') });
  }
  return window.evaluate(async () => {
    const { axe: checker } = globalThis as unknown as {
      axe: { run(): Promise<{ violations: { id: string; impact: string; nodes: { html: string }[] }[] }> };
    };
    const { violations } = await checker.run();
    return violations
      .filter(({ impact }) => impact === 'serious' || impact === 'critical')
      .map(({ id, nodes }) => `${id}: ${nodes[0]?.html.slice(0, 120) ?? ''}`);
  });
}

test('every screen in light, dark and high contrast, in four languages, by keyboard, without serious barriers', async () => {
  test.setTimeout(540_000);
  const data = freshFolder();
  const station = await startStation(data);
  const { window } = station;
  try {
    const [model] = await until(
      'the sample model',
      async () => {
        const [project] = await ask(window, 'projects.list', {});
        return project === undefined ? [] : ask(window, 'models.list', { projectId: project.id });
      },
      (models) => models.length > 0,
      300_000,
    );
    // Once the golden set is in and scored, the thresholds screen has something to show.
    await until(
      'scores of the golden set',
      () => ask(window, 'thresholds.evidence', { modelId: model!.id }),
      ({ evidence }) => evidence.length > 20,
    );
    const findings: string[] = [];
    for (const theme of ['light', 'dark', 'contrast'] as const) {
      await ask(window, 'settings.setAppearance', { language: 'en', theme, sound: false });
      for (const screen of screens) {
        await window.evaluate((hash) => (location.hash = hash), `#/${screen}`);
        await window.waitForTimeout(700);
        await keepScreen(window, `${screen}-${theme}`);
        if (theme !== 'contrast') {
          findings.push(...(await seriousFindings(window)).map((finding) => `${screen} (${theme}) ${finding}`));
        }
      }
    }
    expect(findings).toEqual([]);

    for (const language of ['de', 'ko', 'zh-CN'] as const) {
      await ask(window, 'settings.setAppearance', { language, theme: 'light', sound: false });
      for (const screen of screens) {
        await window.evaluate((hash) => (location.hash = hash), `#/${screen}`);
        await window.waitForTimeout(400);
        const text = await window.evaluate(() => document.body.innerText);
        // A key that has no words shows itself, such as "inspect.startWhy".
        expect(
          text.match(/\b(?:inspect|label|projects|feeds|train|thresholds|study|shadow|history|settings)\.[a-z]\w+\b/g),
        ).toBeNull();
        await keepScreen(window, `${screen}-${language}`);
      }
    }

    // The keyboard alone reaches every screen.
    await ask(window, 'settings.setAppearance', { language: 'en', theme: 'light', sound: false });
    await window.evaluate(() => (location.hash = '#/inspect'));
    await window.evaluate(() => (document.activeElement as HTMLElement | null)?.blur());
    const reached = new Set<string>();
    for (let i = 0; i < 30 && reached.size < screens.length; i++) {
      await window.keyboard.press('Tab');
      const href = await window.evaluate(() => document.activeElement?.getAttribute('href') ?? '');
      const name = /^#\/(\w+)/.exec(href)?.[1];
      if (name !== undefined) reached.add(name);
    }
    expect([...reached].sort()).toEqual([...screens].sort());
  } finally {
    await station.close();
    removeFolder(data);
  }
});
