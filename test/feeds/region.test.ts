import { copyFile, mkdir, readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readPicture } from '../../main/pictures/decode.ts';
import { losslessPng } from '../../main/processes/inference/evidence.ts';
import { removeBundles } from '../../main/processes/process-entry.ts';
import { systemCaller } from '../../main/store/types.ts';
import type { Region, StationPart } from '../../shared/station/domain.ts';
import { papers, StationRig } from '../processes/station-rig.ts';

const patience = 300_000;
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

/** What is looked at: a kite that leaves the corners out. And a box inside it that is left out. */
const kite: Region = {
  shape: 'polygon',
  points: [
    { x: 0.5, y: 0.02 },
    { x: 0.95, y: 0.5 },
    { x: 0.5, y: 0.98 },
    { x: 0.05, y: 0.5 },
  ],
};
const hole: Region = { shape: 'rectangle', x: 0.4, y: 0.55, width: 0.25, height: 0.2 };

/** A copy of a good sheet with a black spot of 12 x 12 pixels at a place, 0..1. */
async function sheet(file: string, from: string, spot?: { x: number; y: number }): Promise<void> {
  if (spot === undefined) return copyFile(from, file);
  const picture = await readPicture(from);
  const { width, height, data } = picture;
  const [left, top] = [Math.round(spot.x * width), Math.round(spot.y * height)];
  for (let y = top; y < top + 12; y++) data.fill(0, 3 * (y * width + left), 3 * (y * width + left + 12));
  await writeFile(file, await losslessPng(picture));
}

test(
  'a model sees what it learned: spots outside its region or under its mask change no bit of the score, others fail',
  async () => {
    const [recipe] = rig.store.recipes.list(projectId);
    rig.store.recipes.save({ ...recipe!, region: kite, ignore: [hole] });
    rig.training.start({ projectId, preset: 'instant', engine: 'cpu', seed: 1, activate: false }, systemCaller);
    await rig.training.ended;
    const [learned] = rig.store.models.list(projectId);
    // So few pictures pass no gate; this is about what is looked at.
    await rig.models.activate(learned!.id, systemCaller, { reason: 'A test of the region.' }, null);
    // Drawn anew after the training: it holds from the next one on, not for the model that judges.
    const whole = { ...recipe!, region: null, ignore: [] };
    rig.store.recipes.save(whole);
    const inbox = path.join(rig.root, 'inbox');
    await mkdir(inbox);
    const good = path.join(papers, 'PA_BDP01_TL', 'train', 'good');
    const from = path.join(good, (await readdir(good)).sort()[0]!);
    await sheet(path.join(inbox, 'clean.png'), from);
    await sheet(path.join(inbox, 'masked.png'), from, { x: 0.48, y: 0.6 });
    await sheet(path.join(inbox, 'outside.png'), from, { x: 0.02, y: 0.02 });
    await sheet(path.join(inbox, 'seen.png'), from, { x: 0.45, y: 0.3 });
    const source = { kind: 'folder', path: inbox, originals: 'keep', subFolder: 'none', namePattern: '' } as const;
    await rig.feeds.start({ ...whole, source });
    const before = rig.store.parts.newestId();
    await rig.until('four verdicts', () => {
      const { presented, pass, fail, review } = rig.feed(projectId).counters;
      return presented === 4 && pass + fail + review === 4;
    });
    await rig.feeds.stop(projectId);
    const parts = new Map<string, StationPart>();
    for (let id = before - 3; id <= rig.store.parts.newestId(); id++) {
      const part = rig.store.parts.get(id);
      if (part !== null) parts.set(path.basename(part.source), part);
    }
    const { predScore, verdict, geometry } = parts.get('clean.png')!;
    expect(predScore).not.toBeNull();
    for (const name of ['masked.png', 'outside.png'])
      expect(parts.get(name)).toMatchObject({ predScore, verdict, hottest: parts.get('clean.png')!.hottest });
    expect(parts.get('seen.png')!.predScore).toBeGreaterThan(predScore!);
    expect(parts.get('seen.png')!.verdict).toBe('fail');
    expect(geometry).toEqual({ region: kite, ignore: [hole] });
  },
  patience,
);
