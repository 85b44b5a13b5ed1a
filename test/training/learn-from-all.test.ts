import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { deviations } from '../../main/benchmark/deviations.ts';
import { makePlan } from '../../main/benchmark/plan.ts';
import { findProtocol } from '../../main/benchmark/protocols.ts';
import { settlePaperPreset } from '../../main/training/paper-settings.ts';
import { trainModel } from '../../main/training/run.ts';
import { never, openPackage, twoParts, Workplace } from './small-data.ts';
import { tinyPaper, writeTinyTeacher } from './tiny-paper.ts';

let place: Workplace;
let teacher: string;

beforeAll(async () => {
  place = await Workplace.make('learn-from-all');
  await place.part(twoParts[0]!, { 'train/good': 12 });
  teacher = await writeTinyTeacher(place);
});

afterAll(() => place.remove());

describe('the switch learnFromAll', () => {
  it.each([
    [false, 4],
    [true, 0],
  ])('%s: holds out %i of 12 pictures, and the manifest says so', async (learnFromAll, heldOut) => {
    const request = tinyPaper(place, teacher, { steps: 2 });
    await trainModel({ ...request, settings: { ...request.settings, learnFromAll } }, () => undefined, never);
    const { manifest } = await openPackage(request.out);
    expect(manifest.classes.map(({ normalCount, heldOutCount }) => [normalCount, heldOutCount])).toEqual([
      [12, heldOut],
    ]);
    expect(manifest.preset.constants['learnFromAll']).toBe(learnFromAll);
    // Either way too few to set a threshold by: both are taken from pictures learned from, and called assumed.
    expect(manifest.thresholds.pooled).toMatchObject({ basis: 'assumed', normals: heldOut });
  });

  it('is in the list of deviations, as are the pictures held out without it', () => {
    const protocol = findProtocol('cifar10_subset');
    const pictures = Array.from({ length: 30 }, (_, i) => ({
      path: `${i}.png`,
      className: 'cat',
      split: 'train' as const,
      gtLabel: 'good' as const,
    }));
    const set = { classes: ['cat'], pictures, warnings: [] };
    const request = {
      setting: 'single-class',
      preset: 'paper-base',
      seeds: 1,
      shots: [],
      ablation: [],
      splits: [],
    } as const;
    const said = (learnFromAll: boolean): string =>
      deviations({
        protocol,
        setting: 'single-class',
        set,
        plan: makePlan(protocol, set, request, null),
        preset: 'paper-base',
        settings: settlePaperPreset('paper-base', { classes: 1, kind: 'general' }, { learnFromAll }).settings,
        changed: [],
        seeds: 1,
        instant: false,
        splitsAsked: [],
        pixels: false,
      }).join('\n');
    expect(said(true)).toContain('All training pictures are learned from');
    expect(said(true)).not.toContain('held out for its thresholds');
    expect(said(false)).toContain('4 training pictures of the first model are held out for its thresholds');
  });
});
