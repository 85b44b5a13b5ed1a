import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { UserError } from '../../shared/errors.ts';
import { systemHandlers } from '../../main/station/system.ts';
import { ann, testStation } from './station-context.ts';

test('what helps to find a fault is there although the process that trains does not run', async () => {
  const { context } = await testStation();
  mkdirSync(path.join(context.folder, 'logs'));
  writeFileSync(path.join(context.folder, 'logs', 'station.log'), '{"msg":"training process ended"}\n');
  context.store.notices.set({ id: 'storeRestored', level: 'warning', message: 'Restored.', at: context.now() });
  const handlers = systemHandlers(context, {
    version: '1',
    electron: null,
    settings: () => ({}),
    engines: () => Promise.reject(new UserError('processDown', 'The training process does not run.')),
    inference: () => ({ state: 'running', restarts: 0, engine: 'cpu', threads: 1 }),
    training: () => ({ state: 'restarting', restarts: 7 }),
    onCameraWanted: () => undefined,
  });
  expect(await handlers['system.status']({}, ann)).toMatchObject({
    engines: [],
    training: { state: 'restarting', restarts: 7 },
    notices: [{ id: 'storeRestored' }],
  });
  const bundle = path.join(context.folder, 'bundle.zip');
  expect(await handlers['system.diagnostics']({ path: bundle, withPictures: false }, ann)).toMatchObject({
    path: bundle,
  });
  expect(readFileSync(bundle).subarray(0, 2).toString()).toBe('PK');
});
