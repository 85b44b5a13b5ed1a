import { spawnSync } from 'node:child_process';
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { verifyAuditLog } from '../../main/audit/verify.mjs';
import { eventLine } from '../../shared/audit/event.ts';
import { bundleWorker } from '../killing.ts';
import { at, newModel, temporaryFolder, temporaryStore } from '../store/helpers.ts';

it.each([
  ['activate', ['v3 active', 'v2 previous', 'v1 retired'], 'model.activated'],
  ['rollback', ['v3 candidate', 'v2 previous', 'v1 active'], 'model.rolledBack'],
] as const)('%s is whole or not at all when killed before any of its steps', { timeout: 300_000 }, async (...given) => {
  const [what, after, action] = given;
  const template = temporaryFolder();
  const store = await temporaryStore(template);
  const { id: projectId } = store.projects.create({ name: 'Cups', note: '', createdAt: at });
  for (const id of ['m1', 'm2', 'm3']) store.models.add(newModel(projectId, id));
  store.models.activate('m1');
  store.models.activate('m2');
  store.close();
  const before = ['v3 candidate', 'v2 active', 'v1 previous'];
  const worker = await bundleWorker(join(import.meta.dirname, 'switch-worker.ts'));
  const seen = new Set<string>();
  try {
    let step = 1;
    for (let isDone = false; !isDone; step++) {
      const folder = temporaryFolder();
      cpSync(template, folder, { recursive: true });
      const ended = spawnSync(process.execPath, [worker.file, folder, projectId, what, String(step)], {
        encoding: 'utf8',
      });
      isDone = ended.stdout === 'done\n';
      if (!isDone) expect(ended.signal, ended.stderr).toBe('SIGKILL');
      const left = await temporaryStore(folder);
      const states = left.models.list(projectId).map(({ version, state }) => `v${String(version)} ${state}`);
      const events = [...left.events.iterate()];
      const told = events.filter((event) => event.action === action).length;
      // The change, what is noted of it, and who let it through: all of it or nothing.
      expect([before, after]).toContainEqual(states);
      expect(told).toBe(states.join() === after.join() ? 1 : 0);
      const overridden = left.models.get('m3').override ?? null;
      expect(overridden !== null).toBe(what === 'activate' && told === 1);
      if (isDone) expect(states).toEqual(after);
      const log = Buffer.from(events.map((event) => `${eventLine(event)}\n`).join(''));
      expect(verifyAuditLog({ log }).findings).toEqual([]);
      seen.add(states.join());
      left.close();
    }
    expect(step).toBeGreaterThan(6);
    expect(seen.size).toBe(2);
  } finally {
    await worker.remove();
  }
});
