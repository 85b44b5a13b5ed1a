import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test, vi } from 'vitest';
import { startHousekeeping } from '../../main/station/housekeeping.ts';
import { backupFolder, listBackups } from '../../main/store/backup.ts';
import { judged } from '../store/helpers.ts';
import { testStation } from './station-context.ts';

test('a backup that can not be made is told, does not keep the station from cleaning, and is made when it can be', async () => {
  const station = await testStation();
  const { context, store, events } = station;
  const { id: projectId } = await station.ask('projects.create', { name: 'Cups', note: '' });
  const picture = { bytes: Buffer.alloc(1000, 1), extension: 'png', widthPx: 9, heightPx: 9 };
  const pictureSha256 = await store.pictures.addFile(picture, context.now());
  judged(store, projectId, { presentedAt: context.now() }, { verdict: 'fail', predScore: 1, pictureSha256 });
  station.wait(5000 * 86_400_000);
  // A file where the folder of backups should be.
  writeFileSync(backupFolder(context.folder), '');
  const failures: unknown[] = [];
  startHousekeeping(context, (error) => failures.push(error))();
  await vi.waitFor(() => expect(store.notices.list()).toHaveLength(1), { timeout: 60_000 });
  expect(store.notices.list()[0]).toMatchObject({ id: 'backupFailed', level: 'warning' });
  expect(store.notices.list()[0]!.message).toMatch(/^The daily backup could not be made: ".+" can't be written/);
  expect(events).toContainEqual(expect.objectContaining({ type: 'notice', id: 'backupFailed' }));
  expect(failures).toHaveLength(1);
  expect(store.pictures.path(pictureSha256)).toBeNull();

  rmSync(backupFolder(context.folder));
  mkdirSync(path.join(context.folder, 'backups'));
  startHousekeeping(context, (error) => failures.push(error))();
  await vi.waitFor(() => expect(store.notices.list()).toEqual([]), { timeout: 60_000 });
  expect(listBackups(context.folder)).toHaveLength(1);
  expect(failures).toHaveLength(1);
});
