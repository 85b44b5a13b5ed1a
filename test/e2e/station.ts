import { _electron, expect, type ElectronApplication, type Page } from '@playwright/test';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { electronHost } from '../../main/app/host/electron-host.mjs';
import type { ChannelInput, ChannelName, ChannelOutput } from '../../shared/ipc/contract.ts';
import type { Result } from '../../shared/ipc/channel.ts';

export const root = path.resolve(import.meta.dirname, '..', '..');
/** The bundled pictures. */
export const papers = path.join(root, 'models', 'sample', 'papers');
/** Pictures of every screen, kept for people to look at. */
export const screenshots = path.join(root, '.twinspect', 'e2e', 'screens');

export interface RunningStation {
  app: ElectronApplication;
  window: Page;
  close(): Promise<void>;
}

export interface StartOptions {
  args?: readonly string[];
}

export function freshFolder(): string {
  return mkdtempSync(path.join(tmpdir(), 'twinspect-e2e-'));
}

/** Starts the built program on a folder for its data and waits for its window. */
export async function startStation(userData: string, { args = [] }: StartOptions = {}): Promise<RunningStation> {
  const host = await electronHost();
  const app = await _electron.launch({
    executablePath: host.path,
    args: [root, `--user-data-dir=${userData}`, '--disable-gpu', ...args],
    env: { ...(process.env as Record<string, string>), TWINSPECT_STARTED_AT: String(Date.now()) },
    timeout: 60_000,
  });
  const window = await app.firstWindow();
  await expect(window.getByRole('navigation').first()).toBeVisible({ timeout: 60_000 });
  return { app, window, close: () => app.close() };
}

export function removeFolder(folder: string): void {
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
}

/** Keeps a picture of what the window shows. */
export async function keepScreen(window: Page, name: string): Promise<void> {
  mkdirSync(screenshots, { recursive: true });
  await window.screenshot({ path: path.join(screenshots, `${name}.png`) });
}

/** Asks the station just as the window does. */
export async function ask<N extends ChannelName>(
  window: Page,
  name: N,
  input: ChannelInput<N>,
): Promise<ChannelOutput<N>> {
  const result = await askRaw<N>(window, name, input);
  if (!result.ok) throw new Error(`${name}: ${result.error.message}`);
  return result.value;
}

/** As {@link ask}, with refusals as values. */
export async function askRaw<N extends ChannelName>(
  window: Page,
  name: N,
  input: unknown,
): Promise<Result<ChannelOutput<N>>> {
  return window.evaluate(
    ([channel, given]) => {
      const { station } = globalThis as unknown as { station: Record<string, (input: unknown) => Promise<unknown>> };
      return station[channel]!(given);
    },
    [name, input] as const,
  ) as Promise<Result<ChannelOutput<N>>>;
}

/** Asks again and again until the answer is as wanted. */
export async function until<T>(
  what: string,
  askOnce: () => Promise<T>,
  isWanted: (answer: T) => boolean,
  withinMs = 150_000,
): Promise<T> {
  const end = Date.now() + withinMs;
  for (;;) {
    const answer = await askOnce();
    if (isWanted(answer)) return answer;
    if (Date.now() > end) throw new Error(`${what} did not come about; last: ${JSON.stringify(answer)?.slice(0, 600)}`);
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
}

/** Cancels the training of the sample project, which would only take the machine's time. */
export async function cancelSampleTraining(window: Page): Promise<void> {
  const [sample] = await until(
    'the sample project',
    () => ask(window, 'projects.list', {}),
    (projects) => projects.length === 1,
  );
  const projectId = sample!.id;
  const run = await until(
    'its training',
    () => ask(window, 'training.current', { projectId }),
    (state) => state?.state === 'running',
  );
  await ask(window, 'training.cancel', { id: run!.id });
  await until(
    'its end',
    () => ask(window, 'training.current', { projectId }),
    (state) => state?.state === 'cancelled',
  );
}

/** Makes a project by the window's own form. */
export async function makeProject(window: Page, name: string): Promise<void> {
  await window.getByRole('link', { name: 'Project' }).click();
  await window.getByRole('button', { name: 'New project' }).first().click();
  await window.getByLabel('Name').fill(name);
  await window.getByRole('dialog').getByRole('button', { name: 'New project' }).click();
  await expect(window.getByRole('heading', { name })).toBeVisible();
}

/** Trains the project and waits for the model. */
export async function train(
  window: Page,
  projectId: string,
  preset: ChannelInput<'training.start'>['preset'],
): Promise<NonNullable<ChannelOutput<'training.current'>>> {
  await ask(window, 'training.start', { projectId, preset, engine: 'cpu', seed: 0, activate: true });
  const run = await until(
    'the end of the training',
    () => ask(window, 'training.current', { projectId }),
    (state) => state !== null && ['finished', 'failed', 'cancelled'].includes(state.state),
    300_000,
  );
  if (run?.state !== 'finished') throw new Error(`the training ${String(run?.state)}: ${JSON.stringify(run?.error)}`);
  return run;
}

/** All of a project's records. */
export function everything(projectId: string): ChannelInput<'history.page'>['filter'] {
  return {
    projectId,
    from: null,
    to: null,
    className: null,
    lot: null,
    serial: null,
    station: null,
    verdict: null,
    person: 'any',
  };
}
