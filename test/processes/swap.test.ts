import { copyFile, mkdir, readdir, rename } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { removeBundles } from '../../main/processes/process-entry.ts';
import { systemCaller } from '../../main/store/types.ts';
import { papers, StationRig } from './station-rig.ts';

/** A test ends after this if it hangs; long, for machines that do much else. */
const patience = 300_000;
const kinds = ['PA_BDP01_TL', 'PA_ZPB01_RL'];
/** Pictures per class that the second model learns from: fewer than the first, so that the two score differently. */
const fewShots = 4;
let rig: StationRig;

beforeAll(async () => {
  rig = await StationRig.open();
});
afterAll(async () => {
  await rig.remove();
  await removeBundles();
}, patience);

test(
  'models are swapped under a running feed, in the real process: each part is wholly judged by one of them, none is lost',
  async () => {
    const projectId = await rig.sample();
    await rig.until('the line', () => rig.feed(projectId).wanted);
    await rig.training.ended;
    await rig.feeds.stop(projectId);
    const request = { projectId, preset: 'instant', engine: 'cpu', seed: 1, activate: false } as const;
    rig.training.start(request, systemCaller, fewShots);
    await rig.training.ended;
    const models = rig.store.models.list(projectId);
    expect(new Set(models.map(({ modelHash }) => modelHash)).size).toBe(2);

    // What each of the two says of each picture, told beside any feed.
    const pictures: { sha256: string; path: string }[] = [];
    for (const kind of kinds) {
      for (const side of ['test/good', 'test/impurity']) {
        const folder = path.join(papers, kind, side);
        for (const name of (await readdir(folder)).sort().slice(0, 5)) {
          pictures.push({ sha256: String(pictures.length).padStart(64, '0'), path: path.join(folder, name) });
        }
      }
    }
    const scores = new Map<string, readonly number[]>();
    for (const model of models) {
      const scored = await rig.feeds.score(model, pictures);
      scores.set(
        model.modelHash,
        scored.map(({ predScore }) => predScore!),
      );
    }
    const [first, second] = [...scores.values()];
    expect(first!.every((score, i) => Math.abs(score - second![i]!) > 1e-4)).toBe(true);

    const inbox = path.join(rig.root, 'swapped');
    await mkdir(inbox);
    const recipe = rig.store.recipes.save({
      ...{ id: null, projectId, name: 'Swapped', region: null, ignore: [], outputFolder: null, cycleTimeMs: null },
      ...{ lot: '', updatedAt: rig.context.now() },
      source: { kind: 'folder', path: inbox, originals: 'keep', subFolder: 'none', namePattern: '{serial}' },
    });
    const before = rig.store.parts.newestId();
    await rig.feeds.start(recipe);
    let put = 0;
    let more = true;
    const putOne = async (): Promise<void> => {
      const name = `${String(put).padStart(4, '0')}.png`;
      await copyFile(pictures[put % pictures.length]!.path, path.join(rig.root, name));
      await rename(path.join(rig.root, name), path.join(inbox, name));
      put++;
    };
    /** The line doesn't stop for what people do with models. */
    const line = (async () => {
      while (more) {
        await putOne();
        await pause(30);
      }
    })();
    const decided = (): number => {
      const { pass, fail, review, noDecision } = rig.feed(projectId).counters;
      return pass + fail + review + noDecision;
    };

    /** From this file on: judged by that model. */
    const holdsFrom: { file: number; modelHash: string }[] = [];
    for (let swap = 0; swap < 4; swap++) {
      const judged = decided();
      await rig.until('parts between two changes', () => decided() >= judged + 4);
      const next = models.find(({ id }) => id !== rig.store.models.active(projectId)!.id)!;
      const input = { modelId: next.id, override: { reason: 'Tried under a running line.' }, secret: null };
      expect(await rig.models.handlers['models.activate'](input, systemCaller)).toMatchObject({ activated: true });
      // What is on its way into the folder right now may be either's; what comes from here on is the new one's.
      holdsFrom.push({ file: put + 1, modelHash: next.modelHash });
    }
    const judged = decided();
    await rig.until('parts of the last model', () => decided() >= judged + 4);
    more = false;
    await line;
    await rig.until('all verdicts', () => decided() === put);
    const { counters, fault } = await rig.feeds.stop(projectId);
    expect(fault).toBeNull();
    expect(counters).toMatchObject({ presented: put, noDecision: 0 });
    expect(rig.store.parts.counters(projectId, before)).toEqual(counters);

    const files = new Set<string>();
    let changes = 0;
    let last = '';
    for (let i = 0; i < put; i++) {
      const part = rig.store.parts.get(before + 1 + i)!;
      const { modelHash, modelId, predScore, source } = part;
      files.add(source);
      const file = Number(path.basename(source, '.png'));
      const model = models.find((one) => one.modelHash === modelHash);
      // Hash, number, score and thresholds are all of the same one.
      expect(model?.id).toBe(modelId);
      expect(predScore).toBeCloseTo(scores.get(modelHash!)![file % pictures.length]!, 5);
      const held = holdsFrom.findLast((one) => one.file <= file);
      const next = holdsFrom.find((one) => one.file > file);
      const allowed = [held?.modelHash ?? models.find(({ state }) => state === 'active')!.modelHash, next?.modelHash];
      expect(allowed).toContain(modelHash);
      if (held !== undefined && next === undefined) expect(modelHash).toBe(held.modelHash);
      if (modelHash !== last) changes++;
      last = modelHash!;
    }
    expect(files.size).toBe(put);
    // One change each, in the order of the records: nobody is judged by the model before once the new one judges.
    expect(changes).toBe(5);
    expect(last).toBe(rig.store.models.active(projectId)!.modelHash);
  },
  patience,
);
