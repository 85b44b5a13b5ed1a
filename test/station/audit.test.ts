import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { AuditEvent } from '../../shared/audit/event.ts';
import { createRandom } from '../../shared/random.ts';
import { changeHashOf } from '../../main/audit/electronic-signature.ts';
import type { Caller } from '../../main/ipc/handler.ts';
import { AuditSeals } from '../../main/station/audit-seals.ts';
import { ModelService } from '../../main/station/models.ts';
import { thresholdHandlers } from '../../main/station/thresholds.ts';
import { newId } from '../../main/store/files.ts';
import { projectRoot } from '../../main/system/project-root.ts';
import { isFound, tamper } from '../audit/tamper.ts';
import { runCli } from '../cli/fakes.ts';
import { newModel } from '../store/new-model.ts';
import { testStation, type TestStation } from './station-context.ts';

let root: string;
let station: TestStation;
beforeEach(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'twinspect log ä '));
  station = await testStation(path.join(root, 'station'));
});
afterEach(async () => {
  station.store.close();
  await rm(root, { recursive: true, force: true });
});

const feeds = {
  score: () => Promise.resolve([]),
  scoreWith: () => Promise.resolve([]),
  cancelScoring: () => Promise.resolve(),
  modelChanged: () => Promise.resolve(),
};
const quality: Caller = { userId: 'u1', name: 'Ann', role: 'quality' };
const isSecretOf = (_: Caller, secret: string | null): Promise<boolean> => Promise.resolve(secret === '4711');

function addModel(projectId: string): string {
  const id = newId();
  station.store.models.add({
    ...newModel(projectId, id),
    classes: ['tile'],
    parity: { maxAbsDifference: 1, verdictFlips: 1, pictures: 1 },
  });
  return id;
}

test('with accounts, thresholds, activations and the way back carry a signature of exactly the change', async () => {
  const { context, store } = station;
  const { id: projectId } = await station.ask('projects.create', { name: 'Tiles', note: '' });
  const modelId = addModel(projectId);
  const thresholds = { review: 1.5, fail: 3 };
  const apply = thresholdHandlers(context, { feeds, isSecretOf })['thresholds.apply'];
  const change = { modelId, thresholds, basis: 'b', reason: 'Fewer false rejects' };
  await expect(apply({ ...change, secret: '1234' }, quality)).rejects.toMatchObject({ code: 'signatureRefused' });
  expect(store.models.get(modelId).thresholds).toEqual({ review: 1, fail: 2 });
  await apply({ ...change, secret: '4711' }, quality);
  const models = new ModelService(context, { feeds, isSecretOf });
  const { activated } = await models.activate(modelId, quality, { reason: 'The line waits for it.' }, '4711');
  expect(activated).toBe(true);
  const second = addModel(projectId);
  await models.activate(second, quality, { reason: 'The line waits for it.' }, '4711');
  const back = { projectId, reason: 'It was better before.' };
  const rollback = models.handlers['models.rollback'];
  await expect(rollback({ ...back, secret: '1234' }, quality)).rejects.toMatchObject({ code: 'signatureRefused' });
  expect(store.models.active(projectId)!.id).toBe(second);
  expect((await rollback({ ...back, secret: '4711' }, quality)).id).toBe(modelId);
  for (const [action, meaning] of [
    ['threshold.changed', 'I approve this change.'],
    ['model.activated', 'I approve this change.'],
    ['model.gateOverridden', 'I take responsibility for this change.'],
    ['model.rolledBack', 'I take responsibility for this change.'],
  ] as const) {
    const event = store.events.page(null, 10, action)[0]!;
    const details = event.details as { change: AuditEvent['details']; signature: Record<string, unknown> };
    const { subject } = event;
    expect(details.signature).toMatchObject({
      signer: 'Ann',
      role: 'quality',
      statement: meaning,
      changeHash: changeHashOf({ action, subject, change: details.change }),
    });
    expect(JSON.stringify(event)).not.toContain('4711');
  }
  expect(store.events.page(null, 10, 'signature.refused')).toHaveLength(2);
});

test('the exported log holds for the independent verifier, and twenty tamperings are found', async () => {
  const { store } = station;
  const seals = await AuditSeals.open(store, undefined, () => undefined);
  for (let i = 0; i < 30; i++) {
    const details = { i, note: 'Zeile\n\u2028 "é"' };
    const at = new Date(Date.UTC(2026, 2, 2, 8, i)).toISOString();
    store.events.add({ at, actor: 'Ann', role: 'quality', action: 'label.set', subject: `part ${String(i)}`, details });
    await seals.sign();
  }
  await seals.close();
  const out = path.join(root, 'log.jsonl');
  // While the station is running.
  const run = await runCli(['audit', 'export', '--station', store.folder, '--out', out, '--json']);
  expect(run.code).toBe(0);
  const { hash } = store.events.last()!;
  expect(run.records()[0]).toMatchObject({ events: 30, newest: `30:${hash}`, publicKey: `${out}.pem` });
  const verify = () =>
    spawnSync(process.execPath, [
      path.join(projectRoot(), 'main', 'audit', 'verify.mjs'),
      out,
      '--key',
      `${out}.pem`,
      '--expect',
      `30:${hash}`,
    ]);
  const verified = verify();
  expect([verified.status, verified.stdout.toString()]).toEqual([0, expect.stringContaining('30 events')]);
  const lines = (file: string): string[] => readFileSync(file, 'utf8').trimEnd().split('\n');
  const log = {
    events: lines(out).map((line) => JSON.parse(line) as AuditEvent),
    checkpoints: lines(`${out}.checkpoints`),
    publicKeyPem: readFileSync(`${out}.pem`, 'utf8'),
  };
  const random = createRandom(6);
  const missed = Array.from({ length: 20 }, () => tamper(log, random)).filter((done) => !isFound(done));
  expect(missed.map(({ kind }) => kind)).toEqual([]);
  // Changed in the database itself, past its triggers: the export doesn't repair it.
  store.database.exec("DROP TRIGGER events_kept; UPDATE events SET subject = 'part 99' WHERE seq = 7");
  const again = await runCli(['audit', 'export', '--station', store.folder, '--out', out]);
  expect(again.code).toBe(0);
  expect(verify().status).toBe(1);
});

test('a folder that is no station is said', async () => {
  const run = await runCli(['audit', 'export', '--station', root, '--out', path.join(root, 'x')]);
  expect([run.code, run.err]).toEqual([1, expect.stringContaining('no station')]);
});
