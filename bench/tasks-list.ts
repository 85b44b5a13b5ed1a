/** The tasks of an operator, an engineer and a quality manager, each done in the real window. */
import { expect, type Locator, type Page } from '@playwright/test';
import { cpSync, existsSync, mkdirSync, readdirSync } from 'node:fs';
import path from 'node:path';
import type { ChannelOutput } from '../shared/ipc/contract.ts';
import { ask, everything, train, until } from '../test/e2e/station.ts';
import type { Person } from './tasks-person.ts';

export interface Given {
  person: Person;
  window: Page;
  /** The sample project, with a model and records. */
  projectId: string;
  /** A folder to write to. */
  folder: string;
  /** The bundled pictures. */
  papers: string;
  /** Labels ever given. */
  labels: () => number;
}

export interface Task {
  name: string;
  who: 'operator' | 'engineer' | 'quality' | 'administrator';
  /** What has to be there; not counted. */
  before?: (given: Given) => Promise<void>;
  run: (given: Given) => Promise<void>;
  /** What is put back; not counted. */
  after?: (given: Given) => Promise<void>;
}

const patience = { timeout: 60_000 };
const screen = (window: Page, name: string): Locator =>
  window.getByRole('navigation').getByRole('link', { name: new RegExp(`^${name}`) });
const button = (window: Page, name: string | RegExp): Locator => window.getByRole('button', { name }).first();
const dialogButton = (window: Page, name: string): Locator =>
  window.getByRole('dialog').getByRole('button', { name, exact: true });
const written = (file: string): Promise<unknown> =>
  until(
    file,
    () => Promise.resolve(existsSync(file)),
    (is) => is,
  );
const toast = (window: Page, words: RegExp): Promise<void> =>
  expect(window.getByText(words).first()).toBeVisible(patience);

/** Every task starts at the operator's screen of the sample project. */
export async function atInspect(window: Page, projectId: string): Promise<void> {
  await window.getByLabel('Project', { exact: true }).first().selectOption({ value: projectId });
  await window.evaluate(() => {
    (globalThis as unknown as { location: { hash: string } }).location.hash = '#/inspect';
  });
  await expect(window.getByRole('complementary', { name: 'Verdict' })).toBeVisible(patience);
}

