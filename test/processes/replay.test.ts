import { cp, mkdir, readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { realServices } from '../../main/cli/services.ts';
import { exportHistory } from '../../main/station/history-export.ts';
import { runCli } from '../cli/fakes.ts';
import { papers, StationRig } from './station-rig.ts';

const patience = 300_000;
let rig: StationRig;
beforeAll(async () => {
  rig = await StationRig.open();
}, patience);
afterAll(() => rig.remove());

test(
  'a history exported from the station is repeated bit for bit from its pictures and the model package',
  async () => {
    const projectId = await rig.sample();
    await rig.training.ended;
    await rig.until('a passed and a failed part', () => {
      const { fail, pass } = rig.feed(projectId).counters;
      return fail > 0 && pass > 0;
    });
    await rig.feeds.stop(projectId);
    // Some parts of a model that learned a region only, with a corner left out; the recipe's was drawn after it.
    const [recipe] = rig.store.recipes.list(projectId);
    const rectangle = { shape: 'rectangle', x: 0.1, y: 0.05, width: 0.8, height: 0.85 } as const;
    const ignore = [{ ...rectangle, x: 0.6, y: 0.6, width: 0.3, height: 0.3 }];
    const { id } = rig.store.models.active(projectId)!;
    rig.store.database.run(
      "UPDATE models SET body = json_set(body, '$.geometry', json(?)) WHERE id = ?",
      JSON.stringify({ region: rectangle, ignore }),
      id,
    );
    rig.store.recipes.save({ ...recipe!, region: { ...rectangle, width: 0.2 }, ignore: [] });
    const folder = path.join(rig.root, 'dropped');
    await mkdir(folder);
    const good = path.join(papers, 'PA_BDP01_TL', 'train', 'good');
    for (const name of (await readdir(good)).sort().slice(-4)) await cp(path.join(good, name), path.join(folder, name));
    const before = rig.store.parts.counters(projectId).presented;
    await rig.feeds.handlers['feed.judgeFiles'](
      { projectId, paths: [folder] },
      { userId: null, name: 'A', role: 'operator' },
    );
    await rig.until('four more', () => {
      const { presented, pass, fail, review } = rig.store.parts.counters(projectId);
      return presented === before + 4 && pass + fail + review === presented;
    });
    await rig.feeds.stop(projectId);
    expect(rig.store.parts.get(rig.store.parts.newestId())).toMatchObject({ geometry: { region: rectangle, ignore } });

    const history = path.join(rig.root, 'history.json');
    const filter = { projectId, from: null, to: null, className: null, lot: null, serial: null, station: null };
    const parts = await exportHistory(rig.store, { ...filter, verdict: null, person: 'any' }, 'json', history);
    const model = rig.store.models.path(rig.store.models.active(projectId)!.id);
    const replay = async (...more: string[]) =>
      runCli(['replay', '--model', model, '--record', history, '--engine', 'cpu', '--json', ...more], {
        services: realServices,
      });
    const stored = path.join(rig.store.folder, 'pictures');
    const run = await replay('--pictures', stored);
    expect(run.code).toBe(0);
    expect(run.records()[0]).toMatchObject({
      records: parts,
      counts: { identical: parts, withinTolerance: 0, different: 0, noDecision: 0, pictureGone: 0, otherModel: 0 },
      maxDifference: 0,
      engine: 'cpu',
    });
    // The same for one part, and why it failed.
    const failed = Array.from({ length: parts }, (_, i) => rig.store.parts.get(i + 1)!).find(
      ({ verdict }) => verdict === 'fail',
    )!;
    const caller = { userId: null, name: 'A', role: 'operator' } as const;
    const why = await rig.feeds.explainHandlers['explain.part']({ partId: failed.id }, caller);
    expect(why).toMatchObject({ isRepeated: true, predScore: failed.predScore });
    expect(why.regions.length).toBeGreaterThan(0);
    expect(why.counterfactuals.map(({ replacedBy }) => replacedBy)).toContain('nearestNormal');
    expect(Math.min(...why.counterfactuals.map(({ predScore }) => predScore))).toBeLessThan(failed.predScore!);
    await expect(rig.feeds.explainHandlers['explain.part']({ partId: 99_999 }, caller)).rejects.toMatchObject({
      code: 'partUnknown',
    });
    // A picture that retention took is said, not passed over; without any there is nothing to be repeated.
    const last = rig.store.pictures.path(rig.store.parts.get(1)!.pictureSha256!)!;
    await rm(last);
    expect((await replay('--pictures', stored)).records()[0]).toMatchObject({
      counts: { pictureGone: expect.any(Number) as number, different: 0 },
    });
    const empty = path.join(rig.root, 'empty');
    await mkdir(empty);
    expect((await replay('--pictures', empty)).code).toBe(1);
    expect((await replay()).err).toContain('Give --picture or --pictures');
  },
  patience,
);
