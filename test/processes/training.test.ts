import { existsSync, readFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { TrainingState } from '../../shared/ipc/training.ts';
import { removeBundles } from '../../main/processes/process-entry.ts';
import { systemCaller } from '../../main/store/types.ts';
import { StationRig } from './station-rig.ts';

/** A test ends after this if it hangs; long, for machines that do much else. */
const patience = 300_000;
const request = { preset: 'embedded', engine: 'auto', seed: 1, activate: true } as const;
let rig: StationRig;
let projectId: string;

beforeAll(async () => {
  rig = await StationRig.open();
  projectId = await rig.idleSample();
}, patience);
afterAll(async () => {
  await rig.remove();
  await removeBundles();
}, patience);

const current = (): TrainingState => rig.training.current(projectId)!;
const inPhase = (phase: string) => () => current().phase === phase;

test(
  'the plan says how long it would take, with what, and what speaks against it',
  async () => {
    const plan = await rig.training.handlers['training.plan']({ projectId }, systemCaller);
    expect(plan.presets.map(({ preset }) => preset)).toEqual([
      'instant',
      'embedded',
      'paper-small',
      'paper-base',
      'paper-large',
    ]);
    const [instant, embedded] = plan.presets;
    expect(instant!.available && embedded!.available).toBe(true);
    expect(embedded!.estimateMs).toBeGreaterThan(instant!.estimateMs);
    expect(plan.engines.filter(({ available }) => available).map(({ name }) => name)).toEqual(
      expect.arrayContaining(['auto', 'cpu']),
    );
    expect(plan.problems.join()).toContain('PA_BDP01_TL');
  },
  patience,
);

test(
  'a cancelled run ends at once and leaves nothing behind; only one runs at a time',
  async () => {
    const { id } = rig.training.start({ ...request, projectId }, systemCaller);
    expect(() => rig.training.start({ ...request, projectId }, systemCaller)).toThrow(/running already/);
    await rig.until('a phase', inPhase('features'));
    await rig.training.handlers['training.cancel']({ id }, systemCaller);
    expect(current().state).toBe('cancelled');
    expect(existsSync(path.join(rig.context.folder, 'training', id))).toBe(false);
    expect(rig.store.models.list(projectId)).toHaveLength(1);
  },
  patience,
);

test(
  'paused, the process stands still; killed, it goes on; the gates decide about the model',
  async () => {
    const { id } = rig.training.start({ ...request, projectId }, systemCaller);
    await rig.until('a phase', inPhase('memory'));
    const paused = await rig.training.handlers['training.pause']({ id, paused: true }, systemCaller);
    expect(paused.state).toBe('paused');
    await pause(800);
    const { pid } = rig.training.supervisor.status;
    if (process.platform === 'linux') {
      const stat = readFileSync(`/proc/${String(pid)}/stat`, 'utf8');
      expect(stat.slice(stat.lastIndexOf(')')).split(' ')[1]).toBe('T');
    }
    expect(current().state).toBe('paused');
    await rig.training.handlers['training.pause']({ id, paused: false }, systemCaller);

    rig.training.supervisor.crash();
    await rig.training.ended;
    const state = current();
    expect(state).toMatchObject({ state: 'finished', error: null, share: 1 });
    expect(state.log.map(({ message }) => message).join('\n')).toContain('goes on from the last checkpoint');
    expect(state.losses.length).toBeGreaterThan(0);

    const model = rig.store.models.get(state.modelId!);
    expect(model).toMatchObject({ preset: 'embedded', version: 2, state: 'candidate' });
    expect(model.metrics.map(({ pictures, defects }) => [pictures, defects])).toEqual([
      [8, 4],
      [8, 4],
    ]);
    // Sixteen golden pictures can't show that nothing is lost.
    const gates = await rig.models.gates(model.id);
    expect(gates.map(({ gate }) => gate)).toEqual(['golden', 'oldProducts', 'parity', 'latency']);
    expect(gates[0]).toMatchObject({ passed: false });
    expect(gates.slice(2).every(({ passed }) => passed)).toBe(true);
  },
  patience,
);

test(
  'a refused model needs somebody who answers for it; one click brings the model before back',
  async () => {
    const [second, first] = rig.store.models.list(projectId);
    const engineer = { userId: null, name: 'Eva', role: 'engineer' } as const;
    const quality = { userId: null, name: 'Quirin', role: 'quality' } as const;
    const refused = await rig.models.activate(second!.id, engineer, null, null);
    expect(refused.activated).toBe(false);
    const reason = { reason: 'Looked at all changed parts by hand.' };
    await expect(rig.models.activate(second!.id, engineer, reason, null)).rejects.toMatchObject({
      code: 'overrideRole',
    });
    await expect(rig.models.activate(second!.id, quality, { reason: 'ok' }, null)).rejects.toMatchObject({
      code: 'overrideReason',
    });
    expect((await rig.models.activate(second!.id, quality, reason, null)).activated).toBe(true);
    expect(rig.store.projects.get(projectId)).toMatchObject({ activeModelId: second!.id, previousModelId: first!.id });
    const back = await rig.models.handlers['models.rollback'](
      { projectId, reason: 'worse at night', secret: null },
      engineer,
    );
    expect(back.id).toBe(first!.id);
    expect(rig.store.projects.get(projectId)).toMatchObject({ activeModelId: first!.id, previousModelId: second!.id });
    const actions = rig.store.events.page(null, 50, null).map(({ action }) => action);
    expect(actions).toEqual(expect.arrayContaining(['model.gateRefused', 'model.gateOverridden', 'model.rolledBack']));
  },
  patience,
);

test(
  'a model goes out and comes in again; a damaged one does not',
  async () => {
    const [model] = rig.store.models.list(projectId);
    const file = path.join(rig.root, 'out.twin');
    await rig.models.handlers['models.export']({ modelId: model!.id, path: file }, systemCaller);
    const imported = await rig.models.handlers['models.import']({ projectId, path: file }, systemCaller);
    expect(imported).toMatchObject({ modelHash: model!.modelHash, state: 'candidate' });
    const before = (await readdir(path.join(rig.context.folder, 'models'))).length;
    const damaged = path.join(rig.root, 'data', 'PA_BDP01_TL', 'train', 'good');
    const picture = path.join(damaged, (await readdir(damaged))[0]!);
    await expect(rig.models.handlers['models.import']({ projectId, path: picture }, systemCaller)).rejects.toThrow();
    expect(await readdir(path.join(rig.context.folder, 'models'))).toHaveLength(before);
  },
  patience,
);

test(
  'a region that a person drew is trained on and kept with the model',
  async () => {
    const [recipe] = rig.store.recipes.list(projectId);
    const region = { shape: 'rectangle', x: 0.25, y: 0.25, width: 0.5, height: 0.5 } as const;
    rig.store.recipes.save({ ...recipe!, region, updatedAt: '2099-01-01T00:00:00.000Z' });
    rig.training.start({ ...request, preset: 'instant', projectId, activate: false }, systemCaller);
    await rig.training.ended;
    expect(current()).toMatchObject({ state: 'finished', error: null });
    const model = rig.store.models.get(current().modelId!);
    rig.store.recipes.save({ ...recipe!, region: null, updatedAt: '2099-01-02T00:00:00.000Z' });
    expect(model.geometry).toEqual({ region, ignore: [] });
  },
  patience,
);
