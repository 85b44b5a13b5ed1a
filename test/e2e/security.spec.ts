import { expect, test } from '@playwright/test';
import { spawn } from 'node:child_process';
import { electronHost } from '../../main/app/host/electron-host.mjs';
import { ask, askRaw, freshFolder, removeFolder, root, startStation } from './station.ts';

test('the window is walled in: no Node, no inline script, no other address, no permission, roles hold', async () => {
  const data = freshFolder();
  const station = await startStation(data);
  const { window, app } = station;
  try {
    const seen = await window.evaluate(async () => {
      const global = globalThis as unknown as Record<string, unknown>;
      const script = document.createElement('script');
      script.textContent = 'globalThis.injected = true';
      document.head.append(script);
      // The test driver lifts the policy for the moment of its own call: wait until that is over.
      await new Promise((resolve) => setTimeout(resolve, 50));
      let evaluated = true;
      try {
        // The policy forbids it: that is what is tried here.
        new Function('return 1')();
      } catch {
        evaluated = false;
      }
      const reached = await fetch('https://example.org/').then(
        () => true,
        () => false,
      );
      const file = await fetch('file:///etc/hostname').then(
        () => true,
        () => false,
      );
      const camera = await navigator.mediaDevices.getUserMedia({ video: true }).then(
        () => 'given',
        (error: unknown) => (error as Error).name,
      );
      const microphone = await navigator.mediaDevices.getUserMedia({ audio: true }).then(
        () => 'given',
        (error: unknown) => (error as Error).name,
      );
      return {
        origin: location.origin,
        node: [typeof global['require'], typeof global['process'], typeof global['module']],
        bridge: typeof (global['station'] as Record<string, unknown>)['invoke'],
        injected: global['injected'] ?? false,
        evaluated,
        reached,
        file,
        camera,
        microphone,
        opened: globalThis.open('https://example.org/') !== null,
      };
    });
    expect(seen).toEqual({
      origin: 'station://app',
      node: ['undefined', 'undefined', 'undefined'],
      bridge: 'undefined',
      injected: false,
      evaluated: false,
      reached: false,
      file: false,
      camera: expect.stringMatching(/NotAllowedError|NotFoundError/),
      microphone: expect.stringMatching(/NotAllowedError|NotFoundError/),
      opened: false,
    });
    const preferences = await app.evaluate(({ BrowserWindow }) => {
      const contents = BrowserWindow.getAllWindows()[0]!.webContents as unknown as {
        getLastWebPreferences(): Record<string, unknown>;
      };
      const { sandbox, contextIsolation, nodeIntegration, webSecurity } = contents.getLastWebPreferences();
      return { sandbox, contextIsolation, nodeIntegration, webSecurity };
    });
    expect(preferences).toEqual({ sandbox: true, contextIsolation: true, nodeIntegration: false, webSecurity: true });

    // A second start finds the first one's window; it ends by itself and takes nothing away.
    const host = await electronHost();
    const again = [
      root,
      `--user-data-dir=${data}`,
      '--disable-gpu',
      ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
    ];
    const second = spawn(host.path, again, { stdio: 'ignore' });
    expect(await new Promise((resolve) => second.once('exit', resolve))).toBe(0);
    expect(await ask(window, 'session.current', {})).toMatchObject({ accounts: false });

    // With an account nobody gets in without signing in, and an operator stays an operator.
    const admin = await ask(window, 'users.create', { name: 'Ada', role: 'administrator', secret: '482915' });
    const session = await ask(window, 'session.current', {});
    if (session.user === null) await ask(window, 'session.signIn', { userId: admin.id, secret: '482915' });
    const operator = await ask(window, 'users.create', { name: 'Otto', role: 'operator', secret: '1234' });
    await ask(window, 'session.signOut', {});
    expect(await askRaw(window, 'projects.list', {})).toMatchObject({ ok: false, error: { code: 'signInNeeded' } });
    await expect(window.getByText('Who is at the station?')).toBeVisible();
    expect(await askRaw(window, 'session.signIn', { userId: operator.id, secret: '9999' })).toMatchObject({
      ok: false,
    });
    await ask(window, 'session.signIn', { userId: operator.id, secret: '1234' });
    expect(await askRaw(window, 'users.list', {})).toMatchObject({ ok: false, error: { code: 'roleTooLow' } });
    expect((await ask(window, 'projects.list', {})).length).toBeGreaterThanOrEqual(0);
  } finally {
    await station.close();
    removeFolder(data);
  }
});
