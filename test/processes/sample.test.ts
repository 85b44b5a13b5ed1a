import { afterAll, beforeAll, expect, test } from 'vitest';
import { removeBundles } from '../../main/processes/process-entry.ts';
import { StationRig } from './station-rig.ts';

let rig: StationRig;
beforeAll(async () => {
  rig = await StationRig.open();
});
afterAll(async () => {
  await rig.remove();
  await removeBundles();
});

test('first start: a project, a model in seconds, parts judged, one of them failing with its heat map', async () => {
  const projectId = await rig.sample();
  await rig.training.ended;
  expect(rig.training.current(projectId)).toMatchObject({ state: 'finished', error: null });
  const [model] = rig.store.models.list(projectId);
  expect(model).toMatchObject({ state: 'active', preset: 'instant', version: 1 });
  expect(model!.metrics.map(({ className, pictures, defects }) => [className, pictures, defects])).toEqual([
    ['PA_BDP01_TL', 8, 4],
    ['PA_ZPB01_RL', 8, 4],
  ]);

  await rig.until(
    'a failed part',
    () => rig.feed(projectId).counters.fail > 0 && rig.feed(projectId).counters.pass > 0,
  );
  const { counters, engine, fault } = await rig.feeds.stop(projectId);
  expect(fault).toBeNull();
  expect(engine).toBe('cpu');
  expect(counters.presented).toBe(counters.pass + counters.fail + counters.review + counters.noDecision);
  expect(rig.store.parts.counters(projectId)).toEqual(counters);
});