export const tasks: Task[] = [
  {
    name: 'Overrule the verdict on the screen (P)',
    who: 'operator',
    before: async ({ window, projectId }) => {
      await ask(window, 'feed.stop', { projectId });
    },
    async run({ person, window }) {
      await person.press('p');
      await person.wait(() => expect(window.getByText(/decided/).first()).toBeVisible(patience));
    },
  },
  {
    name: 'Undo a verdict (U)',
    who: 'operator',
    async run({ person, window }) {
      await person.press('u');
      await person.wait(() => toast(window, /Taken back: part/));
    },
  },
  {
    name: 'Change the lot',
    who: 'operator',
    async run({ person, window }) {
      await person.click(button(window, /^Lot /));
      // What was there is selected: typing replaces it.
      await person.type('L-2292');
      await person.press('Enter');
      await person.wait(() => expect(button(window, /^Lot L-2292/)).toBeVisible(patience));
    },
  },
  {
    name: 'Find one serial, with picture, heat map and reasons',
    who: 'operator',
    async run(given) {
      const { person, window, projectId } = given;
      const filter = { ...everything(projectId), serial: 'SN-000' };
      const { parts: found } = await ask(window, 'history.page', { filter, before: null, limit: 50 });
      const { serial } = found.at(-1)!;
      await person.click(screen(window, 'History'));
      await person.click(window.getByLabel('Serial', { exact: true }));
      await person.type(serial!);
      await person.press('Enter');
      await person.wait(() =>
        expect(window.getByRole('img', { name: new RegExp(`Picture of part ${serial!}`) }).first()).toBeVisible(
          patience,
        ),
      );
    },
  },
  {
    name: 'New product to first verdict',
    who: 'engineer',
    async run({ person, window, folder, papers }) {
      const [kind] = readdirSync(papers).sort();
      const source = path.join(folder, 'new-product', kind!);
      cpSync(path.join(papers, kind!), source, { recursive: true });
      await person.click(screen(window, 'Project'));
      await person.click(button(window, 'New project'));
      await person.type('Line 7');
      await person.press('Enter');
      await person.wait(() => expect(window.getByRole('heading', { name: 'Line 7' })).toBeVisible(patience));
      await person.inDialog(path.dirname(source));
      await person.click(button(window, 'From a folder'));
      await person.wait(() => expect(dialogButton(window, 'Take them in')).toBeVisible(patience));
      await person.click(dialogButton(window, 'Take them in'));
      const train = button(window, /Train/);
      await person.wait(() => expect(train).toBeEnabled(patience));
      await person.click(train);
      const start = button(window, 'Start training');
      await person.wait(() => expect(start).toBeEnabled(patience));
      await person.click(start);
      await person.wait(() =>
        expect(window.getByRole('banner').getByText('Model v1')).toBeVisible({ timeout: 300_000 }),
      );
      await person.click(screen(window, 'Inspect'));
      const test = path.join(papers, kind!, 'test', 'impurity');
      await person.inDialog(path.join(test, readdirSync(test)[0]!));
      await person.click(button(window, 'Judge pictures from files'));
      await person.wait(() =>
        expect(
          window
            .getByRole('complementary', { name: 'Verdict' })
            .getByText(/^(PASS|FAIL|REVIEW)$/)
            .first(),
        ).toBeVisible(patience),
      );
    },
  },
  {
    name: 'Label 100 pictures',
    who: 'engineer',
    async run({ person, window, labels }) {
      const before = labels();
      await person.click(screen(window, 'Label'));
      await person.wait(() => expect(window.locator('#tile-0')).toBeVisible(patience));
      for (let i = 0; i < 100; i++) await person.press(i % 5 === 4 ? 'f' : 'p');
      await person.wait(() =>
        until(
          'a hundred labels',
          () => Promise.resolve(labels()),
          (now) => now >= before + 100,
        ),
      );
    },
  },
  {
    name: 'Train on all pictures again, put into use if it passes its checks',
    who: 'engineer',
    async run({ person, window }) {
      await person.click(screen(window, 'Train'));
      const start = button(window, 'Start training');
      await person.wait(() => expect(start).toBeEnabled(patience));
      await person.click(start);
      await person.wait(() => expect(button(window, 'Pause')).toBeVisible(patience));
    },
    after: async ({ window, projectId }) => {
      const current = (): Promise<ChannelOutput<'training.current'>> => ask(window, 'training.current', { projectId });
      await ask(window, 'training.cancel', { id: (await current())!.id });
      await until('its end', current, (state) => state?.state === 'cancelled');
    },
  },
  {
    name: 'Roll back to the model before',
    who: 'engineer',
    before: async ({ window, projectId }) => {
      await train(window, projectId, 'instant');
      const models = await ask(window, 'models.list', { projectId });
      const newest = models.reduce((a, b) => (a.version > b.version ? a : b));
      if (newest.state === 'active') return;
      await ask(window, 'models.activate', { modelId: newest.id, override: { reason: 'To go back.' }, secret: null });
    },
    async run({ person, window }) {
      await person.click(screen(window, 'Train'));
      await person.click(button(window, 'Back to the model before'));
      await person.type('Too many rejects.');
      await person.click(dialogButton(window, 'Back to the model before'));
      await person.wait(() => toast(window, /judges again/));
    },
  },
  {
    name: 'Change a threshold, with reason',
    who: 'quality',
    async run({ person, window }) {
      await person.click(screen(window, 'Thresholds'));
      const handle = window.getByRole('slider').last();
      await person.wait(() => expect(handle).toBeVisible(patience));
      await person.click(handle);
      await person.click(button(window, 'Apply'));
      await person.type('Customer asks for it.');
      await person.click(dialogButton(window, 'Apply'));
      await person.wait(() => toast(window, /hold from the next part on\.$/));
    },
  },
  {
    name: 'Export the report of a lot (PDF)',
    who: 'quality',
    async run({ person, window, folder }) {
      const file = path.join(folder, 'lot.pdf');
      await person.click(screen(window, 'History'));
      await person.choose(window.getByLabel('Lot', { exact: true }), 'SAMPLE-1');
      await person.inDialog(file);
      await person.click(button(window, 'Lot report (PDF)'));
      await person.wait(() => written(file));
    },
  },
  {
    name: 'Certificate of one part (PDF)',
    who: 'quality',
    async run({ person, window, folder }) {
      const file = path.join(folder, 'part.pdf');
      await person.click(screen(window, 'History'));
      await person.wait(() => expect(window.getByRole('row').nth(3)).toBeVisible(patience));
      await person.click(window.getByRole('row').nth(3));
      await person.inDialog(file);
      await person.click(button(window, 'Certificate (PDF)'));
      await person.wait(() => written(file));
    },
  },
  {
    name: 'Export what was inspected as a table (XLSX)',
    who: 'quality',
    async run({ person, window, folder }) {
      const file = path.join(folder, 'parts.xlsx');
      await person.click(screen(window, 'History'));
      await person.inDialog(file);
      await person.click(window.getByRole('button', { name: 'Export', exact: true }));
      await person.wait(() => written(file));
    },
  },
  {
    name: 'Give a colleague an account',
    who: 'administrator',
    before: async ({ window, folder }) => {
      mkdirSync(folder, { recursive: true });
      await ask(window, 'users.create', { name: 'Ada', role: 'administrator', secret: '2468' });
      if ((await ask(window, 'session.current', {})) === null) throw new Error('nobody is signed in');
    },
    async run({ person, window }) {
      await person.click(screen(window, 'Settings'));
      await person.click(button(window, 'People and roles'));
      await person.click(button(window, 'Add a person'));
      await person.type('Ben');
      await person.press('Tab');
      await person.press('Tab');
      await person.type('1357');
      await person.press('Tab');
      await person.type('1357');
      await person.press('Enter');
      await person.wait(() => expect(window.getByText('Ben').first()).toBeVisible(patience));
    },
  },
];
