import { expect, it } from 'vitest';
import { at, newModel, temporaryStore } from './helpers.ts';

it('per project one model judges, one can be gone back to, and every step is whole', async () => {
  const { models, projects, database } = await temporaryStore();
  const { id: projectId } = projects.create({ name: 'Cups', note: '', createdAt: at });
  expect(() => models.rollback(projectId)).toThrow(/No model judged before/);
  for (const id of ['m1', 'm2', 'm3']) models.add(newModel(projectId, id));
  const states = (): string[] => models.list(projectId).map(({ version, state }) => `v${version} ${state}`);
  models.activate('m1');
  models.activate('m2');
  models.activate('m3');
  expect(states()).toEqual(['v3 active', 'v2 previous', 'v1 retired']);
  expect(projects.get(projectId)).toMatchObject({ activeModelId: 'm3', previousModelId: 'm2' });
  expect(models.rollback(projectId).id).toBe('m2');
  expect(states()).toEqual(['v3 previous', 'v2 active', 'v1 retired']);
  expect(models.rollback(projectId).id).toBe('m3');
  models.activate('m3');
  expect(states()).toEqual(['v3 active', 'v2 previous', 'v1 retired']);
  // The database itself refuses a second one that judges.
  expect(() => database.exec("UPDATE models SET state = 'active' WHERE id = 'm1'")).toThrow(/UNIQUE/);
  expect(() => models.remove('m3', at)).toThrow(/is judging/);
  models.remove('m1', at);
  expect(states()).toEqual(['v3 active', 'v2 previous']);
  // What is removed is still known by the parts that name it, and its number is not given again.
  expect(models.find('m1')).toMatchObject({ version: 1, state: 'retired' });
  expect(models.add(newModel(projectId, 'm4')).version).toBe(4);
});

it('thresholds are kept with who, when and why', async () => {
  const { models, projects } = await temporaryStore();
  const { id: projectId } = projects.create({ name: 'Cups', note: '', createdAt: at });
  const asAdded = models.add(newModel(projectId, 'm1'));
  expect(models.thresholdHistory('m1')).toEqual([]);
  const change = {
    at,
    by: 'Ann',
    thresholds: { review: 0.4, fail: 0.8 },
    basis: '40 defects',
    reason: 'Too many reviews.',
  };
  expect(models.applyThresholds('m1', change)).toMatchObject({ thresholds: change.thresholds, basis: '40 defects' });
  const later = { ...change, by: 'Bob', thresholds: { review: 0.5, fail: 0.5 } };
  models.applyThresholds('m1', later);
  // The first change also keeps what the model came with: parts judged by it must be defended later.
  const { createdAt, createdBy, thresholds, basis } = asAdded;
  const origin = { at: createdAt, by: createdBy, thresholds, basis, reason: '' };
  expect(models.thresholdHistory('m1')).toEqual([later, change, origin]);
  // Nothing of a change that makes no sense is kept.
  expect(() => models.applyThresholds('m1', { ...change, thresholds: { review: 2, fail: 1 } })).toThrow(/CHECK/);
  expect(models.get('m1').thresholds).toEqual(later.thresholds);
  expect(models.thresholdHistory('m1')).toHaveLength(3);
});
