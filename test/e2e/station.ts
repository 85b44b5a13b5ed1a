import { _electron, type ElectronApplication, type Page } from '@playwright/test';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { electronHost } from '../../main/app/host/electron-host.mjs';

const root = path.resolve(import.meta.dirname, '..', '..');
/** Pictures of every screen, kept for people to look at. */
export const screenshots = path.join(root, '.twinspect', 'e2e', 'screens');

export interface RunningStation {
  app: ElectronApplication;
  window: Page;
  /** The station's own folder. */
  folder: string;
  close(): Promise<void>;
}

export interface StartOptions {
  /** User data of a station that ran before; a fresh one otherwise. */
  userData?: string;
  args?: readonly string[];
  env?: Readonly<Record<string, string>>;
}

export function freshUserData(): string {
  return mkdtempSync(path.join(tmpdir(), 'twinspect-e2e-'));
}

/** Starts the built program and waits for its window. */
export async function startStation({ userData, args = [], env = {} }: StartOptions = {}): Promise<RunningStation> {
  const host = await electronHost();
  const data = userData ?? freshUserData();
  const app = await _electron.launch({
    executablePath: host.path,
    args: [root, `--user-data-dir=${data}`, '--disable-gpu', ...args],
    env: { ...(process.env as Record<string, string>), ...env, TWINSPECT_STARTED_AT: String(Date.now()) },
    timeout: 60_000,
  });
  const window = await app.firstWindow();
  window.setDefaultTimeout(20_000);
  return {
    app,
    window,
    folder: path.join(data, 'station'),
    close: async () => {
      await app.close();
      if (userData === undefined) rmSync(data, { recursive: true, force: true });
    },
  };
}

/** Keeps a picture of what the window shows. */
export async function keepScreen(window: Page, name: string): Promise<void> {
  mkdirSync(screenshots, { recursive: true });
  await window.screenshot({ path: path.join(screenshots, `${name}.png`) });
}

/** Calls the station as the window would, typed loosely: tests look at what comes back. */
export async function call<T>(window: Page, name: string, input: unknown): Promise<T> {
  const result = await window.evaluate(
    ([channel, given]) =>
      (window as unknown as { station: Record<string, (input: unknown) => Promise<unknown>> }).station[
        channel as string
      ]!(given),
    [name, input] as const,
  );
  const { ok, value, error } = result as { ok: boolean; value: T; error?: { message: string } };
  if (!ok) throw new Error(error?.message ?? 'the call failed');
  return value;
}
