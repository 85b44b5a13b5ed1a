import { describe, expect, it } from 'vitest';
import { parseAssignments } from '../../main/training/assignments.ts';
import { PaperBatchMaker } from '../../main/training/paper-batches.ts';
import { settlePaperPreset } from '../../main/training/paper-settings.ts';
import { PaperLayout, paperShapes } from '../../main/training/paper-teacher.ts';
import { tinySettings } from './tiny-paper.ts';

const general = { classes: 15, kind: 'general' } as const;

describe('the settings of a paper preset', () => {
  it('are those of the method, by size and by kind of data', () => {
    const { settings } = settlePaperPreset('paper-base', general, {});
    expect(settings).toMatchObject({
      backbone: 'dinov2-with-registers-base',
      resize: 448,
      crop: 392,
      posEmbed: 'scale_offset',
      groups: [
        [3, 4, 5, 6],
        [7, 8, 9, 10],
      ],
      decoderOrder: 'mirrored',
      decoder: { depth: 8, layerNormEps: 1e-8, dropout: 0.2 },
      encoderStudent: { embeddings: 'shared', layerScaleInit: 1, linearStd: 0.02 },
      seReduction: 'mean',
      sdHardMining: { pFinal: 0.9, ramp: 1000, factor: 0.1 },
      objective: 'noisy-or',
      scoreRow: 6,
      sdScore: 'global',
      optimizer: { amsgrad: true, betas: [0.9, 0.999], eps: 1e-10, weightDecay: 1e-4, clipThreshold: 1, gradClip: 0.1 },
      schedule: { base: 2e-3, final: 2e-4, warmup: 100, total: 10000 },
      batch: 16,
      microBatch: 16,
    });
    expect(settlePaperPreset('paper-small', general, {}).settings).toMatchObject({
      embedDim: 384,
      heads: 6,
      depth: 12,
    });
    expect(settlePaperPreset('paper-large', general, {}).settings).toMatchObject({ embedDim: 1024, depth: 24 });
    const single = settlePaperPreset('paper-base', { classes: 1, kind: 'general' }, {}).settings;
    expect(single).toMatchObject({ schedule: { total: 5000 }, optimizer: { eps: 1e-8 }, decoder: { dropout: 0.2 } });
    const realIad = settlePaperPreset('paper-base', { classes: 30, kind: 'real-iad' }, {}).settings;
    expect(realIad).toMatchObject({ schedule: { total: 50000 }, optimizer: { eps: 1e-10 }, decoder: { dropout: 0.4 } });
  });

  it('give way to what the person sets, steps asked for before all', () => {
    const asked = parseAssignments(['decoder.dropout=0.1', 'sdHardMining=null', 'posEmbed=size', 'groups=[[1],[2]]']);
    const { settings } = settlePaperPreset('paper-base', { classes: 30, kind: 'real-iad' }, asked, 7);
    expect(settings).toMatchObject({
      decoder: { dropout: 0.1 },
      sdHardMining: null,
      posEmbed: 'size',
      groups: [[1], [2]],
    });
    expect(settings.schedule.total).toBe(7);
    for (const text of ['crop', '=3', '__proto__.x', 'a b=1', '1x=2']) {
      expect(() => parseAssignments([text])).toThrow(expect.objectContaining({ code: 'settingInvalid' }) as Error);
    }
    const polluted = parseAssignments(['constructor.name=1']);
    expect(() => settlePaperPreset('paper-base', general, polluted)).toThrow(/no such setting/);
  });

  it('cut the same share off the rim at any input, and say when an input is not made of whole patches', () => {
    expect(settlePaperPreset('paper-base', general, { crop: 224 }).settings).toMatchObject({ crop: 224, resize: 256 });
    const odd = settlePaperPreset('paper-base', general, { crop: 230 });
    expect(odd.settings.crop % 14).toBe(0);
    expect(odd.warnings.join()).toContain('230 px');
    expect(settlePaperPreset('paper-base', general, { crop: 224, resize: 224 }).settings.resize).toBe(224);
    expect(() => settlePaperPreset('paper-base', general, { crop: 224, resize: 200 })).toThrow(/resize/);
    // What was given is named, not what follows from it.
    expect(() => settlePaperPreset('paper-base', general, { crop: 0 })).toThrow(/"crop" can't be used/);
  });
});

describe('batches for the paper students', () => {
  const { settings } = settlePaperPreset('paper-small', general, tinySettings);
  const layout = new PaperLayout(paperShapes(settings));
  const store = { get: (index: number) => Promise.resolve(layout.split(new Float32Array(layout.length).fill(index))) };
  const make = (count: number, defects: number[] = []): PaperBatchMaker =>
    new PaperBatchMaker(
      Array.from({ length: count }, (_, i) => 100 + i),
      defects,
      store,
      settings,
      3,
    );

  it('go through every picture once in an epoch, in another order each time, and drop what fills no batch', () => {
    const maker = make(10);
    const epoch = (e: number): number[] => [0, 1].flatMap((i) => maker.picturesOf(2 * e + i));
    expect(new Set(epoch(0)).size).toBe(8);
    expect(epoch(0)).not.toEqual(epoch(1));
    expect(new Set([0, 1, 2, 3, 4, 5].flatMap(epoch)).size).toBe(10);
    // Any step on its own, in any order: as after a resume.
    expect(make(10).picturesOf(7)).toEqual(maker.picturesOf(7));
  });

  it('take a data set smaller than a batch several times over', () => {
    const maker = make(3);
    const shown = [0, 1, 2].flatMap((step) => maker.picturesOf(step));
    for (const picture of [100, 101, 102]) expect(shown.filter((p) => p === picture)).toHaveLength(4);
  });

  it('hold features, masks and numbers of the step, with labelled defects at the end', async () => {
    const inputs = await make(10, [7]).make(5);
    expect([...inputs['label']!]).toEqual([1, 1, 1, 0]);
    const [tokens, width] = paperShapes(settings).tokens;
    expect(inputs['teacherGroup1']).toHaveLength(4 * tokens * width);
    expect(inputs['mask.hidden']).toHaveLength(4 * tokens * 4 * width);
    expect(inputs['teacherClassTokens']!.slice(-5 * width)).toEqual(new Float32Array(5 * width).fill(7));
    expect(new Set(inputs['mask.input'])).toEqual(new Set([0, Math.fround(1 / 0.8)]));
    // 36 patches, 4 pictures, a share of 0.9 * 5 / 1000 easy.
    expect(inputs['miningRank']![0]).toBe(Math.trunc(144 * (1 - 0.0045)));
    expect(await make(10, [7]).make(5)).toEqual(inputs);
  });
});
